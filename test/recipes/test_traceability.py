"""conf.d/recipes/traceability.conf: a request is found again by its id, and every line can be parsed."""
import base64
import json
import re
import time

import pytest

from osptest import Connection, addresses, ask, curl, raw
from recipe import echo

ID = re.compile(r"[\w@-]{20,30}")
TEXT = re.compile(
    r'(?P<address>\S+) \S+ (?P<user>"(?:[^"\\]|\\.)*"|\S+) \[(?P<time>[^\]]+)\] '
    r'"(?P<request>(?:[^"\\]|\\.)*)" '
    r'(?P<status>\d{3}) (?P<bytes>\d+) "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)" '
    r'id=(?P<id>\S+) host=(?P<host>\S+) us=(?P<us>\d+) first_byte=(?P<first_byte>\d+|-) in=(?P<in>\d+) '
    r'out=(?P<out>\d+) answer=(?P<answer>server|proxy) server="(?P<server>(?:[^"\\]|\\.)*)" '
    r'module="(?P<module>(?:[^"\\]|\\.)*)" kind=(?P<kind>[\w-]+) client=(?P<client>\w+) pin=(?P<pin>\S+) '
    r"scheme=(?P<scheme>\S+) rules=(?P<rules>\S+) error=(?P<error>\S+)")
NASTY = [b'"quoted"', b"back\\slash", b"\\", b'\\"', b"tab\tinside", b"\x80\xff\xfe", "ünïcode €".encode(),
         b"\xc3", b"\xed\xa0\x80", b"</script>", b"%0a%0d", b'{"a":1}']


