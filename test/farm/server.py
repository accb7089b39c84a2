"""The HTTP/1.1 server of the demo farm: asyncio streams, behaving like IIS (http.sys) wherever a
proxy in front can notice. Each TCP connection has one Connection object, so that Windows
authentication can tie a user to it.

A handler takes a Request and returns a Response; it is called when the body has been read. Bodies
are streamed through a digest and only their first KEEP bytes are kept.
"""
import asyncio
import hashlib
import itertools
import re
import sys
import traceback
from email.utils import formatdate
from http import HTTPStatus

from request import BadRequest, body_size, parse_head

MAX_HEAD = 64 * 1024
KEEP = 1024 * 1024
PIECE = 64 * 1024
HEX_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


class Connection:
    """One TCP connection: its number, requests so far, and the Windows user it belongs to."""

    def __init__(self, number, writer):
        self.number = number
        self.writer = writer
        self.requests = 0
        self.user = None        # 'LAB\\alice' once NTLM has succeeded on it
        self.challenge = None   # the NTLM challenge sent, while a handshake is under way
        self.tls = writer.get_extra_info("sslcontext") is not None
        self.waiting_since = None


class Response:
    """What goes back. headers is a list of (name, value); close ends the connection after it."""

    def __init__(self, status=200, body=b"", content_type=None, headers=(), close=False):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = list(headers)
        if content_type:
            self.headers.insert(0, ("Content-Type", content_type))
        self.close = close


async def read_exactly(reader, size):
    """Yields size bytes in pieces, so that an upload never sits in memory."""
    while size:
        piece = await reader.readexactly(min(size, PIECE))
        size -= len(piece)
        yield piece


async def read_chunks(reader):
    """Yields the data of a chunked body and consumes its trailer."""
    while True:
        size = (await reader.readuntil(b"\r\n"))[:-2].partition(b";")[0].strip()
        if not HEX_SIZE.fullmatch(size):
            raise BadRequest("Invalid Chunk")
        if int(size, 16) == 0:
            break
        async for piece in read_exactly(reader, int(size, 16)):
            yield piece
        if await reader.readexactly(2) != b"\r\n":
            raise BadRequest("Invalid Chunk")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass


async def read_body(request, reader, writer):
    """Reads the body into the request's body, body_length and body_md5."""
    size = body_size(request)
    if size == 0:
        return
    expect = request.values("Expect")
    if expect and expect != ["100-continue"]:
        raise BadRequest("Expectation Failed", 417)
    if expect and request.version == "1.1":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    digest = hashlib.md5()
    kept = bytearray()
    pieces = read_chunks(reader) if size is None else read_exactly(reader, size)
    async for piece in pieces:
        digest.update(piece)
        request.body_length += len(piece)
        if len(kept) < KEEP:
            kept += piece[:KEEP - len(kept)]
    request.body = bytes(kept)
    request.body_md5 = digest.hexdigest()


def encode(response, request, keep):
    """The bytes of the answer: IIS's own fields behind those of the page."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Status"
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    lines += ["Server: Microsoft-IIS/10.0", "X-Powered-By: ASP.NET",
              "Date: " + formatdate(usegmt=True)]
    if response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body)}")
    if not keep:
        lines.append("Connection: close")
    elif request.version == "1.0":
        lines.append("Connection: keep-alive")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    bare = request.method == "HEAD" or response.status in (204, 304)
    return head if bare else head + response.body


def keeps_alive(request, response):
    """True when another request may follow on the connection."""
    tokens = request.values("Connection")
    if response.close or "close" in tokens:
        return False
    return request.version == "1.1" or "keep-alive" in tokens


class Server:
    """Listens, reads requests, calls the handler and closes idle connections after idle seconds. An
    answer comes delay seconds after its request, but for pings."""

    def __init__(self, handler, idle=120, log=False, delay=0):
        self.handler = handler
        self.idle = idle
        self.log = log
        self.delay = delay
        self.numbers = itertools.count(1)
        self.connections = set()
        self.listener = None

    async def start(self, host, port, tls=None):
        """Binds; returns the (host, port) it listens on."""
        self.listener = await asyncio.start_server(self.serve, host, port, ssl=tls, limit=MAX_HEAD,
                                                   backlog=1024)
        asyncio.get_running_loop().call_later(1, self.close_idle)
        return self.listener.sockets[0].getsockname()[:2]

    def stop(self):
        """Stops listening and drops every connection."""
        self.listener.close()
        for connection in list(self.connections):
            connection.writer.transport.abort()

    def close_idle(self):
        """Once a second: ends connections that have waited longer than IIS would."""
        loop = asyncio.get_running_loop()
        for connection in self.connections:
            since = connection.waiting_since
            if since is not None and loop.time() - since > self.idle:
                connection.writer.close()
        loop.call_later(1, self.close_idle)

    async def serve(self, reader, writer):
        """One client connection from start to end."""
        connection = Connection(next(self.numbers), writer)
        self.connections.add(connection)
        try:
            while await self.exchange(connection, reader, writer):
                pass
        except BadRequest as error:
            await self.refuse(reader, writer, error)
        except asyncio.LimitOverrunError:
            await self.refuse(reader, writer, BadRequest("Request Too Long"))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.discard(connection)
            writer.close()

    async def exchange(self, connection, reader, writer):
        """One request and its answer; True when the connection goes on."""
        connection.waiting_since = asyncio.get_running_loop().time()
        head = (await reader.readuntil(b"\r\n\r\n")).lstrip(b"\r\n")
        if not head:
            return True
        connection.waiting_since = None
        connection.requests += 1
        request = parse_head(connection, head[:-4])
        await read_body(request, reader, writer)
        response = self.answer(request)
        keep = keeps_alive(request, response)
        if self.log:
            print(f"{connection.number}/{connection.requests} {request.method} {request.target} "
                  f"{response.status} {len(response.body)}", file=sys.stderr, flush=True)
        if self.delay and not request.path.endswith("/_ping.html"):
            await asyncio.sleep(self.delay)
        writer.write(encode(response, request, keep))
        await writer.drain()
        return keep

    def answer(self, request):
        """The handler's response; a fault in it is an ordinary 500 with the trace on stderr."""
        try:
            return self.handler(request)
        except Exception:  # a page must never take the server down
            traceback.print_exc()
            return Response(500, "Runtime Error\n", "text/plain")

    @staticmethod
    async def refuse(reader, writer, error):
        """Answers as http.sys does, then lets the client read it before the connection closes."""
        text = f"<html><body><h2>{error}</h2><p>HTTP Error {error.status}</p></body></html>"
        writer.write((f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
                      "Content-Type: text/html; charset=us-ascii\r\n"
                      "Server: Microsoft-HTTPAPI/2.0\r\n"
                      f"Date: {formatdate(usegmt=True)}\r\nConnection: close\r\n"
                      f"Content-Length: {len(text)}\r\n\r\n{text}").encode())
        try:
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            await asyncio.wait_for(reader.read(PIECE), 1)
        except (OSError, asyncio.TimeoutError):
            pass
