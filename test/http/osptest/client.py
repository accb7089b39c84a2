"""Clients that send exactly the bytes they are told, over http and https, and curl."""
import socket
import subprocess
import time

from . import tls
from .h2client import H2Connection
from .wire import Reader

NAME = "apps.example.com"


class Connection:
    """One HTTP/1.1 connection to the front end. A context manager."""

    def __init__(self, address, *, secure=False, sni=NAME, source=None, timeout=10, port=None):
        port = port or (443 if secure else 80)
        bind = (source, 0) if source else None
        self.sock = socket.create_connection((address, port), timeout, bind)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            context = tls.client_context(alpn=("http/1.1",), verify=False)
            self.sock = context.wrap_socket(self.sock, server_hostname=sni)
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def request(self, target="/", *, method="GET", host=NAME, headers=(), body=b"", version="1.1"):
        """Sends a request and reads its answer. host None: no Host at all."""
        self.send(encode(target, method, host, headers, body, version))
        return self.reader.response(method)

    def wait_for_close(self, limit):
        """Seconds until the other end closes; the limit when it does not."""
        start = time.monotonic()
        self.sock.settimeout(limit)
        try:
            while self.sock.recv(4096):
                pass
        except TimeoutError:
            return limit
        except ConnectionResetError:
            pass
        return time.monotonic() - start


def encode(target, method="GET", host=NAME, headers=(), body=b"", version="1.1"):
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def raw(address, data, *, method="GET", **options):
    """Sends these bytes on a connection of their own; the answer, parsed."""
    with Connection(address, **options) as connection:
        connection.send(data)
        return connection.reader.response(method)


def ask(address, client, target="/", *, host=NAME, sni=None, source=None, **request):
    """One request by an http, https or h2 client on a connection of its own."""
    sni = sni or (host or NAME).split(":")[0]
    kind = H2Connection if client == "h2" else Connection
    options = {"sni": sni, "source": source}
    if client != "h2":
        options["secure"] = client == "https"
    with kind(address, **options) as connection:
        return connection.request(target, host=host, **request)


def curl(address, url, *args, host=NAME):
    """curl with the front end's names resolved to its address; (exit code, stdout, stderr)."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--cacert",
               str(tls.authority().cert), "--resolve", f"{host}:80:{address}",
               "--resolve", f"{host}:443:{address}", *args, url]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
