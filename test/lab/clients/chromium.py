"""Headless Chromium, driven over its debugging pipe, through a Front.

A browser is started with or without a user's Kerberos ticket. Each page() has a profile of its own
and tells what the browser saw: the status and protocol of the answer, the page, and the prompts
for a name and a password, which it answers as told.

Two entries of its Local State stand for what a policy file would say: the GSSAPI library may be
loaded at once (Chromium waits for a first Negotiate challenge and a restart), and the SPN is made
from the name in the URL, not from the address that it is mapped to.
"""
import base64
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

from ..backend import DOMAIN
from ..world import owner

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --disable-extensions
    --disable-dev-shm-usage --disable-breakpad --no-zygote --mute-audio
    --ignore-certificate-errors --disable-features=NetworkServiceSandbox,HttpsUpgrades
    --remote-debugging-pipe""".split()
LOCAL_STATE = {"auth": {"disable_negotiate_cname_lookup": True},
               "net": {"received_http_auth_negotiate_headers": True}}


@dataclass
class Page:
    text: str = ""              # what the page shows
    error: str = ""             # net::ERR_…, or "" when a page came
    status: int = 0             # of the answer that is shown
    protocol: str = ""          # "h2" or "http/1.1"
    prompts: list = field(default_factory=list)     # schemes that a password was asked for
    fetched: list = field(default_factory=list)     # texts that the page then fetched, all at once

    @property
    def user(self):
        """Whom the stand-in's page was made for."""
        found = re.search(r'{"user":.*?}', self.text)
        return owner(json.loads(found[0])["user"]) if found else ""


