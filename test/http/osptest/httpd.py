"""A real httpd: its own configuration, directory, addresses; started, reloaded, stopped."""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

from . import client
from .errorlog import ErrorLog
from .place import addresses, httpd_environment, httpd_program, module_path, server_directory, \
    server_user, shared_module

MODULES = """unixd log_config logio authn_core authn_file authz_core authz_host authz_user
    auth_basic dir alias env setenvif headers rewrite status socache_shmcb slotmem_shm
    watchdog ssl remoteip reqtimeout macro proxy proxy_http proxy_wstunnel
    proxy_balancer lbmethod_byrequests cache cache_disk cache_socache""".split()
THREADED_MODULES = ["http2", "proxy_http2"]     # mod_http2 refuses prefork
MPM_CONF = {
    "event": "StartServers 2\nThreadsPerChild 32\nMaxRequestWorkers 96\nMinSpareThreads 32\n"
             "MaxSpareThreads 96\nMaxConnectionsPerChild 0\n",
    "prefork": "StartServers 8\nMinSpareServers 4\nMaxSpareServers 64\nMaxRequestWorkers 64\n",
}
MPM_CONF["worker"] = MPM_CONF["event"]
READY = b"resuming normal operations"
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
running = []        # every Httpd that has been started and not stopped


def _end_with_the_tests():
    """In the child: whatever ends the tests, httpd does not stay behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _asleep(pid):
    """Whether every thread of a process waits."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
                if not file.read().rpartition(b") ")[2].startswith(b"S"):
                    return False
    except (FileNotFoundError, ProcessLookupError):
        pass
    return True


