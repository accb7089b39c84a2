"""preserve-host: the app server sees the Host of the client, by every way of proxying."""
import pytest

from osptest import Answer, Backend, Connection, H2Connection, Httpd, balancer, both, raw
from osptest.conf import ssl_proxy
from osptest.ways import TLS_WAYS, WAYS, all_ways, server_of, ways_for

NAME = "apps.example.com"
OFF = 'OSProxyRule preserve-host off "Traditional only, by the vendor\'s guide"\n'

# httpd 2.4.58 and later know it, and have it off.
WEBSOCKETS = "<IfDirective H2WebSockets>\nH2WebSockets on\n</IfDirective>\n"


def site(address, mpm, farm, extra="", head="OSProxyEngine On"):
    """Every way, with ProxyPreserveHost Off written, as the vendor's sample has it."""
    body = "ProxyPreserveHost Off\n" + (WEBSOCKETS if mpm != "prefork" else "")
    body += ssl_proxy() + all_ways(mpm, farm)
    body += f"ProxyPass /echo/ {farm['http'].url}/echo/ upgrade=websocket\n"
    body += f"ProxyPass /ws/ ws://{farm['http'].address}/ws/\n"
    body += f"ProxyPass /wss/ wss://{farm['https'].address}/wss/\n"
    body += f"ProxyPass /secho/ {farm['https'].url}/secho/ upgrade=websocket\n"
    alias = ("www.example.com", "*.wild.example.com")
    if head:
        extra += "OSProxyDomain domain.example.com\n"
    return both(address, body + extra, alias=alias, names=("domain.example.com",), head=head)


@pytest.fixture(scope="module")
def front(start, mpm, farm):
    extra = f"<Location /ProxyPass/off/>\n{OFF}</Location>\n"
    extra += "<Location /ProxyPass/report/>\nOSProxyRule preserve-host report\n</Location>\n"
    return start(lambda address: site(address, mpm, farm, extra))


@pytest.fixture(scope="module")
def plain(start, mpm, farm):
    return start(lambda address: site(address, mpm, farm, head=""), module=False)


@pytest.mark.parametrize("way", WAYS)
def test_the_clients_host_reaches_the_back_end(front, farm, client, way):
    front.allow_log("OSP05")    # SetHandler changes the path
    with front.counting("preserve-host", client=client) as count:
        assert front.ask(client, f"/{way}/page").status == 200
    assert server_of(way, farm).the_request().get("Host") == NAME
    assert count.all == {"acted": 1, "reported": 0, "refused": 0}


@pytest.mark.parametrize("way", WAYS)
def test_plain_httpd_sends_its_own_name_for_the_back_end(plain, farm, way):
    # https: the app server's certificate is not for its address, so plain httpd refuses.
    plain.allow_log("AH02411|AH02039|AH01961|AH00898|AH00959|AH01084|AH01097|AH03335|AH10001")
    plain.ask("http", f"/{way}/page")
    for request in server_of(way, farm).requests:
        assert request.get("Host") == server_of(way, farm).address


@pytest.mark.parametrize("host", ["www.example.com", "one.wild.example.com", "domain.example.com",
                                  "ApPs.Example.COM", "apps.example.com:80", "apps.example.com."])
@pytest.mark.parametrize("way", ["ProxyPass", "https", "h2", "https_balancer"])
def test_every_name_of_the_virtual_host_reaches_it_as_written(front, farm, way, host):
    front.allow_log("OSP0701")
    sent = front.ask("http", f"/{way}/page", host=host)
    assert sent.status == 200
    assert server_of(way, farm).the_request().get("Host") == host


def test_the_host_of_an_absolute_uri_wins(front, backend):
    answer = raw(front.address, b"GET http://www.example.com/ProxyPass/a HTTP/1.1\r\n"
                                b"Host: apps.example.com\r\n\r\n")
    assert answer.status == 200
    assert backend.the_request().get("Host") == "www.example.com"


