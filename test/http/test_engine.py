"""OSProxyEngine and OSProxyRule at every level; Report changes nothing on the wire."""
import re

import pytest

from osptest import Answer, Connection, both, vhost
from osptest.client import encode
from osptest.conf import ssl_proxy
from osptest.ways import all_ways, conf_of

NAME = "apps.example.com"
OFF = 'OSProxyRule preserve-host off "a test"'
SPOOFED = [("X-Forwarded-Proto", "gopher"), ("X-Forwarded-For", "6.6.6.6"),
           ("X_Forwarded_Host", "evil")]

# ---- Report is Engine Off on the wire

REQUESTS = {                                    # name: arguments of encode()
    "plain": {"target": "/U/x"},
    "raw_path": {"target": "/U/%7E//a;b?"},
    "encoded_slash": {"target": "/U/a%2Fb"},
    "dots": {"target": "/React/a/../b"},
    "hidden_dots": {"target": "/U/a%5c..%5cb"},
    "spoofed": {"target": "/U/x", "headers": SPOOFED},
    "foreign_host": {"target": "/U/x", "host": "evil.example.net"},
    "foreign_host_https": {"target": "/https/x", "host": "evil.example.net"},
    "https": {"target": "/https/x"},
    "host_with_port": {"target": "/U/x", "host": f"{NAME}:8080"},
    "no_host": {"target": "/U/x", "host": None, "version": "1.0"},
    "http_1_0": {"target": "/U/x", "version": "1.0", "headers": [("Connection", "keep-alive")]},
    "keep_alive": {"target": "/U/x", "headers": [("Connection", "keep-alive")]},
    "reactive": {"target": "/React/x"},
    "reactive_post": {"target": "/React/x", "method": "POST", "body": b"a=b"},
    "changed_path": {"target": "/RMoved/x"},
    "cached": {"target": "/Mob/cached"},
    "cached_again": {"target": "/Mob/cached"},
    "challenge": {"target": "/U/401"},
    "challenge_override": {"target": "/override/401"},
    "head_challenge": {"target": "/U/401", "method": "HEAD"},
    "options": {"target": "/U/x", "method": "OPTIONS"},
    "patch": {"target": "/server.api/x", "method": "PATCH", "body": b"{}"},
}
ENGINES = {"nothing": "", "off": "OSProxyEngine Off", "report": "OSProxyEngine Report",
           "rules": "OSProxyEngine On\n" + "".join(
               f"OSProxyRule {rule} report\n" for rule in (
                   "preserve-host", "default-ports", "negotiate", "domain-https",
                   "path-unchanged", "no-cache", "keep-alive", "forwarded-proto"))}


def wire_site(farm, head):
    url = farm["http"].url
    declared = "OSProxyModule React reactive\nOSProxyModule RMoved reactive\n" \
               "OSProxyModule Mob mobile\n" * bool(head)
    body = ssl_proxy() + declared + "CacheEnable disk /\nTraceEnable off\n"
    body += f"<Location /override/>\nProxyErrorOverride On\n</Location>\n"
    body += f"ProxyPass /RMoved/ {url}/moved/\n" + conf_of("https", "/https/", farm)
    body += f"ProxyPass / {url}/\n"
    return lambda address: both(address, body, head=head)


