"""The live page: SetHandler osproxy-status for people, for programs, and in mod_status."""
import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_metrics

from osptest import Connection, both, vhost
from osptest.client import ask

BROKEN = "ProxyErrorOverride On\n"
RULES = ("preserve-host", "negotiate", "keep-alive", "pinned-auth", "capacity", "via")


def site(address, farm):
    url = farm["http"].url
    text = both(address, f"{BROKEN}ProxyPass / {url}/\n")
    text += vhost(address, f"ProxyPass / {url}/\n", name="reports.example.com",
                  head="OSProxyEngine Report\nOSProxyRule negotiate off \"a <b>test</b> & more\"")
    return text + vhost(address, f"ProxyPass / {url}/\n", name="off.example.com",
                        head="OSProxyEngine Off")


@pytest.fixture(scope="module")
def httpd(start, farm):
    return start(lambda address: site(address, farm))


@pytest.fixture(autouse=True)
def log(request):
    if "httpd" in request.fixturenames:
        request.getfixturevalue("httpd").allow_log("OSP")


def page(httpd, query="", method="GET", path="/osproxy-status"):
    return ask(httpd.control, "http", path + query, method=method, host="control.example.com")


class Document(HTMLParser):
    """What a page consists of; wrong nesting fails."""
    EMPTY = {"meta", "hr", "br", "path"}

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.ids, self.texts, self.tags = [], [], [], {}, {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.setdefault(tag, []).append(attributes)
        if tag == "a":
            self.links.append(attributes["href"])
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.setdefault(tag, []).append(dict(attributes))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


# ---- for people

def test_the_page_says_what_is_wrong_first_and_where(httpd):
    answer = page(httpd)
    text = answer.text
    assert answer.status == 200 and answer.get("Content-Type") == "text/html; charset=utf-8"
    assert re.search(r'class="verdict bad".*?\d+ things need attention: \d+ error', text)
    lines = (httpd.dir / "httpd.conf").read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if line.startswith(BROKEN.strip()))
    assert f"{httpd.dir}/httpd.conf:{number}</code>" in text
    assert text.index("verdict bad") < text.index("Requirements by virtual host")
    assert "Nothing is watched" in text and "Windows authentication" in text


def test_every_rule_has_its_state_on_every_virtual_host(httpd):
    text = page(httpd).text
    document = Document(text)
    vhosts = httpd.status()["vhosts"]
    for rule in RULES:
        assert text.count(f'<th scope="row"><a href="?rule={rule}"') == len(vhosts), rule
    for word in ("met", "enforced", "violated", "only reported", "with the engine"):
        assert word in text
    assert "off</span>: a &lt;b&gt;test&lt;/b&gt; &amp; more" in text
    assert all(attributes.get("scope") in ("row", "col") for attributes in document.tags["th"])
    assert len(document.ids) == len(set(document.ids))
    anchors = {link[1:] for link in document.links if link.startswith("#")}
    assert anchors and anchors <= set(document.ids)


def test_nothing_comes_from_elsewhere_and_only_named_script_runs(httpd):
    answer = page(httpd)
    policy = answer.get("Content-Security-Policy")
    document = Document(answer.text)
    for tag in ("style", "script"):
        digest = hashlib.sha256("".join(document.texts[tag]).encode()).digest()
        assert f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
        assert len(document.tags[tag]) == 1
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert not re.search(r'(src|srcset|action|on\w+|style)=', answer.text.split("</head>")[1])
    assert "http://" not in re.sub(r"<(pre|code)>.*?</\1>", "", answer.text, flags=re.S)
    for name, value in (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                        ("Referrer-Policy", "same-origin")):
        assert answer.get(name) == value


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_page(httpd, rule):
    answer = page(httpd, f"?rule={rule}")
    assert answer.status == 200
    Document(answer.text)
    assert f"<h1>{rule} " in answer.text and "requirement" in answer.text
    assert "reports.example.com:80" in answer.text and f"OSProxyRule {rule} off" in answer.text


