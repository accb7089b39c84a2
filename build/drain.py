#!/usr/bin/python3
"""Takes an app server out of a balancer for maintenance, or puts it back, by httpd's balancer manager.

    drain.py --domain apps.example.com                                    # lists the members
    drain.py --domain apps.example.com --server app1.internal             # drains, waits until it is idle
    drain.py --domain apps.example.com --server app1.internal --state enable

States: drain (nothing new; sign-ins under way end), disable (the same, at once), enable. After drain and
disable it waits until no request is under way on that server: then it may be stopped, and nobody notices.
Who was signed in there with Windows authentication is asked by another server at the next request.

Whether requests are under way is seen on the connections of this machine to that server, so it has to run
where httpd does: one is idle when the last thing on it was an answer and nothing has moved for --quiet
seconds. The manager's own count (busy) is no more than a hint: httpd 2.4 adds and subtracts without a lock,
so that it ends up too high or too low. While it is not 0 the silence has to last three times as long.
Websockets and event streams that are silent for so long are not waited for.
Exit status: 0 done, 1 requests are still under way after --seconds, 2 it could not be asked.
"""
import argparse
import http.client
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from typing import NamedTuple

TIMEOUT = 10
NAMESPACE = {"m": "http://httpd.apache.org"}
# What the manager's form calls them: N drains, D disables.
STATES = {"drain": {"N": 1, "D": 0}, "disable": {"N": 0, "D": 1}, "enable": {"N": 0, "D": 0}}
STEP = 0.2      # seconds between two looks


class CannotAsk(Exception):
    """Why, in words for the administrator."""


class Member(NamedTuple):
    """Of a balancer. busy: requests under way, as httpd counts them."""
    balancer: str
    worker: str
    host: str
    port: int
    status: str
    busy: int

    @property
    def key(self):
        return self.balancer, self.worker

    @property
    def place(self):
        """As it is written, most of the time."""
        return self.host if self.port in (80, 443) else f"{self.host}:{self.port}"


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
            raise CannotAsk(f"{self.url.geturl()} answers {answer.status}; --manager (of make: MANAGER=) is "
                            "the address of the balancer manager, which has to let this machine in")
        return text

    def members(self):
        try:
            tree = ElementTree.fromstring(self.ask("?xml=1"))
        except ElementTree.ParseError as error:
            raise CannotAsk(f"{self.url.geturl()} is no balancer manager: {error}") from error
        found = []
        for balancer in tree.iterfind(".//m:balancer", NAMESPACE):
            for worker in balancer.iterfind(".//m:worker", NAMESPACE):
                word = {key: worker.findtext(f"m:{key}", "", NAMESPACE).strip()
                        for key in ("name", "hostname", "port", "scheme", "status", "busy")}
                port = int(word["port"] or 0) or (443 if word["scheme"] == "https" else 80)
                found.append(Member(balancer.findtext("m:name", "", NAMESPACE), word["name"],
                                    word["hostname"], port, word["status"], int(word["busy"] or 0)))
        return found

    def set(self, member, flags):
        nonce = re.search(r"[?&;]nonce=([0-9A-Za-z-]+)", self.ask())
        form = {"w": member.worker, "b": member.balancer.replace("balancer://", "", 1),
                **({"nonce": nonce[1]} if nonce else {}),
                **{f"w_status_{flag}": value for flag, value in flags.items()}}
        self.ask(form=form)


def silence(host, port):
    """For how many seconds nothing has moved on this machine's connections to a server: 0 while a request
    waits for its answer, or part of an answer for its reader; None without a connection."""
    try:
        places = {place[4][0] for place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise CannotAsk(f"{host}: {error}") from error
    least = None
    for place in places:
        try:
            lines = subprocess.run(
                ["ss", "-Htin", "state", "established", "state", "syn-sent", "dst", place, "dport", "=",
                 f":{port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotAsk(f"ss, which shows connections, does not run: {error}") from error
        # A line for the connection, and one that begins with white space for its details.
        for line in re.split(r"\n(?=\S)", lines.strip()) if lines.strip() else ():
            # In milliseconds; ss leaves out what is 0.
            moved = dict(re.findall(r"\b(lastsnd|lastrcv):(\d+)", line))
            sent, received = int(moved.get("lastsnd", 0)), int(moved.get("lastrcv", 0))
            waiting = re.match(r"\s*(?:[A-Z]\S*\s+)?(\d+)\s+(\d+)\s", line)
            busy = "SYN-SENT" in line or not waiting or waiting.groups() != ("0", "0") or sent < received
            least = min(0 if busy else received / 1000, least if least is not None else received / 1000)
    return least


def change(manager, server, state, seconds, quiet):
    """The exit status."""
    mine = [member for member in manager.members() if server in (member.worker, member.place)]
    if not mine:
        known = ", ".join(sorted({member.place for member in manager.members()})) or "nobody"
        raise CannotAsk(f"no balancer has a member {server}; there are: {known}")
    for member in mine:
        manager.set(member, STATES[state])
    mine = {member.key for member in mine}
    for member in manager.members():
        out = any(word in member.status.split() for word in ("Drn", "Dis"))
        if member.key in mine and out == (state == "enable"):
            raise CannotAsk(f"{member.worker} of {member.balancer} still is '{member.status}': the manager "
                            "did not take the order")
    print(f"{server}: {state}", flush=True)
    return 0 if state == "enable" else wait(manager, server, mine, seconds, quiet)


def wait(manager, server, mine, seconds, quiet):
    """Requests that have chosen the server and not yet connected go elsewhere if it is stopped."""
    began = time.monotonic()
    while True:
        members = [member for member in manager.members() if member.key in mine]
        needed = quiet * (3 if any(member.busy for member in members) else 1)
        passed = time.monotonic() - began
        silences = [silence(member.host, member.port) for member in members]
        if min([passed] + [found for found in silences if found is not None]) >= needed:
            print(f"{server}: idle, may be stopped")
            return 0
        if passed > seconds:
            print(f"{server}: requests are still under way after {seconds:.0f} s", file=sys.stderr)
            return 1
        time.sleep(STEP)


def main():
    parser = argparse.ArgumentParser(description="Takes an app server out of a balancer, or puts it back.")
    parser.add_argument("--domain", required=True, help="host name of the site")
    parser.add_argument("--server", help="host name of a member as written, host:port or URL")
    parser.add_argument("--state", choices=STATES, default="drain")
    parser.add_argument("--manager", default="https://127.0.0.1/balancer-manager", metavar="URL")
    parser.add_argument("--seconds", type=float, default=300, help="the longest to wait")
    parser.add_argument("--quiet", type=float, default=5, metavar="SECONDS",
                        help="how long nothing must have moved")
    options = parser.parse_args()
    try:
        manager = Manager(options.manager, options.domain)
        if options.server:
            return change(manager, options.server, options.state, options.seconds, options.quiet)
        for member in manager.members():
            print(f"{member.balancer} {member.worker} {member.status or '-'}, busy {member.busy}")
        return 0
    except CannotAsk as reason:
        print(f"drain: {reason}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
