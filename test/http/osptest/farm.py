"""App servers of the demo farm, each on a loopback address of its own."""
import re
import sys

from lab.process import Process

from . import tls
from .place import TOP, addresses

FARM = TOP / "test/farm/farm.py"
LOGGED = re.compile(r"^\d+/\d+ (\S+ \S+) \d+ \d+$", re.M)


class Farm:
    """App servers with these versions; urls in their order. names: host names of a certificate to
    serve https with, issued by the test's authority unless another one is given."""

    def __init__(self, directory, *versions, names=(), authority=None):
        self.directory = directory
        self.port = 443 if names else 80
        self.tls = (authority or tls.authority()).issue(*names) if names else ()
        self.hosts = [addresses.next() for _ in versions]
        self.urls = [f"http{'s' if names else ''}://{host}" for host in self.hosts]
        self.processes = [self.start(number, version) for number, version in enumerate(versions)]

    def start(self, number, version):
        host = self.hosts[number]
        certificate = ["--cert", self.tls[0], "--key", self.tls[1]] if self.tls else []
        return Process(f"APP{number}", [sys.executable, FARM, "--listen", f"{host}:{self.port}", "--name",
                                        f"APP{number}", "--version", version, "--log", *certificate],
                       log=self.directory / f"app{number}.log", ready=[(host, self.port)])

    def requests(self, number=0):
        """What an app server has answered so far: method and target of each."""
        return LOGGED.findall((self.directory / f"app{number}.log").read_text("latin-1"))

    def publish(self, number, version):
        self.processes[number].stop()
        self.processes[number] = self.start(number, version)

    def stop(self):
        for process in self.processes:
            process.stop()
