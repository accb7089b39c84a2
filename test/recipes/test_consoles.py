"""conf.d/recipes/consoles.conf: consoles are closed, health pages are for load balancers, what phones and
browsers call is open; however the path is spelt."""
import pytest

from osptest import ask

CONSOLES = ("ServiceCenter", "lifetime", "LifeTimeSDK", "LifeTimeCore", "lifetimeapi", "LifeTimeServices",
            "PerformanceMonitor", "server.api", "server.identity", "Users")
CLOSED = (*(f"/{name}/" for name in CONSOLES), *(f"/{name}" for name in CONSOLES),
          "/servicecenter/Default.aspx", "/LIFETIME/", "/LifeTime/x", "/LifeTimeSDK/rest/v2", "/SERVER.API/v1",
          "/ServiceCenter?x=1")
# Spellings of a console: each must give anything but the console.
SPELT = ("//ServiceCenter/", "/%53erviceCenter/", "/ServiceCenter%2f", "/%2fServiceCenter/", "/./ServiceCenter/",
         "/MyApp/../ServiceCenter/", "/MyApp/%2e%2e/ServiceCenter/", "/MyApp/..%2fServiceCenter/",
         "/MyApp/..%5cServiceCenter/", "/MyApp/..\\ServiceCenter/", "/\\ServiceCenter/", "/%5cServiceCenter/",
         "/ServiceCenter\\Default.aspx", "/ServiceCenter;a=b/", "/ServiceCenter;.css", "/MyApp;/../ServiceCenter/",
         "/ServiceCenter./", "/ServiceCenter%20/", "/ServiceCenter..", "/ServiceCenter::$DATA",
         "/%2553erviceCenter/", "/%u0053erviceCenter/", "/ServiceCenter%00/", "/MyApp/.././ServiceCenter/",
         "/server%2eapi/v1", "/MyApp//..//ServiceCenter//", "/%c0%afServiceCenter/")
OPEN = ("/NativeAppBuilder/Download", "/SecurityUtils/rest/CSPReport", "/PerformanceProbe/rest/BeaconInternal/x",
        "/MyApp/", "/MyApp/ServiceCenter", "/MyApp/moduleservices/ping", "/Portal/Home.aspx", "/UsersPortal/",
        "/Portal/Home.aspx?url=/ServiceCenter/", "/RichWidgets/", "/lifetimes/")
HEALTH = ("/ServiceCenter/_ping.html", "/MyApp/_ping.html", "/Portal/_ping.aspx", "/Portal/_status.aspx",
          "/Portal/_STATUS.aspx", "/Portal/%5fstatus.aspx", "/Portal//_status.aspx", "/Portal/_status.aspx/x",
          "/Portal/_status.aspx?a=1", "/Portal/_status.aspx;a=b", "/Portal\\_status.aspx", "/Portal/_status.aspx.")
CLIENTS = ("http", "https", "h2")
LOG = "AH01630|OSP0501|OSP0502|AH10244|AH00026|AH10508"


@pytest.fixture(scope="module")
def front(serve, farm):
    return serve("https-offload", OSP_SERVER=farm.hosts[0], h2=True)


@pytest.fixture(scope="module")
def inside(serve, farm):
    """The same, with the client's address among the internal ones."""
    return serve("https-offload", OSP_SERVER=farm.hosts[0], before="OSProxyInternal 127.0.0.0/8\n")


@pytest.fixture(scope="module")
def balancer(serve, farm):
    """The same, asked by a load balancer."""
    return serve(several={"consoles": {"OSP_BALANCERS": "127.0.0.0/8"}, "https-offload": {"OSP_SERVER": farm.hosts[0]}})


@pytest.mark.parametrize("client", CLIENTS)
def test_closed_for_the_world(front, client):
    front.log.expect("AH01630")
    for path in CLOSED:
        assert ask(front.address, client, path).status == 403, path


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("path", SPELT)
def test_no_spelling_leads_to_a_console(front, client, path):
    front.log.allow(LOG)
    answer = ask(front.address, client, path)
    assert answer.status in (400, 403, 404, 421) and b"Console on" not in answer.body, answer.raw
    assert b'"service"' not in answer.body


def test_an_absolute_address_leads_to_no_console(front):
    front.log.expect("AH01630")
    for path in ("http://apps.example.com/ServiceCenter/", "https://apps.example.com//servicecenter/"):
        assert ask(front.address, "https", path).status == 403


def test_open_for_internal_clients(inside):
    for path in CLOSED:
        answer = ask(inside.address, "https", path)
        assert answer.status == 200 and (b"Console on" in answer.body or b'"service"' in answer.body), path
    for path in ("/ServiceCenter/_ping.html", "/Portal/_status.aspx"):
        assert ask(inside.address, "https", path).status == 200


@pytest.mark.parametrize("client", CLIENTS)
def test_what_apps_need_stays_open(front, client):
    for path in OPEN:
        assert ask(front.address, client, path).status in (200, 302, 404), path


@pytest.mark.parametrize("client", CLIENTS)
def test_health_pages_are_closed_for_the_world(front, client):
    front.log.allow(LOG)
    for path in HEALTH:
        assert ask(front.address, client, path).status in (400, 403), path


def test_health_pages_are_open_for_load_balancers_and_nothing_else_is(balancer):
    for path in HEALTH[:4]:
        assert ask(balancer.address, "https", path).status == 200, path
    balancer.log.expect("AH01630")
    for path in ("/ServiceCenter/", "/Users/"):
        assert ask(balancer.address, "https", path).status == 403, path
    balancer.log.allow(LOG)
    for path in ("/ServiceCenter/_ping.html/../Default.aspx", "/ServiceCenter/_ping.html/..%2fDefault.aspx",
                 "/ServiceCenter/_ping.html%2f..%5cDefault.aspx", "/ServiceCenter/_ping.html/..\\Default.aspx"):
        assert b"Console on" not in ask(balancer.address, "https", path).body, path
