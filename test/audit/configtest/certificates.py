"""Certificates of every quality, in one folder: what `${CERTS}` stands for in the corpus.

root -> intermediate -> each leaf. SSL_CERT_FILE makes the root the only one that this machine
trusts, so that nothing depends on the machine.
"""
import datetime
import os
import shutil
import subprocess
import tempfile
import weakref
from pathlib import Path

NAMES = ("apps.example.com", "www.example.com", "portal.example.com", "front.example.com")
DAY = datetime.timedelta(days=1)

CA_CONF = """
[ca]
default_ca = it
[it]
database = {dir}/index.txt
new_certs_dir = {dir}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = supplied
[v3_leaf]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
{names}
[v3_ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
"""

# file: (names, first day, last day counted from today, whether the intermediate follows)
LEAVES = {
    "good": (NAMES, -1, 400, True),
    "wildcard": (("*.example.com",), -1, 400, True),
    "apex-wildcard": (("example.com", "*.example.com"), -1, 400, True),
    "expired": (NAMES, -400, -3, True),
    "today": (NAMES, -400, 0.5, True),
    "soon": (NAMES, -380, 11, True),
    "later": (NAMES, -300, 45, True),
    "future": (NAMES, 9, 400, True),
    "other": (("shop.example.org",), -1, 400, True),
    "nochain": (NAMES, -1, 400, False),
    "nameless": ((), -1, 400, True),
    "partial": (("app*.example.com",), -1, 400, True),
    "address": (("IP:192.0.2.10",), -1, 400, True),
}


def _time(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + days * DAY
    return moment.strftime("%Y%m%d%H%M%SZ")


class Certificates:
    """The folder; it goes when the process ends."""

    def __init__(self):
        self._dir = tempfile.TemporaryDirectory(prefix="osptest-certs-")
        self.path = Path(self._dir.name)
        self.path.chmod(0o755)
        weakref.finalize(self, self._dir.cleanup)
        (self.path / "index.txt").touch()
        self._root()
        self._sign("intermediate", "root", "osproxy test intermediate", (), -2, 1000, "v3_ca")
        for name, (names, first, last, chain) in LEAVES.items():
            self._sign(name, "intermediate", "apps.example.com", names, first, last, "v3_leaf")
            if chain:
                self._append(name, "intermediate")
        self._others()

    @property
    def environment(self):
        """For httpd: the root is what this machine trusts."""
        return dict(os.environ, SSL_CERT_FILE=str(self.path / "root.crt"),
                    SSL_CERT_DIR=str(self.path / "none"))

    def openssl(self, *args):
        done = subprocess.run(["openssl", *args], cwd=self.path, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr}")
        return done.stdout

    def _key(self, name):
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def _root(self):
        self._key("root")
        self.openssl("req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=osproxy test root",
                     "-days", "3000", "-out", "root.crt",
                     "-addext", "basicConstraints=critical,CA:TRUE",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _sign(self, name, issuer, subject, names, first, last, section):
        self._key(name)
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}",
                     "-out", f"{name}.csr")
        entries = ",".join(entry if entry.startswith("IP:") else f"DNS:{entry}" for entry in names)
        conf = self.path / f"{name}.cnf"
        conf.write_text(CA_CONF.format(dir=self.path,
                                       names=f"subjectAltName = {entries}" if entries else ""))
        self.openssl("ca", "-batch", "-notext", "-config", conf.name, "-extensions", section,
                     "-keyfile", f"{issuer}.key", "-cert", f"{issuer}.crt",
                     "-startdate", _time(first), "-enddate", _time(last),
                     "-in", f"{name}.csr", "-out", f"{name}.crt")

    def _append(self, name, *others):
        with open(self.path / f"{name}.crt", "ab") as file:
            for other in others:
                file.write((self.path / f"{other}.crt").read_bytes())

    def _others(self):
        good, key = self.path / "good.crt", self.path / "good.key"
        # everything in one file, as haproxy and Debian's snakeoil have it
        (self.path / "combined.pem").write_bytes(key.read_bytes() + good.read_bytes())
        # the leaf and the root, without what is between them
        shutil.copy(self.path / "nochain.crt", self.path / "gap.crt")
        shutil.copy(self.path / "nochain.key", self.path / "gap.key")
        self._append("gap", "root")
        self.openssl("ec", "-in", "good.key", "-aes256", "-passout", "pass:secret",
                     "-out", "encrypted.key")
        (self.path / "garbage.crt").write_text("this is no certificate\n")
        (self.path / "garbage.key").write_text("this is no key\n")
        half = good.read_text().splitlines()
        (self.path / "cut.crt").write_text("\n".join(half[:5]) + "\n")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "self.key",
                     "-out", "self.crt", "-days", "400", "-subj", "/CN=apps.example.com",
                     "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES))
        self.openssl("genrsa", "-out", "rsa.key", "2048")
        self.openssl("req", "-new", "-key", "rsa.key", "-subj", "/CN=apps.example.com",
                     "-out", "rsa.csr")
        shutil.copy(self.path / "good.cnf", self.path / "rsa.cnf")
        self.openssl("ca", "-batch", "-notext", "-config", "rsa.cnf", "-extensions", "v3_leaf",
                     "-keyfile", "intermediate.key", "-cert", "intermediate.crt",
                     "-startdate", _time(-1), "-enddate", _time(400), "-in", "rsa.csr",
                     "-out", "rsa.crt")
        self._append("rsa", "intermediate")
