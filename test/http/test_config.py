"""Directives: what is refused, with which words; merging; the load order."""
import pytest

from osptest import Httpd, both
from osptest.place import TOP

RULES = ["preserve-host", "default-ports", "negotiate", "domain-https", "path-unchanged",
         "no-cache", "keep-alive", "forwarded-proto"]

# directive line: words that the message must contain (the value, and what is allowed)
REFUSED = {
    "OSProxyEngine Yes": ["OSProxyEngine", "'Yes'", "On", "Report", "Off"],
    "OSProxyEngine": ["OSProxyEngine"],
    "OSProxyEngine On Off": ["OSProxyEngine"],
    "OSProxyRule nonsense enforce": ["'nonsense'", *RULES],
    "OSProxyRule Preserve_Host enforce": ["'Preserve_Host'", "preserve-host"],
    "OSProxyRule negotiate on": ["negotiate", "'on'", "enforce", "report", "off"],
    "OSProxyRule negotiate": ["OSProxyRule"],
    "OSProxyRule negotiate off": ["negotiate", "off", "reason"],
    'OSProxyRule negotiate off ""': ["negotiate", "off", "reason"],
    "OSProxyRule negotiate off two words": ["OSProxyRule"],
    "OSProxyInternal 10.0.0.256": ["'10.0.0.256'", "10.0.0.0/8"],
    "OSProxyInternal intranet.example.com": ["'intranet.example.com'", "address"],
    "OSProxyInternal 10.0.0.0/33": ["'10.0.0.0/33'"],
    "OSProxyInternal 10.0.0.0/": ["'10.0.0.0/'"],
    "OSProxyInternal 2001:db8::/129": ["'2001:db8::/129'"],
    "OSProxyInternal ::ffff:10.0.0.0/95": ["'::ffff:10.0.0.0/95'"],
    "OSProxyInternal 10.0.0.0/8 evil": ["'evil'"],
    "OSProxyInternal 10.0.0.1:80": ["'10.0.0.1:80'"],
    "OSProxyInternal 0.0.0.0/0": ["'0.0.0.0/0'", "OSProxyRule negotiate off"],
    "OSProxyInternal 10.0.0.0/00": ["'10.0.0.0/00'", "OSProxyRule negotiate off"],
    "OSProxyInternal 0.0.0.0/0.0.0.0": ["'0.0.0.0/0.0.0.0'", "OSProxyRule negotiate off"],
    "OSProxyInternal ::/0": ["'::/0'", "OSProxyRule negotiate off"],
    "OSProxyInternal ::ffff:0.0.0.0/96": ["'::ffff:0.0.0.0/96'", "OSProxyRule negotiate off"],
    "OSProxyInternal": ["OSProxyInternal"],
    "OSProxyDomain https://apps.example.com": ["'https://apps.example.com'", "apps.example.com"],
    "OSProxyDomain apps.example.com:443": ["'apps.example.com:443'", "port"],
    "OSProxyDomain apps.example.com/MyApp": ["'apps.example.com/MyApp'", "path"],
    "OSProxyDomain *.example.com": ["'*.example.com'"],
    "OSProxyDomain .": ["'.'"],
    "OSProxyDomain": ["OSProxyDomain"],
    "OSProxyModule /MyApp reactive": ["'/MyApp'", "MyApp"],
    "OSProxyModule MyApp/ reactive": ["'MyApp/'"],
    "OSProxyModule MyApp react": ["MyApp", "'react'", "reactive", "mobile", "traditional"],
    "OSProxyModule MyApp reactive mobile": ["OSProxyModule"],
    "OSProxyModule": ["OSProxyModule"],
    "OSProxyKeepAlive 29": ["'29'", "30"],
    "OSProxyKeepAlive 0": ["'0'", "30"],
    "OSProxyKeepAlive -30": ["'-30'", "30"],
    "OSProxyKeepAlive 30s": ["'30s'", "30"],
    "OSProxyKeepAlive 500ms": ["'500ms'", "30"],
    "OSProxyKeepAlive On": ["'On'", "30"],
    "OSProxyKeepAlive 99999999999999999999": ["'99999999999999999999'", "30"],
    "OSProxyKeepAlive": ["OSProxyKeepAlive"],
    "<Location />\nOSProxyKeepAlive 30\n</Location>": ["OSProxyKeepAlive", "not allowed"],
    "<Location />\nOSProxyInternal 10.0.0.1\n</Location>": ["OSProxyInternal", "not allowed"],
    "<Location />\nOSProxyDomain a.example.com\n</Location>": ["OSProxyDomain", "not allowed"],
    "<Location />\nOSProxyModule MyApp\n</Location>": ["OSProxyModule", "not allowed"],
    "<Location /x>\nOSProxyEngine Maybe\n</Location>": ["'Maybe'", "On", "Report", "Off"],
    "<Location /x>\nOSProxyRule keep-alive report\n</Location>": ["keep-alive", "/x"],
    "<Location />\nRequire osproxy-internal 10.0.0.1\n</Location>": ["osproxy-internal",
                                                                     "OSProxyInternal"],
}
ACCEPTED = [
    "OSProxyEngine on", "OSProxyEngine REPORT", "OSProxyEngine Off",
    *[f"OSProxyRule {rule} enforce" for rule in RULES],
    *[f"OSProxyRule {rule} report" for rule in RULES],
    *[f'OSProxyRule {rule} off "because"' for rule in RULES],
    'OSProxyRule Preserve-Host OFF because', 'OSProxyRule negotiate enforce "a reason too"',
    "OSProxyInternal 10.0.0.0/8 192.0.2.7 2001:db8::/32 ::1 ::ffff:10.0.0.0/104",
    "OSProxyInternal 10.0.0.0/255.0.0.0", "OSProxyInternal 10.0.0", "OSProxyInternal 10.0.0.1\nOSProxyInternal 10.0.0.2",
    "OSProxyDomain apps.example.com other.example.com", "OSProxyDomain APPS", "OSProxyDomain a_b.c",
    "OSProxyModule MyApp", "OSProxyModule MyApp reactive\nOSProxyModule Other MOBILE",
    "OSProxyModule Old traditional", "OSProxyModule My-App_2.0 Reactive",
    "OSProxyKeepAlive 30", "OSProxyKeepAlive 86400",
    "<Location />\nOSProxyEngine Report\nOSProxyRule negotiate off \"x\"\n</Location>",
    "<Location />\nRequire osproxy-internal\n</Location>",
    "<Directory />\nOSProxyEngine On\n</Directory>",
    "<Location /s>\nSetHandler osproxy-status\n</Location>",
    "<IfModule osproxy_module>\nOSProxyEngine On\n</IfModule>",
]


