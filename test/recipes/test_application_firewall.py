"""conf.d/recipes/application-firewall.conf: OutSystems passes untouched, attacks do not, and each exception
of the recipe is there because something of OutSystems is refused without it."""
import json
import re
from urllib.parse import urlencode

import pytest

from firewall_samples import ATTACKS, EXCEPTED, PASSES
from osptest import ask, curl
from recipe import fields_of, intact, text_of

RULE = re.compile(r'\[id "(\d+)"\]')


@pytest.fixture(scope="module")
def audit_log(tmp_path_factory):
    return tmp_path_factory.mktemp("firewall") / "audit.log"


@pytest.fixture(scope="module")
def front(serve, app, audit_log):
    return serve(several={"application-firewall": {"OSP_AUDIT_LOG": str(audit_log)},
                          "https-offload": {"OSP_SERVER": app.address}}, h2=True)


@pytest.fixture(scope="module")
def farm(serve, apps, tmp_path_factory):
    log = tmp_path_factory.mktemp("firewall") / "audit.log"
    return serve(several={"application-firewall": {"OSP_AUDIT_LOG": str(log)},
                          "https-offload": {"OSP_SERVER": apps("1").hosts[0]}},
                 after="OSProxyModule MyApp reactive\n")


@pytest.fixture(scope="module")
def untuned(serve, app, tmp_path_factory):
    """The same rules without the recipe's exceptions, with the limits that ModSecurity comes with."""
    text = text_of("application-firewall")
    text = re.sub(r"(?ms)^# ---- what OutSystems does .*?(?=^# ---- what is logged)", "", text)
    text = re.sub(r"(?m)^SecRequestBodyNoFilesLimit.*$", "SecRequestBodyNoFilesLimit 131072", text)
    text = re.sub(r"(?m)^SecRule REQUEST_FILENAME.*OSP_UPLOADS.*$", "", text)
    log = tmp_path_factory.mktemp("firewall") / "audit.log"
    text = re.sub(r"(?m)^Define OSP_AUDIT_LOG.*$", f"Define OSP_AUDIT_LOG {log}", text)
    return serve("https-offload", OSP_SERVER=app.address, modules=["unique_id", "security2"], before=text,
                 configtest=False)


def found(httpd, target, request, client="https"):
    """(answer, numbers of the rules that found something)."""
    httpd.log.allow("security2:error")
    before = len(httpd.log_text())
    answer = ask(httpd.address, client, target, **request)
    return answer, set(RULE.findall(httpd.log_text()[before:]))


@pytest.mark.parametrize("name", [*PASSES, *EXCEPTED])
def test_what_outsystems_clients_send_passes_unchanged(front, app, name):
    target, request = PASSES[name] if name in PASSES else EXCEPTED[name][1]
    answer = ask(front.address, "https", target, **request)
    assert answer.status == 200
    arrived = app.the_request()
    assert (arrived.method, arrived.target, arrived.body) == (request["method"], target, request.get("body", b""))
    for field, value in request["headers"]:
        assert arrived.get(field) == value


@pytest.mark.only("event", "worker")
def test_the_same_over_http2(front, app):
    for name in ("shell", "screen", "post-back", "soap"):
        target, request = PASSES[name]
        headers = [(field.lower(), value) for field, value in request["headers"]]
        assert ask(front.address, "h2", target, **{**request, "headers": headers}).status == 200, name
        assert app.requests[-1].body == request.get("body", b"")


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_do_not_reach_the_app_server(front, app, name):
    target, request = ATTACKS[name]
    answer, _ = found(front, target, request)
    assert answer.status in (400, 403, 413, 500) and app.requests == []


@pytest.mark.parametrize("name", EXCEPTED)
def test_each_exception_is_needed(untuned, app, name):
    expected, (target, request) = EXCEPTED[name]
    answer, rules = found(untuned, target, request)
    assert app.requests == [] and answer.status in (403, 413)
    assert answer.status == int(expected) if len(expected) == 3 else expected in rules, rules


def test_no_credential_is_logged(front, app, audit_log):
    secret = "Basic c2VjcmV0OnNlY3JldA=="
    target, request = ATTACKS["sql beside a password"]
    body = request["body"].replace(b'"Password": "a"', b'"Password": "hunter2<script>"')
    assert body != request["body"]
    headers = [("Authorization", secret), *request["headers"]]
    answer, rules = found(front, target, {**request, "body": body, "headers": headers})
    assert answer.status == 403 and "942100" in rules
    logged = audit_log.read_text("latin-1") + front.log_text()
    assert "942100" in audit_log.read_text("latin-1")
    for word in ("hunter2", "c2VjcmV0", "nr1Users", "T6C+9iB49"):
        assert word not in logged


def test_reactive_resources_keep_their_hash(farm):
    assert intact(farm, "MyApp") > 15


def test_the_demo_farm_works_behind_it(farm):
    form = fields_of(ask(farm.address, "https", "/Portal/Home.aspx"))
    form = urlencode(form | {"__OSVSTATE": "aGk=", "Text": "it's", "__AJAX": "1,2,x"}).encode()
    answer = ask(farm.address, "https", "/Portal/Home.aspx", method="POST", body=form,
                 headers=[("Content-Type", "application/x-www-form-urlencoded")])
    assert answer.body.startswith(b"OsJSONUpdate({")
    service = "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems"
    kind = [("Content-Type", "application/json")]
    answer = ask(farm.address, "https", service, method="POST", body=b"{}", headers=kind)
    assert answer.status == 403 and len(answer.all("Set-Cookie")) == 2      # the app server's own
    answer = ask(farm.address, "https", service + "Large", method="POST", body=b"{}",
                 headers=[*kind, ("X-CSRFToken", "x")])
    assert answer.status == 200 and len(answer.body) > 2_000_000


@pytest.mark.parametrize("body", [None, "a=1"])
def test_windows_authentication_works_behind_it(farm, body):
    for _ in range(2):
        code, out, err = curl(farm.address, "https://apps.example.com/WinAuth/", "--ntlm", "-u",
                              "LAB\\alice:alicepw", *(("-d", body) if body else ()))
        assert code == 0 and json.loads(out)["user"] == "LAB\\alice", (out, err)
    assert ask(farm.address, "https", "/WinAuth/").status == 401
