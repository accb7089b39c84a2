"""A scripted back end that authenticates connections, for faults and for crowds.

It does with a connection what IIS does: NTLM Type-1 is answered with a challenge, Type-3 with the
page, and from then on the connection *is* that user, until another login. `Negotiate` with the
token `user NAME` signs in at once, as Kerberos does. It checks no password, but counts what must
never happen: `stray` is a Type-3 message on a connection that saw no Type-1. /public is open.

The query says what goes wrong with a request:
    fault=drop-challenge     closes instead of answering Type-1
    fault=close-challenge    says Connection: close with the challenge
    fault=cut-challenge      closes after the challenge without saying so
    fault=drop-final         closes instead of answering Type-3
    fault=reset-final        the same with a TCP reset
    fault=refuse             answers Type-3 with a bare 401
    fault=half               closes in the middle of the page's body
    fault=drop               closes instead of answering a request that carries no credentials
    fault=close              says Connection: close with the page
    fault=hang               takes the request and never answers
    slow=S  idle=S           answers after, closes an idle connection after S seconds
    size=N                   so many bytes more in the page
    include=TARGET  times=N  an SSI include of the target in the page, N times
/stats, asked directly, answers with the counters. A websocket upgrade on a connection that is
signed in gets an echo whose first message is the user's name.
"""
import asyncio
import base64
import json
import os
import resource
import socket
import struct
import sys
import threading
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path

from osptest.place import addresses

from . import ntlm
from .process import Process

REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found"}


class Connection(asyncio.Protocol):
    """One connection from a proxy. It handles its requests one after the other."""

    def __init__(self, server):
        self.server = server
        self.buffer = b""
        self.user = None
        self.challenged = False
        self.websocket = self.continued = False
        self.busy = False
        self.timer = None

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("peername")[1]
        self.server.count["accepted"] += 1
        self.server.open.add(self)

    def connection_lost(self, _):
        self.server.open.discard(self)
        self._cancel()

    def eof_received(self):
        return False

    def data_received(self, data):
        self._cancel()
        self.buffer += data
        if self.websocket:
            self.transport.write(self.buffer)
            self.buffer = b""
        else:
            self._next()

    def _next(self):
        """Handles the next request when all of it is there."""
        if self.busy or self.transport.is_closing():
            return
        at = self.buffer.find(b"\r\n\r\n")
        if at < 0:
            return
        request = Request(self.buffer[:at])
        end = at + 4 + request.length
        if len(self.buffer) < end:
            if request.get("expect").lower() == "100-continue" and not self.continued:
                self.continued = True
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self.continued = False
        request.body = self.buffer[at + 4:end]
        self.buffer = self.buffer[end:]
        self._begin(request)

    def _begin(self, request):
        self.server.count["requests"] += 1
        slow = float(request.query.get("slow", 0))
        if slow:
            self.busy = True
            self.timer = self.server.loop.call_later(slow, self._finish, request)
        else:
            self._handle(request)

    def _finish(self, request):
        self.busy = False
        self._handle(request)
        self._next()

    def _handle(self, request):
        if request.path == "/stats":
            self._answer(request, 200, json.dumps(self.server.stats()).encode())
        elif "/public" in request.path:
            self._page(request, "")
        else:
            self._protected(request)

    def _protected(self, request):
        scheme, _, token = request.get("authorization").partition(" ")
        scheme, fault = scheme.lower(), request.query.get("fault", "")
        data = base64.b64decode(token) if scheme in ("ntlm", "negotiate") else b""
        kind = ntlm.kind(data)
        if kind == 1:
            self._challenge(request, scheme, fault)
        elif kind == 3:
            self._final(request, data, fault)
        elif data.startswith(b"user "):
            self.server.count["tokens"] += 1
            self.user = data[5:].decode()
            self._page(request, self.user)
        elif self.user is None:
            self._answer(request, 401, challenges=self.server.offers)
        elif fault == "drop":
            self.transport.close()
        elif fault == "hang":
            self.busy = True
        else:
            self.server.count["bare"] += 1
            self._page(request, self.user)

    def _challenge(self, request, scheme, fault):
        self.server.count["type1"] += 1
        self.user, self.challenged = None, True
        if fault == "drop-challenge":
            self.transport.close()
            return
        word = "Negotiate" if scheme == "negotiate" else "NTLM"
        message = ntlm.challenge_message(os.urandom(8), server=self.server.name)
        self._answer(request, 401, challenges=[f"{word} {ntlm.encode(message)}"],
                     close=fault == "close-challenge")
        if fault == "cut-challenge":
            self.transport.close()

    def _final(self, request, data, fault):
        self.server.count["type3"] += 1
        if not self.challenged:
            self.server.count["stray"] += 1
            self._answer(request, 401, challenges=self.server.offers)
            return
        self.challenged = False
        if fault == "drop-final":
            self.transport.close()
        elif fault == "reset-final":
            self.reset()
        elif fault == "refuse":
            self._answer(request, 401, challenges=self.server.offers)
        else:
            self.user = ntlm.user_of(data)
            self._page(request, self.user)

    def _page(self, request, user):
        if user and request.get("upgrade").lower() == "websocket":
            self._upgrade(request, user)
            return
        fault = request.query.get("fault", "")
        body = json.dumps({"user": user, "server": self.server.name,
                           "connection": f"{self.server.name}:{self.port}"}).encode() + b"\n"
        body += request.body or b"x" * int(request.query.get("size", 0))
        if "include" in request.query:
            include = f'<!--#include virtual="{request.query["include"]}"-->\n'.encode()
            body += include * int(request.query.get("times", 1))
            body += b"x" * 100000
        self._answer(request, 200, body, user=user, close=fault == "close", half=fault == "half")
        if "idle" in request.query:
            self.timer = self.server.loop.call_later(float(request.query["idle"]),
                                                     self.transport.close)

    def _upgrade(self, request, user):
        self.server.count["upgrades"] += 1
        self.websocket = True
        self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             b"Connection: Upgrade\r\n\r\n" + user.encode() + b"\n")
        self.data_received(b"")

    def _answer(self, request, status, body=b"", *, user="", challenges=(), close=False,
                half=False):
        close = close or request.wants_close
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", "Server: Microsoft-IIS/10.0",
                 f"X-Lab-User: {user}", f"X-Lab-Connection: {self.server.name}:{self.port}",
                 f"Content-Length: {len(body) + 1000 * half}",
                 *(f"WWW-Authenticate: {text}" for text in challenges)]
        lines += ["Connection: close"] if close else []
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.transport.write(head + (b"" if request.method == "HEAD" else body))
        if close or half:
            self.transport.close()
        elif self.buffer and not self.busy:
            self.server.loop.call_soon(self._next)

    def reset(self):
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _cancel(self):
        if self.timer and not self.busy:
            self.timer.cancel()
            self.timer = None