@pytest.fixture(scope="module")
def httpd():
    """Configtest does not depend on the MPM, and needs no running server."""
    server = Httpd()
    yield server
    server.cleanup()


@pytest.mark.parametrize("line", REFUSED)
@pytest.mark.parametrize("place", ["server", "vhost"])
def test_a_bad_value_is_refused_and_named_with_what_is_allowed(httpd, place, line):
    conf = line if place == "server" else f"<VirtualHost *:80>\n{line}\n</VirtualHost>"
    code, text = httpd.configtest(conf)
    assert code != 0
    for word in REFUSED[line]:
        assert word in text, text
    assert "line " in text


@pytest.mark.parametrize("line", ACCEPTED)
@pytest.mark.parametrize("place", ["server", "vhost"])
def test_a_good_value_is_accepted(httpd, place, line):
    conf = line
    if place == "vhost":
        conf = f"<VirtualHost *:80>\nServerName a.example.com\n{line}\n</VirtualHost>"
    code, text = httpd.configtest(conf)
    assert code == 0 and text.strip().endswith("Syntax OK")
    assert ":warn]" not in text and ":error]" not in text


# ---- the load order

def broken(**options):
    httpd = Httpd(**options)
    httpd.conf = "OSProxyEngine On\n"
    return httpd


def test_a_module_loaded_too_early_says_what_to_change():
    httpd = broken(before_proxy=True)
    try:
        code, text = httpd.configtest()
    finally:
        httpd.cleanup()
    assert code != 0
    for word in ("OSP0001", "LoadModule osproxy_module", "LoadModule proxy_module", "below"):
        assert word in text, text
    assert "undefined symbol" not in text


def test_a_start_with_the_wrong_order_says_so_too():
    httpd = broken(before_proxy=True)
    with pytest.raises(RuntimeError, match="OSP0001"):
        httpd.__enter__()


PROXY = ["proxy", "proxy_http", "proxy_http2", "proxy_wstunnel", "proxy_balancer",
         "lbmethod_byrequests"]


