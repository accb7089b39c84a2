"""The watchers: what is referenced and missing, integrity, versions, kinds, with real app servers of
the demo farm behind the proxy."""
import gzip
import re
import subprocess
import time
import zlib

import pytest

from osptest import Answer, Backend, Connection, Httpd
from osptest.client import NAME, ask
from osptest.place import TOP
from osptest.watching import ask_now, balanced, model, modules, page, seen_all, troubles, until, visit


# ---- referenced content

def test_a_module_that_is_not_mapped_is_named_with_its_referrer_and_the_fix(watch, apps):
    farm = apps("1")
    hole = "ProxyPass /ImageRepository/ !\n"
    httpd = watch(hole + f"ProxyPass / {farm.urls[0]}/\n")
    visit(httpd, "/Portal/Home.aspx")
    found = until(lambda: troubles(httpd, "missing"))
    assert len(found) == 1, found
    assert "module ImageRepository is not available from outside" in found[0]["text"]
    assert "Portal" in found[0]["text"] and "/ImageRepository/img/logo.png" in found[0]["text"]
    assert f'ProxyPass "/ImageRepository/" "{farm.urls[0]}/ImageRepository/"' in found[0]["advice"]
    assert until(lambda: "OSP1101: missing content: module ImageRepository" in httpd.log_text(), 5)
    text = page(httpd).text
    assert "ImageRepository" in text and "not available from outside" in text
    # the mapping that was missing
    httpd.reload(httpd.conf.replace(hole, ""))
    assert until(lambda: not troubles(httpd)), troubles(httpd)
    assert modules(httpd)["ImageRepository"]["state"] == "available"
    assert until(lambda: "OSP1106" in httpd.log_text(), 5)


def test_a_declared_module_is_asked_for_without_a_visit(watch, apps, mpm):
    farm = apps("1")
    httpd = watch(f"ProxyPass /MyApp/ {farm.urls[0]}/MyApp/\n", mpm,
                  head="OSProxyEngine On\nOSProxyModule Portal\nOSProxyModule MyApp")
    found = until(lambda: [one for one in troubles(httpd, "missing") if "Portal" in one["text"]])
    assert found and "OSProxyModule" in found[0]["text"], troubles(httpd)
    assert until(lambda: modules(httpd)["MyApp"]["state"] == "available")


def test_a_manifest_tells_what_a_reactive_module_refers_to(watch, apps):
    farm = apps("1")
    httpd = watch(f"ProxyPass /MyApp/ {farm.urls[0]}/MyApp/\n")
    visit(httpd, "/MyApp/")
    found = until(lambda: len(troubles(httpd, "missing")) >= 2 and troubles(httpd, "missing"))
    names = {re.match(r"module (\S+)", one["text"]).group(1) for one in found}
    assert {"OutSystemsUI", "ImageRepository"} <= names
    assert all("referenced by MyApp" in one["text"] for one in found), found
    how = {(one["from"], one["to"]): one["how"] for one in model(httpd)["references"]}
    assert "manifest" in how.values()


@pytest.mark.parametrize("way", ["refused", "blocked"])
def test_what_the_proxy_itself_refuses_is_missing_too(watch, apps, way):
    farm = apps("1")
    rule = {"refused": "<Location /RichWidgets>\nRequire ip 192.0.2.1\n</Location>\n",
            "blocked": "RewriteEngine On\nRewriteRule ^/RichWidgets - [F]\n"}[way]
    httpd = watch(rule + f"ProxyPass / {farm.urls[0]}/\n")
    httpd.log.allow("AH01630|AH01797")
    visit(httpd, "/Portal/Home.aspx")
    found = until(lambda: troubles(httpd, "missing"))
    assert found and "RichWidgets" in found[0]["text"] and "403" in found[0]["text"], found


def test_a_failing_request_with_a_referer_finds_what_no_page_shows(watch, apps):
    farm = apps("1")
    httpd = watch(f"ProxyPass /Login/ {farm.urls[0]}/Login/\n")
    visit(httpd, "/Login/Login.aspx")
    assert until(lambda: seen_all(httpd, "Login"))
    visit(httpd, "/MyMobile/scripts/x.js", headers=[("Referer", f"https://{NAME}/Login/Login.aspx")])
    found = until(lambda: [one for one in troubles(httpd, "missing") if "MyMobile" in one["text"]])
    assert found and "failed request" in found[0]["text"], troubles(httpd)


