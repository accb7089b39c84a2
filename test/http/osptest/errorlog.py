"""httpd's error log as part of every test.

A line at warn or above, or a sign of a child that died, fails the test unless it was announced;
what was announced with expect() and never came fails it too.
"""
import re

LEVEL = re.compile(rb"^\[[^\]]*\] \[[\w-]*:(emerg|alert|crit|error|warn)\]")
DEATH = re.compile(rb"AH0005[0-2]\b|exit signal|double free|corrupted|Segmentation fault"
                   rb"|AddressSanitizer|runtime error:|Assertion .* failed|assertion \"")
# What the audit finds in the configuration of a test has tests of its own.
AUDIT = re.compile(rb"OSP100[1-4]: ")
# About the machine, not the server: httpd was built with another patch level of OpenSSL.
MACHINE = re.compile(rb"AH01882")
# At SIGTERM a prefork child destroys its pools from inside the signal handler (just_die), whatever it
# is doing: busy children of plain httpd 2.4 die of it as well. Only a test that stops busy prefork
# children on purpose says so.
CUT_OFF = re.compile(rb"exit signal (Abort|Segmentation fault)|corrupted|^(double )?free\(\)|"
                     rb"^malloc\(\)")
# An httpd that is being stopped does not wait for connections that are still open.
STOPPING = re.compile(rb"AH00045|AH00046|AH0309[23]")


class ErrorLog:
    def __init__(self, *paths):
        self.paths = paths
        self.offsets = {}
        self.cut_off = False        # children are stopped at what httpd does not survive
        self.forget()

    def forget(self):
        """A new test: nothing is announced."""
        self.expected = []
        self.allowed = []

    def expect(self, pattern):
        """Lines matching this (a regular expression) must come."""
        self.expected.append(re.compile(pattern.encode()))

    def allow(self, pattern):
        """Lines matching this may come."""
        self.allowed.append(re.compile(pattern.encode()))

    def recent(self, move=False):
        """Lines since the last check."""
        lines = []
        for path in self.paths:
            if path.exists():
                data = path.read_bytes()
                start = self.offsets.get(path, 0)
                end = data.rfind(b"\n") + 1
                lines += data[start:end].splitlines()
                if move:
                    self.offsets[path] = max(start, end)
        return lines

    def check(self, stopping=False):
        """Problems since the last check with what was logged; empty when all is well."""
        log = self.text()
        lines = self.recent(move=True)
        problems = []
        for pattern in self.expected:
            if not any(pattern.search(line) for line in lines):
                problems.append(f"expected in the error log, but it did not come: "
                                f"{pattern.pattern.decode()}")
        for line in lines:
            bad = DEATH.search(line) and not (self.cut_off and CUT_OFF.search(line))
            if not bad and LEVEL.search(line):
                known = self.expected + self.allowed + [MACHINE, AUDIT] + [STOPPING] * stopping
                bad = not any(pattern.search(line) for pattern in known)
            if bad:
                problems.append("unexpected in the error log: " + line.decode("latin-1"))
        self.forget()
        return "\n".join(problems + [log]) if problems else ""

    def text(self, most=40):
        """What was logged since the last check, the end of it."""
        lines = [line.decode("latin-1") for line in self.recent()]
        skipped = [f"({len(lines) - most} lines before)"] if len(lines) > most else []
        return "\n".join(["---- error log:", *skipped, *lines[-most:]])
