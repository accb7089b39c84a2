"""A Reactive or Mobile module with a truthful manifest: every URL in it carries the checksum of
what the server answers, and the token of index.html is the checksum the manifest and page name.
"""
import json
import time
from urllib.parse import quote

from content import Resource, font, load, png
from resource_hash import resource_hash
from server import Response

SCREENS = ("Home", "Login", "Item")
SHORT = "public, max-age=600"
JSON_TYPE = "application/json; charset=utf-8"
ANONYMOUS_CRF = resource_hash(b"anonymous visitor of the demo farm")
RESERVED = ("scripts", "css", "img", "fonts", "blocks", "rest", "screenservices")


class Library:
    """A referenced module without screens: static resources under its own path."""

    def __init__(self, name, files):
        self.name = name
        self.resources = {f"/{name}/{path}".lower(): Resource(path, body)
                          for path, body in files.items()}
        self.urls = {f"/{name}/{path}": "?" + resource_hash(body) for path, body in files.items()}

    def handle(self, request):
        """A resource, _ping.html or None."""
        resource = self.resources.get(request.path.lower())
        return resource.serve(request) if resource else None


class Reactive(Library):
    """The shell, its resources, moduleservices and screenservices."""

    def __init__(self, name, libraries, references, server_name, version="1", mobile=False):
        files = load("reactive", MODULE=name, VERSION=version)
        index = files.pop("index.html").decode()
        if not mobile:
            del files["scripts/cordova.js"]
        files["fonts/fontawesome-webfont.woff2"] = font()
        files["favicon.png"] = png(0x22, 0x6E, 0xB8)
        super().__init__(name, files)
        self.server_name = server_name
        self.mobile = mobile
        for library in libraries:
            self.urls.update(library.urls)
        self.token = resource_hash(json.dumps([index, self.urls], sort_keys=True).encode())
        self.urls[f"/{name}/index.html"] = "?" + self.token
        self.index = Resource("index.html", self.shell(index).encode(), SHORT)
        self.info = Resource("moduleinfo.json", self.manifest(references), SHORT)

    def shell(self, template):
        """index.html: hashes filled in for the scripts and styles it names, and the token."""
        for path, query in self.urls.items():
            template = template.replace(f"@{path.removeprefix(f'/{self.name}/')}@", query)
        template = template.replace("@TOKEN@", self.token)
        cordova = f"scripts/cordova.js{self.urls.get(f'/{self.name}/scripts/cordova.js', '')}"
        tag = f'<script src="{cordova}"></script>\n' if self.mobile else ""
        return template.replace("@CORDOVA@", tag)

    def manifest(self, references):
        """The bytes of moduleinfo; Mobile ones start with a BOM, which clients must skip."""
        shell = f"/{self.name}/index.html"
        info = f"/{self.name}/moduleservices/moduleinfo"
        mappings = {f"/{self.name}/": shell, **{f"/{self.name}/{s}": shell for s in SCREENS},
                    f"{info}?cached": f"{info}?{self.token}"}
        manifest = {"versionToken": self.token, "urlVersions": self.urls, "urlMappings": mappings,
                    "urlMappingsNoCache": {}}
        modules = {resource_hash(name.encode()): {"moduleName": name}
                   for name in (self.name, *references)}
        text = json.dumps({"manifest": manifest, "data": {"modules": modules}},
                          separators=(",", ":"))
        return (b"\xef\xbb\xbf" if self.mobile else b"") + text.encode()

    def handle(self, request):
        """The answer for a path of this module, None for one that does not exist."""
        found = super().handle(request)
        if found:
            return found
        parts = request.path.split("/")[2:]
        first = parts[0].lower() if parts else ""
        if first == "moduleservices":
            return self.module_service(request, "/".join(parts[1:]).lower())
        if first == "screenservices":
            return self.screen_service(request, parts[1:])
        if first in RESERVED or (first.endswith(".html") and first != "index.html"):
            return None
        return self.index.serve(request, self.visitor_cookies(request))

    @staticmethod
    def visitor_cookies(request):
        """osVisitor and osVisit for a browser that does not have them yet."""
        if "osvisitor=" in request.header("Cookie").lower():
            return []
        visit = resource_hash(f"{time.time()} {request.connection.number}".encode())
        secure = "; secure" if request.protocol == "https" else ""
        return [("Set-Cookie", f"osVisitor={quote(visit)}; path=/; max-age=315360000{secure}"),
                ("Set-Cookie", f"osVisit={quote(visit)}; path=/; max-age=1800{secure}")]

    def module_service(self, request, service):
        """moduleversioninfo, moduleinfo, roles, ping and log."""
        if service == "moduleinfo":
            return self.info.serve(request)
        if service == "moduleversioninfo":
            body = json.dumps({"versionToken": self.token}, separators=(",", ":"))
            return Resource("v.json", body.encode(), SHORT).serve(request)
        if service == "roles":
            return Response(200, '{"roles":{}}', JSON_TYPE)
        if service == "ping":
            return Response(200, '"pong"', JSON_TYPE, [("Cache-Control", "no-cache")])
        if service == "log" and request.method == "POST":
            return Response(200, "{}", JSON_TYPE)
        return None

    def screen_service(self, request, parts):
        """POST <Producer>/<Flow>/<Screen>/<Action>: data, or 403 until the CSRF header is there."""
        if len(parts) < 3:
            return None
        if request.method != "POST":
            return Response(405, "Method Not Allowed\n", "text/plain", [("Allow", "POST")])
        if not request.header("X-CSRFToken"):
            return self.invalid_login(request)
        try:
            sent = json.loads(request.body or b"{}")
            known = sent.get("versionInfo", {}).get("moduleVersion", self.token)
        except (ValueError, AttributeError):
            return Response(400, '{"exception":{"message":"Invalid request"}}', JSON_TYPE)
        rows = 60000 if parts[-1].lower().endswith("large") else 3
        items = [{"Id": n, "Name": f"Item {n} from {self.server_name}"} for n in range(1, rows + 1)]
        answer = {"versionInfo": {"hasModuleVersionChanged": known != self.token,
                                  "hasApiVersionChanged": False},
                  "data": {"List": {"List": items}}, "rolesInfo": ","}
        return Response(200, json.dumps(answer, separators=(",", ":")), JSON_TYPE,
                        [("Cache-Control", "no-cache, no-store")])

    @staticmethod
    def invalid_login(request):
        """The 403 that clients bootstrap from: its cookies carry the CSRF token to send."""
        secure = "; secure" if request.protocol == "https" else ""
        value = quote(f"crf={ANONYMOUS_CRF};uid=0;unm=", safe="")
        cookies = [("Set-Cookie", f"nr1Users={resource_hash(b'nr1')}; path=/; HttpOnly{secure}"),
                   ("Set-Cookie", f"nr2Users={value}; path=/{secure}")]
        return Response(403, '{"exception":{"message":"Invalid Login"}}', JSON_TYPE, cookies)
