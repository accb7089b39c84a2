"""path-unchanged: the app server receives the bytes of the request line."""
import itertools
from urllib.parse import unquote_to_bytes

import pytest

from osptest import Answer, Connection, addresses, balancer, both
from osptest.conf import ssl_proxy
from osptest.ways import KEEPS_PATH, WAYS, all_ways, server_of, ways_for

# What follows /<module>/: it must arrive as it is.
TARGETS = [
    "%7Euser", "~user", "a//b", "a///", "/", "//x", "a%2Fb", "a%2fb%2F", "100%25", "a%25c",
    "a%2525", "%252e%252e/x", "a;b=c", "a;", ";", "x;a/y;b", "'()!*", "%27%28%29%21%2a", "?", "a?",
    "a??", "a?b", "a?b=%2F%7E", "a?b=/../c", "a?b='()!*&c=|^", "a?%", "%C3%A9", "%c3%a9",
    "%E2%82%AC?x=%e2%82%ac", "%e9", "a%20b", "a+b", "a:b@c&d=e$f,g", "a%3Ab", "%5B%5D", "[]", "a|b",
    "a^b", "a`b", "{a}", "a\"b", "<a>", "a..b", "...", ".../a", "..a", "a..", ".a", "a.", "%2ea",
    "a%2eb", "..%61", "%41%42", "-._~", "a=b", "\xe9", "Item/1", "scripts/X.js?eq9LGmzdgJbMq6db_+A",
    "moduleservices/moduleinfo?cached",
]
KINDS = {"U": None, "R": "reactive", "M": "mobile", "T": "traditional"}
DENIED = "<Location /ServiceCenter>\nRequire all denied\n</Location>\n"


def site(mpm, farm, head="OSProxyEngine On", extra=""):
    """Each way for each kind of module: /R<way>/ is Reactive; the rest of the site is mapped."""
    body = "ProxyPreserveHost On\n" + ssl_proxy() + DENIED + extra
    for letter, kind in KINDS.items():
        body += all_ways(mpm, farm, letter)
        if kind and head:
            body += "".join(f"OSProxyModule {letter}{way} {kind}\n" for way in ways_for(mpm))
    url = farm["http"].url
    moved = {"/apps/RProxyPass/": "/RProxyPass/", "/RMoved/": "/other/", "/UMoved/": "/there/",
             "/TMoved/": "/there/", "/apps/T/": "/TMoved/", "/MMoved/": "/x/MMoved/",
             "/RSlash/": "/RSlash"}
    body += "".join(f"ProxyPass {path} {url}{to}\n" for path, to in moved.items())
    body += "".join(f"ProxyPass /{letter}SetHandler/ !\n" for letter in KINDS)
    body += f"RewriteRule ^/RRewritten/(.*)$ {url}/RRewritten/x/$1 [P]\n"
    body += f"ProxyPass /encoded/ {url}/%52Moved%2f nocanon\n"
    body += f"ProxyPassMatch ^/RMatched/([^/]*)/(.*)$ {url}/RMatched/$2\n"
    body += balancer("based", f"{url}/base") + "ProxyPass /RBased/ balancer://based/RBased/\n"
    body += "RewriteRule ^/RPassed/old$ /RPassed/new [PT]\n"
    body += f"ProxyPass /failover/ balancer://failover/failover/\nProxyPass / {url}/\n"
    body += balancer("failover", f"http://{addresses.next()}", url, options="lbset=0 retry=0")
    if head:
        body += "OSProxyModule TMoved traditional\nOSProxyModule MMoved mobile\n"
        body += "".join(f"OSProxyModule R{name} reactive\n" for name in (
            "Moved", "Slash", "Rewritten", "Matched", "Based", "Passed"))
        for way in ("off", "report"):
            rule = 'off "the site decides"' if way == "off" else "report"
            body += f"<Location /UProxyPass/{way}/>\nOSProxyRule path-unchanged {rule}\n</Location>"
            body += f"\n<Location /RMoved/{way}/>\nOSProxyRule path-unchanged {rule}\n</Location>\n"
    return lambda address: both(address, body, head=head)


@pytest.fixture(scope="module")
def front(start, mpm, farm):
    # That plain http is redirected is another rule's business.
    extra = 'OSProxyRule domain-https off "a test of paths"\n'
    return start(site(mpm, farm, extra=extra))


@pytest.fixture(scope="module")
def plain(start, mpm, farm):
    return start(site(mpm, farm, head=""), module=False)


