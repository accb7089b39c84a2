"""conf.d/recipes/security-headers.conf: every header once, the platform's own where it sends one."""
import pytest

from osptest import Answer, addresses, ask

OURS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Strict-Transport-Security": "max-age=86400",
}
THEIRS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors https://portal.example.com",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
HSTS, CSP = "Strict-Transport-Security", "Content-Security-Policy"
NR2 = "nr2Users=crf%3d1; path=/"


@pytest.fixture(scope="module")
def front(serve, app):
    return serve(several={"security-headers": {}, "https-offload": {"OSP_SERVER": app.address}},
                 h2=True, after="OSProxyModule MyApp reactive\n")


@pytest.fixture(scope="module")
def dead(serve):
    """The same in front of nobody."""
    return serve(several={"security-headers": {}, "https-offload": {"OSP_SERVER": addresses.next()}})


def expected(client, theirs):
    """Name to the values that must be there, when the app server sends these."""
    wanted = {name: [theirs.get(name, value)] for name, value in OURS.items()}
    if CSP in theirs and "X-Frame-Options" not in theirs:
        wanted["X-Frame-Options"] = []
    if client == "http" and HSTS not in theirs:
        wanted[HSTS] = []
    return wanted


def check(answer, wanted):
    assert {name: answer.all(name) for name in wanted} == wanted


STATUSES = [200, 302, 304, 401, 403, 404, 500, 502, 503]


@pytest.mark.parametrize("client", ["http", "https", "h2"])
@pytest.mark.parametrize("sent, statuses", [("none", STATUSES), ("all", STATUSES),
                                            *((name, [200, 404]) for name in THEIRS)])
def test_each_header_once_in_answers_of_the_app_server(front, app, client, sent, statuses):
    theirs = THEIRS if sent == "all" else {sent: THEIRS[sent]} if sent in THEIRS else {}
    for status in statuses:
        extra = {401: [("WWW-Authenticate", "Basic realm=a")], 302: [("Location", "/Portal/")]}
        app.answer = Answer(status, [*theirs.items(), *extra.get(status, [])])
        answer = ask(front.address, client, "/Portal/x")
        assert answer.status == status
        wanted = expected(client, theirs)
        if status == 304:   # httpd sends few headers with it; what it sends stands there once
            wanted = {name: values if answer.all(name) else [] for name, values in wanted.items()}
        check(answer, wanted)


@pytest.mark.parametrize("client", ["http", "https", "h2"])
def test_each_header_once_in_refusals_of_the_proxy(front, client):
    front.log.expect("AH01630")
    answer = ask(front.address, client, "/ServiceCenter/")
    assert answer.status == 403
    check(answer, expected(client, {}))


def test_each_header_once_in_redirects_of_the_proxy(front):
    answer = ask(front.address, "http", "/MyApp/")
    assert answer.status == 308
    check(answer, expected("http", {}))


@pytest.mark.parametrize("client", ["http", "https"])
def test_each_header_once_when_the_app_server_is_gone(dead, client):
    dead.log.expect("AH00957|AH01114|AH00940")
    dead.log.allow("AH00959|AH01114|AH00940")
    answer = ask(dead.address, client, "/Portal/")
    assert answer.status == 503
    check(answer, expected(client, {}))


def test_each_header_once_when_the_app_server_breaks_off(front, app):
    front.log.allow("AH01102|AH00898|AH01110")
    app.answer = Answer(raw=b"", close=True)
    answer = ask(front.address, "https", "/Portal/")
    assert answer.status == 502
    check(answer, expected("https", {}))


def cookies(front, app, client, *lines, status=200, **request):
    app.answer = Answer(status, [("Set-Cookie", line) for line in lines])
    return ask(front.address, client, "/Portal/x", **request).all("Set-Cookie")


@pytest.mark.parametrize("status", [200, 302, 403])
def test_cookies_get_flags_and_never_httponly(front, app, status):
    given = [NR2, "nr1Users=a; path=/; HttpOnly", "osVisit=secure; path=/"]
    assert cookies(front, app, "https", *given, status=status) == [
        "nr2Users=crf%3d1; path=/; Secure; SameSite=Lax",
        "nr1Users=a; path=/; HttpOnly; Secure; SameSite=Lax",
        "osVisit=secure; path=/; Secure; SameSite=Lax"]


def test_flags_of_the_platform_stay_alone(front, app):
    given = ["nr2Users=a; path=/; secure; SameSite=None", "a=b; SECURE ; samesite=Strict",
             "c=d;Secure; SameSite=Lax"]
    assert cookies(front, app, "https", *given) == given


def test_cookies_of_plain_http_are_not_lost(front, app):
    assert cookies(front, app, "http", NR2) == [NR2 + "; SameSite=Lax"]


@pytest.mark.parametrize("headers", [[("User-Agent", "Mozilla/5.0 (iPhone) OutSystemsApp v.1.0")],
                                     [("OutSystems-client-env", "native")]])
def test_native_apps_keep_cookies_across_sites(front, app, headers):
    assert cookies(front, app, "https", NR2, headers=headers) == [NR2 + "; Secure"]


def test_the_login_of_the_demo_farm_is_not_hidden_from_scripts(serve, apps):
    front = serve(several={"security-headers": {}, "https-offload": {"OSP_SERVER": apps("1").hosts[0]}})
    answer = ask(front.address, "https", "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems",
                 method="POST", body=b"{}")
    nr1, nr2 = answer.all("Set-Cookie")
    assert answer.status == 403 and "HttpOnly" in nr1
    assert "HttpOnly" not in nr2 and nr2.startswith("nr2Users=")
