"""pinned-auth, every kind of request: bodies, pipelines, HTTP/1.0, HEAD, sub-requests, redirects,
websockets. Real NTLM where a body or a redirect could break it, else the scripted back end."""
import time

import pytest

from lab.clients.steps import ask, connection_of, final, hello, pages, sign_in, signed_in, \
    token, who
from lab.world import HOST, owner
from osptest import Connection
from osptest.client import encode
from osptest.conf import proxy_pass
from osptest.place import shared_module
from osptest.wire import Closed

INCLUDES = 50
MODULES = f"LoadModule include_module {shared_module('include')}\n"
UPGRADE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "c2FtcGxlIG5vbmNlIDEyMzQ=")]


def conf(lab, scripted):
    real, url = lab.backends[0].url(), scripted.url()
    return "ProxyPass /local/ !\nProxyPass /old/ !\nProxyPass /missing/ !\n" \
        + proxy_pass("/real/", real) + proxy_pass("/tls/", lab.backends[1].url("https")) \
        + proxy_pass("/upgrade/", url, "upgrade=websocket") \
        + f"ProxyPass /ws/ {url.replace('http', 'ws')}/WinAuth/ws/\n" \
        + f"<Location /including/>\nOptions +Includes\nSetOutputFilter INCLUDES\nProxyPass {url}/including/\n" \
          "</Location>\n" \
        + "<Location /overridden/>\nProxyErrorOverride On 401 404\n" \
          f"ErrorDocument 401 /please/public\nProxyPass {real}/overridden/\n</Location>\n" \
        + f"<Location /please/>\nProxyErrorOverride On\nProxyPass {real}/please/\n" \
          "</Location>\n" \
        + f"<Location /plainly/>\nProxyErrorOverride On\nProxyPass {real}/plainly/\n" \
          "</Location>\n" \
        + "RewriteEngine On\nRewriteRule ^/old/(.*)$ /real/WinAuth/$1 [PT]\n" \
        + "<Location /missing/>\nErrorDocument 404 /real/WinAuth/missing\n</Location>\n" \
        + "<Location /local/>\nOptions +Includes\nSetOutputFilter INCLUDES\n" \
          "ForceType text/html\n</Location>\n" \
        + "<Location /local/redirected/>\nRewriteEngine On\n" \
          "RewriteRule /redirected/([a-z]+)$ /real/WinAuth/$1\n</Location>\n" \
        + f"ProxyPass / {url}/\n"


@pytest.fixture(scope="module")
def front(front_of, lab, scripted):
    front = front_of(conf(lab, scripted), mpm_conf=MODULES)
    local = front.httpd.dir / "htdocs/local"
    (local / "redirected").mkdir(parents=True)
    for name, target in {"real": "/real/WinAuth/", "scripted": "/WinAuth/"}.items():
        (local / f"{name}.html").write_text("".join(
            f'<!--#include virtual="{target}{number}" -->\n' for number in range(INCLUDES)))
    return front


@pytest.fixture(autouse=True)
def _paths_may_change(front):
    # as /old/ does: not the subject here
    front.httpd.allow_log("OSP0503")


@pytest.fixture
def connect(front):
    """Connections to the front end that end with the test."""
    made = []

    def run(**options):
        made.append(Connection(front.address, **options))
        return made[-1]

    yield run
    for connection in made:
        connection.sock.close()


def settled(condition, limit=5):
    end = time.monotonic() + limit
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


# ---- bodies

@pytest.mark.parametrize("size", [1, 5000, 300000])
@pytest.mark.parametrize("site", ["/real/", "/tls/"])
def test_a_body_goes_with_the_last_message(connect, site, size):
    body = b"b" * size
    answer = signed_in(connect(), "user01", f"{site}WinAuth/", method="POST", body=body)
    assert answer.body.endswith(b"\n" + body)


@pytest.mark.parametrize("site", ["/real/", "/tls/", "/"])
def test_a_body_goes_with_every_message_of_the_handshake(connect, site):
    client, body = connect(), b"b" * 20000
    post = {"method": "POST", "body": body}
    first = ask(client, f"{site}WinAuth/", hello(), **post)
    answer = ask(client, f"{site}WinAuth/", final(first, "user01"), **post)
    assert who(answer) == "user01" and answer.body.endswith(body)


def test_a_chunked_body_goes_with_the_last_message(connect):
    client = connect()
    first = ask(client, "/real/WinAuth/", hello())
    client.send(encode("/real/WinAuth/", "POST", HOST, [
        ("Transfer-Encoding", "chunked"), ("Authorization", final(first, "user01"))]))
    for piece in (b"one", b"two" * 3000):
        client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    client.send(b"0\r\n\r\n")
    answer = client.reader.response()
    assert who(answer) == "user01" and answer.body.endswith(b"\none" + b"two" * 3000)


