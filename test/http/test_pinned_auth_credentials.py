"""pinned-auth, what makes a request one with credentials: however they are written, they never
travel on a back-end connection that other clients use."""
import re

import pytest

from lab.clients.steps import ask, final, hello, token, who
from lab.world import HOST
from osptest import Backend, Connection, balancer
from osptest.client import ask as client_ask, encode
from osptest.conf import proxy_pass
from osptest.place import shared_module
from osptest.wire import Closed

TOKEN = "TlRMTVNTUAABAAAAt4II4gAAAAAAAAAAAAAAAAAAAAAKAGNFAAAADw=="

# As the client writes it: the lines of the field, without its name.
CREDENTIALS = {
    "ntlm": [f"NTLM {TOKEN}"],
    "negotiate": ["Negotiate YIIBhg=="],
    "lower_case": [f"ntlm {TOKEN}"],
    "mixed_case": ["nEgOtIaTe YIIBhg=="],
    "nego2": ["Nego2 YIIBhg=="],
    "kerberos": ["Kerberos YIIBhg=="],
    "two_blanks": [f"NTLM  {TOKEN}"],
    "tab": [f"NTLM\t{TOKEN}"],
    "leading_blanks": [f"  \t NTLM {TOKEN}"],
    "trailing_blanks": [f"NTLM {TOKEN} \t"],
    "no_token": ["NTLM"],
    "no_token_but_a_blank": ["Negotiate "],
    "garbage": ["NTLM !!!"],
    "behind_basic": ["Basic YTpi", f"NTLM {TOKEN}"],
    "before_basic": [f"NTLM {TOKEN}", "Basic YTpi"],
    "two_of_them": ["Negotiate YIIBhg==", f"NTLM {TOKEN}"],
    "joined_behind_basic": [f"Basic YTpi, NTLM {TOKEN}"],
    "joined_behind_digest": [f'Digest username="a, b", realm="x", NTLM {TOKEN}'],
    "behind_an_empty_line": ["", f"NTLM {TOKEN}"],
    "comma_first": [f", NTLM {TOKEN}"],
    "behind_a_comma": [f"NTLM, {TOKEN}"],
    "token_with_comma": ["Negotiate YII,Bhg=="],
    "long": ["Negotiate " + "A" * 6000],
}
# What is the request's own, and may share a connection.
OTHERS = {
    "basic": "Basic TlRMTTpOVExN",
    "bearer": "Bearer NTLM.Negotiate",
    "digest": 'Digest username="NTLM", realm="Negotiate", uri="/"',
    "longer_name": f"NTLMv2 {TOKEN}",
    "longer_name_negotiate": "Negotiate2 YIIBhg==",
    "prefixed": f"X-NTLM {TOKEN}",
    "quoted": 'Digest username="x, NTLM abc", realm="y"',
}


@pytest.fixture(scope="module")
def recorder():
    """Records which request came on which connection; one answer for all."""
    server = Backend()
    yield server
    server.close()


@pytest.fixture(scope="module")
def front(front_of, recorder):
    return front_of(balancer("one", recorder.url) + "ProxyPass /balancer/ balancer://one/balancer/\n"
                    + proxy_pass("/websocket/", recorder.url, "upgrade=websocket")
                    + f"RewriteEngine On\nRewriteRule ^/rewrite/(.*)$ {recorder.url}/rewrite/$1 [P]\n"
                    + f"ProxyPass / {recorder.url}/\n")


def connections(recorder, front, lines, target="/", secure=False):
    """A client with credentials among others, before and after: (its back-end connections, those
    of the others)."""
    fields = [("Authorization", line) for line in lines]
    others = lambda: [front.httpd.ask("http", f"{target}other") for _ in range(4)]  # noqa: E731
    others()
    with Connection(front.address, secure=secure, sni=HOST) as client:
        for _ in range(2):
            client.send(encode(f"{target}mine", host=HOST, headers=fields))
            answer = client.reader.response()
            assert answer.status in (200, 400, 502, 503), answer.raw
            if "close" in ",".join(answer.all("Connection")):
                break
            others()
            assert client.request(f"{target}mine", host=HOST).status == 200
            others()
    others()
    mine = {message.connection for message in recorder.requests if "mine" in message.target}
    theirs = {message.connection for message in recorder.requests if "other" in message.target}
    with_credentials = {message.connection for message in recorder.requests
                        if message.all("Authorization")}
    assert theirs
    return mine | with_credentials, theirs


@pytest.mark.parametrize("form", CREDENTIALS)
def test_credentials_never_share_a_connection(front, recorder, form):
    front.httpd.allow_log("OSP09")
    mine, others = connections(recorder, front, CREDENTIALS[form])
    assert mine.isdisjoint(others), (mine, others)


