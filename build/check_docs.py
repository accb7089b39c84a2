#!/usr/bin/python3
"""Fails when sources, documentation and tests drift apart.

- directives: the command tables <-> docs/directives, with the context that the table allows
- messages: every OSPnnnn in the sources <-> docs/messages, one text per number, quoted on its page
- rules: the registry <-> docs/rules and its index, mod_osproxy/rules, mod_osproxy/audit, tests; a rule
  that acts on requests has a file and a test of its own, every rule has cases in test/audit/corpus
- every page has its sections, every table its cells, every relative link a target
- every recipe of conf.d/recipes has its head, its line in conf.d/README.md and its test
- directives, messages and make targets that a text mentions exist
- the man page lists every directive; the newest version of CHANGES is that of osproxy.h

A missing input is an error, never a skip. `check_docs.py --write` writes the index of the rules, which
is generated from the registry. Each finding is a line: file:line: what is wrong.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "mod_osproxy"
DOCS = SOURCE / "docs"

SECTIONS = {
    "messages": ("Cause", "Outcome", "What to do"),
    "rules": ("Requirement", "What the audit checks", "A configuration that fails", "The fix",
              "Turning it off"),
    "run": ("What the module does", "How to see it"),  # of rules that act on requests
}
CORPUS = ROOT / "test/audit/corpus"
INDEX = DOCS / "rules/README.md"
DIRECTIVE_ROWS = ("Syntax", "Default", "Context", "Rule")
LEAST_QUOTE = 20  # characters: a page may leave out a message's end, not its point


class Report:
    """Findings, by the subject that main() has in hand."""

    def __init__(self):
        self.findings = []
        self.failed = set()
        self.subjects = []

    def begin(self, subject):
        self.subjects.append(subject)

    def check(self, good, path, line, text):
        if not good:
            self.findings.append(f"{path.relative_to(ROOT)}:{line}: {text}")
            self.failed.add(self.subjects[-1])
        return good


def read(path):
    if not path.is_file():
        sys.exit(f"{path.relative_to(ROOT)}:1: is missing")
    return path.read_text(encoding="utf-8")


def files(folder, pattern):
    found = sorted(folder.glob(pattern))
    if not found:
        sys.exit(f"{folder.relative_to(ROOT)}:1: no {pattern} here: is missing")
    return found


def line_of(text, position):
    return text.count("\n", 0, position) + 1


# ---- what the sources say ----------------------------------------------------------------------

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\s+|\w+|.', re.S)


def literals(text):
    """(line, value) of the string literals of C source, adjacent ones joined. A macro between two,
    such as APR_SIZE_T_FMT, counts as a placeholder."""
    value, line = None, 0
    position = 0
    for match in TOKEN.finditer(text):
        token = match.group()
        if token[0] == '"':
            if value is None:
                value, line = "", line_of(text, position)
            value += token[1:-1].replace('\\"', '"')
        elif value is not None and re.fullmatch(r"[A-Z][A-Z0-9_]+", token):
            value += "…"
        elif value is not None and not token.isspace() and not token.startswith(("/*", "//")):
            yield line, value
            value = None
        position = match.end()


def placeholders(text):
    """A format string as a reader sees it: … for what is filled in."""
    text = re.sub(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]…?", "…", text)
    return re.sub(r"%*…+", "…", re.sub(r"\s+", " ", text)).strip()


def quotes(quote, full):
    """True when quote is the beginning of the message full; … in full stands for anything."""
    return any(re.fullmatch(re.escape(full[:end]).replace("…", ".+?"), quote)
               for end in range(1, len(full) + 1))


class Directive:
    def __init__(self, path, line, sections):
        self.path, self.line, self.sections = path, line, sections


def directives():
    found = {}
    for path in files(SOURCE, "**/*.c"):
        text = read(path)
        for match in re.finditer(r'AP_INIT_\w+\(\s*"(\w+)"\s*,[^,]+,[^,]+,([^,]+),', text):
            found[match[1]] = Directive(path, line_of(text, match.start()),
                                        bool(re.search(r"ACCESS_CONF|OR_", match[2])))
        # What other directives accept: Require osproxy-…, SetHandler osproxy-…
        for match in re.finditer(r'(ap_register_auth_provider|handler)\b[^;]*?"(osproxy-[\w-]+)"', text):
            name = f"Require-{match[2]}" if match[1].startswith("ap_") else match[2]
            found[name] = Directive(path, line_of(text, match.start()), True)
    if not found:
        sys.exit("mod_osproxy:1: no AP_INIT_…(\"OSProxy…\") in any C file: is missing")
    return found


def status_lines():
    """The names that mod_status's section has in ?auto: they look like directives."""
    return set(re.findall(r"\bOSProxy[A-Z]\w*", " ".join(
        value.replace("\\n", " ") for _, value in literals(read(SOURCE / "status/status.c")))))


