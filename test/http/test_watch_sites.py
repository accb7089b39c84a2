"""What the watchers tell of each virtual host: rules that are off or only report, the time of a deployment,
front doors that cannot be asked."""
import re

import pytest

from osptest import Httpd, both, tls, vhost
from osptest.client import NAME, encode, raw
from osptest.watching import ask_now, balanced, model, modules, page, troubles, until, visit
from test_watch import check_live

OTHER, THIRD = "other.example.com", "third.example.com"
REASON = 'another <proxy> serves "them"'
OFF = "OSProxyEngine On\nOSProxyRule referenced-content off 'another <proxy> serves \"them\"'"
ON = "OSProxyEngine On"
REPORT = "OSProxyEngine Report"
HOLE = "ProxyPass /ImageRepository/ !\n"
DECLARED = "OSProxyModule ImageRepository\n"


def lines(httpd, number):
    return [line for line in httpd.log_text().splitlines() if f"{number}: " in line]


def by_site(httpd, kind):
    """Severity and reason of each trouble of a kind, by the name of its site."""
    have = model(httpd)
    names = {site["id"]: site["name"] for site in have["sites"]}
    return {names[one["site"]]: (one["severity"], one["reason"]) for one in have["troubles"]
            if one["kind"] == kind}


# ---- off

def three_sites(httpd, url, heads):
    body = f"{DECLARED}{HOLE}ProxyPass / {url}/\n"
    return "".join(both(httpd.address, body, name=name, head=head) for name, head in heads.items())


def test_a_rule_is_off_for_its_virtual_host_only(watch, apps):
    url = apps("1").urls[0]
    httpd = watch(lambda httpd: three_sites(httpd, url, {NAME: OFF, OTHER: ON, THIRD: REPORT}))
    assert until(lambda: len(by_site(httpd, "missing")) == 3), model(httpd)
    assert by_site(httpd, "missing") == {
        NAME: ("off", REASON), OTHER: ("warning", None), THIRD: ("warning", None)}
    assert model(httpd)["warnings"] == 2
    assert until(lambda: len(lines(httpd, "OSP1101")) == 2), httpd.log_text()
    assert all(OTHER in line or THIRD in line for line in lines(httpd, "OSP1101"))
    shown = page(httpd).text
    assert "2 modules are not available from outside" in shown
    assert shown.count("referenced-content</a>: another &lt;proxy&gt; serves &quot;them&quot;") >= 3
    code, said = check_live(httpd, NAME)
    assert code == 0 and f"OSProxyRule referenced-content off: {REASON}" in said and "1 off" in said
    # the other way round: what is switched off is not in order for that, what is switched on is told
    httpd.reload(three_sites(httpd, url, {NAME: ON, OTHER: OFF, THIRD: REPORT}))
    assert until(lambda: len(lines(httpd, "OSP1101")) == 3), httpd.log_text()
    assert f"no mapping of {NAME}" in lines(httpd, "OSP1101")[2]
    assert by_site(httpd, "missing") == {
        NAME: ("warning", None), OTHER: ("off", REASON), THIRD: ("warning", None)}
    assert lines(httpd, "OSP1106") == []


def test_a_cache_is_no_cache_s_finding(watch, apps):
    farm = apps("1")
    rule = "OSProxyEngine On\nOSProxyRule no-cache {}"
    body = (f"ProxyPass / {farm.urls[0]}/\nCacheEnable disk /\nCacheIgnoreCacheControl On\n"
            "CacheIgnoreNoLastMod On\nCacheStoreNoStore On\nCacheStorePrivate On\nCacheStoreExpired On\n"
            "CacheIgnoreQueryString On\nCacheDefaultExpire 3600\n")
    httpd = watch(body, head=rule.format("report"))
    httpd.log.allow("OSP060")
    visit(httpd, "/MyApp/")
    assert until(lambda: modules(httpd).get("MyApp", {}).get("token"))
    farm.publish(0, "2")
    ask_now(httpd)
    caches = lambda: [one for one in troubles(httpd) if one["rule"] == "no-cache"]  # noqa: E731
    found = until(caches, 60)
    assert found and "a cache keeps an old copy" in found[0]["text"], troubles(httpd)
    assert {one["severity"] for one in found} == {"warning"}
    assert until(lambda: lines(httpd, "OSP1103"), 5)
    told = lambda: [line for line in lines(httpd, "OSP1103") if "cache keeps" in line]  # noqa: E731
    before = told()
    httpd.reload(both(httpd.address, body, head=rule.format('off "they are \'small\'"')))
    assert until(lambda: {(one["severity"], one["reason"]) for one in caches()}
                 == {("off", "they are 'small'")}), troubles(httpd)
    ask_now(httpd)
    asked = model(httpd)["asked"]
    assert until(lambda: model(httpd)["answered"] >= asked)
    assert told() == before
    httpd.log.allow("OSP060")


