"""The audit around a real httpd: configtest, start, reload, the dumps, `make audit`. What it finds is
tested by test/audit."""
import json
import os
import pty
import subprocess

import pytest

from osptest import Httpd, both
from osptest.place import TOP, httpd_program, module_path, shared_module

BROKEN = "ProxyErrorOverride On\n"
NEEDED = ["mpm_event", "authn_core", "authz_core", "proxy", "proxy_http"]


@pytest.fixture(scope="module")
def tested():
    """Configtest does not depend on the MPM, and needs no running server."""
    server = Httpd()
    yield server
    server.cleanup()


def site(server, body):
    return both(server.address, f"ProxyPass / http://10.0.0.1/\n{body}")


def run(server, *args, **options):
    """httpd -t with both outputs apart."""
    path = server.dir / "configtest.conf"
    return subprocess.run([httpd_program(), "-d", str(server.dir), "-f", str(path), "-t", *args],
                          capture_output=True, text=True, timeout=60, **options)


def test_an_error_fails_configtest_and_says_where_and_what_to_write(tested):
    conf = site(tested, BROKEN)
    code, text = tested.configtest(conf)
    written = (tested.dir / "configtest.conf").read_text().splitlines()
    line = written.index(BROKEN.strip()) + 1
    assert code == 1
    assert f"configtest.conf:{line}: error: [error-override]" in " ".join(text.split())
    assert "\n    fix: ProxyErrorOverride Off\n" in text
    assert "osproxy: 2 virtual hosts: 2 errors, " in text


def test_a_warning_does_not_fail_configtest(tested):
    code, text = tested.configtest(site(tested, ""))
    assert code == 0 and "[consoles]" in text and text.endswith("Syntax OK\n")


def test_nothing_is_said_where_the_engine_is_off(tested):
    code, text = tested.configtest(both(tested.address, "ProxyPass / http://10.0.0.1/\n" + BROKEN,
                                        head=""))
    assert (code, text) == (0, "Syntax OK\n")


def test_a_rule_that_is_off_is_silent_and_its_reason_listed(tested):
    code, text = tested.configtest(site(tested, BROKEN
                                        + 'OSProxyRule error-override off "because"\n'))
    assert code == 0 and "error-override" not in text
    done = run(tested, "-D", "DUMP_OSPROXY")
    assert 'error-override      off' in done.stdout and '"because"' in done.stdout


def test_the_json_is_alone_on_stdout_and_errors_still_fail(tested):
    tested.configtest(site(tested, BROKEN))
    done = run(tested, "-D", "DUMP_OSPROXY_JSON")
    audit = json.loads(done.stdout)
    assert done.returncode == 1 and audit["schema"] == 1 and audit["summary"]["errors"] == 2
    assert [row["name"] for row in audit["vhosts"]] == ["apps.example.com"] * 2
    assert "[error-override]" not in done.stderr


def coloured(server, env):
    """What httpd -t writes to a terminal."""
    server.configtest(site(server, ""))
    leader, follower = pty.openpty()
    path = server.dir / "configtest.conf"
    with subprocess.Popen([httpd_program(), "-d", str(server.dir), "-f", str(path), "-t"],
                          stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        text = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            text += piece
        process.wait(30)
    os.close(leader)
    return b"\033[" in text


def test_output_is_coloured_on_a_terminal_only(tested):
    env = dict(os.environ, TERM="xterm")
    env.pop("NO_COLOR", None)
    assert coloured(tested, env)
    assert not coloured(tested, dict(env, NO_COLOR="1"))
    assert not coloured(tested, dict(env, TERM="dumb"))
    tested.configtest(site(tested, ""))
    assert "\033" not in run(tested, env=env).stderr


def test_a_finding_never_stops_a_start_or_a_reload(start, farm):
    def conf(address):
        return both(address, f"ProxyPass / {farm['http'].url}/\n{BROKEN}")
    httpd = start(conf)
    httpd.expect_log("OSP1001: audit error: .*error-override")
    httpd.expect_log("OSP1002: audit warning: .*consoles")
    httpd.expect_log("OSP1003: audit note: .*keep-alive")
    assert httpd.ask("http", "/").status == 200
    before = httpd.log_text().count("OSP1001")
    httpd.reload()
    assert httpd.ask("http", "/").status == 200
    assert httpd.log_text().count("OSP1001") == 2 * before


def test_the_status_page_shows_only_rules_that_act(start, farm):
    httpd = start(lambda address: both(address, f"ProxyPass / {farm['http'].url}/\n"))
    rules = httpd.status()["vhosts"][0]["rules"]
    assert "keep-alive" in rules and "capacity" not in rules


# ---- make audit

def audit_script(conf, **env):
    return subprocess.run([str(TOP / "build/audit.sh")], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "CONF": str(conf), "MODULE": str(module_path()), **env})


