"""conf.d/recipes/https-offload.conf: the app server learns the scheme, Reactive apps get https."""
import pytest

from osptest import ask
from recipe import echo


@pytest.fixture(scope="module")
def front(serve, apps):
    return serve("https-offload", OSP_SERVER=apps("1").hosts[0])


def test_the_app_server_learns_the_scheme(front):
    fields = echo(front, headers=[("X-Forwarded-Proto", "http")])
    assert fields["x-forwarded-proto"] == ["https"]


def test_links_of_traditional_pages_are_https(front):
    answer = ask(front.address, "https", "/Portal/Home.aspx")
    assert b'href="https://apps.example.com/Portal/Detail.aspx?Id=1"' in answer.body

