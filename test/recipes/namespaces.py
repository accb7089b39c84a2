"""Hosts with addresses of their own, for tests of what happens when one of them is cut off.

A host is a network namespace with one interface on a bridge, as machines on one switch. Namespaces
have no name: an open descriptor keeps each alive, so that nothing stays behind however the tests end.
What runs inside() a host, processes that it starts included, sees that host's network only.
"""
import contextlib
import ctypes
import os
import re
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
OWN = "/proc/thread-self/ns/net"
# Before a program: it ends with the thread that started it.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM")


def _must(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"network namespace: {os.strerror(number)}")


def _new():
    """A descriptor of a new namespace; the thread stays where it was."""
    home = os.open(OWN, os.O_RDONLY)
    try:
        _must(LIBC.unshare(CLONE_NEWNET))
        try:
            return os.open(OWN, os.O_RDONLY)
        finally:
            _must(LIBC.setns(home, CLONE_NEWNET))
    finally:
        os.close(home)


class Namespace:
    def __init__(self):
        self.descriptor = _new()
        self.ip("link set lo up")

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @contextlib.contextmanager
    def inside(self):
        """This thread, and what it starts, is in this namespace."""
        home = os.open(OWN, os.O_RDONLY)
        try:
            _must(LIBC.setns(self.descriptor, CLONE_NEWNET))
            try:
                yield self
            finally:
                _must(LIBC.setns(home, CLONE_NEWNET))
        finally:
            os.close(home)

    def run(self, command):
        with self.inside():
            done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def ip(self, words):
        return self.run(["ip", *words.split()])

    def sysctl(self, name, value):
        with self.inside(), open("/proc/sys/" + name.replace(".", "/"), "w") as file:
            file.write(str(value))

    def close(self):
        os.close(self.descriptor)


class Host(Namespace):
    """A machine with this address. down() pulls its cable at the switch: nobody is told; up() plugs
    it in again."""

    def __init__(self, switch, port, address):
        super().__init__()
        self.switch, self.port, self.address = switch, port, address
        self.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.ip(f"link add eth0 type veth peer name {port} netns {switch.path}")
        self.ip(f"addr add {address}/24 dev eth0")
        self.ip("link set eth0 up")
        switch.ip(f"link set {port} master br0")
        self.up()

    def down(self):
        self.switch.ip(f"link set {self.port} nomaster")

    def addresses(self):
        return re.findall(r"inet ([\d.]+)/", self.ip("-4 addr show dev eth0"))

    def up(self):
        self.switch.ip(f"link set {self.port} master br0 up")


class Network:
    """hosts: names by the last byte of their addresses in 10.77.0.0/24. A context manager."""

    def __init__(self, **hosts):
        self.switch = Namespace()
        self.switch.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.switch.ip("link add br0 type bridge forward_delay 0")
        self.switch.ip("link set br0 up")
        self.hosts = {name: Host(self.switch, f"port{last}", f"10.77.0.{last}")
                      for name, last in hosts.items()}

    def __getitem__(self, name):
        return self.hosts[name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for host in [*self.hosts.values(), self.switch]:
            host.close()