def messages(report):
    """number -> (path, line, text) from the sources."""
    found = {}
    for path in files(SOURCE, "**/*.c"):
        for line, value in literals(read(path)):
            match = re.match(r"(OSP\d{4}): (.*)", value, re.S)
            if not match:
                report.check(not re.search(r"OSP\d{4}", value), path, line,
                             f"a message begins with its number and a colon: {value[:40]!r}")
                continue
            number, text = match[1], placeholders(match[2])
            other = found.setdefault(number, (path, line, text))
            report.check(other[2] == text, path, line,
                         f"{number} has another text in {other[0].relative_to(ROOT)}:{other[1]}; "
                         "take a new number")
    if not found:
        sys.exit("mod_osproxy:1: no OSPnnnn message in any C file: is missing")
    return found


class Rule:
    def __init__(self, line, name, row):
        self.line = line
        self.name = name
        self.word = name.replace("-", "_")
        self.audit_only = False
        self.title, self.requirement = (
            "".join(re.findall(r'"([^"]*)"', re.search(rf'\.{field} = ((?:"[^"]*"\s*)+),', row)[1]))
            for field in ("title", "requirement"))


def rules():
    """name -> Rule, from the registry."""
    text = read(SOURCE / "rule.c")
    enum = read(SOURCE / "rule.h")
    border = enum.find("OSP_RULE_RUN_COUNT,")
    found = {}
    for match in re.finditer(r'^    \[(OSP_RULE_\w+)\] = \{\n(.*?\.name = "([\w-]+)".*?)\n    \}',
                             text, re.S | re.M):
        rule = Rule(line_of(text, match.start(2)), match[3], match[2])
        place = re.search(rf"\b{match[1]}\b", enum)
        rule.audit_only = not place or place.start() > border
        found[rule.name] = rule
    if not found or border < 0:
        sys.exit("mod_osproxy/rule.c:1: no row with .name: the registry is missing")
    return found


# ---- the checks --------------------------------------------------------------------------------

def pages(kind):
    return {path.stem: path for path in files(DOCS / kind, "*.md") if path.stem != "README"}


def both_ways(report, kind, wanted):
    """Each of wanted (name -> (path, line)) has a page, and each page is wanted."""
    found = pages(kind)
    for name, (path, line) in sorted(wanted.items()):
        report.check(name in found, path, line, f"{name} has no mod_osproxy/docs/{kind}/{name}.md")
    for name, path in found.items():
        if report.check(name in wanted, path, 1, f"no source knows {name}: remove the page, or is it "
                        "misspelt?"):
            yield name, path, read(path)


def check_sections(report, path, text, names):
    for name in names:
        match = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.S | re.M)
        report.check(match and match[1].strip(), path, 1, f"section '## {name}' is missing or empty")


def check_directives(report, table):
    wanted = {name: (d.path, d.line) for name, d in table.items()}
    for name, path, text in both_ways(report, "directives", wanted):
        rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", text, re.M))
        report.check(text.startswith("# ") and name.split("-")[0] in text.split("\n")[0], path, 1,
                     f"the title does not name {name}")
        for row in DIRECTIVE_ROWS:
            report.check(row in rows, path, 1, f"the row '| {row} | … |' is missing")
        sections = table[name].sections
        report.check(("directory" in rows.get("Context", "")) == sections, path, 1,
                     f"Context must {'' if sections else 'not '}name 'directory': "
                     f"{table[name].path.relative_to(ROOT)}:{table[name].line} "
                     f"{'allows' if sections else 'forbids'} sections")


