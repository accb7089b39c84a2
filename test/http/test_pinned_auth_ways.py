"""pinned-auth, every way to a back end: who signs in, and over which back-end connection."""
import random

import pytest

from lab import identity
from lab.clients import Client, Request, make_login
from lab.clients.client import finish
from lab.clients.steps import ask, connection_of, final, hello, signed_in, who
from osptest import Backend, Connection, balancer
from osptest.conf import proxy_pass, vhost
from osptest.place import shared_module


def located(path, url, setting):
    return f"<Location {path}>\nProxyPass {url}{path}\n{setting}\n</Location>\n"


def rewritten(path, url):
    return f"RewriteEngine On\nRewriteRule ^{path}(.*)$ {url}{path}$1 [P]\n"


def matched(path, url):
    return f"ProxyPassMatch ^{path}(.*)$ {url}{path}$1\n"


def balanced(path, *urls, options="", by=proxy_pass):
    name = "iis" + path.strip("/").replace("_", "")
    return balancer(name, *urls, options=options) + by(path, f"balancer://{name}")


# Name: function of its path and of the URLs of both stand-ins, by http and by https. /WinAuth/
# asks for credentials below any path.
WAYS = {
    "pass": lambda path, http, tls: proxy_pass(path, http[0]),
    "location": lambda path, http, tls: located(path, http[0], ""),
    "match": lambda path, http, tls: matched(path, http[0]),
    "rewrite": lambda path, http, tls: rewritten(path, http[0]),
    "handler": lambda path, http, tls:
        f'<Location {path}>\nSetHandler "proxy:{http[0]}"\n</Location>\n',
    "balancer": lambda path, http, tls: balanced(path, *http),
    "rewrite_balancer": lambda path, http, tls: balanced(path, *http, by=rewritten),
    "match_balancer": lambda path, http, tls: balanced(path, *http, by=matched),
    "prefixed_members": lambda path, http, tls:
        balanced(path, f"{http[0]}/one", f"{http[1]}/two/x"),
    "one_server_two_members": lambda path, http, tls:
        balanced(path, f"{http[0]}/three", f"{http[0]}/four"),
    "https": lambda path, http, tls: proxy_pass(path, tls[0]),
    "https_balancer": lambda path, http, tls: balanced(path, *tls),
    "https_rewrite": lambda path, http, tls: rewritten(path, tls[0]),
    "both_schemes": lambda path, http, tls: balanced(path, http[0], tls[1]),
    "websocket_worker": lambda path, http, tls: proxy_pass(path, http[0], "upgrade=websocket"),
    "no_reuse": lambda path, http, tls: proxy_pass(path, http[0], "disablereuse=on"),
    "ping": lambda path, http, tls: proxy_pass(path, http[0], "ping=2"),
    "no_keep_alive": lambda path, http, tls:
        located(path, http[0], "SetEnv proxy-nokeepalive 1"),
    "http10": lambda path, http, tls:
        located(path, http[0], "SetEnv force-proxy-request-1.0 1"),
    "not_pooled": lambda path, http, tls:
        located(path, http[0], "SetEnv proxy-initial-not-pooled 1"),
    "chunked": lambda path, http, tls: located(path, http[0], "SetEnv proxy-sendchunked 1"),
    "checked": lambda path, http, tls:
        balanced(path, *http, options="hcmethod=GET hcinterval=1 hcuri=/public"),
}


@pytest.fixture(scope="module")
def front(front_of, lab):
    http = [backend.url() for backend in lab.backends]
    tls = [backend.url("https") for backend in lab.backends]
    front = front_of("".join(way(f"/{name}/", http, tls) for name, way in WAYS.items()),
                     mpm_conf=f"LoadModule proxy_hcheck_module {shared_module('proxy_hcheck')}\n")
    # What SetHandler asks for is the name of a file: the folder is there, the file need not be.
    (front.httpd.dir / "htdocs/handler/WinAuth").mkdir(parents=True)
    return front


@pytest.fixture(autouse=True)
def _paths_may_change(front):
    # prefixes of members and SetHandler change the path: not the subject here
    front.httpd.allow_log("OSP0503")


@pytest.mark.parametrize("way", WAYS)
def test_everybody_is_who_they_are(lab, front, way):
    # With ping= the back end may say no before it has the body, and an httpd then closes: there
    # a handshake of several messages must not begin with a POST.
    scheme = "krb-upfront" if way == "ping" else "mixed"
    counts = identity.run(front, lab, scheme, users=8, requests=14, sessions=3,
                          prefix=f"/{way}")
    assert counts.perfect, counts.story()


@pytest.mark.parametrize("way", WAYS)
def test_a_client_keeps_its_back_end_connection(front, lab, way):
    target = f"/{way}/WinAuth/a"
    seen = []
    with Connection(front.address) as stranger:
        for user in lab.names[:3]:
            with Connection(front.address) as client:
                first = signed_in(client, user, target)
                used = {connection_of(first)}
                for _ in range(4):
                    assert who(ask(stranger, target)) == 401
                    answer = ask(client, target)
                    assert who(answer) == user
                    used.add(connection_of(answer))
                assert who(ask(client, f"/{way}/public")) == ""
                assert len(used) == 1, used
                seen += used
    assert len(set(seen)) == 3, seen


