"""Sign-ins through the module under valgrind: what memcheck says of frames of mod_osproxy.

httpd and its libraries have findings of their own, which nobody here can mend; a finding counts when
mod_osproxy.so is in its stack.
"""
import random
import re

from osptest.place import module_path, server_directory

from . import identity, proxies
from .clients import SCHEMES, Client, Request, make_login
from .clients.client import finish
from .faults import Faults
from .world import Lab

FAULTS = ("drop-challenge", "close-challenge", "cut-challenge", "drop-final", "reset-final",
          "refuse", "half", "drop", "close")


def wrapper(directory):
    return ["valgrind", "--tool=memcheck", "--trace-children=yes", "--leak-check=full",
            "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", "--num-callers=40",
            f"--log-file={directory}/memcheck.%p"]


def findings(directory):
    """Blocks of memcheck's logs that name the module, and how many logs there are."""
    found, logs = [], list(directory.glob("memcheck.*"))
    for path in logs:
        text = re.sub(r"^==\d+== ?", "", path.read_text(errors="replace"), flags=re.M)
        found += [block for block in text.split("\n\n")
                  if module_path().name in block and re.search(r"^\s+(at|by) 0x", block, re.M)]
    return found, len(logs)


def _faults(front, back_end, lab):
    """A sign-in with each fault; what comes of it is the tests' business."""
    for fault in FAULTS:
        client = Client(front, "user01",
                        lambda: make_login("ntlm", lab, "user01", random.Random(1)))
        finish(client.ask(Request(f"/WinAuth/?fault={fault}")))
        finish(client.ask(Request("/WinAuth/")))
        client.close()


def main_memcheck(options):
    """0 when memcheck has nothing to say of the module."""
    directory = server_directory()
    directory.chmod(0o777)      # children write their logs as another user
    with Lab(6) as lab, Faults() as back_end:
        more = {"wrapper": wrapper(directory), "patience": 120}
        with proxies.httpd(lab, options.mpm, module=True, **more) as front:
            for scheme in SCHEMES:
                counts = identity.run(front, lab, scheme, users=6, requests=6, sessions=2)
                print(counts.line(), flush=True)
                if not counts.safe:
                    return 1
        body = f"ProxyPass / {back_end.url()}/ retry=0\n"
        with proxies.httpd(lab, options.mpm, module=True, body=body, **more) as front:
            _faults(front, back_end, lab)
    found, logs = findings(directory)
    print("\n\n".join(found))
    print(f"memcheck: {logs} processes, {len(found)} findings in mod_osproxy")
    return 1 if found or not logs else 0
