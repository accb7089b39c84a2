#!/usr/bin/python3
"""Takes an app server out of a balancer for maintenance, or puts it back, by httpd's balancer manager.

    drain.py --domain apps.example.com                                    # lists the members
    drain.py --domain apps.example.com --server app1.internal             # drains, waits until it is idle
    drain.py --domain apps.example.com --server app1.internal --state enable

States: drain (nothing new; sign-ins under way end), disable (the same, at once), enable. After drain and
disable it waits until no request is under way on that server: then it may be stopped, and nobody notices.
Who was signed in there with Windows authentication is asked by another server at the next request.
Exit status: 0 done, 1 requests are still under way after --seconds, 2 the manager could not be asked.
"""
import argparse
import http.client
import re
import socket
import ssl
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

TIMEOUT = 10
NAMESPACE = {"m": "http://httpd.apache.org"}
# What the manager's form calls them: N drains, D disables.
STATES = {"drain": {"N": 1, "D": 0}, "disable": {"N": 0, "D": 1}, "enable": {"N": 0, "D": 0}}
CALM = 3        # times in a row that nothing is under way


class CannotAsk(Exception):
    """Why, in words for the administrator."""


class Manager:
    """The balancer manager behind a URL of this machine, asked under the name of the site."""

    def __init__(self, url, domain):
        self.url = urllib.parse.urlsplit(url)
        self.domain = domain
        if self.url.scheme not in ("http", "https") or not self.url.hostname:
            raise CannotAsk(f"{url} is no http or https URL")

    def ask(self, query="", form=None):
        secure = self.url.scheme == "https"
        port = self.url.port or (443 if secure else 80)
        connection = http.client.HTTPConnection(self.domain, port, timeout=TIMEOUT)
        try:
            connection.sock = socket.create_connection((self.url.hostname, port), TIMEOUT)
            if secure:
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE     # it is an address of this machine
                connection.sock = context.wrap_socket(connection.sock, server_hostname=self.domain)
            body = urllib.parse.urlencode(form) if form else None
            # Without a Referer of its own the manager takes no orders.
            headers = {"Host": self.domain, "Referer": f"{self.url.scheme}://{self.domain}{self.url.path}"}
            if body:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST" if body else "GET", self.url.path + query, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise CannotAsk(f"{self.url.geturl()}: {error}; is httpd running?") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise CannotAsk(f"{self.url.geturl()} answers {answer.status}; write MANAGER=<address of the "
                            "balancer manager>, which has to let this machine in")
        return text

    def members(self):
        """[(balancer, worker, host, status, requests under way)]"""
        try:
            tree = ElementTree.fromstring(self.ask("?xml=1"))
        except ElementTree.ParseError as error:
            raise CannotAsk(f"{self.url.geturl()} is no balancer manager: {error}") from error
        found = []
        for balancer in tree.iterfind(".//m:balancer", NAMESPACE):
            name = balancer.findtext("m:name", "", NAMESPACE)
            for worker in balancer.iterfind(".//m:worker", NAMESPACE):
                word = {key: worker.findtext(f"m:{key}", "", NAMESPACE).strip()
                        for key in ("name", "hostname", "port", "status", "busy")}
                host = word["hostname"] if word["port"] in ("", "0", "80", "443") \
                    else f"{word['hostname']}:{word['port']}"
                found.append((name, word["name"], host, word["status"], int(word["busy"] or 0)))
        return found

    def set(self, balancer, worker, flags):
        nonce = re.search(r"[?&;]nonce=([0-9A-Za-z-]+)", self.ask())
        form = {"w": worker, "b": balancer.removeprefix("balancer://"),
                **({"nonce": nonce[1]} if nonce else {}),
                **{f"w_status_{flag}": value for flag, value in flags.items()}}
        self.ask(form=form)


def change(manager, server, state, seconds, longest):
    """The exit status."""
    mine = [member for member in manager.members() if server in (member[1], member[2])]
    if not mine:
        known = ", ".join(sorted({member[2] for member in manager.members()})) or "nobody"
        raise CannotAsk(f"no balancer has a member {server}; there are: {known}")
    for balancer, worker, *_ in mine:
        manager.set(balancer, worker, STATES[state])
    workers = {member[:2] for member in mine}
    for member in manager.members():
        if member[:2] in workers:
            out = any(word in member[3].split() for word in ("Drn", "Dis"))
            if out == (state == "enable"):
                raise CannotAsk(f"{member[1]} of {member[0]} still is '{member[3]}': the manager did not "
                                "take the order")
    print(f"{server}: {state}")
    return 0 if state == "enable" else wait(manager, server, workers, seconds, longest)


def wait(manager, server, workers, seconds, longest):
    """httpd's count is not exact: its threads add to it at the same time, and lose one now and then. A
    count that has not changed for longer than a request can take counts nothing."""
    end = time.monotonic() + seconds
    calm, last, changed = 0, None, 0
    while calm < CALM:
        busy = sum(member[4] for member in manager.members() if member[:2] in workers)
        now = time.monotonic()
        calm = 0 if busy else calm + 1
        if busy != last:
            last, changed = busy, now
        elif busy and now - changed > longest:
            print(f"{server}: httpd counts {busy} under way, but nothing has ended for {longest:g} s, which "
                  "is longer than a request takes (--longest): a miscount")
            break
        if now > end and busy:
            print(f"{server}: {busy} requests are still under way after {seconds:g} s", file=sys.stderr)
            return 1
        time.sleep(0.2)
    print(f"{server}: idle, may be stopped")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Takes an app server out of a balancer, or puts it back.")
    parser.add_argument("--domain", required=True, help="host name of the site")
    parser.add_argument("--server", help="host name of a member as written, host:port or URL")
    parser.add_argument("--state", choices=STATES, default="drain")
    parser.add_argument("--manager", default="https://127.0.0.1/balancer-manager", metavar="URL")
    parser.add_argument("--seconds", type=float, default=300, help="the longest to wait")
    parser.add_argument("--longest", type=float, default=120,
                        help="seconds that no request outlives; IIS ends them after 110")
    options = parser.parse_args()
    try:
        manager = Manager(options.manager, options.domain)
        if options.server:
            return change(manager, options.server, options.state, options.seconds, options.longest)
        for balancer, worker, _, status, busy in manager.members():
            print(f"{balancer} {worker} {status or '-'}, {busy} under way")
        return 0
    except CannotAsk as reason:
        print(f"drain: {reason}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
