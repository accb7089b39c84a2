"""conf.d/recipes/caching.conf: static files of Traditional modules come from the cache, even with the app
server gone; nothing of Reactive and Mobile modules ever does, nor does anything that belongs to one user."""
import shutil

import pytest

from osptest import Answer, ask
from osptest.place import server_directory, server_user
from recipe import intact

APPS = ("OSProxyModule MyApp reactive\nOSProxyModule MyMobile mobile\nOSProxyModule Portal traditional\n"
        "OSProxyModule RichWidgets traditional\nOSProxyModule Login traditional\n")
STATIC = ("/Portal/_Basic.css?8322", "/Portal/_osjs.js?8_0_1_7", "/Portal/img/banner.svg?1",
          "/RichWidgets/Blocks/RichWidgets/RichWidgets/Popup.js?8322", "/RICHWIDGETS/img/close.svg?1")
# All of these come with "Cache-Control: public, max-age=…" and an ETag.
STRICT = ("/MyApp/scripts/OutSystems.js", "/MyApp/", "/MyApp/moduleservices/moduleinfo?cached",
          "/MyApp/css/MyApp.css", "/MyMobile/scripts/cordova.js", "/MyMobile/img/background.svg",
          "/ImageRepository/img/logo.svg?1",
          "/OutSystemsUI/css/OutSystemsUI.css")
YEAR = ("Cache-Control", "public, max-age=31536000")


@pytest.fixture(scope="module")
def front_of(serve):
    """front_of(address): the recipe in front of it, with a cache of its own and CacheHeader On."""
    folders = []

    def run(host, listed=None, **options):
        folder = server_directory()
        folders.append(folder)
        shutil.chown(folder, *server_user())
        values = {"OSP_CACHE": str(folder)} | ({"OSP_TRADITIONAL": listed} if listed else {})
        return serve(several={"caching": values, "https-offload": {"OSP_SERVER": host}},
                     before=APPS, after="CacheHeader On\n", **options)
    yield run
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def front(front_of, farm):
    return front_of(farm.hosts[0], h2=True)


@pytest.fixture(scope="module")
def scripted(front_of, app):
    return front_of(app.address, configtest=False)


def hit(answer):
    return "HIT" in answer.get("X-Cache", "")


@pytest.mark.parametrize("path", STATIC)
def test_a_static_file_of_a_traditional_module_is_fetched_once(front, farm, path):
    before = farm.requests().count(f"GET {path}")
    answers = [ask(front.address, client, path) for client in ("https", "https", front.clients[-1], "https")]
    assert [hit(answer) for answer in answers] == [False, True, True, True]
    assert len({answer.body for answer in answers}) == 1 and answers[0].status == 200
    assert {answer.get("ETag") for answer in answers} == {answers[0].get("ETag")}
    ask(front.address, "https", "/Portal/Home.aspx?done")       # what came before it is in the log
    assert farm.requests().count(f"GET {path}") == before + 1


def test_each_coding_is_kept_for_itself(front):
    path = "/Portal/_osjs.js?coding"
    for coding in ("gzip", "identity"):
        answers = [ask(front.address, "https", path, headers=[("Accept-Encoding", coding)]) for _ in range(2)]
        assert [hit(answer) for answer in answers] == [False, True]
        packed = {answer.get("Content-Encoding") for answer in answers}
        assert packed == {"gzip" if coding == "gzip" else None}


def test_another_number_is_another_file(front):
    assert hit(ask(front.address, "https", "/Portal/_Basic.css?1")) is False
    assert hit(ask(front.address, "https", "/Portal/_Basic.css?2")) is False
    assert hit(ask(front.address, "https", "/Portal/_Basic.css?1")) is True


@pytest.mark.parametrize("client", ["https", "h2"])
@pytest.mark.parametrize("path", STRICT)
def test_nothing_of_a_reactive_or_mobile_module_is_cached(front, client, path):
    for _ in range(3):
        answer = ask(front.address, client, path)
        assert answer.status == 200 and answer.get("Cache-Control").startswith("public, max-age")
        assert not hit(answer) and answer.get("Age") is None


@pytest.mark.parametrize("module", ["MyApp", "MyMobile"])
def test_every_resource_has_its_checksum(front, module):
    assert intact(front, module) == intact(front, module) > 10


@pytest.mark.parametrize("path", ["/Portal/Home.aspx", "/Portal/Detail.aspx?Id=1", "/Login/Login.aspx",
                                  "/Portal/"])
def test_pages_are_not_cached(front, path):
    for _ in range(3):
        assert not hit(ask(front.address, "https", path))


@pytest.mark.parametrize("path", ["/Portal/Download.aspx?Id=1", "/Portal/rest/Files/1", "/Portal/",
                                  "/Other/x.css", "/PortalAdmin/x.css"])
def test_what_is_no_static_file_is_not_cached_whatever_it_says(scripted, app, path):
    app.answer = Answer(200, [("Content-Type", "application/pdf"), YEAR, ("ETag", '"1"')], b"alice's")
    for _ in range(3):
        assert not hit(ask(scripted.address, "https", path))


@pytest.mark.parametrize("name,value", [
    ("Cache-Control", "private, max-age=600"), ("Cache-Control", "no-store"), ("ETag", '"1"'),
    ("Last-Modified", "Mon, 06 Oct 2025 09:00:00 GMT")])
def test_what_is_not_for_everybody_is_asked_for_each_time(scripted, app, name, value):
    path = f"/Portal/img/{name}-{len(value)}.png"
    app.answer = Answer(200, [("Content-Type", "image/png"), (name, value)], b"png")
    for _ in range(3):
        assert not hit(ask(scripted.address, "https", path))
    assert len(app.requests) == 3


def test_a_cookie_is_not_kept_for_others(scripted, app):
    app.answer = Answer(200, [("Content-Type", "text/css"), YEAR, ("Set-Cookie", "Session=alice")])
    first, second = (ask(scripted.address, "https", "/Portal/cookie.css?1") for _ in range(2))
    assert first.get("Set-Cookie") and hit(second) and second.get("Set-Cookie") is None


def test_access_rules_come_before_the_cache(front_of, app):
    """With mod_cache's quick handler an answer in the cache would go out to anybody."""
    closed = "<LocationMatch \"^/Portal/closed\">\nRequire expr %{req:X-Inside} == 'yes'\n</LocationMatch>\n"
    httpd = front_of(app.address, conf=closed, configtest=False)
    httpd.log.allow("AH01630")
    app.answer = Answer(200, [("Content-Type", "text/css"), YEAR], b"inside")
    inside = [("X-Inside", "yes")]
    assert not hit(ask(httpd.address, "https", "/Portal/closed.css", headers=inside))
    assert hit(ask(httpd.address, "https", "/Portal/closed.css", headers=inside))
    assert ask(httpd.address, "https", "/Portal/closed.css").status == 403
    httpd.stop()


def test_the_cache_answers_when_the_app_server_is_gone(front_of, apps):
    """What comes then can come from nowhere else. Here the recipe lists every module by mistake:
    mod_osproxy still keeps those that are not declared Traditional out of the cache."""
    farm = apps("1")
    front = front_of(farm.hosts[0], listed="[^/]+")
    for path in STATIC + STRICT:
        for _ in range(2):
            assert ask(front.address, "https", path).status == 200
    farm.stop()
    front.log.allow("AH00957|AH00959|AH01114")      # the app server is gone
    for path in STATIC:
        answer = ask(front.address, "https", path)
        assert answer.status == 200 and hit(answer) and answer.body
    for path in STRICT:
        assert ask(front.address, "https", path).status == 503, path
    front.stop()