@pytest.mark.parametrize("way", ["balancer", "rewrite_balancer", "prefixed_members",
                                 "https_balancer", "both_schemes"])
def test_ordinary_requests_still_go_to_every_member(front, lab, way):
    with Connection(front.address) as client:
        server, _ = connection_of(signed_in(client, "user01", f"/{way}/WinAuth/"))
        servers = set()
        for _ in range(5):
            for _ in range(2):      # what is pinned takes part in the turns of the balancer
                answer = front.httpd.ask("http", f"/{way}/public")
                servers.add(connection_of(answer)[0])
            assert connection_of(ask(client, f"/{way}/WinAuth/"))[0] == server
    assert servers == {"IIS01", "IIS02"}


def test_kerberos_tokens_on_every_request_stay_on_the_pin(front, lab):
    """Clients that authenticate every request."""
    lab.kdc.tickets("user01")
    client = Client(front, "user01", lambda: make_login("krb-upfront", lab, "user01", random))
    used = set()
    for _ in range(5):
        answer = finish(client.ask(Request("/balancer/WinAuth/a"), again=True))
        assert who(answer) == "user01"
        used.add(connection_of(answer))
    client.close()
    assert len(used) == 1


# ---- several back ends, several sites

def test_several_back_ends_behind_one_connection(own_front, lab):
    first, second = lab.backends
    front = own_front(proxy_pass("/a/", first.url()) + proxy_pass("/b/", second.url())
                      + proxy_pass("/c/", second.url("https")))
    users = {"/a/": "user01", "/b/": "user02", "/c/": "user03"}
    with Connection(front.address) as client, Connection(front.address) as stranger:
        used = {}
        for path, user in users.items():
            used[path] = connection_of(signed_in(client, user, f"{path}WinAuth/"))
        for path, user in [*users.items()] * 3:
            answer = ask(client, f"{path}WinAuth/")
            assert (who(answer), connection_of(answer)) == (user, used[path])
            assert who(ask(stranger, f"{path}WinAuth/")) == 401
    assert [server for server, _ in used.values()] == ["IIS01", "IIS02", "IIS02"]


def test_handshakes_with_two_back_ends_interleaved(own_front, lab):
    front = own_front(proxy_pass("/a/", lab.backends[0].url())
                      + proxy_pass("/b/", lab.backends[1].url()))
    with Connection(front.address) as client:
        first = ask(client, "/a/WinAuth/", hello())
        second = ask(client, "/b/WinAuth/", hello())
        assert who(ask(client, "/b/WinAuth/", final(second, "user02"))) == "user02"
        assert who(ask(client, "/a/WinAuth/", final(first, "user01"))) == "user01"


def test_signing_in_to_one_back_end_is_not_signing_in_to_another(own_front, lab):
    front = own_front(proxy_pass("/a/", lab.backends[0].url())
                      + proxy_pass("/b/", lab.backends[1].url()))
    with Connection(front.address) as client:
        signed_in(client, "user01", "/a/WinAuth/")
        assert who(ask(client, "/b/WinAuth/")) == 401


def test_two_sites_on_one_worker(start, lab, mpm):
    """The same back end behind two names: mod_proxy shares one pool between them."""
    url = lab.backends[0].url()
    names = (lab.host, "other.example.com")
    body = f"ProxyPreserveHost On\nProxyPass / {url}/\n"
    engine = "OSProxyEngine On\nOSProxyInternal 127.0.0.0/8\n"
    httpd = start(lambda address: f"ProxyPass /unused/ {url}/\n" + "".join(
        vhost(address, body, name=name, head=engine) for name in names))
    with Connection(httpd.address) as one, Connection(httpd.address) as two, \
            Connection(httpd.address) as stranger:
        signed_in(one, "user01", host=names[0])
        signed_in(two, "user02", host=names[1])
        for host in names * 3:
            # on its own connection a client may be asked again by another site, no more
            assert who(ask(one, host=host)) in ("user01", 401)
            assert who(ask(two, host=host)) in ("user02", 401)
            assert who(ask(stranger, host=host)) == 401
        assert who(ask(one, host=names[0])) == "user01"
        assert who(ask(two, host=names[1])) == "user02"


# ---- hops behind us

def test_a_forward_proxy_towards_the_back_end_is_not_shared(own_front, mpm):
    """ProxyRemote: who signs in is refused, for that proxy may share the connection."""
    hop = Backend()
    front = own_front(f"ProxyRemote * {hop.url}\nProxyPass / http://iis.example.com/\n",
                      conf="ProxyBadHeader Ignore\n")
    front.httpd.expect_log("OSP0908")
    with Connection(front.address) as client:
        assert ask(client, "/WinAuth/", hello()).status == 503
        assert hop.requests == []
        assert front.httpd.ask("http", "/public").status == 200
    hop.close()
    assert len(hop.requests) == 1
