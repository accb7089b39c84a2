"""conf.d/recipes/path-changes.conf: Traditional modules under /apps/ work whole, and not one byte of the
Reactive and Mobile modules beside them changes. In these tests the internal name is an address."""
import gzip
import json
import re
from urllib.parse import urlencode, urljoin

import pytest

from osptest import Answer, ask
from recipe import addresses_in, cookies, fields_of, intact

PUBLIC = "https://apps.example.com"
MOVED = ("Portal", "MyOtherApp", "Login", "RichWidgets")
GZIP = [("Accept-Encoding", "gzip")]


@pytest.fixture(scope="module")
def front(serve, farm):
    return serve("path-changes", OSP_INTERNAL=farm.hosts[0], h2=True)


@pytest.fixture(scope="module")
def recorded(serve, app):
    """The recipe in front of an app server that records what it is asked and says what it is told."""
    return serve("path-changes", configtest=False, OSP_INTERNAL=app.address)


def said(recorded, app, text, kind="text/html; charset=utf-8", path="/apps/Portal/Home.aspx"):
    """What becomes of a body on its way; @ in it is the app server's name."""
    app.answer = Answer(200, [("Content-Type", kind)], text.replace("@", app.address).encode())
    return ask(recorded.address, "https", path).text


# ---- Traditional modules, under /apps/

@pytest.mark.parametrize("client", ["https", "h2"])
def test_everything_that_a_page_names_is_reached(front, farm, client):
    """From two pages on: links, images, widgets, style sheets, scripts and what they name."""
    todo = [f"{PUBLIC}/apps/Portal/Home.aspx", f"{PUBLIC}/apps/MyOtherApp/Login.aspx"]
    seen = {}
    while todo:
        url = todo.pop()
        assert url.startswith(PUBLIC + "/"), url
        if url in seen:
            continue
        answer = seen[url] = ask(front.address, client, url.removeprefix(PUBLIC))
        assert farm.hosts[0].encode() not in answer.raw + answer.body, url
        path = url.removeprefix(PUBLIC).split("?")[0]
        if answer.status == 200 and path.startswith("/apps/") and not path.endswith(".svg"):
            todo += [urljoin(url, address) for address in addresses_in(answer.text)]
    paths = {url.removeprefix(PUBLIC).split("?")[0]: answer.status for url, answer in seen.items()}
    # A script's "/Portal/" + screen is a beginning, not an address: /apps/Portal/ leads on.
    assert {path: status for path, status in paths.items() if status != 200} == \
        {"/apps/Portal/": 302, "/apps/Login/": 302, "/apps/MyOtherApp/": 302}
    for path in ("/apps/Portal/Detail.aspx", "/apps/Portal/img/banner.svg", "/ImageRepository/img/logo.svg",
                 "/ImageRepository/img/logo.png", "/apps/RichWidgets/img/close.svg",
                 "/apps/Portal/_Basic.css",
                 "/apps/RichWidgets/Blocks/RichWidgets/RichWidgets/Popup.js", "/apps/Login/Login.aspx",
                 "/MyApp/", "/PerformanceProbe/rest/BeaconInternal/WebScreenClientExecutedEvent"):
        assert path in paths
    assert not [path for path in paths if path.startswith(tuple(f"/{module}/" for module in MOVED))]


def test_html_css_and_javascript_are_changed(front):
    page = ask(front.address, "https", "/apps/Portal/Home.aspx").text
    for text in (f'href="{PUBLIC}/apps/Portal/Detail.aspx?Id=1">{PUBLIC}/apps/Portal/Detail.aspx<',
                 'href="/apps/Portal/_Basic.css?8322"', 'src="/apps/Portal/_osjs.js?8_0_1_7"',
                 "RichWidgetsPopup.open('/apps/Portal/Detail.aspx?Id=3')", 'href="/apps/Login/Login.aspx"',
                 'src="/ImageRepository/img/logo.png?1"', 'href="/MyApp/"', 'action="Home.aspx"'):
        assert text in page, text
    css = ask(front.address, "https", "/apps/Portal/_Basic.css?8322").text
    for text in ("url(/apps/Portal/img/banner.svg?1)", "url('/ImageRepository/img/logo.svg?1')",
                 'url("/apps/RichWidgets/img/close.svg?1")'):
        assert text in css, text
    script = ask(front.address, "https", "/apps/Portal/_osjs.js?8_0_1_7").text
    assert 'location.href = "/apps/Portal/" + screen' in script
    assert '"/PerformanceProbe/rest/BeaconInternal/' in script