@pytest.mark.parametrize("site", ["/real/", "/"])
def test_expect_100_continue_in_the_handshake(connect, site):
    """As .NET and curl do: the body is sent when the server asks for it."""
    client, body = connect(), b"c" * 20000

    def post(authorization):
        """The final answer; the body was sent when a 100 asked for it."""
        client.send(encode(f"{site}WinAuth/", "POST", HOST, [
            ("Authorization", authorization), ("Expect", "100-continue"),
            ("Content-Length", str(len(body)))]))
        answer = client.reader.response("POST")
        if answer.status == 100:
            client.send(body)
            answer = client.reader.response("POST")
        return answer

    client.send(encode(f"{site}WinAuth/", "GET", HOST, [("Authorization", hello())]))
    first = client.reader.response()
    answer = post(final(first, "user01"))
    assert who(answer) == "user01" and answer.body.endswith(body)


def test_expect_100_continue_with_the_first_message(connect):
    client, body = connect(), b"c" * 20000

    def post(authorization):
        client.send(encode("/WinAuth/", "POST", HOST, [
            ("Authorization", authorization), ("Expect", "100-continue"),
            ("Content-Length", str(len(body)))]))
        answer = client.reader.response("POST")
        if answer.status == 100:
            client.send(body)
            answer = client.reader.response("POST")
        return answer

    first = post(hello())
    assert first.status == 401
    assert who(post(final(first, "user01"))) == "user01"


# ---- many requests, few words

def test_pipelined_requests_are_all_this_users(connect):
    client = connect()
    signed_in(client, "user01")
    request = encode("/WinAuth/", host=HOST)
    for _ in range(3):
        client.send(request * 6)
        assert [who(client.reader.response()) for _ in range(6)] == ["user01"] * 6


def test_requests_pipelined_behind_the_first_message(connect, scripted):
    client = connect()
    request = encode("/WinAuth/", host=HOST)
    client.send(encode("/WinAuth/", host=HOST, headers=[("Authorization", hello())]) + request * 3)
    answers = [client.reader.response() for _ in range(4)]
    assert [answer.status for answer in answers] == [401] * 4
    assert who(sign_in(client, "user02")) == "user02"
    assert scripted.stats()["stray"] == 0


def test_pipelined_requests_of_many_clients(connect):
    clients = {f"user{number:02}": connect() for number in range(1, 8)}
    stranger = connect()
    for user, client in clients.items():
        signed_in(client, user)
    request = encode("/WinAuth/", host=HOST)
    for _ in range(4):
        for client in [*clients.values(), stranger]:
            client.send(request * 3)
        for user, client in clients.items():
            assert [who(client.reader.response()) for _ in range(3)] == [user] * 3
        assert [who(stranger.reader.response()) for _ in range(3)] == [401] * 3


def test_pipelined_requests_to_several_back_ends(connect):
    client = connect()
    signed_in(client, "user01", "/real/WinAuth/")
    signed_in(client, "user02", "/tls/WinAuth/")
    client.send(b"".join(encode(f"{site}WinAuth/", host=HOST) for site in ("/real/", "/tls/") * 4))
    assert [who(client.reader.response()) for _ in range(8)] == ["user01", "user02"] * 4


def test_http10_with_keep_alive_signs_in(connect):
    client = connect()
    keep = {"version": "1.0", "headers": [("Connection", "keep-alive")]}
    first = ask(client, "/real/WinAuth/", hello(), **keep)
    assert first.status == 401
    for authorization in (final(first, "user01"), None, None):
        assert who(ask(client, "/real/WinAuth/", authorization, **keep)) == "user01"


@pytest.mark.parametrize("how", [{"version": "1.0"}, {"headers": [("Connection", "close")]}],
                         ids=["http10", "close"])
def test_one_request_with_a_token_and_the_connection_ends(connect, scripted, how):
    scripted.recycle()
    client = connect()
    assert who(ask(client, "/WinAuth/", token("user03"), **how)) == "user03"
    assert client.wait_for_close(5) < 5
    assert settled(lambda: scripted.stats()["open"] == 0), scripted.stats()
    assert who(ask(connect(), "/WinAuth/")) == 401


@pytest.mark.parametrize("how", [{"version": "1.0"}, {"headers": [("Connection", "close")]}],
                         ids=["http10", "close"])
