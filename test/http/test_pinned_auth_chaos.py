"""pinned-auth when everything goes wrong at once: aborts, re-logins, recycling, reloads, for 25 s on
each MPM. Requests may fail; nobody may be served as somebody else, and nothing may crash."""
import os

import pytest

from lab import chaos
from lab.world import Lab

SECONDS = int(os.environ.get("CHAOS_SECONDS", 25))


@pytest.fixture(scope="module")
def lab():
    """Of its own: its stand-ins are recycled."""
    with Lab(20) as running:
        yield running


def test_nobody_is_served_as_somebody_else(own_front, lab):
    front = own_front(f"ProxyPass / {lab.backends[0].url()}/ retry=0\n")
    # What httpd says of back ends that go, and of reloads; a child that died is not among it.
    front.httpd.allow_log(r"proxy|AH00288|AH10159|AH00491|AH02032|AH03490")
    front.httpd.end_requests_first()
    run = chaos.Chaos(front, lab, seconds=SECONDS, recycle=chaos.recycling(lab),
                      reload=front.httpd.reload)
    counts = run.run()
    assert not run.errors, run.errors
    assert counts.safe, run.line()
    assert counts.right > counts.failed, run.line()
    assert run.deeds["reload"] >= 2 and run.deeds["abort_body"] > 5, run.line()
