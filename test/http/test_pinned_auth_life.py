"""pinned-auth over the life of servers: members drained and killed, reloads, stops, children that
end; the limit; counters, log variables."""
import os
import re
import signal
import threading
import time

import pytest

from lab.clients.steps import ask, connection_of, final, hello, sign_in, signed_in, token, who
from lab.faults import Faults
from lab.world import HOST
from osptest import Connection, balancer
from osptest.client import ask as client_ask
from osptest.conf import proxy_pass
from osptest.wire import Closed

ONE_CHILD = {
    "event": "StartServers 1\nServerLimit 1\nThreadsPerChild 25\nMaxRequestWorkers 25\n"
             "MinSpareThreads 1\nMaxSpareThreads 25\n",
    "prefork": "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nServerLimit 1\n"
               "MaxRequestWorkers 1\n",
}
ONE_CHILD["worker"] = ONE_CHILD["event"]
# What httpd says of members that do not answer, and of children that go with open connections.
MEMBERS = "AH00957|AH00959|AH01114|AH01102|AH01084|AH01097|AH01110|AH00898|AH01170|AH01167|AH02608"
GOING = "AH00045|AH00046|AH03092|AH03490|AH00288|AH10159|AH00491|AH02032"


def settled(condition, limit=8):
    end = time.monotonic() + limit
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def outcome(client, target="/WinAuth/", authorization=None):
    try:
        return who(ask(client, target, authorization))
    except (Closed, ConnectionError):
        return "closed"


def pins(front):
    return front.httpd.status()["pins"]


# ---- a member is drained, disabled, killed

def farm_of(own_front, *servers, extra="", **options):
    manager = "<Location /balancer-manager>\nSetHandler balancer-manager\n</Location>\n"
    return own_front("ProxyPass /balancer-manager !\n"
                     + balancer("iis", *(server.url() for server in servers), options="retry=0")
                     + f"ProxyPass / balancer://iis/ {extra}\n", conf=manager, **options)


def set_member(front, server, setting):
    """As an administrator does on the page of the balancer manager: setting is w_status_N=1."""
    own = [("Referer", f"http://{HOST}/balancer-manager")]
    page = client_ask(front.address, "http", "/balancer-manager", host=HOST, headers=own).text
    nonce = re.search(r"nonce=([0-9a-f-]+)", page)[1]
    answer = client_ask(front.address, "http", "/balancer-manager", host=HOST, method="POST",
                        body=f"b=iis&w={server.url()}&nonce={nonce}&{setting}".encode(),
                        headers=[*own, ("Content-Type", "application/x-www-form-urlencoded")])
    assert answer.status == 200, answer.raw


@pytest.mark.parametrize("setting", ["w_status_N", "w_status_D", "w_status_S"],
                         ids=["drain", "disable", "stop"])
def test_a_member_that_is_taken_out(own_front, scripted, second, setting):
    """Who is signed in there starts over, and lands on the other member."""
    front = farm_of(own_front, scripted, second)
    front.httpd.allow_log(MEMBERS)
    servers = {"IIS01": scripted, "IIS02": second}
    with Connection(front.address) as client, Connection(front.address) as stranger:
        name, _ = connection_of(signed_in(client, "user01"))
        other, = set(servers) - {name}
        set_member(front, servers[name], f"{setting}=1")
        try:
            assert outcome(client) in {401, 502, 503, "closed"}
            answer = sign_in(client, "user01")
            assert (who(answer), connection_of(answer)[0]) == ("user01", other)
            assert who(ask(client)) == "user01"
            assert who(ask(stranger)) == 401
        finally:
            set_member(front, servers[name], f"{setting}=0")
    assert scripted.stats()["stray"] == second.stats()["stray"] == 0