class Request:
    """The head of a request; names of fields in lower case."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()
        self.path, _, query = self.target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query)) if query else {}
        self.body = b""

    def get(self, name):
        return self.fields.get(name, "")

    @property
    def wants_close(self):
        return "close" in self.get("connection").lower()

    @property
    def length(self):
        return int(self.get("content-length") or 0)


class Faults:
    """The back end in a thread of this process. A context manager; count has its counters."""

    def __init__(self, name="IIS01", address=None, port=80):
        self.name, self.address, self.port = name, address or addresses.next(), port
        self.offers = ("Negotiate", "NTLM")
        self.count = Counter()
        self.open = set()
        self._started = threading.Event()

    def url(self):
        return f"http://{self.address}" + ("" if self.port == 80 else f":{self.port}")

    def __enter__(self):
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self._thread.start()
        if not self._started.wait(5):
            raise RuntimeError(f"no back end on {self.address}:{self.port}")
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(5)

    async def serve(self):
        self.loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._listener = await self.loop.create_server(
            lambda: Connection(self), self.address, self.port, backlog=4096, reuse_address=True)
        self._started.set()
        await self._end.wait()
        self._close_all()

    def _close_all(self):
        self._listener.close()
        for connection in list(self.open):
            connection.transport.abort()

    def reset(self):
        """Forgets what was counted; connections stay."""
        self.count.clear()

    def recycle(self):
        """Closes every connection, as a recycled application pool does."""
        self._in_loop(lambda: [connection.transport.close() for connection in list(self.open)])

    def refuse(self):
        """Takes no new connections and closes all others: the server has died."""
        self._in_loop(self._close_all)

    def _in_loop(self, work):
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (work(), done.set()))
        done.wait(5)

    def stats(self):
        return {"open": len(self.open), **{word: self.count[word] for word in (
            "accepted", "requests", "type1", "type3", "tokens", "bare", "stray", "upgrades")}}


class FaultsProcess:
    """The same in a process of its own, for crowds; stats() asks it."""

    def __init__(self, directory, name="IIS01"):
        self.name, self.address, self.port = name, addresses.next(), 80
        raise_limit()
        self._process = Process(name, [
            sys.executable, Path(__file__).parent, "faults", "--name", name,
            "--address", self.address], log=Path(directory) / f"{name}.log",
            ready=[(self.address, 80)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stop()

    def url(self):
        return f"http://{self.address}"

    def stats(self):
        """Its own connection is not counted as open."""
        with urllib.request.urlopen(f"{self.url()}/stats", timeout=10) as answer:
            stats = json.load(answer)
        return {**stats, "open": stats["open"] - 1}


def raise_limit(wanted=65536):
    """Lets this process and its children hold many descriptors; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        except ValueError:      # not even root may, in some containers
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def main_faults(options):
    raise_limit()
    try:
        asyncio.run(Faults(options.name, options.address, options.port).serve())
    except KeyboardInterrupt:
        pass
    return 0
