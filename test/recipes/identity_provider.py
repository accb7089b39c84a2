"""A certified OpenID Connect provider (test/recipes/oidc), installed by npm and started on an address."""
import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from lab.process import Process
from osptest import addresses, tls
from osptest.place import TOP

SOURCE = Path(__file__).with_name("oidc")
INSTALLED = TOP / "build/out/oidc"
SECRET = "of-the-test-and-thirty-two-bytes"


def install():
    """What package-lock.json names, once per lock file; several test processes may ask at once."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    lock = (SOURCE / "package-lock.json").read_bytes()
    stamp = INSTALLED / "installed"
    wanted = hashlib.sha256(lock).hexdigest()
    with open(INSTALLED / "lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for file in SOURCE.iterdir():
            shutil.copy(file, INSTALLED)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"],
                              cwd=INSTALLED, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=300)
        if done.returncode:
            raise RuntimeError(f"npm ci: {done.stdout}")
        stamp.write_text(wanted)


class IdentityProvider:
    """For the client at this https origin. A context manager."""

    def __init__(self, directory, origin):
        install()
        self.address = addresses.next()
        self.issuer = f"https://{self.address}"
        cert, key = tls.authority().issue(self.address)
        self.process = Process("oidc-provider", ["node", INSTALLED / "provider.js", self.address, cert, key,
                                                 origin, SECRET],
                               log=directory / "provider.log", ready=[(self.address, 443)], limit=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()
