"""Static files of the farm: read from content/ once, served with the headers that tempt a cache."""
import gzip
import hashlib
import pathlib
import struct
import zlib

from server import Response

ROOT = pathlib.Path(__file__).resolve().parent / "content"
TYPES = {
    ".css": "text/css", ".html": "text/html", ".js": "application/javascript",
    ".json": "application/json; charset=utf-8", ".png": "image/png", ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
YEAR = "public, max-age=31536000"
TEXT = (".css", ".html", ".js", ".json", ".svg")
LAST_MODIFIED = "Mon, 06 Oct 2025 09:00:00 GMT"


class Resource:
    """A body with its content type and ETag; gzipped for clients that take it, as IIS does."""

    def __init__(self, name, body, cache=YEAR):
        suffix = pathlib.PurePath(name).suffix
        self.body = body
        self.type = TYPES.get(suffix, "application/octet-stream")
        self.cache = cache
        self.etag = f'"{hashlib.md5(body).hexdigest()[:16]}:0"'
        self.packed = gzip.compress(body, mtime=0) if suffix in TEXT and len(body) > 256 else None

    def serve(self, request, extra=()):
        """GET and HEAD, also conditional."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, "Method Not Allowed\n", "text/plain", [("Allow", "GET, HEAD")])
        headers = [("Cache-Control", self.cache), ("Last-Modified", LAST_MODIFIED),
                   ("ETag", self.etag), *extra]
        if self.packed:
            headers.append(("Vary", "Accept-Encoding"))
        if request.header("If-None-Match") == self.etag:
            return Response(304, headers=headers)
        codings = [coding.partition(";")[0] for coding in request.values("Accept-Encoding")]
        if self.packed and "gzip" in codings:
            headers.append(("Content-Encoding", "gzip"))
            return Response(200, self.packed, self.type, headers)
        return Response(200, self.body, self.type, headers)


def load(folder, **words):
    """{relative path: bytes} of a folder of content/, with @WORD@ replaced by words['WORD']."""
    files = {}
    base = ROOT / folder
    for path in sorted(base.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for word, value in words.items():
                text = text.replace(f"@{word}@", value)
            files[path.relative_to(base).as_posix().replace("MODULE", words.get("MODULE", ""))] = (
                text.encode())
    return files


def png(red, green, blue, size=16):
    """A square of one colour as a PNG file."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    rows = (b"\0" + bytes((red, green, blue)) * size) * size
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def font():
    """Bytes that start like a WOFF2 file: something large and incompressible under fonts/."""
    data = b"wOF2"
    while len(data) < 24 * 1024:
        data += hashlib.sha256(data[-64:]).digest()
    return data