def test_a_connection_that_ends_with_the_last_message(connect, scripted, how):
    scripted.recycle()
    client = connect()
    first = ask(client, "/WinAuth/", hello())
    assert who(ask(client, "/WinAuth/", final(first, "user01"), **how)) == "user01"
    assert client.wait_for_close(5) < 5
    assert settled(lambda: scripted.stats()["open"] == 0), scripted.stats()


def test_a_client_that_closes_behind_the_first_message_gets_the_challenge(connect, scripted):
    client = connect()
    answer = ask(client, "/WinAuth/", hello(), headers=[("Connection", "close")])
    assert answer.status == 401 and client.wait_for_close(5) < 5
    second = connect()
    # The challenge belongs to the other connection: its answer is nobody's.
    assert ask(second, "/WinAuth/", final(answer, "user01")).status in (401, 502, 503)
    assert who(sign_in(connect(), "user01")) == "user01"


@pytest.mark.parametrize("site", ["/real/", "/"])
def test_head(connect, site):
    client = connect()
    first = ask(client, f"{site}WinAuth/", hello(), method="HEAD")
    answer = ask(client, f"{site}WinAuth/", final(first, "user01"), method="HEAD")
    assert (answer.status, answer.get("X-Lab-User").rpartition("\\")[2].partition("@")[0]) \
        == (200, "user01")
    for _ in range(3):
        assert ask(client, f"{site}WinAuth/", method="HEAD").status == 200
        assert who(ask(client, f"{site}WinAuth/")) == "user01"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_other_methods(connect, method):
    client = connect()
    signed_in(client, "user01")
    assert who(ask(client, "/WinAuth/", method=method)) == "user01"


# ---- sub-requests

def users_in(answer):
    return [owner(user) for user in pages(answer.text)]


@pytest.mark.parametrize("page, site", [("real", "/real/"), ("scripted", "/")])
def test_included_pages_are_this_users_or_nobodys(connect, front, scripted, page, site):
    client, other = connect(), connect()
    signed_in(client, "user01", f"{site}WinAuth/")
    signed_in(other, "user02", f"{site}WinAuth/")
    before = scripted.stats()["open"]
    for user, connection in (("user01", client), ("user02", other)):
        answer = ask(connection, f"/local/{page}.html")
        assert answer.status == 200 and set(users_in(answer)) == {user}
        assert len(users_in(answer)) == INCLUDES
        assert who(ask(connection, f"{site}WinAuth/")) == user
    assert scripted.stats()["open"] <= before + 2


@pytest.mark.parametrize("page", ["real", "scripted"])
def test_a_stranger_gets_no_included_page(connect, page):
    for user in ("user01", "user02"):
        signed_in(connect(), user, "/real/WinAuth/" if page == "real" else "/WinAuth/")
    answer = ask(connect(), f"/local/{page}.html")
    assert answer.status == 200 and users_in(answer) == []


def test_pages_included_while_the_main_answer_is_running(connect, front, scripted):
    """The pin is busy with the page that includes: own identity or none, and nothing stays."""
    client, other, stranger = connect(), connect(), connect()
    signed_in(client, "user01")
    signed_in(other, "user02")
    front.httpd.allow_log("OSP09")
    before = scripted.stats()
    for _ in range(INCLUDES):
        answer = ask(client, "/including/WinAuth/?include=/WinAuth/")
        assert answer.status == 200 and set(users_in(answer)) == {"user01"}, users_in(answer)
    assert who(ask(other, "/WinAuth/")) == "user02"
    assert who(ask(stranger, "/including/WinAuth/?include=/WinAuth/")) == 401
    answer = ask(stranger, "/including/public?include=/WinAuth/")
    assert set(users_in(answer)) <= {""}
    after = scripted.stats()
    assert after["open"] <= before["open"] + 3, (before, after)
    assert after["accepted"] <= before["accepted"] + INCLUDES + 3


def test_many_pages_included_in_one_answer_leak_no_connection(connect, front, scripted):
    client = connect()
    signed_in(client, "user01")
    front.httpd.allow_log("OSP09")
    before = scripted.stats()["open"]
    answer = ask(client, f"/including/WinAuth/?include=/WinAuth/&times={INCLUDES}")
    assert answer.status == 200 and set(users_in(answer)) == {"user01"}
    assert scripted.stats()["open"] <= before + 2
    assert who(ask(client)) == "user01"
    client.sock.close()
    assert settled(lambda: scripted.stats()["open"] <= before)


def test_an_include_does_not_sign_in_the_page_that_includes_it(connect, front):
    """A token belongs to the request that carries it; the connection is whose it says it is."""
    front.httpd.allow_log("OSP09")
    client = connect()
    answer = ask(client, "/including/public?include=/WinAuth/", token("user05"))
    assert set(users_in(answer)) <= {"", "user05"}
    assert who(ask(connect())) == 401


