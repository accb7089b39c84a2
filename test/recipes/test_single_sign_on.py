"""conf.d/recipes/single-sign-on.conf against a certified OpenID Connect provider: whole sign-ins by a client
with cookies, who the app is told to serve, and who is not sent to the provider."""
import re
import subprocess
from urllib.parse import quote, urlsplit

import pytest

from identity_provider import SECRET, IdentityProvider
from lab.clients import Front
from lab.clients.chromium import Chromium, Window
from osptest import ask, tls
from recipe import forged, remote_users as users

URL = "https://apps.example.com"
FORGED = forged("mallory")
FORGED_ARGS = [word for name, value in FORGED for word in ("-H", f"{name}: {value}")]
PAGE = [("Accept", "text/html")]
SERVICE = "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems"


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    with IdentityProvider(tmp_path_factory.mktemp("provider"), URL) as running:
        yield running


@pytest.fixture(scope="module")
def front(serve, app, provider, tmp_path_factory):
    secrets = tmp_path_factory.mktemp("secrets") / "secrets"
    secrets.write_text(f"OIDCClientSecret {SECRET}\nOIDCCryptoPassphrase encrypts-cookies-of-the-test\n")
    return serve("single-sign-on", OSP_SERVER=app.address, OSP_ISSUER=provider.issuer,
                 OSP_AUTHORITIES=str(tls.authority().cert), OSP_SECRETS=str(secrets),
                 h2=True)


class Browser:
    """curl with cookies and redirects, at the front end and at the provider."""

    def __init__(self, front, folder):
        self.front, self.jar = front, folder / "cookies"

    def go(self, url, *args, follow=True):
        """(status, where it ended, page)."""
        command = ["curl", "-sS", "--max-time", "30", "--cacert", str(tls.authority().cert),
                   "--resolve", f"apps.example.com:443:{self.front.address}",
                   "--resolve", f"apps.example.com:80:{self.front.address}", "-b", self.jar, "-c", self.jar,
                   "-H", "Accept: text/html", "-w", "\n%{http_code} %{url_effective} %{redirect_url}",
                   *(["-L", "--max-redirs", "10"] if follow else []), *args, url]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        page, _, last = done.stdout.rpartition("\n")
        status, where, onward = last.split(" ")
        return int(status), onward or where, page

    def submit(self, where, page, **fields):
        """The form of the provider's page."""
        action = re.search(r'action="([^"]+)"', page)[1]
        prompt = re.search(r'name="prompt" value="([^"]+)"', page)[1]
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(where))
        data = [word for name, value in {"prompt": prompt, **fields}.items()
                for word in ("--data-urlencode", f"{name}={value}")]
        return self.go(action if action.startswith("https:") else origin + action, *data)

    def sign_in(self, user, target="/Portal/Home.aspx?a=1"):
        status, where, page = self.go(URL + target)
        assert status == 200 and 'value="login"' in page and not where.startswith(URL), (where, page)
        status, where, page = self.submit(where, page, login=user, password="x")
        if 'value="consent"' in page:
            status, where, page = self.submit(where, page)
        assert (status, where) == (200, URL + target), (where, page)
        return page


@pytest.fixture
def browser(front, tmp_path):
    return Browser(front, tmp_path)


def test_a_user_signs_in_at_the_provider_and_comes_back(browser, app):
    assert "hello from the app server" in browser.sign_in("alice")
    arrived = app.the_request()
    assert arrived.target == "/Portal/Home.aspx?a=1" and users(arrived) == [("X-Remote-User", "alice")]
    assert not arrived.all("Authorization")
    assert not [name for name, _ in arrived.headers if name.lower().startswith("oidc")]
    assert "osproxy_session" not in arrived.raw.decode("latin-1")


def test_the_session_lasts_and_names_nobody_else(browser, app, front, tmp_path):
    browser.sign_in("alice")
    for path in ("/Portal/Home.aspx", "/MyApp/", SERVICE):
        app.reset()
        status, _, _ = browser.go(URL + path, *FORGED_ARGS, "-H", "OutSystems-client-env: browser")
        assert status == 200 and users(app.the_request()) == [("X-Remote-User", "alice")]
    (tmp_path / "other").mkdir()
    other = Browser(front, tmp_path / "other")
    other.sign_in("bob")
    app.reset()
    other.go(f"{URL}/Portal/")
    browser.go(f"{URL}/Portal/")
    assert [users(message)[0][1] for message in app.requests] == ["bob", "alice"]


def test_cookies_are_kept_from_scripts_and_other_sites(browser, front):
    browser.sign_in("alice")
    line, = [line for line in browser.jar.read_text().splitlines() if "osproxy_session" in line]
    assert line.startswith("#HttpOnly_apps.example.com") and line.split("\t")[3] == "TRUE"


@pytest.mark.parametrize("client", ["https", "h2"])
def test_a_stranger_is_sent_to_the_provider(front, app, provider, client):
    for path in ("/Portal/Home.aspx", "/MyApp/", "/myapp/Home", "/Portal"):
        answer = ask(front.address, client, path, headers=[(n.lower(), v) for n, v in PAGE + FORGED])
        assert answer.status == 302 and answer.get("location").startswith(f"{provider.issuer}/auth?")
        assert "code_challenge_method=S256" in answer.get("location")
    assert app.requests == []