# ---- the time of a deployment

def test_two_versions_are_a_note_for_as_long_as_a_deployment_may_take(watch, apps):
    farm = apps("1", "2")
    httpd = watch(balanced(farm), rate="6000 deploy=3600")
    visit(httpd, "/MyApp/")
    found = until(lambda: troubles(httpd, "versions"), 60)
    assert found and found[0]["severity"] == "note" and model(httpd)["deploy"] == 3600
    assert until(lambda: lines(httpd, "OSP1104"), 5) and ":info]" in lines(httpd, "OSP1104")[0]
    assert model(httpd)["warnings"] == 0
    httpd.watch = "6000 deploy=1"
    httpd.reload()
    assert until(lambda: troubles(httpd, "versions")[0]["severity"] == "warning"), troubles(httpd)
    assert until(lambda: any(":warn]" in line for line in lines(httpd, "OSP1104")), 10)
    assert not re.search("OSP1106: [^0]", httpd.log_text()), "a note that got worse is not in order"


def test_each_farm_behind_a_virtual_host_has_a_version_of_its_own(watch, apps):
    farm, other = apps("1", "1"), apps("2", "2")
    members = "".join(f"BalancerMember {url}\n" for url in other.urls)
    httpd = watch(f"<Proxy balancer://others>\n{members}</Proxy>\n"
                  "ProxyPass /Portal balancer://others/Portal\n" + balanced(farm))
    visit(httpd, "/MyApp/")
    visit(httpd, "/Portal/Home.aspx")
    having = lambda: {app["url"] for app in model(httpd)["apps"]  # noqa: E731
                      if modules(httpd)["MyApp"]["id"] in [one["module"] for one in app["versions"]]}
    assert until(lambda: having() == set(farm.urls)), model(httpd)
    ask_now(httpd)
    assert until(lambda: {app["up"] for app in model(httpd)["apps"]} == {True}), modules(httpd)
    assert having() == set(farm.urls)
    assert troubles(httpd) == []
    farm.publish(1, "2")
    assert until(lambda: troubles(httpd, "versions"), 60), model(httpd)
    httpd.log.allow("OSP1104")
    httpd.log.allow("OSP1103")


@pytest.mark.parametrize("value,words", [
    ("On deploy=0", "'deploy=0'"), ("On deploy=86401", "'deploy=86401'"), ("60 deploy=", "'deploy='"),
    ("On deploy=5m", "'deploy=5m'"), ("On deploy 5", "OSProxyWatch"), ("On 600", "'600'"),
    ("On deploy=-1", "'deploy=-1'"), ("deploy=600", "'deploy=600'")])
def test_a_wrong_time_is_named(value, words):
    httpd = Httpd(watch=None)
    try:
        code, output = httpd.configtest(f"OSProxyWatch {value}\n")
        assert code != 0 and words in output and "deploy=" in output
        assert httpd.configtest("OSProxyWatch 60 Deploy=1800\n")[0] == 0
    finally:
        httpd.cleanup()


# ---- what cannot be asked

