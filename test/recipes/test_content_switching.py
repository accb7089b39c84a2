"""conf.d/recipes/content-switching.conf: each module from its farm, a start page, old addresses."""
import json

import pytest

from osptest import ask
from recipe import cookies, intact

PUBLIC = "https://apps.example.com"


@pytest.fixture(scope="module")
def farms(apps):
    """Two app servers, APP0 and APP1: one farm each."""
    return apps("1", "1")


@pytest.fixture(scope="module")
def front(serve, farms):
    return serve(several={"http-redirection": {}, "content-switching":
                          {"OSP_FARM_1": farms.hosts[0], "OSP_FARM_2": farms.hosts[1]}},
                 h2=True)


@pytest.fixture(scope="module")
def recorded(serve, app):
    return serve("content-switching", OSP_FARM_1=app.address, OSP_FARM_2=app.address,
                 configtest=False)


@pytest.mark.parametrize("client", ["https", "h2"])
def test_each_module_comes_from_its_farm(front, farms, client):
    mark = f"?{client}"
    for path in ("/MyApp/Home", "/MyMobile/", "/OutSystemsUI/css/OutSystemsUI.css",
                 "/ImageRepository/img/logo.svg", "/Portal/Home.aspx", "/MyOtherApp/Login.aspx",
                 "/RichWidgets/img/close.svg"):
        assert ask(front.address, client, path + mark).status == 200
    ask(front.address, client, "/MyApp/last")
    ask(front.address, client, "/Portal/last.aspx")
    first, second = ({line.split("/")[1] for line in farms.requests(number) if line.endswith(mark)}
                     for number in (0, 1))
    assert first == {"MyApp", "MyMobile", "OutSystemsUI", "ImageRepository"}
    assert second == {"Portal", "MyOtherApp", "RichWidgets"}


@pytest.mark.parametrize("module", ["MyApp", "MyMobile"])
@pytest.mark.parametrize("client", ["https", "h2"])
def test_a_reactive_app_keeps_its_bytes(front, module, client):
    assert intact(front, module, client) > 10


def test_a_screen_service_answers_from_the_app_s_farm(front):
    answer = ask(front.address, "https", "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems",
                 method="POST", body=b"{}", headers=[("X-CSRFToken", "x")])
    assert json.loads(answer.body)["data"]["List"]["List"][0]["Name"] == "Item 1 from APP0"


def test_pages_and_redirects_of_the_other_farm_carry_the_public_name(front):
    page = ask(front.address, "https", "/Portal/Home.aspx")
    assert b"Rendered by APP1" in page.body and f'href="{PUBLIC}/Portal/Detail.aspx'.encode() in page.body
    assert cookies(page)["PortalTheme"]["domain"] == "apps.example.com"
    assert ask(front.address, "https", "/Portal/").get("Location") == f"{PUBLIC}/Portal/Home.aspx"


@pytest.mark.parametrize("path,status,location", [
    ("/", 302, "/MyApp/"), ("/?a=b", 302, "/MyApp/?a=b"), ("/MyApp", 308, "/MyApp/"),
    ("/Portal", 308, "/Portal/"), ("/OldPortal/Home.aspx?Id=1", 308, "/Portal/Home.aspx?Id=1")])
def test_start_page_and_old_addresses(front, path, status, location):
    answer = ask(front.address, "https", path)
    assert (answer.status, answer.get("Location")) == (status, PUBLIC + location)


@pytest.mark.parametrize("client", ["http", "https"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_old_name_leads_to_the_new_one(front, client, method):
    answer = ask(front.address, client, "/Portal/Home.aspx?Id=1&b=%2F", host="www.example.com", method=method)
    assert (answer.status, answer.get("Location")) == (308, f"{PUBLIC}/Portal/Home.aspx?Id=1&b=%2F")


@pytest.mark.parametrize("path", ["/Login/Login.aspx", "/PortalAdmin/", "/MyAppX/", "/ServiceCenter/",
                                  "/Users/", "/Echo/", "/OldPortal"])
def test_what_is_not_listed_reaches_no_farm(recorded, app, path):
    recorded.log.allow("AH01630")
    assert ask(recorded.address, "https", path).status in (403, 404)
    assert app.requests == []


def test_paths_and_host_arrive_unchanged(recorded, app):
    ask(recorded.address, "https", "/MyApp/a%7Eb//c?")
    request = app.requests[-1]
    assert (request.target, request.get("Host")) == ("/MyApp/a%7Eb//c?", "apps.example.com")