def test_a_member_drained_in_mid_handshake(own_front, scripted, second):
    """The handshake ends where it began, or starts over; it never goes elsewhere."""
    front = farm_of(own_front, scripted, second)
    front.httpd.allow_log(MEMBERS)
    servers = {"IIS01": scripted, "IIS02": second}
    with Connection(front.address) as client:
        first = ask(client, "/WinAuth/", hello())
        name, _ = connection_of(first)
        set_member(front, servers[name], "w_status_N=1")
        got = outcome(client, authorization=final(first, "user01"))
        assert got in {"user01", 401, 502, 503, "closed"}
    with Connection(front.address) as client:
        assert connection_of(signed_in(client, "user01"))[0] != name
    assert scripted.stats()["stray"] == second.stats()["stray"] == 0


def test_status_n_by_a_reload(own_front, scripted, second, lab):
    front = farm_of(own_front, scripted, second)
    front.httpd.allow_log(MEMBERS + "|" + GOING)
    url = scripted.url()
    with Connection(front.address) as client:
        signed_in(client, "user01")
        front.httpd.reload(front.httpd.conf.replace(f"BalancerMember {url} ",
                                                    f"BalancerMember {url} status=+N "))
        assert outcome(client) in {"user01", 401, 502, 503, "closed"}
    for number in range(4):
        with Connection(front.address) as client:
            assert connection_of(signed_in(client, f"user{number:02}"))[0] == "IIS02"


def test_a_member_that_dies(own_front, lab):
    with Faults("IIS01") as one, Faults("IIS02") as two:
        front = farm_of(own_front, one, two)
        front.httpd.allow_log(MEMBERS)
        servers = {"IIS01": one, "IIS02": two}
        clients = {}
        for number in range(6):
            client = Connection(front.address)
            answer = signed_in(client, f"user{number:02}")
            clients[f"user{number:02}"] = (client, connection_of(answer)[0])
        half_way = Connection(front.address)
        first = ask(half_way, "/WinAuth/", hello())
        dead = connection_of(first)[0]
        servers[dead].refuse()
        assert outcome(half_way, authorization=final(first, "user07")) in {401, 502, 503, "closed"}
        for user, (client, name) in clients.items():
            if name != dead:
                assert who(ask(client)) == user
                continue
            assert outcome(client) in {401, 502, 503, "closed"}
            # once more where the first attempt found the dead server
            answers = [outcome_of_sign_in(front, client, user) for _ in range(2)]
            assert user in answers, answers
        with Connection(front.address) as stranger:
            assert who(ask(stranger)) == 401
        for client, _ in clients.values():
            client.sock.close()
        assert one.stats()["stray"] == two.stats()["stray"] == 0


def outcome_of_sign_in(front, client, user):
    """On the client's connection while it is up, else on a new one."""
    for attempt in (client, None):
        try:
            if attempt:
                first = ask(attempt, "/WinAuth/", hello())
                return who(ask(attempt, "/WinAuth/", final(first, user))) \
                    if first.status == 401 else first.status
            with Connection(front.address) as fresh:
                return who(sign_in(fresh, user))
        except (Closed, ConnectionError):
            continue
    return "closed"


def test_a_member_that_was_dead_from_the_start(own_front, scripted):
    """mod_proxy fails over before the sign-in begins; the pin is with who answered."""
    class Dead:
        @staticmethod
        def url():
            return "http://127.0.0.1:9"
    front = farm_of(own_front, Dead, scripted)
    front.httpd.allow_log(MEMBERS)
    users = []
    for number in range(6):
        with Connection(front.address) as client:
            users.append(outcome_of_sign_in(front, client, f"user{number:02}"))
            if isinstance(users[-1], str):
                assert who(ask(client)) == f"user{number:02}"
    assert len([user for user in users if isinstance(user, str)]) >= 5, users
    assert scripted.stats()["stray"] == 0


# ---- reload, stop, children that end

def test_a_reload_ends_sign_ins_without_a_trace(own_front, scripted):
    scripted.recycle()
    front = own_front(f"ProxyPass / {scripted.url()}/\n")
    front.httpd.allow_log(GOING)
    clients = [Connection(front.address) for _ in range(12)]
    for number, client in enumerate(clients):
        signed_in(client, f"user{number:02}")
    assert pins(front)["open"] == 12
    front.httpd.reload()
    # Idle connections close with the old children, and their pins with them.
    for number, client in enumerate(clients):
        assert outcome(client) in {f"user{number:02}", 401, "closed"}
    for client in clients:
        client.sock.close()
    assert settled(lambda: scripted.stats()["open"] == 0), scripted.stats()
    assert settled(lambda: pins(front)["open"] == 0), pins(front)
    with Connection(front.address) as client:
        signed_in(client, "user01")


