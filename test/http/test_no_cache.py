"""no-cache: mod_cache neither stores nor serves anything of a Reactive or Mobile module."""
import pytest

from osptest import Answer, both

# Names of sites: kind of cache, and whether mod_cache's quick handler runs.
SITES = {f"{store}-{mode}": (store, quick)
         for store in ("disk", "socache") for mode, quick in (("quick", "on"), ("normal", "off"))}
TEMPTING = {
    "max_age": [("Cache-Control", "public, max-age=31536000")],
    "s_maxage": [("Cache-Control", "s-maxage=86400"), ("ETag", '"1"')],
    "immutable": [("Cache-Control", "public, max-age=31536000, immutable"),
                  ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
    "expires": [("Expires", "Tue, 01 Jan 2080 00:00:00 GMT"), ("ETag", '"2"')],
}
KINDS = {"React": "reactive", "Mob": "mobile", "Trad": "traditional"}
DECLARED = "".join(f"OSProxyModule {name} {kind}\n" for name, kind in KINDS.items())


def name_of(site):
    return f"{site}.example.com"


def conf(farm, head="OSProxyEngine On", extra="", declared=DECLARED):
    def write(address):
        text = f"CacheSocache shmcb:{address}.cache(2097152)\nCacheSocacheMaxSize 200000\n"
        for site, (store, quick) in SITES.items():
            body = f"CacheEnable {store} /\nCacheQuickHandler {quick}\n" + extra
            body += (declared + 'OSProxyRule domain-https off "a test of caches"\n') * bool(head)
            body += f"ProxyPreserveHost On\nProxyPass / {farm['http'].url}/\n"
            text += both(address, body, name=name_of(site), head=head)
        return text
    return write


@pytest.fixture(scope="module")
def front(start, farm):
    extra = ('<Location /React/off/>\nOSProxyRule no-cache off "a test"\n</Location>\n'
             "<Location /React/report/>\nOSProxyRule no-cache report\n</Location>\n")
    return start(conf(farm, extra=extra))


@pytest.fixture(scope="module")
def plain(start, farm):
    return start(conf(farm, head=""), module=False)


def fetches(httpd, backend, site, path, client="http", times=3, **request):
    """How many of so many requests reached the app server; the last answer."""
    before = len(backend.requests)
    for _ in range(times):
        answer = httpd.ask(client, path, host=name_of(site), sni=name_of(site), **request)
    return len(backend.requests) - before, answer


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("tempting", TEMPTING)
@pytest.mark.parametrize("module", ["React", "Mob", "Unknown"])
def test_nothing_is_served_from_the_cache(front, backend, module, tempting, site):
    backend.answer = Answer(200, TEMPTING[tempting])
    count, answer = fetches(front, backend, site, f"/{module}/{tempting}.js?eq9LGmzdgJbMq6dbNoVMvQ")
    assert count == 3
    assert answer.get("Age") is None


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("tempting", TEMPTING)
def test_traditional_modules_keep_being_cached(front, backend, tempting, site):
    backend.answer = Answer(200, TEMPTING[tempting])
    count, answer = fetches(front, backend, site, f"/Trad/{tempting}.js?8322")
    assert count == 1
    assert answer.get("Age") is not None


@pytest.mark.parametrize("site", SITES)
def test_plain_httpd_serves_a_reactive_module_from_its_cache(plain, backend, site):
    backend.answer = Answer(200, TEMPTING["max_age"])
    count, answer = fetches(plain, backend, site, "/React/plain.js?x")
    assert count == 1
    assert answer.get("Age") is not None


@pytest.mark.parametrize("site", SITES)
def test_for_every_client(front, backend, client, site):
    backend.answer = Answer(200, TEMPTING["max_age"])
    assert fetches(front, backend, site, f"/React/{client}.css", client)[0] == 3
    assert fetches(front, backend, site, f"/Trad/{client}.css", client)[0] == 1


@pytest.mark.parametrize("site", SITES)
def test_other_spellings_of_a_module_do_not_reach_the_cache(front, backend, site):
    backend.answer = Answer(200, TEMPTING["max_age"])
    for path in ("/%52eact/a.js", "/react/a.js", "/REACT/a.js", "//React/a.js", "/React"):
        assert fetches(front, backend, site, path)[0] == 3, path


def test_nothing_of_a_reactive_module_is_stored_on_disk(start, farm, backend):
    httpd = start(conf(farm))
    stored = httpd.dir / "cache"
    backend.answer = Answer(200, TEMPTING["max_age"])
    for site in SITES:
        fetches(httpd, backend, site, "/React/a.js")
        fetches(httpd, backend, site, "/Unknown/a.js")
        fetches(httpd, backend, site, "/Mob/a.js", method="HEAD")
    assert list(stored.rglob("*.header")) == []
    fetches(httpd, backend, "disk-quick", "/Trad/a.js")
    assert len(list(stored.rglob("*.header"))) == 1


@pytest.mark.parametrize("site", [site for site in SITES if site.startswith("disk")])
def test_what_was_stored_before_is_not_served(start, farm, backend, site):
    """The module was declared Traditional, its answers were stored; then it became Reactive."""
    httpd = start(conf(farm, declared="OSProxyModule Moved traditional\n"))
    backend.answer = Answer(200, TEMPTING["max_age"])
    assert fetches(httpd, backend, site, "/Moved/a.js")[0] == 1
    httpd.reload(conf(farm, declared="OSProxyModule Moved reactive\n")(httpd.address))
    count, answer = fetches(httpd, backend, site, "/Moved/a.js")
    assert (count, answer.get("Age")) == (3, None)


@pytest.mark.parametrize("site", SITES)
def test_conditional_requests_reach_the_app_server(front, backend, site):
    backend.answer = Answer(304, [("ETag", '"1"')])
    for _ in range(2):
        answer = front.ask("http", "/React/c.js", host=name_of(site),
                           headers=[("If-None-Match", '"1"')])
        assert answer.status == 304
    assert [request.get("If-None-Match") for request in backend.requests] == ['"1"', '"1"']


@pytest.mark.parametrize("site", SITES)
def test_cache_headers_reach_the_client_unchanged(front, backend, site):
    backend.answer = Answer(200, TEMPTING["immutable"])
    answer = front.ask("http", "/React/h.js", host=name_of(site))
    for name, value in TEMPTING["immutable"]:
        assert answer.get(name) == value


def test_counters(front, backend):
    backend.answer = Answer(200, TEMPTING["max_age"])
    for site in SITES:
        for module, acted in (("React", 1), ("Unknown", 1), ("Trad", 0)):
            with front.counting("no-cache", name=name_of(site)) as count:
                fetches(front, backend, site, f"/{module}/count.js", times=1)
            assert count.all == {"acted": acted, "reported": 0, "refused": 0}, (site, module)


def test_off_and_report_in_a_section_leave_the_cache_on(front, backend):
    """In normal mode; the quick handler runs before sections are known."""
    backend.answer = Answer(200, TEMPTING["max_age"])
    front.allow_log("OSP06")
    for site in ("disk-normal", "socache-normal"):
        for word, reported in (("off", 0), ("report", 3)):
            with front.counting("no-cache", name=name_of(site)) as count:
                assert fetches(front, backend, site, f"/React/{word}/a.js")[0] == 1, (site, word)
            assert count.all == {"acted": 0, "reported": reported, "refused": 0}, (site, word)


@pytest.mark.parametrize("word", ["off", "report"])
def test_off_and_report_of_a_whole_site_leave_the_cache_on(start, farm, backend, word):
    rule = "OSProxyRule no-cache " + ('off "the site decides"\n' if word == "off" else "report\n")
    httpd = start(conf(farm, extra=rule))
    httpd.allow_log("OSP06")
    backend.answer = Answer(200, TEMPTING["max_age"])
    for site in SITES:
        with httpd.counting("no-cache", name=name_of(site)) as count:
            assert fetches(httpd, backend, site, "/React/a.js")[0] == 1, site
        assert count.acted == 0 and (count.reported > 0) == (word == "report")
