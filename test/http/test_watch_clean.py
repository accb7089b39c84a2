"""A clean farm is told nothing bad of, whatever its clients do. OSPROXY_CLEAN_SECONDS=3600 makes it an
hour at the rate that the watcher has by default, with a reload now and then."""
import os
import time

from osptest.client import NAME
from osptest.watching import balanced, clients, model, modules, troubles, until, visit

SECONDS = int(os.environ.get("OSPROXY_CLEAN_SECONDS", 0))
KINDS = {"MyApp": "reactive", "MyMobile": "mobile", "Portal": "traditional"}
GZIP = [("Accept-Encoding", "gzip, deflate, br")]
FROM = [("Referer", f"https://{NAME}/Portal/Home.aspx")]
PHONE = [("OutSystems-client-env", "native"), ("User-Agent", "OutSystemsApp v.1.0")]
ASKS = [
    ("/MyApp/", {}),
    ("/MyApp/Home", {"headers": GZIP}),
    ("/MyMobile/", {"headers": PHONE}),
    ("/Portal/Home.aspx", {"headers": GZIP}),
    ("/Portal/Home.aspx", {"method": "HEAD"}),
    ("/Portal/", {}),
    ("/PerformanceProbe/rest/BeaconInternal/x", {"method": "POST", "body": b"a=1"}),
    ("/Portal/_Basic.css", {"headers": [("Range", "bytes=0-9")]}),
    ("/MyApp/moduleservices/moduleversioninfo?1", {}),
    ("/MyApp/moduleservices/moduleinfo?cached", {"headers": GZIP}),
    ("/MyApp/scripts/OutSystems.js", {"headers": [("If-None-Match", "*")]}),
    ("/MyApp/screenservices/MyApp/Main/Home/DataActionGet", {"method": "POST", "body": b"{}"}),
    ("/MyApp/nothing.js", {"headers": FROM}),
    ("/nothing/x.css", {"headers": FROM}),
    ("/WinAuth/", {}),
    ("/Login/Login.aspx", {"headers": FROM}),
    ("/ServiceCenter/", {"headers": FROM}),
    ("/%3Cscript%3E/%00x", {"headers": FROM}),
    ("/MyOtherApp/Login.aspx?x=/Evil/y.css", {}),
]


def is_known(httpd):
    have = modules(httpd)
    return all(name in have and have[name]["kind"] == kind for name, kind in KINDS.items()) \
        and all(have[name]["verified"] > 5 for name in ("MyApp", "MyMobile"))


def complaints(httpd):
    return [line for line in httpd.log_text().splitlines() if "OSP110" in line]


def test_a_clean_farm_reports_nothing(watch, apps, mpm):
    httpd = watch(balanced(apps("1", "1"), "ttl=60"), mpm, rate="On" if SECONDS else "6000")
    httpd.end_requests_first()
    kinds = ["http", "https"] + (["h2"] if mpm != "prefork" else [])
    with clients(httpd, kinds, ASKS, pause=0.2 if SECONDS else 0.02) as running:
        end = time.monotonic() + SECONDS
        assert until(lambda: is_known(httpd), 90 + min(SECONDS, 300)), modules(httpd)
        while time.monotonic() < end:
            assert troubles(httpd) == [] and complaints(httpd) == []
            time.sleep(10)
            if int(end - time.monotonic()) % 300 < 10:
                httpd.reload()
        assert until(lambda: min(client.answered for client in running) > len(ASKS))
    assert troubles(httpd) == [] and complaints(httpd) == []
    assert [failure for client in running for failure in client.failures] == []
    have = model(httpd)
    assert [app["up"] for app in have["apps"]] == [True, True] and have["dropped"] == 0
    if SECONDS:
        print(f"{SECONDS} s: {sum(client.answered for client in running)} requests, {have['probes']} "
              f"probes, {have['pages']} pages read, {len(have['modules'])} modules")


def test_every_manifest_is_gone_through_at_the_default_rate(watch, apps):
    """Whatever else there is to ask, each module gets its turn, and something for it."""
    httpd = watch(balanced(apps("1", "1")), rate="On")
    for path, request in ASKS:
        visit(httpd, path, **request)

    def is_done():
        have = modules(httpd)
        return all(name in have and 0 < have[name]["resources"] == have[name]["verified"]
                   for name in ("MyApp", "MyMobile"))
    assert until(is_done, 180), modules(httpd)
    assert troubles(httpd) == []
