"""pinned-auth and real clients: curl, Chromium, and whatever speaks HTTP/2."""
import pytest

from lab.clients.chromium import Chromium
from lab.clients.curl import curl
from lab.clients.steps import ask, hello, pages, signed_in, who
from lab.proxies import HttpdFront, site
from lab.world import HOST
from osptest import Answer, Connection, H2Connection
from osptest.conf import proxy_pass
from osptest.h2client import StreamReset

HTTP_1_1_REQUIRED = 13
PAGE = "/real/WinAuth/"


@pytest.fixture(scope="module")
def front(front_of, lab, scripted, farm):
    return front_of(proxy_pass("/real/", lab.backends[0].url())
                    + proxy_pass("/tls/", lab.backends[1].url("https"))
                    + proxy_pass("/plain/", farm["http"].url)
                    + f"ProxyPass / {scripted.url()}/\n")


@pytest.fixture
def side(front, secure):
    return front.secure_front if secure else front


# ---- curl

@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("how", ["ntlm", "kerberos"])
def test_curl_signs_in_and_stays_signed_in(side, lab, how):
    answer = curl(side, lab, *[f"{PAGE}{number}" for number in range(5)], **{how: "user04"})
    assert answer.code == 0, answer.errors
    assert answer.users == ["user04"] * 5
    assert answer.statuses.count(401) <= 2


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_curl_posts_with_ntlm(side, lab):
    """curl sends the first message without the body, and with a large one Expect."""
    for size in (10, 2000000):
        body = lab.dir / "body"
        body.write_bytes(b"p" * size)
        answer = curl(side, lab, PAGE, ntlm="user04", options=["--data-binary", f"@{body}"])
        assert answer.code == 0, answer.errors
        assert answer.users == ["user04"] and len(answer.bodies[-1]) > size


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_curl_without_a_ticket_is_not_served(side, lab):
    answer = curl(side, lab, PAGE, spnego="user04")
    assert answer.users == [] and set(answer.statuses) <= {401}


@pytest.mark.parametrize("how", ["ntlm", "kerberos"])
def test_curl_over_http2_is_sent_back_to_http11(front, lab, mpm, how):
    if mpm == "prefork":
        return      # offers no h2
    answer = curl(front.secure_front, lab, "/real/public", options=["--http2"])
    assert answer.versions == ["HTTP/2"]
    answer = curl(front.secure_front, lab, PAGE, options=["--http2"], **{how: "user05"})
    assert answer.code == 0, answer.errors
    assert answer.users == ["user05"]
    assert answer.versions[-1] == "HTTP/1.1"


@pytest.mark.parametrize("offer", [["NTLM"], ['Basic realm="x"', "NTLM"]])
def test_curl_over_http2_that_does_not_know_the_scheme(front, scripted, lab, mpm, offer):
    """--anyauth: it learns from the answer that it may use NTLM, over HTTP/2 or not."""
    if mpm == "prefork":
        return
    scripted.offers = offer
    answer = curl(front.secure_front, lab, "/WinAuth/x", options=[
        "--http2", "--anyauth", "--user", f"LAB\\user05:{lab.password('user05')}"])
    assert answer.code == 0, answer.errors
    assert answer.users == ["user05"] and answer.versions[-1] == "HTTP/1.1"


# ---- HTTP/2 as such

@pytest.fixture
def h2(front, mpm):
    if mpm == "prefork":
        yield None
        return
    with H2Connection(front.address) as connection:
        yield connection


def reset_of(connection, target, authorization=None):
    """The error code that a stream was reset with, or the status of its answer."""
    headers = [("Authorization", authorization)] if authorization else []
    try:
        return connection.request(target, headers=headers).status
    except StreamReset as problem:
        return ("reset", problem.args[0])


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "ntlm", "Kerberos"])
def test_credentials_over_http2_reach_no_back_end(h2, front, farm, scripted, scheme):
    if not h2:
        return
    token = hello().split()[1]
    with front.httpd.counting("pinned-auth", name=HOST, client="h2") as count:
        assert reset_of(h2, "/plain/x", f"{scheme} {token}") == ("reset", HTTP_1_1_REQUIRED)
    assert count.refused == 1
    assert farm["http"].requests == []
    assert h2.request("/plain/x").status == 200


