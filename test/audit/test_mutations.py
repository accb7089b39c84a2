"""No crash, no hang, no report of a sanitizer, and JSON that is JSON, on configurations made worse.

AUDIT_MUTATIONS: how many (400); AUDIT_SEED: another seed (1). A failure prints the configuration.
"""
import json
import os
import random

import pytest

from configtest.case import cases
from configtest.mutate import mutate
from configtest.server import Server

COUNT = int(os.environ.get("AUDIT_MUTATIONS", "400"))
SEED = os.environ.get("AUDIT_SEED", "1")
PARTS = 4           # run by several workers at a time
LEAST_READ = 0.15   # of all: httpd accepted them, so that the audit saw them


def inputs():
    """Cases of one file."""
    return [case for case in cases() if not (case.path.parent / case.path.stem).is_dir()]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_configuration_made_worse_does_no_harm(certificates, part):
    dice = random.Random(f"{SEED}.{part}")
    every = inputs()
    servers, read, count = {}, 0, max(1, COUNT // PARTS)
    try:
        for _ in range(count):
            case = dice.choice(every)
            text = mutate(case.text, dice)
            key = frozenset(case.options)
            if key not in servers:
                servers[key] = Server(certificates, case.options)
            servers[key].write_text(text)
            result = servers[key].test("-D", "DUMP_OSPROXY_JSON", timeout=20)
            assert not result.died, f"{result.code}\n{result.err}\n{text}"
            if result.out:
                read += 1
                json.loads(result.out)
            else:
                assert result.code != 0, f"nothing was said\n{result.err}\n{text}"
    finally:
        for server in servers.values():
            server.__exit__()
    assert read >= LEAST_READ * count, f"only {read} of {count} configurations were audited"
