"""Every case of the corpus gives exactly the findings that it is marked with, and their fixes fix."""
import functools
import re
from collections import Counter

import pytest

from configtest import edits
from configtest.case import RULES, SEVERITIES, cases, logical_lines
from configtest.server import Server

LEAST_CASES = 60
LEAST_CORRECT = 20


def place(finding, server):
    """(severity, rule, file, line), the line being the first of its directive."""
    file, line = finding["file"], finding["line"]
    if not file or file == str(server.dir / "main.conf"):
        return finding["severity"], finding["rule"], None, None
    with open(file, encoding="utf-8") as opened:
        starts = logical_lines(opened.read())
    return finding["severity"], finding["rule"], file, starts[line]


def told(findings):
    return "\n".join(f"{f['file']}:{f['line']}: {f['severity']}: [{f['rule']}] {f['text']}"
                     for f in findings)


def told_places(places):
    return [f"{severity} {rule} {file or 'server'}:{line or ''}"
            for severity, rule, file, line in sorted(places, key=str)]


@functools.lru_cache(None)
def audited(case, certificates):
    """What is found in a case: findings, their places, the places that are marked."""
    with Server(certificates, case.options) as server:
        server.write(case.copy(server.dir))
        findings = server.json()["findings"]
        return (findings, Counter(place(finding, server) for finding in findings),
                case.expected(server.dir))


def test_the_findings_are_those_marked(case, certificates):
    findings, got, wanted = audited(case, certificates)
    missed, invented = wanted - got, got - wanted
    assert not missed and not invented, "\n".join(
        ["missed:", *told_places(missed), "invented:", *told_places(invented), told(findings)])


def test_every_error_and_warning_has_a_fix(case, certificates):
    for finding in audited(case, certificates)[0]:
        assert finding["severity"] == "note" or finding["fix"]["text"].strip(), told([finding])


def fingerprint(findings):
    """What is found, wherever it has moved to."""
    return Counter((f["severity"], f["rule"], re.sub(r"\d+", "N", f["text"])) for f in findings)


def rules_of(findings):
    return Counter((f["severity"], f["rule"]) for f in findings)


def test_each_fix_ends_its_finding_and_makes_no_other(case, certificates):
    with Server(certificates, case.options) as server:
        server.write(case.copy(server.dir))
        before = server.json()["findings"]
        for finding in before:
            if not finding["fix"]["edits"]:
                continue
            edits.apply(finding["fix"]["edits"])
            result = server.test("-D", "DUMP_OSPROXY_JSON")
            assert result.code in (0, 1) and result.out, \
                f"{finding['fix']['text']}\nleads to\n{result.err}"
            after = result.audit["findings"]
            gone = rules_of(before) - rules_of(after)
            assert gone[finding["severity"], finding["rule"]] > 0, \
                f"is still there:\n{told([finding])}\n{finding['fix']['text']}\n{told(after)}"
            new = rules_of(after) - rules_of(before)
            assert not new, \
                f"the fix of\n{told([finding])}\n{finding['fix']['text']}\nmakes\n{told(after)}"
            server.write(case.copy(server.dir)) # as it was


def test_fix_after_fix_leaves_nothing_that_can_be_edited(case, certificates):
    """Whoever pastes one fix after the other comes to an end."""
    with Server(certificates, case.options) as server:
        server.write(case.copy(server.dir))
        for _ in range(40):
            findings = [f for f in server.json()["findings"] if f["fix"]["edits"]]
            if not findings:
                return
            edits.apply(findings[0]["fix"]["edits"])
        pytest.fail("still not done:\n" + told(findings))


# ---- the corpus itself

def marks():
    return [(case, *key[:2]) for case in cases() for key in case.expected(case.path.parent)
            if key[2] in (None, str(case.path))]


def test_the_corpus_is_large_enough():
    every = cases()
    assert len(every) >= LEAST_CASES
    correct = [case for case in every if case.path.parent.name == "correct"]
    assert len(correct) >= LEAST_CORRECT


def test_correct_configurations_have_notes_at_most():
    assert not [case.name for case, severity, _ in marks()
                if case.path.parent.name == "correct" and severity != "note"]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_case_that_fails(rule):
    assert [case for case, _, known in marks() if known == rule]


def test_every_severity_occurs():
    assert {severity for _, severity, _ in marks()} == set(SEVERITIES)


def test_the_rules_are_those_of_the_audit(certificates):
    """A rule that nobody here knows has no case."""
    with Server(certificates) as server:
        server.write_text("OSProxyEngine On\nProxyPass /MyApp http://10.0.0.11/MyApp\n")
        assert set(server.json()["vhosts"][0]["rules"]) == set(RULES)
