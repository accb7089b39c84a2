"""Where things are: httpd's programs, the module under test, directories, loopback addresses."""
import functools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
MPMS = ("event", "worker", "prefork")


@functools.lru_cache(None)
def apxs(name):
    """What `apxs -q name` says."""
    tool = os.environ.get("APXS") or shutil.which("apxs") or shutil.which("apxs2")
    if not tool:
        raise RuntimeError("apxs not found: install apache2-dev (Debian) or httpd-devel (RHEL)")
    out = subprocess.run([tool, "-q", name], capture_output=True, text=True, check=True)
    return out.stdout.strip()


def httpd_program():
    return str(Path(apxs("SBINDIR")) / apxs("PROGNAME"))


@functools.lru_cache(None)
def static_modules():
    """File names without suffix of the modules compiled into httpd."""
    out = subprocess.run([httpd_program(), "-l"], capture_output=True, text=True, check=True)
    return frozenset(line.strip()[:-2] for line in out.stdout.splitlines() if line.endswith(".c"))


def shared_module(name):
    """Path of mod_<name>.so, or None where httpd has it compiled in or does not have it."""
    path = Path(apxs("LIBEXECDIR")) / f"mod_{name}.so"
    return path if f"mod_{name}" not in static_modules() and path.exists() else None


# Set by `make asan`: the module is built with ASan and UBSan, and httpd runs under them.
SANITIZE = bool(os.environ.get("OSPROXY_SANITIZE"))


def module_path():
    """The module under test."""
    built = TOP / "build/out" / ("asan" if SANITIZE else "") / "mod_osproxy.so"
    return Path(os.environ.get("OSPROXY_SO") or built).resolve()


@functools.lru_cache(None)
def _sanitizer():
    """The library that has to be in a process before the module is."""
    out = subprocess.run([os.environ.get("CC", "gcc"), "-print-file-name=libasan.so"],
                         capture_output=True, text=True, check=True).stdout.strip()
    if not os.path.isabs(out):
        raise RuntimeError("libasan.so not found: install libasan, which gcc needs for -fsanitize")
    return out


def httpd_environment():
    """The environment of httpd under test. httpd ends without freeing, so leaks are not asked."""
    env = dict(os.environ)
    if SANITIZE:
        env |= {"LD_PRELOAD": _sanitizer(), "UBSAN_OPTIONS": "print_stacktrace=1",
                "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1"}
    return env


@functools.lru_cache(None)
def server_user():
    """(user, group) that httpd drops to."""
    for name in ("www-data", "apache", "daemon", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        import grp
        return name, grp.getgrgid(entry.pw_gid).gr_name
    raise RuntimeError("no user www-data, apache, daemon or nobody for httpd to drop to")


def server_directory():
    """A new directory that httpd's children may enter; the caller removes it."""
    path = Path(tempfile.mkdtemp(prefix="osptest-"))
    path.chmod(0o755)
    return path


class Addresses:
    """Loopback addresses nobody else uses: one /16 of 127.0.0.0/8 per process.

    A socket bound in that /16 for as long as the process lives keeps other processes out of it.
    """

    def __init__(self):
        self._taken = 0
        for octet in list(range(16 + os.getpid() % 200, 250)) + list(range(16, 250)):
            self._lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self._lock.bind((f"127.{octet}.255.254", 9))
            except OSError:
                self._lock.close()
                continue
            self._net = f"127.{octet}"
            return
        raise RuntimeError("no free /16 of 127.0.0.0/8")

    def next(self):
        self._taken += 1
        return f"{self._net}.{self._taken // 250}.{self._taken % 250 + 1}"


addresses = Addresses()
