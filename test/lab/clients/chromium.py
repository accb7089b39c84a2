"""Headless Chromium: loads one page through a Front, with or without a Kerberos ticket.

Two entries of its Local State stand for what a policy file would say: the GSSAPI library may be
loaded at once (Chromium waits for a first Negotiate challenge and a restart), and the SPN is made
from the name in the URL, not from the address that it is mapped to.
"""
import html
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass

from ..backend import DOMAIN
from ..world import owner

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --ignore-certificate-errors --disable-features=NetworkServiceSandbox,HttpsUpgrades""".split()
LOCAL_STATE = {"auth": {"disable_negotiate_cname_lookup": True},
               "net": {"received_http_auth_negotiate_headers": True}}


@dataclass
class Page:
    text: str           # what the page shows
    error: str          # ERR_…, or "" when the page came
    log: list           # (name, parameters) of the events of Chromium's network log

    @property
    def user(self):
        """Whom the stand-in's page was made for."""
        found = re.search(r'{"user":.*?}', self.text)
        return owner(json.loads(found[0])["user"]) if found else ""

    def answers(self):
        """First lines of the answers that came over the network."""
        return [parameters["headers"][0] for name, parameters in self.log
                if name == "HTTP_TRANSACTION_READ_RESPONSE_HEADERS" and parameters]


def chromium(front, lab, target="/WinAuth/", *, ticket=None, password_of=None, limit=60):
    """ticket: the user whose Kerberos ticket there is. password_of: the user whose name and
    password are in the URL, which Chromium uses for NTLM."""
    with tempfile.TemporaryDirectory(prefix="osptest-chromium-") as home:
        with open(f"{home}/Local State", "w") as file:
            json.dump(LOCAL_STATE, file)
        cache = lab.ticket(ticket) if ticket else f"{home}/no-ticket"
        env = {**os.environ, **lab.kdc.env, "KRB5CCNAME": f"FILE:{cache}", "HOME": home}
        who = f"{DOMAIN}%5C{password_of}:{lab.password(password_of)}@" if password_of else ""
        scheme, usual = ("https", 443) if front.secure else ("http", 80)
        port = "" if front.port == usual else f":{front.port}"
        done = subprocess.run(
            ["/usr/bin/chromium", *FLAGS, f"--user-data-dir={home}",
             f"--auth-server-allowlist={front.host}", f"--log-net-log={home}/net.json",
             "--net-log-capture-mode=Everything",
             f"--host-resolver-rules=MAP {front.host} {front.address}", "--dump-dom",
             f"{scheme}://{who}{front.host}{port}{target}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=limit)
        error = re.search(rb"Page load failed: net::(ERR_\w+)", done.stderr)
        return Page(html.unescape(re.sub("<[^>]*>", "", done.stdout.decode())),
                    error[1].decode() if error else "", _net_log(f"{home}/net.json"))


def _net_log(path):
    with open(path) as file:
        log = json.load(file)
    names = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    return [(names[event["type"]], event.get("params")) for event in log["events"]]
