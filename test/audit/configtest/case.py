"""A file of the corpus: the configuration, the server around it, the findings that it must give.

    # server: mpm=prefork bare              what stands around it, see server.py
    # expect-server: warning capacity       a finding that belongs to no line of these files
    # expect: error default-ports           a finding about the directive below
    <VirtualHost *:8443>

Files that a case includes lie in a folder of its name beside it, `${HERE}`.
"""
import functools
import re
import shutil
from collections import Counter
from pathlib import Path

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
RULES = """preserve-host referenced-content default-ports negotiate domain-https path-unchanged
    no-cache keep-alive forwarded-proto pinned-auth capacity backend-tls proxy-timeout backend-ttl
    consoles stickiness trusted-proxy httponly-cookies security-headers methods error-override
    via""".split()
SEVERITIES = ("error", "warning", "note")
MARK = re.compile(r"\s*#\s*expect(-server)?:(.*)")
SERVER = re.compile(r"#\s*server:(.*)")


class BadCase(Exception):
    """The case itself is wrong."""


def logical_lines(text):
    """Number of the first physical line of what each physical line belongs to: index by number."""
    first, starts, goes_on = 0, [0], False
    for number, line in enumerate(text.splitlines(), 1):
        first = first if goes_on else number
        starts.append(first)
        goes_on = line.endswith("\\")
    return starts


def marks(text, path):
    """[(severity, rule, line or None)] of the marks in a file."""
    found, waiting, starts = [], [], logical_lines(text)
    for number, line in enumerate(text.splitlines(), 1):
        match = MARK.fullmatch(line)
        if match:
            words = match[2].split()
            if len(words) != 2 or words[0] not in SEVERITIES or words[1] not in RULES:
                raise BadCase(f"{path}:{number}: {line.strip()}")
            if match[1]:
                found.append((*words, None))
            else:
                waiting.append(words)
        elif waiting and line.strip() and not line.lstrip().startswith("#"):
            found += [(*words, starts[number]) for words in waiting]
            waiting = []
    if waiting:
        raise BadCase(f"{path}: a mark without a directive below it")
    return found


class Case:
    def __init__(self, path):
        self.path = path
        self.name = f"{path.parent.name}/{path.stem}"
        self.text = path.read_text(encoding="utf-8")
        self.options = set()
        for line in self.text.splitlines():
            match = SERVER.fullmatch(line.strip())
            if match:
                self.options |= set(match[1].split())

    def copy(self, into):
        """The case in that folder, as it was if it is there; returns the copy of its file."""
        file = into / self.path.name
        shutil.copy(self.path, file)
        if (self.path.parent / self.path.stem).is_dir():
            shutil.copytree(self.path.parent / self.path.stem, into / self.path.stem,
                            dirs_exist_ok=True)
        return file

    def expected(self, into):
        """Counter of (severity, rule, file, line) for a copy in that folder."""
        wanted = Counter()
        for file in sorted(into.rglob("*.conf")):
            for severity, rule, line in marks(file.read_text(encoding="utf-8"), file):
                wanted[severity, rule, str(file) if line else None, line] += 1
        return wanted


@functools.lru_cache(None)
def cases():
    """Every case; there must be some."""
    found = [Case(path) for path in sorted(CORPUS.glob("*/*.conf"))]
    if not found:
        raise BadCase(f"{CORPUS} holds no configuration")
    return found