def test_nobody_puts_a_name_into_the_findings_by_asking_for_it(watch, apps):
    farm = apps("1")
    httpd = watch(f"ProxyPass /Login/ {farm.urls[0]}/Login/\n")
    visit(httpd, "/Login/Login.aspx")
    assert until(lambda: seen_all(httpd, "Login"))
    evil = [("Referer", f"https://{NAME}/Login/Login.aspx")]
    with Connection(httpd.address, secure=True) as connection:
        for number in range(90):
            connection.request(f"/Evil{number}/x", headers=evil)
    visit(httpd, "/%3Cscript%3E/x", headers=evil)

    def names():
        return [name for name in modules(httpd) if "Evil" in name]

    assert until(lambda: len(names()) > 50 and seen_all(httpd, *names()[-10:])), names()
    assert len(names()) <= 64, "they have a corner of the table"
    assert [one for one in troubles(httpd) if "Evil" in one["text"]] == []
    for query in ("", "?metrics"):
        shown = page(httpd, query).text.partition("<body" if not query else "#")[2]
        assert "Evil" not in shown and "<script>" not in shown
    # who was looked for in vain gives way to a name that is one
    visit(httpd, "/MyMobile/scripts/x.js", headers=evil)
    assert until(lambda: any("MyMobile" in one["text"] for one in troubles(httpd, "missing")))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity"])
def test_compressed_pages_are_understood(watch, coding, apps):
    farm, html = apps("1"), b'<html><body><img src="/ImageRepository/img/logo.png?1"></body></html>'
    body = {"gzip": gzip.compress(html), "deflate": zlib.compress(html), "identity": html}[coding]
    fields = [] if coding == "identity" else [("Content-Encoding", coding)]
    backend = Backend()
    try:
        backend.answer = Answer(headers=[("Content-Type", "text/html"), *fields], body=body)
        httpd = watch(f"ProxyPass /Shop/ {backend.url}/Shop/\n"
                      f"ProxyPass /Portal/ {farm.urls[0]}/Portal/\n")
        answer = visit(httpd, "/Shop/")
        assert answer.status == 200 and answer.body == body
        assert until(lambda: "ImageRepository" in modules(httpd), 10), modules(httpd)
    finally:
        backend.close()


# ---- integrity

def test_a_body_that_is_rewritten_is_named(watch, apps):
    farm = apps("1")
    httpd = watch(f"ProxyPass / {farm.urls[0]}/\n"
                  "<Location /MyApp/scripts>\nSetOutputFilter SUBSTITUTE\nSubstitute s/e/E/\n"
                  "RequestHeader unset Accept-Encoding\n</Location>\n", modules=["substitute"])
    visit(httpd, "/MyApp/")
    found = until(lambda: troubles(httpd, "resource"))
    assert found and "rewrites" in found[0]["text"] and NAME in found[0]["text"], found
    assert until(lambda: "OSP1103" in httpd.log_text(), 5)


def test_a_server_that_stayed_behind_is_named(watch, apps):
    farm = apps("1", "1")
    httpd = watch(balanced(farm))
    visit(httpd, "/MyApp/")
    assert until(lambda: modules(httpd).get("MyApp", {}).get("verified"))
    farm.publish(1, "2")
    ask_now(httpd)
    found = until(lambda: troubles(httpd, "versions"), 90)
    assert found and "MyApp" in found[0]["text"] and farm.urls[1] in found[0]["text"], found
    assert found[0]["severity"] == "note", "it may be a deployment"
    farm.publish(0, "2")
    ask_now(httpd)
    assert until(lambda: not troubles(httpd), 90), troubles(httpd)


def test_a_server_that_is_down_is_named_until_it_is_back(watch, apps):
    farm = apps("1", "1")
    httpd = watch(balanced(farm, "retry=0"))
    httpd.log.allow("AH")
    visit(httpd, "/MyApp/")
    assert until(lambda: seen_all(httpd, "MyApp"))
    farm.processes[1].stop()
    ask_now(httpd)
    found = until(lambda: troubles(httpd, "app-down"), 60)
    assert found and farm.urls[1] in found[0]["text"]
    farm.processes[1] = farm.start(1, "1")
    assert until(lambda: not troubles(httpd, "app-down"), 60)
    httpd.log.allow("AH")


def test_a_check_on_demand_is_answered(watch, apps):
    farm = apps("1")
    httpd = watch(f"ProxyPass / {farm.urls[0]}/\n")
    visit(httpd, "/MyApp/")
    assert until(lambda: seen_all(httpd, "MyApp", "OutSystemsUI"))
    before = model(httpd)
    ask_now(httpd)
    asked = model(httpd)["asked"]
    assert asked == before["asked"] + 1
    assert until(lambda: model(httpd)["answered"] == asked)
    assert model(httpd)["probes"] > before["probes"]


# ---- check-live

