"""`make run` (build/run.sh) for real: its guide holds, it ends when asked to, and it says clearly
what is wrong. It listens on ports 80 and 443 of a loopback address of its own.
"""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "build" / "run.sh")
ADDRESS, OTHER_ADDRESS = (f"127.{second}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
                          for second in (80, 81))
SEEN = {  # rule -> what its command has to show
    "preserve-host": r'\["Host", "apps\.osproxy\.test"\]',
    "default-ports": r'"default-ports":\{"mode":"enforce","reason":null,"acted":0,"reported":[1-9]',
    "negotiate": r"(?s)^(?!.*Negotiate).*WWW-Authenticate: NTLM",
    "domain-https": r"^HTTP/1.1 403 ",
    "path-unchanged": r'"target": "/Echo/a%2Fb//%7Ec;d\?"',
    "no-cache": r"^HTTP/2 200",  # and more, below
    "keep-alive": r"Keep-Alive: timeout=30",
    "pinned-auth": r"(?i)alice",
    "forwarded-proto": r'\["X-Forwarded-Proto", "https"\]',
}


def environment(**settings):
    """The caller's environment without what run.sh reads, and these settings."""
    names = ("BACKEND", "DOMAIN", "ADDRESS", "HTTP_PORT", "HTTPS_PORT", "INTERNAL", "BACKEND_CA")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return {**kept, "ADDRESS": ADDRESS, **settings}