def load(front, seconds, users=8):
    """Users who sign in and ask all the time: (thread list, results); wrong answers in results."""
    front.httpd.end_requests_first()
    end = time.monotonic() + seconds
    results = {"right": 0, "wrong": [], "failures": []}

    def live(user):
        while time.monotonic() < end:
            try:
                with Connection(front.address) as client:
                    for authorization in (token(user), None, None, None, None, None):
                        got = who(ask(client, "/WinAuth/?slow=0.01", authorization))
                        results["right"] += got == user
                        if isinstance(got, str) and got != user:
                            results["wrong"].append((user, got))
                        if got != user:
                            break
            except (Closed, OSError):
                time.sleep(0.01)
            except Exception as problem:
                results["failures"].append(repr(problem))
                return

    crew = [threading.Thread(target=live, args=(f"user{number:02}",)) for number in range(users)]
    for thread in crew:
        thread.start()
    return crew, results


def test_reloads_under_load(own_front, scripted):
    scripted.recycle()
    front = own_front(f"ProxyPass / {scripted.url()}/\n")
    front.httpd.allow_log(GOING + "|" + MEMBERS)
    crew, results = load(front, 4)
    for _ in range(4):
        time.sleep(0.3)
        front.httpd.reload()
    for thread in crew:
        thread.join(20)
    assert (results["wrong"], results["failures"]) == ([], [])
    assert results["right"] > 50
    assert settled(lambda: scripted.stats()["open"] == 0), scripted.stats()
    assert pins(front)["open"] == 0


def test_children_that_end_under_load(own_front, scripted, mpm):
    scripted.recycle()
    front = own_front(f"ProxyPass / {scripted.url()}/\n",
                      mpm_conf="MaxConnectionsPerChild 10\nStartServers 4\n")
    front.httpd.allow_log(GOING + "|" + MEMBERS)
    born = set(front.httpd.children())
    crew, results = load(front, 4)
    while any(thread.is_alive() for thread in crew):
        born |= set(front.httpd.children())
        time.sleep(0.1)
    assert (results["wrong"], results["failures"]) == ([], [])
    assert results["right"] > 50 and len(born) > 3
    assert settled(lambda: scripted.stats()["open"] == 0), scripted.stats()
    assert settled(lambda: pins(front)["open"] == 0), pins(front)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGWINCH], ids=["stop", "graceful"])
def test_stopping_under_load(own_front, scripted, how):
    scripted.recycle()
    front = own_front(f"ProxyPass / {scripted.url()}/\n",
                      mpm_conf="GracefulShutdownTimeout 3\n")
    front.httpd.allow_log(GOING + "|" + MEMBERS)
    front.httpd.log.cut_off = front.httpd.mpm == "prefork" and how == signal.SIGTERM
    crew, results = load(front, 1.5)
    clients = [Connection(front.address) for _ in range(5)]
    for number, client in enumerate(clients):
        signed_in(client, f"user{number:02}")
    time.sleep(0.5)
    start = time.monotonic()
    front.httpd.process.send_signal(how)
    if how == signal.SIGWINCH:      # worker waits for idle connections to the last
        time.sleep(0.3)
        for client in clients:
            client.sock.close()
    assert front.httpd.process.wait(15) == 0
    assert time.monotonic() - start < 12
    for thread in crew:
        thread.join(20)
    assert (results["wrong"], results["failures"]) == ([], [])
    assert settled(lambda: scripted.stats()["open"] == 0), scripted.stats()
    for client in clients:
        client.sock.close()