def test_the_page_of_a_violated_rule_has_its_findings_and_no_others(httpd):
    text = page(httpd, "?rule=error-override").text
    assert "violated" in text and "httpd.conf:" in text and "<pre>" in text
    assert "[keep-alive]" not in text and '<a href="?rule=keep-alive"' not in text


@pytest.mark.parametrize("query", ["?rule=", "?rule=nothing", "?rule=%3Cscript%3E", "?rule=via%00"])
def test_an_unknown_rule_is_not_found_and_all_names_are_listed(httpd, query):
    answer = page(httpd, query)
    assert answer.status == 404 and answer.text.count("<li>") == 22
    assert "script%3E" not in answer.text and "?rule=via" in answer.text
    Document(answer.text)


@pytest.mark.parametrize("query", ["?", "?nonsense", "?jsonp", "?%3Cscript%3Ealert(1)"])
def test_any_other_query_is_the_page(httpd, query):
    answer = page(httpd, query)
    assert answer.status == 200 and "alert(1)" not in answer.text
    assert "Requirements by virtual host" in answer.text


def test_hostile_names_in_the_configuration_stay_text(start, farm):
    def conf(address):
        return vhost(address, f'ProxyPass "/<img src=x onerror=alert(2)>" {farm["http"].url}/\n{BROKEN}',
                     name='"a\'<script>alert(1)</script>"')
    httpd = start(conf)
    httpd.allow_log("OSP|AH")
    for query in ("", "?rule=error-override"):
        text = page(httpd, query).text
        Document(text)
        assert "<script>alert" not in text and "<img" not in text
    assert any("<script>" in row["name"] for row in httpd.status()["vhosts"])
    list(parse_metrics(page(httpd, "?metrics").text))


@pytest.mark.parametrize("query", ["", "?json", "?metrics", "?rule=via", "?rule=nothing"])
def test_head_has_the_head_and_others_are_refused(httpd, query):
    got, head = page(httpd, query), page(httpd, query, method="HEAD")
    assert (head.status, head.body) == (got.status, b"")
    for name in ("Content-Type", "Cache-Control", "Content-Security-Policy"):
        assert head.get(name) == got.get(name)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = page(httpd, query, method=method)
        assert answer.status == 405 and "GET" in answer.get("Allow")


# ---- for programs

def told_by(audit):
    """Findings, without the name of the file (configtest reads another one) and without the days
    that a certificate has left, which end in between."""
    return [(f["rule"], f["line"], f["text"], re.sub(r"/\S+\.conf:", "", f["fix"]["text"]))
            for f in audit["findings"] if "expires on" not in f["text"]]


def test_json_has_what_the_audit_found(httpd):
    status = httpd.status()
    assert status["schema"] == 1 and status["watch"] is None
    assert status["started"] <= status["now"] and status["httpd"].startswith("Apache/")
    audit = status["audit"]
    code, dump = httpd.configtest(None, "-D", "DUMP_OSPROXY_JSON")
    assert code == 1
    dumped = json.loads(dump[dump.index("{"):dump.rindex("}") + 1])
    assert told_by(audit) == told_by(dumped)
    assert [row["name"] for row in audit["vhosts"]] == [row["name"] for row in dumped["vhosts"]]
    assert audit["summary"]["errors"] > 0


def families(httpd):
    answer = page(httpd, "?metrics")
    assert answer.status == 200 and answer.text.endswith("# EOF\n")
    assert answer.get("Content-Type") == \
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return {family.name: family for family in parse_metrics(answer.text)}


def sample(family, **labels):
    found = [s.value for s in family.samples if labels.items() <= s.labels.items()]
    assert len(found) == 1, (family.name, labels)
    return found[0]


