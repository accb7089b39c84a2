"""conf.d/recipes/http-redirection.conf: port 80 answers with 308 to https and nothing else, but for what
renews certificates. In front of https-offload's port 443, as a reader would combine them."""
import json
import shutil

import pytest

from osptest import ask, curl, raw, tls
from osptest.place import server_directory

TOKEN = "/.well-known/acme-challenge/kVSUPJG2Cdk"
# As clients may write them: httpd's own Redirect would change most of these.
PATHS = ("/", "/MyApp/", "/Portal/Home.aspx?Id=1&Name=%C3%A4", "/ImageRepository/img/logo.png?1", "/a%7Eb//c",
         "/Portal/x%2Fy", "/a%3Fb", "/a%3Fb?c", "/MyApp/%25c", "/ServiceCenter/", "/x;v=1?a+b",
         "//evil.example/")


@pytest.fixture(scope="module")
def farm(apps):
    return apps("1", names=("apps.example.com",))


@pytest.fixture(scope="module")
def webroot():
    """A folder that httpd's children may enter, as pytest's own are not."""
    folder = server_directory()
    answer = folder / TOKEN[1:]
    answer.parent.mkdir(parents=True)
    answer.write_text("kVSUPJG2Cdk.thumbprint\n")
    (folder / "secret.txt").write_text("not for everybody\n")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def front(serve, farm, webroot):
    return serve(several={"http-redirection": {"OSP_WEBROOT": str(webroot)},
                          "https-end-to-end": {"OSP_SERVER": farm.hosts[0],
                                               "OSP_BACKEND_CA": str(tls.authority().cert)}})


@pytest.mark.parametrize("path", PATHS)
def test_the_whole_site_is_sent_to_https_byte_for_byte(front, path):
    for method in ("GET", "HEAD", "POST", "PATCH"):
        answer = ask(front.address, "http", path, method=method)
        assert (answer.status, answer.get("Location")) == (308, f"https://apps.example.com{path}"), method


def test_a_target_with_scheme_and_host_is_sent_to_our_domain(front):
    answer = ask(front.address, "http", "http://apps.example.com/Portal/Home.aspx?x")
    assert answer.get("Location") == "https://apps.example.com/Portal/Home.aspx?x"
    answer = ask(front.address, "http", "http://apps.example.com?x")
    assert answer.get("Location") in ("https://apps.example.com?x", "https://apps.example.com/?x")


@pytest.mark.parametrize("target", [".evil.example/", "@evil.example/", "x.evil.example://h/y", "//evil.example",
                                    "http://evil.example/", "http://evil.example", "*", "http:/evil.example/"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_no_request_target_leads_elsewhere(front, method, target):
    answer = ask(front.address, "http", target, method=method)
    if answer.status == 308:
        place = answer.get("Location").removeprefix("https://apps.example.com")
        assert place == "" or place.startswith("/")
    elif answer.status == 200:      # OPTIONS * is about the server itself (RFC 9112 section 3.2.4)
        assert method == "OPTIONS" and target in ("*", "http://evil.example") and answer.body == b""
    else:
        assert answer.status == 400


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "apps.example.com:80"])
def test_any_name_is_sent_to_our_domain(front, host):
    answer = ask(front.address, "http", "/MyApp/", host=host)
    assert (answer.status, answer.get("Location")) == (308, "https://apps.example.com/MyApp/")


def test_a_request_without_host_is_sent_to_our_domain(front):
    answer = raw(front.address, b"GET /MyApp/ HTTP/1.0\r\n\r\n")
    assert (answer.status, answer.get("Location")) == (308, "https://apps.example.com/MyApp/")


def test_certificates_are_renewed_over_http(front):
    answer = ask(front.address, "http", TOKEN)
    assert (answer.status, answer.body) == (200, b"kVSUPJG2Cdk.thumbprint\n")
    assert ask(front.address, "http", TOKEN + "x").status == 404


@pytest.mark.parametrize("path", ["/secret.txt", "/.well-known/acme-challenge/../../secret.txt",
                                  "/.well-known/acme-challenge/%2e%2e/%2e%2e/secret.txt",
                                  "/.well-known/acme-challengex/"])
def test_nothing_else_is_served_over_http(front, path):
    answer = ask(front.address, "http", path)
    assert answer.status in (308, 400) and b"not for everybody" not in answer.body


def test_a_post_stays_a_post(front, farm):
    """curl follows the redirect as RFC 9110 section 15.4.9 says: same method, same body."""
    code, text, errors = curl(front.address, "http://apps.example.com/Echo/form.aspx?a=%7E", "--location",
                              "--data", "Text=hello")
    assert code == 0, errors
    arrived = json.loads(text)
    assert (arrived["method"], arrived["target"], arrived["body_length"]) == \
        ("POST", "/Echo/form.aspx?a=%7E", len("Text=hello"))
    assert arrived["protocol"] == "https"


def test_app_servers_hear_nothing_of_port_80(front, farm):
    ask(front.address, "http", "/Portal/Home.aspx?over=http")
    ask(front.address, "https", "/Portal/Home.aspx?over=https")
    ask(front.address, "https", "/Portal/Home.aspx?last")      # what came before it is in the log
    assert "GET /Portal/Home.aspx?over=https" in farm.requests()
    assert "GET /Portal/Home.aspx?over=http" not in farm.requests()