def check_messages(report, table, rule_names):
    blocks = {}
    for number, (path, line, text) in sorted(table.items()):
        tag = re.match(r"\[([\w-]+)\] ", text)
        tag = tag[1] if tag else None
        block = blocks.setdefault(number[:5], tag)
        report.check(tag == block, path, line, f"{number}: the messages {number[:5]}xx begin with "
                     f"{'[' + block + ']' if block else 'no [rule]'}")
        report.check(tag is None or tag in rule_names, path, line, f"{number}: no rule is called {tag}")
        if path.parent.name == "rules":
            word = path.stem.replace("_", "-")
            report.check(tag == word, path, line, f"{number}: a message of this file begins with [{word}]")
    wanted = {number: row[:2] for number, row in table.items()}
    for number, path, text in both_ways(report, "messages", wanted):
        match = re.match(rf"# {number}\n+((?:> .*\n)+)", text)
        if report.check(match, path, 1, f"the page must begin with '# {number}' and the quoted message"):
            quote = placeholders(re.sub(r"^> ", "", match[1], flags=re.M))
            full = table[number][2]
            where = f"{table[number][0].relative_to(ROOT)}:{table[number][1]}"
            report.check(quotes(quote, full) and len(quote) >= min(LEAST_QUOTE, len(full)), path, 3,
                         f"quotes '{quote}', but {where} says '{full}'")
        check_sections(report, path, text, SECTIONS["messages"])


def corpus_rules():
    """The rules that a case of the corpus expects a finding of."""
    text = "\n".join(read(path) for path in files(CORPUS, "**/*.conf"))
    return set(re.findall(r"^\s*#\s*expect(?:-server)?:\s*\w+\s+([\w-]+)", text, re.M))


def index_text(rows):
    lines = ["# The rules", "",
             "Generated by `build/check_docs.py --write` from the registry, `mod_osproxy/rule.c`.", "",
             "| rule | what holds | requirement | acts on requests |", "|---|---|---|---|"]
    for rule in rows.values():
        lines.append(f"| [{rule.name}]({rule.name}.md) | {rule.title} | {rule.requirement} | "
                     f"{'no: the audit checks it' if rule.audit_only else 'yes'} |")
    return "\n".join(lines) + "\n"


def check_rules(report, rows):
    registry = SOURCE / "rule.c"
    expected = corpus_rules()
    for name, rule in rows.items():
        wanted = [f"mod_osproxy/audit/check_{rule.word}.c"]
        if not rule.audit_only:
            wanted += [f"mod_osproxy/rules/{rule.word}.c", f"test/http/test_{rule.word}.py"]
        for path in wanted:
            report.check((ROOT / path).is_file(), registry, rule.line, f"rule {name} has no {path}")
        report.check(name in expected, registry, rule.line,
                     f"no case of test/audit/corpus expects a finding of rule {name}")
    for folder, prefix in (("rules", ""), ("audit", "check_")):
        for path in files(SOURCE / folder, f"{prefix}*.c"):
            word = path.stem.removeprefix(prefix).replace("_", "-")
            report.check(word in rows or path.stem == "check", path, 1, "the registry has no such rule")
    wanted = {name: (registry, rule.line) for name, rule in rows.items()}
    for name, path, text in both_ways(report, "rules", wanted):
        report.check(text.startswith(f"# {name}\n"), path, 1, f"the page must begin with '# {name}'")
        check_sections(report, path, text, SECTIONS["rules"])
        if not rows[name].audit_only:
            check_sections(report, path, text, SECTIONS["run"])
        report.check("\n## Requirement\n\n> " in text, path, 1, "the requirement is not quoted (> …)")
    report.check(read(INDEX) == index_text(rows), INDEX, 1,
                 "is not what the registry says; build/check_docs.py --write")


def prose(text):
    """text with fenced code blanked, so that line numbers stay."""
    return re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), text, flags=re.S | re.M)


def code(text):
    """(position, code) of fenced blocks and code spans."""
    for match in re.finditer(r"^```\w*\n(.*?)^```|`([^`\n]+)`", text, re.S | re.M):
        yield match.start(), match[1] or match[2]


