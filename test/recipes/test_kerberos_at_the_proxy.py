"""conf.d/recipes/kerberos-at-the-proxy.conf against a real KDC: who has a ticket is known to the app, who
has none is no stranger's prisoner, and nobody is whom they claim to be in a header."""
import base64
import json
import os
import re
import shutil

import gssapi
import pytest

from lab.world import Lab
from osptest import Answer, Connection, ask, curl, raw
from osptest.place import server_user
from recipe import forged, remote_users as users

FORGED = forged("mallory@OSPROXY.TEST")
URL = "https://apps.example.com"


@pytest.fixture(scope="module")
def realm():
    with Lab(0, backends=(), hosts=("apps.example.com",)) as lab:
        yield lab


@pytest.fixture(scope="module")
def keytab(realm):
    path = shutil.copy(realm.kdc.keytab, realm.dir / "http.keytab")
    shutil.chown(path, "root", server_user()[1])
    os.chmod(path, 0o640)
    return path


@pytest.fixture(scope="module")
def start(serve, realm, keytab):
    def run(server, **options):
        return serve("kerberos-at-the-proxy", OSP_SERVER=server, OSP_KEYTAB=str(keytab), h2=True,
                     env=realm.kdc.env, **options)
    return run


@pytest.fixture(scope="module")
def front(start, app):
    """For internal clients."""
    return start(app.address, before="OSProxyInternal 127.0.0.0/8\n")


@pytest.fixture(scope="module")
def outside(start, app):
    """The same for the world."""
    return start(app.address)


@pytest.fixture
def ticket(realm, monkeypatch):
    def take(user):
        monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.ticket(user)}")
    return take


def token(realm, user):
    """What a browser writes: a Negotiate token for the proxy."""
    store = {"ccache": f"FILE:{realm.ticket(user)}"}
    name = gssapi.Name("HTTP@apps.example.com", gssapi.NameType.hostbased_service)
    context = gssapi.SecurityContext(name=name, creds=gssapi.Credentials(usage="initiate", store=store),
                                     mech=gssapi.MechType.kerberos, usage="initiate")
    return "Negotiate " + base64.b64encode(context.step()).decode()


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_who_has_a_ticket_is_known_to_the_app(front, app, ticket, user):
    ticket(user)
    code, out, err = curl(front.address, f"{URL}/Portal/Home.aspx", "--negotiate", "-u", ":", "-D", "-",
                          *(word for name, value in FORGED for word in ("-H", f"{name}: {value}")))
    assert code == 0 and " 200 " in out, (out, err)
    arrived = app.requests[-1]
    assert users(arrived) == [("X-Remote-User", f"{user}@OSPROXY.TEST")]
    assert not arrived.all("Authorization") and not arrived.all("Cookie")


@pytest.mark.parametrize("client", ["https", "h2"])
def test_a_token_is_good_on_the_first_request(front, app, realm, client):
    answer = ask(front.address, client, "/MyApp/", headers=[("authorization", token(realm, "alice"))])
    assert answer.status == 200
    assert users(app.the_request()) == [("X-Remote-User", "alice@OSPROXY.TEST")]
    assert not app.the_request().all("Authorization")


@pytest.mark.parametrize("client", ["https", "h2"])
def test_without_a_ticket_the_proxys_own_challenge_is_whole(front, app, client):
    answer = ask(front.address, client, "/Portal/Home.aspx", headers=[(n.lower(), v) for n, v in FORGED])
    assert answer.status == 401 and answer.all("WWW-Authenticate") == ["Negotiate"]
    assert app.requests == []


@pytest.mark.parametrize("value", ["Negotiate", "Negotiate AAAA", "NTLM TlRMTVNTUAABAAAAB4IIogAAAAA=",
                                   "Basic YWxpY2U6YWxpY2Vwdw==", "Bearer x"])
def test_other_credentials_open_nothing(front, app, value):
    front.log.allow("auth_gssapi:error|NO AUTH DATA|GSS ERROR")
    answer = ask(front.address, "https", "/Portal/Home.aspx", headers=[("Authorization", value)])
    assert answer.status == 401 and app.requests == []


