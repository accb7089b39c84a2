"""What people see: lines as compilers write them, the table, colours, the exit status."""
import os
import pty
import json
import re
import subprocess

import pytest

from configtest.case import RULES
from configtest.server import Server, audit_text

SITE = """OSProxyEngine On
<VirtualHost *:443>
ServerName apps.example.com
SSLEngine on
SSLCertificateFile ${{CERTS}}/good.crt
SSLCertificateKeyFile ${{CERTS}}/good.key
{}
ProxyPass /MyApp http://10.0.0.11/MyApp ttl=60
</VirtualHost>
"""
ERROR = SITE.format("ProxyErrorOverride On")
WARNING = SITE.format("Header unset WWW-Authenticate")
NOTE = SITE.format("ProxyVia On")
FINE = SITE.format("")
FINDING = re.compile(r"^(\S+):(\d+): (error|warning|note): \[([a-z-]+)\](?: (.+))?$")
SUMMARY = re.compile(r"^osproxy: (\d+) virtual hosts?: (\d+) errors?, (\d+) warnings?, "
                     r"(\d+) enforced$")
ESCAPE = "\x1b["


@pytest.fixture
def server(certificates):
    with Server(certificates) as it:
        yield it


def text_of(server, conf, *args, **options):
    server.write_text(conf)
    return server.test(*args, **options)


@pytest.mark.parametrize("conf, code", [(ERROR, 1), (WARNING, 0), (NOTE, 0), (FINE, 0)],
                         ids=["error", "warning", "note", "fine"])
@pytest.mark.parametrize("dump", [None, "DUMP_OSPROXY", "DUMP_OSPROXY_JSON"])
def test_only_an_error_makes_configtest_fail(server, conf, code, dump):
    result = text_of(server, conf, *(("-D", dump) if dump else ()))
    assert result.code == code
    assert ("Syntax OK" in result.err) == (code == 0)


def test_a_finding_names_file_line_severity_rule_and_fix(server):
    lines = text_of(server, ERROR).err.splitlines()
    match = FINDING.match(lines[0])
    assert match and match.group(1, 2, 3, 4) == (
        str(server.dir / "site.conf"), "7", "error", "error-override"), lines
    assert "    fix: ProxyErrorOverride Off" in lines
    summary = json.loads(text_of(server, ERROR, "-D", "DUMP_OSPROXY_JSON").out)["summary"]
    assert summary["enforced"] > 0
    assert [line for line in lines if SUMMARY.match(line)] == [
        f"osproxy: 1 virtual host: 1 error, 0 warnings, {summary['enforced']} enforced"]


@pytest.mark.parametrize("conf, words", [
    (ERROR, ("1 virtual host:", "1 error,", "0 warnings,")),
    (WARNING, ("1 virtual host:", "0 errors,", "1 warning,")),
    (ERROR + WARNING.partition("\n")[2].replace("apps.", "www."),
     ("2 virtual hosts:", "1 error,", "1 warning,")),
    (ERROR + ERROR.partition("\n")[2].replace("apps.", "www."), ("2 virtual hosts:", "2 errors,")),
])
def test_the_summary_counts(server, conf, words):
    lines = [line for line in text_of(server, conf).err.splitlines() if SUMMARY.match(line)]
    assert len(lines) == 1
    for word in words:
        assert word in lines[0]


def test_nothing_is_said_without_the_engine(server):
    result = text_of(server, ERROR.replace("OSProxyEngine On\n", ""))
    assert result.code == 0 and result.err.strip() == "Syntax OK" and not result.out


def test_every_line_fits_80_columns(server):
    conf = SITE.format("\n".join((
        "ProxyErrorOverride On", "ProxyVia On", "ProxyTimeout 10", "KeepAliveTimeout 2",
        "Header edit Set-Cookie ^(.*)$ $1;HttpOnly", "Header always set Strict-Transport-Security x",
        "AllowMethods GET POST", "OSProxyModule Missing mobile", "OSProxyDomain x.example.net")))
    conf = conf.replace("AllowMethods GET POST", "<Location />\nAllowMethods GET\n</Location>")
    text = text_of(server, conf).err
    # a path is as long as it is, and what is pasted must not be broken
    short = text.replace(str(server.dir), "/etc/httpd").splitlines()
    assert len(short) > 15
    fix = False
    for line in short:
        fix = line.startswith("    fix: ") or (fix and line.startswith("         "))
        assert fix or len(line) <= 80, line


def test_a_long_path_leaves_the_sentence_a_line_of_its_own(certificates):
    with Server(certificates) as server:
        folder = server.dir / ("a-folder-with-a-name-that-is-long-" * 4)
        folder.mkdir()
        (folder / "site.conf").write_text(ERROR)
        server.write(folder / "site.conf")
        text = server.test().err
    first, second = text.splitlines()[:2]
    assert first.endswith("[error-override]") and second.startswith("    ") and len(second) <= 80


def test_text_of_a_configuration_cannot_steer_a_terminal(server):
    result = text_of(server, SITE.format("ProxyVia On\nOSProxyRule stickiness off \"\x1b[31mx\"\n"
                                         "ServerAlias \x1b[2J.example.com\nProxyErrorOverride On"),
                     "-D", "DUMP_OSPROXY")
    assert "\x1b" not in result.out + result.err