def hear_signals():
    """A test that runs in the background may have been told to ignore them, and bash keeps that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Run:
    """A running run.sh and what it has written so far."""

    def __init__(self, log, **settings):
        self.log = log
        self.address = settings.get("ADDRESS", ADDRESS)
        with open(log, "wb") as output:
            self.process = subprocess.Popen([SCRIPT], env=environment(**settings), stdout=output,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            preexec_fn=hear_signals)
        deadline = time.monotonic() + 60
        while not re.search("^run: (checked|warning: https):? ", self.text(), re.M):
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.05)
        self.folder = pathlib.Path(re.search(r"curl -K (\S+)/curlrc", self.text())[1])

    def text(self):
        return pathlib.Path(self.log).read_text(encoding="utf-8", errors="replace")

    def children(self):
        """(pid, command line) of what it started."""
        found = []
        for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = status.read_text().rpartition(")")[2].split()[1]
                command = (status.parent / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:  # it has ended meanwhile
                continue
            if int(parent) == self.process.pid:
                found.append((int(status.parent.name), command.replace("\0", " ")))
        return found

    def curl(self, *arguments):
        return subprocess.run(["curl", "-K", str(self.folder / "curlrc"), *arguments],
                              capture_output=True, text=True, check=True).stdout

    def stop(self, number=signal.SIGTERM):
        """Sends the signal, if any; the exit status, once nothing is left of it."""
        started = [pid for pid, _ in self.children()]
        if number:
            self.process.send_signal(number)
        status = self.process.wait(timeout=30)
        assert not self.folder.exists()
        assert not [pid for pid in started if pathlib.Path(f"/proc/{pid}").exists()]
        for port in (80, 443):
            with socket.socket() as probe:
                assert probe.connect_ex((self.address, port)) != 0
        return status


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("run") / "output")
    yield run
    assert run.stop() == 0, run.text()


def rule_commands(text):
    """{rule: command} of the guide."""
    part = text[text.index("What each rule does"):text.index("Windows authentication needs")]
    return dict(re.findall(r"^  ([a-z-]+) +[^\n]*\n {10,}(curl [^\n]*)$", part, re.M))


def test_guide_names_every_rule_that_acts_on_requests(demo):
    registry = (ROOT / "mod_osproxy" / "rule.c").read_text(encoding="utf-8")
    enum = (ROOT / "mod_osproxy" / "rule.h").read_text(encoding="utf-8")
    acting = len(re.findall(r"^    OSP_RULE_\w+,$", enum.split("OSP_RULE_RUN_COUNT,")[0], re.M))
    names = re.findall(r'\.name = "([a-z-]+)"', registry)[:acting]
    assert names and sorted(rule_commands(demo.text())) == sorted(names) == sorted(SEEN)


@pytest.mark.parametrize("rule", sorted(SEEN))
def test_command_of_the_guide_shows_the_rule(demo, rule):
    command = rule_commands(demo.text())[rule]
    shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert re.search(SEEN[rule], shown.stdout, re.M), (command, shown)


def test_command_of_the_guide_shows_that_only_traditional_modules_are_cached(demo):
    command = rule_commands(demo.text())["no-cache"]
    for _ in range(2):  # the first run may overtake the cache, which stores after it has answered
        shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    hits = ["HIT" in answer for answer in shown.stdout.split("HTTP/")[1:]]
    assert hits == [True, False, True, False], shown


def test_every_url_of_the_guide_answers_over_http2(demo):
    urls = re.findall(r"^  (https://\S+) ", demo.text(), re.M)
    assert len(urls) == 6
    for url in urls:
        shown = demo.curl("-o", "/dev/null", "-w", "%{http_code} %{http_version}", url)
        assert shown in ("200 2", "302 2", "401 2"), url


def test_both_servers_take_part_and_http_goes_to_https(demo):
    base = "https://apps.osproxy.test"
    names = set(re.findall(r'"server": "(\w+)"', demo.curl(*[f"{base}/Echo/"] * 4)))
    assert names == {"APP01", "APP02"}
    for path in ("/Portal/Home.aspx?a=%2f", "/MyApp/x%7E?a=%2f"):
        location = demo.curl("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
                             f"http://apps.osproxy.test{path}")
        assert location == f"308 {base}{path}"


def test_consoles_are_for_internal_clients(demo):
    code = "-o", "/dev/null", "-w", "%{http_code}"
    for path in ("/ServiceCenter/", "/sERVICEcENTER", "/lifetimeapi/x", "/server.api/v1"):
        url = f"https://apps.osproxy.test{path}"
        assert demo.curl(*code, url) == "403", path
        assert demo.curl("--interface", "127.0.0.99", *code, url) == "200", path


def test_internal_clients_see_negotiate(demo):
    shown = demo.curl("--interface", "127.0.0.99", "-I", "https://apps.osproxy.test/WinAuth/")
    assert re.findall(r"(?i)www-authenticate: (\w+)", shown) == ["Negotiate", "NTLM"]


def test_a_taken_port_names_the_holder_and_the_ways_out(demo):
    done = subprocess.run([SCRIPT], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"port 80 of {ADDRESS} is taken" in done.stderr
    assert "make run ADDRESS=" in done.stderr and "HTTP_PORT=8080" in done.stderr


def test_an_own_farm_behind_it(demo, tmp_path):
    servers = re.search(r"App servers: (.*)", demo.text())[1].replace(" ", " , ")
    run = Run(tmp_path / "output", BACKEND=servers, DOMAIN="Apps.Example.com",
              ADDRESS=OTHER_ADDRESS)
    assert '["Host", "apps.example.com"]' in run.curl("https://apps.example.com/Echo/")
    assert run.curl("-o", "/dev/null", "-w", "%{http_code}",
                    "https://apps.example.com/Users/") == "403"
    assert run.stop() == 0, run.text()


@pytest.mark.parametrize("settings, named", [
    ({"BACKEND": "10.0.0.5", "DOMAIN": "a.example"}, "BACKEND '10.0.0.5'"),
    ({"BACKEND": "http://10.0.0.5/x", "DOMAIN": "a.example"}, "BACKEND 'http://10.0.0.5/x'"),
    ({"BACKEND": "http://10.0.0.5:0", "DOMAIN": "a.example"}, "port '0' is not in 1 to 65535"),
    ({"BACKEND": "http://10.0.0.5"}, "BACKEND needs DOMAIN"),
    ({"DOMAIN": "https://a.example"}, "DOMAIN 'https://a.example'"),
    ({"DOMAIN": "a.example\nListen 8"}, "DOMAIN 'a.example"),
    ({"ADDRESS": "127.0.0.300"}, "ADDRESS '127.0.0.300'"),
    ({"HTTPS_PORT": "x"}, "HTTPS_PORT 'x'"),
    ({"INTERNAL": "lan"}, "INTERNAL 'lan'"),
    ({"BACKEND": "https://10.0.0.5", "DOMAIN": "a.example", "BACKEND_CA": "/none"}, "'/none'")])
def test_bad_values_are_named(settings, named):
    done = subprocess.run([SCRIPT], env=environment(**settings), capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 1 and named in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_everything(tmp_path, number):
    run = Run(tmp_path / "output", ADDRESS=OTHER_ADDRESS)
    assert len(run.children()) >= 3
    assert run.stop(number) == 0, run.text()


@pytest.mark.parametrize("what", ["APP02", "apache2|httpd"])
def test_a_process_that_dies_ends_it_all(tmp_path, what):
    run = Run(tmp_path / "output", ADDRESS=OTHER_ADDRESS)
    victim = [pid for pid, line in run.children()
              if re.search(what, line) and "tail" not in line][0]
    os.kill(victim, signal.SIGKILL)
    assert run.stop(None) == 1 and "has ended; stopping" in run.text()