@pytest.mark.parametrize("target", ["/balancer/", "/rewrite/", "/websocket/"])
@pytest.mark.parametrize("form", ["ntlm", "lower_case", "behind_basic"])
def test_credentials_never_share_a_connection_whatever_the_way(front, recorder, form, target):
    mine, others = connections(recorder, front, CREDENTIALS[form], target, secure=True)
    assert mine and mine.isdisjoint(others), (mine, others)


def test_folded_credentials_never_share_a_connection(front, recorder):
    """A line folded as HTTP/1.0 allowed."""
    front.httpd.ask("http", "/other")
    with Connection(front.address) as client:
        client.send(f"GET /mine HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: NTLM\r\n {TOKEN}\r\n"
                    "\r\n".encode())
        client.reader.response()
        front.httpd.ask("http", "/other")
    mine = {message.connection for message in recorder.requests if message.all("Authorization")}
    others = {message.connection for message in recorder.requests if "other" in message.target}
    assert mine.isdisjoint(others)


@pytest.mark.parametrize("form", OTHERS)
def test_other_credentials_share_connections(front, recorder, form, lab):
    with front.httpd.counting("pinned-auth", name=HOST) as count:
        with Connection(front.address) as client:
            assert ask(client, "/mine", OTHERS[form]).status == 200
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}
    assert recorder.the_request().all("Authorization") == [OTHERS[form]]


def test_what_is_forwarded_is_what_the_client_wrote(front, recorder):
    with Connection(front.address) as client:
        for form in ("ntlm", "lower_case", "negotiate", "no_token", "long"):
            recorder.reset()
            ask(client, "/", CREDENTIALS[form][0])
            assert recorder.the_request().get("Authorization") == CREDENTIALS[form][0]


@pytest.mark.parametrize("form", ["ntlm", "lower_case", "behind_basic"])
def test_plain_httpd_shares_those_connections(own_front, recorder, form, mpm):
    """The same harness can fail."""
    small = "StartServers 2\nMinSpareServers 1\nMaxSpareServers 2\nServerLimit 6\n" \
        "MaxRequestWorkers 6\n" if mpm == "prefork" else "StartServers 1\nServerLimit 1\nThreadsPerChild 4\n" \
        "MaxRequestWorkers 4\nMinSpareThreads 1\n"
    front = own_front(f"ProxyPass / {recorder.url}/\n", module=False, head="", mpm_conf=small)
    for _ in range(5):
        mine, others = connections(recorder, front, CREDENTIALS[form])
    assert mine & others


def test_ordinary_requests_keep_the_shared_pool(front, recorder, mpm):
    """Beside 10 clients that are signed in, 60 requests of others open no connections of their
    own: as many at most as httpd has children, for each keeps its own pool."""
    clients = [Connection(front.address) for _ in range(10)]
    for client in clients:
        assert ask(client, "/mine", f"NTLM {TOKEN}").status == 200
    mine = {message.connection for message in recorder.requests}
    assert len(mine) == 10
    recorder.requests.clear()
    for number in range(60):
        assert front.httpd.ask("http", "/other").status == 200
        ask(clients[number % 10], "/mine")
    theirs = {message.connection for message in recorder.requests if "other" in message.target}
    assert mine.isdisjoint(theirs)
    assert len(theirs) <= len(front.httpd.children())
    assert {message.connection for message in recorder.requests if "mine" in message.target} == mine
    for client in clients:
        client.sock.close()


# ---- back ends that cannot be pinned

REFUSED = "Windows authentication cannot be carried to this back end."


@pytest.mark.parametrize("way", ["h2", "h2c", "h2_balancer"])
def test_credentials_for_an_http2_back_end_are_refused(own_front, farm, mpm, way, lab):
    kind = "h2c" if way == "h2c" else "h2"
    url = farm[kind].url
    body = balancer("iis", url) + "ProxyPass / balancer://iis/\n" if "balancer" in way \
        else f"ProxyPass / {url}/\n"
    front = own_front(body)
    front.httpd.expect_log("OSP0906")
    with front.httpd.counting("pinned-auth", name=HOST) as count:
        with Connection(front.address) as client:
            answer = ask(client, "/WinAuth/", hello())
            assert (answer.status, REFUSED in answer.text) == (502, True)
            assert farm[kind].requests == []
            assert ask(client, "/other").status == 200
            assert ask(client, "/other", "Basic YTpi").status == 200
    assert count.refused == 1
    assert front.httpd.status()["pins"]["refused"] == 1


