"""domain-https at run time: plain http for a Reactive or Mobile module goes to https."""
import pytest

from osptest import Connection, both, curl, raw, vhost

NAME = "apps.example.com"
HOP = "127.8.0.1"
MODULES = "OSProxyModule React reactive\nOSProxyModule Mob mobile\nOSProxyModule Trad traditional\n"


def site(address, farm, head="OSProxyEngine On"):
    url = farm["http"].url
    body = f"RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy {HOP}\nProxyPreserveHost On\n"
    body += f"ProxyPass /page.html !\nProxyPass / {url}/\n" + (MODULES if head else "")
    more = ('<Location /React/locked/>\nAuthType Basic\nAuthName "x"\nAuthBasicProvider file\n'
            f"AuthUserFile {address}.users\nRequire valid-user\n</Location>\n"
            "<Location /React/document/>\nErrorDocument 403 /page.html\n</Location>\n")
    if head:
        more += ('<Location /React/off/>\nOSProxyRule domain-https off "a test"\n</Location>\n'
                 "<Location /React/report/>\nOSProxyRule domain-https report\n</Location>\n")
    conf = both(address, body + more, alias=("www.example.com", "*.wild.example.com"), head=head)
    conf += vhost(address, body, name="lonely.example.com", head=head)
    conf += vhost(address, body, name="clear.example.com", head=head)
    conf += vhost(address, "SSLEngine off\n" + body, name="clear.example.com", port=443,
                  secure=False, head=head).replace(f"{address}:443", f"{address}:444")
    domain = "OSProxyDomain nowhere.example.com www.example.com\n" if head else ""
    conf += vhost(address, domain + body, name="points.example.com", head=head)
    return f"Listen {address}:444\n" + conf


@pytest.fixture(scope="module")
def front(start, farm):
    httpd = start(lambda address: site(address, farm))
    (httpd.dir / "htdocs/page.html").write_text("a page of the front end's own\n")
    return httpd


@pytest.fixture(scope="module")
def plain(start, farm):
    return start(lambda address: site(address, farm, head=""), module=False)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/React/", "/React", "/Mob/x?a=b", "/React/%7E//a%2Fb;c?d=%2F&",
                                    "/react/x", "/%52eact/x", "/React?"])
def test_get_and_head_are_redirected_byte_for_byte(front, backend, target, method):
    with front.counting("domain-https") as count:
        answer = front.ask("http", target, method=method)
    assert (answer.status, answer.get("Location")) == (308, f"https://{NAME}{target}")
    assert backend.requests == []
    assert count.all == {"acted": 1, "reported": 0, "refused": 0}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_other_methods_are_refused_with_a_clear_answer(front, backend, method):
    with front.counting("domain-https") as count:
        answer = front.ask("http", "/React/screenservices/x", method=method,
                           body=b"a=b" if method in ("POST", "PUT", "PATCH") else b"")
    assert answer.status == 403
    assert "https" in answer.text
    assert backend.requests == []
    assert count.all == {"acted": 0, "reported": 0, "refused": 1}


def test_an_error_document_of_the_administrator_stands(front):
    answer = front.ask("http", "/React/document/x", method="POST", body=b"a=b")
    assert (answer.status, answer.text) == (403, "a page of the front end's own\n")


def test_plain_httpd_serves_it_over_http(plain, backend):
    assert plain.ask("http", "/React/").status == 200
    assert len(backend.requests) == 1


@pytest.mark.parametrize("host,goes_to", [
    ("www.example.com", "www.example.com"), ("one.wild.example.com", "one.wild.example.com"),
    ("APPS.example.com", NAME), (f"{NAME}:80", NAME), ("evil.example.net", NAME),
    ("points.example.com", "www.example.com"), (None, NAME)])
def test_the_redirect_goes_to_a_name_that_has_https(front, host, goes_to):
    if host is None:
        answer = raw(front.address, b"GET /React/x HTTP/1.0\r\n\r\n")
    else:
        answer = front.ask("http", "/React/x", host=host)
    assert answer.status == 308
    assert answer.get("Location").lower() == f"https://{goes_to}/React/x".lower()


