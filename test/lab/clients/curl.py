"""curl: --ntlm, --negotiate, or nothing, through a Front."""
import json
import os
import subprocess
from dataclasses import dataclass

from osptest import tls

from ..backend import DOMAIN
from ..world import owner


@dataclass
class CurlAnswer:
    code: int           # curl's exit code
    statuses: list      # of every answer, handshakes included
    versions: list      # HTTP versions of these answers
    bodies: list
    errors: str

    @property
    def users(self):
        """Whom the stand-in's pages were made for."""
        return [owner(json.loads(body.split("\n", 1)[0])["user"]) for body in self.bodies
                if body.startswith("{")]


def curl(front, lab, *targets, ntlm=None, kerberos=None, spnego=None, options=()):
    """ntlm, kerberos: the user who signs in; targets are fetched on one connection."""
    command = ["/usr/bin/curl", "--silent", "--show-error", "--max-time", "20", "--include",
               "--cacert", str(tls.authority().cert), "--connect-to",
               f"{front.host}::{front.address}:{front.port}", *options]
    env = {**os.environ, **lab.kdc.env, "KRB5CCNAME": f"FILE:{lab.dir}/no-ticket"}
    if ntlm:
        command += ["--ntlm", "--user", f"{DOMAIN}\\{ntlm}:{lab.password(ntlm)}"]
    if kerberos:
        command += ["--negotiate", "--user", ":"]
        env["KRB5CCNAME"] = f"FILE:{lab.ticket(kerberos)}"
    if spnego:
        command += ["--negotiate", "--user", ":"]      # without a ticket
    scheme = "https" if front.secure else "http"
    command += [f"{scheme}://{front.host}{target}" for target in targets]
    done = subprocess.run(command, capture_output=True, env=env)
    heads, bodies = _split(done.stdout.decode("latin-1"))
    return CurlAnswer(done.returncode, [int(head.split()[1]) for head in heads],
                      [head.split()[0] for head in heads], bodies, done.stderr.decode())


def _split(text):
    """Heads and bodies of answers written one after the other; bodies end with a line feed."""
    heads, bodies = [], []
    while text.startswith("HTTP/"):
        head, _, text = text.partition("\r\n\r\n")
        heads.append(head.split("\r\n")[0])
        if heads[-1].split()[1] == "100":
            continue
        at = text.find("HTTP/") if "HTTP/" in text else len(text)
        bodies.append(text[:at])
        text = text[at:]
    return heads, bodies
