"""conf.d/recipes/several-domains.conf: each domain has its apps and no other's, both have what they share,
and who asks for no name of ours gets nothing, on both ports."""
import pytest

from osptest import ask, raw
from recipe import intact

SALES, SUPPORT = "sales.example.com", "support.example.com"
OWN = {SALES: ("/MyApp/", "/MyApp/Home", "/MyApp/scripts/OutSystems.js", "/MyApp/moduleservices/moduleinfo"),
       SUPPORT: ("/Portal/Home.aspx", "/Login/Login.aspx", "/RichWidgets/img/close.svg")}
SHARED = ("/OutSystemsUI/css/OutSystemsUI.css", "/ImageRepository/img/logo.svg")
UNKNOWN = ("evil.example", "127.0.0.1", "sales.example.com.evil.example", "www.sales.example.com",
           "unknown.invalid")


def other(domain):
    return SUPPORT if domain == SALES else SALES


@pytest.fixture(scope="module")
def front(serve, farm):
    return serve("several-domains", OSP_SERVER=farm.hosts[0], h2=True)


@pytest.fixture(scope="module")
def recorded(serve, app):
    return serve("several-domains", configtest=False, OSP_SERVER=app.address, h2=True)


@pytest.mark.parametrize("client", ["https", "h2"])
@pytest.mark.parametrize("domain", OWN)
def test_a_domain_has_its_apps_and_what_they_refer_to(front, domain, client):
    for path in OWN[domain] + SHARED:
        assert ask(front.address, client, path, host=domain).status == 200, path


@pytest.mark.parametrize("client", ["https", "h2"])
@pytest.mark.parametrize("domain", OWN)
def test_an_app_of_one_domain_is_not_reachable_on_the_other(recorded, app, domain, client):
    for path in (*OWN[domain], "/MyMobile/", "/Echo/", "/Users"):
        recorded.log.allow("AH01630")
        assert ask(recorded.address, client, path, host=other(domain)).status in (403, 404), path
    assert app.requests == []


@pytest.mark.parametrize("path", ["/OutSystemsUI/../MyApp/", "/OutSystemsUI/%2e%2e/MyApp/",
                                  "/OutSystemsUI/..%2fMyApp/", "/OutSystemsUI/..%5CMyApp/",
                                  "/OutSystemsUI\\..\\MyApp/", "//MyApp/"])
def test_no_way_of_writing_leads_to_the_other_s_app(recorded, app, path):
    recorded.log.allow("OSP0501|AH10244|AH00026")
    assert ask(recorded.address, "https", path, host=SUPPORT).status in (400, 404)
    assert app.requests == []


@pytest.mark.parametrize("client", ["http", "https"])
@pytest.mark.parametrize("host", UNKNOWN)
@pytest.mark.parametrize("path", ["/", "/MyApp/", "/Portal/Home.aspx", "/OutSystemsUI/css/OutSystemsUI.css",
                                  "/index.html"])
def test_unknown_names_get_nothing(recorded, app, client, host, path):
    answer = ask(recorded.address, client, path, host=host)
    assert (answer.status, answer.get("Location")) == (404, None)
    assert b"example.com" not in answer.body.replace(host.encode(), b"")
    assert app.requests == []


def test_no_name_at_all_gets_nothing(recorded, app):
    assert raw(recorded.address, b"GET /MyApp/ HTTP/1.0\r\n\r\n").status == 404
    assert raw(recorded.address, b"GET /MyApp/ HTTP/1.0\r\n\r\n", secure=True, sni=None).status == 404
    assert app.requests == []


@pytest.mark.parametrize("client", ["https", "h2"])
def test_a_name_of_ours_in_the_handshake_opens_nothing_else(recorded, app, client):
    """The connection is set up for one domain; the request names another one, or nobody's."""
    recorded.log.allow("AH02032")
    for host, path in (("evil.example", "/MyApp/"), (SUPPORT, "/MyApp/"), (SALES, "/Portal/Home.aspx")):
        assert ask(recorded.address, client, path, host=host, sni=SALES).status in (404, 421), host
    assert app.requests == []


@pytest.mark.parametrize("client", ["https", "h2"])
@pytest.mark.parametrize("domain,start", [(SALES, "/MyApp/"), (SUPPORT, "/Portal/")])
def test_each_domain_has_its_start_page(front, client, domain, start):
    answer = ask(front.address, client, "/", host=domain)
    assert (answer.status, answer.get("Location")) == (302, f"https://{domain}{start}")


@pytest.mark.parametrize("domain", OWN)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_http_leads_to_https_of_the_same_domain(front, domain, method):
    answer = ask(front.address, "http", "/MyApp/Home?a=%2Fb", host=domain, method=method)
    assert (answer.status, answer.get("Location")) == (308, f"https://{domain}/MyApp/Home?a=%2Fb")


def test_pages_carry_the_name_of_their_domain(front):
    page = ask(front.address, "https", "/Portal/Home.aspx", host=SUPPORT)
    assert b'href="https://support.example.com/Portal/Detail.aspx?Id=1"' in page.body


@pytest.mark.parametrize("client", ["https", "h2"])
def test_a_reactive_app_keeps_its_bytes(front, client):
    assert intact(front, "MyApp", client, host=SALES) > 10