class Httpd:
    """conf: the site's configuration. module: False is plain httpd; before_proxy True writes the
    wrong LoadModule order; without: modules that are not loaded, modules:
    those that are besides. watch: the value of OSProxyWatch,
    Off unless a test is about it: probes would be requests that nobody expects. env, wrapper: what
    httpd runs with and under, such as a checker of memory; patience: seconds to start. A context
    manager."""

    def __init__(self, mpm="event", conf="", *, module=True, before_proxy=False, without=(),
                 address=None, mpm_conf="", watch="Off", modules=(), env=None, wrapper=(), patience=30):
        self.mpm = mpm
        self.module = module
        self.before_proxy = before_proxy
        self.without = set(without)
        self.mpm_conf = mpm_conf
        self.watch = watch
        self.modules = list(modules)
        self.env = {**httpd_environment(), **(env or {})}
        self.wrapper = list(wrapper)
        self.patience = patience
        self.address = address or addresses.next()
        self.control = addresses.next()
        self.dir = server_directory()
        self.error_log = self.dir / "error.log"
        self.log = ErrorLog(self.error_log, self.dir / "stderr.log")
        self.process = None
        self.conf = conf
        self.stop_signal = signal.SIGTERM
        (self.dir / "htdocs").mkdir()
        (self.dir / "htdocs/index.html").write_text("the front end's own page\n")
        (self.dir / "cache").mkdir()
        if os.getuid() == 0:
            shutil.chown(self.dir / "cache", *server_user())

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.cleanup()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- configuration

    def load_modules(self):
        mine = f"LoadModule osproxy_module {module_path()}\n" if self.module else ""
        wanted = [f"mpm_{self.mpm}"] + MODULES + self.modules
        wanted += THREADED_MODULES if self.mpm != "prefork" else []
        text = mine if self.before_proxy else ""
        for name in wanted:
            path = shared_module(name)
            if path and name not in self.without:
                text += f"LoadModule {name}_module {path}\n"
        return text + ("" if self.before_proxy else mine)

    def full_conf(self, conf):
        user, group = server_user()
        control = "<Location /server-status>\nSetHandler server-status\n</Location>\n"
        level = "notice ssl:warn"
        watch = f"OSProxyWatch {self.watch}\n" if self.module and self.watch else ""
        protocols = "" if self.mpm == "prefork" else "Protocols h2 http/1.1\n"
        if self.module:
            control += "<Location /osproxy-status>\nSetHandler osproxy-status\n</Location>\n"
            level += " osproxy:debug"
        return f"""ServerRoot {self.dir}
DefaultRuntimeDir {self.dir}
PidFile {self.dir}/httpd.pid
{self.load_modules()}
ServerName front.example.com
User {user}
Group {group}
{MPM_CONF[self.mpm]}{self.mpm_conf}
{protocols}Listen {self.address}:80
Listen {self.address}:443
Listen {self.control}:80
ErrorLog {self.error_log}
LogLevel {level}
CustomLog {self.dir}/access.log "%h %v:%p \\"%r\\" %>s"
DocumentRoot {self.dir}/htdocs
CacheRoot {self.dir}/cache
SSLSessionCache shmcb:{self.dir}/tls-sessions(512000)
ProxyTimeout 20
Timeout 20
{watch}{conf}
<VirtualHost {self.control}:80>
ServerName control.example.com
{control}</VirtualHost>
"""

    def write(self, conf=None):
        if conf is not None:
            self.conf = conf
        path = self.dir / "httpd.conf"
        path.write_text(self.full_conf(self.conf))
        return path

    def command(self, *args):
        return [httpd_program(), "-d", str(self.dir), "-f", str(self.write()), *args]

    def configtest(self, conf=None, *args):
        """(exit code, output) of `httpd -t` on the configuration with conf in the place of ours."""
        path = self.dir / "configtest.conf"
        path.write_text(self.full_conf(self.conf if conf is None else conf))
        done = subprocess.run([httpd_program(), "-d", str(self.dir), "-f", str(path), "-t", *args],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=httpd_environment(), timeout=60)
        return done.returncode, done.stdout

    # ---- life

    def start(self):
        with open(self.dir / "stderr.log", "wb") as stderr:
            self.process = subprocess.Popen(self.wrapper + self.command("-DFOREGROUND"),
                                            stdin=subprocess.DEVNULL, stdout=stderr,
                                            stderr=stderr, start_new_session=True, env=self.env,
                                            preexec_fn=_end_with_the_tests)
        running.append(self)
        self._wait_for(lambda: self._ready_lines() > 0, self.patience, "did not get ready")

    def _ready_lines(self):
        return self.error_log.read_bytes().count(READY) if self.error_log.exists() else 0

    def _wait_for(self, condition, limit, what):
        end = time.monotonic() + limit
        while not condition():
            if self.process.poll() is not None:
                raise RuntimeError(f"httpd ended with {self.process.returncode}\n"
                                   f"{self.log.text()}")
            if time.monotonic() > end:
                raise RuntimeError(f"httpd {what} in {limit} s\n{self.log.text()}")
            time.sleep(0.01)

    def children(self):
        """Process ids of httpd's children."""
        pid = self.process.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                return [int(word) for word in file.read().split()]
        except FileNotFoundError:
            return []

    def reload(self, conf=None):
        """Graceful restart; returns when no old child takes connections any more."""
        self.write(conf)
        before = self._ready_lines()
        self.process.send_signal(signal.SIGUSR1)
        self._wait_for(lambda: self._ready_lines() > before, self.patience, "did not reload")
        self._wait_for(lambda: not self._old_children_listen(), self.patience,
                       "kept old children listening")

    def _old_children_listen(self):
        """Children are told to go by a pipe that each generation shares with the parent: who has
        another one belongs to an older generation."""
        sockets, pipes = _descriptors(self.process.pid)
        for pid in self.children():
            own_sockets, own_pipes = _descriptors(pid)
            if own_sockets & sockets and not own_pipes & pipes:
                return True
        return False

    def stop(self):
        """Stops httpd and removes its directory; an unannounced line in the log is an error."""
        if self.process and self.process.poll() is None:
            self._await_sleep()
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(self.patience)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        problems = self.log.check(stopping=True)
        self.cleanup()
        assert not problems, problems

    def cleanup(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self in running:
            running.remove(self)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _await_sleep(self):
        """Until all of httpd waits for something. Plain httpd 2.4 does not survive every other moment:
        a prefork child that SIGTERM finds in the middle of malloc() (errorlog.py), an event child
        that looks at sockets (close_worker_sockets) while a thread of its own frees one."""
        end = time.monotonic() + 3
        calm = 0
        while calm < 3 and time.monotonic() < end:
            calm = calm + 1 if all(map(_asleep, self.children())) else 0
            time.sleep(0.005)

    def end_requests_first(self):
        """stop() lets prefork end what its children are at, instead of cutting them off."""
        if self.mpm == "prefork":
            self.stop_signal = signal.SIGWINCH

    # ---- talking to it

    def ask(self, kind, target="/", **request):
        return client.ask(self.address, kind, target, **request)

    def expect_log(self, pattern):
        self.log.expect(pattern)

    def allow_log(self, pattern):
        self.log.allow(pattern)

    def log_text(self):
        return self.error_log.read_text("latin-1")

    def status(self):
        """The status page as JSON."""
        answer = client.ask(self.control, "http", "/osproxy-status?json")
        assert answer.status == 200, answer.raw
        return json.loads(answer.body)

    def rule(self, name, rule, port=80):
        """What the status page says about one rule of one virtual host."""
        rows = [row for row in self.status()["vhosts"]
                if (row["name"], row["port"]) == (name, port)]
        assert len(rows) == 1, f"{len(rows)} rows for {name}:{port}"
        return rows[0]["rules"][rule]

    def counting(self, rule, *, name=client.NAME, client="http"):
        """A context manager: how far the counters of a rule went up inside it."""
        return Counting(self, name, rule, 80 if client == "http" else 443)


class Counting:
    def __init__(self, httpd, name, rule, port):
        self._read = lambda: httpd.rule(name, rule, port)

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *_):
        after = self._read()
        for word in ("acted", "reported", "refused"):
            setattr(self, word, after[word] - self._before[word])

    @property
    def all(self):
        return {"acted": self.acted, "reported": self.reported, "refused": self.refused}


def _descriptors(pid):
    """A process's sockets and pipes, as /proc names them."""
    sockets, pipes = set(), set()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            target = os.readlink(entry.path)
            if target.startswith("socket:"):
                sockets.add(target)
            elif target.startswith("pipe:"):
                pipes.add(target)
    except OSError:
        pass
    return sockets, pipes
