"""Reading a request the way http.sys does: strict about framing and names, paths decoded once and
normalised before they are routed.
"""
import re
from urllib.parse import unquote_to_bytes

REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/(1\.[01])")
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*)")
BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadRequest(Exception):
    """A request that http.sys refuses by itself: answered and the connection closed."""

    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status


class Request:
    """What arrived. target is the raw request target, headers are (name, value) in order."""

    def __init__(self, connection, method, target, version, headers):
        self.connection = connection
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.index = {name.lower(): value for name, value in reversed(headers)}
        raw = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*", "", target)
        raw, _, self.query = raw.partition("?")
        self.path = iis_path(raw)
        self.body = b""
        self.body_length = 0
        self.body_md5 = None

    def header(self, name, default=""):
        """The first field of that name, in any case."""
        return self.index.get(name.lower(), default)

    def values(self, name):
        """The comma-separated elements of all fields of that name, lower case."""
        name = name.lower()
        lines = ",".join(value for key, value in self.headers if key.lower() == name)
        return [part.strip().lower() for part in lines.split(",") if part.strip()]

    @property
    def protocol(self):
        """http or https as OutSystems sees it: a proxy's X-Forwarded-Proto is believed."""
        told = self.header("X-Forwarded-Proto").strip().lower()
        if told in ("http", "https"):
            return told
        return "https" if self.connection.tls else "http"

    @property
    def base_url(self):
        """The protocol and host that absolute URLs in pages start with."""
        return f"{self.protocol}://{self.header('Host')}"


def iis_path(raw):
    """The path IIS routes by: percent-decoded once, backslashes are slashes, no dot segments."""
    if BAD_PERCENT.search(raw):
        raise BadRequest("Invalid URL")
    data = unquote_to_bytes(raw.encode("latin-1"))
    if any(byte < 32 for byte in data):
        raise BadRequest("Invalid URL")
    try:
        path = data.decode("utf-8")
    except UnicodeDecodeError:
        path = data.decode("latin-1")
    parts = []
    pieces = path.replace("\\", "/").split("/")
    for piece in pieces:
        if piece == "..":
            del parts[-1:]
        elif piece not in ("", "."):
            parts.append(piece)
    slash = "/" if parts and pieces[-1] in ("", ".", "..") else ""
    return "/" + "/".join(parts) + slash


def parse_head(connection, head):
    """The Request in the bytes up to the empty line."""
    lines = head.decode("latin-1").split("\r\n")
    first = REQUEST_LINE.fullmatch(lines[0])
    if first is None:
        raise BadRequest("Invalid Verb or URL")
    headers = []
    for line in lines[1:]:
        field = FIELD.fullmatch(line)
        if field is None:
            raise BadRequest("Invalid Header")
        headers.append((field[1], field[2].rstrip(" \t")))
    hosts = [value for name, value in headers if name.lower() == "host"]
    if len(hosts) > 1 or (not hosts and first[3] == "1.1"):
        raise BadRequest("Invalid Hostname")
    target = first[2]
    if not (target.startswith("/") or "://" in target or (target == "*" and first[1] == "OPTIONS")):
        raise BadRequest("Invalid URL")
    return Request(connection, first[1], target, first[3], headers)


def body_size(request):
    """Bytes of the body, or None for a chunked one; refuses every ambiguity."""
    lengths = [value for name, value in request.headers if name.lower() == "content-length"]
    codings = request.values("Transfer-Encoding")
    if codings:
        if lengths or request.version != "1.1" or codings != ["chunked"]:
            raise BadRequest("Invalid Header")
        return None
    if len(set(lengths)) > 1 or any(not re.fullmatch("[0-9]{1,18}", n) for n in lengths):
        raise BadRequest("Invalid Header")
    return int(lengths[0]) if lengths else 0