def test_metrics_are_openmetrics_with_the_same_figures(httpd, farm):
    for _ in range(3):
        httpd.ask("http", "/x")
    told, status = families(httpd), httpd.status()
    assert all(name.startswith("osproxy_") for name in told)
    row = next(row for row in status["vhosts"] if (row["name"], row["port"]) == (
        "apps.example.com", 80))
    where = {"vhost": "apps.example.com", "port": "80", "rule": "preserve-host"}
    assert told["osproxy_rule_acted"].type == "counter"
    assert sample(told["osproxy_rule_acted"], **where) == row["rules"]["preserve-host"]["acted"] > 2
    assert sample(told["osproxy_rule_mode_enforce"], **where) == 1
    where["rule"] = "error-override"
    assert sample(told["osproxy_rule_violated"], **where) == 1
    assert sample(told["osproxy_audit_errors"]) == status["audit"]["summary"]["errors"]
    assert sample(told["osproxy_pins_open"]) == 0
    assert page(httpd, "?metrics=").text.startswith("# TYPE osproxy_")


def test_no_label_holds_a_state(httpd):
    labels = {name for family in families(httpd).values() for one in family.samples
              for name in one.labels}
    assert labels == {"vhost", "port", "number", "rule", "version", "httpd"}


def test_virtual_hosts_of_one_name_have_series_of_their_own(start, farm):
    def conf(address):
        return "".join(vhost(address.rpartition(".")[0] + f".{n}", f"ProxyPass / {farm['http'].url}/\n")
                       for n in (250, 251))
    httpd = start(conf)
    httpd.allow_log("OSP|AH")
    numbers = {s.labels["number"] for s in families(httpd)["osproxy_rule_acted"].samples
               if s.labels["vhost"] == "apps.example.com"}
    assert numbers == {"1", "2"}


def test_the_engine_off_everywhere_is_said(start, farm):
    httpd = start(lambda address: both(address, f"ProxyPass / {farm['http'].url}/\n", head=""))
    text = page(httpd).text
    assert "The engine is off everywhere" in text and "Nothing is audited" in text
    assert httpd.status()["audit"] is None and "osproxy_audit_errors" not in families(httpd)


# ---- reloads

def test_findings_and_counters_follow_a_reload(start, farm):
    def conf(body):
        return both(httpd.address if httpd else "", f"ProxyPass / {farm['http'].url}/\n{body}")
    httpd = None
    httpd = start(lambda address: both(address, f"ProxyPass / {farm['http'].url}/\n{BROKEN}"))
    httpd.allow_log("OSP")
    httpd.ask("http", "/x")
    assert httpd.status()["audit"]["summary"]["errors"] > 0
    acted = httpd.rule("apps.example.com", "preserve-host")["acted"]
    for round in range(3):
        httpd.reload(conf("" if round % 2 == 0 else BROKEN))
        errors = [f for f in httpd.status()["audit"]["findings"] if f["rule"] == "error-override"]
        assert bool(errors) == bool(round % 2)
        assert ("error-override</a> " in page(httpd).text.split('id="findings"')[1]) == bool(errors)
        assert httpd.rule("apps.example.com", "preserve-host")["acted"] == acted


# ---- mod_status

def test_mod_status_shows_the_sums(httpd):
    text = page(httpd, path="/server-status").text
    assert "mod_osproxy" in text and "requests acted:" in text
    lines = dict(re.findall(r"^(OSProxy\w+): (.*)$", page(httpd, "?auto", path="/server-status").text,
                            re.M))
    status = httpd.status()
    assert lines["OSProxyVersion"] == status["osproxy"]
    assert int(lines["OSProxyAuditErrors"]) == status["audit"]["summary"]["errors"]
    assert int(lines["OSProxyActed"]) == sum(rule["acted"] for row in status["vhosts"]
                                             for rule in row["rules"].values())
    assert set(lines) == {f"OSProxy{word}" for word in (
        "Version", "Acted", "Reported", "Refused", "PinsOpen", "AuditErrors", "AuditWarnings",
        "Troubles")}


def test_the_page_does_without_mod_status(mpm, farm, start):
    httpd = start(lambda address: site(address, farm), without=("status",))
    httpd.allow_log("OSP|AH")
    assert page(httpd).status == 200