def test_a_missing_mod_proxy_says_what_to_add():
    httpd = Httpd(without=PROXY)
    try:
        # mod_proxy's own directives are unknown now
        text = httpd.full_conf("OSProxyEngine On\n").replace("ProxyTimeout 20\n", "")
        httpd.full_conf = lambda conf: text
        code, text = httpd.configtest()
    finally:
        httpd.cleanup()
    assert code != 0
    for word in ("OSP0002", "mod_proxy", "LoadModule proxy_module"):
        assert word in text, text
    assert "undefined symbol" not in text


@pytest.mark.parametrize("missing", ["ssl", "proxy_balancer", "remoteip", "cache", "http2",
                                     "proxy_http2", "rewrite"])
def test_no_other_module_is_needed(missing):
    without = {missing}
    if missing == "proxy_balancer":
        without |= {"lbmethod_byrequests"}
    if missing == "http2":
        without |= {"proxy_http2"}
    if missing == "cache":
        without |= {"cache_disk", "cache_socache"}
    httpd = Httpd(without=without)
    drop = {"ssl": "SSLSessionCache", "cache": "CacheRoot", "http2": "Protocols"}.get(missing)
    full = httpd.full_conf
    httpd.full_conf = lambda conf: "\n".join(
        line for line in full(conf).replace(" ssl:warn", "").splitlines()
        if not (drop and line.startswith(drop)))
    httpd.conf = "OSProxyEngine On\nProxyPass /x http://127.0.0.1:1/\n"
    with httpd:
        httpd.log.allow("AH|OSP0102")
        assert httpd.ask("http", "/").status == 200
        assert httpd.status()["vhosts"]


# ---- the shipped configuration

SHIPPED = sorted((TOP / "conf.d").glob("*.conf"))


def test_there_is_a_shipped_configuration():
    assert TOP / "conf.d/osproxy.conf" in SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=[path.name for path in SHIPPED])
def test_a_shipped_configuration_passes_configtest(httpd, path):
    code, text = httpd.configtest(f"Include {path}\n")
    assert code == 0 and ":warn]" not in text and ":error]" not in text


def test_the_shipped_configuration_watches_and_shows_its_page(start, farm, backend):
    httpd = start(lambda address: f"Include {TOP}/conf.d/osproxy.conf\n" + both(
        address, f"ProxyPass / {backend.url}/\n", head=""))
    httpd.expect_log("OSP0102")
    assert httpd.ask("http", "/U/%7E//x").status == 200
    httpd.allow_log("OSP")
    assert backend.the_request().get("Host") == backend.address
    assert backend.the_request().target == "/U/~/x"
    answer = httpd.ask("http", "/osproxy-status")
    assert answer.status == 200 and "preserve-host" in answer.text
    httpd.allow_log("AH01630")
    hop = [("X-Forwarded-For", "203.0.113.9")]
    assert httpd.ask("http", "/osproxy-status", headers=hop).status == 200
    assert len(backend.requests) == 1


# ---- merging

def test_lists_of_a_virtual_host_replace_or_extend_the_servers(start, farm):
    """Modules add up, the nearer declaration of one winning, unless it names no kind; internal
    addresses and domains are replaced."""
    def conf(address):
        text = ("OSProxyModule One reactive\nOSProxyModule Two traditional\n"
                "OSProxyKeepAlive 40\n")
        body = f"ProxyPreserveHost On\nProxyPass / {farm['http'].url}/\n"
        text += both(address, "OSProxyModule Two mobile\nOSProxyModule ONE\n"
                     "OSProxyKeepAlive 50\n" + body)
        return text + both(address, body, name="inherits.example.com")
    httpd = start(conf)
    for host, module, status in (("apps", "One", 308), ("apps", "Two", 308),
                                 ("inherits", "One", 308), ("inherits", "Two", 200)):
        answer = httpd.ask("http", f"/{module}/x", host=f"{host}.example.com")
        assert answer.status == status, (host, module)
    for host, seconds in (("apps", 50), ("inherits", 40)):
        answer = httpd.ask("https", "/Two/x", host=f"{host}.example.com",
                           headers=[("Connection", "keep-alive")])
        assert f"timeout={seconds}," in answer.get("Keep-Alive")


def test_a_broken_reload_is_refused_by_configtest_and_a_good_one_passes(start, farm):
    httpd = start(lambda address: both(address, f"ProxyPass / {farm['http'].url}/\n"))
    assert httpd.configtest(httpd.conf + "OSProxyEngine Maybe\n")[0] != 0
    assert httpd.configtest()[0] == 0
    assert httpd.ask("http", "/").status == 200
