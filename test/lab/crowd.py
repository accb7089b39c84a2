"""Crowds: thousands of authenticated client connections at once, and what they cost the proxy.

One process, one event loop; the back end is a FaultsProcess. Every connection belongs to a user of
its own, so that one wrong answer shows.
"""
import asyncio
import base64
import contextlib
import os
import time
from dataclasses import dataclass

from . import ntlm
from .backend import DOMAIN


TRIES = 4


class Member(asyncio.Protocol):
    """One client connection; one request at a time."""

    def __init__(self, host, user):
        self.host, self.user = host, user
        self.buffer = b""
        self.waiter = None
        self.lost = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        at = self.buffer.find(b"\r\n\r\n")
        if at < 0 or not self.waiter or self.waiter.done():
            return
        head = self.buffer[:at].decode("latin-1")
        length = next((int(line.split(":")[1]) for line in head.split("\r\n")
                       if line.lower().startswith("content-length:")), 0)
        if len(self.buffer) >= at + 4 + length:
            body, self.buffer = self.buffer[at + 4:at + 4 + length], b""
            self.waiter.set_result((int(head.split()[1]), head, body))

    def connection_lost(self, _):
        self.lost = True
        if self.waiter and not self.waiter.done():
            self.waiter.set_exception(ConnectionError("closed by the proxy"))

    async def ask(self, target="/WinAuth/", authorization=None):
        """(status, head, body) of a GET."""
        if self.lost:
            raise ConnectionError("closed by the proxy")
        self.waiter = asyncio.get_running_loop().create_future()
        extra = f"Authorization: {authorization}\r\n" if authorization else ""
        self.transport.write(f"GET {target} HTTP/1.1\r\nHost: {self.host}\r\n{extra}\r\n".encode())
        return await asyncio.wait_for(self.waiter, 60)

    async def sign_in(self, scheme):
        """Whether the page came, and for this user."""
        if scheme == "token":       # one message, as Kerberos
            token = base64.b64encode(b"user " + self.user.encode()).decode()
            answer = await self.ask(authorization=f"Negotiate {token}")
        else:
            _, head, _ = await self.ask(
                authorization="NTLM " + ntlm.encode(ntlm.negotiate()))
            data = next((line.split()[2] for line in head.split("\r\n")
                         if line.lower().startswith("www-authenticate: ntlm ")), None)
            if data is None:
                return False
            final = ntlm.authenticate(ntlm.decode(data), DOMAIN, self.user, "pw")
            answer = await self.ask(authorization="NTLM " + ntlm.encode(final))
        return self.mine(answer)

    def mine(self, answer):
        return answer[0] == 200 and f'"user": "{self.user}"'.encode() in answer[2]


class Crowd:
    """size connections through a front. For use inside a running loop."""

    def __init__(self, front, size, *, scheme="ntlm", parallel=100, prefix="user"):
        self.front, self.size, self.scheme, self.parallel = front, size, scheme, parallel
        self.prefix = prefix
        self.members = []
        self.failed = self.retried = 0

    async def gather(self):
        """Opens and signs in; scheme None: asks for the public page only."""
        gate = asyncio.Semaphore(self.parallel)
        loop = asyncio.get_running_loop()

        async def enter(user):
            """A member, and whether it got in."""
            _, member = await loop.create_connection(
                lambda: Member(self.front.host, user), self.front.address, self.front.port)
            if self.scheme:
                return member, await member.sign_in(self.scheme)
            return member, (await member.ask("/public"))[0] == 200

        async def join(number):
            async with gate:
                # As clients do: event closes connections between two requests when it is short of
                # workers.
                for _ in range(TRIES):
                    try:
                        member, good = await enter(f"{self.prefix}{number:05}")
                        break
                    except (OSError, asyncio.TimeoutError):
                        self.retried += 1
                else:
                    self.failed += 1
                    return
                self.failed += not good
                self.members.append(member)

        await asyncio.gather(*(join(number) for number in range(self.size)))

    async def ask_all(self):
        """A request without credentials on every connection; (right, wrong, failed)."""
        gate = asyncio.Semaphore(self.parallel)
        right = wrong = failed = 0

        async def ask(member):
            nonlocal right, wrong, failed
            async with gate:
                try:
                    answer = await member.ask()
                except (OSError, asyncio.TimeoutError):
                    failed += 1
                    return
            right += member.mine(answer)
            wrong += answer[0] == 200 and not member.mine(answer)
            failed += answer[0] != 200

        await asyncio.gather(*(ask(member) for member in self.members))
        return right, wrong, failed

    def leave(self):
        for member in self.members:
            member.transport.close()
        self.members = []


