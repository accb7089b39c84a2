#!/usr/bin/python3
"""The driver of `make test`: runs make targets, two at a time, prints a line for each and the whole
output of those that failed, and ends with the sum of all test cases. Two, because most stages wait for
something now and then; the first, which builds what the others need, runs alone.

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
from concurrent import futures
from pathlib import Path

AT_ONCE = 2
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


class Stage:
    """One target: why it failed or None, its output, what it took."""

    def __init__(self, target):
        self.target = target
        self.why, self.output = None, ""
        self.seconds = self.processor = 0

    def _ended(self, seconds):
        """Whether the process has ended after so many seconds at most; then what it used is known."""
        deadline = time.monotonic() + seconds
        while True:
            pid, status, used = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                self.processor = used.ru_utime + used.ru_stime
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)

    def _stop(self):
        """Ends the stage's process group; what it started gets time to clean up."""
        for sign in (signal.SIGINT, signal.SIGKILL):
            os.killpg(self.process.pid, sign)
            if self._ended(15):
                return

    def run(self, stopping):
        log = LOGS / f"{self.target}.log"
        began = time.monotonic()
        with open(log, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                ["make", "--no-print-directory", f"-j{os.cpu_count()}", "-Otarget", self.target],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment(),
                start_new_session=True)
            told = began
            while not self._ended(1):
                now = time.monotonic()
                if now - told >= TELL:
                    told = now
                    print(f"{self.target:14} still running after {now - began:.0f} s", flush=True)
                if stopping() or now - began > SECONDS:
                    self.why = "interrupted" if stopping() else f"stopped after {SECONDS} s"
                    self._stop()
                    break
            else:
                if self.process.returncode:
                    self.why = f"exit status {self.process.returncode}"
        self.seconds = time.monotonic() - began
        self.output = log.read_text(encoding="utf-8", errors="replace")
        return self


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


def report(stage, sums):
    """Prints the stage's line, and all it said when it failed; returns the line."""
    why = judge(stage.target, stage.why, sums)
    if why:
        sums["failed"] = max(sums["failed"], 1)
        print(f"---- make {stage.target}: {why} " + "-" * 40)
        print(stage.output.rstrip())
        print("-" * 78)
    row = (f"{stage.target:14}{'FAILED' if why else 'ok':8}{stage.seconds:5.0f} s"
           f"{stage.processor:6.0f} s CPU")
    if stage.target not in BUILDS or why:
        row += f"{sums['passed']:6} passed, {sums['failed']} failed"
    print(row, flush=True)
    return row


def stages(targets):
    """Stages as they end: the first alone, the others if that went well."""
    interrupted = []
    first = Stage(targets[0]).run(lambda: interrupted)
    yield first
    if first.why:
        return
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(Stage(target).run, lambda: interrupted) for target in targets[1:]]
        try:
            for done in futures.as_completed(running):
                yield done.result()
        except BaseException:
            interrupted.append(True)
            pool.shutdown(cancel_futures=True)
            raise


def main(targets):
    LOGS.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    rows = []
    for stage in stages(targets):
        sums = count(stage.output)
        rows.append(report(stage, sums))
        passed += sums["passed"]
        failed += sums["failed"]
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
