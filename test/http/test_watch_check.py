"""The check on demand: the button of the live page, its way for scripts, and nobody else's page."""
from types import SimpleNamespace

import pytest

from lab.clients.chromium import Chromium, Window
from osptest.client import ask
from osptest.watching import modules, page, until, visit

HOST = "control.example.com"
OWN, ALIEN = f"http://{HOST}", "http://evil.example.net"
POSTS = [       # fields, whether it is a press of the button
    ([("Origin", OWN)], True),
    ([("Origin", OWN.upper())], True),
    ([("Sec-Fetch-Site", "same-origin"), ("Origin", "null")], True),
    ([], False),
    ([("Origin", "null")], False),
    ([("Origin", ALIEN)], False),
    ([("Origin", f"{OWN}.evil.example.net")], False),
    ([("Origin", f"{OWN}:8080")], False),
    ([("Origin", HOST)], False),
    ([("Referer", f"{OWN}/")], False),
    ([("Sec-Fetch-Site", "cross-site"), ("Origin", OWN)], False),
    ([("Sec-Fetch-Site", "same-site"), ("Origin", OWN)], False),
    ([("Sec-Fetch-Site", "")], False),
]
GETS = [
    ([], True),
    ([("Sec-Fetch-Site", "none")], True),
    ([("Sec-Fetch-Site", "same-origin")], True),
    ([("Referer", f"{OWN}/osproxy-status")], True),
    ([("Sec-Fetch-Site", "cross-site")], False),
    ([("Referer", f"{ALIEN}/{HOST}")], False),
    ([("Origin", ALIEN)], False),
]


@pytest.fixture
def httpd(watch, apps):
    httpd = watch(f"ProxyPass / {apps('1').urls[0]}/\n")
    visit(httpd, "/Portal/Home.aspx")
    assert until(lambda: "Portal" in modules(httpd))
    return httpd


def test_only_the_page_itself_and_scripts_ask(httpd):
    for method, table in (("POST", POSTS), ("GET", GETS)):
        for fields, good in table:
            asked = httpd.status()["watch"]["asked"]
            answer = ask(httpd.control, "http", "/osproxy-status?check", host=HOST, method=method,
                         headers=fields, body=b"x=1" if method == "POST" else b"")
            assert answer.status == ((303 if method == "POST" else 200) if good else 403), fields
            assert httpd.status()["watch"]["asked"] == asked + good, fields
            assert not good or method == "GET" or answer.get("Location") == "?"
            assert answer.get("Cache-Control") == "no-store"
    for query in ("", "?json", "?checks", "?rule=via"):
        answer = ask(httpd.control, "http", "/osproxy-status" + query, host=HOST, method="POST",
                     headers=[("Origin", OWN)])
        assert answer.status == 405 and "POST" not in answer.get("Allow")


def test_checks_do_not_keep_each_other_from_ending(httpd):
    """Nor do they send more than the rate allows, whoever asks how often."""
    for _ in range(20):
        assert page(httpd, "?check").status == 200
    asked = httpd.status()["watch"]["asked"]
    assert until(lambda: page(httpd, "?check") and httpd.status()["watch"]["answered"] >= asked)


def test_the_button_in_a_browser(httpd):
    """It works with and without script, and the page brings the result by itself; a page of another site
    cannot press it."""
    front = SimpleNamespace(host=HOST, address=httpd.control)
    text = "document.querySelector('#check').innerText"
    with Chromium(front, SimpleNamespace(kdc=SimpleNamespace(env={})), shell=True) as browser:
        for off in (True, False):
            shown = Window(browser)
            shown.call("Emulation.setScriptExecutionDisabled", value=off)
            shown.load("/osproxy-status")
            before = httpd.status()["watch"]["answered"]
            shown.follow("#check button")
            assert until(lambda: httpd.status()["watch"]["answered"] > before)
            assert until(lambda: "Checked as asked" in (shown.evaluate(text) or "")), shown.evaluate(text)
            assert shown.evaluate("location.href") == f"{OWN}/osproxy-status?"
            assert off or shown.evaluate("refused") == []
        shown = Window(browser)
        asked = httpd.status()["watch"]["asked"]
        shown.evaluate(f"""document.body.innerHTML =
            '<form method=post action="{OWN}/osproxy-status?check"><button></button></form>'""")
        shown.follow("button")
        assert "Forbidden" in shown.evaluate("document.body.innerText")
        assert shown.evaluate("location.href") == f"{OWN}/osproxy-status?check"
        assert httpd.status()["watch"]["asked"] == asked
