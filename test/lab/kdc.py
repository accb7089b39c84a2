"""A Kerberos realm of our own: KDC over TCP on a loopback address, users, services, tickets."""
import os
import subprocess

from osptest.place import addresses

from .process import Process

REALM = "OSPROXY.TEST"
PORT = 8888

KRB5_CONF = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
forwardable = true
[realms]
{realm} = {{
    kdc = {address}:{port}
}}
"""

KDC_CONF = """[kdcdefaults]
kdc_listen = ""
kdc_tcp_listen = {address}:{port}
[realms]
{realm} = {{
    database_name = {dir}/principal
    key_stash_file = {dir}/stash
    acl_file = {dir}/kadm5.acl
    max_life = 1d
    supported_enctypes = aes256-cts:normal
}}
[logging]
kdc = FILE:{dir}/kdc.log
"""


class Kdc:
    """users: {name: password}; services: SPNs. start() makes the realm; tickets come on demand."""

    def __init__(self, directory, users, services):
        self.dir = directory
        self.users = users
        self.services = services
        self.address = addresses.next()
        self.keytab = directory / "service.keytab"
        self.env = {"KRB5_CONFIG": str(directory / "krb5.conf"),
                    "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
                    "KRB5RCACHENAME": "none:"}
        self._process = None

    def start(self):
        facts = {"realm": REALM, "address": self.address, "port": PORT, "dir": self.dir}
        (self.dir / "krb5.conf").write_text(KRB5_CONF.format(**facts))
        (self.dir / "kdc.conf").write_text(KDC_CONF.format(**facts))
        (self.dir / "kadm5.acl").write_text("")
        self._run("/usr/sbin/kdb5_util", "create", "-s", "-r", REALM, "-P", "of-the-lab")
        self._run("/usr/sbin/kadmin.local", "-r", REALM, text="\n".join(self._principals()))
        self._process = Process(
            "krb5kdc", ["/usr/sbin/krb5kdc", "-n", "-r", REALM, "-P", self.dir / "kdc.pid"],
            log=self.dir / "krb5kdc.out", env=self.env, ready=[(self.address, PORT)])

    def _principals(self):
        users = self.dir / "users.keytab"
        for name, password in self.users.items():
            yield f"addprinc -pw {password} {name}"
        for name in self.services:
            yield f"addprinc -randkey {name}"
            yield f"ktadd -k {self.keytab} {name}"
        yield f"ktadd -k {users} -norandkey " + " ".join(self.users)
        yield ""

    def tickets(self, *names):
        """{user: file of a ticket cache}, each with a ticket-granting ticket; made once."""
        files = {name: self.dir / f"cc-{name}" for name in names}
        started = [(name, subprocess.Popen(
            ["/usr/bin/kinit", "-k", "-t", self.dir / "users.keytab", "-c", f"FILE:{file}", name],
            env={**os.environ, **self.env}, stderr=subprocess.PIPE))
            for name, file in files.items() if not file.exists()]
        for name, process in started:
            _, errors = process.communicate()
            if process.returncode:
                raise RuntimeError(f"kinit {name}: {errors.decode()}")
        return files

    def stop(self):
        if self._process:
            self._process.stop()

    def _run(self, *command, text=""):
        done = subprocess.run(command, input=text, env={**os.environ, **self.env}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}")
