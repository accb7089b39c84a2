#!/usr/bin/python3
"""The driver of `make test`: runs make targets one after the other, prints a line for each and the
whole output of those that failed, and ends with the sum of all test cases.

Usage: build/test.py <target>...

A stage fails when its command does, when it takes too long, when it is a test stage that ran no
test, and when tests were skipped: what was not run was not tested.
"""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

BUILDS = ("all", "clang")  # stages without test cases
SECONDS = 780              # the longest that one stage may take
TELL = 60                  # seconds between two signs of life
LOGS = Path("build/out/test")

# How the runners close: pytest, our own scripts, fuzz replay, cmocka.
CLOSING = re.compile(r"^(=+ )?\d+ (passed|failed|error|skipped|xfailed|xpassed|deselected)|"
                     r"^[\w() .-]+: \d+ passed|^fuzz .*files replayed|^\[  (PASSED|FAILED)  \] \d+ test")
COUNTS = (
    (re.compile(r"(\d+) passed|(\d+) files replayed|PASSED  \] (\d+) test"), "passed"),
    (re.compile(r"(\d+) failed|(\d+) errors?\b|FAILED  \] (\d+) test"), "failed"),
    (re.compile(r"(\d+) skipped|(\d+) xfailed|(\d+) xpassed"), "skipped"),
)


def count(output):
    """Test cases by outcome, from the closing lines of the runners in output."""
    sums = {"passed": 0, "failed": 0, "skipped": 0}
    for line in output.splitlines():
        if CLOSING.match(line):
            for pattern, outcome in COUNTS:
                sums[outcome] += sum(int(next(filter(None, groups)))
                                     for groups in pattern.findall(line))
    return sums


def environment():
    """Ours without the job server of the make that called: it is not handed on."""
    env = dict(os.environ)
    env["MAKEFLAGS"] = " ".join(word for word in env.get("MAKEFLAGS", "").split()
                                if not re.match(r"-j|--jobserver", word))
    return env


def stop(process):
    """Ends the stage's process group; what it started gets time to clean up."""
    for sign, patience in ((signal.SIGINT, 15), (signal.SIGKILL, 15)):
        os.killpg(process.pid, sign)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    return -1


def run(target):
    """Runs one target; returns (why it failed or None, its output, seconds)."""
    log = LOGS / f"{target}.log"
    began = time.monotonic()
    why = None
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(["make", "--no-print-directory", f"-j{os.cpu_count()}", "-Otarget",
                                    target], stdout=out,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env=environment(), start_new_session=True)
        try:
            while why is None:
                try:
                    if process.wait(TELL) != 0:
                        why = f"exit status {process.returncode}"
                    break
                except subprocess.TimeoutExpired:
                    passed = time.monotonic() - began
                    print(f"{target:14} still running after {passed:.0f} s", flush=True)
                    if passed > SECONDS:
                        why = f"stopped after {SECONDS} s"
                        stop(process)
        except KeyboardInterrupt:
            stop(process)
            raise
    return why, log.read_text(encoding="utf-8", errors="replace"), time.monotonic() - began


def judge(target, why, sums):
    if target in BUILDS:
        return why
    if why is None and sums["failed"]:
        return "failed tests, but exit status 0"
    if why is None and sums["skipped"]:
        return f"{sums['skipped']} tests were not run"
    if why is None and not sums["passed"]:
        return "no test ran"
    return why


def main(targets):
    LOGS.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    rows = []
    for target in targets:
        why, output, seconds = run(target)
        sums = count(output)
        why = judge(target, why, sums)
        if why:
            sums["failed"] = max(sums["failed"], 1)
            print(f"---- make {target}: {why} " + "-" * 40)
            print(output.rstrip())
            print("-" * 78)
        tests = "" if target in BUILDS and not why else \
            f"{sums['passed']:6} passed, {sums['failed']} failed"
        row = f"{target:14}{'FAILED' if why else 'ok':8}{seconds:5.0f} s{tests}"
        print(row, flush=True)
        rows.append(row)
        passed += sums["passed"]
        failed += sums["failed"]
        if why and target == "all":
            break  # nothing below can run
    if failed:
        print("\n" + "\n".join(rows))
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