@pytest.mark.parametrize("target, headers", [
    (SERVICE, [("OutSystems-client-env", "browser"), ("X-CSRFToken", "x")]), (SERVICE, []), (SERVICE, PAGE),
    ("/MyApp/Home", [("X-Requested-With", "XMLHttpRequest")]),
    ("/Portal/Home.aspx", [("Sec-Fetch-Mode", "cors"), *PAGE])])
@pytest.mark.parametrize("client", ["https", "h2"])
def test_scripts_get_401_and_no_redirect(front, app, client, target, headers):
    front.log.allow("auth_openidc")
    answer = ask(front.address, client, target, method="POST", body=b"{}",
                 headers=[(n.lower(), v) for n, v in headers + FORGED])
    assert answer.status == 401 and not answer.all("Location") and app.requests == []
    assert not [cookie for cookie in answer.all("Set-Cookie") if "state" in cookie]


@pytest.mark.parametrize("target, headers", [
    ("/MyApp/moduleservices/moduleversioninfo?1", []),
    ("/MyApp/rest/Orders/v1", [("Authorization", "Bearer x")]),
    (SERVICE, [("OutSystems-client-env", "native")]), ("/Echo/", PAGE), ("/PortalX/", PAGE),
    ("/MyApp/scripts/OutSystems.js?hash", [("User-Agent", "Mozilla/5.0 OutSystemsApp v.1.0")])])
def test_programs_and_native_apps_pass_without_a_name(front, app, target, headers):
    answer = ask(front.address, "https", target, headers=headers + FORGED)
    assert answer.status == 200 and users(app.the_request()) == []
    assert app.the_request().all("Authorization") == [v for n, v in headers if n == "Authorization"]


def test_a_session_names_nobody_where_none_is_asked_for(browser, app):
    browser.sign_in("alice")
    app.reset()
    browser.go(f"{URL}/Echo/", *FORGED_ARGS)
    assert users(app.the_request()) == []


def test_connection_does_not_take_the_name_away(browser, app):
    browser.sign_in("alice")
    app.reset()
    browser.go(f"{URL}/Portal/", "--http1.1", "-H", "Connection: X-Remote-User, keep-alive")
    assert users(app.the_request()) == [("X-Remote-User", "alice")]


def test_cookies_of_nobodys_making_open_nothing(front, app):
    front.log.allow("auth_openidc")
    for value in ("alice", "", "00000000-0000-0000-0000-000000000000"):
        cookie = ("Cookie", f"osproxy_session={value}")
        answer = ask(front.address, "https", "/Portal/", headers=[cookie, *PAGE])
        assert answer.status == 302 and app.requests == []


@pytest.mark.parametrize("query", ["?code=x&state=y", "?code=x", "?error=access_denied&state=y", ""])
def test_a_forged_way_back_signs_nobody_in(front, app, query):
    front.log.allow("auth_openidc")
    answer = ask(front.address, "https", f"/oidc/callback{query}", headers=PAGE)
    assert app.requests == [] and b"hello" not in answer.body     # an error page, whatever its status
    assert not [cookie for cookie in answer.all("Set-Cookie") if re.match(r"osproxy_session=.+", cookie)]


def test_an_app_signs_its_user_out(browser, app, front, provider):
    browser.sign_in("alice")
    goodbye = f"{URL}/Portal/Goodbye.aspx"
    status, where, _ = browser.go(f"{URL}/oidc/callback?logout={quote(goodbye, '')}", follow=False)
    assert status == 302 and where.startswith(f"{provider.issuer}/session/end?")
    assert quote(goodbye, "") in where
    app.reset()
    front.log.allow("auth_openidc")
    status, where, _ = browser.go(f"{URL}/Portal/Home.aspx", follow=False)
    assert status == 302 and where.startswith(provider.issuer) and app.requests == []


def test_signing_out_leads_to_no_other_site(browser, front):
    browser.sign_in("alice")
    front.log.allow("auth_openidc")
    for url in ("https://evil.example.net/", "//evil.example.net/", "https://apps.example.com.evil.example.net/"):
        status, where, page = browser.go(f"{URL}/oidc/callback?logout={quote(url, '')}", follow=False)
        assert urlsplit(where).netloc == "apps.example.com" and "not" in page, (status, where, page)


class NoRealm:
    """In the place of the lab: nobody has a ticket here."""
    class kdc:
        env = {}


def test_a_browser_signs_in(front, app):
    with Chromium(Front(front.address), NoRealm, shell=True) as browser:
        window = Window(browser)
        window.load("/Portal/Home.aspx")
        for fields in ({"login": "alice", "password": "x"}, {}):
            for name, value in fields.items():
                window.evaluate(f"document.querySelector('[name={name}]').value = '{value}'")
            window.follow("[type=submit]")
        assert window.evaluate("location.href") == f"{URL}/Portal/Home.aspx"
        assert "hello from the app server" in window.evaluate("document.documentElement.innerText")
        status = window.evaluate(f"fetch('{SERVICE}', {{method: 'POST', headers: {{'X-CSRFToken': 'x'}}, "
                                 "body: '{}'}).then(answer => answer.status)")
        call, = [message for message in app.requests if message.method == "POST"]
        assert status == 200 and users(call) == [("X-Remote-User", "alice")]


def test_plain_http_is_sent_to_https(front, app):
    answer = ask(front.address, "http", "/Portal/Home.aspx", headers=PAGE)
    assert answer.status == 308 and answer.get("Location") == f"{URL}/Portal/Home.aspx"
    assert app.requests == []