class Logs:
    """The logs of a front; of() waits for the line of one request."""

    def __init__(self, folder):
        self.folder = folder

    def lines(self, name):
        path = self.folder / name
        return path.read_bytes().split(b"\n")[:-1] if path.exists() else []

    def text(self, name="osproxy.log"):
        found = []
        for line in self.lines(name):
            match = TEXT.fullmatch(line.decode("ascii"))
            assert match, line
            found.append(match.groupdict())
        return found

    def json(self):
        return [json.loads(line.decode("utf-8")) for line in self.lines("osproxy.json")]

    @staticmethod
    def wait(read, wanted):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = [line for line in read() if wanted(line)]
            if found:
                return found
            time.sleep(0.02)
        return []

    def of(self, request_id):
        """(text, JSON) of one request, the only lines of its id."""
        text = self.wait(self.text, lambda line: line["id"] == request_id)
        data = self.wait(self.json, lambda line: line["id"] == request_id)
        assert len(text) == len(data) == 1
        return text[0], data[0]

    def refused(self, request_id):
        """Whether the log of refused requests has it; its line in the other log came first."""
        self.of(request_id)
        return [line for line in self.text("osproxy-refused.log") if line["id"] == request_id]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return Logs(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def front(serve, farm, logs):
    several = {"traceability": {"OSP_LOGS": str(logs.folder)}, "https-offload": {"OSP_SERVER": farm.hosts[0]}}
    return serve(several=several, h2=True, after="OSProxyModule MyApp reactive\n")


@pytest.mark.parametrize("client", ["http", "https", "h2"])
def test_the_id_goes_to_the_app_server_the_client_and_the_logs(front, logs, client):
    sent = [("X-Request-Id", "forged"), ("X_Request_Id", "forged"), ("X-Request_Id", "forged"),
            ("x_request-id", "forged")]
    answer = ask(front.address, client, "/Echo/", headers=[(name.lower(), value) for name, value in sent])
    arrived = [(name.lower(), value) for name, value in json.loads(answer.body)["headers"]
               if name.lower().replace("_", "-") == "x-request-id"]
    request_id = answer.get("X-Request-Id")
    assert ID.fullmatch(request_id) and arrived == [("x-request-id", request_id)]
    text, data = logs.of(request_id)
    assert text["host"] == data["host"] == "apps.example.com"
    assert data["request"].startswith("GET /Echo/ HTTP/") and text["request"] == data["request"]
    assert data["status"] == 200 and text["answer"] == data["answer"] == "server"


def test_connection_does_not_take_the_id_away(front):
    fields = echo(front, headers=[("Connection", "X-Request-Id, close")])
    assert ID.fullmatch(fields["x-request-id"][0]) and len(fields["x-request-id"]) == 1


def test_every_request_has_an_id_of_its_own(front):
    with Connection(front.address, secure=True) as connection:
        seen = [connection.request("/Echo/").get("X-Request-Id") for _ in range(50)]
    assert len(set(seen)) == 50


def test_module_kind_server_and_times_are_told(front, logs, farm):
    text, data = logs.of(ask(front.address, "https", "/MyApp/scripts/OutSystems.js").get("X-Request-Id"))
    assert (text["module"], text["kind"]) == (data["module"], data["kind"]) == ("MyApp", "reactive")
    assert text["server"] == data["server"] == farm.urls[0]
    assert 0 < int(text["first_byte"]) <= int(text["us"]) and int(text["out"]) > int(text["bytes"]) > 0
    assert int(data["first_byte_us"]) > 0 and data["client_class"] == text["client"] == "external"
    text, data = logs.of(ask(front.address, "https", "/Echo/").get("X-Request-Id"))
    assert (text["module"], text["kind"]) == ("Echo", "-") and data["kind"] is None


def test_what_rules_did_is_told(front, logs):
    answer = ask(front.address, "http", "/MyApp/")
    assert answer.status == 308
    text, data = logs.of(answer.get("X-Request-Id"))
    assert text["rules"] == data["rules"] == "domain-https:acted" and text["answer"] == "proxy"
    answer = ask(front.address, "https", "/WinAuth/")
    text, data = logs.of(answer.get("X-Request-Id"))
    assert answer.status == 401 and "negotiate:acted" in text["rules"] and data["pin"] is None
    front.log.allow("OSP0501|AH01630")
    answer = ask(front.address, "https", "/Portal/..%2fServiceCenter/")
    text, data = logs.of(answer.get("X-Request-Id"))
    assert answer.status in (400, 403) and text["answer"] == "proxy"
    assert answer.status == 403 or text["rules"] == "path-unchanged:refused"


def test_a_signed_in_client_is_told_by_pin_and_scheme_without_credentials(front, logs):
    code, out, err = curl(front.address, "https://apps.example.com/WinAuth/", "--ntlm", "-u",
                          "LAB\\alice:alicepw", "-D", "-", "--http1.1")
    assert code == 0 and '"user": "LAB\\\\alice"' in out, (out, err)
    ids = re.findall(r"(?im)^x-request-id: (\S+)", out)
    pins = [logs.of(one)[1] for one in ids]
    assert [line["pin"] for line in pins][-2:] == ["new", "reused"]
    assert pins[-1]["scheme"] == "NTLM" and logs.of(ids[-1])[0]["scheme"] == "NTLM"
    everything = b"".join(path.read_bytes() for path in logs.folder.iterdir())
    assert b"TlRMTVNTUA" not in everything and b"alicepw" not in everything


def test_the_log_of_refused_requests_has_these_and_no_others(front, logs):
    front.log.allow("AH01630|AH10244")
    refused = {"/ServiceCenter/": 403, "/a%zz": 400}
    for path, status in refused.items():
        answer = ask(front.address, "https", path)
        assert answer.status == status, path
        if answer.all("X-Request-Id"):
            assert logs.refused(answer.get("X-Request-Id")), path
    passed = {"/Echo/": 200, "/Nowhere/": 404, "/WinAuth/": 401, "/MyApp/": 200}
    for path, status in passed.items():
        answer = ask(front.address, "https", path)
        assert answer.status == status and not logs.refused(answer.get("X-Request-Id")), path
    answer = ask(front.address, "https", "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems",
                 method="POST", body=b"{}")
    assert answer.status == 403 and not logs.refused(answer.get("X-Request-Id"))


def test_an_app_server_that_is_gone_is_told(serve, tmp_path):
    logs, nobody = Logs(tmp_path), addresses.next()
    front = serve(several={"traceability": {"OSP_LOGS": str(tmp_path)},
                           "https-offload": {"OSP_SERVER": nobody}})
    front.log.expect("AH00957")
    front.log.allow("AH00959|AH01114")
    answer = ask(front.address, "https", "/MyApp/")
    assert answer.status == 503
    line, = logs.refused(answer.get("X-Request-Id"))
    assert (line["answer"], line["server"]) == ("proxy", f"http://{nobody}") and line["first_byte"] != "0"


def test_the_error_log_names_the_request(front, logs):
    front.log.expect("AH01630")
    answer = ask(front.address, "https", "/ServiceCenter/")
    request_id = answer.get("X-Request-Id")
    text, data = logs.of(request_id)
    lines = [line for line in front.log_text().splitlines() if f"[id {request_id}]" in line]
    assert lines and any("AH01630" in line for line in lines)
    assert data["error"] == text["error"] == request_id


@pytest.mark.parametrize("value", NASTY)
def test_hostile_values_stay_in_their_place(front, logs, value):
    secret = "Basic " + base64.b64encode(b"user:not-to-be-logged").decode()
    shown = value.decode("latin-1")
    quoted = "".join(f"%{byte:02x}" for byte in value)
    answer = ask(front.address, "https", f"/Echo/{quoted}?q={quoted}", headers=[
        ("User-Agent", shown), ("Referer", shown), ("Authorization", secret), ("Cookie", "a=b")])
    text, data = logs.of(answer.get("X-Request-Id"))
    expected = value.decode("utf-8", "replace")
    if "�" in expected:     # one U+FFFD a byte that is none
        assert data["user_agent"].count("�") >= 1
    else:
        assert data["user_agent"] == data["referer"] == expected
    assert data["request"] == f"GET /Echo/{quoted}?q={quoted} HTTP/1.1"
    assert text["request"] == data["request"] and text["module"] == "Echo"
    assert "not-to-be-logged" not in str(data) and secret not in str(data) + str(text)


def test_hostile_module_names_stay_in_their_place(front, logs):
    for name in ('a"b', "a b", "a\\u0041", "é", 'x","status":200,"y":"', "a\nb\x01"):
        quoted = "".join(f"%{byte:02x}" for byte in name.encode())
        answer = ask(front.address, "https", f"/{quoted}/x")
        text, data = logs.of(answer.get("X-Request-Id"))
        assert data["module"] == name.partition("\\")[0] and data["status"] == answer.status
        assert answer.status in (400, 404) and text["status"] == str(answer.status)


@pytest.mark.parametrize("data", [
    b"GET /\xff\"\\ HTTP/1.1\r\nHost: apps.example.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: apps.example.com\r\nUser-Agent: a\x01b\r\n\r\n",
    b"G\"E\\T / HTTP/1.1\r\nHost: apps.example.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\"b\\c\r\n\r\n",
    b"\"\\\x80 nonsense\r\n\r\n",
    b"GET / HTTP/9\"9\r\n\r\n"])
@pytest.mark.parametrize("secure", [False, True])
def test_lines_of_requests_that_httpd_does_not_understand_can_be_parsed(front, logs, data, secure):
    front.log.allow("AH0")
    before = len(logs.json()), len(logs.text())
    answer = raw(front.address, data, secure=secure)
    assert answer.status in (400, 404, 421, 501, 505)
    end = time.monotonic() + 20
    while (len(logs.json()), len(logs.text())) == before and time.monotonic() < end:
        time.sleep(0.02)
    assert len(logs.json()) > before[0] and len(logs.text()) > before[1]


def test_all_logs_can_be_parsed_at_the_end(front, logs):
    assert len(logs.json()) > 40 and len(logs.text()) > 40 and logs.text("osproxy-refused.log")