def received(httpd, server, targets, client="http", **options):
    """What the app server saw for each target; the status where it saw nothing."""
    seen = {}
    for target in targets:
        before = len(server.requests)
        answer = httpd.ask(client, target, **options)
        new = server.requests[before:]
        seen[target] = new[0].target if new else answer.status
    return seen


# ---- byte for byte

@pytest.mark.parametrize("way", KEEPS_PATH)
@pytest.mark.parametrize("letter", ["U", "R", "M"], ids=["unknown", "reactive", "mobile"])
def test_path_and_query_arrive_byte_for_byte(front, farm, letter, way):
    targets = [f"/{letter}{way}/{target}" for target in TARGETS]
    seen = received(front, server_of(way, farm), targets)
    assert {target: got for target, got in seen.items() if got != target} == {}


@pytest.mark.parametrize("way", ["ProxyPass", "rewrite", "https", "h2_balancer"])
def test_from_every_client(front, farm, client, way):
    targets = [f"/R{way}/{target}" for target in TARGETS]
    seen = received(front, server_of(way, farm), targets, client)
    assert {target: got for target, got in seen.items() if got != target} == {}


@pytest.mark.parametrize("way", KEEPS_PATH)
def test_plain_httpd_changes_or_refuses_paths(plain, farm, way):
    plain.allow_log("AH|OSP")
    targets = [f"/U{way}/{target}" for target in ("%7Euser", "a%2Fb", "a|b")]
    seen = received(plain, server_of(way, farm), targets)
    assert all(got != target for target, got in seen.items())


def test_traditional_modules_are_left_to_httpd(front, plain, backend):
    plain.allow_log("AH")
    targets = [f"/TProxyPass/{target}" for target in TARGETS if "%2" not in target.split("?")[0]]
    assert received(front, backend, targets) == received(plain, backend, targets)


def test_an_absolute_uri_is_sent_in_origin_form(front, backend):
    seen = received(front, backend, ["http://apps.example.com/UProxyPass/a//%7E?x"])
    assert list(seen.values()) == ["/UProxyPass/a//%7E?x"]


def test_counters_tell_changed_from_unchanged(front, backend):
    for target, acted in (("/UProxyPass/plain?a=b", 0), ("/UProxyPass/%7E", 1),
                          ("/RProxyPass/a//b", 1)):
        with front.counting("path-unchanged") as count:
            front.ask("http", target)
        assert count.all == {"acted": acted, "reported": 0, "refused": 0}, target


def test_bodies_and_answers_are_not_touched(front, backend):
    backend.answer = Answer(200, [("Location", "/x/%7E//y")], b"\x00\xff" * 40000)
    answer = front.ask("http", "/RProxyPass/%7E", method="POST", body=b"\x01\xfe" * 50000)
    assert answer.body == b"\x00\xff" * 40000 and answer.get("Location") == "/x/%7E//y"
    assert backend.the_request().body == b"\x01\xfe" * 50000


def test_after_a_failover_the_bytes_are_still_right(front, backend):
    front.allow_log("AH0|OSP0701")  # one member of the balancer does not exist
    for _ in range(4):
        with front.counting("path-unchanged") as path, front.counting("default-ports") as port:
            seen = received(front, backend, ["/failover/%7E//a%2Fb"], host="apps.example.com:81")
        assert list(seen.values()) == ["/failover/%7E//a%2Fb"]
        assert (path.acted, port.reported) == (1, 1)
        assert backend.requests[-1].all("X-Forwarded-Proto") == ["http"]


def test_requests_of_httpds_own_making_have_their_own_path(start, mpm, farm, backend):
    body = (f"ErrorDocument 403 /U/error%7Epage\nProxyPass / {backend.url}/\n{DENIED}"
            "ProxyPreserveHost On\n")
    httpd = start(lambda address: both(address, body))
    httpd.allow_log("AH01630|OSP")
    assert httpd.ask("http", "/ServiceCenter/x//y").status in (200, 403)
    assert "ServiceCenter" not in backend.the_request().target
    assert backend.the_request().target in ("/U/error~page", "/U/error%7Epage", "/U/error%257Epage")


# ---- AllowEncodedSlashes

def test_a_written_off_stands(start, mpm, farm, backend):
    body = f"AllowEncodedSlashes Off\nProxyPreserveHost On\nProxyPass / {backend.url}/\n"
    httpd = start(lambda address: both(address, body))
    httpd.allow_log("AH00026")
    assert received(httpd, backend, ["/U/a%2Fb", "/U/%7E"]) == {"/U/a%2Fb": 404, "/U/%7E": "/U/%7E"}


