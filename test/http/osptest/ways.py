"""Every way of proxying: what to write for a path prefix, and which app server answers.

A way's configuration maps /<prefix>/… to the same path of the app server. SetHandler cannot: it
appends the name of the file that the URL would have on disk.
"""
from .conf import balancer


def _pass(path, url, options=""):
    return f"ProxyPass {path} {url}{path} {options}\n"


def _location(path, url):
    return f"<Location {path}>\nProxyPass {url}{path}\n</Location>\n"


def _match(path, url):
    return f"ProxyPassMatch ^{path}(.*)$ {url}{path}$1\n"


def _balancer(path, url):
    name = "b" + "".join(filter(str.isalnum, path)).lower()
    return balancer(name, url) + f"ProxyPass {path} balancer://{name}{path}\n"


def _rewrite(path, url):
    return f"RewriteEngine On\nRewriteRule ^{path}(.*)$ {url}{path}$1 [P]\n"


def _rewrite_balancer(path, url):
    name = "r" + "".join(filter(str.isalnum, path)).lower()
    return balancer(name, url) + _rewrite(path, f"balancer://{name}")


def _handler(path, url):
    return f'<Location {path}>\nSetHandler "proxy:{url}"\n</Location>\n'


# name: (app server, function of path and URL)
WAYS = {
    "ProxyPass": ("http", _pass),
    "Location": ("http", _location),
    "ProxyPassMatch": ("http", _match),
    "balancer": ("http", _balancer),
    "rewrite": ("http", _rewrite),
    "rewrite_balancer": ("http", _rewrite_balancer),
    "SetHandler": ("http", _handler),
    "https": ("https", _pass),
    "https_balancer": ("https", _balancer),
    "https_rewrite": ("https", _rewrite),
    "h2c": ("h2c", _pass),
    "h2": ("h2", _pass),
    "h2_balancer": ("h2", _balancer),
}
KEEPS_PATH = [way for way in WAYS if way != "SetHandler"]
TLS_WAYS = [way for way in WAYS if WAYS[way][0] in ("https", "h2")]


def server_of(way, farm):
    return farm[WAYS[way][0]]


def conf_of(way, path, farm):
    return WAYS[way][1](path, server_of(way, farm).url)


def ways_for(mpm, ways=tuple(WAYS)):
    """mod_proxy_http2 needs mod_http2, which refuses prefork."""
    return [way for way in ways if mpm != "prefork" or not WAYS[way][0].startswith("h2")]


def all_ways(mpm, farm, prefix=""):
    """Configuration for /<prefix><way>/ by each way."""
    return "".join(conf_of(way, f"/{prefix}{way}/", farm) for way in ways_for(mpm))
