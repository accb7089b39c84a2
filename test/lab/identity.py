"""The interleaved run: many users on connections of their own, strangers beside them.

Every user holds one connection at a time, signs in on it, sends some requests, leaves and comes
back. Requests and the messages of handshakes of all of them are interleaved in a random order
that the seed fixes. Clients without credentials come between, some of them after a public page,
and go on when all users have left.
"""
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from . import proxies
from .clients import SCHEMES, Client, Request, make_login
from .clients.client import served_as
from .world import Lab

REQUESTS = {"ntlm": 90, "spnego-ntlm": 90, "krb-after-401": 54, "krb-upfront": 54}
STRANGERS = 5
EXAMPLES = 5


@dataclass
class Counts:
    """What the users and the strangers got."""
    scheme: str
    total: int = 0          # requests of users
    right: int = 0          # answered as that user
    failed: int = 0         # refused or lost
    wrong: int = 0          # answered as somebody else
    strange: int = 0        # requests of strangers for the protected page
    leaked: int = 0         # of these, answered as a user
    public: int = 0         # public pages asked for
    public_failed: int = 0
    retried: int = 0        # idle connections that the proxy had closed
    seconds: float = 0
    examples: list = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    servers: Counter = field(default_factory=Counter)

    @property
    def perfect(self):
        return self.right == self.total and not (
            self.wrong or self.leaked or self.public_failed) and self.strange > 0

    @property
    def safe(self):
        """No identity met anybody else's request."""
        return not self.wrong and not self.leaked

    def line(self):
        return (f"{self.scheme}: {self.right} right, {self.failed} failed, {self.wrong} WRONG of "
                f"{self.total}; strangers served as a user: {self.leaked} of {self.strange}; "
                f"public pages failed: {self.public_failed} of {self.public}; "
                f"{self.retried} retried; {self.seconds:.1f} s")

    def story(self):
        """line() and examples of what went wrong."""
        return "\n".join([self.line(), *self.examples])

    def example(self, text):
        if len(self.examples) < EXAMPLES:
            self.examples.append(text)

    def count(self, user, answer):
        """One answer to a request of a user (None: to a stranger's for a protected page)."""
        status = answer.status if answer else 0
        got = served_as(answer) if status == 200 else ""
        if user is None:
            self.strange += 1
            self.leaked += status == 200
            if status == 200:
                self.example(f"a stranger was served as {got}")
            return
        self.total += 1
        self.statuses[status] += 1
        if status == 200 and got == user:
            self.right += 1
            self.servers[",".join(answer.all("X-Lab-Connection")).split(":")[0]] += 1
        elif status == 200 and got:
            self.wrong += 1
            self.example(f"{user} was served as {got}")
        else:
            self.failed += 1
            self.example(f"{user}: {'no answer' if not answer else answer.start}")


class Actor:
    """One client's whole life: a list of what it does, done step by step."""

    def __init__(self, client, plan, counts):
        self.client, self.plan, self.counts = client, plan, counts
        self._steps = None

    @property
    def done(self):
        return self._steps is None and not self.plan

    @property
    def busy(self):
        return self._steps is not None

    def step(self):
        if self._steps is None:
            self._steps = self._act(self.plan.pop(0))
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None

    def _act(self, action):
        word, request = action
        if word == "leave":
            self.client.close()
            return
        answer = yield from self.client.ask(request, public=word == "public",
                                            again=word == "again")
        self.counts.retried += self.client.retried
        self.client.retried = 0
        if word == "public":
            self.counts.public += 1
            self.counts.public_failed += not answer or answer.status != 200
            return
        if answer and answer.status == 200 and request.method == "POST" \
                and not answer.body.endswith(b"\n" + request.body):
            self.counts.example(f"{self.client.user}: body of a POST changed")
            answer = None
        self.counts.count(self.client.user, answer)


