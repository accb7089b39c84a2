"""Users of Windows authentication who ask all the time, for tests in which servers come and go."""
import json
import threading
from collections import Counter

from lab.clients import Client, Front, Request
from lab.clients.client import finish
from lab.clients.login import NtlmLogin
from osptest.client import NAME

ACCOUNTS = ("alice", "bob")     # of the demo farm


class SignedIn(threading.Thread):
    """One of them, with a connection of its own over https. A 401 is answered by a sign-in, as browsers
    do by themselves; all else than the page for this user is a failure. tries: how often in a row a
    connection may end without an answer."""

    def __init__(self, address, user, *, tries=1):
        super().__init__(daemon=True)
        self.user, self.tries = user, tries
        self.failures, self.servers, self.stop = [], Counter(), threading.Event()
        self.client = Client(Front(address, 443, secure=True, host=NAME), user,
                             lambda: NtlmLogin(None, user, password=f"{user}pw"))
        self.start()

    def run(self):
        while not self.stop.is_set():
            self.look(self.ask())
        self.client.close()

    def ask(self):
        """The answer, signed in where that was needed; None without one."""
        answer = None
        for _ in range(self.tries):
            answer = finish(self.client.ask(Request()))
            if answer is not None and answer.status == 401:
                answer = finish(self.client.ask(Request()))
            if answer is not None:
                break
        return answer

    def look(self, answer):
        if answer is None or answer.status != 200:
            self.failures.append(answer and answer.status)
            return
        page = json.loads(answer.body)
        self.servers[page["server"]] += 1
        if page["user"].lower().split("\\")[-1] != self.user:
            self.failures.append(page["user"])

    @classmethod
    def crowd(cls, address, count, **options):
        return [cls(address, ACCOUNTS[number % len(ACCOUNTS)], **options) for number in range(count)]


def go_home(users):
    """They end; each has had its own pages only."""
    for user in users:
        user.stop.set()
    for user in users:
        user.join(30)
    assert [user.failures for user in users] == [[]] * len(users)
    assert all(sum(user.servers.values()) > 5 for user in users)