def app_server(request):
    if request.target.endswith("401"):
        return Answer(401, [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM")])
    fresh = [("Cache-Control", "public, max-age=600")] if "cached" in request.target else []
    return Answer(200, fresh)


def exchange(httpd, farm, secure, arguments):
    """Every byte of the answer, but for the date, and of what reached the app servers."""
    for server in farm.values():
        server.reset()
        server.answer = app_server
    with Connection(httpd.address, secure=secure, timeout=20) as connection:
        connection.send(encode(**arguments))
        answer = connection.reader.response(arguments.get("method", "GET"))
    whole = re.sub(rb"(?m)^(Date|Age): .*\r\n", b"", answer.whole)
    seen = [request.whole for server in farm.values() for request in server.requests]
    return whole, seen


@pytest.fixture(scope="module")
def engines(start, farm):
    return {name: start(wire_site(farm, head), module=name != "nothing")
            for name, head in ENGINES.items()}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_report_and_off_are_plain_httpd_on_the_wire(engines, farm, secure, name):
    for httpd in engines.values():
        httpd.allow_log("OSP|AH|SSL Library Error")
    seen = {engine: exchange(httpd, farm, secure, REQUESTS[name])
            for engine, httpd in engines.items()}
    for engine in seen:
        assert seen[engine] == seen["nothing"], engine


def test_report_counts_what_it_would_have_done(engines, farm):
    httpd = engines["report"]
    httpd.allow_log("OSP|AH|SSL Library Error")
    expected = {"plain": ["preserve-host", "forwarded-proto", "no-cache"],
                "raw_path": ["path-unchanged"], "hidden_dots": ["path-unchanged"],
                "foreign_host_https": ["preserve-host"], "host_with_port": ["default-ports"],
                "reactive": ["domain-https"], "changed_path": ["path-unchanged"],
                "challenge": ["negotiate"], "challenge_override": ["negotiate"]}
    for name, rules in expected.items():
        before = httpd.status()["vhosts"]
        exchange(httpd, farm, False, REQUESTS[name])
        after = httpd.status()["vhosts"]
        for rule in rules:
            counts = [next(row["rules"][rule] for row in rows
                           if (row["name"], row["port"]) == (NAME, 80))
                      for rows in (before, after)]
            assert counts[1]["reported"] == counts[0]["reported"] + 1, (name, rule)
            assert (counts[1]["acted"], counts[1]["refused"]) == (0, 0), (name, rule)


def test_report_logs_what_it_would_have_done(start, farm):
    httpd = start(wire_site(farm, ENGINES["report"]))
    for number in ("OSP0102", "OSP0302", "OSP0401", "OSP0505", "OSP0701", "OSP0801"):
        httpd.expect_log(rf"\[osproxy:(warn|debug)\].*{number}: \[")
    httpd.allow_log("OSP|AH")
    for name in ("plain", "challenge", "spoofed", "raw_path", "host_with_port", "reactive"):
        exchange(httpd, farm, False, REQUESTS[name])


def test_nothing_is_counted_with_the_engine_off(engines, farm):
    httpd = engines["off"]
    httpd.allow_log("AH")
    for arguments in REQUESTS.values():
        exchange(httpd, farm, False, arguments)
    for row in httpd.status()["vhosts"]:
        for rule in row["rules"].values():
            assert (rule["acted"], rule["reported"], rule["refused"]) == (0, 0, 0)


def test_the_module_without_any_directive_does_nothing(start, mpm, farm):
    body = ssl_proxy() + all_ways(mpm, farm)
    httpd = start(lambda address: both(address, body, head=""))
    assert httpd.ask("http", "/ProxyPass/%7E", headers=SPOOFED).status == 200
    request = farm["http"].the_request()
    assert request.get("Host") == farm["http"].address
    assert request.target == "/ProxyPass/~"
    assert request.get("X-Forwarded-Proto") == "gopher"


def test_no_credential_reaches_the_log(engines, farm):
    secrets = [("Authorization", "Basic c2VjcmV0OmNyZWRlbnRpYWw="), ("Cookie", "nr1Users=secret1"),
               ("X-CSRFToken", "secret2"), ("Proxy-Authorization", "NTLM secret3")]
    for httpd in engines.values():
        httpd.allow_log("OSP|AH|SSL Library Error")
        for arguments in REQUESTS.values():
            headers = list(arguments.get("headers", ())) + secrets
            exchange(httpd, farm, False, arguments | {"headers": headers})
        for secret in ("c2VjcmV0", "secret1", "secret2", "secret3"):
            assert secret not in httpd.log_text()


# ---- levels

def levels_site(address, farm):
    url = farm["http"].url

    def host(name, head, body=""):
        return vhost(address, f"{body}\nProxyPass / {url}/\n", name=f"{name}.example.com",
                     head=head)

    conf = "OSProxyEngine On\nOSProxyRule forwarded-proto off \"for all sites\"\n"
    conf += host("inherits", "")
    conf += host("off", "OSProxyEngine Off")
    conf += host("report", "OSProxyEngine Report")
    conf += host("rule", "", OFF)
    conf += host("again", "OSProxyRule forwarded-proto enforce")
    sections = {
        "off": "OSProxyEngine Off", "report": "OSProxyEngine Report", "rule": OFF,
        "rulereport": "OSProxyRule preserve-host report"}
    inside = "".join(f"<Location /{name}/>\n{line}\n</Location>\n"
                     for name, line in sections.items())
    inside += "<Location /off/on/>\nOSProxyEngine On\n</Location>\n"
    inside += "<Location /rule/enforce/>\nOSProxyRule preserve-host enforce\n</Location>\n"
    inside += f"<LocationMatch ^/match/[0-9]+$>\n{OFF}\n</LocationMatch>\n"
    inside += f"<If \"%{{QUERY_STRING}} == 'if'\">\n{OFF}\n</If>\n"
    inside += f"<Proxy {url}/proxy/*>\n{OFF}\n</Proxy>\n"
    conf += host("sections", "", inside)
    conf += host("onlysection", "OSProxyEngine Off",
                 "<Location /on/>\nOSProxyEngine On\n</Location>\n")
    return conf


@pytest.fixture(scope="module")
def levels(start, farm):
    return start(lambda address: levels_site(address, farm))


@pytest.mark.parametrize("site,path,kept", [
    ("inherits", "/x", True), ("off", "/x", False), ("report", "/x", False), ("rule", "/x", False),
    ("sections", "/x", True), ("sections", "/off/x", False), ("sections", "/report/x", False),
    ("sections", "/rule/x", False), ("sections", "/rulereport/x", False),
    ("sections", "/off/on/x", True), ("sections", "/rule/enforce/x", True),
    ("sections", "/match/7", False), ("sections", "/match/7a", True),
    ("sections", "/x?if", False), ("sections", "/x?else", True),
    ("sections", "/proxy/x", False), ("onlysection", "/x", False),
    ("onlysection", "/on/x", True)])
def test_engine_and_rules_at_every_level(levels, backend, site, path, kept):
    levels.allow_log("OSP0102")
    name = f"{site}.example.com"
    assert levels.ask("http", path, host=name).status == 200
    assert backend.the_request().get("Host") == (name if kept else backend.address)


def test_a_rule_of_the_server_reaches_its_virtual_hosts(levels, backend):
    levels.ask("http", "/x", host="inherits.example.com", headers=SPOOFED)
    levels.ask("http", "/x", host="again.example.com", headers=SPOOFED)
    assert [request.get("X-Forwarded-Proto") for request in backend.requests] == ["gopher", "http"]


def test_virtual_hosts_without_a_directive_of_their_own_share_nothing(start, farm):
    """httpd hands such virtual hosts the main server's configuration itself, not a copy."""
    def conf(address):
        text = "OSProxyEngine On\nOSProxyModule React reactive\n"
        for name in ("one", "two", "three"):
            body = f"Header set X-Site {name}\nProxyPass / {farm['http'].url}/\n"
            text += both(address, body, name=f"{name}.example.com", head="")
        return text
    httpd = start(conf)
    for name in ("one", "two", "three"):
        host = f"{name}.example.com"
        with httpd.counting("preserve-host", name=host) as count:
            answer = httpd.ask("http", "/x", host=host)
        assert (answer.get("X-Site"), count.acted) == (name, 1)
        answer = httpd.ask("http", "/React/x", host="stranger.example.net" if name == "one" else host)
        assert answer.get("Location") == f"https://{host}/React/x"
    rows = {(row["name"], row["port"]): row["rules"] for row in httpd.status()["vhosts"]}
    assert rows["one.example.com", 80]["preserve-host"]["acted"] == 1
    assert rows["one.example.com", 443]["preserve-host"]["acted"] == 0
    assert rows["front.example.com", 0]["preserve-host"]["acted"] == 0
    assert rows["one.example.com", 80]["keep-alive"]["acted"] == 1


def test_the_status_page_shows_modes_and_reasons(levels):
    rows = {row["name"]: row for row in levels.status()["vhosts"]}
    assert {name: rows[f"{name}.example.com"]["engine"]
            for name in ("inherits", "off", "report", "rule")} == {
        "inherits": "on", "off": "off", "report": "report", "rule": "on"}
    rule = rows["rule.example.com"]["rules"]["preserve-host"]
    assert (rule["mode"], rule["reason"]) == ("off", "a test")
    rule = rows["inherits.example.com"]["rules"]["forwarded-proto"]
    assert (rule["mode"], rule["reason"]) == ("off", "for all sites")
    rule = rows["again.example.com"]["rules"]["forwarded-proto"]
    assert (rule["mode"], rule["reason"]) == ("enforce", None)
    assert rows["report.example.com"]["rules"]["negotiate"]["mode"] == "report"


def test_the_status_page_has_the_documented_shape(levels):
    status = levels.status()
    assert status["schema"] == 1 and re.fullmatch(r"\d+\.\d+\.\d+.*", status["osproxy"])
    rules = {"preserve-host", "default-ports", "negotiate", "domain-https", "path-unchanged",
             "no-cache", "keep-alive", "forwarded-proto", "pinned-auth"}
    for row in status["vhosts"]:
        assert set(row) == {"name", "port", "file", "line", "engine", "site", "rules"}
        assert set(row["rules"]) == rules
        for rule in row["rules"].values():
            assert set(rule) == {"mode", "reason", "acted", "reported", "refused"}
    row = next(row for row in status["vhosts"] if row["name"] == "off.example.com")
    lines = (levels.dir / "httpd.conf").read_text().splitlines()
    assert row["file"] == str(levels.dir / "httpd.conf")
    assert lines[row["line"] - 1].startswith("<VirtualHost")
    assert lines[row["line"]] == "ServerName off.example.com"


def test_the_status_page_is_for_reading(levels):
    page = levels.ask("http", "/x", host="inherits.example.com")
    assert page.status == 200
    with Connection(levels.control) as connection:
        answer = connection.request("/osproxy-status", host="control.example.com")
    assert answer.status == 200 and "html" in answer.get("Content-Type")
    for word in ("preserve-host", "inherits.example.com:80", "for all sites",
                 "front.example.com, outside virtual hosts"):
        assert word in answer.text