def load(names):
    return "".join(f"LoadModule {name}_module {shared_module(name)}\n" for name in names
                   if shared_module(name))


SITE = "<VirtualHost *:80>\nServerName a.example.com\nProxyPass / http://10.0.0.1/\n</VirtualHost>\n"


def debian(folder, modules, site):
    """apache2.conf with its folders beside it, its variables in envvars."""
    for name in ("mods-enabled", "sites-enabled"):
        (folder / name).mkdir()
    (folder / "envvars").write_text(f"unset HOME\nexport APACHE_LOG_DIR={folder}$SUFFIX\n"
                                    "export APACHE_RUN_DIR=/nonexistent$SUFFIX\n")
    (folder / "apache2.conf").write_text(
        "DefaultRuntimeDir ${APACHE_RUN_DIR}\nPidFile ${APACHE_RUN_DIR}/pid\n"
        "ErrorLog ${APACHE_LOG_DIR}/error.log\nListen 127.0.0.1:80\n"
        "IncludeOptional mods-enabled/*.load\nIncludeOptional sites-enabled/*.conf\n")
    (folder / "mods-enabled/all.load").write_text(load(modules))
    (folder / "sites-enabled/a.conf").write_text(site)
    return folder / "apache2.conf", folder / "sites-enabled/a.conf"


def rhel(folder, modules, site):
    """conf/httpd.conf, and what it includes a folder up."""
    for name in ("conf", "conf.d", "conf.modules.d", "logs"):
        (folder / name).mkdir()
    (folder / "conf/httpd.conf").write_text(
        f"ServerRoot {folder}\nPidFile {folder}/pid\nErrorLog logs/error.log\nListen 127.0.0.1:80\n"
        "Include conf.modules.d/*.conf\nIncludeOptional conf.d/*.conf\n")
    (folder / "conf.modules.d/00-all.conf").write_text(load(modules))
    (folder / "conf.d/a.conf").write_text(site)
    return folder / "conf/httpd.conf", folder / "conf.d/a.conf"


@pytest.mark.parametrize("layout", [debian, rhel])
def test_make_audit_reads_a_present_configuration(tmp_path, layout):
    main, file = layout(tmp_path, NEEDED, SITE)
    done = audit_script(main)
    assert done.returncode == 0, done.stderr
    assert f"{file}:1: warning: [keep-alive]" in " ".join(done.stderr.split())
    assert "osproxy: 1 virtual host: " in done.stderr
    audit = json.loads(audit_script(main, FORMAT="json").stdout)
    assert {finding["rule"] for finding in audit["findings"]} >= {"consoles", "keep-alive"}
    file.write_text(SITE.replace("</V", BROKEN + "</V"))
    assert audit_script(main).returncode == 1


@pytest.mark.parametrize("layout", [debian, rhel])
def test_make_audit_says_what_is_missing(tmp_path, layout):
    main, file = layout(tmp_path, NEEDED, "Nonsense On\n")
    done = audit_script(main)
    assert done.returncode == 2 and "Nonsense" in done.stderr and "does not accept" in done.stderr
    done = audit_script(tmp_path / "none.conf")
    assert done.returncode == 2 and "is no file" in done.stderr
    done = audit_script(main, MODULE="/none.so")
    assert done.returncode == 2 and "'make' builds it" in done.stderr
    done = audit_script(main, FORMAT="xml")
    assert done.returncode == 2 and "text, table or json" in done.stderr


def test_make_audit_says_when_there_is_no_mod_proxy(tmp_path):
    main, _ = debian(tmp_path, [name for name in NEEDED if not name.startswith("proxy")], "")
    done = audit_script(main)
    assert done.returncode == 2 and "does not load mod_proxy" in done.stderr


def test_make_audit_says_when_nothing_is_proxied(tmp_path):
    main, _ = debian(tmp_path, NEEDED, SITE.replace("ProxyPass", "#"))
    done = audit_script(main)
    assert done.returncode == 0 and "proxies anything" in done.stderr
