"""A recipe of conf.d/recipes on a real httpd, set up as a reader would: the modules that its head names
are loaded, its Define lines are edited, conf.d/osproxy.conf is included, `configtest` must find nothing.
"""
import gzip
import html
import json
import re
import sys
from pathlib import Path

from osptest import Httpd, ask
from osptest.place import TOP, module_path, server_user, shared_module

sys.path.insert(1, str(TOP / "test/farm"))
from resource_hash import resource_hash  # noqa: E402

RECIPES = TOP / "conf.d/recipes"
DEPENDS = Path("/etc/apache2/mods-available")
# What is there before `a2enmod`: Debian's httpd as it is installed.
INSTALLED = """access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user
    autoindex deflate dir env filter mime negotiation reqtimeout setenvif status unixd log_config logio
    watchdog version""".split()
# Wide enough for the audit; few children at first.
MPM_CONF = {
    "event": "StartServers 2\nServerLimit 16\nThreadsPerChild 64\nMaxRequestWorkers 1024\n"
             "MaxSpareThreads 1024\n",
    "prefork": "StartServers 8\nServerLimit 1024\nMaxRequestWorkers 1024\n",
}
MPM_CONF["worker"] = MPM_CONF["event"]
MODULES = re.compile(r"^# Modules: (.+)$", re.M)
DEFINE = re.compile(r"^Define (OSP_\w+) +(\S+)$", re.M)
ADDRESS = re.compile(r"""(?:src|href|action)=\\?["']([^"'\\#]+)|url\(["']?([^"')]+)|["'](/[\w./?-]+)""")
WITH_CONF = ("security2",)  # whose configuration a2enmod enables too: it loads the rules
ALWAYS = ("consoles",)     # goes with every other recipe, and stands first


def echo(httpd, client="https", path="/Echo/", **request):
    """What reached the app server of a request: a list of values by the lower-case name of a field."""
    answer = ask(httpd.address, client, path, **request)
    assert answer.status == 200, answer.raw
    fields = {}
    for name, value in json.loads(answer.body)["headers"]:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def fields_of(page):
    """The hidden fields of a Traditional page: what a post-back must bring back."""
    found = re.findall(rb'<input type="hidden" name="(\w+)" value="([^"]*)"', page.body)
    return {name.decode(): html.unescape(value.decode()) for name, value in found}


def cookies(answer):
    """{name: its attributes} of the cookies that an answer sets; attributes in lower case."""
    found = {}
    for line in answer.all("Set-Cookie"):
        name, *attributes = (part.strip() for part in line.split(";"))
        pairs = (attribute.partition("=") for attribute in attributes)
        found[name.partition("=")[0]] = {word.lower(): value for word, _, value in pairs}
    return found


def forged(user):
    """A header that names the user to an app, as a client may try to write it."""
    return [(name, user) for name in ("X-Remote-User", "x-remote-user", "X_Remote_User", "X-Remote_User",
                                      "X_Remote-User", "x_REMOTE_user")]


def remote_users(message):
    """Everything in a request that an app could take for the user."""
    return [(name, value) for name, value in message.headers
            if name.lower().replace("_", "-") == "x-remote-user"]


def intact(httpd, module, client="https", coding="gzip", **request):
    """Asks for everything in the manifest of a Reactive or Mobile module, as a native app does, and
    compares each body with the checksum in its URL. How many there were."""
    def body(path):
        answer = ask(httpd.address, client, path, headers=[("Accept-Encoding", coding)], **request)
        assert answer.status == 200, f"{path}: {answer.raw}"
        packed = answer.get("Content-Encoding")
        assert packed in (None, "gzip"), path
        return gzip.decompress(answer.body) if packed else answer.body

    info = json.loads(body(f"/{module}/moduleservices/moduleinfo").decode("utf-8-sig"))
    urls = info["manifest"]["urlVersions"]
    for path, query in urls.items():
        data = body(path + query)
        if path.endswith("index.html"):
            assert f'indexVersionToken = "{query[1:]}"'.encode() in data
        else:
            assert resource_hash(data) == query[1:], path
    return len(urls)