def check_live(httpd, domain=NAME, status=None):
    """(exit status, what it says) of make check-live."""
    status = status or f"http://{httpd.control}/osproxy-status"
    done = subprocess.run(["make", "--no-print-directory", "check-live", f"DOMAIN={domain}",
                           f"STATUS={status}"], cwd=TOP, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout + done.stderr


def test_check_live_says_what_is_missing_and_when_nothing_is(watch, apps):
    farm = apps("1")
    hole = "ProxyPass /RichWidgets/ !\n"
    httpd = watch(hole + f"ProxyPass / {farm.urls[0]}/\n", head="OSProxyEngine On\nOSProxyModule Portal")
    visit(httpd, "/Portal/Home.aspx")
    assert until(lambda: seen_all(httpd, "Portal", "RichWidgets"))
    code, said = check_live(httpd)
    assert code != 0 and "[missing] module RichWidgets" in said and "fix: ProxyPass" in said, said
    httpd.reload(httpd.conf.replace(hole, ""))
    assert until(lambda: not troubles(httpd))
    code, said = check_live(httpd)
    assert code == 0 and "0 warnings" in said, said


def test_check_live_says_why_it_cannot_ask(watch):
    httpd = watch("ProxyPass /x/ http://127.0.0.1:1/x/\n")
    for domain, status, words in (
            ("else.example.com", None, f"watched are: {NAME}"),
            (NAME, f"http://{httpd.control}/nothing", "404"),
            (NAME, "http://127.0.0.1:1/osproxy-status", "is httpd running"),
            (NAME, "osproxy-status", "http://")):
        code, said = check_live(httpd, domain, status)
        assert code != 0 and words in said, said


# ---- kinds

def test_a_learned_kind_refuses_a_mapping_that_changes_the_path(watch, apps):
    farm = apps("1")
    httpd = watch(f"ProxyPass /apps/ {farm.urls[0]}/MyApp/\nProxyPass / {farm.urls[0]}/\n")
    assert visit(httpd, "/apps/").status == 200       # nobody knows the module yet
    visit(httpd, "/MyApp/")
    assert until(lambda: modules(httpd).get("MyApp", {}).get("kind") == "reactive")
    assert visit(httpd, "/apps/").status == 500
    httpd.log.allow("OSP050")


def test_what_is_learned_counts_on_plain_http_too(watch, apps):
    """Pages of either port are of one module, which https is asked for."""
    farm = apps("1")
    httpd = watch(f"ProxyPass / {farm.urls[0]}/\n")
    get = lambda: ask(httpd.address, "http", "/MyApp/").status  # noqa: E731
    assert get() == 200       # nobody knows the module yet
    assert until(lambda: modules(httpd).get("MyApp", {}).get("kind") == "reactive"), modules(httpd)
    assert get() == 308
    sites = {site["id"]: site["port"] for site in model(httpd)["sites"]}
    assert {sites[one["site"]] for one in model(httpd)["modules"]} == {443}
    assert until(lambda: any(site["minutes"] for site in model(httpd)["sites"] if site["port"] == 80))


def test_requests_do_not_make_a_kind_laxer(watch, apps):
    """Not by paths, fields or pages that look Traditional."""
    farm = apps("1")
    httpd = watch(f"ProxyPass /apps/ {farm.urls[0]}/MyApp/\nProxyPass / {farm.urls[0]}/\n")
    visit(httpd, "/MyApp/")
    assert until(lambda: modules(httpd).get("MyApp", {}).get("kind") == "reactive")
    for path in ("/MyApp/x.aspx", "/MyApp/_osjs.js", "/MyApp/Blocks/MyApp/x.js"):
        visit(httpd, path, headers=[("Referer", f"https://{NAME}/Portal/Home.aspx")])
    time.sleep(3)
    assert modules(httpd)["MyApp"]["kind"] == "reactive"
    assert visit(httpd, "/apps/").status == 500
    httpd.log.allow("OSP050")


# ---- the watcher itself

def test_probes_leave_no_trace_for_others(watch):
    """Their secret stays here, and where a request went is told to a probe only."""
    backend = Backend()
    try:
        httpd = watch(f"ProxyPass / {backend.url}/\n", head="OSProxyEngine On\nOSProxyModule Shop")
        assert until(lambda: seen_all(httpd, "Shop"))
        fields = [name.lower() for request in backend.requests for name, _ in request.headers]
        assert fields and not [name for name in fields if name.startswith("osproxy")]
        answer = visit(httpd, "/Shop/", headers=[("OSProxy-Probe", "0" * 32)])
        assert not [name for name, _ in answer.headers if name.lower().startswith("osproxy")]
    finally:
        backend.close()


def test_off_asks_nothing(watch):
    backend = Backend()
    try:
        httpd = watch(f"ProxyPass / {backend.url}/\n", rate="Off",
                      head="OSProxyEngine On\nOSProxyModule Shop")
        time.sleep(3)
        assert backend.requests == [] and httpd.status()["watch"] is None
    finally:
        backend.close()


@pytest.mark.parametrize("value", ["Sometimes", "0", "-1", "60001", "1.5"])
def test_a_wrong_rate_is_named(start, value):
    httpd = Httpd(watch=None)
    try:
        code, output = httpd.configtest(f"OSProxyWatch {value}\n")
        assert code != 0 and f"'{value}'" in output and "60000" in output
    finally:
        httpd.cleanup()
