"""conf.d/recipes/https-end-to-end.conf: TLS on both sides; an app server that cannot prove that it bears
the public name is asked nothing."""
import gzip
import json

import pytest

from osptest import ask, tls
from recipe import echo, intact

NAME = "apps.example.com"


@pytest.fixture(scope="module")
def front_of(serve):
    """front_of(farm): the recipe in front of it."""
    def run(farm, **options):
        return serve("https-end-to-end", OSP_SERVER=farm.hosts[0], OSP_BACKEND_CA=str(tls.authority().cert),
                     **options)
    return run


@pytest.fixture(scope="module")
def farm(apps):
    return apps("1", names=(NAME,))


@pytest.fixture(scope="module")
def front(front_of, farm):
    return front_of(farm, h2=True)


@pytest.mark.parametrize("client", ["https", "h2"])
def test_host_and_scheme_reach_the_app_server_over_tls(front, client):
    answer = ask(front.address, client, "/Echo/a%7Eb//c?")
    arrived = json.loads(answer.body)
    fields = {name.lower(): value for name, value in arrived["headers"]}
    assert (fields["host"], arrived["protocol"]) == (NAME, "https")
    assert arrived["target"] == "/Echo/a%7Eb//c?"
    assert fields["x-forwarded-proto"] == "https"


@pytest.mark.parametrize("client", ["https", "h2"])
def test_pages_and_redirects_carry_the_public_name(front, client):
    page = ask(front.address, client, "/Portal/Home.aspx")
    assert b'href="https://apps.example.com/Portal/Detail.aspx?Id=1"' in page.body
    moved = ask(front.address, client, "/Portal/")
    assert moved.get("Location") == "https://apps.example.com/Portal/Home.aspx"


@pytest.mark.parametrize("client", ["https", "h2"])
def test_a_reactive_app_keeps_its_bytes(front, client):
    assert intact(front, "MyApp", client) > 10


def test_a_compressed_answer_passes_as_the_app_server_made_it(front, farm):
    headers = [("Accept-Encoding", "gzip")]
    answer = ask(front.address, "https", "/MyApp/scripts/OutSystems.js", headers=headers)
    assert answer.get("Content-Encoding") == "gzip" and b"X-CSRFToken" in gzip.decompress(answer.body)


@pytest.mark.parametrize("client", ["https", "h2"])
def test_a_foreign_host_does_not_reach_the_app_server(front, farm, client):
    """Its name would not fit the certificate, and a balancer would take the app server out for all."""
    front.log.allow("OSP0101")
    before = len(farm.requests())
    assert ask(front.address, client, "/Echo/", host="evil.example", sni=NAME).status == 421
    assert len(farm.requests()) == before
    assert echo(front)["host"] == [NAME]


REFUSED = {"an unknown CA": {"names": (NAME,), "authority": tls.Authority},
           "the internal name only": {"names": ("app1.internal",)},
           "another public name": {"names": ("www.example.com",)}}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_certificate_is_refused(front_of, apps, case):
    options = dict(REFUSED[case])
    if "authority" in options:
        options["authority"] = options["authority"]()
    farm = apps("1", **options)
    front = front_of(farm, configtest=False)        # it has passed above
    # SSL Proxy: certificate verification failed; peer name mismatch; error during SSL handshake
    front.log.allow("AH02039|AH02411|AH02003|AH00898|AH01097|AH01084|AH02430")
    for method, body in (("GET", b""), ("POST", b"Password=secret")):
        answer = ask(front.address, "https", "/Echo/", method=method, body=body)
        assert answer.status in (500, 502) and b"APP0" not in answer.body
    assert farm.requests() == []
    front.stop()


def test_the_same_app_server_is_taken_with_the_right_certificate(front_of, apps):
    """What refuses above is the certificate, and nothing else."""
    front = front_of(apps("1", names=("app1.internal", NAME)), configtest=False)
    assert echo(front)["host"] == [NAME]
