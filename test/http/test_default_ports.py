"""default-ports at run time: a Host with another port than 80 or 443 is counted and reported."""
import pytest

from osptest import Httpd, both

NAME = "apps.example.com"


def site(address, backend):
    return both(address, f"ProxyPreserveHost On\nProxyPass / {backend.url}/\n"
                "<Location /off/>\nOSProxyRule default-ports off \"a port forward\"\n</Location>\n")


@pytest.fixture(scope="module")
def front(start, mpm, farm):
    return start(lambda address: site(address, farm["http"]))


@pytest.mark.parametrize("port", [8080, 8443, 81, 1, 65535])
def test_another_port_is_counted_and_passes(front, backend, client, port):
    front.allow_log("OSP0701")
    with front.counting("default-ports", client=client) as count:
        assert front.ask(client, "/x", host=f"{NAME}:{port}").status == 200
    assert backend.the_request().get("Host") == f"{NAME}:{port}"
    assert count.all == {"acted": 0, "reported": 1, "refused": 0}


@pytest.mark.parametrize("host", [NAME, f"{NAME}:80", f"{NAME}:443"])
def test_the_default_ports_are_not_counted(front, backend, client, host):
    with front.counting("default-ports", client=client) as count:
        assert front.ask(client, "/x", host=host).status == 200
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}


def test_a_report_names_the_port(mpm, farm, backend):
    httpd = Httpd(mpm)
    httpd.conf = site(httpd.address, backend)
    with httpd:
        httpd.expect_log(r"\[osproxy:warn\].*OSP0701: \[default-ports\].*8080")
        httpd.ask("http", "/x", host=f"{NAME}:8080")


def test_an_absolute_uri_with_a_port_counts_as_well(front, backend):
    front.allow_log("OSP0701")
    with front.counting("default-ports") as count:
        front.ask("http", f"http://{NAME}:8080/x")
    assert count.reported == 1


def test_off_counts_nothing(front, backend):
    with front.counting("default-ports") as count:
        front.ask("http", "/off/x", host=f"{NAME}:8080")
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}
