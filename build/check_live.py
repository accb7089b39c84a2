#!/usr/bin/python3
"""Asks a running proxy whether everything that its apps need is available from outside, and whether it
leaves the proxy as OutSystems meant it.

    check_live.py --domain apps.example.com [--status http://127.0.0.1/osproxy-status]

The proxy's own watcher looks at everything once more (`?check`) and this waits for it. Exit status: 0
nothing is wrong, 1 something is, 2 the proxy could not be asked.
"""
import argparse
import json
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 10


class CannotAsk(Exception):
    """Why, in words for the administrator."""


class StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect would lead away from the server that is asked."""

    def redirect_request(self, *_):
        return None


def fetch(url, host):
    """The JSON behind a URL, asked for under the name of a host."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE     # it is an address of this machine
    opener = urllib.request.build_opener(StayHere, urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise CannotAsk(f"{url} answers {error.code}; --status (of make: STATUS=) is the address of the "
                        f"live page, which has to let this machine in") from error
    except (OSError, ValueError) as error:
        raise CannotAsk(f"{url}: {error}; is httpd running, and is the live page there?") from error


def watched(page, url):
    """What the watchers know."""
    if not isinstance(page.get("watch"), dict):
        raise CannotAsk(f"{url}: nothing is watched; is OSProxyEngine On, OSProxyWatch not Off?")
    return page["watch"]


def look(url, host, seconds):
    """What the watchers know once they have looked at everything again."""
    asked = watched(fetch(url + "?check", host), url)["asked"]
    end = time.monotonic() + seconds
    while True:
        time.sleep(0.5)
        watch = watched(fetch(url + "?json", host), url)
        if watch["answered"] >= asked:
            return watch
        if time.monotonic() > end:
            raise CannotAsk(f"the watcher has not come to its end in {seconds} s; a higher "
                            "OSProxyWatch makes it faster")


def report(watch, domain):
    """Prints what is wrong with a domain; True when nothing is."""
    own = [site for site in watch["sites"] if site["name"].lower() == domain.lower()]
    sites = [site["id"] for site in own]
    if not sites:
        names = ", ".join(sorted({site["name"] for site in watch["sites"]})) or "none"
        raise CannotAsk(f"no virtual host of this proxy is watched as {domain}; watched are: {names}")
    for site in own:
        if site["cannot_be_asked"]:
            raise CannotAsk(f"{domain}:{site['port']} cannot be asked: {site['cannot_be_asked']}")
    troubles = [one for one in watch["troubles"] if one.get("site") in sites]
    modules = [one for one in watch["modules"] if one["site"] in sites]
    for trouble in troubles:
        off = trouble["severity"] == "off"
        print(f"{domain}: {trouble['severity']}: [{trouble['kind']}] {trouble['text']}\n    "
              + (f"OSProxyRule {trouble['rule']} off: {trouble['reason']}" if off
                 else f"fix: {trouble['advice']}"))
    wrong = sum(trouble["severity"] == "warning" for trouble in troubles)
    notes = sum(trouble["severity"] == "note" for trouble in troubles)
    available = sum(module["state"] == "available" for module in modules)
    print(f"osproxy: {domain}: {len(modules)} modules known, {available} available; "
          f"{wrong} warnings, {notes} notes, {len(troubles) - wrong - notes} off")
    return wrong == 0


def main():
    parser = argparse.ArgumentParser(description="Asks a running proxy what is missing.")
    parser.add_argument("--domain", required=True)
    parser.add_argument("--status", default="http://127.0.0.1/osproxy-status",
                        help="address of the live page (default: %(default)s)")
    parser.add_argument("--host", help="Host to ask under; default: the domain, or the address "
                                       "itself when --status names one")
    parser.add_argument("--seconds", type=float, default=180, help="to wait at most")
    arguments = parser.parse_args()
    given = any(word.startswith("--status") for word in sys.argv[1:])
    host = arguments.host or (None if given else arguments.domain)
    if urllib.parse.urlsplit(arguments.status).scheme not in ("http", "https"):
        parser.error(f"--status {arguments.status}: http://… or https://… expected")
    try:
        fine = report(look(arguments.status, host, arguments.seconds), arguments.domain)
    except CannotAsk as reason:
        print(f"check-live: {reason}", file=sys.stderr)
        return 2
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
