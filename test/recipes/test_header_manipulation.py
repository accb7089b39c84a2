"""conf.d/recipes/header-manipulation.conf: app servers that only know an internal name, behind a public
one that stands wherever a client looks. In these tests the internal name is an address."""
import json
from urllib.parse import urlencode, urljoin

import pytest

from osptest import Answer, ask
from recipe import addresses_in, cookies, fields_of

PUBLIC = "https://apps.example.com"
NAME = {"OSP_DOMAIN": "apps.example.com"}
HIDDEN = ("/MyApp/", "/MyMobile/moduleservices/moduleinfo", "/ServiceCenter/", "/Users/", "/Echo/",
          "/PortalAdmin/", "/lifetime/", "//MyApp/", "/Portal/../MyApp/", "/Portal/%2e%2e/MyApp/")


@pytest.fixture(scope="module")
def front(serve, farm):
    return serve("header-manipulation", OSP_INTERNAL=farm.hosts[0], h2=True, **NAME)


@pytest.fixture(scope="module")
def recorded(serve, app):
    """The recipe in front of an app server that records what it is asked."""
    return serve("header-manipulation", configtest=False, OSP_INTERNAL=app.address, **NAME)


def test_the_app_server_gets_its_internal_name(recorded, app):
    assert ask(recorded.address, "https", "/Portal/Home.aspx").status == 200
    request = app.requests[-1]
    assert request.get("Host") == app.address
    assert request.get("X-Forwarded-Host") == "apps.example.com"
    assert request.get("X-Forwarded-Proto") == "https"


@pytest.mark.parametrize("client", ["https", "h2"])
def test_everything_that_a_page_names_is_public_and_reached(front, farm, client):
    """Images, widgets, style sheets and what they name, other modules: from two pages on."""
    todo = [f"{PUBLIC}/Portal/Home.aspx", f"{PUBLIC}/MyOtherApp/Login.aspx"]
    seen = {}
    while todo:
        url = todo.pop()
        assert url.startswith(PUBLIC + "/"), url
        path = url.removeprefix(PUBLIC)
        if url in seen or path == "/MyApp/":        # Reactive: not to be had here
            continue
        answer = seen[url] = ask(front.address, client, path)
        assert farm.hosts[0].encode() not in answer.raw + answer.body, url
        kind = answer.get("Content-Type", "").split(";")[0]
        if answer.status == 200 and kind in ("text/html", "text/css"):
            todo += [urljoin(url, address) for address in addresses_in(answer.text)]
    missing = [url for url, answer in seen.items() if answer.status != 200]
    assert not missing
    paths = [url.removeprefix(PUBLIC).split("?")[0] for url in seen]
    for path in ("/Portal/Detail.aspx", "/ImageRepository/img/logo.png", "/ImageRepository/img/logo.svg",
                 "/Login/Login.aspx", "/RichWidgets/Blocks/RichWidgets/RichWidgets/Popup.js",
                 "/RichWidgets/img/close.svg", "/Portal/_osjs.js"):
        assert path in paths


@pytest.mark.parametrize("client", ["https", "h2"])
def test_links_redirects_and_cookies_carry_the_public_name(front, farm, client):
    page = ask(front.address, client, "/Portal/Home.aspx")
    assert f'href="{PUBLIC}/Portal/Detail.aspx?Id=1">{PUBLIC}/Portal/Detail.aspx<'.encode() in page.body
    assert cookies(page)["PortalTheme"] == {"domain": "apps.example.com", "path": "/Portal"}
    moved = ask(front.address, client, "/Portal/")
    assert (moved.status, moved.get("Location")) == (302, f"{PUBLIC}/Portal/Home.aspx")
    assert f'href="{PUBLIC}/Portal/Home.aspx"'.encode() in moved.body
    assert ask(front.address, client, "/Portal").get("Location") == f"{PUBLIC}/Portal/"


def test_a_redirect_elsewhere_and_a_cookie_of_others_pass(recorded, app):
    app.answer = Answer(302, [("Location", "https://idp.example/login?to=https://app/"),
                              ("Set-Cookie", "a=b; Domain=idp.example; Path=/")])
    answer = ask(recorded.address, "https", "/Login/Login.aspx")
    assert answer.get("Location") == "https://idp.example/login?to=https://app/"
    assert cookies(answer)["a"] == {"domain": "idp.example", "path": "/"}


def test_signing_in_at_another_module_leads_back(front):
    form = fields_of(ask(front.address, "https", "/MyOtherApp/Login.aspx"))
    answer = ask(front.address, "https", "/MyOtherApp/Login.aspx", method="POST",
                 body=urlencode(form | {"User": "alice", "Password": "alicepw"}).encode())
    assert answer.get("Location") == f"{PUBLIC}/Portal/Home.aspx"
    assert set(cookies(answer)) == {"nr1Users", "nr2Users"} and "httponly" not in cookies(answer)["nr2Users"]


def test_post_backs_work(front):
    form = fields_of(ask(front.address, "https", "/Portal/Home.aspx")) | {"Text": "hello"}

    def post(**more):
        return ask(front.address, "https", "/Portal/Home.aspx", method="POST",
                   body=urlencode(form | more).encode())

    assert b"Post-back received by APP0: hello" in post().body
    update = post(__AJAX="1").text
    inner = json.loads(update.removeprefix("OsJSONUpdate(").removesuffix(")"))["outers"]["Message"]["inner"]
    assert 'href="/Portal/Home.aspx"' in inner
    assert post(__EVENTTARGET="Detail").get("Location").removeprefix(PUBLIC) == "/Portal/Detail.aspx"


def test_pages_come_plain_and_assets_as_the_app_server_packs_them(recorded, app):
    """A page that comes compressed cannot be changed; an asset need not be."""
    for path, expected in (("/Portal/Home.aspx", []), ("/Portal/", []), ("/portal.aspx", []),
                           ("/Portal/_osjs.js?8_0_1_7", ["gzip"]),
                           ("/RichWidgets/img/close.svg?1", ["gzip"])):
        app.reset()
        ask(recorded.address, "https", path, headers=[("Accept-Encoding", "gzip")])
        for request in app.requests:
            assert request.all("Accept-Encoding") == expected, path


def test_a_long_line_is_changed_as_well(recorded, app):
    """A view state of some megabytes, then an address, in one line."""
    app.answer = Answer(200, [("Content-Type", "text/html; charset=utf-8")],
                        b"<p>" + b"x" * 3_000_000 + b'<a href="https://%s/Portal/">' %
                        app.address.encode())
    answer = ask(recorded.address, "https", "/Portal/Home.aspx")
    assert answer.body.endswith(b'x<a href="https://apps.example.com/Portal/">')


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_error_pages_do_not_name_the_inside(recorded, app, status):
    app.answer = Answer(status, [("Content-Type", "text/html")],
                        b'<a href="https://%s/Portal/">' % app.address.encode())
    answer = ask(recorded.address, "https", "/Portal/Home.aspx")
    assert (answer.status, answer.body) == (status, b'<a href="https://apps.example.com/Portal/">')


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_not_listed_is_not_reachable(recorded, app, path):
    recorded.log.allow("AH01630")
    answer = ask(recorded.address, "https", path)
    assert answer.status in (308, 400, 403, 404) and app.requests == []