# ---- websocket

UPGRADE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]


@pytest.mark.parametrize("path", ["echo", "ws", "secho", "wss"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_websocket_upgrades_keep_the_host(front, farm, secure, path):
    if path in ("wss", "secho"):
        front.allow_log("AH10212|AH01084")
    server = farm["https" if path in ("secho", "wss") else "http"]
    with Connection(front.address, secure=secure) as connection:
        assert connection.request(f"/{path}/chat", headers=UPGRADE).status == 101
        connection.send(b"\x81\x05hello")
        assert connection.reader.exactly(7) == b"\x81\x05hello"
    assert server.the_request().get("Host") == NAME
    assert server.the_request().target == f"/{path}/chat"


@pytest.mark.parametrize("client", ["h2"])
@pytest.mark.parametrize("path", ["echo", "ws", "secho", "wss"])
def test_websockets_of_http_2_clients_keep_the_host(front, farm, client, path):
    """RFC 8441: an extended CONNECT."""
    server = farm["https" if path in ("secho", "wss") else "http"]
    with H2Connection(front.address) as connection:
        connection.settled()
        stream = connection.open(f"/{path}/chat", method="CONNECT", protocol="websocket", end=False,
                                 headers=[("sec-websocket-version", "13")])
        assert connection.response(stream, until_end=False).status == 200
        connection.send_data(stream, b"\x81\x05hello")
        assert connection.data(stream, 7) == b"\x81\x05hello"
    request = server.the_request()
    assert (request.get("Host"), request.target) == (NAME, f"/{path}/chat")
    assert request.get("X-Forwarded-Proto") == "https"


@pytest.mark.parametrize("path", ["secho", "wss"])
def test_a_foreign_host_is_refused_for_a_websocket_over_tls(front, farm, path):
    front.allow_log("OSP01")
    with Connection(front.address) as connection:
        answer = connection.request(f"/{path}/chat", headers=UPGRADE, host="evil.example.net")
    assert answer.status == 421
    assert farm["https"].requests == []


# ---- a Host that is no name of the virtual host

@pytest.mark.parametrize("way", [way for way in WAYS if way not in TLS_WAYS])
def test_a_foreign_host_passes_to_an_http_back_end(front, farm, way):
    front.allow_log("OSP01")
    assert front.ask("http", f"/{way}/page", host="other.example.net").status == 200
    assert server_of(way, farm).the_request().get("Host") == "other.example.net"


@pytest.mark.parametrize("way", TLS_WAYS)
def test_a_foreign_host_cannot_take_out_a_tls_back_end(front, farm, way, client):
    front.allow_log("OSP01|AH02032")
    for _ in range(3):
        answer = front.ask(client, f"/{way}/page", host="evil.example.net", sni=NAME)
        assert answer.status == 421
        assert answer.body
    assert server_of(way, farm).requests == []
    assert front.ask(client, f"/{way}/page").status == 200


def test_refusals_are_counted(front):
    front.allow_log("OSP01")
    with front.counting("preserve-host") as count:
        front.ask("http", "/https/page", host="evil.example.net")
    assert count.all == {"acted": 0, "reported": 0, "refused": 1}


def test_plain_httpd_loses_the_balancer_member_to_a_foreign_host(mpm, farm):
    body = ssl_proxy() + "ProxyPreserveHost On\n" + balancer("servers", farm["https"].url)
    body += "ProxyPass / balancer://servers/ forcerecovery=off\n"
    httpd = Httpd(mpm, module=False)
    httpd.conf = both(httpd.address, body, head="")
    with httpd:
        assert httpd.ask("http", "/").status == 200
        httpd.allow_log("AH|SSL Library Error")
        assert httpd.ask("http", "/", host="evil.example.net").status in (500, 502)
        assert httpd.ask("http", "/").status == 503
        httpd.log.check()


# ---- no Host at all

@pytest.mark.parametrize("way", WAYS)
def test_a_request_without_host_gets_the_server_name(front, farm, way):
    answer = raw(front.address, f"GET /{way}/old HTTP/1.0\r\n\r\n".encode())
    assert answer.status == 200
    assert server_of(way, farm).the_request().get("Host") == NAME
    if way in TLS_WAYS:
        assert server_of(way, farm).the_request().sni == NAME


@pytest.mark.parametrize("way", ["ProxyPass", "https", "h2", "https_balancer"])
@pytest.mark.parametrize("host", ["www.example.com", "www.example.com:80"])
def test_the_host_of_an_absolute_uri_arrives_without_a_host_field(front, farm, way, host):
    answer = raw(front.address, f"GET http://{host}/{way}/old HTTP/1.0\r\n\r\n".encode())
    assert answer.status == 200
    assert server_of(way, farm).the_request().get("Host") == host
    if way in TLS_WAYS:
        assert server_of(way, farm).the_request().sni == "www.example.com"


@pytest.fixture(scope="module")
def impostor():
    """An app server whose certificate is for somebody else."""
    server = Backend(names=("impostor.example.net",))
    yield server
    server.close()


def impostor_site(impostor, head):
    body = ssl_proxy() + f"ProxyPreserveHost On\nProxyPass / {impostor.url}/\n"
    return lambda address: both(address, body, head=head)


def test_without_host_the_certificate_of_the_back_end_is_still_checked(start, impostor):
    httpd = start(impostor_site(impostor, "OSProxyEngine On"))
    httpd.allow_log("AH|SSL Library Error")
    assert raw(httpd.address, b"GET / HTTP/1.0\r\n\r\n").status in (500, 502, 503)
    assert impostor.requests == []


def test_plain_httpd_skips_the_certificate_check_without_host(start, impostor):
    httpd = start(impostor_site(impostor, ""), module=False)
    httpd.allow_log("AH01092")
    assert raw(httpd.address, b"GET / HTTP/1.0\r\n\r\n").status == 200
    assert len(impostor.requests) == 1


# ---- opt-out, Report

def test_off_with_a_reason_leaves_the_host_to_httpd(front, backend):
    assert front.ask("http", "/ProxyPass/off/page").status == 200
    assert backend.the_request().get("Host") == backend.address


def test_report_changes_nothing_and_counts(front, backend):
    front.allow_log("OSP01")
    with front.counting("preserve-host") as count:
        assert front.ask("http", "/ProxyPass/report/page").status == 200
    assert backend.the_request().get("Host") == backend.address
    assert count.all == {"acted": 0, "reported": 1, "refused": 0}


def test_a_host_that_httpd_keeps_by_itself_is_not_counted(start, mpm, farm, backend):
    httpd = start(lambda a: both(a, f"ProxyPreserveHost On\nProxyPass / {backend.url}/\n"))
    with httpd.counting("preserve-host") as count:
        assert httpd.ask("http", "/").status == 200
    assert backend.the_request().get("Host") == NAME
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}


def test_other_requests_on_the_connection_keep_their_own_setting(front, backend):
    """The setting is the request's own: it does not leak into the next one."""
    with Connection(front.address) as connection:
        for path in ("/ProxyPass/off/1", "/ProxyPass/2", "/ProxyPass/off/3", "/ProxyPass/4"):
            assert connection.request(path).status == 200
    hosts = [request.get("Host") for request in backend.requests]
    assert hosts == [backend.address, NAME, backend.address, NAME]


def test_answers_pass_unchanged(front, backend):
    backend.answer = Answer(201, [("Location", "http://apps.example.com/x")], b"made")
    answer = front.ask("http", "/ProxyPass/page", method="POST", body=b"a=b")
    assert (answer.status, answer.get("Location"), answer.body) == (
        201, "http://apps.example.com/x", b"made")
    assert backend.the_request().body == b"a=b"
