"""HAProxy with `http-reuse never`: the only peer that keeps Windows-authenticated users apart."""
import shutil
import socket
import subprocess
import time

CONF = """global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{http}
    default_backend iis
backend iis
    http-reuse never
    option forwardfor
    server iis01 127.0.0.1:{backend}
"""


class Haproxy:
    """In front of the bench's app server; `http` is its port."""

    def __init__(self, bench, http):
        self.program = shutil.which("haproxy") or "/usr/sbin/haproxy"
        self.http, self.https = http, None
        self.conf = bench.folder / "haproxy.conf"
        self.conf.write_text(CONF.format(http=http, backend=bench.backend_port))
        self.process = None

    def start(self):
        self.process = subprocess.Popen([self.program, "-db", "-f", self.conf])
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.http), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise SystemExit("bench: haproxy did not start") from None
                time.sleep(0.05)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None