def test_killed_children_leave_no_pins_in_the_figures(own_front, scripted):
    """A crash of something else: the gauge must not count its pins for ever."""
    front = own_front(f"ProxyPass / {scripted.url()}/\n")
    front.httpd.allow_log(GOING + "|AH00052")
    clients = [Connection(front.address) for _ in range(4)]
    for number, client in enumerate(clients):
        signed_in(client, f"user{number:02}")
    assert pins(front)["open"] == 4
    before = front.httpd.children()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    for client in clients:
        client.sock.close()
    assert settled(lambda: front.httpd.children() and not set(before) & set(front.httpd.children()))
    with Connection(front.address) as client:
        signed_in(client, "user01")
        assert settled(lambda: pins(front)["open"] == 1), pins(front)
    front.httpd.log.recent(move=True)       # tells of the children's death, as it should


# ---- OSProxyPinLimit

LIMIT_TEXT = "Too many clients are signed in. Please try again in a minute."


def test_past_the_limit_a_client_is_told_so_until_others_leave(own_front, scripted, mpm):
    if mpm == "prefork":
        return      # a child has one client: the next test
    front = own_front(f"ProxyPass / {scripted.url()}/\n",
                      mpm_conf="OSProxyPinLimit 2\n" + ONE_CHILD[mpm])
    front.httpd.expect_log("OSP0902")
    clients = [Connection(front.address) for _ in range(2)]
    with front.httpd.counting("pinned-auth", name=HOST) as count:
        for number in (0, 1):
            signed_in(clients[number], f"user{number:02}")
        for _ in range(2):
            with Connection(front.address) as late:
                answer = ask(late, "/WinAuth/", hello())
            assert (answer.status, LIMIT_TEXT in answer.text) == (503, True)
        # others are served: with what they have, and without credentials
        assert who(ask(clients[0])) == "user00"
        assert front.httpd.ask("http", "/public").status == 200
    assert count.refused == 2
    told = pins(front)
    assert (told["open"], told["opened"], told["refused"]) == (2, 2, 2)
    clients[0].sock.close()
    assert settled(lambda: pins(front)["open"] == 1)
    again = Connection(front.address)
    assert who(sign_in(again, "user02")) == "user02"
    assert pins(front)["opened"] == 3
    for client in [*clients, again]:
        client.sock.close()


def test_the_limit_of_a_child_counts_every_back_end_of_a_client(own_front, scripted, second, mpm):
    """On prefork a child has one client, so the limit is one of back ends."""
    front = own_front(proxy_pass("/a/", scripted.url()) + proxy_pass("/b/", second.url()),
                      mpm_conf="OSProxyPinLimit 1\n")
    front.httpd.expect_log("OSP0902")
    with Connection(front.address) as client:
        signed_in(client, "user01", "/a/WinAuth/")
        answer = ask(client, "/b/WinAuth/", hello())
        assert (answer.status, LIMIT_TEXT in answer.text) == (503, True)
    assert settled(lambda: pins(front)["open"] == 0)
    with Connection(front.address) as client:
        signed_in(client, "user01", "/b/WinAuth/")


def test_an_error_document_stands_in_for_the_text(own_front, scripted, second):
    front = own_front("ProxyPass /full.html !\n" + proxy_pass("/a/", scripted.url())
                      + proxy_pass("/b/", second.url()), mpm_conf="OSProxyPinLimit 1\n",
                      conf="ErrorDocument 503 /full.html\n")
    (front.httpd.dir / "htdocs/full.html").write_text("our own page\n")
    front.httpd.expect_log("OSP0902")
    with Connection(front.address) as client:
        signed_in(client, "user01", "/a/WinAuth/")
        answer = ask(client, "/b/WinAuth/", hello())
        assert (answer.status, answer.text) == (503, "our own page\n")


# ---- counters and log variables

