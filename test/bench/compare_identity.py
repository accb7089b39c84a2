#!/usr/bin/python3
"""Which proxies keep Windows-authenticated users apart: one table, measured here and now.

The same users, requests and order for every proxy, in front of the identity lab of test/lab: real
NTLM and a real Kerberos realm. A cell says how many requests were answered right / failed / were
answered as somebody else. The last column counts clients without credentials that were served as
a user. What is not installed is left out and said so.
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import identity, proxies  # noqa: E402
from lab.clients import SCHEMES  # noqa: E402
from lab.world import Lab  # noqa: E402

TITLES = {"ntlm": "NTLM", "krb-after-401": "Kerberos after the 401",
          "krb-upfront": "Kerberos up front", "spnego-ntlm": "SPNEGO carrying NTLM"}


def row(word, lab, options):
    """One proxy: (text of its row, whether every identity was right)."""
    cells, strange, leaked, perfect = [], 0, 0, True
    with proxies.open_front(word, lab) as front:
        for scheme in options.scheme:
            counts = identity.run(front, lab, scheme, users=options.users, seed=options.seed,
                                  requests=options.requests)
            wrong = f"**{counts.wrong}**" if counts.wrong else "0"
            cells.append(f"{counts.right} / {counts.failed} / {wrong} of {counts.total}")
            strange, leaked = strange + counts.strange, leaked + counts.leaked
            perfect &= counts.perfect
    cells.append((f"**{leaked}**" if leaked else "0") + f" of {strange}")
    return f"| {proxies.PROXIES[word][0]} | " + " | ".join(cells) + " |", perfect


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--proxy", action="append", choices=proxies.PROXIES, help="repeatable")
    parser.add_argument("--scheme", action="append", choices=SCHEMES, help="repeatable")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--requests", type=int, help="of each user")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.scheme = options.scheme or list(TITLES)
    wanted = options.proxy or [word for word in proxies.PROXIES if word != "direct"]
    good = True
    with Lab(options.users) as lab:
        print("| proxy | " + " | ".join(TITLES[scheme] for scheme in options.scheme)
              + " | strangers served as a user |")
        print("|---" * (len(options.scheme) + 2) + "|", flush=True)
        for word in wanted:
            if not proxies.available(word):
                print(f"not installed: {proxies.PROXIES[word][0]}", file=sys.stderr)
                continue
            text, perfect = row(word, lab, options)
            print(text, flush=True)
            good &= perfect or not word.startswith("osproxy-")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