def test_an_absolute_uri_of_a_stranger_goes_to_the_site(front):
    answer = raw(front.address, b"GET http://evil.example.net/React/x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (answer.status, answer.get("Location")) == (308, f"https://{NAME}/React/x")


def test_credentials_are_not_asked_for_in_clear(front):
    assert front.ask("http", "/React/locked/x").status == 308


def test_a_websocket_over_plain_http_is_redirected(front, backend):
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    with Connection(front.address) as connection:
        assert connection.request("/React/socket", headers=upgrade).status == 308
    assert backend.requests == []


@pytest.mark.parametrize("host", ["lonely.example.com", "clear.example.com"])
def test_without_https_anywhere_it_passes_and_is_reported(front, backend, host):
    """TLS on another port than 443, or no TLS there, does not count."""
    front.allow_log("OSP0802")
    for method in ("GET", "POST"):
        with front.counting("domain-https", name=host) as count:
            assert front.ask("http", "/React/x", host=host, method=method).status == 200
        assert count.all == {"acted": 0, "reported": 1, "refused": 0}
    assert len(backend.requests) == 2


def test_a_report_says_that_https_is_missing(start, farm):
    httpd = start(lambda address: site(address, farm))
    httpd.expect_log(r"\[osproxy:warn\].*OSP0802: \[domain-https\].*lonely\.example\.com")
    httpd.ask("http", "/React/x", host="lonely.example.com")


def test_modules_of_unknown_kind_are_only_counted(front, backend):
    with front.counting("domain-https") as count:
        assert front.ask("http", "/Unknown/x").status == 200
    assert count.all == {"acted": 0, "reported": 1, "refused": 0}


def test_traditional_modules_and_https_are_not_counted(front, backend):
    with front.counting("domain-https") as count:
        assert front.ask("http", "/Trad/x").status == 200
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}
    with front.counting("domain-https", client="https") as count:
        assert front.ask("https", "/React/x").status == 200
        assert front.ask("https", "/Unknown/x").status == 200
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}
    assert len(backend.requests) == 3


# ---- a trusted hop in front that has ended TLS

def via_hop(front, proto, **request):
    headers = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", proto)]
    return front.ask("http", "/React/x", source=HOP, headers=headers, **request)


def test_a_trusted_hop_that_ended_tls_is_believed_and_nothing_loops(front, backend):
    for _ in range(2):
        assert via_hop(front, "https").status == 200
    assert [request.get("X-Forwarded-Proto") for request in backend.requests] == ["https"] * 2
    assert via_hop(front, "https", method="POST", body=b"x").status == 200


def test_a_trusted_hop_that_says_http_is_redirected(front, backend):
    assert via_hop(front, "http").status == 308
    assert backend.requests == []


def test_a_trusted_hop_that_says_nothing_cannot_loop(front, backend):
    front.expect_log(r"OSP0803: \[domain-https\].*127\.8\.0\.1")
    with front.counting("domain-https") as count:
        for proto in ("", "gopher"):
            assert via_hop(front, proto).status == 200
        assert via_hop(front, "https", method="POST").status == 200
        assert front.ask("http", "/React/x", source=HOP, method="POST", body=b"x",
                         headers=[("X-Forwarded-For", "203.0.113.9")]).status == 200
    assert count.all == {"acted": 0, "reported": 3, "refused": 0}
    assert len(backend.requests) == 4


def test_what_came_over_the_proxy_protocol_cannot_loop(start, backend):
    """A hop that ended TLS has written the field, or a client behind one that passes bytes on."""
    httpd = start(lambda address: both(
        address, f"RemoteIPProxyProtocol On\n{MODULES}ProxyPass / {backend.url}/\n"))
    httpd.expect_log(r"OSP0803: \[domain-https\].*127\.0\.0\.1")

    def ask(**request):
        with Connection(httpd.address) as connection:
            connection.send(b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n")
            return connection.request("/React/x", **request).status
    told = [("X-Forwarded-Proto", "https")]
    assert ask(headers=told) == 200
    assert ask(headers=told, method="POST", body=b"x") == 200
    assert [request.get("X-Forwarded-Proto") for request in backend.requests] == ["http"] * 2
    for headers in ([], [("X-Forwarded-Proto", "http")], [("X-Forwarded-Proto", "https, http")]):
        assert ask(headers=headers) == 308


def test_a_stranger_is_not_believed(front, backend):
    for source in ("127.7.0.1", "127.0.0.1"):
        answer = front.ask("http", "/React/x", source=source,
                           headers=[("X-Forwarded-For", "203.0.113.9"),
                                    ("X-Forwarded-Proto", "https")])
        assert answer.status == 308
    assert front.ask("http", "/React/x", source=HOP,
                     headers=[("X-Forwarded-Proto", "https")]).status == 308


def test_following_the_redirect_arrives(front, backend):
    code, out, err = curl(front.address, f"http://{NAME}/React/x?y", "-L", "-w", "%{url_effective}")
    assert (code, err) == (0, "")
    assert out.endswith(f"https://{NAME}/React/x?y")
    assert backend.the_request().get("X-Forwarded-Proto") == "https"


# ---- opt-out, Report

def test_off_and_report_serve_over_http(front, backend):
    front.allow_log("OSP0801")
    for word, reported in (("off", 0), ("report", 1)):
        for method in ("GET", "POST"):
            with front.counting("domain-https") as count:
                assert front.ask("http", f"/React/{word}/x", method=method).status == 200
            assert count.all == {"acted": 0, "reported": reported, "refused": 0}, word
    assert len(backend.requests) == 4