CHANGED = {
    'a "/Portal/x"': 'a "/apps/Portal/x"',
    "a '/portal/x'": "a '/apps/Portal/x'",                       # IIS does not tell them apart
    "onclick=&quot;/Portal/x&quot;": "onclick=&quot;/apps/Portal/x&quot;",
    r'{"inner":"<a href=\"/Login/x\">"}': r'{"inner":"<a href=\"/apps/Login/x\">"}',
    "https://@/Portal/ http://@/Login/x": f"{PUBLIC}/apps/Portal/ http://apps.example.com/apps/Login/x",
    "https://@/MyApp/Home https://@": f"{PUBLIC}/MyApp/Home {PUBLIC}",
}
KEPT = ('"/PortalAdmin/x"', '"/MyApp/Portal/x"', '"Portal/x"', "https://other.example/Portal/x",
        "wEPDwU/Portal/x==", '"/apps/Portal/x"', '"../Portal/x"', "a/Portal/x", "text /Portal/ text")


@pytest.mark.parametrize("text", CHANGED)
def test_what_is_an_address_is_changed(recorded, app, text):
    assert said(recorded, app, text) == CHANGED[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_none_of_these_is_kept(recorded, app, text):
    assert said(recorded, app, text) == text


def test_a_long_line_is_changed_as_well(recorded, app):
    """A view state of some megabytes, then an address, in one line."""
    text = said(recorded, app, "<p>" + "x" * 3_000_000 + '<a href="/Portal/">')
    assert text.endswith('x<a href="/apps/Portal/">')


def test_other_types_are_kept(recorded, app):
    for kind in ("image/svg+xml", "application/octet-stream", "application/pdf", "image/png"):
        assert said(recorded, app, '"/Portal/x" https://@/', kind) == \
            f'"/Portal/x" https://{app.address}/', kind


@pytest.mark.parametrize("client", ["https", "h2"])
def test_redirects_lead_to_the_public_place(front, client):
    moved = ask(front.address, client, "/apps/Portal/")
    assert (moved.status, moved.get("Location")) == (302, f"{PUBLIC}/apps/Portal/Home.aspx")
    assert f'href="{PUBLIC}/apps/Portal/Home.aspx"'.encode() in moved.body


@pytest.mark.parametrize("location,expected", [
    ("https://@/Portal/Home.aspx?a=/b", f"{PUBLIC}/apps/Portal/Home.aspx?a=/b"),
    ("http://@/Login/", f"{PUBLIC}/apps/Login/"),
    ("/Portal/Home.aspx", "/apps/Portal/Home.aspx"),
    ("https://@/MyApp/Home", f"{PUBLIC}/MyApp/Home"),
    ("/MyApp/Home", "/MyApp/Home"),
    ("https://idp.example/Portal/", "https://idp.example/Portal/"),
])
def test_every_kind_of_redirect(recorded, app, location, expected):
    app.answer = Answer(302, [("Location", location.replace("@", app.address))])
    answer = ask(recorded.address, "https", "/apps/Portal/Home.aspx")
    assert answer.get("Location") == expected


def test_cookies_of_a_module_move_and_those_of_the_session_stay(front):
    page = ask(front.address, "https", "/apps/Portal/Home.aspx")
    assert cookies(page)["PortalTheme"] == {"domain": "apps.example.com", "path": "/apps/Portal"}
    assert cookies(page)["ASP.NET_SessionId"]["path"] == "/"
    form = fields_of(ask(front.address, "https", "/apps/Login/Login.aspx"))
    answer = ask(front.address, "https", "/apps/Login/Login.aspx", method="POST",
                 body=urlencode(form | {"User": "alice", "Password": "alicepw"}).encode())
    assert answer.get("Location") == f"{PUBLIC}/apps/Portal/Home.aspx"
    assert cookies(answer)["nr1Users"] == {"path": "/", "httponly": "", "secure": ""}
    assert cookies(answer)["nr2Users"] == {"path": "/", "secure": ""}


@pytest.mark.parametrize("client", ["https", "h2"])
def test_post_backs_work(front, client):
    form = fields_of(ask(front.address, client, "/apps/Portal/Home.aspx")) | {"Text": "hello"}

    def post(**more):
        return ask(front.address, client, "/apps/Portal/Home.aspx", method="POST",
                   body=urlencode(form | more).encode())

    assert b"Post-back received by APP0: hello" in post().body
    update = post(__AJAX="1")
    found = re.fullmatch(r"OsJSONUpdate\((.*)\)", update.text)
    assert 'href="/apps/Portal/Home.aspx"' in json.loads(found[1])["outers"]["Message"]["inner"]
    assert post(__EVENTTARGET="Detail").get("Location").removeprefix(PUBLIC) == "/apps/Portal/Detail.aspx"


@pytest.mark.parametrize("path,location", [
    ("/Portal/Home.aspx?a=b", "/apps/Portal/Home.aspx?a=b"), ("/Portal", "/apps/Portal/"),
    ("/apps/Portal", "/apps/Portal/"), ("/MyOtherApp/Login.aspx", "/apps/MyOtherApp/Login.aspx"),
    ("/MyApp", "/MyApp/")])
def test_old_addresses_lead_to_the_new_ones(front, path, location):
    """The Reactive app refers to /MyOtherApp/Login.aspx, and its bytes must not change."""
    answer = ask(front.address, "https", path, method="POST")
    assert (answer.status, answer.get("Location")) == (308, PUBLIC + location)


def test_an_answer_that_is_changed_comes_whole_and_plain(recorded, app):
    ask(recorded.address, "https", "/apps/Portal/_osjs.js?1",
        headers=[*GZIP, ("Range", "bytes=5-9"), ("If-None-Match", '"x"')])
    request = app.requests[-1]
    assert request.all("Accept-Encoding") == request.all("Range") == []
    assert request.get("If-None-Match") == '"x"'
    assert (request.get("Host"), request.target) == (app.address, "/Portal/_osjs.js?1")
    assert request.get("X-Forwarded-Proto") == "https"


# ---- Reactive and Mobile modules, beside them

@pytest.mark.parametrize("module", ["MyApp", "MyMobile"])
@pytest.mark.parametrize("client", ["https", "h2"])
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_every_resource_has_its_checksum(front, module, client, coding):
    assert intact(front, module, client, coding) > 10


def test_they_come_compressed_as_the_app_server_made_them(front, farm):
    for path in ("/MyApp/scripts/OutSystems.js", "/MyMobile/moduleservices/moduleinfo"):
        answer = ask(front.address, "https", path, headers=GZIP)
        direct = ask(farm.hosts[0], "http", path, headers=GZIP)
        assert answer.get("Content-Encoding") == "gzip" and gzip.decompress(answer.body)
        assert answer.body == direct.body and answer.get("ETag") == direct.get("ETag")


def test_their_host_path_and_bodies_pass_unchanged(recorded, app):
    text = '"/Portal/x" https://@/Portal/ url(/Login/x)'.replace("@", app.address).encode()
    for path in ("/MyApp/a%7Eb//c?", "/MyMobile/Home", "/ImageRepository/css/x.css", "/OutSystemsUI/x.js"):
        app.answer = Answer(200, [("Content-Type", "text/html")], text)
        answer = ask(recorded.address, "https", path, headers=[*GZIP, ("Range", "bytes=0-")])
        request = app.requests[-1]
        assert answer.body == text
        assert (request.target, request.get("Host")) == (path, "apps.example.com")
        assert (request.get("Accept-Encoding"), request.get("Range")) == ("gzip", "bytes=0-")


@pytest.mark.parametrize("path", ["/apps/MyApp/", "/apps/MyMobile/", "/apps/", "/apps/ServiceCenter/",
                                  "/ServiceCenter/", "/apps/Portal/../ServiceCenter/",
                                  "/apps/Portal/%2e%2e/MyApp/", "/Echo/"])
def test_nothing_else_is_published(recorded, app, path):
    recorded.log.allow("AH01630")
    answer = ask(recorded.address, "https", path)
    assert answer.status in (400, 403, 404) and app.requests == []
