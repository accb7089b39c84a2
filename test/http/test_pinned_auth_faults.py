"""pinned-auth, back ends that close, recycle, refuse and reset, at rest and in mid-handshake.

After each fault the client can start over and gets in; nothing of it reached anybody else; and a
Type-3 message went nowhere but where its challenge came from (the back end counts `stray`)."""
import threading
import time

import pytest

from lab.clients.steps import ask, final, hello, sign_in, signed_in, token, who
from osptest import Connection
from osptest.wire import Closed

# A client that is told so, or whose connection ends without an answer, starts over.
CLEAN = {401, 502, 503, "closed"}
HOW_HTTPD_SAYS_SO = "AH01102|AH01110|AH01114|AH01084|AH01097|AH02608|AH00898|AH00957|AH00959"


@pytest.fixture(scope="module")
def front(front_of, scripted):
    return front_of(f"ProxyPass / {scripted.url()}/ retry=0\n")


@pytest.fixture(autouse=True)
def nothing_strays(front, scripted):
    front.httpd.allow_log(HOW_HTTPD_SAYS_SO)
    yield
    assert scripted.stats()["stray"] == 0, scripted.stats()


@pytest.fixture
def connect(front):
    made = []

    def run():
        made.append(Connection(front.address))
        return made[-1]

    yield run
    for connection in made:
        connection.sock.close()


def outcome(client, target, authorization=None, **request):
    """Whom the answer is for, its status, or "closed"."""
    try:
        return who(ask(client, target, authorization, **request))
    except (Closed, ConnectionError):
        return "closed"


def starts_over(client, connect, user="user01"):
    """The client signs in again, on its connection if that is still up."""
    try:
        answer = sign_in(client, user)
    except (Closed, ConnectionError):
        answer = sign_in(connect(), user)
    assert who(answer) == user
    assert who(ask(connect())) == 401


# ---- in mid-handshake

@pytest.mark.parametrize("fault", ["drop-challenge"])
def test_no_challenge_comes(connect, fault):
    client = connect()
    assert outcome(client, f"/WinAuth/?fault={fault}", hello()) in CLEAN
    starts_over(client, connect)


@pytest.mark.parametrize("fault", ["close-challenge", "cut-challenge"])
@pytest.mark.parametrize("pause", [0, 0.2])
def test_the_connection_ends_behind_the_challenge(connect, scripted, fault, pause):
    """The answer to the challenge has nowhere to go: another connection knows nothing of it."""
    client = connect()
    first = ask(client, f"/WinAuth/?fault={fault}", hello())
    assert first.status == 401
    time.sleep(pause)
    assert outcome(client, "/WinAuth/", final(first, "user01")) in CLEAN
    assert scripted.stats()["type3"] == 0
    starts_over(client, connect)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", ["drop-final", "reset-final"])
def test_the_connection_ends_instead_of_the_page(connect, scripted, fault, method):
    client = connect()
    first = ask(client, "/WinAuth/", hello())
    body = b"b" * 1000 if method == "POST" else b""
    assert outcome(client, f"/WinAuth/?fault={fault}", final(first, "user01"), method=method,
                   body=body) in CLEAN
    assert scripted.stats()["type3"] == 1
    starts_over(client, connect)


def test_a_refused_sign_in_passes_and_the_client_may_try_again(connect, front):
    client = connect()
    first = ask(client, "/WinAuth/", hello())
    answer = ask(client, "/WinAuth/?fault=refuse", final(first, "user01"))
    assert (answer.status, answer.all("WWW-Authenticate")) == (401, ["Negotiate", "NTLM"])
    assert who(ask(client)) == 401
    assert who(sign_in(client, "user02")) == "user02"


