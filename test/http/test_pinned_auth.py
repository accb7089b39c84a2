"""pinned-auth, the bars: real Kerberos and NTLM, 20 users interleaved, strangers beside them.

The other files: _ways (every mapping), _requests (every kind of request), _credentials (every form
of Authorization), _faults, _life (drain, death, reload, limit, counters, logs), _clients (curl,
Chromium, HTTP/2, hops in front), _chaos, _crowd.
"""
import pytest

from lab import identity
from lab.clients import SCHEMES


@pytest.fixture(scope="module")
def front(front_of, lab):
    return front_of(f"ProxyPass / {lab.backends[0].url()}/\n")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everybody_is_who_they_are(lab, front, scheme):
    counts = identity.run(front, lab, scheme)
    assert counts.perfect, counts.story()
    assert counts.total == {"ntlm": 1800, "spnego-ntlm": 1800}.get(scheme, 1080)


def test_everybody_is_who_they_are_over_tls(lab, front):
    counts = identity.run(front.secure_front, lab, "ntlm", requests=30, sessions=3)
    assert counts.perfect, counts.story()


def test_users_of_all_schemes_at_once(lab, front):
    counts = identity.run(front, lab, "mixed", requests=30, sessions=3)
    assert counts.perfect, counts.story()


def test_external_users_too(lab, own_front):
    """Without OSProxyInternal nobody is offered Negotiate; NTLM is what remains."""
    front = own_front(f"ProxyPass / {lab.backends[0].url()}/\n", head="OSProxyEngine On\n")
    counts = identity.run(front, lab, "ntlm", requests=30, sessions=3)
    assert counts.perfect, counts.story()


# ---- the same run can fail

def test_plain_httpd_fails_the_same_run(lab, own_front):
    front = own_front(f"ProxyPass / {lab.backends[0].url()}/\n", module=False, head="")
    front.httpd.allow_log("proxy")
    counts = identity.run(front, lab, "ntlm", requests=30, sessions=3)
    assert not counts.safe, counts.story()


def test_report_mode_fails_the_same_run_and_says_so(lab, own_front):
    front = own_front(f"ProxyPass / {lab.backends[0].url()}/\n",
                      conf="OSProxyRule pinned-auth report\n")
    front.httpd.allow_log("proxy")
    front.httpd.expect_log("OSP0904")
    counts = identity.run(front, lab, "ntlm", requests=30, sessions=3)
    assert not counts.safe, counts.story()
    assert front.httpd.rule(lab.host, "pinned-auth")["reported"] > 0