def request(dice, marker, prefix):
    """A request as applications send them: mostly small, some with a body, some large."""
    draw = dice.random()
    if draw < 0.15:
        body = (marker * 3000)[:dice.randrange(1, 20000)].encode()
        return Request(f"{prefix}/WinAuth/", "POST", body)
    if draw < 0.22:
        return Request(f"{prefix}/WinAuth/big?size={dice.randrange(20000, 200000)}")
    return Request(f"{prefix}/WinAuth/{dice.choice('abcdef')}")


def user_plan(dice, name, requests, sessions, prefix):
    """requests spread over sessions; each session on a connection of its own."""
    plan = []
    for number in range(sessions):
        share = requests // sessions + (number < requests % sessions)
        if dice.random() < 0.2:
            plan.append(("public", Request(f"{prefix}/public")))
        for _ in range(share):
            word = "again" if dice.random() < 0.25 else "ask"
            plan.append((word, request(dice, name, prefix)))
        plan.append(("leave", None))
    return plan


def stranger_plan(dice, requests, prefix):
    plan = []
    while requests > 0:
        if dice.random() < 0.5:
            plan.append(("public", Request(f"{prefix}/public")))
        for _ in range(dice.randrange(1, 6)):
            plan.append(("ask", Request(f"{prefix}/WinAuth/stranger")))
            requests -= 1
        plan.append(("leave", None))
    return plan


def run(front, lab, scheme, *, users=20, requests=None, sessions=6, seed=1, together=8,
        prefix=""):
    """The interleaved run; Counts. scheme: "mixed" gives each session another one. requests: of
    each user. together: clients in flight at once. prefix: of all targets, in front of /WinAuth/
    and /public."""
    dice = random.Random(seed)
    counts = Counts(scheme)
    requests = requests or REQUESTS[scheme]
    names = lab.names[:users]
    if scheme.startswith("krb") or scheme == "mixed":
        lab.kdc.tickets(*names)

    def login(name):
        word = dice.choice(list(SCHEMES)) if scheme == "mixed" else scheme
        return make_login(word, lab, name, dice)

    crowd = []
    for name in names:
        client = Client(front, name, lambda name=name: login(name))
        plan = user_plan(dice, name, requests, sessions, prefix)
        crowd.append(Actor(client, plan, counts))
    beside = max(1, users * requests // 4 // STRANGERS)
    strangers = [Actor(Client(front), stranger_plan(dice, beside, prefix), counts)
                 for _ in range(STRANGERS)]
    start = time.monotonic()
    _interleave(dice, crowd + strangers, together)
    for actor in crowd:
        actor.client.close()
    for actor in strangers:         # after the users have left
        actor.plan = stranger_plan(dice, 12, prefix)
    _interleave(dice, strangers, STRANGERS)
    counts.seconds = time.monotonic() - start
    return counts


def _interleave(dice, actors, together):
    """Steps of all actors in a random order, at most `together` of them within a request."""
    idle, busy = [actor for actor in actors if not actor.done], []
    while idle or busy:
        if idle and len(busy) < together and (not busy or dice.random() < 0.5):
            actor = idle.pop(dice.randrange(len(idle)))
        else:
            actor = busy.pop(dice.randrange(len(busy)))
        actor.step()
        if actor.busy:
            busy.append(actor)
        elif not actor.done:
            idle.append(actor)
    for actor in actors:
        actor.client.close()


def main_identity(options):
    """Through a proxy and with a lab of its own, or through one in front of a running lab."""
    make = Lab.attached(options.lab, options.users) if options.lab else Lab(options.users)
    with make as lab:
        with proxies.open_front(options.proxy, lab) as front:
            good = True
            for scheme in options.scheme or SCHEMES:
                counts = run(front, lab, scheme, users=options.users, seed=options.seed,
                             requests=options.requests, sessions=options.sessions,
                             together=options.together)
                print(counts.line(), flush=True)
                for text in counts.examples if not counts.perfect else []:
                    print(f"    for example: {text}")
                good &= counts.perfect
        return 0 if good else 1
