"""App servers: they record each request byte for byte and answer as they are told."""
import base64
import hashlib
import itertools
import socket
import threading
from dataclasses import dataclass, field

from . import tls
from .place import addresses
from .wire import Closed, Reader


@dataclass
class Answer:
    """What an app server says. headers: a list, so that a name may occur several times."""
    status: int = 200
    headers: list = field(default_factory=list)
    body: bytes = b"hello from the app server\n"
    reason: str = "Scripted"
    raw: bytes = None           # the whole answer as bytes instead of all of the above
    close: bool = False         # close the connection behind it

    def encode(self, method):
        if self.raw is not None:
            return self.raw
        head = [f"HTTP/1.1 {self.status} {self.reason}"]
        head += [f"{name}: {value}" for name, value in self.headers]
        if self.status >= 200 and self.status != 304:
            head.append(f"Content-Length: {len(self.body)}")
        text = "\r\n".join(head) + "\r\n\r\n"
        return text.encode("latin-1") + (b"" if method == "HEAD" else self.body)


class Server:
    """Accepts connections on a loopback address of its own, a thread for each."""
    scheme = "http"

    def __init__(self, *, names=None, alpn=(), port=None):
        self.address = addresses.next()
        self.names = names
        self.port = port or (443 if names else 80)
        self.requests = []
        self.answer = Answer()
        self._context = tls.server_context(names, alpn) if names else None
        self._ids = itertools.count(1)
        self._open = set()
        self._guard = threading.Lock()
        self._listener = socket.create_server((self.address, self.port), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        usual = {"http": 80, "https": 443}.get(self.scheme)
        return f"{self.scheme}://{self.address}" + ("" if self.port == usual else f":{self.port}")

    def reset(self):
        """Forgets what was recorded and scripted; closes idle connections from earlier tests."""
        self.requests.clear()
        self.answer = Answer()

    def drop_connections(self):
        with self._guard:
            for sock in self._open:
                _shut(sock)

    def close(self):
        _shut(self._listener)
        self._listener.close()
        self.drop_connections()

    def record(self, message):
        with self._guard:
            self.requests.append(message)

    def the_request(self):
        """The one request that must have come."""
        assert len(self.requests) == 1, f"expected one request: {[m.start for m in self.requests]}"
        return self.requests[0]

    def answer_to(self, message):
        """A callable or an Answer stands in self.answer."""
        return self.answer(message) if callable(self.answer) else self.answer

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(sock,), daemon=True).start()

    def _connection(self, sock):
        number = next(self._ids)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            with self._guard:
                self._open.add(sock)
            self.serve(sock, number)
        except (Closed, OSError, ValueError):
            pass
        finally:
            with self._guard:
                self._open.discard(sock)
            sock.close()

    def serve(self, sock, number):
        raise NotImplementedError


class Backend(Server):
    """HTTP/1.1 over http, or https when certificate names are given. Upgrades to an echo."""

    @property
    def scheme(self):
        return "https" if self.names else "http"

    def serve(self, sock, number):
        reader = Reader(sock)
        while True:
            message = reader.request()
            message.connection = number
            message.sni = getattr(sock, "sni_seen", None)
            self.record(message)
            if message.all("Upgrade") and callable(self.answer) is False:
                sock.sendall(_switching(message))
                _echo(sock, reader.buffer)
                return
            answer = self.answer_to(message)
            sock.sendall(answer.encode(message.method))
            if answer.close or "close" in ",".join(message.all("Connection")).lower():
                return


def _switching(message):
    """RFC 6455 section 4.2.2."""
    key = message.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    return (f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {message.get('Upgrade')}\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").encode()


def _echo(sock, pending):
    while True:
        if pending:
            sock.sendall(pending)
        pending = sock.recv(65536)
        if not pending:
            return


def _shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
