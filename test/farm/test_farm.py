"""The demo farm does what the other tests and `make run` rely on; each test talks to a real one."""
import base64
import hashlib
import hmac
import http.client
import json
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import ntlm  # noqa: E402  (the farm's own module, beside this file)

TYPE1 = "NTLM TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA="  # what curl sends first


class RunningFarm:
    """One farm process on a free port."""

    def __init__(self, folder, *options):
        ready = folder / "ready"
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(HERE / "farm.py"), "--listen", "127.0.0.1:0",
             "--ready-file", str(ready), *options],
            stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 10
        while not ready.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, "farm did not start"
            time.sleep(0.02)
        host, _, port = ready.read_text().strip().partition(":")
        self.address = (host, int(port))
        self.url = f"http://{host}:{port}"

    def connect(self):
        return http.client.HTTPConnection(*self.address, timeout=10)

    def get(self, path, method="GET", body=None, headers=None):
        """(status, headers, body) on a connection of its own."""
        connection = self.connect()
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        result = answer.status, answer.headers, answer.read()
        connection.close()
        return result

    def raw(self, data):
        """Everything the server sends back for these bytes until it closes."""
        with socket.create_connection(self.address, timeout=10) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            parts = []
            while part := client.recv(65536):
                parts.append(part)
        return b"".join(parts).decode("latin-1")

    def curl(self, *arguments):
        return subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], check=True,
                              capture_output=True, text=True).stdout

    def stop(self):
        """Ends it and returns (exit status, what it wrote to stderr)."""
        self.process.send_signal(signal.SIGTERM)
        errors = self.process.communicate(timeout=10)[1]
        return self.process.returncode, errors


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    running = RunningFarm(tmp_path_factory.mktemp("farm"), "--name", "APP07")
    yield running
    assert running.stop() == (0, "")


