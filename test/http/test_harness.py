"""The harness itself, on plain httpd: it sees what it must see, and fails when it must."""
import pytest

from osptest import Answer, balancer, both, proxy_pass, raw
from osptest.conf import ssl_proxy


@pytest.fixture(scope="module")
def front(start, mpm, farm):
    body = "ProxyPreserveHost On\n" + ssl_proxy()
    for word in ("http", "https") + (("h2", "h2c") if mpm != "prefork" else ()):
        body += proxy_pass(f"/{word}/", farm[word].url)
    return start(lambda address: both(address, body, head=""), module=False)


def test_request_reaches_the_back_end_as_bytes(front, farm, client):
    answer = front.ask(client, "/http/a?b=c", headers=[("X-Test", "1"), ("X-Test", "2")])
    assert answer.status == 200 and b"app server" in answer.body
    request = farm["http"].the_request()
    assert request.target == "/http/a?b=c"
    assert request.get("Host") == "apps.example.com"
    assert ",".join(request.all("X-Test")).replace(" ", "") == "1,2"


def test_every_kind_of_back_end(front, farm, mpm):
    for word in ("http", "https", "h2", "h2c"):
        if mpm == "prefork" and word.startswith("h2"):
            continue
        farm[word].answer = Answer(202, [("X-One", "1"), ("X-One", "2")], b"x" * 1000)
        answer = front.ask("http", f"/{word}/x", method="POST", body=b"y" * 500)
        assert (answer.status, len(answer.body)) == (202, 1000), word
        assert answer.all("X-One") == ["1", "2"]
        assert farm[word].the_request().body == b"y" * 500
    assert farm["https"].the_request().sni == "apps.example.com"


def test_malformed_answers_can_be_scripted(front, farm):
    farm["http"].answer = Answer(raw=b"HTTP/1.1 200 OK\r\nBroken\r\n\r\n", close=True)
    front.allow_log("AH0|AH1")
    assert front.ask("http", "/http/").status in (200, 502)


def test_an_unexpected_line_is_a_problem(front):
    assert front.log.check() == ""
    raw(front.address, b"GET /http/ HTTP/1.1\r\n\r\n")
    front.log.expect("AH00000")
    problems = front.log.check()
    assert "AH00000" in problems and "did not come" in problems


def test_reload_takes_effect(front, farm):
    before = front.children()
    front.reload(front.conf.replace("/http/", "/moved/"))
    assert front.ask("http", "/http/a").status == 404
    front.reload(front.conf.replace("/moved/", "/http/"))
    assert front.ask("http", "/http/a").status == 200
    assert not set(before) & set(front.children())


def test_balancer_and_configtest(front, farm):
    conf = balancer("servers", farm["http"].url) + "ProxyPass /b/ balancer://servers/b/\n"
    code, text = front.configtest(both(front.address, conf, head=""))
    assert (code, text.strip()) == (0, "Syntax OK")
    code, text = front.configtest("Nonsense 1\n")
    assert code != 0 and "Nonsense" in text
