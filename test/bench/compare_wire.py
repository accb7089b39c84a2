#!/usr/bin/python3
"""What an app server receives, and a client gets back, through each proxy: one table, measured here.

Every proxy is set up as its manual shows for one app server, with the client's Host preserved and
/ServiceCenter closed. Cells count; the questions stand in QUESTIONS. What is not installed is left out
and said so. --json prints the numbers for programs.
"""
import argparse
import json
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "http")]

from lab import proxies  # noqa: E402
from osptest import Answer, Backend, Connection  # noqa: E402
from osptest.client import NAME  # noqa: E402
from osptest.wire import Closed  # noqa: E402

NGINX = """daemon off;
user {user} {group};
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{
        listen {address}:80;
        location ~* ^/ServiceCenter {{ return 403; }}
        location / {{
            proxy_pass http://{backend};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""
HAPROXY = """defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind {address}:80
    http-request deny deny_status 403 if {{ path_beg -i /ServiceCenter }}
    http-request set-header X-Forwarded-Proto http
    option forwardfor
    default_backend iis
backend iis
    server iis01 {backend}:80
"""
CADDY = """{{
    admin off
    auto_https off
}}
http://:80 {{
    bind {address}
    respond /ServiceCenter* 403
    reverse_proxy {backend}:80
}}
"""
# 5 s is httpd's own default, which the lab's configuration has raised.
CLOSED = 'KeepAliveTimeout 5\n<LocationMatch "(?i)^/ServiceCenter">\nRequire all denied\n</LocationMatch>\n'
BY_HAND = CLOSED + 'RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"\n'


def peers(lab):
    """(title, program that must exist, context manager of the Front)."""
    yield ("httpd with mod_osproxy", proxies.module_path(),
           lambda: proxies.httpd(lab, module=True, conf=CLOSED, head="OSProxyEngine On\n"
                                 "OSProxyModule MyApp reactive\nOSProxyRule domain-https off \"http here\"\n"))
    yield "httpd by hand", None, lambda: proxies.httpd(lab, conf=BY_HAND)
    yield "httpd by hand, nocanon", None, lambda: proxies.httpd(
        lab, conf=BY_HAND + "AllowEncodedSlashes NoDecode\n", options="nocanon")
    for name, template, command in (
            ("nginx", NGINX, lambda conf: ["/usr/sbin/nginx", "-c", conf, "-e", conf.parent / "error.log"]),
            ("HAProxy", HAPROXY, lambda conf: ["/usr/sbin/haproxy", "-db", "-f", conf]),
            ("Caddy", CADDY, lambda conf: ["/usr/bin/caddy", "run", "--config", conf, "--adapter",
                                           "caddyfile"])):
        program = {"nginx": "/usr/sbin/nginx", "HAProxy": "/usr/sbin/haproxy", "Caddy": "/usr/bin/caddy"}[name]
        yield name, program, lambda name=name, template=template, command=command: proxies.peer(
            lab, name.lower(), template, command)


# ---- the questions --------------------------------------------------------------------------------

def exchange(front, target, headers=(), host=NAME):
    """(status, or None when the connection ended) of one request."""
    with Connection(front.address, timeout=10) as client:
        try:
            return client.request(target, headers=headers, host=host)
        except (Closed, OSError):
            return None


TARGETS = ("/MyApp/~x", "/MyApp/%7Ex", "/MyApp/a%2Fb", "/MyApp//b", "/MyApp/a;b=c", "/MyApp/'()!*",
           "/MyApp/%C3%A9", "/MyApp/%c3%a9", "/MyApp/a%25b", "/MyApp/a?", "/MyApp/a?x=%2F&y=~",
           "/MyApp/a%20b", "/MyApp/a%26b", "/MyApp/a+b", "/MyApp/%41")


def paths(front, backend):
    """Request-targets that reach the app server byte for byte."""
    good = 0
    for target in TARGETS:
        backend.reset()
        exchange(front, target)
        good += [message.target for message in backend.requests] == [target]
    return good, len(TARGETS)


# All of these are /ServiceCenter to IIS, which takes \, %5c and %2f for slashes and minds no case.
WALKS = ("/ServiceCenter/", "/servicecenter/", "//ServiceCenter/", "/%53erviceCenter/", "/ServiceCenter%2f",
         "/MyApp/../ServiceCenter/", "/MyApp/%2e%2e/ServiceCenter/", "/MyApp/..%2fServiceCenter/",
         "/MyApp/..%5cServiceCenter/", "/MyApp/%2e%2e%2fServiceCenter/", "/MyApp%5c..%5cServiceCenter/",
         "/%5cServiceCenter/", "/MyApp\\..\\ServiceCenter/")


def walks(front, backend):
    """Ways around the rule that closes /ServiceCenter: requests that reach the app server."""
    through = 0
    for target in WALKS:
        backend.reset()
        exchange(front, target)
        through += bool(backend.requests)
    return through, len(WALKS)


LIES = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Host", "evil.example"),
        ("X_Forwarded_Proto", "https"), ("X-Forwarded-Server", "evil.example")]


def lies(front, backend):
    """Fields that a client made up and that the app server gets to see."""
    seen = 0
    for name, value in LIES:
        backend.reset()
        exchange(front, "/MyApp/", [(name, value)])
        message = backend.the_request()
        seen += any(value in element for element in message.all(name))
    return seen, len(LIES)


OFFERS = (["Negotiate", "NTLM"], ["Negotiate, NTLM"], ['Basic realm="a, Negotiate b", Negotiate, NTLM'],
          ["NTLM", "Negotiate", 'Digest realm="x", nonce="n"'])


def offers(front, backend):
    """Challenges of the app server from which Negotiate is gone and all else is left."""
    good = 0
    for lines in OFFERS:
        backend.reset()
        backend.answer = Answer(401, [("WWW-Authenticate", line) for line in lines])
        answer = exchange(front, "/MyApp/")
        text = ", ".join(answer.all("WWW-Authenticate")) if answer else ""
        bare = text.replace("a, Negotiate b", "")
        good += "Negotiate" not in bare and "NTLM" in bare and all(
            word in text for word in ("Basic", "Digest") if any(word in line for line in lines))
    return good, len(OFFERS)


IDLE = 29


def idle(front, backend):
    """Whether a connection answers after 29 s of idleness."""
    backend.reset()
    with Connection(front.address, timeout=10) as client:
        client.request("/MyApp/")
        time.sleep(IDLE)
        try:
            return int(client.request("/MyApp/").status == 200), 1
        except (Closed, OSError):
            return 0, 1


QUESTIONS = (
    ("request-targets kept byte for byte", paths),
    ("ways around a closed path", walks),
    ("made-up X-Forwarded fields let through", lies),
    ("challenges without Negotiate, NTLM kept", offers),
    (f"idle connections alive after {IDLE} s", idle),
)


def measure(lab, backend, make, results):
    with make() as front:
        for text, question in QUESTIONS:
            results[text] = question(front, backend)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table, threads, backends = {}, [], []
    dummy = SimpleNamespace(backends=[SimpleNamespace(address="127.0.0.1", url=lambda _: "http://127.0.0.1")],
                            host=NAME)
    for number, (title, program, _) in enumerate(peers(dummy)):
        if program and not Path(program).exists():
            print(f"not installed: {title}", file=sys.stderr)
            continue
        backend = Backend()
        backends.append(backend)
        lab = SimpleNamespace(host=NAME, backends=[
            SimpleNamespace(address=backend.address, url=lambda _scheme, at=backend: at.url)])
        make = list(peers(lab))[number][2]
        table[title] = {}
        threads.append(threading.Thread(target=measure, args=(lab, backend, make, table[title])))
    for thread in threads:      # at once: they wait for most of the time
        thread.start()
    for thread in threads:
        thread.join()
    for backend in backends:
        backend.close()
    if options.json:
        print(json.dumps(table))
    else:
        print("| proxy | " + " | ".join(text for text, _ in QUESTIONS) + " |")
        print("|---" * (len(QUESTIONS) + 1) + "|")
        for title, row in table.items():
            print(f"| {title} | " + " | ".join(
                "{} of {}".format(*row[text]) if text in row else "?" for text, _ in QUESTIONS) + " |")
    return 0 if all(len(row) == len(QUESTIONS) for row in table.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
