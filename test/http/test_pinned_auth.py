"""Rule pinned-auth on the identity lab: real Kerberos and NTLM, users interleaved, strangers beside."""
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import identity, proxies             # noqa: E402  (test/ is not a package)
from lab.clients import SCHEMES, Client, Request, make_login  # noqa: E402
from lab.clients.client import finish          # noqa: E402
from lab.world import Lab                     # noqa: E402

ENGINE = "OSProxyEngine On\nOSProxyInternal 127.0.0.0/8"


@pytest.fixture(scope="module")
def lab():
    with Lab(20) as running:
        yield running


@pytest.fixture(scope="module")
def front(lab, mpm):
    with proxies.httpd(lab, mpm, module=True) as running:
        yield running


def balancer(lab):
    members = "".join(f"BalancerMember {backend.url('http')}\n" for backend in lab.backends)
    return f"<Proxy balancer://iis>\n{members}</Proxy>\nProxyPass / balancer://iis/\n"


WAYS = {
    "balancer": balancer,
    "ProxyPassMatch": lambda lab: f"ProxyPassMatch ^(/.*)$ {lab.backends[0].url('http')}$1\n",
    "rewrite": lambda lab: "RewriteEngine On\n"
                           f"RewriteRule ^(/.*)$ {lab.backends[0].url('http')}$1 [P]\n",
    "https": lambda lab: f"ProxyPass / {lab.backends[0].url('https')}/\n",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everybody_is_who_they_are(lab, front, scheme):
    counts = identity.run(front, lab, scheme)
    assert counts.perfect, counts.line()


@pytest.mark.parametrize("way", WAYS)
def test_everybody_is_who_they_are_whatever_the_mapping(lab, mpm, way):
    with proxies.httpd(lab, mpm, module=True, body=WAYS[way](lab)) as front:
        counts = identity.run(front, lab, "ntlm", requests=30, sessions=3)
    assert counts.perfect, counts.line()


def test_everybody_is_who_they_are_over_tls(lab, front):
    counts = identity.run(front.secure_front, lab, "ntlm", requests=30, sessions=3)
    assert counts.perfect, counts.line()


def test_plain_httpd_fails_the_same_run(lab, mpm):
    with proxies.httpd(lab, mpm) as front:
        counts = identity.run(front, lab, "ntlm")
    assert not counts.safe, counts.line()


def test_past_the_limit_a_client_is_told_so(lab):
    # prefork has a limit for each child, which serves one client
    with proxies.httpd(lab, "event", module=True, head=ENGINE, conf="",
                       mpm_conf="OSProxyPinLimit 2\nStartServers 1\nServerLimit 1\n"
                                "MaxRequestWorkers 25\n") as front:
        statuses = sign_in_beside_each_other(lab, front, 3)
    assert statuses == [200, 200, 503]


def sign_in_beside_each_other(lab, front, count):
    clients, statuses = [], []
    for name in lab.names[:count]:
        client = Client(front, name, lambda name=name: make_login("ntlm", lab, name, random))
        clients.append(client)
        statuses.append(finish(client.ask(Request("/WinAuth/a"))).status)
    for client in clients:
        client.close()
    return statuses
