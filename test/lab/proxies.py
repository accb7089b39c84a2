"""Proxies in front of the lab: httpd plain or with the module, nginx, HAProxy, Caddy.

Each listens on port 80 of a loopback address of its own and sends everything to the stand-ins.
"""
import contextlib
import os
import shutil

from osptest.conf import both, ssl_proxy
from osptest.httpd import Httpd
from osptest.place import addresses, module_path, server_directory, server_user

from .clients import Front
from .process import Process

# Room for some dozens of clients with idle connections on every MPM; prefork starts them at once,
# for it adds them slowly.
MPM_CONF = {
    "event": "",
    "worker": "",
    "prefork": "StartServers 16\nServerLimit 200\nMaxRequestWorkers 200\nMinSpareServers 8\n"
               "MaxSpareServers 100\n",
}
ENGINE = "OSProxyEngine On\n"
INSIDE = "OSProxyInternal 127.0.0.0/8\n"        # all clients may use Negotiate
TRAFFIC = "KeepAliveTimeout 30\nMaxKeepAliveRequests 0\n"


def site(address, lab, body, *, conf="", head=ENGINE + INSIDE, **options):
    """The same site with and without TLS, for Httpd; body: what is proxied, conf: the rest."""
    text = TRAFFIC + "ProxyPreserveHost On\n" + ssl_proxy() + conf + body
    return both(address, text, name=lab.host, head=head, **options)


@contextlib.contextmanager
def httpd(lab, mpm="event", *, module=False, options="", conf="", head=None, scheme="http",
          mpm_conf="", body=None, strict=False, **more):
    """httpd with ProxyPass to the first stand-in; the Front, its server in `.httpd`.

    options: of ProxyPass. conf: more lines of the virtual host. body: instead of the ProxyPass.
    strict: an unexpected line in the error log is an error. more: of Httpd."""
    if body is None:
        body = f"ProxyPass / {lab.backends[0].url(scheme)}/ {options}\n"
    server = Httpd(mpm, module=module, mpm_conf=MPM_CONF[mpm] + mpm_conf, **more)
    head = (ENGINE + INSIDE if module else "") if head is None else head
    server.conf = site(server.address, lab, body, conf=conf, head=head)
    try:
        server.start()
        yield HttpdFront(server, lab)
    except BaseException:
        server.cleanup()
        raise
    if not strict:
        server.log.allow(".")
    server.stop()


class HttpdFront(Front):
    """The plain-http front of an httpd; `.secure_front` the one with TLS. name: another host."""

    def __init__(self, server, lab, name=None):
        super().__init__(server.address, host=name or lab.host)
        object.__setattr__(self, "httpd", server)
        object.__setattr__(self, "secure_front",
                           Front(server.address, 443, secure=True, host=name or lab.host))


NGINX = """daemon off;
user {user} {group};
worker_processes 2;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 100000;
    upstream iis {{
        server {backend}:80;
        keepalive 32;
    }}
    server {{
        listen {address}:80;
        location / {{
            proxy_pass http://iis;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }}
    }}
}}
"""

HAPROXY = """global
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind {address}:80
    default_backend iis
backend iis
{reuse}    server iis01 {backend}:80
"""

CADDY = """{{
    admin off
    auto_https off
}}
http://:80 {{
    bind {address}
    reverse_proxy {backend}:80
}}
"""


@contextlib.contextmanager
def peer(lab, name, template, command, **facts):
    """A peer with the configuration of the template, run by the command."""
    directory, address = server_directory(), addresses.next()
    user, group = server_user()
    conf = directory / f"{name}.conf"
    conf.write_text(template.format(dir=directory, address=address, user=user, group=group,
                                    backend=lab.backends[0].address, **facts))
    process = None
    try:
        process = Process(name, command(conf), log=directory / "out.log",
                          env={"XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory),
                               "HOME": str(directory)}, ready=[(address, 80)])
        yield Front(address, host=lab.host)
    finally:
        if process:
            process.stop()
        shutil.rmtree(directory, ignore_errors=True)


def nginx(lab):
    """nginx with keepalive to its upstream."""
    return peer(lab, "nginx", NGINX,
                 lambda conf: ["/usr/sbin/nginx", "-c", conf, "-e", conf.parent / "error.log"])


def haproxy(lab, reuse=None):
    """HAProxy; reuse: what `http-reuse` says, None its default."""
    return peer(lab, "haproxy", HAPROXY, lambda conf: ["/usr/sbin/haproxy", "-db", "-f", conf],
                 reuse=f"    http-reuse {reuse}\n" if reuse else "")


def caddy(lab):
    return peer(lab, "caddy", CADDY, lambda conf: [
        "/usr/bin/caddy", "run", "--config", conf, "--adapter", "caddyfile"])


@contextlib.contextmanager
def _direct(lab):
    """No proxy at all: the stand-in itself."""
    yield Front(lab.backends[0].address, host=lab.host)


# word: (title in the table, program that must exist, maker)
PROXIES = {
    "direct": ("no proxy", None, _direct),
    "event": ("httpd event, plain ProxyPass", None, lambda lab: httpd(lab, "event")),
    "worker": ("httpd worker", None, lambda lab: httpd(lab, "worker")),
    "prefork": ("httpd prefork", None, lambda lab: httpd(lab, "prefork")),
    "disablereuse": ("httpd event, disablereuse=on", None,
                     lambda lab: httpd(lab, options="disablereuse=on")),
    "not-pooled": ("httpd event, proxy-initial-not-pooled", None,
                   lambda lab: httpd(lab, conf="SetEnv proxy-initial-not-pooled 1\n")),
    "nginx": ("nginx, upstream keepalive", "/usr/sbin/nginx", nginx),
    "haproxy": ("HAProxy, default http-reuse", "/usr/sbin/haproxy", haproxy),
    "haproxy-never": ("HAProxy, http-reuse never", "/usr/sbin/haproxy",
                      lambda lab: haproxy(lab, "never")),
    "caddy": ("Caddy", "/usr/bin/caddy", caddy),
}
for _mpm in ("event", "worker", "prefork"):
    PROXIES[f"osproxy-{_mpm}"] = (f"httpd {_mpm} with mod_osproxy", None,
                                  lambda lab, mpm=_mpm: httpd(lab, mpm, module=True))


def available(word):
    """Whether what this word stands for is installed, or built."""
    program = module_path() if word.startswith("osproxy-") else PROXIES[word][1]
    return not program or os.path.exists(program)


def open_front(word, lab):
    """A context manager of the Front that a word of PROXIES names, or of address:port."""
    if word in PROXIES:
        return PROXIES[word][2](lab)
    address, _, port = word.partition(":")
    return contextlib.nullcontext(Front(address, int(port or 80), host=lab.host))