class Chromium:
    """A context manager; ticket: the user whose Kerberos ticket there is. shell: the build without a desktop
    browser around it, where it is installed: the same pages for a fifth of the work, but no Local State."""

    def __init__(self, front, lab, *, ticket=None, shell=False):
        self.front, self.lab, self.ticket = front, lab, ticket
        self._program = shell and shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
        self._number = 0
        self._buffer = b""

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="osptest-chromium-")
        with open(f"{self.home}/Local State", "w") as file:
            json.dump(LOCAL_STATE, file)
        cache = self.lab.ticket(self.ticket) if self.ticket else f"{self.home}/no-ticket"
        env = {**os.environ, **self.lab.kdc.env, "KRB5CCNAME": f"FILE:{cache}", "HOME": self.home}
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()

        def pipes():        # 3 and 4, as --remote-debugging-pipe wants them
            os.dup2(os.dup2(theirs_in, 100), 3)
            os.dup2(os.dup2(theirs_out, 101), 4)

        os.set_inheritable(theirs_in, True)
        os.set_inheritable(theirs_out, True)
        self._log = open(f"{self.home}/log", "wb")
        self._process = subprocess.Popen(
            [self._program, *FLAGS, f"--user-data-dir={self.home}",
             f"--auth-server-allowlist={self.front.host}",
             f"--host-resolver-rules=MAP {self.front.host} {self.front.address}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=env, close_fds=False,
            preexec_fn=pipes, start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        return self

    def __exit__(self, *_):
        try:
            self._call("Browser.close")
            self._process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, 9)
            self._process.wait()
        for descriptor in (self._in, self._out):
            os.close(descriptor)
        self._log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def pages(self, *targets, secure=False, password_of=None, also=(), limit=60):
        """The pages of these targets, one after the other in one profile. password_of: the user
        whose name and password are given at the prompt; None cancels it. also: what the last page
        fetches."""
        context = self._call("Target.createBrowserContext")["browserContextId"]
        target = self._call("Target.createTarget", url="about:blank",
                            browserContextId=context)["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for method in ("Page.enable", "Network.enable"):
            self._call(method, session=session)
        self._call("Fetch.enable", session=session, handleAuthRequests=True)
        seen = [self._load(session, target, secure, password_of, limit) for target in targets]
        if also:
            self._call("Fetch.disable", session=session)
            code = f"Promise.all({json.dumps(also)}.map(t => fetch(t).then(r => r.text())))"
            done = self._call("Runtime.evaluate", session=session, expression=code,
                              awaitPromise=True, returnByValue=True)
            seen[-1].fetched = done["result"].get("value", [])
        self._call("Target.disposeBrowserContext", browserContextId=context)
        return seen

    def page(self, target="/WinAuth/", **options):
        return self.pages(target, **options)[0]

    def _load(self, session, target, secure, password_of, limit):
        scheme = "https" if secure else "http"
        url = f"{scheme}://{self.front.host}{target}"
        page = Page()
        number = self._send("Page.navigate", session=session, url=url)
        end = time.monotonic() + limit
        answered = loaded = False
        while not (answered and loaded):
            event = self._receive(end)
            if event.get("id") == number:
                answered = True
                page.error = event.get("result", {}).get("errorText", "")
            if event.get("sessionId") != session:
                continue
            method, said = event.get("method"), event.get("params")
            if method == "Fetch.requestPaused":
                self._send("Fetch.continueRequest", session=session, requestId=said["requestId"])
            elif method == "Fetch.authRequired":
                page.prompts.append(said["authChallenge"]["scheme"].lower())
                again = len(page.prompts) > 1
                reply = {"response": "CancelAuth"} if again or not password_of else {
                    "response": "ProvideCredentials", "username": f"{DOMAIN}\\{password_of}",
                    "password": self.lab.password(password_of)}
                self._send("Fetch.continueWithAuth", session=session, requestId=said["requestId"],
                           authChallengeResponse=reply)
            elif method == "Network.responseReceived" and said["type"] == "Document":
                page.status = said["response"]["status"]
                page.protocol = said["response"].get("protocol", "")
            elif method == "Page.loadEventFired":
                loaded = True
        shown = self._call("Runtime.evaluate", session=session,
                           expression="document.documentElement.innerText")
        page.text = shown["result"].get("value", "")
        return page

    # ---- the debugging protocol

    def _send(self, method, session=None, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return self._number

    def _call(self, method, session=None, **params):
        number = self._send(method, session, **params)
        end = time.monotonic() + 60
        while True:
            message = self._receive(end)
            if message.get("id") == number:
                if "error" in message:
                    raise OSError(f"{method}: {message['error']}")
                return message["result"]

    def _receive(self, end):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise TimeoutError(self.log())
            data = os.read(self._in, 1 << 16)
            if not data:
                raise OSError("Chromium has ended: " + self.log())
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def log(self):
        with open(f"{self.home}/log", encoding="latin-1") as file:
            return file.read()[-2000:]


# Runs before a page's own script: notes what its policy refuses, and keeps what it does on a timer.
WATCHING = """window.refused = []; window.timers = [];
document.addEventListener('securitypolicyviolation', e => refused.push(e.violatedDirective));
window.setInterval = f => timers.push(f);"""


class Window:
    """One window of a browser, of a desktop's or a phone's size, light or dark."""

    def __init__(self, browser, *, width=1280, height=900, phone=False, dark=False):
        self._browser = browser
        context = browser._call("Target.createBrowserContext")["browserContextId"]
        target = browser._call("Target.createTarget", url="about:blank",
                               browserContextId=context)["targetId"]
        self._session = browser._call("Target.attachToTarget", targetId=target,
                                      flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.addScriptToEvaluateOnNewDocument", source=WATCHING)

    def call(self, method, **params):
        return self._browser._call(method, self._session, **params)

    def load(self, target, limit=60):
        """Opens a page of the front and waits until it is there."""
        self._browser._send("Page.navigate", self._session,
                            url=f"http://{self._browser.front.host}{target}")
        self._await_load(limit)

    def _await_load(self, limit):
        end = time.monotonic() + limit
        while True:
            event = self._browser._receive(end)
            if event.get("sessionId") == self._session and \
                    event.get("method") == "Page.loadEventFired":
                return

    def evaluate(self, code):
        done = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise AssertionError(done["exceptionDetails"])
        return done["result"].get("value")

    def follow(self, selector, limit=60):
        """Clicks on a link and waits until its page is there."""
        self._browser._send("Runtime.evaluate", self._session,
                            expression=f"document.querySelector({json.dumps(selector)}).click()")
        self._await_load(limit)

    def screenshot(self, path, whole=False):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