def checksum(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode().replace("/", "_")[:22]


def manifest_of(farm, module):
    body = farm.get(f"/{module}/moduleservices/moduleinfo?cached")[2]
    return json.loads(body[body.index(b"{"):])


@pytest.mark.parametrize("module", ["MyApp", "MyMobile"])
def test_every_hash_of_the_manifest_is_the_checksum_of_the_body(farm, module):
    manifest = manifest_of(farm, module)["manifest"]
    assert len(manifest["urlVersions"]) > 15
    for path, query in manifest["urlVersions"].items():
        status, headers, body = farm.get(path + query)
        assert status == 200 and body, path
        if path.endswith("/index.html"):
            assert f'indexVersionToken = "{query[1:]}"' in body.decode()
        else:
            assert checksum(body) == query[1:], path
            assert headers["Cache-Control"] == "public, max-age=31536000" and headers["ETag"]


def test_urls_in_the_shell_are_those_of_the_manifest(farm):
    urls = manifest_of(farm, "MyApp")["manifest"]["urlVersions"]
    shell = farm.get("/MyApp/Item/1")[2].decode()
    named = re.findall(r'(?:src|href)="([^"?]+)(\?[^"]*)"', shell)
    assert len(named) >= 10
    for path, query in named:
        assert urls[path if path.startswith("/") else f"/MyApp/{path}"] == query
    assert "@" not in shell


def test_versions_tokens_and_references_agree(farm):
    info = manifest_of(farm, "MyApp")
    version = json.loads(farm.get("/MyApp/moduleservices/moduleversioninfo?1")[2])
    assert version["versionToken"] == info["manifest"]["versionToken"]
    names = {module["moduleName"] for module in info["data"]["modules"].values()}
    assert {"MyApp", "OutSystemsUI", "ImageRepository", "MyOtherApp"} <= names
    for target in info["manifest"]["urlMappings"].values():
        assert farm.get(target)[0] == 200
    assert "scripts/cordova.js" not in str(info)
    assert "/MyMobile/scripts/cordova.js" in str(manifest_of(farm, "MyMobile"))


def test_servers_of_a_farm_agree_and_another_version_differs(farm, tmp_path):
    token = manifest_of(farm, "MyApp")["manifest"]["versionToken"]
    for version, same in (("1", True), ("2", False)):
        folder = tmp_path / version
        folder.mkdir()
        other = RunningFarm(folder, "--name", "APP08", "--version", version)
        assert (manifest_of(other, "MyApp")["manifest"]["versionToken"] == token) is same
        assert other.stop() == (0, "")


def test_gzip_is_the_same_body_and_etag_gives_304(farm):
    path = "/MyApp/scripts/OutSystems.js"
    plain = farm.get(path)
    decoded = farm.curl("--compressed", "-D", "-", farm.url + path)
    assert "Content-Encoding: gzip" in decoded and decoded.endswith(plain[2].decode())
    status, _, body = farm.get(path, headers={"If-None-Match": plain[1]["ETag"]})
    assert (status, body) == (304, b"")


def test_screen_service_without_csrf_header_is_403_with_cookies(farm):
    path = "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems"
    status, headers, body = farm.get(path, "POST", b"{}")
    assert (status, body) == (403, b'{"exception":{"message":"Invalid Login"}}')
    nr1, nr2 = headers.get_all("Set-Cookie")
    assert nr1.startswith("nr1") and "HttpOnly" in nr1
    assert nr2.startswith("nr2") and "crf%3D" in nr2 and "HttpOnly" not in nr2
    stale = json.dumps({"versionInfo": {"moduleVersion": "old"}}).encode()
    status, _, body = farm.get(path, "POST", stale, {"X-CSRFToken": "x"})
    assert status == 200 and json.loads(body)["versionInfo"]["hasModuleVersionChanged"] is True
    large = farm.get(path + "Large", "POST", b"{}", {"X-CSRFToken": "x"})[2]
    assert len(large) > 2_000_000


def test_traditional_screen_builds_urls_from_protocol_and_host(farm):
    status, headers, body = farm.get("/Portal/Home.aspx", headers={
        "Host": "apps.example.com", "X-Forwarded-Proto": "https"})
    assert status == 200 and headers["X-AspNet-Version"] == "4.0.30319"
    page = body.decode()
    assert "https://apps.example.com/Portal/Detail.aspx" in page
    for word in ("__OSVSTATE", "_Basic.css?8322", "_osjs.js?8_0_1_7", 'href="/Login/Login.aspx"'):
        assert word in page
    for path in re.findall(r'(?:src|href)="(/[^"]*)"', page):
        assert farm.get(path)[0] in (200, 302), path
    redirect = farm.get("/portal/", headers={"Host": "apps.example.com"})
    assert redirect[1]["Location"] == "http://apps.example.com/Portal/Home.aspx"
    assert "PortalTheme=light; domain=apps.example.com; path=/Portal" in headers.get_all("Set-Cookie")


def test_traditional_assets_name_others_from_the_root(farm):
    css = farm.get("/Portal/_Basic.css")[2].decode()
    assert "url(/Portal/" in css and "url('/ImageRepository/" in css and 'url("/RichWidgets/' in css
    for path in re.findall(r"""url\(["']?([^"')]*)""", css):
        assert farm.get(path)[0] == 200, path
    assert 'location.href = "/Portal/"' in farm.get("/Portal/_osjs.js")[2].decode()


def test_post_back_needs_its_view_state(farm):
    state = re.search(r'__VIEWSTATE" value="([^"]+)"', farm.get("/Portal/Home.aspx")[2].decode())[1]
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    form = f"__VIEWSTATE={state.replace('+', '%2B')}&Text=%3Cb%3E"
    status, _, body = farm.get("/Portal/Home.aspx", "POST", form, kind)
    assert status == 200 and b"APP07: &lt;b&gt;" in body
    body = farm.get("/Portal/Home.aspx", "POST", form + "&__AJAX=1", kind)[2]
    assert body.startswith(b"OsJSONUpdate({") and rb'href=\"/Portal/Home.aspx\"' in body
    status, headers, _ = farm.get("/Portal/Home.aspx", "POST", form + "&__EVENTTARGET=Detail", kind)
    assert (status, headers["Location"]) == (302, "/Portal/Detail.aspx")
    assert farm.get("/Portal/Home.aspx", "POST", "Text=a", kind)[0] == 500


@pytest.mark.parametrize("path", [
    "/ServiceCenter/_ping.html", "/MyApp/_ping.html", "/Portal/_ping.html", "/Users/", "/lifetime/",
    "/ServiceCenter/", "/NativeAppBuilder/Download", "/SecurityUtils/", "/MyOtherApp/Login.aspx",
    "/PerformanceProbe/rest/BeaconInternal/WebScreenClientExecutedEvent", "/MyApp/_error.html",
    "/MyApp/moduleservices/ping", "/MyApp/moduleservices/roles",
    "/OUTSYSTEMSUI/css/outsystemsui.CSS"])
def test_platform_paths_answer(farm, path):
    status, headers, body = farm.get(path)
    assert status == 200 and body
    assert headers["Server"] == "Microsoft-IIS/10.0" and headers["X-Powered-By"] == "ASP.NET"


def test_echo_reports_the_raw_request(farm):
    answer = json.loads(farm.curl(
        "--path-as-is", "-X", "PATCH", "-d", "abc", "-H", "X-Two: 1", "-H", "x-two: 2",
        farm.url + "/Echo/a%5Cb/..%2f%7E//c?%7e"))
    assert answer["method"] == "PATCH" and answer["server"] == "APP07"
    assert answer["target"] == "/Echo/a%5Cb/..%2f%7E//c?%7e"
    assert answer["path"] == "/Echo/a/~/c"
    assert answer["body_md5"] == hashlib.md5(b"abc").hexdigest()
    assert [field for field in answer["headers"] if field[0].lower() == "x-two"] == [
        ["X-Two", "1"], ["x-two", "2"]]


def test_encoded_dot_segments_walk_as_on_iis(farm):
    assert farm.get("/Echo/..%5cServiceCenter%2f_ping.html")[2].startswith(b"<html>")


def test_keep_alive_counts_requests_of_one_connection(farm):
    connection = farm.connect()
    seen = []
    for _ in range(3):
        connection.request("GET", "/Echo/")
        seen.append(json.loads(connection.getresponse().read()))
    connection.close()
    assert [answer["request"] for answer in seen] == [1, 2, 3]
    assert len({answer["connection"] for answer in seen}) == 1


def test_idle_connection_is_closed_after_idle_seconds(tmp_path):
    running = RunningFarm(tmp_path, "--idle", "1")
    with socket.create_connection(running.address, timeout=10) as client:
        assert client.recv(1) == b""
    assert running.stop() == (0, "")


def test_chunked_upload_with_expectation(farm, tmp_path):
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(range(256)) * 12000)
    said = farm.curl("-v", "--stderr", "-", "-H", "Expect: 100-continue", "-H",
                     "Transfer-Encoding: chunked", "-T", str(upload), farm.url + "/Echo/up")
    assert "100 Continue" in said
    assert hashlib.md5(upload.read_bytes()).hexdigest() in said and "3072000" in said