def test_a_challenge_over_http2_says_where_it_can_be_answered(h2, front, farm, lab):
    if not h2:
        return
    assert reset_of(h2, PAGE) == ("reset", HTTP_1_1_REQUIRED)
    for offer, wanted in {"NTLM": ("reset", HTTP_1_1_REQUIRED),
                          "Negotiate, NTLM": ("reset", HTTP_1_1_REQUIRED),
                          'Basic realm="x", NTLM': 401,
                          'Basic realm="x, NTLM"': 401, "Bearer": 401}.items():
        farm["http"].answer = Answer(401, [("WWW-Authenticate", offer)], b"sign in")
        assert reset_of(h2, "/plain/x") == wanted, offer
    assert h2.request("/real/public").status == 200


def test_streams_without_credentials_beside_a_sign_in(front, h2, lab):
    """Ordinary streams of the same client, its sign-in on a connection of HTTP/1.1."""
    if not h2:
        return
    with Connection(front.address, secure=True, sni=HOST) as client:
        signed_in(client, "user01", PAGE)
        for _ in range(5):
            assert h2.request("/real/public").status == 200
            assert reset_of(h2, PAGE) == ("reset", HTTP_1_1_REQUIRED)
            assert who(ask(client, PAGE)) == "user01"


def test_upgrade_to_h2c_with_credentials(own_front, scripted, mpm):
    """HTTP/1.1 that asks for h2c: what is signed in is the connection, which must not change."""
    if mpm == "prefork":
        return
    front = own_front(f"ProxyPass / {scripted.url()}/\n", conf="Protocols h2c http/1.1\n"
                      "H2Upgrade on\n")
    with Connection(front.address) as client:
        signed_in(client, "user01")
        for _ in range(2):
            assert who(ask(client)) == "user01"


# ---- Chromium: slow to start, so one of each, in front of the MPM that people use

@pytest.fixture(scope="module")
def external(start, mpm, lab, scripted):
    if mpm != "event":
        return None
    return HttpdFront(start(lambda address: site(
        address, lab, proxy_pass("/real/", lab.backends[0].url())
        + f"ProxyPass / {scripted.url()}/\n", head="OSProxyEngine On\n")), lab)


def test_chromium_signs_in_with_a_ticket(front, lab, mpm):
    """Kerberos over http, and over https where the browser begins with HTTP/2."""
    if mpm != "event":
        return
    also = [f"{PAGE}{number}" for number in range(8)]
    with Chromium(front, lab, ticket="user06") as browser:
        for secure in (False, True):
            public, page = browser.pages("/real/public", PAGE, secure=secure, also=also)
            assert (public.status, public.protocol) == (200, "h2" if secure else "http/1.1")
            assert (page.user, page.protocol, page.prompts) == ("user06", "http/1.1", [])
            assert [pages(text) for text in page.fetched] == [["user06@OSPROXY.TEST"]] * 8


def test_chromium_outside_is_not_trapped_by_negotiate(external, lab, mpm):
    """External: only NTLM is offered. With a password it signs in, with a ticket too, which is of
    no use out there; without one it shows what the server says, not an error of its own."""
    if mpm != "event":
        return
    with Chromium(external, lab, ticket="user06") as browser:
        for secure in (False, True):
            page = browser.page("/WinAuth/", secure=secure, password_of="user07")
            assert (page.user, page.prompts) == ("user07", ["ntlm"])
        page = browser.page(PAGE, secure=True)
        assert (page.user, page.status, page.prompts, page.error) == ("", 401, ["ntlm"], "")
        assert "could not verify that you are authorized" in page.text