# ---- mappings that change the path

@pytest.mark.parametrize("target", ["/RMoved/x", "/apps/RProxyPass/x", "/MMoved/x", "/RSlash/x",
                                    "/RRewritten/a", "/RMatched/a/b", "/RBased/a", "/RPassed/old",
                                    "/RSetHandler/a", "/encoded/a"])
def test_a_changed_path_of_a_reactive_or_mobile_module_is_refused(front, farm, client, target):
    front.allow_log("OSP0502")
    with front.counting("path-unchanged", client=client) as count:
        answer = front.ask(client, target)
    assert answer.status == 500
    assert "path" in answer.text and "module" in answer.text
    assert farm["http"].requests == []
    assert count.all == {"acted": 0, "reported": 0, "refused": 1}


def test_the_refusal_is_logged_with_what_would_be_sent(start, mpm, farm):
    httpd = start(site(mpm, farm, extra='OSProxyRule domain-https off "a test"\n'))
    httpd.expect_log(r"\[osproxy:warn\].*OSP0502.*/other/x")
    assert httpd.ask("http", "/RMoved/x").status == 500


def test_a_changed_path_of_an_unknown_module_passes_and_is_reported(front, backend):
    front.allow_log("OSP0503")
    with front.counting("path-unchanged") as count:
        seen = received(front, backend, ["/UMoved/x?y=z"])
    assert seen == {"/UMoved/x?y=z": "/there/x?y=z"}
    assert count.all == {"acted": 0, "reported": 1, "refused": 0}


@pytest.mark.parametrize("target,sent", [("/TMoved/a", "/there/a"), ("/apps/T/a", "/TMoved/a")])
def test_traditional_modules_may_be_remapped(front, backend, target, sent):
    with front.counting("path-unchanged") as count:
        assert received(front, backend, [target]) == {target: sent}
    assert count.all == {"acted": 0, "reported": 0, "refused": 0}


# ---- dot segments

def as_iis(target):
    """The path as IIS resolves it: decoded once, backslashes are slashes, dots resolved."""
    path = unquote_to_bytes(target.split("?")[0].encode("latin-1")).replace(b"\\", b"/")
    stack = []
    for segment in path.split(b"/"):
        if segment == b"..":
            stack = stack[:-1]
        elif segment not in (b"", b"."):
            stack.append(segment)
    return b"/" + b"/".join(stack)


SLASHES = ["/", "//", "%2F", "\\", "%5c", "/\\"]
DOTS = ["..", "%2e%2E", ".%2e"]
WALKS = [f"{a}{dots}{b}ServiceCenter{c}x" for a, dots, b, c in itertools.product(
    SLASHES, DOTS, SLASHES, ["/", "%2f"])]
DIRECT = ["/%53erviceCenter/x", "//ServiceCenter/x", "/ServiceCenter%2fx", "/%2fServiceCenter/x",
          "/./ServiceCenter/x", "/%2e/ServiceCenter/x", "/ServiceCenter/x/..", "/ServiceCenter//x",
          "/a/../ServiceCenter", "/.%5cServiceCenter/x", "/%2f%2fServiceCenter", "/ServiceCenter",
          "/.%2fServiceCenter/x", "/%u0053erviceCenter/x", "/ServiceCenter%00/x"]
BACKSLASHES = ["/ServiceCenter%5cx", "/ServiceCenter%5C", "/ServiceCenter\\x", "/%5cServiceCenter/x",
               "/\\ServiceCenter/x", "/UProxyPass/../ServiceCenter%5cx", "\\ServiceCenter"]


def leaks(httpd, backend, targets):
    """Targets by which ServiceCenter was reached, as IIS reads what arrived."""
    found = []
    for target, got in received(httpd, backend, targets).items():
        if isinstance(got, str) and as_iis(got).startswith(b"/ServiceCenter"):
            found.append((target, got))
    return found


@pytest.mark.parametrize("module", ["UProxyPass", "RProxyPass", "TProxyPass", "Urewrite",
                                    "UProxyPassMatch", "Ubalancer"])
def test_no_walk_around_access_rules_through_a_module(front, backend, module):
    front.allow_log("OSP0501|AH0|AH10244")
    assert leaks(front, backend, [f"/{module}{walk}" for walk in WALKS]) == []


def test_no_walk_around_access_rules_straight(front, backend):
    front.allow_log("OSP0501|AH0|AH10244")
    assert leaks(front, backend, DIRECT) == []


