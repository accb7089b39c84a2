#!/usr/bin/python3
"""Pictures of the live page for the documentation: build/screenshots.py [folder], as root after make.

A demo front end with findings in its configuration, on a desktop in the light and on a phone in the
dark, and the page of a rule. Needs what the tests need (build/setup.sh test)."""
import sys
from pathlib import Path
from types import SimpleNamespace

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "test/http"), str(TOP / "test")]

from lab.clients.chromium import Chromium, Window  # noqa: E402
from osptest import Backend, Httpd, both  # noqa: E402

SHOTS = {
    "status-desktop": ("", {"width": 1000, "height": 700}),
    "status-phone": ("", {"width": 360, "height": 700, "phone": True, "dark": True}),
    "status-rule": ("?rule=error-override", {"width": 1000, "height": 700}),
}
# The front end's folder is a passing one; readers look for their own.
NAMED = """(() => { const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode())
        walk.currentNode.data = walk.currentNode.data.replaceAll('%s', '/etc/apache2'); })()"""


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with Httpd("event", "") as httpd:
        backend = Backend()
        body = f"ProxyErrorOverride On\nProxyPass / {backend.url}/\n"
        httpd.allow_log("OSP|AH")
        httpd.reload(both(httpd.address, body))
        for target in ("/", "/MyApp/", "/MyApp/%7E"):
            httpd.ask("http", target)
        front = SimpleNamespace(host="control.example.com", address=httpd.control)
        with Chromium(front, SimpleNamespace(kdc=SimpleNamespace(env={}))) as browser:
            for name, (query, size) in SHOTS.items():
                window = Window(browser, **size)
                window.load(f"/osproxy-status{query}")
                window.evaluate(NAMED % httpd.dir)
                window.screenshot(folder / f"{name}.png")
        backend.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TOP / "mod_osproxy/docs/screenshots")
