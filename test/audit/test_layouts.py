"""`make audit`: a server's present configuration, laid out as Debian and as RHEL do it."""
import json
import os
import re
import subprocess

import pytest

from configtest.server import MODULES, Server
from osptest.place import TOP, module_path, server_user, shared_module

SITE = """<VirtualHost *:443>
    ServerName apps.example.com
    SSLEngine on
    SSLCertificateFile    {certs}/good.crt
    SSLCertificateKeyFile {certs}/good.key
    ProxyPreserveHost {host}
    ProxyTimeout 120
    KeepAliveTimeout 65
    {more}
    RequestHeader set X-Forwarded-Proto "https"
    ProxyPass /MyApp http://10.0.0.11/MyApp nocanon ttl=60
</VirtualHost>
"""


def load(names):
    lines = []
    for name in names:
        path = shared_module(name)
        if path:
            lines.append(f"LoadModule {name}_module {path}\n")
    return lines


def debian(root, site):
    """apache2.conf with envvars, mods-enabled and sites-enabled."""
    top = root / "etc/apache2"
    for folder in ("mods-enabled", "sites-enabled", "conf-enabled"):
        (top / folder).mkdir(parents=True)
    for number, line in enumerate(load(["mpm_event", *MODULES])):
        (top / f"mods-enabled/{number:02}.load").write_text(line)
    user, group = server_user()
    (top / "envvars").write_text(
        f"export APACHE_RUN_USER={user}\nexport APACHE_RUN_GROUP={group}\n"
        "export APACHE_PID_FILE=/var/run/none/apache2.pid\nexport APACHE_RUN_DIR=/var/run/none\n"
        "export APACHE_LOCK_DIR=/var/lock/none\nexport APACHE_LOG_DIR=/var/log/none\n")
    (top / "ports.conf").write_text("Listen 80\nListen 443\n")
    (top / "sites-enabled/apps.conf").write_text(site)
    main = top / "apache2.conf"
    main.write_text(
        "DefaultRuntimeDir ${APACHE_RUN_DIR}\nPidFile ${APACHE_PID_FILE}\n"
        "User ${APACHE_RUN_USER}\nGroup ${APACHE_RUN_GROUP}\n"
        "ErrorLog ${APACHE_LOG_DIR}/error.log\nIncludeOptional mods-enabled/*.load\n"
        "TypesConfig /dev/null\nInclude ports.conf\nIncludeOptional conf-enabled/*.conf\n"
        "IncludeOptional sites-enabled/*.conf\n")
    return main, top / "sites-enabled/apps.conf"


def rhel(root, site):
    """conf/httpd.conf with conf.modules.d and conf.d, relative to ServerRoot."""
    top = root / "etc/httpd"
    for folder in ("conf", "conf.d", "conf.modules.d", "logs", "run"):
        (top / folder).mkdir(parents=True)
    (top / "conf.modules.d/00-base.conf").write_text("".join(load(["mpm_event", *MODULES])))
    (top / "conf.d/apps.conf").write_text(site)
    user, group = server_user()
    main = top / "conf/httpd.conf"
    main.write_text(
        f'ServerRoot "{top}"\nListen 80\nListen 443\nInclude conf.modules.d/*.conf\n'
        f"TypesConfig /dev/null\nUser {user}\nGroup {group}\nDefaultRuntimeDir run\n"
        'ErrorLog "logs/error_log"\nIncludeOptional conf.d/*.conf\n')
    return main, top / "conf.d/apps.conf"


LAYOUTS = [debian, rhel]


@pytest.fixture
def folder(certificates):
    with Server(certificates) as server:
        yield server.dir


def make_audit(certificates, conf, **variables):
    """(exit status of the script, standard output, standard error)."""
    env = dict(certificates.environment, MODULE=str(module_path()), CONF=str(conf),
               **variables)
    done = subprocess.run([str(TOP / "build/audit.sh")], cwd="/", capture_output=True, text=True,
                          timeout=60, env=env, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def tree(root):
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*")}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_good_configuration_passes(layout, folder, certificates):
    main, _ = layout(folder, SITE.format(certs=certificates.path, host="On", more=""))
    before = tree(folder)
    code, _, text = make_audit(certificates, main)
    assert code == 0, text
    assert re.search(r"^osproxy: 1 virtual host: 0 errors, 0 warnings, \d+ enforced$", text, re.M), \
        text
    assert tree(folder) == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_nobody_puts_right_yet_is_said(layout, folder, certificates):
    main, site = layout(folder, SITE.format(certs=certificates.path, host="Off",
                                            more="ProxyErrorOverride On"))
    code, _, text = make_audit(certificates, main)
    assert code == 1, text
    assert f"{site}:6: warning: [preserve-host]" in text
    assert f"{site}:9: error: [error-override]" in text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_json_is_all_of_standard_output(layout, folder, certificates):
    main, site = layout(folder, SITE.format(certs=certificates.path, host="Off", more=""))
    code, out, text = make_audit(certificates, main, FORMAT="json")
    assert code == 0, text
    finding, = json.loads(out)["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == ("preserve-host", str(site), 6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_broken_configuration_is_not_called_audited(layout, folder, certificates):
    main, _ = layout(folder, "NoSuchDirective On\n")
    code, _, text = make_audit(certificates, main)
    assert code == 2 and "NoSuchDirective" in text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_server_that_proxies_nothing_is_no_failure(layout, folder, certificates):
    main, _ = layout(folder, "<VirtualHost *:80>\nServerName x.example.com\n</VirtualHost>\n")
    code, _, text = make_audit(certificates, main)
    assert code == 0 and "proxies" in text, text


def test_a_missing_file_is_named(certificates):
    code, _, text = make_audit(certificates, "/nowhere/apache2.conf")
    assert code == 2 and "/nowhere/apache2.conf" in text


def test_make_audit_is_the_same(folder, certificates):
    main, site = debian(folder, SITE.format(certs=certificates.path, host="Off", more=""))
    env = {key: value for key, value in certificates.environment.items()
           if not key.startswith("MAKE")}
    done = subprocess.run(["make", "-s", "audit", f"CONF={main}", f"MODULE={module_path()}",
                           "-o", str(module_path())],
                          cwd=TOP, capture_output=True, text=True, timeout=120, env=env)
    assert f"{site}:6: warning: [preserve-host]" in done.stderr, done.stdout + done.stderr
    assert os.path.exists(main)
