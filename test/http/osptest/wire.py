"""HTTP/1.1 messages as bytes: what both ends of the harness need to read them."""
from dataclasses import dataclass, field


@dataclass
class Message:
    """A request or a response. Texts are Latin-1, so that any byte survives."""
    raw: bytes                  # the head, byte for byte, with its empty line
    start: str                  # request line or status line
    headers: list               # (name, value) in the order of the wire
    body: bytes = b""
    raw_body: bytes = b""       # with chunk framing
    connection: int = 0         # number of the connection it came on
    sni: str = None             # back end with TLS: the name the client asked for
    trailers: list = field(default_factory=list)

    def all(self, name):
        """Values of every field line of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name, default=None):
        """The value of the only field line of that name; two of them are a mistake."""
        values = self.all(name)
        assert len(values) < 2, f"{len(values)} lines of {name}: {values}"
        return values[0] if values else default

    @property
    def method(self):
        return self.start.split(" ", 1)[0]

    @property
    def target(self):
        """A request's target, exactly as written."""
        return self.start.split(" ", 1)[1].rsplit(" ", 1)[0]

    @property
    def status(self):
        return int(self.start.split(" ", 2)[1])

    @property
    def text(self):
        return self.body.decode("latin-1")

    @property
    def whole(self):
        """Every byte of the message."""
        return self.raw + self.raw_body


def parse_head(raw):
    lines = raw.decode("latin-1").split("\r\n")
    headers = []
    for line in lines[1:]:
        if line:
            name, _, value = line.partition(":")
            headers.append((name, value.strip(" \t")))
    return Message(raw=raw, start=lines[0], headers=headers)


class Closed(Exception):
    """The other end closed in the middle of a message; `.args[0]` holds what came."""


class Reader:
    """Reads messages from a socket, leaving nothing it did not ask for behind."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def until(self, mark):
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            start = max(0, len(self.buffer) - len(mark))
            self.more()
        at += len(mark)
        piece, self.buffer = self.buffer[:at], self.buffer[at:]
        return piece

    def exactly(self, size):
        parts, missing = [self.buffer], size - len(self.buffer)
        try:        # in parts: a large body would be copied once for each of them
            while missing > 0:
                data = self.sock.recv(65536)
                if not data:
                    raise Closed(b"".join(parts))
                parts.append(data)
                missing -= len(data)
        finally:
            self.buffer = b"".join(parts)
        piece, self.buffer = self.buffer[:size], self.buffer[size:]
        return piece

    def rest(self):
        """Everything up to the end of the connection."""
        try:
            while True:
                self.more()
        except (Closed, ConnectionResetError):
            pass
        piece, self.buffer = self.buffer, b""
        return piece

    def chunks(self):
        """(body, framing and all) of a chunked body."""
        body, raw = b"", b""
        while True:
            line = self.until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            piece = self.exactly(size + 2) if size else b""
            raw += line + piece
            body += piece[:size]
            if not size:
                while (line := self.until(b"\r\n")) != b"\r\n":
                    raw += line
                return body, raw + line

    def body(self, message, until_close):
        """Reads the body that the head announces; until_close: without length, to the end."""
        if "chunked" in ",".join(message.all("Transfer-Encoding")).lower():
            message.body, message.raw_body = self.chunks()
        elif message.all("Content-Length"):
            message.body = message.raw_body = self.exactly(int(message.get("Content-Length")))
        elif until_close:
            message.body = message.raw_body = self.rest()

    def request(self):
        message = parse_head(self.until(b"\r\n\r\n"))
        self.body(message, until_close=False)
        return message

    def response(self, method="GET"):
        message = parse_head(self.until(b"\r\n\r\n"))
        if method != "HEAD" and message.status >= 200 and message.status not in (204, 304):
            self.body(message, until_close=True)
        return message
