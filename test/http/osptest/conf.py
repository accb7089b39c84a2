"""Pieces of httpd configuration."""
from . import tls
from .client import NAME

ENGINE_ON = "OSProxyEngine On"


def vhost(address, body, *, name=NAME, port=80, alias=(), secure=None, names=(), head=ENGINE_ON):
    """One <VirtualHost>. secure: TLS with a certificate for name, its aliases and `names`."""
    secure = port == 443 if secure is None else secure
    lines = [f"<VirtualHost {address}:{port}>", f"ServerName {name}"]
    if alias:
        lines.append("ServerAlias " + " ".join(alias))
    if secure:
        cert, key = tls.certificate_for(name, *alias, *names)
        lines += ["SSLEngine on", f"SSLCertificateFile {cert}", f"SSLCertificateKeyFile {key}"]
    return "\n".join(lines + [head, body, "</VirtualHost>", ""])


def both(address, body, **options):
    """The same site on port 80 and, with TLS, on port 443."""
    return vhost(address, body, port=80, **options) + vhost(address, body, port=443, **options)


def proxy_pass(path, url, *options):
    """ProxyPass of a path to the same path of a back end."""
    return f"ProxyPass {path} {url}{path} {' '.join(options)}\n"


def balancer(name, *urls, options=""):
    """A <Proxy balancer://name> with one member for each URL."""
    members = "".join(f"BalancerMember {url} {options}\n" for url in urls)
    return f"<Proxy balancer://{name}>\n{members}</Proxy>\n"


# TLS towards the app servers, checked as an administrator should check it.
def ssl_proxy():
    return ("SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCheckPeerName on\n"
            f"SSLProxyCACertificateFile {tls.authority().cert}\n")