def test_a_session_saves_the_ticket_and_is_nobody_elses(front, app, realm):
    first = ask(front.address, "https", "/Portal/", headers=[("Authorization", token(realm, "bob"))])
    cookie = first.get("Set-Cookie")
    assert re.search(r"(?i)httponly", cookie) and "secure" in cookie and "SameSite=Lax" in cookie
    pair = cookie.partition(";")[0]
    app.reset()
    answer = ask(front.address, "https", "/Portal/", method="POST", body=b"a=1",
                 headers=[("Cookie", f"{pair}; ASP.NET_SessionId=x"), *FORGED])
    assert answer.status == 200
    arrived = app.the_request()
    assert users(arrived) == [("X-Remote-User", "bob@OSPROXY.TEST")]
    assert pair not in arrived.raw.decode("latin-1") and "ASP.NET_SessionId=x" in arrived.get("Cookie")
    for sent, kept in ((pair, []), (f"a=b; {pair}", ["a=b"]), (f"a=b;{pair}; c=d", ["a=b;c=d"]),
                       (f"x{pair}", [f"x{pair}"])):
        app.reset()
        ask(front.address, "https", "/Echo/", headers=[("Cookie", sent)])
        assert app.the_request().all("Cookie") == kept
    app.reset()
    front.log.allow("auth_gssapi|AH01814|AH01842|AH10")
    spoiled = pair[:-8] + ("A" * 8 if not pair.endswith("A" * 8) else "B" * 8)
    for bad in (spoiled, "osproxy_session=alice", ""):
        answer = ask(front.address, "https", "/Portal/", headers=[("Cookie", bad)])
        assert answer.status == 401 and app.requests == []


def test_one_connection_serves_each_request_as_its_own_user(front, app, realm):
    """What a multiplexing hop in front does: identities must not stick to a connection."""
    with Connection(front.address, secure=True) as connection:
        for user in ("alice", "bob", None, "alice"):
            app.reset()
            headers = [("Authorization", token(realm, user))] if user else []
            answer = connection.request("/Portal/", headers=headers)
            assert answer.status == (200 if user else 401)
            assert [value for message in app.requests for _, value in users(message)] == (
                [f"{user}@OSPROXY.TEST"] if user else [])


@pytest.mark.parametrize("path", ["/MyApp/moduleservices/moduleversioninfo", "/MyApp/rest/Orders/v1",
                                  "/OutSystemsUI/css/x.css", "/Echo/", "/PortalX/"])
def test_who_cannot_have_a_ticket_passes_without_a_name(front, app, path):
    answer = ask(front.address, "https", path, headers=[*FORGED, ("Authorization", "Bearer app-token")])
    assert answer.status == 200 and users(app.the_request()) == []
    assert app.the_request().all("Authorization") == ["Bearer app-token"]


def test_native_apps_are_not_trapped(front, app):
    answer = ask(front.address, "https", "/MyApp/screenservices/MyApp/x", method="POST", body=b"{}",
                 headers=[("OutSystems-client-env", "native"), *FORGED])
    assert answer.status == 200 and users(app.the_request()) == []


@pytest.mark.parametrize("client", ["https", "h2"])
def test_external_clients_are_not_trapped_and_have_no_name(outside, app, realm, client):
    app.answer = Answer()
    for headers in (FORGED, [("Authorization", token(realm, "alice")), *FORGED]):
        app.requests.clear()
        answer = ask(outside.address, client, "/Portal/Home.aspx",
                     headers=[(name.lower(), value) for name, value in headers])
        assert answer.status == 200 and not answer.all("WWW-Authenticate")
        assert users(app.the_request()) == [] and not app.the_request().all("Authorization")


def test_external_clients_sign_in_to_the_app_itself(outside, app):
    app.answer = Answer(401, [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM")])
    answer = ask(outside.address, "https", "/Portal/", headers=[("Authorization", "Bearer x")])
    assert answer.all("WWW-Authenticate") == ["NTLM"]
    assert app.the_request().all("Authorization") == ["Bearer x"]


def test_connection_and_trailers_neither_take_nor_give_a_name(front, outside, app, realm):
    ask(front.address, "https", "/Portal/", headers=[("Authorization", token(realm, "alice")),
                                                     ("Connection", "close, X-Remote-User")])
    assert users(app.the_request()) == [("X-Remote-User", "alice@OSPROXY.TEST")]
    app.reset()
    answer = raw(outside.address, b"POST /Portal/ HTTP/1.1\r\nHost: apps.example.com\r\n"
                 b"Trailer: X-Remote-User\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"1\r\na\r\n0\r\nX-Remote-User: mallory\r\n\r\n", secure=True)
    assert answer.status == 200 and users(app.the_request()) == []
    assert b"mallory" not in app.the_request().whole


def test_plain_http_never_asks_for_a_ticket(front, app):
    for path in ("/Portal/Home.aspx?a=1", "/MyApp/", "/Echo/"):
        answer = ask(front.address, "http", path)
        assert answer.status == 308 and answer.get("Location") == f"{URL}{path}"
        assert not answer.all("WWW-Authenticate")
    assert app.requests == []


def test_on_the_demo_farm(start, apps, ticket):
    front = start(apps("1").hosts[0], before="OSProxyInternal 127.0.0.0/8\n")
    ticket("alice")
    code, out, _ = curl(front.address, f"{URL}/Portal/Home.aspx", "--negotiate", "-u", ":")
    assert code == 0 and "__VIEWSTATE" in out
    echoed = json.loads(ask(front.address, "https", "/Echo/", headers=FORGED).body)
    assert not [name for name, _ in echoed["headers"] if name.lower().replace("_", "-") == "x-remote-user"]
