"""The live page in a browser: on a desktop and on a phone, in the light and in the dark."""
import subprocess
from types import SimpleNamespace

import pytest

from lab.clients.chromium import Chromium, Window
from osptest import both
from osptest.place import TOP

SIZES = {"desktop": {"width": 1280}, "phone": {"width": 360, "height": 740, "phone": True}}
LOOKS = [("desktop", False), ("phone", True)]
PAGES = {"status": "/osproxy-status", "rule": "/osproxy-status?rule=error-override",
         "unknown": "/osproxy-status?rule=nothing", "farm": "/farm.html"}

# Text whose colour is too close to what is behind it: WCAG 2.1, 1.4.3, level AA.
FAINT = """(() => {
    const parts = color => color.match(/[\\d.]+/g).map(Number);
    const light = color => parts(color).slice(0, 3).map(c => c / 255)
        .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const behind = e => { for (; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if ((parts(color)[3] ?? 1) == 1) return color; } return 'rgb(255, 255, 255)'; };
    const faint = [];
    for (const e of document.querySelectorAll('main *')) {
        if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
        if ((a + .05) / (b + .05) < 4.5) faint.push(e.outerHTML.slice(0, 80));
    }
    return faint; })()"""
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
# What reaches over the right edge, for the message of a failed test.
WIDE = """[...document.querySelectorAll('main *')].filter(
    e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .slice(0, 5).map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module", params=["event"])
def mpm(request):
    """What a browser shows does not depend on it."""
    return request.param


@pytest.fixture(scope="module")
def httpd(start, farm):
    url = farm["http"].url
    httpd = start(lambda address: both(address, f"ProxyErrorOverride On\nProxyPass / {url}/\n")
                  + both(address, f"ProxyPass / {url}/\n", name="other.example.com",
                         head='OSProxyEngine Report\nOSProxyRule via off "a test"'))
    # The same page of a made-up farm, which nobody has to watch first.
    program = TOP / "build/out/unit/plain/test_page"
    subprocess.run(["make", "-s", "-C", str(TOP), str(program.relative_to(TOP))], check=True,
                   capture_output=True)
    made_up = subprocess.run([str(program), "html"], check=True, capture_output=True, cwd=TOP)
    (httpd.dir / "htdocs/farm.html").write_bytes(made_up.stdout)
    return httpd


@pytest.fixture(scope="module")
def browser(httpd):
    front = SimpleNamespace(host="control.example.com", address=httpd.control)
    with Chromium(front, SimpleNamespace(kdc=SimpleNamespace(env={})), shell=True) as browser:
        yield browser


@pytest.fixture(autouse=True)
def log(httpd):
    httpd.allow_log("OSP|AH")


def window(browser, size="desktop", dark=False):
    return Window(browser, dark=dark, **SIZES[size])


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size,dark", LOOKS)
def test_pages_fit_and_can_be_read(browser, size, dark, name):
    shown = window(browser, size, dark)
    shown.load(PAGES[name])
    for step in ("", OPEN_ALL):
        shown.evaluate(step)
        whole, visible = shown.evaluate(WIDTHS)
        assert whole <= visible <= SIZES[size]["width"], shown.evaluate(WIDE)
    assert shown.evaluate(FAINT) == []
    paper = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") != dark
    assert shown.evaluate("refused") == []


@pytest.mark.parametrize("size,dark", LOOKS)
def test_findings_are_seen_and_lead_to_the_rules_page(browser, httpd, size, dark):
    shown = window(browser, size, dark)
    shown.load("/osproxy-status")
    text = shown.evaluate("document.body.innerText")
    assert "things need attention" in text and f"{httpd.dir}/httpd.conf:" in text
    assert text.index("things need attention") < 200
    shown.follow("#findings ~ .finding a[href='?rule=error-override']")
    assert shown.evaluate("document.querySelector('h1').innerText").startswith("error-override")
    assert "violated" in shown.evaluate("document.body.innerText")
    shown.follow("a[href='?']")
    assert "Requirements by virtual host" in shown.evaluate("document.body.innerText")


def test_colour_is_never_the_only_signal(browser):
    shown = window(browser)
    shown.load("/osproxy-status")
    marks = shown.evaluate("[...document.querySelectorAll('main span.good, main span.bad, "
                           "main span.warn, main p.verdict')].map(e => e.textContent)")
    assert len(marks) > 20 and all(len(mark.split()) >= 2 for mark in marks)


def test_charts_say_the_same_in_words(browser):
    shown = window(browser)
    shown.load("/farm.html")
    labels = shown.evaluate("[...document.querySelectorAll('svg')].map(e => [e.getAttribute('role'), "
                            "e.getAttribute('aria-label'), e.nextSibling.textContent])")
    assert len(labels) >= 4
    for role, label, caption in labels:
        assert role == "img" and label.split(": ")[1] in caption
    assert shown.evaluate("document.querySelector('svg path:not(.base)').getBBox().width") > 100


def test_the_script_refreshes_and_keeps_what_is_open(browser, httpd):
    shown = window(browser)
    shown.load("/osproxy-status")
    acted = "Number(document.querySelector('#vhost-1 tbody td.n').textContent)"
    shown.evaluate("document.querySelector('#vhost-0').open = true; "
                   "document.querySelector('#vhost-1').open = false; "
                   "document.querySelector('#vhost-0 summary').focus()")
    assert "apps.example.com:80" in shown.evaluate("document.querySelector('#vhost-1').textContent")
    before = shown.evaluate(acted)
    assert httpd.ask("http", "/x").status == 200
    shown.evaluate("window.old = document.querySelector('main'); timers[0]()")
    assert shown.evaluate("new Promise(done => { const look = () => document.querySelector('main') "
                          "!= old ? done(true) : setTimeout(look, 20); look(); })")
    assert shown.evaluate(acted) == before + 1
    assert shown.evaluate("[document.querySelector('#vhost-0').open, "
                          "document.querySelector('#vhost-1').open]") == [True, False]
    assert shown.evaluate("document.activeElement.parentNode.id") == "vhost-0"
    assert shown.evaluate("refused") == []


def test_nothing_is_missing_without_javascript(browser):
    texts = []
    for off in (False, True):
        shown = window(browser)
        shown.call("Emulation.setScriptExecutionDisabled", value=off)
        shown.load("/osproxy-status?rule=error-override")
        texts.append(shown.evaluate("document.querySelector('main').textContent").split("started")[0])
    assert texts[0] == texts[1]
