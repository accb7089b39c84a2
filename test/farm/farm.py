#!/usr/bin/python3
"""One imitated OutSystems 11 app server on IIS 10, for trying and testing the proxy.

    farm.py --listen 127.0.0.1:8081 [--name APP01] [--ready-file FILE]

Modules: MyApp (Reactive), MyMobile (Mobile), Portal, MyOtherApp and Login (Traditional),
OutSystemsUI, ImageRepository and RichWidgets (referenced), WinAuth (Windows authentication), Echo
(what arrived), and the platform's own endpoints. Port 0 takes a free port; the ready file then
holds the address. Runs on the standard library alone; stops on TERM and INT.
"""
import argparse
import asyncio
import os
import signal
import ssl
import sys

from content import load, png
from echo import echo
from reactive import Library, Reactive
from server import Response, Server
from traditional import PAGE_HEADERS, Traditional
from winauth import WinAuth

HOME = """<p>Absolute link: <a href="@BASE@/Portal/Detail.aspx?Id=1">@BASE@/Portal/Detail.aspx</a>
</p>
<p><a href="/MyOtherApp/Login.aspx">Sign in (MyOtherApp)</a> <a href="/Login/Login.aspx">Sign in
(Login)</a> <a href="Detail.aspx?Id=2">Detail</a> <a href="/MyApp/">MyApp</a>
<a href="#" onclick="RichWidgetsPopup.open('/Portal/Detail.aspx?Id=3')">Popup</a></p>
<p><input name="Text" value="hello"/><input type="submit" value="Post back"/></p>"""
LOGIN = """<p><input name="User"/><input name="Password" type="password"/>
<input type="submit" value="Sign in"/></p>"""
DETAIL = '<p>A detail. <a href="Home.aspx">Back</a></p>'
CONSOLES = ("ServiceCenter", "Users", "lifetime", "LifeTimeSDK", "LifeTimeCore", "lifetimeapi",
            "LifeTimeServices", "PerformanceMonitor", "server.api", "server.identity")
OPEN_ENDPOINTS = ("NativeAppBuilder", "SecurityUtils", "PerformanceProbe")
INDEX = ("MyApp", "MyMobile", "Portal", "MyOtherApp", "Login", "WinAuth", "Echo")


class Farm:
    """All modules of one server, found by the first path segment in any case."""

    def __init__(self, name, version, ping="all is well"):
        self.name, self.ping = name, ping
        images = load("ImageRepository")
        images["img/logo.png"] = png(0xC8, 0x10, 0x2E, 32)
        libraries = [Library("ImageRepository", images),
                     Library("OutSystemsUI", load("OutSystemsUI"))]
        references = ["OutSystemsUI", "ImageRepository", "MyOtherApp"]
        modules = [
            *libraries,
            Library("RichWidgets", load("RichWidgets")),
            Reactive("MyApp", libraries, references, name, version),
            Reactive("MyMobile", libraries, references, name, version, mobile=True),
            Traditional("Portal", name, {"Home": HOME, "Detail": DETAIL}, "Home"),
            Traditional("MyOtherApp", name, {"Login": LOGIN}, "Login"),
            Traditional("Login", name, {"Login": LOGIN}, "Login"),
        ]
        self.handlers = {module.name.lower(): module.handle for module in modules}
        self.handlers["winauth"] = WinAuth(name).handle
        self.handlers["echo"] = lambda request: echo(request, name)
        for console in CONSOLES:
            self.handlers[console.lower()] = self.console
        for endpoint in OPEN_ENDPOINTS:
            self.handlers[endpoint.lower()] = self.open_endpoint

    def handle(self, request):
        """The answer to any request."""
        parts = request.path.lower().split("/")
        handler = self.handlers.get(parts[1]) if len(parts) > 1 else None
        if handler and parts[1] != "echo" and parts[2:] == ["_ping.html"]:
            return Response(200, f"<html><body>OutSystems ping: {self.ping}</body></html>",
                            "text/html", [("Cache-Control", "no-cache")])
        response = handler(request) if handler else None
        if response is None and request.path == "/":
            response = self.start_page()
        if response is None:
            response = Response(404, "<html><body><h2>404 - File or directory not found.</h2>"
                                     "</body></html>", "text/html")
        return response

    def start_page(self):
        """Links to what there is to see."""
        links = "".join(f'<li><a href="/{name}/">{name}</a></li>' for name in INDEX)
        return Response(200, f"<html><body><h1>{self.name}</h1><ul>{links}</ul></body></html>",
                        "text/html", [("Cache-Control", "no-cache")])

    def console(self, request):
        """The consoles and services that the internet should not reach."""
        name = request.path.split("/")[1]
        if name.lower().startswith("server."):
            return Response(200, f'{{"service":"{name.lower()}","method":"{request.method}"}}',
                            "application/json; charset=utf-8")
        return Response(200, f"<html><body><h1>Console on {self.name}</h1></body></html>",
                        "text/html", PAGE_HEADERS)

    def open_endpoint(self, request):
        """App download, CSP reports and telemetry: what phones and browsers call."""
        if request.method == "POST":
            return Response(200, "", "text/plain", PAGE_HEADERS)
        return Response(200, f"<html><body><p>Download page on {self.name}</p></body></html>",
                        "text/html", PAGE_HEADERS)


def parse_arguments():
    """The command line; ends the process with a usage message when it is wrong."""
    parser = argparse.ArgumentParser(description="One imitated OutSystems 11 app server.")
    parser.add_argument("--listen", default="127.0.0.1:8081", metavar="ADDRESS:PORT")
    parser.add_argument("--name", default="APP01", help="server name shown in answers")
    parser.add_argument("--ready-file", metavar="FILE", help="gets ADDRESS:PORT once listening")
    parser.add_argument("--version", default="1", help="other value: other manifest, as in a "
                        "staged deployment")
    parser.add_argument("--idle", type=float, default=120, help="keep-alive in seconds, as IIS")
    parser.add_argument("--ping", default="all is well", help="what _ping.html says")
    parser.add_argument("--delay", type=float, default=0, help="seconds that an answer takes")
    parser.add_argument("--cert", metavar="PEM", help="serve https with this certificate")
    parser.add_argument("--key", metavar="PEM", help="key of --cert")
    parser.add_argument("--log", action="store_true", help="one line a request on stderr")
    arguments = parser.parse_args()
    host, colon, port = arguments.listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        parser.error(f"--listen {arguments.listen}: ADDRESS:PORT expected")
    arguments.address = (host.strip("[]"), int(port))
    return arguments


async def run(arguments):
    """Serves until a signal comes."""
    tls = None
    if arguments.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.cert, arguments.key)
    farm = Farm(arguments.name, arguments.version, arguments.ping)
    server = Server(farm.handle, arguments.idle, arguments.log, arguments.delay)
    host, port = await server.start(*arguments.address, tls)
    if arguments.ready_file:
        with open(arguments.ready_file + ".new", "w", encoding="ascii") as file:
            file.write(f"{host}:{port}\n")
        os.replace(arguments.ready_file + ".new", arguments.ready_file)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    server.stop()


def main():
    """Runs the server; a port that cannot be bound is one line on stderr."""
    arguments = parse_arguments()
    try:
        asyncio.run(run(arguments))
    except OSError as error:
        sys.exit(f"farm.py: {arguments.listen}: {error.strerror or error}")


if __name__ == "__main__":
    main()