def test_counters(own_front, scripted, second):
    front = own_front(proxy_pass("/a/", scripted.url()) + proxy_pass("/b/", second.url()))
    front.httpd.allow_log(MEMBERS)
    assert pins(front) == {"open": 0, "opened": 0, "closed_by_client": 0, "closed_by_backend": 0,
                           "refused": 0, "handshakes_completed": 0, "handshakes_failed": 0}
    one, two = Connection(front.address), Connection(front.address)
    signed_in(one, "user01", "/a/WinAuth/")
    assert who(ask(one, "/b/WinAuth/", token("user02"))) == "user02"
    assert who(ask(one, "/a/WinAuth/")) == "user01"
    told = pins(front)
    assert (told["open"], told["opened"], told["handshakes_completed"]) == (2, 2, 2)
    first = ask(two, "/a/WinAuth/", hello())
    assert ask(two, "/a/WinAuth/?fault=refuse", final(first, "user03")).status == 401
    told = pins(front)
    assert (told["opened"], told["handshakes_completed"], told["handshakes_failed"]) == (3, 2, 1)
    one.sock.close()
    two.sock.close()
    assert settled(lambda: pins(front)["open"] == 0)
    told = pins(front)
    assert (told["closed_by_client"], told["closed_by_backend"], told["refused"]) == (3, 0, 0)
    with Connection(front.address) as client:
        signed_in(client, "user01", "/a/WinAuth/")
        scripted.recycle()
        time.sleep(0.05)
        assert outcome(client, "/a/WinAuth/") in {401, 502, 503, "closed"}
        assert settled(lambda: pins(front)["closed_by_backend"] == 1), pins(front)
    assert settled(lambda: pins(front)["open"] == 0)
    told = pins(front)
    assert told["opened"] == told["closed_by_client"] + told["closed_by_backend"], told


def test_counters_survive_a_reload(own_front, scripted):
    front = own_front(f"ProxyPass / {scripted.url()}/\n")
    front.httpd.allow_log(GOING)
    for round in range(3):
        with Connection(front.address) as client:
            signed_in(client, f"user{round:02}")
        assert settled(lambda: pins(front)["open"] == 0)
        front.httpd.reload()
    told = pins(front)
    assert (told["opened"], told["closed_by_client"], told["handshakes_completed"]) == (3, 3, 3)


def test_the_page_for_people_shows_them_too(own_front, scripted):
    front = own_front(f"ProxyPass / {scripted.url()}/\n")
    with Connection(front.address) as client:
        signed_in(client, "user01")
        page = client_ask(front.httpd.control, "http", "/osproxy-status").text
    assert "Windows authentication" in page and "user01" not in page


def test_log_variables(own_front, lab, scripted):
    front = own_front(proxy_pass("/real/", lab.backends[0].url())
                      + f"ProxyPass / {scripted.url()}/\n",
                      conf='CustomLog pins.log "%U %{OSPROXY_PIN}n %{OSPROXY_SCHEME}n %>s"\n')
    log = front.httpd.dir / "pins.log"

    def logged(count):
        """A line is written after its answer: wait, so that the lines of two clients keep their order."""
        assert settled(lambda: len(log.read_text().splitlines()) >= count)
        return log.read_text().splitlines()
    with Connection(front.address) as client:
        assert who(ask(client, "/public")) == ""
        signed_in(client, "user01", "/WinAuth/a")
        ask(client, "/WinAuth/b")
        ask(client, "/public")
        signed_in(client, "user02", "/real/WinAuth/a")
        ask(client, "/real/WinAuth/b")
        logged(8)
    with Connection(front.address) as client:
        ask(client, "/WinAuth/c", token("user03"))
        ask(client, "/WinAuth/d")
        logged(10)
    with Connection(front.address) as client:
        ask(client, "/WinAuth/e", "nTlM " + hello().split()[1])
        ask(client, "/WinAuth/f", "Basic YTpi")
        logged(12)
    with Connection(front.address) as client:
        ask(client, "/WinAuth/g", "Basic YTpi")
        lines = logged(13)
    assert lines == [
        "/public - - 200",
        "/WinAuth/a new NTLM 401", "/WinAuth/a reused NTLM 200", "/WinAuth/b reused NTLM 200",
        "/public reused NTLM 200",
        "/real/WinAuth/a new NTLM 401", "/real/WinAuth/a reused NTLM 200",
        "/real/WinAuth/b reused NTLM 200",
        "/WinAuth/c new Negotiate 200", "/WinAuth/d reused Negotiate 200",
        "/WinAuth/e new NTLM 401", "/WinAuth/f reused NTLM 401",
        "/WinAuth/g - - 401"]
