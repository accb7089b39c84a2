#!/usr/bin/python3
"""Pictures of the live page for the documentation: build/screenshots.py [folder] [minutes], as root after
make.

A front end of the demo farm on which something is wrong: a module that is not mapped, scripts that are
rewritten, an app server that stayed behind, findings in the configuration. It is visited for some minutes, so
that the charts have something to show; then it is seen on a desktop in the light, on a phone in the dark, and
the page of a rule. Needs what the tests need (build/setup.sh test)."""
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "test/http"), str(TOP / "test")]

from lab.clients.chromium import Chromium, Window  # noqa: E402
from osptest import Httpd, both  # noqa: E402
from osptest.farm import Farm  # noqa: E402
from osptest.watching import balanced, model, until  # noqa: E402

DESKTOP, PHONE = {"width": 1000}, {"width": 360, "phone": True, "dark": True}
FARM = "document.querySelector('#watch').scrollIntoView({behavior: 'instant'})"
OPEN = ";document.querySelectorAll('#watch ~ table details').forEach((d, i) => d.open = i < 2)"
SHOTS = {       # query, what is done before, window
    "status-desktop": ("", "", {**DESKTOP, "height": 800}),
    "status-farm": ("", FARM + OPEN, {**DESKTOP, "height": 1500}),
    "status-phone": ("", "", {**PHONE, "height": 700}),
    "status-farm-phone": ("", FARM, {**PHONE, "height": 1100}),
    "status-rule": ("?rule=error-override", "", {**DESKTOP, "height": 700}),
}
BODY = """ProxyErrorOverride On
ProxyPass /RichWidgets/ !
<Location /MyApp/scripts>
    SetOutputFilter SUBSTITUTE
    Substitute "s/function/function /"
    RequestHeader unset Accept-Encoding
</Location>
"""
PATHS = ("/MyApp/", "/MyMobile/", "/Portal/Home.aspx", "/Login/Login.aspx", "/MyOtherApp/Login.aspx",
         "/Portal/_Basic.css", "/WinAuth/")
# Names of this machine that readers would wonder about.
NAMED = """(() => { const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode())
        walk.currentNode.data = walk.currentNode.data.replaceAll('%s', '%s'); })()"""


def visit(httpd, minutes):
    """Some traffic, more and less of it; until everything that is wrong is known."""
    end = time.monotonic() + 60 * minutes
    number = 0
    while time.monotonic() < end:
        for path in PATHS:
            httpd.ask("https", path)
        if number % 9 == 0:
            httpd.ask("http", "/MyApp/")
        number += 1
        time.sleep(0.2 + 2 * (number // 40 % 4))
    assert until(lambda: {one["kind"] for one in model(httpd)["troubles"]}
                 >= {"missing", "resource", "versions"}, 120), model(httpd)["troubles"]


def main(folder, minutes):
    folder.mkdir(parents=True, exist_ok=True)
    httpd = Httpd("event", watch="On deploy=120", modules=["substitute"])
    with tempfile.TemporaryDirectory() as logs:
        farm = Farm(Path(logs), "1", "2")
        httpd.conf = both(httpd.address, BODY + balanced(farm, "ttl=60"))
        with httpd:
            httpd.allow_log("OSP|AH")
            visit(httpd, minutes)
            front = SimpleNamespace(host="control.example.com", address=httpd.control)
            names = {str(httpd.dir): "/etc/apache2", httpd.control: "192.0.2.80",
                     httpd.address: "192.0.2.80"}
            names |= {url: f"http://app{number}.internal" for number, url in enumerate(farm.urls, 1)}
            with Chromium(front, SimpleNamespace(kdc=SimpleNamespace(env={}))) as browser:
                for name, (query, action, size) in SHOTS.items():
                    window = Window(browser, **size)
                    window.load(f"/osproxy-status{query}")
                    for old, new in names.items():
                        window.evaluate(NAMED % (old, new))
                    window.evaluate(action)
                    window.screenshot(folder / f"{name}.png")
            httpd.allow_log("OSP|AH")
        farm.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TOP / "mod_osproxy/docs/screenshots",
         float(sys.argv[2]) if len(sys.argv) > 2 else 3)
