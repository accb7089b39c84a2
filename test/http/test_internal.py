"""The client class: OSProxyInternal, `Require osproxy-internal`, and mod_remoteip."""
import pytest

from osptest import Answer, both, vhost

HOP = "127.8.0.1"
CLIENTS = {                     # OSProxyInternal, then clients inside and outside
    "network": ("10.0.0.0/8", ["10.1.2.3", "10.255.255.255"], ["11.0.0.1", "9.9.9.9"]),
    "address": ("192.0.2.7", ["192.0.2.7"], ["192.0.2.8", "192.0.2.70"]),
    "mask": ("172.16.0.0/255.240.0.0", ["172.31.0.1"], ["172.32.0.1"]),
    "several": ("10.0.0.0/8 192.0.2.0/24\nOSProxyInternal 2001:db8::/32",
                ["10.0.0.1", "192.0.2.1", "2001:db8:1::1"], ["192.0.3.1", "2001:db9::1"]),
    "ipv6": ("2001:db8::/32", ["2001:db8::5", "2001:DB8:0::1"], ["2001:db9::5", "10.1.2.3"]),
    "ipv6_address": ("2001:db8::5", ["2001:db8::5"], ["2001:db8::6"]),
    "mapped_network": ("::ffff:10.0.0.0/104", ["10.1.2.3"], ["11.1.2.3"]),
    "mapped_address": ("::ffff:192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]),
    "loopback6": ("::1", ["::1"], ["::2", "127.0.0.2"]),
}
CASES = [(name, client, True) for name, (_, inside, _) in CLIENTS.items() for client in inside]
CASES += [(name, client, False) for name, (_, _, outside) in CLIENTS.items() for client in outside]
BODY = (f"RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy {HOP}\nProxyPreserveHost On\n"
        "<Location /inside/>\nRequire osproxy-internal\n</Location>\n"
        "<Location /outside/>\n<RequireAll>\nRequire all granted\n"
        "Require not osproxy-internal\n</RequireAll>\n</Location>\n"
        "<Location /either/>\n<RequireAny>\nRequire osproxy-internal\nRequire ip 203.0.113.77\n"
        "</RequireAny>\n</Location>\n")


def host_of(name):
    return f"{name.replace('_', '-')}.example.com"


@pytest.fixture(scope="module")
def front(start, farm):
    def conf(address):
        body = BODY + f"ProxyPass / {farm['http'].url}/\n"
        text = "OSProxyInternal 198.51.100.0/24\n"
        text += both(address, body, name="inherits.example.com")
        for name, (listed, _, _) in CLIENTS.items():
            text += vhost(address, f"OSProxyInternal {listed}\n" + body, name=host_of(name))
        return text + vhost(address, "OSProxyInternal 10.0.0.0/8\n" + body,
                            name="engine-off.example.com", head="OSProxyEngine Off")
    return start(conf)


def ask(front, name, client, path, source=HOP, kind="http", headers=()):
    return front.ask(kind, path, host=host_of(name), source=source,
                     headers=[("X-Forwarded-For", client), *headers])


@pytest.mark.parametrize("name,client,inside", CASES)
def test_clients_are_told_apart_by_their_address(front, backend, name, client, inside):
    front.allow_log("AH01630")
    backend.answer = Answer(401, [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM")])
    expected = {"/inside/": 401 if inside else 403, "/outside/": 403 if inside else 401}
    for path, status in expected.items():
        assert ask(front, name, client, path).status == status, path
    offered = ask(front, name, client, "/x").all("WWW-Authenticate")
    assert offered == (["Negotiate", "NTLM"] if inside else ["NTLM"])


def test_the_connections_own_address_counts_without_a_hop(front, client):
    front.allow_log("AH01630")
    name = "inherits.example.com"
    for source, status in (("127.8.0.1", 403), ("127.0.0.1", 403)):
        assert front.ask(client, "/inside/", host=name, source=source).status == status


def test_a_stranger_cannot_claim_to_be_inside(front):
    front.allow_log("AH01630")
    for claim in ("10.1.2.3", "10.1.2.3, 127.8.0.1", "::ffff:10.1.2.3"):
        assert ask(front, "network", claim, "/inside/", source="127.7.0.1").status == 403


def test_the_hop_tells_the_last_address_only(front):
    """The client wrote 10.1.2.3; the hop appended the address it saw."""
    front.allow_log("AH01630")
    assert ask(front, "network", "10.1.2.3, 203.0.113.5", "/inside/").status == 403
    assert ask(front, "network", "203.0.113.5, 10.1.2.3", "/inside/").status == 200


def test_a_virtual_host_without_a_list_has_the_servers(front):
    front.allow_log("AH01630")
    assert ask(front, "inherits", "198.51.100.7", "/inside/").status == 200
    assert ask(front, "network", "198.51.100.7", "/inside/").status == 403


def test_it_combines_with_other_requirements(front):
    front.allow_log("AH01630")
    assert ask(front, "network", "203.0.113.77", "/either/").status == 200
    assert ask(front, "network", "10.1.2.3", "/either/").status == 200
    assert ask(front, "network", "203.0.113.78", "/either/").status == 403


def test_the_requirement_works_where_the_engine_is_off(front):
    front.allow_log("AH01630")
    assert ask(front, "engine-off", "10.1.2.3", "/inside/").status == 200
    assert ask(front, "engine-off", "11.1.2.3", "/inside/").status == 403


def test_without_a_list_everyone_is_external(start, farm, backend):
    httpd = start(lambda address: both(address, BODY + f"ProxyPass / {farm['http'].url}/\n"))
    httpd.allow_log("AH01630")
    backend.answer = Answer(401, [("WWW-Authenticate", "Negotiate, NTLM")])
    assert httpd.ask("http", "/inside/").status == 403
    assert httpd.ask("http", "/x").all("WWW-Authenticate") == ["NTLM"]