def addresses_in(text):
    """Every address in a page, a style sheet or a script of the farm, as it is written."""
    return {next(filter(None, groups)) for groups in ADDRESS.findall(text)}


def text_of(name):
    return (RECIPES / f"{name}.conf").read_text()


def wanted_modules(names):
    """The modules that these recipes name, and what they depend on, in the order of `a2enmod`."""
    found = []

    def add(name):
        load = DEPENDS / f"{name}.load"
        if load.exists():
            for line in re.findall(r"^# Depends: (.+)$", load.read_text(), re.M):
                for needed in line.split():
                    add(needed)
        if name not in found:
            found.append(name)

    for name in names:
        line = MODULES.search(text_of(name))
        assert line, f"{name}.conf: a line '# Modules: …' must name the modules for a2enmod"
        for module in line[1].split() if line[1] != "(none)" else ():
            add(module)
    return found


def edited(name, values):
    """The recipe with these Define lines changed. Each must be there, and no other is needed."""
    text = text_of(name)
    unknown = set(values) - set(dict(DEFINE.findall(text)))
    assert not unknown, f"{name}.conf has no Define {unknown}"
    return DEFINE.sub(lambda line: f"Define {line[1]} {values.get(line[1], line[2])}", text)


class RecipeHttpd(Httpd):
    """An httpd with these recipes. values: {recipe: {name of a Define line: value}}; before, after:
    configuration that stands around them (what the recipe leaves to the site's own files). h2: http/2 as
    well, but on prefork, which mod_http2 refuses."""

    def __init__(self, values, *, mpm="event", h2=False, before="", after="", watch="Off", **options):
        super().__init__(mpm, watch=watch, **options)
        if h2 and mpm != "prefork":
            self.modules.append("http2")
            self.mpm_conf += "Protocols h2 http/1.1\n"
        self.clients = ("http", "https", "h2") if "http2" in self.modules else ("http", "https")
        self.values = {**{name: {} for name in ALWAYS}, **values}
        self.before = before
        self.after = after

    def load_modules(self):
        names = [f"mpm_{self.mpm}", *INSTALLED, *wanted_modules(self.values), *self.modules]
        text = ""
        for name in dict.fromkeys(names):
            path = shared_module(name)
            if path:
                text += f"LoadModule {name}_module {path}\n"
            if name in WITH_CONF:
                text += f"Include {DEPENDS}/{name}.conf\n"
        return text + (f"LoadModule osproxy_module {module_path()}\n" if self.module else "")

    def full_conf(self, conf):
        user, group = server_user()
        shipped = f"Include {TOP}/conf.d/osproxy.conf\nOSProxyWatch {self.watch}\n" if self.module else ""
        for name, values in self.values.items():
            (self.dir / f"{name}.conf").write_text(edited(name, values))
        recipes = "".join(f"Include {self.dir}/{name}.conf\n" for name in self.values)
        return f"""ServerRoot {self.dir}
DefaultRuntimeDir {self.dir}
PidFile {self.dir}/httpd.pid
{self.load_modules()}
ServerName front.example.com
User {user}
Group {group}
{MPM_CONF[self.mpm]}{self.mpm_conf}
Listen {self.address}:80
<IfModule ssl_module>
Listen {self.address}:443
SSLSessionCache shmcb:{self.dir}/tls-sessions(512000)
</IfModule>
Listen {self.control}:80
ErrorLog {self.error_log}
LogLevel notice ssl:warn osproxy:debug
CustomLog {self.dir}/access.log "%h %v:%p \\"%r\\" %>s"
DocumentRoot {self.dir}/htdocs
ProxyTimeout 120
KeepAliveTimeout 30
TypesConfig /etc/mime.types
{shipped}{self.before}{recipes}{self.after}{conf}
<VirtualHost {self.control}:80>
ServerName control.example.com
<Location /osproxy-status>
SetHandler osproxy-status
</Location>
</VirtualHost>
"""