# ---- colours

def on_terminal(server, env, *args):
    """What httpd -t writes when standard output and error are a terminal."""
    main, other = pty.openpty()
    process = subprocess.Popen(server.command("-t", *args), stdin=subprocess.DEVNULL, stdout=other,
                               stderr=other, env={**server.certificates.environment,
                                                  "TERM": "xterm", **env})
    os.close(other)
    data = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:     # Linux: the other end has gone
            break
        if not piece:
            break
        data += piece
    os.close(main)
    assert process.wait(20) in (0, 1)
    return data.decode()


@pytest.mark.parametrize("dump", [(), ("-D", "DUMP_OSPROXY")], ids=["text", "table"])
def test_colours_on_a_terminal_only(server, dump):
    plain = text_of(server, ERROR, *dump)
    assert ESCAPE not in plain.out + plain.err
    assert ESCAPE in on_terminal(server, {}, *dump)
    assert ESCAPE not in on_terminal(server, {"NO_COLOR": "1"}, *dump)
    assert ESCAPE not in on_terminal(server, {"TERM": "dumb"}, *dump)
    assert ESCAPE in on_terminal(server, {"NO_COLOR": ""}, *dump)


def test_colours_change_no_word(server):
    plain = text_of(server, ERROR).err
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(server, {})).replace("\r\n", "\n")
    assert coloured == plain


def test_json_has_no_colours(server):
    server.write_text(ERROR)
    assert ESCAPE not in on_terminal(server, {}, "-D", "DUMP_OSPROXY_JSON")


# ---- the table, and what is off

def test_the_table_has_every_rule_of_every_virtual_host(server):
    conf = ERROR + FINE.partition("\n")[2].replace("apps.", "www.")
    lines = text_of(server, conf, "-D", "DUMP_OSPROXY").out.splitlines()
    for name in ("apps", "www"):
        assert [line for line in lines if line.startswith(f"{name}.example.com:443")]
    for rule in RULES:
        rows = [line.split() for line in lines if line.split()[:1] == [rule]]
        assert len(rows) == 2, rule
        assert {row[1] for row in rows} <= {"met", "enforced", "violated", "off"}
    row, = [line for line in lines if "error-override" in line and "violated" in line]
    assert f"{server.dir}/site.conf:7" in row
    assert SUMMARY.match(lines[-1])


def test_a_rule_that_is_off_is_listed_with_its_reason(server):
    conf = SITE.format('ProxyVia On\nOSProxyRule via off "no Windows authentication here"')
    result = text_of(server, conf, "-D", "DUMP_OSPROXY")
    row, = [line for line in result.out.splitlines() if line.split()[:1] == ["via"]]
    assert row.split()[1] == "off" and '"no Windows authentication here"' in row
    assert f"{server.dir}/site.conf:8" in row
    verdict = server.json()["vhosts"][0]["rules"]["via"]
    assert verdict == {"state": "off", "reason": "no Windows authentication here",
                       "where": {"file": str(server.dir / "site.conf"), "line": 8}}
    assert not [f for f in server.json()["findings"] if f["rule"] == "via"]


# ---- JSON

def test_the_json_is_of_schema_1(certificates):
    audit = audit_text(certificates, ERROR)
    assert set(audit) >= {"osproxy", "schema", "vhosts", "findings", "summary"}
    assert audit["schema"] == 1
    host, = audit["vhosts"]
    assert host["name"] == "apps.example.com" and host["line"] == 2
    assert set(host["rules"]) == set(RULES)
    finding, = audit["findings"]
    assert finding["line"] == 7 and finding["severity"] == "error"
    edit, = finding["fix"]["edits"]
    assert (edit["action"], edit["line"], edit["text"]) == ("replace", 7, "ProxyErrorOverride Off")
    assert audit["summary"] == {"vhosts": 1, "errors": 1, "warnings": 0, "notes": 0, "enforced":
                                sum(r["state"] == "enforced" for r in host["rules"].values())}


def test_json_survives_any_byte(server):
    file = server.dir / "site.conf"
    conf = SITE.format('OSProxyRule via off "\u00fc \u2028 REPLACE"\nProxyVia On')
    file.write_bytes(conf.encode().replace(b"REPLACE", b"\xff\xfe\x01 \\\\ \\\""))
    server.write(file)
    assert server.json()["vhosts"][0]["rules"]["via"]["state"] == "off"


# ---- files that the user may not read

def test_a_key_that_may_not_be_read_is_a_note_not_an_error(certificates):
    """configtest as an ordinary user: nothing is known of the key, and that is said."""
    with Server(certificates) as server:
        key = server.dir / "secret.key"
        key.write_bytes((certificates.path / "good.key").read_bytes())
        key.chmod(0o600)
        server.write_text(FINE.replace("${CERTS}/good.key", str(key)))
        result = server.test("-D", "DUMP_OSPROXY_JSON", user="nobody", group=65534)
        assert not result.died
        if result.out:      # httpd may refuse to go on without its log or its key
            assert {f["severity"] for f in result.audit["findings"]} <= {"note", "warning"}
        else:
            assert result.code != 0 and result.err
