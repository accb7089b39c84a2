"""forwarded-proto: the app server learns the client's real scheme, and nothing made up."""
import pytest

from osptest import Connection, both
from osptest.conf import ssl_proxy
from osptest.ways import WAYS, all_ways, server_of

HOP = "127.8.0.1"           # trusted by mod_remoteip
STRANGER = "127.7.0.1"
SPOOFED = [("X-Forwarded-Proto", "gopher"), ("X-Forwarded-For", "6.6.6.6"),
           ("X-Forwarded-For", "7.7.7.7:1234"), ("X-Forwarded-Host", "evil.example.net"),
           ("X-Forwarded-Server", "evil.example.net")]
VARIANTS = [("X_Forwarded_Proto", "gopher"), ("x-forwarded_proto", "gopher"),
            ("X-FORWARDED-PROTO", "gopher"), ("X_Forwarded_For", "6.6.6.6"),
            ("X-Forwarded_For", "6.6.6.6"), ("X_FORWARDED_HOST", "evil.example.net"),
            ("X-Forwarded_Server", "evil.example.net")]


def site(address, mpm, farm, head="OSProxyEngine On"):
    body = f"RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy {HOP}\n"
    body += "ProxyPreserveHost On\n" + ssl_proxy() + all_ways(mpm, farm)
    body += f"ProxyPass /upgrade/ {farm['http'].url}/upgrade/ upgrade=websocket\n"
    body += f"ProxyPass /ws/ ws://{farm['http'].address}/ws/\n"
    if head:
        body += ('<Location /ProxyPass/off/>\nOSProxyRule forwarded-proto off "a test"\n'
                 "</Location>\n<Location /ProxyPass/report/>\n"
                 "OSProxyRule forwarded-proto report\n</Location>\n")
    return both(address, body, head=head)


@pytest.fixture(scope="module")
def front(start, mpm, farm):
    return start(lambda address: site(address, mpm, farm))


@pytest.fixture(scope="module")
def plain(start, mpm, farm):
    return start(lambda address: site(address, mpm, farm, head=""), module=False)


def forwarded(request):
    """Every field of the request that an app server could read as X-Forwarded-something."""
    return {name: value for name, value in request.headers
            if name.lower().replace("_", "-").startswith("x-forwarded")}


def evil(request):
    return [value for _, value in request.headers
            if any(word in value for word in ("6.6.6.6", "7.7.7.7", "gopher", "evil"))]


def scheme_of(client):
    return "http" if client == "http" else "https"


# ---- the scheme

@pytest.mark.parametrize("way", WAYS)
def test_the_clients_scheme_arrives_once(front, farm, client, way):
    front.allow_log("OSP05")
    with front.counting("forwarded-proto", client=client) as count:
        assert front.ask(client, f"/{way}/x").status == 200
    request = server_of(way, farm).the_request()
    assert request.all("X-Forwarded-Proto") == [scheme_of(client)]
    assert count.all == {"acted": 1, "reported": 0, "refused": 0}


@pytest.mark.parametrize("way", WAYS)
def test_spoofed_copies_go(front, farm, client, way):
    front.allow_log("OSP05")
    headers = SPOOFED + ([] if client == "h2" else VARIANTS)
    assert front.ask(client, f"/{way}/x", headers=headers, source=STRANGER).status == 200
    request = server_of(way, farm).the_request()
    assert evil(request) == []
    assert request.all("X-Forwarded-Proto") == [scheme_of(client)]
    if not way.startswith("h2"):
        assert request.all("X-Forwarded-For") == [STRANGER]
        assert request.all("X-Forwarded-Host") == ["apps.example.com"]
        assert request.all("X-Forwarded-Server") == ["apps.example.com"]


@pytest.mark.parametrize("way", WAYS)
def test_plain_httpd_passes_what_clients_made_up(plain, farm, way):
    assert plain.ask("http", f"/{way}/x", headers=SPOOFED, source=STRANGER).status == 200
    request = server_of(way, farm).the_request()
    assert evil(request)
    assert request.all("X-Forwarded-Proto") == ["gopher"]


@pytest.mark.parametrize("header", VARIANTS, ids=[name for name, _ in VARIANTS])
def test_every_spelling_of_a_spoofed_field_goes(front, backend, header):
    assert front.ask("http", "/ProxyPass/x", headers=[header], source=STRANGER).status == 200
    assert evil(backend.the_request()) == []


