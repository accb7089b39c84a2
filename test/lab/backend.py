"""The IIS stand-in: httpd with mod_auth_gssapi and gss-ntlmssp, which authenticates connections.

Where a path has /WinAuth/ in it, it asks for Negotiate or NTLM; all else is open. Every page says in its body
whom it serves (whoami.lua) and in X-Lab-User, X-Lab-Mech and X-Lab-Connection.
"""
import os
import shutil
import signal
from pathlib import Path

from osptest import tls
from osptest.place import addresses, httpd_program, server_user, shared_module

from .process import Process

DOMAIN = "LAB"      # the NetBIOS domain
MODULES = """unixd log_config authn_core authz_core authz_user env setenvif headers alias rewrite
    lua ssl socache_shmcb auth_gssapi""".split()

# The two last lines make a stand-in behave like IIS. gss-ntlmssp wants a Type-1 message of 40
# bytes, curl sends 32. mod_auth_gssapi never recovers on a connection after a broken handshake,
# IIS starts it afresh: close such a connection.
CONF = """ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/httpd.pid
{modules}
ServerName {host}
User {user}
Group {group}
StartServers 1
ServerLimit 4
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 256
MinSpareThreads 1
MaxSpareThreads 256
AsyncRequestWorkerFactor 40
ListenBacklog 1024
Listen {address}:80
Listen {address}:443 https
ErrorLog {dir}/error.log
LogLevel warn
LogFormat "%{{LAB_CONNECTION}}e %>s %u \\"%r\\" %{{c}}L" lab
CustomLog {dir}/access.log lab
KeepAlive On
KeepAliveTimeout 120
MaxKeepAliveRequests 0
Timeout 60
GracefulShutdownTimeout 1
SSLSessionCache shmcb:{dir}/tls-sessions(512000)
SetEnv LAB_SERVER {name}
SetEnvIfExpr "%{{REMOTE_PORT}} =~ /(.*)/" LAB_CONNECTION={name}:$1
LuaScope thread
DocumentRoot {dir}/htdocs
<Directory />
    Require all granted
</Directory>
LuaMapHandler ^/ {script} handle
Header always set Server Microsoft-IIS/10.0
Header always set X-Powered-By ASP.NET
Header always set X-Lab-User "expr=%{{REMOTE_USER}}"
Header always set X-Lab-Mech "expr=%{{reqenv:GSS_MECH}}"
Header always set X-Lab-Connection "expr=%{{reqenv:LAB_CONNECTION}}"
<LocationMatch /WinAuth(/|$)>
    AuthType GSSAPI
    AuthName "Windows"
    GssapiConnectionBound On
    GssapiAllowedMech krb5
    GssapiAllowedMech ntlmssp
    GssapiPublishMech On
    Require valid-user
</LocationMatch>
{extra}
<VirtualHost {address}:80>
    ServerName {host}
</VirtualHost>
<VirtualHost {address}:443>
    ServerName {host}
    SSLEngine on
    SSLCertificateFile {cert}
    SSLCertificateKeyFile {key}
</VirtualHost>
RequestHeader edit Authorization \
"^NTLM TlRMTVNTUAABAAAA[A-Za-z0-9+/]{{27}}=$" \
"NTLM TlRMTVNTUAABAAAABQIIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==" early
Header always set Connection close \
"expr=%{{REQUEST_STATUS}} == 401 && -n req('Authorization') \
&& resp('WWW-Authenticate') =~ /^Negotiate$/"
"""


class IisStandIn:
    """name: its NetBIOS name. lab: gives hosts, users and the KDC. extra: httpd configuration."""

    def __init__(self, lab, name, *, mpm="event", extra=""):
        self.lab, self.name, self.mpm, self.extra = lab, name, mpm, extra
        self.dir = Path(lab.dir) / name
        self.address = addresses.next()
        self._process = None

    def url(self, scheme="http"):
        return f"{scheme}://{self.address}"

    def write(self):
        (self.dir / "htdocs").mkdir(parents=True, exist_ok=True)
        user, group = server_user()
        users = self.dir / "ntlm-users"
        users.write_text("".join(f"{DOMAIN}:{name}:{password}\n"
                                 for name, password in self.lab.users.items()))
        keytab = self.dir / "service.keytab"
        shutil.copy(self.lab.kdc.keytab, keytab)
        for secret in (users, keytab):
            shutil.chown(secret, "root", group)
            secret.chmod(0o640)
        modules = "".join(f"LoadModule {name}_module {shared_module(name)}\n"
                          for name in [f"mpm_{self.mpm}", *MODULES] if shared_module(name))
        cert, key = tls.authority().issue(*self.lab.hosts)
        (self.dir / "httpd.conf").write_text(CONF.format(
            dir=self.dir, modules=modules, host=self.lab.host, user=user, group=group,
            address=self.address, name=self.name, cert=cert, key=key, extra=self.extra,
            script=shutil.copy(Path(__file__).with_name("whoami.lua"), self.dir)))
        return {"KRB5_CONFIG": self.lab.kdc.env["KRB5_CONFIG"], "KRB5RCACHENAME": "none:",
                "KRB5_KTNAME": f"FILE:{keytab}", "NTLM_USER_FILE": str(users),
                "NETBIOS_COMPUTER_NAME": self.name, "NETBIOS_DOMAIN_NAME": DOMAIN}

    def start(self):
        env = self.write()
        self._process = Process(
            self.name, [httpd_program(), "-d", self.dir, "-f", self.dir / "httpd.conf",
                        "-DFOREGROUND"], env=env, log=self.dir / "stderr.log",
            ready=[(self.address, 80), (self.address, 443)])

    @property
    def pid(self):
        return self._process.pid

    def recycle(self):
        """As IIS recycles an application pool: idle connections close, requests end."""
        self._process.send(signal.SIGUSR1)

    def stop(self):
        if self._process:
            self._process.stop()

    def log(self):
        """The error log, as text."""
        path = self.dir / "error.log"
        return path.read_text("latin-1") if path.exists() else ""

    def connections(self):
        """Open connections to this server, as the kernel counts them."""
        return established(self.address)


def established(address, port=None):
    """Number of established TCP connections accepted on a loopback address."""
    octets = bytes(int(word) for word in address.split("."))
    mine = int.from_bytes(octets, "little")
    count = 0
    with open("/proc/net/tcp") as table:
        next(table)
        for line in table:
            fields = line.split()
            where, state = fields[1], fields[3]
            if state == "01" and int(where[:8], 16) == mine:
                count += port is None or int(where[9:], 16) == port
    return count


def descriptors(pid):
    """Number of open descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))
