"""conf.d/recipes/server-obfuscation.conf: what is on the wire tells neither products nor internal names."""
import re

import pytest

from osptest import Answer, Connection, addresses, ask, curl, raw
from recipe import echo

TELLING = [("Server", "Microsoft-IIS/10.0"), ("X-Powered-By", "ASP.NET"), ("X-AspNet-Version", "4.0.30319"),
           ("X-AspNetMvc-Version", "5.2"), ("Via", "1.1 app1.internal"), ("X-SourceFiles", "c29tZQ==")]
PRODUCTS = re.compile(rb"IIS|ASP\.NET(?!_SessionId)|AspNet|4\.0\.30319|Debian|OpenSSL|Apache/|mod_|HTTPAPI",
                      re.I)
INTERNAL = re.compile(rb"internal|127\.|10\.1\.2\.3", re.I)


@pytest.fixture(scope="module")
def front(serve, app):
    return serve(several={"server-obfuscation": {}, "https-offload": {"OSP_SERVER": app.address}}, h2=True)


@pytest.fixture(scope="module")
def farm(serve, apps):
    return serve(several={"server-obfuscation": {}, "https-offload": {"OSP_SERVER": apps("1").hosts[0]}})


def server_of(answer):
    """Server headers, and that nothing tells more."""
    assert not PRODUCTS.search(answer.raw), answer.raw
    return answer.all("Server")


@pytest.mark.parametrize("client", ["http", "https", "h2"])
@pytest.mark.parametrize("status", [200, 302, 304, 403, 404, 500, 503])
def test_answers_of_the_app_server_tell_nothing(front, app, client, status):
    app.answer = Answer(status, TELLING, b"theirs")
    answer = ask(front.address, client, "/Portal/")
    assert answer.status == status and answer.body in (b"theirs", b"")
    assert server_of(answer) == ["Apache"]
    assert not [name for name, _ in answer.headers if name.lower().startswith(("via", "x-"))]


def test_the_demo_farm_behaves_as_before_but_silent(farm):
    for path in ("/MyApp/", "/Portal/Home.aspx", "/Nowhere/", "/WinAuth/", "/MyApp/scripts/OutSystems.js"):
        assert server_of(ask(farm.address, "https", path)) == ["Apache"], path
    code, out, _ = curl(farm.address, "https://apps.example.com/WinAuth/", "--ntlm", "-u",
                        "LAB\\alice:alicepw", "-H", "Via: 1.1 client.example.net")
    assert code == 0 and '"user": "LAB\\\\alice"' in out


def test_a_via_of_the_client_does_not_reach_the_app_server(farm):
    fields = echo(farm, headers=[("Via", "1.1 client.example.net")])
    assert "via" not in fields and fields["x-forwarded-server"] == ["apps.example.com"]


@pytest.mark.parametrize("name, value, wanted", [
    ("Location", "http://app1.internal/Portal/Home.aspx?a=1", "/Portal/Home.aspx?a=1"),
    ("Location", "https://APP2.internal:8443/x", "/x"),
    ("Location", "http://10.1.2.3", "/"),
    ("Location", "https://apps.example.com/x", "https://apps.example.com/x"),
    ("Location", "https://app1.internal.example.com/x", "https://app1.internal.example.com/x"),
    ("Location", "https://login.example.net/?back=http://app1.internal/x", None),
    ("Content-Location", "http://app1.internal/x", "/x"),
    ("Refresh", "3; url=http://app1.internal/x", "3; url=/x"),
    ("Link", "<http://app1.internal/a.css>; rel=preload, <http://10.1.2.3/b.js>; rel=preload",
     "</a.css>; rel=preload, </b.js>; rel=preload"),
    ("Set-Cookie", "a=b; path=/; Domain=app1.internal; secure", "a=b; path=/; secure"),
    ("Set-Cookie", "a=b; domain=.example.com", "a=b; domain=.example.com")])
@pytest.mark.parametrize("status", [200, 302])
def test_internal_names_leave_headers(front, app, name, value, wanted, status):
    app.answer = Answer(status, [(name, value)])
    answer = ask(front.address, "https", "/Portal/")
    # What stands in another site's URL is that site's.
    assert answer.get(name) == (wanted if wanted is not None else value)
    assert wanted is None or "example.com" in value or not INTERNAL.search(answer.raw)


def test_redirects_to_the_mapped_name_stay_absolute(front, app):
    app.answer = Answer(302, [("Location", f"http://{app.address}/Portal/Home.aspx")])
    answer = ask(front.address, "https", "/Portal/")
    assert answer.get("Location") == "https://apps.example.com/Portal/Home.aspx"


def nothing_internal(answer):
    assert not INTERNAL.search(answer.whole)
    assert not PRODUCTS.search(answer.whole), answer.whole
    assert answer.get("Server") == "Apache"


def test_a_server_that_is_gone_is_not_named(serve):
    for address, expected in ((addresses.next(), "AH00957"),
                              ("app1.internal.invalid", "AH00898|AH00890|AH01110")):
        front = serve(several={"server-obfuscation": {}, "https-offload": {"OSP_SERVER": address}},
                      configtest=False)
        front.log.expect(expected)
        front.log.allow("AH00959|AH01114|AH00898|AH00890|AH01110|AH00957")
        answer = ask(front.address, "https", "/Portal/")
        assert answer.status in (500, 502, 503) and b"Please try again later" in answer.body
        nothing_internal(answer)


def test_a_server_that_breaks_off_is_not_named(front, app):
    front.log.allow("AH01102|AH00898|AH01110")
    app.answer = Answer(raw=b"", close=True)
    answer = ask(front.address, "https", "/Portal/")
    assert answer.status == 502
    nothing_internal(answer)


@pytest.mark.parametrize("data, status", [
    (b"GET /ServiceCenter/ HTTP/1.1\r\nHost: apps.example.com\r\n\r\n", 403),
    (b"GET / HTTP/1.1\r\nHost: evil.example.net\r\n\r\n", None),
    (b"GET /a b HTTP/1.1\r\nHost: apps.example.com\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"TRACE / HTTP/1.1\r\nHost: apps.example.com\r\n\r\n", 405),
    (b"GET /%zz HTTP/1.1\r\nHost: apps.example.com\r\n\r\n", 400)])
def test_refusals_of_the_proxy_tell_nothing(front, app, data, status):
    front.log.allow("AH01630|AH10244|AH02429|AH0")
    app.answer = Answer()
    answer = raw(front.address, data, secure=True, sni="apps.example.com")
    assert status is None or answer.status == status
    assert answer.status != 200 or status is None
    nothing_internal(answer)


def test_errors_of_the_app_server_pass_as_they_are(front, app):
    for status in (400, 403, 500, 503):
        app.answer = Answer(status, [("X-Theirs", "yes")], b"theirs")
        with Connection(front.address, secure=True) as connection:
            answer = connection.request("/Portal/")
        assert (answer.status, answer.body, answer.get("X-Theirs")) == (status, b"theirs", "yes")