def test_recycled_in_mid_handshake(connect, scripted):
    """Many at once: whoever was between two messages starts over."""
    clients = {f"user{number:02}": connect() for number in range(1, 13)}
    firsts = {user: ask(client, "/WinAuth/", hello()) for user, client in clients.items()}
    scripted.recycle()
    for user, client in clients.items():
        assert outcome(client, "/WinAuth/", final(firsts[user], user)) in CLEAN
    assert scripted.stats()["type3"] == 0
    for user, client in clients.items():
        starts_over(client, connect, user)


def test_an_answer_to_somebody_elses_challenge_signs_nobody_in(connect, scripted):
    """Two clients in mid-handshake: each answer goes by its own connection."""
    one, two = connect(), connect()
    first, second = ask(one, "/WinAuth/", hello()), ask(two, "/WinAuth/", hello())
    assert who(ask(two, "/WinAuth/", final(second, "user02"))) == "user02"
    assert who(ask(one, "/WinAuth/", final(first, "user01"))) == "user01"
    assert scripted.stats()["accepted"] <= 2


def test_an_answer_without_a_question_goes_nowhere(connect, scripted):
    """A Type-3 message on a client connection that has had no challenge."""
    challenged, other = connect(), connect()
    first = ask(challenged, "/WinAuth/", hello())
    assert outcome(other, "/WinAuth/", final(first, "user01")) in CLEAN
    assert scripted.stats()["type3"] == 0
    assert who(ask(challenged, "/WinAuth/", final(first, "user01"))) == "user01"


def test_a_repeated_answer_goes_nowhere(connect, scripted):
    client = connect()
    first = ask(client, "/WinAuth/", hello())
    last = final(first, "user01")
    assert who(ask(client, "/WinAuth/", last)) == "user01"
    assert outcome(client, "/WinAuth/", last) in CLEAN
    scripted.reset()        # a `stray` of the client's own doing, on its own connection, is no harm
    starts_over(client, connect)


# ---- signed in

def test_closed_with_the_page(connect):
    client = connect()
    first = ask(client, "/WinAuth/", hello())
    assert who(ask(client, "/WinAuth/?fault=close", final(first, "user01"))) == "user01"
    assert outcome(client, "/WinAuth/") in CLEAN
    starts_over(client, connect)


