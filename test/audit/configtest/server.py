"""What stands around a configuration, and `httpd -t` on it.

A server as somebody who knows OutSystems would size it, so that a case shows only what it is about.
Options of a case (`# server: …`):

bare            nothing but the modules: no Listen, no time-outs, no sizes
mpm=<name>      worker or prefork instead of event
without=<name>  that module is not loaded
define=<name>   httpd -D <name>
survey          httpd -D OSPROXY_AUDIT: audits a server that has never heard of the module
"""
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "http"))
from osptest.place import httpd_program, module_path, server_user, shared_module  # noqa: E402

MODULES = """unixd log_config authn_core authn_file authz_core authz_host authz_user auth_basic
    access_compat alias mime dir env setenvif headers rewrite status socache_shmcb slotmem_shm watchdog ssl
    remoteip reqtimeout macro filter deflate substitute sed ext_filter include allowmethods
    version proxy proxy_http proxy_wstunnel proxy_balancer lbmethod_byrequests proxy_html
    xml2enc cache cache_disk""".split()
THREADED = ["http2", "proxy_http2"]     # mod_http2 refuses prefork
NEEDED = {"remoteip", "substitute", "proxy_html", "allowmethods", "ext_filter", "macro", "sed"}
SIZES = {
    "event": "ServerLimit 16\nThreadsPerChild 64\nMaxRequestWorkers 1024\nMaxSpareThreads 1024\n",
    "prefork": "ServerLimit 1024\nMaxRequestWorkers 1024\n",
}
SIZES["worker"] = SIZES["event"]
DEFAULTS = "Listen 80\nListen 443\nKeepAliveTimeout 30\nProxyTimeout 120\n"
LIMIT = 30      # seconds that one httpd -t may take


class Result:
    """What one httpd -t said."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def died(self):
        return self.code < 0 or "Sanitizer" in self.err or "runtime error:" in self.err

    @property
    def audit(self):
        """The JSON of -D DUMP_OSPROXY_JSON."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"no JSON, exit status {self.code}:\n{self.err}\n"
                                 f"{self.out[:2000]}") from None


class Server:
    """A folder with main.conf, which includes the configuration at hand."""

    def __init__(self, certificates, options=(), module=True):
        self.certificates = certificates
        self.dir = Path(tempfile.mkdtemp(prefix="osptest-audit-"))
        self.dir.chmod(0o755)
        self.module = module
        self.mpm = "event"
        self.bare = False
        self.without = set()
        self.defines = []
        for option in options:
            word, _, value = option.partition("=")
            if word == "mpm":
                self.mpm = value
            elif word == "without":
                self.without.add(value)
            elif word == "define":
                self.defines.append(value)
            elif word == "survey":
                self.defines.append("OSPROXY_AUDIT")
            elif option == "bare":
                self.bare = True
            else:
                raise ValueError(f"there is no server option {option}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def load_modules(self):
        text = ""
        for name in [f"mpm_{self.mpm}", *MODULES, *(THREADED if self.mpm != "prefork" else [])]:
            path = shared_module(name)
            if name in NEEDED and not path:
                raise RuntimeError(f"httpd's mod_{name} is not installed")
            if path and name not in self.without:
                text += f"LoadModule {name}_module {path}\n"
        return text + (f"LoadModule osproxy_module {module_path()}\n" if self.module else "")

    def surroundings(self, here):
        user, group = server_user()
        return (f"ServerRoot {self.dir}\nDefaultRuntimeDir {self.dir}\n"
                f"PidFile {self.dir}/httpd.pid\nErrorLog {self.dir}/error.log\n"
                f"{self.load_modules()}"
                f"TypesConfig /dev/null\nServerName front.example.com\nUser {user}\nGroup {group}\n"
                f"Define CERTS {self.certificates.path}\nDefine HERE {here}\n"
                + ("" if self.bare else DEFAULTS + SIZES[self.mpm]))

    def write(self, file):
        """Writes main.conf around that file; its parts lie in a folder of its name."""
        main = self.dir / "main.conf"
        main.write_text(self.surroundings(file.parent / file.stem) + f"Include {file}\n")
        return main

    def write_text(self, text):
        file = self.dir / "site.conf"
        file.write_text(text, encoding="utf-8")
        return self.write(file)

    def command(self, *args):
        defines = [word for name in self.defines for word in ("-D", name)]
        return [httpd_program(), "-d", str(self.dir), "-f", str(self.dir / "main.conf"), *defines,
                *args]

    def test(self, *args, timeout=LIMIT, env=None, **options):
        """httpd -t; a hang is an error."""
        done = subprocess.run(self.command("-t", *args), capture_output=True, text=True,
                              errors="replace", timeout=timeout, stdin=subprocess.DEVNULL,
                              env=dict(self.certificates.environment, **(env or {})), **options)
        return Result(done)

    def json(self):
        result = self.test("-D", "DUMP_OSPROXY_JSON")
        if result.died:
            raise AssertionError(f"httpd ended with {_name(result.code)}\n{result.err}")
        return result.audit


def _name(code):
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def audit_text(certificates, text, *options):
    """The audit of that text, as JSON."""
    with Server(certificates, options) as server:
        server.write_text(text)
        return server.json()