# ---- redirects within the front end

@pytest.mark.parametrize("target", ["/old/a", "/local/redirected/a", "/missing/a"])
def test_internal_redirects_stay_on_the_pin(connect, target):
    client, other, stranger = connect(), connect(), connect()
    used = connection_of(signed_in(client, "user01", "/real/WinAuth/"))
    signed_in(other, "user02", "/real/WinAuth/")
    for _ in range(3):
        answer = ask(client, target)
        assert (pages(answer.text), connection_of(answer)) == (["LAB\\user01"], used)
        assert pages(ask(other, target).text) == ["LAB\\user02"]
        assert pages(ask(stranger, target).text) == []


@pytest.mark.parametrize("target", ["/old/a", "/local/redirected/a"])
def test_the_handshake_goes_through_an_internal_redirect(connect, target):
    assert who(sign_in(connect(), "user01", target)) == "user01"


def test_the_handshake_goes_on_behind_a_page_of_our_own(connect):
    """ProxyErrorOverride: the challenge comes through, the back end's connection stays."""
    client = connect()
    first = ask(client, "/plainly/WinAuth/", hello())
    assert first.status == 401
    assert who(ask(client, "/plainly/WinAuth/", final(first, "user01"))) == "user01"
    assert who(ask(client, "/plainly/WinAuth/")) == "user01"


def test_the_handshake_goes_on_behind_a_proxied_error_document(connect):
    """ProxyErrorOverride and an ErrorDocument of the same back end, in the middle of it."""
    client = connect()
    first = ask(client, "/overridden/WinAuth/", hello())
    assert first.status == 401
    used = connection_of(first)
    answer = ask(client, "/overridden/WinAuth/", final(first, "user01"))
    assert (who(answer), connection_of(answer)) == ("user01", used)


# ---- websockets

def upgrade(client, target, authorization=None):
    """The answer to an upgrade; on a 101 also the user the socket belongs to."""
    headers = UPGRADE + ([("Authorization", authorization)] if authorization else [])
    answer = client.request(target, host=HOST, headers=headers)
    if answer.status != 101:
        return answer.status
    user = client.reader.until(b"\n").decode().strip()
    client.send(b"echo, please")
    assert client.reader.exactly(12) == b"echo, please"
    return user


@pytest.mark.parametrize("target", ["/upgrade/WinAuth/ws", "/ws/chat"])
def test_a_websocket_belongs_to_who_signed_in(connect, scripted, target):
    scripted.recycle()
    client, other, stranger = connect(), connect(), connect()
    page = "/upgrade/WinAuth/"
    signed_in(client, "user01", page)
    signed_in(other, "user02", page)
    before = scripted.stats()["accepted"]
    assert upgrade(stranger, target) == 401
    assert upgrade(client, target) == "user01"
    assert upgrade(other, target) == "user02"
    assert who(ask(stranger, page)) == 401
    # by the connections that were signed in; one more for the stranger
    assert scripted.stats()["accepted"] <= before + 2
    for connection in (client, other, stranger):
        connection.sock.close()
    assert settled(lambda: scripted.stats()["open"] <= 2), scripted.stats()


@pytest.mark.parametrize("target", ["/upgrade/WinAuth/ws", "/ws/chat"])
def test_an_upgrade_that_carries_a_token(connect, target):
    assert upgrade(connect(), target, token("user03")) == "user03"
    assert upgrade(connect(), target) == 401


@pytest.mark.parametrize("target", ["/upgrade/WinAuth/ws", "/ws/chat"])
def test_a_handshake_whose_requests_are_upgrades(connect, target):
    client = connect()
    first = client.request(target, host=HOST, headers=[*UPGRADE, ("Authorization", hello())])
    assert first.status == 401
    assert upgrade(client, target, final(first, "user04")) == "user04"


def test_nobody_gets_a_connection_that_was_a_websocket(connect, scripted):
    for _ in range(4):
        client = connect()
        signed_in(client, "user01", "/upgrade/WinAuth/")
        assert upgrade(client, "/upgrade/WinAuth/ws") == "user01"
        client.sock.close()
    for _ in range(8):
        assert who(ask(connect(), "/upgrade/WinAuth/")) == 401


def test_an_answer_that_breaks_off_ends_the_connection(connect, front):
    client = connect()
    signed_in(client, "user01")
    front.httpd.allow_log("AH01102|AH01110|AH01114|AH10")
    with pytest.raises((Closed, ConnectionResetError)):
        ask(client, "/WinAuth/?fault=half&size=50000")
    assert who(ask(connect())) == 401