@pytest.mark.parametrize("how", ["idle", "recycle"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_closed_between_two_requests(connect, scripted, how, method):
    """The new connection is signed in by nobody: the client is asked, or told to try again."""
    client, other = connect(), connect()
    signed_in(other, "user02")
    signed_in(client, "user01", "/WinAuth/?idle=0.1" if how == "idle" else "/WinAuth/")
    if how == "idle":
        time.sleep(0.3)
    else:
        scripted.recycle()
        time.sleep(0.05)
    body = b"b" * 5000 if method == "POST" else b""
    assert outcome(client, "/WinAuth/", method=method, body=body) in CLEAN
    starts_over(client, connect)


def test_a_client_that_is_asked_again_after_a_recycling_gets_in_at_once(connect, scripted):
    """What browsers do: the 401 makes them sign in again, on the same connection."""
    client = connect()
    signed_in(client, "user01")
    scripted.recycle()
    time.sleep(0.05)
    assert ask(client).status == 401
    assert who(sign_in(client, "user01")) == "user01"
    assert who(ask(client)) == "user01"


def test_closed_instead_of_an_answer(connect):
    client = connect()
    signed_in(client, "user01")
    assert outcome(client, "/WinAuth/?fault=drop") in CLEAN
    starts_over(client, connect)


def test_closed_in_the_middle_of_a_page(connect):
    client = connect()
    signed_in(client, "user01")
    assert outcome(client, "/WinAuth/?fault=half&size=100000") == "closed"
    starts_over(client, connect)


def test_closed_while_a_token_signs_in(connect, scripted):
    """Kerberos up front on a connection that the back end has just closed."""
    client = connect()
    assert who(ask(client, "/WinAuth/", token("user01"))) == "user01"
    scripted.recycle()
    time.sleep(0.05)
    # One message says it all: it may go on a new connection of this client's own.
    assert outcome(client, "/WinAuth/", token("user01")) in CLEAN | {"user01"}
    starts_over(client, connect)


def test_an_upgrade_on_a_connection_that_was_closed(connect, scripted):
    client = connect()
    signed_in(client, "user01")
    scripted.recycle()
    time.sleep(0.05)
    assert outcome(client, "/WinAuth/ws", headers=[("Upgrade", "websocket"),
                                                   ("Connection", "Upgrade")]) in CLEAN
    assert scripted.stats()["upgrades"] == 0


# ---- clients that leave

def test_the_back_end_connection_goes_with_the_client(connect, scripted):
    clients = [connect() for _ in range(10)]
    for number, client in enumerate(clients):
        signed_in(client, f"user{number:02}")
    before = scripted.stats()["open"]
    for client in clients:
        client.sock.close()
    end = time.monotonic() + 5
    while scripted.stats()["open"] > before - 10 and time.monotonic() < end:
        time.sleep(0.02)
    assert scripted.stats()["open"] == before - 10


@pytest.mark.parametrize("where", ["challenge", "page", "body"])
def test_a_client_that_leaves_in_the_middle_takes_its_connection_along(connect, scripted, where):
    scripted.recycle()
    client = connect()
    if where == "challenge":
        ask(client, "/WinAuth/", hello())
    elif where == "page":
        signed_in(client, "user01")
        client.send(b"GET /WinAuth/?size=3000000 HTTP/1.1\r\nHost: apps.example.com\r\n\r\n")
        client.sock.recv(1000)
    else:
        signed_in(client, "user01")
        client.send(b"POST /WinAuth/ HTTP/1.1\r\nHost: apps.example.com\r\n"
                    b"Content-Length: 100000\r\n\r\n" + b"b" * 20000)
    client.sock.close()
    end = time.monotonic() + 5
    while scripted.stats()["open"] and time.monotonic() < end:
        time.sleep(0.02)
    assert scripted.stats()["open"] == 0
    assert who(ask(connect())) == 401


# ---- many at once

def test_a_back_end_that_recycles_under_load(front, scripted):
    """Eight users keep signing in and asking while every connection closes ten times a second."""
    end = time.monotonic() + 4
    wrong, right, failures = [], [0], []

    def live(user):
        client = None
        try:
            while time.monotonic() < end:
                try:
                    client = client or Connection(front.address)
                    first = ask(client, "/WinAuth/", hello())
                    if first.status != 401:
                        continue
                    for authorization in [final(first, user), None, None, None]:
                        got = who(ask(client, "/WinAuth/", authorization))
                        if isinstance(got, str) and got != user:
                            wrong.append((user, got))
                        right[0] += got == user
                        if got != user:
                            break
                except (Closed, OSError):
                    client.sock.close()
                    client = None
        except Exception as problem:    # told below, not lost in a thread
            failures.append(repr(problem))
        finally:
            if client:
                client.sock.close()

    crew = [threading.Thread(target=live, args=(f"user{number:02}",)) for number in range(1, 9)]
    for thread in crew:
        thread.start()
    while time.monotonic() < end:
        time.sleep(0.1)
        scripted.recycle()
    for thread in crew:
        thread.join(20)
    assert (wrong, failures) == ([], [])
    assert right[0] > 50


# ---- the same harness can fail

def test_plain_httpd_replays_an_answer_elsewhere(own_front, scripted):
    front = own_front(f"ProxyPass / {scripted.url()}/ retry=0\n", module=False, head="")
    front.httpd.allow_log(HOW_HTTPD_SAYS_SO)
    for _ in range(4):
        with Connection(front.address) as client:
            first = ask(client, "/WinAuth/?fault=cut-challenge", hello())
            time.sleep(0.1)
            outcome(client, "/WinAuth/", final(first, "user01"))
    assert scripted.stats()["stray"] > 0
    scripted.reset()
