"""The chaos run: clients that misbehave on purpose while back ends recycle and the proxy reloads.

Many threads sign in, abort in mid-body and in mid-handshake, half-close, pipeline and sign in as
somebody else on the same connection. Requests may fail here; an answer made for another user, or
for a user at all when a stranger asked, may not.
"""
import random
import socket
import struct
import threading
import time
from collections import Counter

from osptest.wire import Closed

from . import ntlm, proxies
from .backend import DOMAIN
from .clients import Client, Request, make_login
from .clients.client import finish
from .clients.login import challenge
from .identity import Counts
from .world import Lab

SCHEMES = ("ntlm", "krb-upfront", "krb-after-401", "spnego-ntlm")


class Chaos:
    """run() for so many seconds; counts, and deeds: how often what was done."""

    def __init__(self, front, lab, *, seconds=25, threads=10, seed=1, recycle=None, reload=None,
                 every=4, schemes=SCHEMES):
        self.front, self.lab, self.seconds, self.seed = front, lab, seconds, seed
        self.recycle, self.reload, self.every = recycle, reload, every
        self.schemes = schemes
        self.threads = threads
        self.counts = Counts("chaos")
        self.deeds = Counter()
        self.errors = []
        self._guard = threading.Lock()

    def run(self):
        if any(scheme.startswith("krb") for scheme in self.schemes):
            self.lab.kdc.tickets(*self.lab.names)
        start = time.monotonic()
        self._end = start + self.seconds
        crew = [threading.Thread(target=self._live, args=(number,))
                for number in range(self.threads)]
        crew += [threading.Thread(target=self._repeat, args=(work, self.every))
                 for work in (self.recycle, self.reload) if work]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        self.counts.seconds = time.monotonic() - start
        return self.counts

    def line(self):
        deeds = ", ".join(f"{count} {word}" for word, count in sorted(self.deeds.items()))
        return f"{self.counts.line()}\n    {deeds}"

    # ---- the crew

    def _repeat(self, work, every):
        while time.monotonic() < self._end - every:
            time.sleep(every)
            try:
                work()
                self._did(work.__name__)
            except Exception as problem:    # told at the end, not lost in a thread
                self.errors.append(problem)
                return

    def _live(self, number):
        dice = random.Random(self.seed * 1000 + number)
        deeds = [self._session] * 4 + [self._stranger] * 2 + [
            self._relogin, self._abort_body, self._abort_answer, self._abort_handshake,
            self._half_close, self._pipeline]
        while time.monotonic() < self._end:
            deed = dice.choice(deeds)
            try:
                deed(dice)
                self._did(deed.__name__[1:])
            except (Closed, OSError, ValueError):
                self._did(f"{deed.__name__[1:]} cut short")
            except Exception as problem:
                self.errors.append(problem)
                return

    def _did(self, word):
        with self._guard:
            self.deeds[word] += 1

    def _count(self, user, answer):
        with self._guard:
            self.counts.count(user, answer)

    # ---- the deeds

    def _client(self, dice, eager=None):
        user, scheme = dice.choice(self.lab.names), dice.choice(self.schemes)
        return Client(self.front, user, lambda: make_login(scheme, self.lab, user, dice, eager))

    def _ask(self, client, request):
        answer = finish(client.ask(request))
        self._count(client.user, answer)
        return answer

    def _session(self, dice):
        client = self._client(dice)
        for _ in range(dice.randrange(1, 8)):
            size = dice.choice((0, 0, 0, 1000, 100000))
            body = b"b" * dice.choice((0, 0, 0, 10, 30000))
            self._ask(client, Request(f"/WinAuth/s?size={size}", "POST" if body else "GET", body))
        client.close()

    def _stranger(self, dice):
        client = Client(self.front)
        if dice.random() < 0.5:
            finish(client.ask(Request("/public"), public=True))
        for _ in range(dice.randrange(1, 6)):
            self._ask(client, Request("/WinAuth/stranger"))
        client.close()

    def _signed_in(self, dice):
        """A client after its first answer; raises Closed when that did not come."""
        client = self._client(dice)
        self._ask(client, Request("/WinAuth/in"))
        if not client.signed_in:
            client.close()
            raise Closed(b"")
        return client

    def _relogin(self, dice):
        """On one connection, one user after another; without credentials it stays the first."""
        client = self._signed_in(dice)
        for _ in range(dice.randrange(1, 4)):
            other = self._client(dice, eager=True)
            client.user, client._new_login, client.signed_in = \
                other.user, other._new_login, False
            self._ask(client, Request("/WinAuth/other"))
            for _ in range(2):
                self._ask(client, Request("/WinAuth/other"))
        client.close()

    def _abort_body(self, dice):
        client = self._signed_in(dice)
        head = Request("/WinAuth/cut", "POST", b"c" * 60000).encode(client.front.host)
        client.connection.send(head[:dice.randrange(100, 50000)])
        self._cut(dice, client)

    def _abort_answer(self, dice):
        client = self._signed_in(dice)
        client.connection.send(Request("/WinAuth/big?size=800000").encode(client.front.host))
        client.connection.sock.recv(dice.randrange(1, 20000))
        self._cut(dice, client)

    def _abort_handshake(self, dice):
        user = dice.choice(self.lab.names)
        client = Client(self.front, user)
        client.connection = self.front.connect()
        hello = "NTLM " + ntlm.encode(ntlm.negotiate())
        client.connection.send(Request().encode(self.front.host, hello))
        stage = dice.randrange(3)
        if stage:
            answer = client.connection.reader.response()
            data = challenge(answer, "NTLM")
            if stage == 2 and data:
                final = ntlm.authenticate(data, DOMAIN, user, self.lab.password(user))
                client.connection.send(Request().encode(
                    self.front.host, "NTLM " + ntlm.encode(final)))
        self._cut(dice, client)

    def _half_close(self, dice):
        client = self._signed_in(dice)
        client.connection.send(Request("/WinAuth/half?size=5000").encode(client.front.host))
        client.connection.sock.shutdown(socket.SHUT_WR)
        self._count(client.user, client.connection.reader.response())
        client.close()

    def _pipeline(self, dice):
        client = self._signed_in(dice)
        number = dice.randrange(2, 6)
        client.connection.send(Request("/WinAuth/p").encode(client.front.host) * number)
        for _ in range(number):
            self._count(client.user, client.connection.reader.response())
        client.close()

    @staticmethod
    def _cut(dice, client):
        if dice.random() < 0.5:         # a reset instead of a close
            client.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                              struct.pack("ii", 1, 0))
        elif dice.random() < 0.3:
            time.sleep(dice.random() / 20)
        client.close()


def recycling(lab, seed=1):
    """Recycles one of the lab's back ends, another one each time."""
    dice = random.Random(seed)

    def recycle():
        dice.choice(lab.backends).recycle()
    return recycle


def main_chaos(options):
    with Lab() as lab, proxies.open_front(options.proxy, lab) as front:
        server = getattr(front, "httpd", None)

        def reload():
            server.reload()

        chaos = Chaos(front, lab, seconds=options.seconds, seed=options.seed,
                      recycle=recycling(lab), reload=reload if server else None)
        counts = chaos.run()
        print(chaos.line())
        for text in counts.examples[:3] + [repr(error) for error in chaos.errors]:
            print(f"    for example: {text}")
        return 0 if counts.safe and counts.right and not chaos.errors else 1