@pytest.mark.parametrize("path", ["upgrade", "ws"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_websocket_upgrades_too(front, backend, path, secure):
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    with Connection(front.address, secure=secure, source=STRANGER) as connection:
        assert connection.request(f"/{path}/x", headers=upgrade + SPOOFED).status == 101
    request = backend.the_request()
    assert request.get("X-Forwarded-Proto") == ("https" if secure else "http")
    assert evil(request) == []


def test_each_request_of_a_connection_is_swept(front, backend):
    with Connection(front.address, source=STRANGER) as connection:
        for _ in range(3):
            connection.request("/ProxyPass/x", headers=SPOOFED)
            connection.request("/ProxyPass/x")
    for request in backend.requests:
        assert forwarded(request) == {
            "X-Forwarded-Proto": "http", "X-Forwarded-For": STRANGER,
            "X-Forwarded-Host": "apps.example.com", "X-Forwarded-Server": "apps.example.com"}


@pytest.mark.parametrize("way", WAYS)
def test_a_client_cannot_have_it_removed_as_hop_by_hop(front, farm, client, way):
    """mod_proxy drops what the client's Connection names (RFC 9110 section 7.6.1), ours as well."""
    front.allow_log("OSP05")
    named = [] if client == "h2" else [
        ("Connection", "close, X-Forwarded-Proto, X-Forwarded-For"),
        ("Connection", "x-forwarded-host,X-Forwarded-Server, Host")]
    assert front.ask(client, f"/{way}/x", headers=named + SPOOFED, source=STRANGER).status == 200
    request = server_of(way, farm).the_request()
    assert request.all("X-Forwarded-Proto") == [scheme_of(client)]
    assert request.all("Host") == ["apps.example.com"]
    if not way.startswith("h2"):
        assert request.all("X-Forwarded-For") == [STRANGER]


def test_other_fields_keep_their_bytes_and_order(front, backend):
    headers = [("X-CSRFToken", "T6C+9iB49TLra4jEsMeSckDMNhQ="), ("X-Forwarded-Proto", "x"),
               ("OutSystems-client-env", "browser"), ("X-Forward", "y"), ("X-A", "1"),
               ("Forwarded-For", "z"), ("X-B", "2")]
    front.ask("http", "/ProxyPass/x", headers=headers)
    names = [name for name, _ in backend.the_request().headers]
    order = [name for name in names if name in dict(headers) and name != "X-Forwarded-Proto"]
    assert order == [name for name, _ in headers if name != "X-Forwarded-Proto"]
    assert backend.the_request().get("X-CSRFToken") == "T6C+9iB49TLra4jEsMeSckDMNhQ="


def test_no_port_ends_up_in_x_forwarded_for(front, backend):
    front.ask("http", "/ProxyPass/x", source=STRANGER,
              headers=[("X-Forwarded-For", "10.0.0.1:5555")])
    assert backend.the_request().all("X-Forwarded-For") == [STRANGER]


# ---- a trusted hop in front

def ask_by_hop(front, client="http", path="/ProxyPass/x", headers=()):
    return front.ask(client, path, source=HOP,
                     headers=[("X-Forwarded-For", "203.0.113.9"), *headers])


@pytest.mark.parametrize("told,expected", [
    ("https", "https"), ("http", "http"), ("HTTPS", "https"), ("http, https", "https"),
    ("https,http", "http"), ("gopher", "http"), ("", "http"), ("https;x", "http"),
    (" https ", "https")])
def test_a_trusted_hop_is_believed_about_the_scheme(front, backend, told, expected):
    ask_by_hop(front, headers=[("X-Forwarded-Proto", told)])
    assert backend.the_request().all("X-Forwarded-Proto") == [expected]


def test_a_trusted_hop_that_says_http_over_tls_is_believed(front, backend):
    ask_by_hop(front, "https", headers=[("X-Forwarded-Proto", "http")])
    assert backend.the_request().all("X-Forwarded-Proto") == ["http"]


def test_a_trusted_hop_that_says_nothing_leaves_the_connections_scheme(front, backend, client):
    ask_by_hop(front, client)
    assert backend.the_request().all("X-Forwarded-Proto") == [scheme_of(client)]


def test_a_trusted_hops_host_and_the_clients_address_arrive(front, backend):
    ask_by_hop(front, headers=[("X-Forwarded-Host", "public.example.com")])
    request = backend.the_request()
    assert request.all("X-Forwarded-For") == ["203.0.113.9"]
    assert "public.example.com" in request.get("X-Forwarded-Host")


def test_what_a_client_puts_before_the_hop_is_not_passed(front, backend):
    """The client sent X-Forwarded-For: 6.6.6.6, the hop appended the client's address."""
    front.ask("http", "/ProxyPass/x", source=HOP,
              headers=[("X-Forwarded-For", "6.6.6.6, 203.0.113.9")])
    assert backend.the_request().all("X-Forwarded-For") == ["203.0.113.9"]


def test_a_trusted_hop_that_forwards_nobody_is_a_client(front, backend):
    """Without X-Forwarded-For mod_remoteip changes nothing, so nothing of it is believed."""
    front.ask("http", "/ProxyPass/x", source=HOP, headers=[("X-Forwarded-Proto", "https"),
                                                           ("X-Forwarded-Host", "evil")])
    request = backend.the_request()
    assert request.all("X-Forwarded-Proto") == ["http"] and evil(request) == []


def test_a_stranger_is_not_believed(front, backend):
    front.ask("http", "/ProxyPass/x", source=STRANGER,
              headers=[("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")])
    request = backend.the_request()
    assert request.all("X-Forwarded-Proto") == ["http"]
    assert request.all("X-Forwarded-For") == [STRANGER]


def test_the_proxy_protocol_vouches_for_an_address_and_no_header(start, farm, backend):
    """A load balancer that passes bytes on passes its clients' header fields on, too."""
    httpd = start(lambda address: both(
        address, f"RemoteIPProxyProtocol On\nProxyPass / {farm['http'].url}/\n"))
    with Connection(httpd.address) as connection:
        connection.send(b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n")
        told = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example.net")]
        assert connection.request("/x", headers=told + SPOOFED).status == 200
    request = backend.the_request()
    assert evil(request) == []
    assert request.all("X-Forwarded-Proto") == ["http"]
    assert request.all("X-Forwarded-For") == ["203.0.113.9"]


# ---- opt-out, Report

def test_off_and_report_change_nothing(front, plain, backend):
    for path, reported in (("off", 0), ("report", 1)):
        backend.reset()
        front.allow_log("OSP0401")
        plain.ask("http", f"/ProxyPass/{path}/x", headers=SPOOFED, source=STRANGER)
        with front.counting("forwarded-proto") as count:
            front.ask("http", f"/ProxyPass/{path}/x", headers=SPOOFED, source=STRANGER)
        expected, seen = backend.requests
        assert seen.raw == expected.raw
        assert count.all == {"acted": 0, "reported": reported, "refused": 0}