@pytest.mark.parametrize("target", BACKSLASHES)
def test_a_backslash_is_no_way_around_access_rules(front, backend, target):
    """IIS takes it for a slash, also as %5C; <Location /ServiceCenter> does not."""
    front.allow_log("OSP05|AH0|AH10244")
    assert leaks(front, backend, [target]) == []


def test_no_walk_around_access_rules_over_h2(front, farm, mpm, backend):
    front.allow_log("OSP0501|AH0|AH10244")
    kinds = ("https",) if mpm == "prefork" else ("https", "h2")
    for kind in kinds:
        for walk in WALKS[::7]:
            if "\\" not in walk:
                front.ask(kind, f"/UProxyPass{walk}")
    assert [r.target for r in backend.requests
            if as_iis(r.target).startswith(b"/ServiceCenter")] == []


def test_no_walk_around_with_encoded_slashes_kept_encoded(start, mpm, farm, backend):
    """AllowEncodedSlashes NoDecode hides %2F from access rules."""
    httpd = start(site(mpm, farm, head="AllowEncodedSlashes NoDecode\nOSProxyEngine On"))
    httpd.allow_log("OSP|AH0|AH10244")
    targets = [f"/UProxyPass{walk}" for walk in WALKS] + DIRECT
    assert leaks(httpd, backend, targets) == []


HIDDEN = ["a%2f..%2fb", "a%5c..%5cb", "a\\..\\b", "a%2F%2e%2e/b", "%2e%2e%2fb", "..%5cb", "a%5c..",
          "a\\..", "a/..%2fb"]
PLAIN_DOTS = {"a/../b": "b", "a/./b": "a/b", "a/%2e%2e/b": "b", "a/.%2e/b": "b", "./b": "b",
              "a/%2E/b": "a/b"}


@pytest.mark.parametrize("module", ["UProxyPass", "RProxyPass", "TProxyPass", "MProxyPass"])
def test_hidden_dot_segments_are_refused_for_every_kind(front, backend, client, module):
    front.allow_log("OSP0501|AH0")
    for target in HIDDEN:
        answer = front.ask(client, f"/{module}/{target}")
        assert (answer.status, backend.requests) == (400, []), target
        assert answer.body


@pytest.mark.parametrize("module", ["RProxyPass", "MProxyPass"])
def test_plain_dot_segments_of_reactive_modules_are_refused(front, backend, module):
    front.allow_log("OSP0501")
    for target in PLAIN_DOTS:
        with front.counting("path-unchanged") as count:
            assert front.ask("http", f"/{module}/{target}").status == 400
        assert count.all == {"acted": 0, "reported": 0, "refused": 1}, target
    assert backend.requests == []


@pytest.mark.parametrize("module", ["UProxyPass", "TProxyPass"])
def test_plain_dot_segments_of_others_arrive_resolved(front, backend, module):
    front.allow_log("OSP05")
    expected = {f"/{module}/{target}": f"/{module}/{to}" for target, to in PLAIN_DOTS.items()}
    assert received(front, backend, expected) == expected


def test_dot_segments_into_a_reactive_module_are_refused(front, backend):
    front.allow_log("OSP0501")
    assert received(front, backend, ["/UProxyPass/../RProxyPass/x"]) == {
        "/UProxyPass/../RProxyPass/x": 400}


# ---- opt-out, Report

def test_off_and_report_send_what_httpd_sends(front, plain, backend):
    front.allow_log("OSP05")
    plain.allow_log("AH")
    for word, reported in (("off", 0), ("report", 1)):
        for target in (f"/UProxyPass/{word}/%7E//x|", f"/RMoved/{word}/x"):
            with front.counting("path-unchanged") as count:
                seen = received(front, backend, [target])
            assert seen == received(plain, backend, [target])
            assert count.all == {"acted": 0, "reported": reported, "refused": 0}, target


def test_report_says_that_it_would_refuse(start, mpm, farm, backend):
    httpd = start(site(mpm, farm, extra='OSProxyRule domain-https off "a test"\n'
                                        "OSProxyRule path-unchanged report\n"))
    httpd.expect_log(r"OSP0502.*/other/x.*would be refused")
    assert received(httpd, backend, ["/RMoved/x"]) == {"/RMoved/x": "/other/x"}


def test_one_connection_many_targets(front, backend):
    with Connection(front.address) as connection:
        for target in TARGETS:
            connection.request(f"/RProxyPass/{target}")
    assert [r.target for r in backend.requests] == [f"/RProxyPass/{t}" for t in TARGETS]
