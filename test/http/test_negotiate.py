"""negotiate: external clients are not offered Negotiate; everything else arrives byte for byte."""
import time

import pytest

from osptest import Answer, Connection, both
from osptest.conf import ssl_proxy
from osptest.ways import WAYS, all_ways, server_of

INSIDE = "127.9.0.1"        # a client within OSProxyInternal
NTLM = "NTLM"
BASIC = 'Basic realm="a \\"quoted\\" realm, with Negotiate, in it", charset="UTF-8"'
DIGEST = 'Digest realm="x", nonce="Zm9v==", qop="auth, auth-int", opaque="", algorithm=MD5'

# what the app server sends, what an external client gets; one value for each field line
CHALLENGES = {
    "iis": (["Negotiate", "NTLM"], ["NTLM"]),
    "iis_other_order": (["NTLM", "Negotiate"], ["NTLM"]),
    "case": (["nEGOTIATE", "ntlm"], ["ntlm"]),
    "nego2_and_kerberos": (["Nego2", "Kerberos", "NTLM"], ["NTLM"]),
    "joined": (["Negotiate, NTLM"], ["NTLM"]),
    "joined_last": (["NTLM, Negotiate"], ["NTLM"]),
    "joined_middle": ([f"{BASIC}, Negotiate, {DIGEST}"], [f"{BASIC}, {DIGEST}"]),
    "joined_tight": (["NTLM,Negotiate,Nego2"], ["NTLM"]),
    "token68": (["Negotiate YIIBhg/+==, NTLM TlRMTVNTUAACAAAA="], ["NTLM TlRMTVNTUAACAAAA="]),
    "own_line_token68": (["Negotiate oRQwEqADCgEB", NTLM], ["NTLM"]),
    "parameters_of_negotiate": (['Negotiate realm="x, NTLM", a=b, NTLM'], ["NTLM"]),
    "quoted_names": ([BASIC, "Negotiate", DIGEST], [BASIC, DIGEST]),
    "quoted_backslash": (['Basic realm="a\\\\", Negotiate', NTLM], ['Basic realm="a\\\\"', NTLM]),
    "negotiate_only_in_quotes": (['Basic realm="Negotiate"'], ['Basic realm="Negotiate"']),
    "longer_names_stay": (["NegotiateX", "XNegotiate", "Negotiate-2"],
                          ["NegotiateX", "XNegotiate", "Negotiate-2"]),
    "parameter_called_negotiate": (['Basic realm="x", Negotiate=1'],
                                   ['Basic realm="x", Negotiate=1']),
    "empty_elements": ([", ,Negotiate, ,NTLM,"], ["NTLM,"]),
    "untouched_spacing": (['Basic  realm="x"  ,  charset="UTF-8"', "Negotiate"],
                          ['Basic  realm="x"  ,  charset="UTF-8"']),
    "unterminated_quote": (['Basic realm="x, Negotiate', "Negotiate", NTLM],
                           ['Basic realm="x, Negotiate', NTLM]),
    "empty_line": (["", "Negotiate", "NTLM"], ["", "NTLM"]),
    "tab": (["Negotiate\t,\tNTLM"], ["NTLM"]),
    "eight_bit": (['Basic realm="\xe9\xff", Negotiate'], ['Basic realm="\xe9\xff"']),
    "bearer": (['Bearer realm="r", error="invalid_token"', "Negotiate"],
               ['Bearer realm="r", error="invalid_token"']),
}


