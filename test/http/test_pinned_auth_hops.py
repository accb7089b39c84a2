"""pinned-auth behind another hop: one connection may carry several clients (mod_remoteip,
OSProxyHop). Whoever cannot be told apart is not signed in for longer than a request."""
import random
import socket

import pytest

from lab.clients.steps import ask, final, hello, token, who
from lab.world import HOST
from osptest import Connection
from osptest.client import encode
from osptest.wire import Closed, Reader

TRUSTED = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.0/8\n"
ADDRESSES = {"user01": "192.0.2.1", "user02": "192.0.2.2", "user03": "2001:db8::3"}
NOT_THEM = {401, 403, 502, 503, "closed"}


def of(user):
    return {"headers": [("X-Forwarded-For", ADDRESSES[user])]}


@pytest.fixture(scope="module")
def body(scripted):
    return f"ProxyPass / {scripted.url()}/\n"


@pytest.fixture(scope="module")
def shared(front_of, body):
    """The default for a hop whose header is believed."""
    return front_of(body, conf=TRUSTED, head="OSProxyEngine On\n")


@pytest.fixture(scope="module")
def dedicated(front_of, body):
    return front_of(body, conf=TRUSTED + "OSProxyHop dedicated 127.0.0.0/8\n",
                    head="OSProxyEngine On\n")


@pytest.fixture(params=["shared", "dedicated"])
def front(request, shared, dedicated):
    front = {"shared": shared, "dedicated": dedicated}[request.param]
    front.httpd.allow_log("OSP0905|OSP0903")
    return front


def outcome(client, user=None, authorization=None):
    try:
        return who(ask(client, "/WinAuth/", authorization, **(of(user) if user else {})))
    except (Closed, ConnectionError):
        return "closed"


def test_two_addresses_on_one_connection_are_never_mixed(front):
    with Connection(front.address) as hop:
        assert who(ask(hop, "/WinAuth/", token("user01"), **of("user01"))) == "user01"
        assert outcome(hop, "user02") in NOT_THEM
        with Connection(front.address) as other:
            assert outcome(other, "user02") == 401
    with Connection(front.address) as hop:
        assert who(ask(hop, "/WinAuth/", token("user01"), **of("user01"))) == "user01"
        assert who(ask(hop, "/WinAuth/", token("user02"), **of("user02"))) == "user02"
        assert outcome(hop, "user01") in NOT_THEM | {"user01"}
        assert outcome(hop, "user02") in NOT_THEM | {"user02"}


def test_a_client_whose_address_the_hop_does_not_tell(front):
    with Connection(front.address) as hop:
        assert who(ask(hop, "/WinAuth/", token("user01"), **of("user01"))) == "user01"
        assert outcome(hop) in NOT_THEM


def test_ntlm_through_the_hop(front):
    with Connection(front.address) as hop:
        for _ in range(3):
            first = ask(hop, "/WinAuth/", hello(), **of("user01"))
            assert who(ask(hop, "/WinAuth/", final(first, "user01"), **of("user01"))) == "user01"


def test_handshakes_of_several_clients_on_one_connection(front, scripted):
    """Interleaved by the hop: each ends as it should, or fails cleanly."""
    for seed in range(12):
        dice = random.Random(seed)
        with Connection(front.address) as hop:
            firsts, done = {}, set()
            while len(done) < 3:
                user = dice.choice([user for user in ADDRESSES if user not in done])
                if user not in firsts:
                    answer = ask(hop, "/WinAuth/", hello(), **of(user))
                    assert answer.status == 401
                    firsts[user] = answer
                else:
                    got = outcome(hop, user, final(firsts[user], user))
                    assert got in NOT_THEM | {user}
                    done.add(user)
                    if got in (503, "closed"):
                        break
                other = dice.choice([*ADDRESSES])
                got = outcome(hop, other)
                assert got in NOT_THEM | {other}
                if got in (503, "closed"):
                    break
    assert scripted.stats()["stray"] == 0