def test_head_has_the_length_but_no_body(farm):
    answer = farm.raw(b"HEAD /Portal/_Basic.css HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert int(re.search(r"Content-Length: (\d+)", answer)[1]) > 0
    assert answer.endswith("\r\n\r\n")


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n"])
def test_ambiguous_requests_are_refused(farm, request_bytes):
    answer = farm.raw(request_bytes)
    assert answer.startswith("HTTP/1.1 400 ") and "Microsoft-HTTPAPI/2.0" in answer
    assert answer.count("HTTP/1.1") == 1


def test_md4_and_ntlmv2_match_published_vectors():
    assert ntlm.md4(b"").hex() == "31d6cfe0d16ae931b73c59d7e0c089c0"
    assert ntlm.md4(b"abc").hex() == "a448017aaf21d8525fc10ae87aa6729d"
    assert ntlm.md4(b"1234567890" * 8).hex() == "e33b4ddc9c38f2199c3e7b164fcc0536"
    assert ntlm.ntlmv2_key("User", "Domain", "Password").hex() == "0c868a403bfd7a93a3001ef22ef02e3f"


def test_windows_authentication_offers_two_field_lines(farm):
    status, headers, _ = farm.get("/WinAuth/")
    assert status == 401 and headers.get_all("WWW-Authenticate") == ["Negotiate", "NTLM"]


@pytest.mark.parametrize("user, status", [
    ("LAB\\alice:alicepw", "200"), ("LAB\\bob:bobpw", "200"), ("alice:alicepw", "200"),
    ("LAB\\alice:bobpw", "401"), ("ELSEWHERE\\alice:alicepw", "401"), ("LAB\\mallory:x", "401")])
def test_ntlm_checks_the_password(farm, user, status):
    answer = farm.curl("--ntlm", "-u", user, "-w", "\n%{http_code}", farm.url + "/WinAuth/")
    assert answer.endswith(status)
    if status == "200":
        name = user.partition(":")[0].rpartition("\\")[2]
        assert json.loads(answer[:-3])["user"] == f"LAB\\{name}"


def test_ntlm_with_a_body(farm):
    answer = json.loads(farm.curl("--ntlm", "-u", "LAB\\bob:bobpw", "-d", "abc",
                                  farm.url + "/WinAuth/"))
    assert answer["user"] == "LAB\\bob" and answer["body_length"] == 3


def type3(challenge_line, user, domain, password):
    """The Authorization value that answers the server's Type-2 message."""
    message = base64.b64decode(challenge_line.partition(" ")[2])
    length, _, offset = struct.unpack_from("<HHI", message, 40)
    blob = (b"\1\1" + bytes(14) + b"c" * 8 + bytes(4) + message[offset:offset + length]
            + bytes(4))
    proof = hmac.digest(ntlm.ntlmv2_key(user, domain, password), message[24:32] + blob, "md5")
    fields, payload = b"", b""
    for part in (b"", proof + blob, domain.encode("utf-16-le"), user.encode("utf-16-le"), b"", b""):
        fields += struct.pack("<HHI", len(part), len(part), 64 + len(payload))
        payload += part
    answer = b"NTLMSSP\0" + struct.pack("<I", 3) + fields + struct.pack("<I", 1) + payload
    return "NTLM " + base64.b64encode(answer).decode()


def ask(connection, headers):
    """(status, answer or None) of /WinAuth/ on this connection, and the challenge line."""
    connection.request("GET", "/WinAuth/", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    page = json.loads(body) if answer.status == 200 else None
    return answer.status, page, answer.headers.get_all("WWW-Authenticate")


def handshake(connection, user, password, **headers):
    """The answer to the Type-3 message."""
    start = ask(connection, {"Authorization": TYPE1, **headers})
    assert start[0] == 401 and len(start[2]) == 1
    return ask(connection, {"Authorization": type3(start[2][0], user, "LAB", password), **headers})


def test_the_connection_is_the_user(farm):
    connection = farm.connect()
    answers = [handshake(connection, "alice", "alicepw"), ask(connection, {}), ask(connection, {})]
    assert [answer[0] for answer in answers] == [200, 200, 200]
    assert [answer[1]["user"] for answer in answers] == ["LAB\\alice"] * 3
    assert [answer[1]["authorization_sent"] for answer in answers] == [True, False, False]
    assert farm.get("/WinAuth/")[0] == 401
    assert handshake(connection, "bob", "bobpw")[1]["user"] == "LAB\\bob"
    assert handshake(connection, "bob", "wrong")[0] == 401
    assert ask(connection, {})[0] == 401
    connection.close()


def test_via_makes_every_request_authenticate(farm):
    connection = farm.connect()
    assert handshake(connection, "alice", "alicepw", Via="1.1 proxy")[0] == 200
    assert ask(connection, {})[0] == 401
    connection.close()


def test_a_type3_message_is_good_for_one_challenge(farm):
    connection = farm.connect()
    start = ask(connection, {"Authorization": TYPE1})
    answer = {"Authorization": type3(start[2][0], "alice", "LAB", "alicepw")}
    assert [ask(connection, answer)[0], ask(connection, answer)[0]] == [200, 401]
    ask(connection, {"Authorization": TYPE1})
    assert ask(connection, answer)[0] == 401
    connection.close()


@pytest.mark.parametrize("token", [
    "NTLM", "NTLM !!!", "NTLM TlRMTVNTUAADAAAA", "Negotiate YIIB", "NTLMX TlRMTVNTUAABAAAA",
    "Basic YWxpY2U6YWxpY2Vwdw==",
    "NTLM " + base64.b64encode(b"NTLMSSP\0\x03\0\0\0" + b"\xff" * 60).decode()])
def test_broken_tokens_prove_nobody(farm, token):
    connection = farm.connect()
    ask(connection, {"Authorization": TYPE1})
    status, _, offers = ask(connection, {"Authorization": token})
    connection.close()
    assert (status, offers) == (401, ["Negotiate", "NTLM"])


def test_a_taken_port_is_one_line(farm):
    done = subprocess.run(["/usr/bin/python3", str(HERE / "farm.py"), "--listen",
                           f"127.0.0.1:{farm.address[1]}"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "in use" in done.stderr
