"""The whole lab: a realm, users and IIS stand-ins, started in a second, gone without a trace."""
import contextlib
import os
import shutil
import sys
from pathlib import Path

from osptest.place import server_directory

from . import process
from .backend import DOMAIN, IisStandIn
from .kdc import REALM, Kdc

HOST = "apps.example.com"       # the name that users type; the SPN has no port
HOSTS = (HOST, "backend.osproxy.test")


class Lab:
    """users: how many `user01`, `user02`, … there are beside alice and bob. A context manager."""

    def __init__(self, users=20, backends=("IIS01", "IIS02"), hosts=HOSTS, extra=""):
        self._describe(server_directory(), users, hosts)
        self.backends = [IisStandIn(self, name, extra=extra) for name in backends]

    def _describe(self, directory, users, hosts):
        self.dir = directory
        self.hosts, self.host = hosts, hosts[0]
        self.names = [f"user{number:02}" for number in range(1, users + 1)]
        self.users = {name: f"{name}pw" for name in [*self.names, "alice", "bob"]}
        self.kdc = Kdc(self.dir, self.users, [f"HTTP/{host}" for host in hosts])

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.kdc.start()
        # The gssapi module in this process finds the realm in the environment.
        os.environ.update(self.kdc.env)
        for backend in self.backends:
            backend.start()

    @classmethod
    @contextlib.contextmanager
    def attached(cls, directory, users=20):
        """A lab that `run` started elsewhere: its users and tickets, not its servers."""
        lab = cls.__new__(cls)
        lab._describe(Path(directory), users, HOSTS)
        lab.backends = []
        os.environ.update(lab.kdc.env)
        yield lab

    def stop(self):
        for part in [*self.backends, self.kdc]:
            part.stop()
        for name, value in self.kdc.env.items():
            if os.environ.get(name) == value:
                del os.environ[name]
        shutil.rmtree(self.dir, ignore_errors=True)

    def password(self, user):
        return self.users[user]

    def ticket(self, user):
        """File of a ticket cache of this user."""
        return self.kdc.tickets(user)[user]

    def logs(self):
        """What the back ends complained about."""
        return "".join(f"---- {b.name}\n{b.log()}" for b in self.backends if b.log())


def owner(user):
    """The bare name of whom a page says it serves: DOMAIN\\user, user@DOMAIN or user@REALM."""
    name, _, realm = user.partition("@")
    if realm not in ("", DOMAIN, REALM):
        return user
    head, _, tail = name.rpartition("\\")
    return tail if head in ("", DOMAIN) else user


def main_lab(options):
    """Runs the lab until the standard input ends or Ctrl-C; prints how to use it."""
    with Lab(options.users) as lab:
        for backend in lab.backends:
            print(f"{backend.name}  {backend.url()}/WinAuth/  {backend.url('https')}/WinAuth/")
        print(f"export KRB5_CONFIG={lab.kdc.env['KRB5_CONFIG']} "
              f"KRB5CCNAME=FILE:{lab.ticket('alice')}")
        print(f"/usr/bin/python3 test/lab identity --lab {lab.dir} --proxy ADDRESS:PORT")
        first = lab.backends[0].address
        print(f"curl --resolve {lab.host}:80:{first} --ntlm -u 'LAB\\alice:alicepw' "
              f"http://{lab.host}/WinAuth/")
        print(f"curl --resolve {lab.host}:80:{first} --negotiate -u : "
              f"http://{lab.host}/WinAuth/", flush=True)
        try:
            sys.stdin.read()
        except KeyboardInterrupt:
            pass
    assert not process.running
