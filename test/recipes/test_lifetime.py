"""conf.d/recipes/lifetime.conf: LifeTime's own name and server, for internal clients; nothing of it shows at
the name of the apps."""
import pytest

from osptest import ask
from recipe import echo

NAME = "lifetime.example.com"
OUTSIDE, INSIDE = "127.0.0.77", "127.0.0.1"     # who asks
PATHS = ("/lifetime/", "/LifeTimeSDK/rest/v2", "/lifetimeapi/rest/v2/environments/",
         "/LifeTimeServices/", "/ServiceCenter/", "/PerformanceMonitor/")


@pytest.fixture(scope="module")
def servers(apps):
    """APP0 serves the apps, APP1 is LifeTime's."""
    return apps("1", "1")


@pytest.fixture(scope="module")
def front(serve, servers):
    return serve(several={"https-offload": {"OSP_SERVER": servers.hosts[0]},
                          "lifetime": {"OSP_LIFETIME_SERVER": servers.hosts[1]}},
                 before=f"OSProxyInternal {INSIDE}\n")


@pytest.mark.parametrize("path", PATHS)
def test_internal_clients_reach_lifetime_s_server(front, path):
    answer = ask(front.address, "https", path, host=NAME, source=INSIDE)
    assert answer.status == 200 and b"Console on APP1" in answer.body


@pytest.mark.parametrize("path", [*PATHS, "/", "/Echo/", "/anything"])
def test_nobody_else_does(front, servers, path):
    front.log.allow("AH01630")
    before = len(servers.requests(1))
    answer = ask(front.address, "https", path, host=NAME, source=OUTSIDE)
    assert answer.status in (302, 403) if path == "/" else answer.status == 403
    assert len(servers.requests(1)) == before


def test_a_claim_to_be_internal_does_not_help(front):
    front.log.allow("AH01630")
    answer = ask(front.address, "https", "/lifetime/", host=NAME, source=OUTSIDE,
                 headers=[("X-Forwarded-For", INSIDE), ("X-Real-IP", INSIDE), ("Forwarded", f"for={INSIDE}")])
    assert answer.status == 403


def test_the_start_page_is_lifetime(front):
    answer = ask(front.address, "https", "/", host=NAME, source=INSIDE)
    assert (answer.status, answer.get("Location")) == (302, f"https://{NAME}/lifetime/")


def test_the_name_of_the_apps_leads_to_the_other_server(front):
    """Also for internal clients, and with LifeTime's name in the TLS handshake or the other way round."""
    front.log.allow("AH02032")
    answer = ask(front.address, "https", "/lifetime/", host="apps.example.com", source=INSIDE)
    assert b"Console on APP0" in answer.body
    answer = ask(front.address, "https", "/Echo/", host="apps.example.com", source=OUTSIDE)
    assert b'"server": "APP0"' in answer.body
    front.log.allow("AH01630")
    answer = ask(front.address, "https", "/lifetime/", host=NAME, sni="apps.example.com", source=OUTSIDE)
    assert answer.status in (403, 421)


def test_lifetime_is_not_served_over_http(front, servers):
    before = len(servers.requests(1))
    ask(front.address, "http", "/lifetime/", host=NAME, source=INSIDE)
    assert len(servers.requests(1)) == before


def test_host_scheme_and_method_arrive(front):
    fields = echo(front, "https", "/Echo/", host=NAME, source=INSIDE, method="PATCH", body=b"{}")
    assert (fields["host"], fields["x-forwarded-proto"]) == ([NAME], ["https"])
