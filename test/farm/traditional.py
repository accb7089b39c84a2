"""Traditional Web modules: .aspx screens with view state and post-backs, assets with version
numbers instead of checksums, absolute URLs built from the request's protocol and Host.
"""
import hashlib
import hmac
import json
from base64 import b64encode
from html import escape
from urllib.parse import parse_qs

from content import Resource, load
from reactive import ANONYMOUS_CRF
from server import Response

MACHINE_KEY = b"the same on every server of the farm"
HTML = "text/html; charset=utf-8"
PAGE_HEADERS = [("Cache-Control", "private, no-cache"), ("X-AspNet-Version", "4.0.30319")]
ACCOUNTS = {"alice": "alicepw", "bob": "bobpw"}


def view_state(screen):
    """The hidden field a post-back must bring back: signed, so valid on every server."""
    return b64encode(screen + hmac.digest(MACHINE_KEY, screen, hashlib.sha256)).decode()


class Traditional:
    """A module with screens: {name: text of its body}. A screen called Login takes a password."""

    def __init__(self, name, server_name, screens, home):
        self.name = name
        self.server_name = server_name
        self.screens = {screen.lower(): screen for screen in screens}
        self.bodies = screens
        self.home = home
        files = load("traditional", MODULE=name)
        self.page = files.pop("page.html").decode()
        self.resources = {f"/{name}/{path}".lower(): Resource(path, body)
                          for path, body in files.items()}

    def handle(self, request):
        """The answer for a path of this module, None for one that does not exist."""
        path = request.path.lower()
        resource = self.resources.get(path)
        if resource:
            return resource.serve(request)
        rest = path.split("/", 2)[2] if path.count("/") > 1 else ""
        if rest in ("", "default.aspx"):
            return self.redirect(f"{request.base_url}/{self.name}/{self.home}.aspx")
        if rest in ("_ping.aspx", "_status.aspx"):
            return Response(200, "OK\n", "text/plain", PAGE_HEADERS)
        screen = self.screens.get(rest.removesuffix(".aspx")) if rest.endswith(".aspx") else None
        if screen is None:
            return None
        if request.method == "POST":
            return self.post_back(request, screen)
        if request.method not in ("GET", "HEAD"):
            return Response(405, "Method Not Allowed\n", "text/plain",
                            [("Allow", "GET, HEAD, POST"), *PAGE_HEADERS])
        return self.render(request, screen)

    @staticmethod
    def redirect(url, cookies=()):
        """302 with an absolute URL, as ASP.NET sends it."""
        link = f'<a href="{escape(url)}">here</a>'
        body = f"<html><body><h2>Object moved to {link}.</h2></body></html>"
        return Response(302, body, HTML, [("Location", url), *PAGE_HEADERS, *cookies])

    def render(self, request, screen, message=""):
        """The screen's HTML."""
        words = {"BODY": self.bodies[screen], "SCREEN": screen, "MODULE": self.name,
                 "BASE": escape(request.base_url), "SERVER": self.server_name,
                 "MESSAGE": escape(message),
                 "VIEWSTATE": view_state(f"{self.name}/{screen}".encode()),
                 "OSVSTATE": b64encode(screen.encode()).decode()}
        text = self.page
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        headers = list(PAGE_HEADERS)
        if "asp.net_sessionid=" not in request.header("Cookie").lower():
            session = hashlib.md5(f"{self.server_name} {request.connection.number}".encode())
            headers.append(("Set-Cookie", f"ASP.NET_SessionId={session.hexdigest()[:24]}; path=/; "
                                          "HttpOnly; SameSite=Lax"))
        host = request.header("Host").rpartition(":")[0] or request.header("Host")
        headers.append(("Set-Cookie", f"{self.name}Theme=light; domain={host}; path=/{self.name}"))
        return Response(200, text, HTML, headers)

    def post_back(self, request, screen):
        """Form post: full page, another screen, an AJAX answer, or the login."""
        form = {key: values[0] for key, values in
                parse_qs(request.body.decode("latin-1"), keep_blank_values=True).items()}
        if form.get("__VIEWSTATE") != view_state(f"{self.name}/{screen}".encode()):
            return Response(500, "Validation of viewstate MAC failed.\n", "text/plain",
                            PAGE_HEADERS)
        if screen == "Login":
            return self.login(request, form)
        target = self.screens.get(form.get("__EVENTTARGET", "").lower())
        if target:      # without scheme and host, as ASP.NET writes it for a path
            return self.redirect(f"/{self.name}/{target}.aspx")
        message = f"Post-back received by {self.server_name}: {form.get('Text', '')}"
        if "__AJAX" in form:
            inner = f'{escape(message)} <a href="/{self.name}/{screen}.aspx">Again</a>'
            update = json.dumps({"outers": {"Message": {"inner": inner}}})
            return Response(200, f"OsJSONUpdate({update})", HTML, PAGE_HEADERS)
        return self.render(request, screen, message)

    def login(self, request, form):
        """The session cookies of the user provider, then back to the Portal."""
        user = form.get("User", "")
        if ACCOUNTS.get(user) is None or form.get("Password") != ACCOUNTS[user]:
            return self.render(request, "Login", "Invalid login: try alice with alicepw.")
        secure = "; secure" if request.protocol == "https" else ""
        token = b64encode(hmac.digest(MACHINE_KEY, user.encode(), hashlib.sha256)[:15]).decode()
        cookies = [
            ("Set-Cookie", f"nr1Users={token}; path=/; HttpOnly{secure}"),
            ("Set-Cookie", f"nr2Users=crf%3d{ANONYMOUS_CRF}%3buid%3d1%3bunm%3d{user}; "
                           f"path=/{secure}"),
        ]
        return self.redirect(f"{request.base_url}/Portal/Home.aspx", cookies)
