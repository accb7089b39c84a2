"""conf.d/recipes/consoles.conf: consoles are closed, what phones and browsers call is open."""
import pytest

from osptest import ask

CLOSED = ("/ServiceCenter/", "/servicecenter/Default.aspx", "/lifetime", "/LifeTimeSDK/rest/v2", "/Users/",
          "/server.api/v1", "/server.identity/", "/PerformanceMonitor/", "//ServiceCenter/", "/%53erviceCenter/")
OPEN = ("/NativeAppBuilder/Download", "/SecurityUtils/rest/CSPReport", "/PerformanceProbe/rest/BeaconInternal/x",
        "/MyApp/", "/Portal/Home.aspx")


@pytest.fixture(scope="module")
def front(serve, apps):
    return serve("https-offload", OSP_SERVER=apps("1").hosts[0])


@pytest.fixture(scope="module")
def inside(serve, apps):
    """The same, with the client's address among the internal ones."""
    return serve("https-offload", OSP_SERVER=apps("1").hosts[0], before="OSProxyInternal 127.0.0.0/8\n")


@pytest.mark.parametrize("path", CLOSED)
def test_closed_for_the_world(front, path):
    front.log.allow("AH01630")
    assert ask(front.address, "https", path).status == 403


@pytest.mark.parametrize("path", CLOSED[:8])
def test_open_for_internal_clients(inside, path):
    assert ask(inside.address, "https", path).status != 403


@pytest.mark.parametrize("path", OPEN)
def test_what_apps_need_stays_open(front, path):
    assert ask(front.address, "https", path).status not in (403, 503)
