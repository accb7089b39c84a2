"""conf.d/recipes/https-offload.conf: the app server learns the scheme, Reactive apps get https."""
import json
import re
from urllib.parse import urlencode

import pytest

from osptest import ask
from recipe import cookies, echo, fields_of, intact

APPS = "OSProxyModule MyApp reactive\nOSProxyModule Portal traditional\n"
SPOOFED = [("X-Forwarded-Proto", "http"), ("X-Forwarded-For", "10.1.2.3"), ("X-Forwarded-For", "10.4.5.6:99"),
           ("X_Forwarded_Proto", "http"), ("X-Forwarded-Host", "evil.example")]


@pytest.fixture(scope="module")
def front(serve, farm):
    return serve("https-offload", OSP_SERVER=farm.hosts[0], before=APPS)


@pytest.mark.parametrize("client,scheme", [("http", "http"), ("https", "https")])
def test_the_app_server_learns_the_true_scheme(front, client, scheme):
    for headers in ((), SPOOFED):
        fields = echo(front, client, headers=headers)
        assert fields["x-forwarded-proto"] == [scheme] and "x_forwarded_proto" not in fields


@pytest.mark.parametrize("client", ["http", "https"])
def test_the_client_is_told_truly_and_without_port(front, client):
    """An entry with a port has broken sign-ins; a spoofed one would make anybody internal."""
    for headers in ((), SPOOFED):
        fields = echo(front, client, headers=headers)
        (address,) = fields["x-forwarded-for"]
        assert re.fullmatch(r"127(\.\d+){3}", address)
        assert "evil.example" not in json.dumps(fields)


@pytest.mark.parametrize("path", ["/MyApp/", "/MyApp/Home?a=%7E", "/myapp/scripts/OutSystems.js?x"])
def test_a_reactive_app_is_sent_to_https(front, path):
    answer = ask(front.address, "http", path)
    assert (answer.status, answer.get("Location")) == (308, f"https://apps.example.com{path}")
    assert ask(front.address, "https", path).status == 200


def test_a_reactive_app_takes_no_body_over_http(front, farm):
    front.log.allow("OSP08")
    answer = ask(front.address, "http", "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems",
                 method="POST", body=b"{}")
    assert answer.status == 403 and b"screenservices" not in "".join(farm.requests()).encode()


def test_links_and_redirects_of_traditional_pages_are_https(front):
    page = ask(front.address, "https", "/Portal/Home.aspx")
    assert b'href="https://apps.example.com/Portal/Detail.aspx?Id=1"' in page.body
    assert b"http://" not in page.body
    moved = ask(front.address, "https", "/Portal/")
    assert moved.get("Location") == "https://apps.example.com/Portal/Home.aspx"


def test_a_post_back_works(front):
    page = ask(front.address, "https", "/Portal/Home.aspx")
    form = fields_of(page) | {"Text": "hello"}
    answer = ask(front.address, "https", "/Portal/Home.aspx", method="POST", body=urlencode(form).encode())
    assert answer.status == 200 and b"Post-back received by APP0: hello" in answer.body
    update = ask(front.address, "https", "/Portal/Home.aspx", method="POST",
                 body=urlencode(form | {"__AJAX": "1"}).encode())
    assert update.body.startswith(b"OsJSONUpdate({") and b"hello" in update.body


def test_the_login_s_cookies_pass_as_they_are(front):
    """nr1 is hidden from scripts, nr2 must not be; both are secure, as the scheme was https."""
    form = fields_of(ask(front.address, "https", "/Login/Login.aspx"))
    answer = ask(front.address, "https", "/Login/Login.aspx", method="POST",
                 body=urlencode(form | {"User": "alice", "Password": "alicepw"}).encode())
    assert answer.get("Location") == "https://apps.example.com/Portal/Home.aspx"
    set_cookies = cookies(answer)
    assert set_cookies["nr1Users"] == {"path": "/", "httponly": "", "secure": ""}
    assert set_cookies["nr2Users"] == {"path": "/", "secure": ""}


def test_a_refused_call_reaches_the_app_with_its_cookies(front):
    """Clients start from the 403 answer: it carries the token of the next call."""
    path = "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems"
    answer = ask(front.address, "https", path, method="POST", body=b"{}")
    assert answer.status == 403 and b"Invalid Login" in answer.body
    assert set(cookies(answer)) == {"nr1Users", "nr2Users"}
    answer = ask(front.address, "https", path, method="POST", body=b"{}", headers=[("X-CSRFToken", "x")])
    assert answer.status == 200 and json.loads(answer.body)["data"]


def test_a_reactive_app_keeps_its_bytes(front):
    assert intact(front, "MyApp", "https") > 10