@dataclass
class Usage:
    """What processes hold: private dirty memory in bytes, descriptors."""
    memory: int
    descriptors: int
    processes: int

    def __sub__(self, other):
        return Usage(self.memory - other.memory, self.descriptors - other.descriptors,
                     self.processes - other.processes)


def usage(pids):
    """Usage of these processes together; those that have ended count nothing."""
    memory = count = alive = 0
    for pid in pids:
        try:
            count += len(os.listdir(f"/proc/{pid}/fd"))
            with open(f"/proc/{pid}/smaps_rollup") as file:
                memory += next(int(line.split()[1]) for line in file
                               if line.startswith("Private_Dirty:")) * 1024
            alive += 1
        except (OSError, StopIteration):
            pass
    return Usage(memory, count, alive)


async def gone(stats, limit=5.0, target=0):
    """Seconds until the back end has no more than `target` connections; limit when it keeps."""
    start = time.monotonic()
    while time.monotonic() - start < limit:
        if (await asyncio.to_thread(stats))["open"] <= target:
            return time.monotonic() - start
        await asyncio.sleep(0.01)
    return limit


def descriptors(pids):
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{pid}/fd"))
    return count


async def rested(pids, limit=20.0):
    """Usage once descriptors have stayed as they are for a second, or at the limit: a busy machine
    takes its time to close what a crowd has left."""
    end = time.monotonic() + limit
    held, since = descriptors(pids()), time.monotonic()
    while time.monotonic() < min(end, since + 1):
        await asyncio.sleep(0.1)
        now = descriptors(pids())
        if now != held:
            held, since = now, time.monotonic()
    return usage(pids())


async def measure(front, back_end, pids, size, *, scheme="ntlm", parallel=20, rounds=1):
    """The story of one crowd as a dict: signed in, asked again (the last of the rounds is told),
    cost per connection, gone."""
    before, pooled = usage(pids()), back_end.stats()["open"]
    crowd = Crowd(front, size, scheme=scheme, parallel=parallel)
    start = time.monotonic()
    await crowd.gather()
    signed_in = time.monotonic() - start
    right = wrong = failed = 0
    for _ in range(rounds if scheme else 0):
        right, wrong, failed = await crowd.ask_all()
    await asyncio.sleep(0.5)
    during = usage(pids())
    open_there = back_end.stats()["open"]
    crowd.leave()
    # What ordinary requests left in the shared pool stays; these used it.
    seconds = await gone(back_end.stats, target=pooled if scheme else open_there)
    after = await rested(pids)
    return {"size": size, "scheme": scheme, "failed_logins": crowd.failed, "right": right,
            "wrong": wrong, "failed": failed, "back_end_connections": open_there,
            "bytes_during": during.memory,
            "bytes_each": (during - before).memory / max(1, size),
            "descriptors_each": (during - before).descriptors / max(1, size),
            "left_bytes": (after - before).memory,
            "left_descriptors": (after - before).descriptors,
            "gone_after": seconds, "seconds": signed_in}


async def waves(front, back_end, pids, total, size, *, scheme="ntlm", parallel=20):
    """total connections, size of them at a time: (failed logins, Usage after each wave)."""
    failed, after, pooled = 0, [], back_end.stats()["open"]
    for number in range(0, total, size):
        crowd = Crowd(front, size, scheme=scheme, parallel=parallel, prefix=f"w{number}u")
        await crowd.gather()
        failed += crowd.failed
        crowd.leave()
        await gone(back_end.stats, target=pooled)
        after.append(await rested(pids))
    return failed, after
