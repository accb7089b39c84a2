"""App servers of the demo farm, each on a loopback address of its own."""
import sys

from lab.process import Process

from .place import TOP, addresses

FARM = TOP / "test/farm/farm.py"


class Farm:
    """App servers with these versions; urls in their order."""

    def __init__(self, directory, *versions):
        self.directory = directory
        self.hosts = [addresses.next() for _ in versions]
        self.urls = [f"http://{host}" for host in self.hosts]
        self.processes = [self.start(number, version) for number, version in enumerate(versions)]

    def start(self, number, version):
        host = self.hosts[number]
        return Process(f"APP{number}", [sys.executable, FARM, "--listen", f"{host}:80", "--name",
                                        f"APP{number}", "--version", version],
                       log=self.directory / f"app{number}.log", ready=[(host, 80)])

    def publish(self, number, version):
        self.processes[number].stop()
        self.processes[number] = self.start(number, version)

    def stop(self):
        for process in self.processes:
            process.stop()
