"""Fixtures of tests that use the lab, for a conftest to import."""
import pytest

from .faults import Faults
from .proxies import ENGINE, INSIDE, MPM_CONF, HttpdFront, site
from .world import Lab


@pytest.fixture(scope="session")
def lab():
    """The realm, its users and two stand-ins: one lab for a whole worker."""
    with Lab(20) as running:
        yield running


@pytest.fixture(scope="module")
def scripted():
    """The scripted back end."""
    with Faults() as running:
        yield running


@pytest.fixture(scope="module")
def second():
    """Another scripted back end."""
    with Faults("IIS02") as running:
        yield running


def _open(start, mpm, lab, body, conf="", head=ENGINE + INSIDE, mpm_conf="", **options):
    server = start(lambda address: site(address, lab, body, conf=conf, head=head),
                   mpm_conf=MPM_CONF[mpm] + mpm_conf, **options)
    return HttpdFront(server, lab)


@pytest.fixture(scope="module")
def front_of(start, mpm, lab):
    """front_of(body, conf=, head=, …): an httpd for all tests of the file; its Front."""
    return lambda body, **options: _open(start, mpm, lab, body, **options)


@pytest.fixture
def own_front(start, mpm, lab):
    """The same for one test: it ends with the test."""
    fronts = []

    def run(body, **options):
        fronts.append(_open(start, mpm, lab, body, **options))
        return fronts[-1]

    yield run
    for front in fronts:
        front.httpd.stop()