def site(address, mpm, farm, head="OSProxyEngine On", inside=f"OSProxyInternal {INSIDE}/16\n"):
    url = farm["http"].url
    body = ssl_proxy() + all_ways(mpm, farm) + inside
    for path, extra in {
            "override": "ProxyErrorOverride On",
            "override401": "ProxyErrorOverride On 401",
            "document": "ProxyErrorOverride On\nErrorDocument 401 /page.html",
            "text": 'ProxyErrorOverride On\nErrorDocument 401 "sign in, please"',
            "proxied": "ProxyErrorOverride On\nErrorDocument 401 /ProxyPass/error",
            "off": 'OSProxyRule negotiate off "all clients are in the domain"' if head else "",
            "report": "OSProxyRule negotiate report" if head else "",
            "own": 'AuthType Basic\nAuthName "front end"\nAuthBasicProvider file\n'
                   f"AuthUserFile {address}.users\nRequire valid-user\n"
                   "Header always add WWW-Authenticate Negotiate",
            "large": "",
    }.items():
        size = "responsefieldsize=131072" if path == "large" else ""
        body += f"<Location /{path}/>\n{extra}\nProxyPass {url}/{path}/ {size}\n</Location>\n"
    body += f"ProxyPass /upgrade/ {url}/upgrade/ upgrade=websocket\n"
    body += f"ProxyPass /ws/ ws://{farm['http'].address}/ws/\n"
    body = "ProxyPass /page.html !\nProxyPass /site/ !\n" + body
    body += "<Location /site/>\nRequire all denied\nHeader always set X-Site yes\n</Location>\n"
    return both(address, "ProxyPreserveHost On\n" + body, head=head)


def run(start, mpm, farm, **options):
    plain = options.pop("plain", False)
    if plain:
        options |= {"head": "", "inside": ""}
    httpd = start(lambda address: site(address, mpm, farm, **options), module=not plain)
    (httpd.dir / "htdocs/page.html").write_text("a page of the front end's own\n")
    return httpd


@pytest.fixture(scope="module")
def front(start, mpm, farm):
    return run(start, mpm, farm)


@pytest.fixture(scope="module")
def plain(start, mpm, farm):
    return run(start, mpm, farm, plain=True)


def offer(server, *lines, status=401, body=b"sign in\n"):
    server.answer = Answer(status, [("Server", "Microsoft-IIS/10.0")]
                           + [("WWW-Authenticate", line) for line in lines], body)


def challenges(answer):
    return answer.all("WWW-Authenticate")


# ---- what goes and what stays

@pytest.mark.parametrize("name", CHALLENGES)
def test_negotiate_goes_and_the_rest_is_byte_for_byte(front, backend, name):
    sent, kept = CHALLENGES[name]
    offer(backend, *sent)
    answer = front.ask("http", "/ProxyPass/")
    assert challenges(answer) == kept
    assert (answer.status, answer.body) == (401, b"sign in\n")


@pytest.mark.parametrize("name", CHALLENGES)
def test_plain_httpd_passes_them_all(plain, backend, name):
    sent, _ = CHALLENGES[name]
    offer(backend, *sent)
    assert challenges(plain.ask("http", "/ProxyPass/")) == [line.strip(" \t") for line in sent]


@pytest.mark.parametrize("name", CHALLENGES)
def test_internal_clients_get_every_byte(front, backend, name):
    sent, _ = CHALLENGES[name]
    offer(backend, *sent)
    answer = front.ask("http", "/ProxyPass/", source=INSIDE)
    assert challenges(answer) == [line.strip(" \t") for line in sent]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("way", WAYS)
def test_by_every_way_and_client(front, farm, client, way, method):
    front.allow_log("OSP05")
    server = server_of(way, farm)
    offer(server, "Negotiate", BASIC, NTLM)
    body = b"a=b" if method == "POST" else b""
    with front.counting("negotiate", client=client) as count:
        answer = front.ask(client, f"/{way}/x", method=method, body=body)
    assert answer.status == 401
    assert challenges(answer) == [BASIC, NTLM]
    assert count.all == {"acted": 1, "reported": 0, "refused": 0}


@pytest.mark.parametrize("path", ["upgrade", "ws"])
def test_a_websocket_handshake_that_needs_credentials(front, backend, path):
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    backend.answer = lambda _: Answer(401, [("WWW-Authenticate", "Negotiate"),
                                            ("WWW-Authenticate", NTLM)])
    with Connection(front.address) as connection:
        answer = connection.request(f"/{path}/x", headers=upgrade)
    assert (answer.status, challenges(answer)) == (401, [NTLM])


