"""Numbered requests over https, and what became of each: for tests of drains and crashes.

Every user is one client connection at a time. As browsers do (RFC 9110 section 9.2.2), a client asks
once more, on a new connection, when a connection on which it has had answers is closed instead of
answering a GET; it never repeats a POST. What is then not answered is lost.
"""
import asyncio
import contextlib
import hashlib
import json
import re
import ssl
import time
from dataclasses import dataclass

from osptest import tls
from osptest.client import NAME, encode

class Closed(Exception):
    """The connection ended before the answer began."""


@dataclass
class Asked:
    """One request of ours; times are monotonic. server: who answered."""
    number: int
    method: str
    began: float
    fresh: bool             # the first one of its connection
    ended: float = 0.0
    server: str = ""
    trouble: str = ""       # why it is lost
    repeated: bool = False

    @property
    def lost(self):
        return bool(self.trouble)

    def under_way(self, begin, end):
        """Whether it was, at some moment between these."""
        return self.began <= end and (not self.ended or self.ended >= begin)


class User:
    def __init__(self, load, posts):
        self.load, self.posts = load, posts
        self.reader = self.writer = None
        self.served = 0         # answers on this connection

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection(
            self.load.address, 443, ssl=self.load.tls, server_hostname=NAME)
        self.served = 0

    def leave(self):
        if self.writer:
            self.writer.transport.abort()
        self.reader = self.writer = None

    async def run(self):
        turn = 0
        while not self.load.stopped:
            turn += 1
            await self.ask("POST" if self.posts and turn % 3 == 0 else "GET")
            if turn % self.load.requests_each == 0:
                self.leave()
        self.leave()

    async def ask(self, method):
        load = self.load
        asked = Asked(len(load.asked), method, time.monotonic(), not self.writer or not self.served)
        load.asked.append(asked)
        body = f"number {asked.number}".encode() * 50 if method == "POST" else b""
        try:
            try:
                status, text = await self.exchange(asked, body)
            except Closed:
                if method != "GET" or asked.fresh:
                    raise
                asked.repeated = True
                status, text = await self.exchange(asked, body)
            if status != 200:
                asked.trouble = f"status {status}"
            else:
                self.judge(asked, body, json.loads(text))
        except (Closed, OSError, asyncio.TimeoutError, ValueError) as problem:
            asked.trouble = repr(problem)
        if asked.trouble:
            self.leave()
        asked.ended = time.monotonic()

    @staticmethod
    def judge(asked, body, echo):
        asked.server = echo["server"]
        if echo["target"] != f"/Echo/?number={asked.number}":
            asked.trouble = f"answered with {echo['target']}"
        elif body and echo["body_md5"] != hashlib.md5(body).hexdigest():
            asked.trouble = "answered with another body"

    async def exchange(self, asked, body):
        """(status, body) of the answer."""
        try:
            if not self.writer:
                await asyncio.wait_for(self.connect(), self.load.patience)
            self.writer.write(encode(f"/Echo/?number={asked.number}", asked.method, body=body))
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), self.load.patience)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as problem:
            self.leave()
            if getattr(problem, "partial", b""):
                raise OSError("closed within an answer") from problem
            raise Closed from problem
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        try:
            if b"chunked" in fields.get(b"transfer-encoding", b""):
                raise ValueError("a chunked answer")
            text = await asyncio.wait_for(
                self.reader.readexactly(int(fields.get(b"content-length", 0))), self.load.patience)
        except asyncio.IncompleteReadError as problem:
            raise OSError("closed within an answer") from problem
        self.served += 1
        if fields.get(b"connection") == b"close":
            self.leave()
        return int(head.split()[1]), text


class Load:
    """users ask until the story is told. A story is a coroutine function that gets the Load."""

    def __init__(self, address, *, users=12, posts=True, requests_each=10, patience=60):
        self.patience = patience
        self.address, self.users, self.posts = address, users, posts
        self.requests_each = requests_each
        self.asked = []
        self.stopped = False
        self.tls = tls.client_context()

    def run(self, story):
        """Called inside the client's namespace. What the story returns."""
        return asyncio.run(self._run(story))

    async def _run(self, story):
        users = [asyncio.create_task(User(self, self.posts).run()) for _ in range(self.users)]
        try:
            await self.answers(30)
            return await story(self)
        finally:
            self.stopped = True
            await asyncio.gather(*users)

    async def answers(self, count, server=None, *, limit=90):
        """Until so many more answers have come, of that server or any."""
        first, end = len(self.asked), time.monotonic() + limit
        while sum(a.server != "" and server in (None, a.server) for a in self.asked[first:]) < count:
            assert time.monotonic() < end, f"no {count} answers of {server or 'anybody'} in {limit} s"
            await asyncio.sleep(0.02)

    @property
    def lost(self):
        return [asked for asked in self.asked if asked.lost]

    def wasted(self, log):
        """What is lost without need; log: of the app servers. A server may end kept connections on which
        nothing is asked at any time; a client that asks at the very moment has to ask again, and knows
        that nobody has read a word. For a POST our clients do not do it by themselves."""
        served = {int(number) for number in re.findall(r"number=(\d+) ", log)}
        return [one for one in self.lost
                if one.fresh or one.trouble != "Closed()" or one.number in served]

    def told(self):
        """For the messages of assertions."""
        return f"{len(self.asked)} asked, {sum(a.repeated for a in self.asked)} repeated, lost: {self.lost}"


async def in_thread(namespace, work, *words):
    """The result of work, which blocks, done in a namespace."""
    def go():
        with namespace.inside() if namespace else contextlib.nullcontext():
            return work(*words)
    return await asyncio.to_thread(go)
