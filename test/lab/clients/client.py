"""A client that holds one connection to the proxy and knows whom it must be served as."""
import json
from dataclasses import dataclass, field

from osptest.client import Connection
from osptest.wire import Closed

from ..world import HOST, owner


@dataclass(frozen=True)
class Front:
    """Where a proxy listens."""
    address: str
    port: int = 80
    secure: bool = False
    host: str = HOST

    def connect(self, timeout=20):
        return Connection(self.address, port=self.port, secure=self.secure, sni=self.host,
                          timeout=timeout)


@dataclass
class Request:
    target: str = "/WinAuth/"
    method: str = "GET"
    body: bytes = b""
    headers: list = field(default_factory=list)

    def encode(self, host, authorization=None, body=True):
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if authorization:
            lines.append(f"Authorization: {authorization}")
        body = self.body if body else b""
        if self.method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Client:
    """user None: no credentials. new_login() makes the login of a new connection.

    ask() is a generator: it yields wherever another client may come between, and returns the
    answer, or None when there is none. `signed_in` is what the client believes.
    """

    def __init__(self, front, user=None, new_login=None):
        self.front, self.user, self._new_login = front, user, new_login
        self.connection = self.login = None
        self.signed_in = False
        self.used = False           # an answer came on this connection
        self.retried = 0

    def close(self):
        if self.connection:
            self.connection.sock.close()
        self.connection = self.login = None
        self.signed_in = self.used = False

    def ask(self, request, *, public=False, again=False):
        """again: with credentials although signed in. public: without, as for a public page."""
        for attempt in (1, 2):
            fresh = self.connection is None
            try:
                return (yield from self._exchange(request, public, again))
            except (Closed, OSError) as problem:
                idle = not fresh and self._unanswered and not getattr(problem, "args", [b""])[0]
                self.close()
                # The proxy may close an idle connection; a new one must do.
                if not idle or attempt == 2:
                    return None
                self.retried += 1

    def _exchange(self, request, public, again):
        if not self.connection:
            self.connection = self.front.connect()
        authorization = None
        if self.user and not public:
            if not self.signed_in:
                self.login = self._new_login()
                authorization = self.login.first()
            elif again:
                authorization = self.login.again()
        self._unanswered = True
        while True:
            # The first message of an NTLM login goes without the body that would be lost.
            empty = authorization and self.login.__class__.__name__ == "NtlmLogin" \
                and self.login.sent == 1
            self.connection.send(request.encode(self.front.host, authorization, body=not empty))
            yield
            answer = self.connection.reader.response(request.method)
            self._unanswered = False
            closing = "close" in ",".join(answer.all("Connection")).lower()
            if answer.status == 401 and self.user and not public and not self.signed_in \
                    and not closing:
                authorization = self.login.answer(answer)
                if authorization:
                    yield
                    continue
            break
        self.used = True
        if self.user and not public:
            self.signed_in = answer.status < 400
        if closing or (self.user and not public and answer.status == 401):
            self.close()
        return answer


def finish(steps):
    """Runs a generator such as Client.ask to its end; its result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def served_as(answer):
    """Whom an answer of a stand-in was made for: a user's bare name, or "" for nobody.

    Header and body must agree, else the two names are both told."""
    said = owner(",".join(answer.all("X-Lab-User")))
    if answer.status == 200 and answer.body.startswith(b"{"):
        body = owner(json.loads(answer.body.split(b"\n", 1)[0])["user"])
        if body != said:
            return f"{said} in the head, {body} in the body"
    return said
