"""pinned-auth behind proxies and load balancers: what one client signs in serves no other client of
the same connection, whatever the hop does; OSProxyHop says which hops keep clients apart."""
import pytest

from lab.clients.steps import ask, connection_of, final, hello, sign_in, signed_in, token, who
from lab.world import HOST
from osptest import Connection
from osptest.client import encode

HOP = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.0/8\n"
ALICE, BOB = ("X-Forwarded-For", "203.0.113.1"), ("X-Forwarded-For", "203.0.113.2")


def site(scripted):
    return f"ProxyPass / {scripted.url()}/\n"


@pytest.fixture(scope="module")
def shared(front_of, scripted):
    """Behind a hop that mod_remoteip trusts."""
    return front_of(site(scripted), conf=HOP)


@pytest.fixture(scope="module")
def dedicated(front_of, scripted):
    return front_of(site(scripted), conf=HOP + "OSProxyHop dedicated 127.0.0.0/8\n")


@pytest.fixture
def hop(shared):
    shared.httpd.allow_log("OSP0905")
    with Connection(shared.address) as connection:
        yield connection


def of(client, user=None, authorization=None, connection=None, **request):
    """A request of the client (a field) through the hop."""
    return ask(connection, authorization=authorization, headers=[client], **request)


# ---- a hop that may share its connection

def test_a_sign_in_is_good_for_one_request(hop):
    assert who(sign_in_of(hop, ALICE, "alice")) == "alice"
    assert who(of(ALICE, connection=hop)) == 401
    assert who(sign_in_of(hop, ALICE, "alice")) == "alice"


def sign_in_of(connection, client, user):
    first = ask(connection, authorization=hello(), headers=[client])
    assert first.status == 401
    return ask(connection, authorization=final(first, user), headers=[client])


def test_nobody_else_of_the_connection_is_served_by_it(hop):
    for other in (BOB, ALICE, ("X-Other", "1")):    # another address, the same one, none at all
        assert who(sign_in_of(hop, ALICE, "alice")) == "alice"
        assert who(of(other, connection=hop)) == 401
        assert who(of(other, connection=hop, target="/public")) == ""


def test_handshakes_of_several_clients_interleaved(hop, scripted):
    first = ask(hop, authorization=hello(), headers=[ALICE])
    other = ask(hop, authorization=hello(), headers=[BOB])
    assert who(of(("X-Other", "1"), connection=hop)) == 401
    assert connection_of(first) != connection_of(other)
    answer = ask(hop, authorization=final(other, "bob"), headers=[BOB])
    assert (who(answer), connection_of(answer)) == ("bob", connection_of(other))
    answer = ask(hop, authorization=final(first, "alice"), headers=[ALICE])
    assert (who(answer), connection_of(answer)) == ("alice", connection_of(first))
    assert scripted.stats()["stray"] == 0


def test_tokens_of_several_clients_interleaved(hop):
    for _ in range(5):
        assert who(ask(hop, authorization=token("alice"), headers=[ALICE])) == "alice"
        assert who(ask(hop, authorization=token("bob"), headers=[BOB])) == "bob"
        assert who(ask(hop, authorization=token("carol"), headers=[ALICE])) == "carol"
        assert who(ask(hop, headers=[BOB])) == 401


def test_clients_without_end_do_not_pile_up(hop, shared, scripted):
    """A hop's connection brings handshake after handshake that nobody finishes."""
    before = scripted.stats()["open"]
    for number in range(100):
        first = ask(hop, authorization=hello(),
                    headers=[("X-Forwarded-For", f"203.0.113.{number + 10}")])
        assert first.status == 401
    assert scripted.stats()["open"] - before <= 32
    assert shared.httpd.status()["pins"]["open"] <= 32
    assert who(sign_in_of(hop, ALICE, "alice")) == "alice"


def test_the_administrator_is_told(own_front, scripted):
    front = own_front(site(scripted), conf=HOP)
    front.httpd.expect_log(r"OSP0905.*OSProxyHop dedicated 127\.")
    with Connection(front.address) as connection:
        assert who(sign_in_of(connection, ALICE, "alice")) == "alice"


# ---- hops that keep clients apart

def test_a_dedicated_hop_is_signed_in_as_a_client_is(dedicated, scripted):
    with Connection(dedicated.address) as connection:
        answer = sign_in_of(connection, ALICE, "alice")
        for _ in range(3):
            again = of(ALICE, connection=connection)
            assert (who(again), connection_of(again)) == ("alice", connection_of(answer))


def test_a_dedicated_hop_that_is_none_mixes_no_addresses(dedicated):
    with Connection(dedicated.address) as connection:
        assert who(sign_in_of(connection, ALICE, "alice")) == "alice"
        assert who(of(BOB, connection=connection)) == 401
        assert who(of(ALICE, connection=connection)) == 401


def test_the_proxy_protocol_tells_one_client_for_a_connection(start, mpm, lab, scripted):
    front = start(lambda address: "RemoteIPProxyProtocol On\nOSProxyEngine On\n"
                  f"<VirtualHost {address}:80>\nServerName {HOST}\nOSProxyEngine On\n"
                  f"RemoteIPProxyProtocol On\n{site(scripted)}</VirtualHost>\n")
    with Connection(front.address) as connection:
        connection.send(b"PROXY TCP4 203.0.113.1 203.0.113.9 4000 80\r\n")
        signed_in(connection, "alice")
        assert who(ask(connection)) == "alice"
    front.stop()


# ---- hops that are not believed, or refused

def test_a_client_that_claims_addresses_stays_itself(front_of, scripted):
    front = front_of(site(scripted))
    with Connection(front.address) as connection:
        assert who(sign_in_of(connection, ALICE, "alice")) == "alice"
        assert who(of(BOB, connection=connection)) == "alice"


def test_a_hop_that_tells_nothing_can_be_called_shared(own_front, scripted):
    front = own_front(site(scripted), conf="OSProxyHop shared 127.0.0.1\n")
    front.httpd.allow_log("OSP0905")
    with Connection(front.address) as connection:
        assert who(sign_in(connection, "alice")) == "alice"
        assert who(ask(connection)) == 401


def test_a_refused_hop_carries_no_credentials(own_front, scripted):
    front = own_front(site(scripted), conf="OSProxyHop refused 127.0.0.1\n")
    front.httpd.expect_log("OSP0907")
    before = scripted.stats()["type1"]
    with Connection(front.address) as connection:
        answer = ask(connection, authorization=hello())
        assert answer.status == 403 and "Windows authentication" in answer.text
        assert who(ask(connection, "/public")) == ""
    assert scripted.stats()["type1"] == before
    assert front.httpd.status()["pins"]["refused"] == 1


@pytest.mark.parametrize("line,complaint", [
    ("OSProxyHop private 10.0.0.1", "'private' is not allowed"),
    ("OSProxyHop shared nowhere", "'nowhere' is no address"),
    ("OSProxyHop shared", "OSProxyHop"),
])
def test_bad_values_are_named(shared, line, complaint):
    status, output = shared.httpd.configtest(f"{line}\n")
    assert status != 0 and complaint in output


def test_pipelined_requests_of_several_clients(hop):
    """Both are on the wire before the first is answered."""
    first = encode("/WinAuth/", host=HOST, headers=[ALICE, ("Authorization", token("alice"))])
    second = encode("/WinAuth/", host=HOST, headers=[BOB])
    hop.send(first + second)
    assert who(hop.reader.response("GET")) == "alice"
    assert who(hop.reader.response("GET")) == 401
