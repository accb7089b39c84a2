"""conf.d/recipes/compression.conf: text of Traditional modules is compressed once, by whoever comes first;
Reactive and Mobile modules are left to the app servers."""
import ctypes
import gzip
import json
from urllib.parse import urlencode

import pytest

from osptest import Answer, ask
from recipe import fields_of, intact

APPS = ("OSProxyModule MyApp reactive\nOSProxyModule MyMobile mobile\nOSProxyModule Portal traditional\n"
        "OSProxyModule RichWidgets traditional\n")
TEXT = ("text/html; charset=utf-8", "text/css", "text/javascript", "application/javascript",
        "application/json", "image/svg+xml")
PACKED_ALREADY = ("image/png", "image/jpeg", "font/woff2", "application/zip", "application/pdf", "video/mp4")
BODY = b"the same words again and again; " * 100


def unpacked(answer):
    """The body as a client decodes it: once, by the coding that the answer names."""
    coding = answer.get("Content-Encoding")
    if coding == "gzip":
        return gzip.decompress(answer.body)
    if coding == "br":
        return unbrotli(answer.body)
    assert coding is None
    return answer.body


def unbrotli(data):
    """Debian's python has no module for it; the library is there, for mod_osproxy needs it too."""
    size = ctypes.c_size_t(1 << 20)
    out = ctypes.create_string_buffer(size.value)
    done = ctypes.CDLL("libbrotlidec.so.1").BrotliDecoderDecompress(
        ctypes.c_size_t(len(data)), data, ctypes.byref(size), out)
    assert done == 1, "not brotli"
    return out.raw[:size.value]


def front_of(serve, host, **options):
    return serve(several={"compression": {}, "https-offload": {"OSP_SERVER": host}}, before=APPS,
                 h2=True, **options)


@pytest.fixture(scope="module")
def front(serve, farm):
    return front_of(serve, farm.hosts[0])


@pytest.fixture(scope="module")
def scripted(serve, app):
    return front_of(serve, app.address, configtest=False)


def fetch(httpd, path, coding, client="https", **request):
    headers = [("Accept-Encoding", coding)] if coding else []
    return ask(httpd.address, client, path, headers=headers + request.pop("headers", []), **request)


@pytest.mark.parametrize("client", ["https", "h2"])
@pytest.mark.parametrize("accepts,coding", [("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br", "br"),
                                            (None, None), ("identity", None), ("br;q=0, gzip;q=0", None)])
def test_a_page_is_compressed_as_the_client_takes_it(front, client, accepts, coding):
    answer = fetch(front, "/Portal/Home.aspx", accepts, client)
    assert answer.get("Content-Encoding") == coding
    assert unpacked(answer).startswith(b"<html>") and unpacked(answer).endswith(b"</html>\n")
    if coding:
        assert len(answer.body) < len(unpacked(answer))
        assert "accept-encoding" in answer.get("Vary", "").lower()


@pytest.mark.parametrize("kind", TEXT)
def test_text_is_compressed(scripted, app, kind):
    app.answer = Answer(200, [("Content-Type", kind)], BODY)
    for coding in ("gzip", "br"):
        answer = fetch(scripted, "/Portal/x", coding)
        assert answer.get("Content-Encoding") == coding and len(answer.body) < len(BODY) / 4
        assert unpacked(answer) == BODY
        assert answer.get("Vary") == "Accept-Encoding"


@pytest.mark.parametrize("kind", PACKED_ALREADY)
def test_what_is_compressed_in_itself_is_left(scripted, app, kind):
    app.answer = Answer(200, [("Content-Type", kind)], BODY)
    answer = fetch(scripted, "/Portal/x", "gzip, br")
    assert answer.get("Content-Encoding") is None and answer.body == BODY


@pytest.mark.parametrize("accepts", ["gzip", "gzip, br"])
def test_nothing_is_compressed_twice(front, farm, accepts):
    """The app server has packed the script; its bytes pass."""
    answer = fetch(front, "/Portal/_osjs.js?8_0_1_7", accepts)
    direct = ask(farm.hosts[0], "http", "/Portal/_osjs.js?8_0_1_7", headers=[("Accept-Encoding", "gzip")])
    assert answer.all("Content-Encoding") == ["gzip"] and answer.body == direct.body
    assert answer.get("Vary") == "Accept-Encoding"
    assert b"OsJSONUpdate" in unpacked(answer)


def test_the_app_server_may_compress(scripted, app):
    """The client's wish reaches it as it was."""
    fetch(scripted, "/Portal/x", "gzip, deflate, br")
    assert app.requests[-1].get("Accept-Encoding") == "gzip, deflate, br"


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_client_may_ask_whether_something_changed(front, coding):
    """The small script is packed by the proxy; its ETag is the app server's, which knows it again."""
    path = "/RichWidgets/Blocks/RichWidgets/RichWidgets/Popup.js?8322"
    answer = fetch(front, path, coding)
    assert answer.get("Content-Encoding") == coding
    again = fetch(front, path, coding, headers=[("If-None-Match", answer.get("ETag"))])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_partial_post_back_works(front, coding):
    form = fields_of(fetch(front, "/Portal/Home.aspx", None)) | {"Text": "hello", "__AJAX": "1"}
    answer = fetch(front, "/Portal/Home.aspx", coding, method="POST", body=urlencode(form).encode())
    assert answer.get("Content-Encoding") == coding
    update = unpacked(answer).decode().removeprefix("OsJSONUpdate(").removesuffix(")")
    assert "hello" in json.loads(update)["outers"]["Message"]["inner"]


@pytest.mark.parametrize("module", ["MyApp", "MyMobile"])
def test_resources_of_reactive_and_mobile_modules_have_their_checksum(front, module):
    assert intact(front, module, coding="gzip") > 10
    assert intact(front, module, coding="br, gzip") > 10


@pytest.mark.parametrize("path", ["/MyApp/x.js", "/MyMobile/x.js", "/ImageRepository/x.svg",
                                  "/PortalAdmin/x.css"])
def test_modules_that_are_not_listed_are_left(scripted, app, path):
    app.answer = Answer(200, [("Content-Type", "text/css"), ("ETag", '"1"')], BODY)
    answer = fetch(scripted, path, "gzip, br")
    assert answer.body == BODY and answer.get("Content-Encoding") is None and answer.get("ETag") == '"1"'


def test_a_part_is_not_compressed(scripted, app):
    headers = [("Content-Type", "text/css"), ("Content-Range", "bytes 0-3/3200")]
    app.answer = Answer(206, headers, b"the ")
    answer = fetch(scripted, "/Portal/x.css", "gzip", headers=[("Range", "bytes=0-3")])
    assert (answer.status, answer.body) == (206, b"the ")