HEAD = "OSProxyEngine On\nOSProxyModule Portal\nOSProxyModule MyApp\n"
CERTIFICATES = f"SSLCACertificateFile {tls.authority().cert}\n"
CANNOT = {
    "proxy protocol": ("", HEAD + "RemoteIPProxyProtocol On\n", "", "it takes the PROXY protocol"),
    "proxy protocol of a neighbour": ("", HEAD, "RemoteIPProxyProtocol On\n",
                                      "it takes the PROXY protocol"),
    "certificates": ("", HEAD + f"{CERTIFICATES}SSLVerifyClient require\n", "",
                     "it demands client certificates"),
    "certificates everywhere": (f"{CERTIFICATES}SSLVerifyClient require\n", HEAD, "",
                                "it demands client certificates"),
}
ANY = "any address"
CAN = {
    ANY: ("", HEAD, ""),
    "exceptions": ("RemoteIPProxyProtocolExceptions 127.0.0.0/8\n", HEAD + "RemoteIPProxyProtocol On\n",
                   ""),
    "certificates that are optional": ("", HEAD + f"{CERTIFICATES}SSLVerifyClient optional\n", ""),
}


def doors(httpd, url, outside, head, neighbour, address=None):
    body = f"ProxyPass / {url}/\n"
    # certificates are asked for by https only
    head = {80: re.sub("SSL.*\n", "", head), 443: head}
    text = outside
    for port in (80, 443):
        text += vhost(address or httpd.address, body, port=port, head=head[port])
    if neighbour:
        text += both(httpd.address, body, name=OTHER, head="OSProxyEngine Off\n" + neighbour)
    return text


@pytest.mark.parametrize("name", CANNOT)
def test_a_front_door_that_cannot_be_asked_is_said_to_be_one(watch, apps, name):
    url = apps("1").urls[0]
    outside, head, neighbour, why = CANNOT[name]
    httpd = watch(lambda httpd: doors(httpd, url, outside, head, neighbour))
    assert until(lambda: modules(httpd).get("MyApp", {}).get("kind") == "reactive"), modules(httpd)
    assert {one["state"] for one in modules(httpd).values()} == {"cannot be asked"}
    assert {one["cannot_be_asked"] for one in modules(httpd).values()} == {why}
    assert modules(httpd)["Portal"]["exists"] is True
    assert [app["up"] for app in model(httpd)["apps"]] == [True]
    shown = page(httpd).text
    assert "cannot be asked:</span>" in shown and f"{NAME}:443, for {why}" in shown
    assert troubles(httpd) == [] and "OSP110" not in httpd.log_text()
    if "protocol" in name:      # so it does
        answer = raw(httpd.address, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + encode("/Portal/Home.aspx"))
        assert answer.status == 200
    code, said = check_live(httpd)
    assert code == 2 and why in said


@pytest.mark.parametrize("name", CAN)
def test_a_front_door_that_lets_the_watcher_in_is_asked(watch, apps, name):
    url = apps("1").urls[0]
    httpd = watch(lambda httpd: doors(httpd, url, *CAN[name], "*" if name == ANY else None))
    assert until(lambda: {one["state"] for one in modules(httpd).values()} == {"available"})
    assert troubles(httpd) == [] and "cannot be asked" not in page(httpd).text


@pytest.mark.parametrize("section,why,log", [
    ("SSLVerifyClient require\n", "it demands client certificates", "AH0[0-9]+|AH10158|SSL Library"),
    ("AuthType Basic\nAuthName x\nAuthUserFile /dev/null\nRequire valid-user\n",
     "it asks for a password itself", "AH01"),
])
def test_a_path_that_httpd_itself_guards_is_no_finding(watch, apps, section, why, log):
    url = apps("1").urls[0]
    body = f"{CERTIFICATES}<Location /Portal>\n{section}</Location>\nProxyPass / {url}/\n"
    httpd = watch(body, head=HEAD)
    httpd.log.allow(log)
    assert until(lambda: modules(httpd).get("Portal", {}).get("cannot_be_asked") == why), modules(httpd)
    assert until(lambda: modules(httpd)["MyApp"]["state"] == "available")
    assert modules(httpd)["Portal"]["state"] == "cannot be asked"
    assert troubles(httpd) == [] and "OSP110" not in httpd.log_text()
    httpd.log.allow(log)