def test_one_hop_one_client_stays_signed_in_where_it_is_written(dedicated):
    with Connection(dedicated.address) as hop:
        assert who(sign_in_as(hop, "user01")) == "user01"
        for _ in range(3):
            assert outcome(hop, "user01") == "user01"


def sign_in_as(hop, user):
    first = ask(hop, "/WinAuth/", hello(), **of(user))
    return ask(hop, "/WinAuth/", final(first, user), **of(user))


def test_by_default_a_sign_in_behind_a_hop_is_good_for_one_request(shared):
    """Two users behind one NAT have one address: the hop's word alone tells nobody apart."""
    shared.httpd.allow_log("OSP0905")
    with Connection(shared.address) as hop:
        assert who(sign_in_as(hop, "user01")) == "user01"
        assert outcome(hop, "user01") == 401
        assert who(sign_in_as(hop, "user01")) == "user01"


def test_it_says_so_once(own_front, body):
    front = own_front(body, conf=TRUSTED, head="OSProxyEngine On\n")
    front.httpd.expect_log("OSP0905")
    with Connection(front.address) as hop:
        assert who(sign_in_as(hop, "user01")) == "user01"


def test_where_clients_share_an_address_dedicated_mixes_them(dedicated):
    """What cannot be told: the page of OSProxyHop says when not to write `dedicated`."""
    with Connection(dedicated.address) as hop:
        assert who(sign_in_as(hop, "user01")) == "user01"
        # user02, behind the same NAT
        assert outcome(hop, "user01") == "user01"


def test_a_hop_that_may_not_sign_anybody_in(own_front, body, scripted):
    front = own_front(body, conf="OSProxyHop refused 127.0.0.0/8\n")
    front.httpd.expect_log("OSP0907")
    before = scripted.stats()["requests"]
    with Connection(front.address) as hop:
        answer = ask(hop, "/WinAuth/", hello())
        assert answer.status == 403 and "not available on this way" in answer.text
        assert scripted.stats()["requests"] == before
        assert who(ask(hop, "/public")) == ""
    assert front.httpd.status()["pins"]["refused"] == 1


def test_a_forged_header_of_an_untrusted_client_changes_nothing(own_front, body):
    front = own_front(body, conf="RemoteIPHeader X-Forwarded-For\n"
                                 "RemoteIPInternalProxy 192.0.2.250\n")
    with Connection(front.address) as client:
        assert who(ask(client, "/WinAuth/", token("user01"), **of("user02"))) == "user01"
        assert outcome(client, "user01") == "user01"
        assert outcome(client) == "user01"


# ---- the PROXY protocol

def behind_proxy_protocol(front, address):
    sock = socket.create_connection((front.address, 80), 10)
    sock.sendall(f"PROXY TCP4 {address} {front.address} 40000 80\r\n".encode())
    return sock


def test_the_proxy_protocol_gives_each_client_a_connection(own_front, body):
    front = own_front(body, conf="RemoteIPProxyProtocol On\n")
    socks = {user: behind_proxy_protocol(front, address)
             for user, address in {"user01": "192.0.2.1", "user02": "192.0.2.1"}.items()}
    readers = {user: Reader(sock) for user, sock in socks.items()}

    def one(user, authorization=None):
        headers = [("Authorization", authorization)] if authorization else []
        socks[user].sendall(encode("/WinAuth/", host=HOST, headers=headers))
        return readers[user].response()

    firsts = {user: one(user, hello()) for user in socks}
    for user in socks:
        assert who(one(user, final(firsts[user], user))) == user
    for user in [*socks] * 3:
        assert who(one(user)) == user
    for sock in socks.values():
        sock.close()


# ---- the same harness can fail

def test_plain_httpd_mixes_them(own_front, body, mpm):
    front = own_front(body, conf=TRUSTED, module=False, head="")
    front.httpd.allow_log("proxy")
    with Connection(front.address) as hop:
        assert who(ask(hop, "/WinAuth/", token("user01"), **of("user01"))) == "user01"
        assert outcome(hop, "user02") == "user01"