def test_a_chunked_answer_and_several_on_one_connection(front, backend):
    raw = (b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\n"
           b"WWW-Authenticate: NTLM\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    backend.answer = Answer(raw=raw)
    with Connection(front.address) as connection:
        for _ in range(3):
            answer = connection.request("/ProxyPass/")
            assert (challenges(answer), answer.body) == ([NTLM], b"abcdefg")


# ---- what is never touched

@pytest.mark.parametrize("status", [200, 302, 403, 404, 500])
def test_other_statuses_keep_it(front, backend, status):
    offer(backend, "Negotiate oRQwEqADCgEBoQsGCSqGSIL3EgECAg==", NTLM, status=status)
    assert challenges(front.ask("http", "/ProxyPass/")) == [
        "Negotiate oRQwEqADCgEBoQsGCSqGSIL3EgECAg==", NTLM]


def test_proxy_authenticate_is_left_to_httpd(front, plain, backend):
    for httpd in (plain, front):
        backend.answer = Answer(407, [("Proxy-Authenticate", "Negotiate"),
                                      ("WWW-Authenticate", "Negotiate")])
        answer = httpd.ask("http", "/ProxyPass/")
        seen = (answer.status, answer.all("Proxy-Authenticate"), challenges(answer))
        if httpd is plain:
            expected = seen
    assert seen == expected


def test_other_fields_of_the_401_stay(front, backend):
    fields = [("X-Powered-By", "ASP.NET"), ("Set-Cookie", "a=1; HttpOnly"), ("Set-Cookie", "b=2"),
              ("X-Info", "Negotiate, NTLM"), ("WWW-Authenticate-X", "Negotiate")]
    backend.answer = Answer(401, fields + [("WWW-Authenticate", "Negotiate, NTLM")])
    answer = front.ask("http", "/ProxyPass/")
    for name, value in fields:
        assert value in answer.all(name), name


def test_challenges_of_the_front_end_stay(front, plain, backend):
    """Basic by mod_auth_basic and a Negotiate of the administrator's own."""
    for httpd in (plain, front):
        answer = httpd.ask("http", "/own/x")
        assert answer.status == 401
        assert sorted(challenges(answer)) == ['Basic realm="front end"', "Negotiate"]
    assert backend.requests == []


# ---- ProxyErrorOverride

@pytest.mark.parametrize("path,body", [("override", "credentials required"), ("override401", "required"),
                                       ("document", "front end's own"), ("text", "sign in, pl")])
def test_the_other_challenges_survive_proxy_error_override(front, backend, client, path, body):
    offer(backend, "Negotiate", NTLM, BASIC)
    answer = front.ask(client, f"/{path}/x")
    assert answer.status == 401
    assert challenges(answer) == [NTLM, BASIC]
    assert body in answer.text


@pytest.mark.parametrize("path", ["override", "document"])
def test_internal_clients_get_all_challenges_with_proxy_error_override(front, backend, path):
    offer(backend, "Negotiate", NTLM, BASIC)
    assert challenges(front.ask("http", f"/{path}/x", source=INSIDE)) == ["Negotiate", NTLM, BASIC]


@pytest.mark.parametrize("path", ["override", "document"])
def test_plain_httpd_loses_all_but_the_first_with_proxy_error_override(plain, backend, path):
    offer(backend, "Negotiate", NTLM, BASIC)
    assert challenges(plain.ask("http", f"/{path}/x")) == ["Negotiate"]


def test_an_error_document_that_is_proxied_brings_no_negotiate(front, backend):
    """The page for 401 comes from an app server that answers 401 itself."""
    offer(backend, "Negotiate", NTLM)
    answer = front.ask("http", "/proxied/x")
    assert answer.status == 401 and "Negotiate" not in challenges(answer)
    assert [request.target for request in backend.requests] == ["/proxied/x", "/ProxyPass/error"]


# ---- hostile input

HOSTILE = {
    "64_kb_token": ["Negotiate " + "A" * 64000, NTLM],
    "64_kb_quoted": ['Basic realm="' + "\\\"," * 21000 + '"', "Negotiate", NTLM],
    "thousands_of_negotiate": ["Negotiate," * 6000 + NTLM],
    "thousands_of_others": ["X" + ",X" * 30000, "Negotiate", NTLM],
    "commas": ["," * 64000, "Negotiate", NTLM],
    "open_quotes": ['a="' * 20000, "Negotiate", NTLM],
    "spaces": ["Negotiate" + " " * 64000 + ", NTLM"],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_challenges_are_judged_quickly(front, backend, name):
    offer(backend, *HOSTILE[name])
    start = time.monotonic()
    answer = front.ask("http", "/large/x")
    assert time.monotonic() - start < 3
    assert answer.status == 401
    assert challenges(answer)[-1] == NTLM
    assert "Negotiate" not in challenges(answer)
    if name in ("64_kb_quoted", "thousands_of_others", "commas", "open_quotes"):
        assert challenges(answer)[0] == HOSTILE[name][0]


def test_hundreds_of_lines(front, backend):
    offer(backend, *["Negotiate", NTLM] * 49)
    assert challenges(front.ask("http", "/ProxyPass/")) == [NTLM] * 49


def test_malformed_answers_do_no_harm(front, backend):
    front.allow_log("AH|OSP0301")
    for head in (b"WWW-Authenticate\r\n", b"WWW-Authenticate : Negotiate\r\n",
                 b"WWW-Authenticate: Negotiate\x00NTLM\r\n", b"WWW-Authenticate:\r\n Negotiate\r\n",
                 b"WWW-Authenticate: NTLM\r\n\tNegotiate\r\n"):
        # Said, not only done: httpd would use the connection again, and lose a race with its end.
        backend.answer = Answer(raw=b"HTTP/1.1 401 No\r\nConnection: close\r\n" + head
                                + b"Content-Length: 2\r\n\r\nno", close=True)
        answer = front.ask("http", "/ProxyPass/")
        assert answer.status in (401, 500, 502)
        assert "Negotiate" not in challenges(answer), head
    offer(backend, "Negotiate", NTLM)
    assert challenges(front.ask("http", "/ProxyPass/")) == [NTLM]


# ---- nothing left, Report, off

def test_the_administrator_is_told_when_nothing_is_left(start, mpm, farm, backend):
    httpd = run(start, mpm, farm)
    offer(backend, "Negotiate")
    httpd.expect_log(r"\[osproxy:warn\].*OSP0301")
    with httpd.counting("negotiate") as count:
        answer = httpd.ask("http", "/ProxyPass/")
    assert (answer.status, challenges(answer)) == (401, [])
    assert count.all == {"acted": 1, "reported": 0, "refused": 0}


def test_nothing_left_with_proxy_error_override_is_told_too(start, mpm, farm, backend):
    httpd = run(start, mpm, farm)
    offer(backend, "Negotiate, Kerberos")
    httpd.expect_log("OSP0301")
    answer = httpd.ask("http", "/override/x")
    assert (answer.status, challenges(answer)) == (401, [])


def test_off_and_report_pass_everything(front, backend):
    front.allow_log("OSP0302")
    for path, counts in (("off", (0, 0, 0)), ("report", (0, 1, 0))):
        offer(backend, "Negotiate", NTLM)
        with front.counting("negotiate") as count:
            assert challenges(front.ask("http", f"/{path}/x")) == ["Negotiate", NTLM]
        assert tuple(count.all.values()) == counts, path


def test_internal_clients_and_clean_answers_are_not_counted(front, backend):
    with front.counting("negotiate") as count:
        offer(backend, "Negotiate", NTLM)
        front.ask("http", "/ProxyPass/", source=INSIDE)
        offer(backend, NTLM)
        front.ask("http", "/ProxyPass/")
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}
