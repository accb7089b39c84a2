"""A test CA and certificates signed by it, made with openssl once per process."""
import functools
import re
import ssl
import subprocess
import tempfile
import weakref
from pathlib import Path

ADDRESS = re.compile(r"[0-9.]+")


class Authority:
    """The CA; its files go when the process ends."""

    def __init__(self):
        self._dir = tempfile.TemporaryDirectory(prefix="osptest-ca-")
        self.path = Path(self._dir.name)
        self.path.chmod(0o755)
        weakref.finalize(self, self._dir.cleanup)
        self.cert = self.path / "ca.crt"
        self._key("ca.key")
        self._openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=osproxy test CA",
                      "-days", "90", "-out", "ca.crt",
                      "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.path, check=True, capture_output=True)

    def _key(self, name):
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name)

    @functools.lru_cache(None)
    def issue(self, *names):
        """(certificate file, key file) for these host names and addresses."""
        stem = f"leaf{len(list(self.path.glob('leaf*.crt')))}"
        crt, key = self.path / f"{stem}.crt", self.path / f"{stem}.key"
        self._key(key.name)
        self._openssl("req", "-new", "-key", key.name, "-subj", f"/CN={names[0]}",
                      "-out", f"{stem}.csr")
        ext = self.path / f"{stem}.ext"
        ext.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName="
                       + ",".join(f"{'IP' if ADDRESS.fullmatch(name) else 'DNS'}:{name}"
                                  for name in names) + "\n")
        self._openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                      "-CAcreateserial", "-days", "90", "-extfile", ext.name, "-out", crt.name)
        return crt, key


@functools.lru_cache(None)
def authority():
    return Authority()


def certificate_for(*names):
    """A certificate for these names: the one of all sites of example.com where it covers them."""
    for name in names:
        if not name.endswith(".example.com") or name.count(".") > 2 + name.startswith("*.wild."):
            return authority().issue(*names)
    return authority().issue("front.example.com", "*.example.com", "*.wild.example.com")


def server_context(names, alpn=()):
    """An SSL context of a back end; its attribute `seen` collects the SNI of each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority().issue(*names))
    if alpn:
        context.set_alpn_protocols(list(alpn))

    def remember(connection, name, _):
        connection.sni_seen = name

    context.sni_callback = remember
    return context


def client_context(alpn=(), verify=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.load_verify_locations(authority().cert)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