def test_credentials_for_ajp_are_refused(own_front, recorder):
    """A connection of AJP is shared, and the back end may know its user."""
    front = own_front(f"ProxyPass / ajp://{recorder.address}:8009/\n", conf="",
                      mpm_conf=f"LoadModule proxy_ajp_module {shared_module('proxy_ajp')}\n")
    front.httpd.expect_log("OSP0906")
    with Connection(front.address) as client:
        answer = ask(client, "/WinAuth/", hello())
    assert (answer.status, REFUSED in answer.text) == (502, True)


def test_a_member_that_cannot_be_pinned_takes_no_credentials(own_front, farm, scripted, mpm):
    """A balancer over http and h2: whoever is elected, credentials go by http or nowhere."""
    if mpm == "prefork":
        return      # has no h2
    front = own_front(balancer("mixed", scripted.url(), farm["h2c"].url)
                      + "ProxyPass / balancer://mixed/\n")
    front.httpd.allow_log("OSP09")
    users = []
    for number in range(6):
        with Connection(front.address) as client:
            first = ask(client, "/WinAuth/", token(f"u{number}"))
            users.append(who(first))
            if first.status == 200:
                assert who(ask(client)) == f"u{number}"
    assert set(users) <= {f"u{number}" for number in range(6)} | {502}
    assert not [message for message in farm["h2c"].requests if message.all("Authorization")]


# ---- where the rule stands still

def test_off_in_one_place_only(own_front, recorder, lab):
    front = own_front(proxy_pass("/off/", recorder.url) + proxy_pass("/on/", recorder.url)
                      + '<Location /off/>\nOSProxyRule pinned-auth off "none here"\n</Location>\n')
    mine, others = connections(recorder, front, CREDENTIALS["ntlm"], "/on/")
    assert mine and mine.isdisjoint(others)


def test_credentials_for_httpd_itself_are_none_of_our_business(own_front, recorder):
    front = own_front(f"ProxyPass /here/ !\nProxyPass / {recorder.url}/\n")
    with front.httpd.counting("pinned-auth", name=HOST) as count:
        with Connection(front.address) as client:
            assert ask(client, "/here/", hello()).status == 404
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}


# ---- never in a log

def credentials_in(text, sent):
    """Tokens, or long pieces of them, that a text shows."""
    pieces = {word[start:start + 24] for word in sent
              for start in range(0, max(1, len(word) - 24), 24) if len(word) >= 24}
    return {piece for piece in pieces if piece in text}


def test_no_credential_is_ever_logged(own_front, lab, scripted, mpm):
    """Sign-ins that succeed, fail, are refused or cut short, with everything we have to say."""
    front = own_front(
        proxy_pass("/real/", lab.backends[0].url()) + f"ProxyPass / {scripted.url()}/\n",
        conf="LogLevel osproxy:trace8\n"
        'CustomLog access-pins.log "%h %u %{OSPROXY_PIN}n %{OSPROXY_SCHEME}n %r %>s"\n')
    front.httpd.allow_log("OSP09|proxy")
    sent = []

    def talk(client, target, authorization=None, **request):
        if authorization:
            sent.append(authorization.split(None, 1)[1])
        answer = ask(client, target, authorization, **request)
        sent.extend(value.split()[1] for value in answer.all("WWW-Authenticate") if " " in value)
        return answer

    for target in ("/real/WinAuth/", "/WinAuth/", "/WinAuth/?fault=refuse",
                   "/WinAuth/?fault=close-challenge", "/WinAuth/?fault=cut-challenge",
                   "/WinAuth/?fault=drop-final", "/WinAuth/?fault=drop-challenge"):
        with Connection(front.address) as client:
            first = talk(client, target, hello())
            if first.status == 401 and "close" not in ",".join(first.all("Connection")):
                try:
                    talk(client, target, final(first, "user01"))
                    talk(client, target)
                except (Closed, OSError):
                    pass
    with Connection(front.address) as client:
        talk(client, "/WinAuth/", token("a-user-with-a-rather-long-name"))
        talk(client, "/WinAuth/", "Nego2 " + "Zm9v" * 10)
        talk(client, "/WinAuth/", "Basic " + "YTpi" * 10)
    texts = {path.name: path.read_text("latin-1") for path in front.httpd.dir.iterdir()
             if path.is_file() and path.suffix == ".log"}
    for query in ("", "?json"):
        texts[f"status{query}"] = client_ask(front.httpd.control, "http",
                                          f"/osproxy-status{query}").text
    assert "access-pins.log" in texts and "error.log" in texts
    assert len(sent) > 12 and "osproxy:" in texts["error.log"]
    for name, text in texts.items():
        assert not credentials_in(text, sent), name
        assert not re.search(r"TlRMTVNTUA|(NTLM|Negotiate) [A-Za-z0-9+/]{16}", text), name