def anchors(text):
    """The names that headings get."""
    for heading in re.findall(r"^#+ (.*)$", prose(text), re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def check_links(report, path, text):
    for match in re.finditer(r"\]\(([^)\s]+)\)", prose(text)):
        target, _, anchor = match[1].partition("#")
        if re.match(r"[a-z]+:", match[1]):
            continue
        line = line_of(prose(text), match.start())
        there = (path.parent / target) if target else path
        if report.check(there.exists(), path, line, f"the link {match[1]} leads nowhere") and anchor:
            report.check(anchor in anchors(read(there)), path, line,
                         f"the link {match[1]} names no heading of {there.name}")


def check_tables(report, path, text):
    cells = None
    for line, row in enumerate(prose(text).split("\n"), 1):
        if not row.startswith("|"):
            cells = None
            continue
        count = len(re.findall(r"(?<!\\)\|", row)) - 1
        cells = cells or count
        report.check(count == cells, path, line,
                     f"{count} cells in a table of {cells}; a | inside a cell is written \\|")


def check_mentions(report, path, text, known):
    """Directives, messages and make targets that the text names exist."""
    for kind, pattern in (("directive", r"\bOSProxy[A-Z]\w*"), ("message", r"\bOSP\d{4}\b")):
        for match in re.finditer(pattern, text):
            report.check(match[0] in known[kind], path, line_of(text, match.start()),
                         f"there is no {kind} {match[0]}")
    for position, words in code(text):
        for match in re.finditer(r"(?:^|[\s;&])make((?: +[A-Z_]+=\S+)*) +([a-z][a-z_-]*)", words, re.M):
            report.check(match[2] in known["target"], path, line_of(text, position),
                         f"there is no 'make {match[2]}'")


def make_targets():
    makefile = read(ROOT / "Makefile")
    return {target for line in re.findall(r"^([a-z][a-z_ -]*):(?!=)", makefile, re.M)
            for target in line.split()}


def check_recipes(report):
    """Every recipe stands in conf.d/README.md, says its scenario and its modules, and has a test."""
    index = read(ROOT / "conf.d/README.md")
    for path in files(ROOT, "conf.d/recipes/*.conf"):
        head = read(path)
        report.check(index.count(f"(recipes/{path.name})") == 1, path, 1, "is not in conf.d/README.md, or twice")
        report.check(head.startswith(f"# {path.name}: "), path, 1, f"must begin '# {path.name}: …'")
        for word in ("Scenario", "Modules"):
            report.check(f"\n# {word}: " in head, path, 1, f"has no line '# {word}: …'")
        test = f"test_{path.stem.replace('-', '_')}.py"
        report.check((ROOT / "test/recipes" / test).is_file(), path, 1, f"has no test/recipes/{test}")


def check_man(report, table):
    """mod_osproxy(8) has an entry for each directive, and only those of its name."""
    path = ROOT / "build/man/mod_osproxy.8"
    text = read(path)
    for name in table:
        entry = name if name.startswith("OSProxy") else \
            f"Require {name[8:]}" if name.startswith("Require-") else f"SetHandler {name}"
        report.check(re.search(rf"^\.It Cm {re.escape(entry)}\b", text, re.M), path, 1,
                     f"no entry '.It Cm {entry}'")


def check_version(report):
    """What is packed is the version that was written about last."""
    path = ROOT / "CHANGES"
    versions = re.findall(r"^(\d[\d.]*) \(\d{4}-\d\d-\d\d\)$", read(path), re.M)
    module = re.search(r'^#define OSP_VERSION "(.+)"', read(SOURCE / "osproxy.h"), re.M)
    if report.check(versions and module, path, 1, "no '<version> (<day>)', or osproxy.h has no OSP_VERSION"):
        report.check(versions[0] == module[1], path, 1,
                     f"begins with {versions[0]}, but mod_osproxy/osproxy.h says {module[1]}")


def texts():
    """Every text for administrators: markdown, configuration, man pages, what packages say."""
    for pattern in ("**/*.md", "conf.d/**/*.conf", "CHANGES", "build/man/*.8", "build/debian/*osproxy*"):
        for path in files(ROOT, pattern):
            parts = path.relative_to(ROOT).parts
            if not parts[0].startswith(".") and parts[:2] != ("build", "out"):
                yield path


def main():
    report = Report()
    if sys.argv[1:] == ["--write"]:
        INDEX.write_text(index_text(rules()), encoding="utf-8")
    report.begin("messages")
    numbers = messages(report)
    table = directives()
    rows = rules()
    known = {"directive": {*table, *status_lines()}, "message": numbers, "target": make_targets()}
    check_messages(report, numbers, rows)
    report.begin("directives")
    check_directives(report, table)
    report.begin("rules")
    check_rules(report, rows)
    written = [(path, read(path)) for path in texts()]
    report.begin("recipes")
    check_recipes(report)
    report.begin("man page")
    check_man(report, table)
    report.begin("version")
    check_version(report)
    report.begin("mentions")
    for name in ("run", "test"):
        report.check(f"make {name}" in read(ROOT / "README.md"), ROOT / "README.md", 1,
                     f"'make {name}' is not mentioned")
    for path, text in written:
        check_mentions(report, path, text, known)
    for subject, check in (("links", check_links), ("tables", check_tables)):
        report.begin(subject)
        for path, text in written:
            if path.suffix == ".md":
                check(report, path, text)
    print("\n".join(report.findings) if report.findings else
          f"{len(table)} directives, {len(numbers)} messages, {len(rows)} rules agree with their pages")
    print(f"docs: {len(report.subjects) - len(report.failed)} passed, {len(report.failed)} failed")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
