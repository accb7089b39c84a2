/* References of an HTML page, and the signs of its kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libxml/xmlerror.h>

#include "parse/links.h"

#define H "5s98bsfC1vZwrp12JgTLCw"

/* The references in brackets, each behind a letter of its kind. */
typedef struct heard {
    char text[1024];
} heard;

static void hear(void *baton, enum osp_link_kind kind, osp_span reference)
{
    heard *all = baton;
    size_t n = strlen(all->text);
    snprintf(all->text + n, sizeof all->text - n, "%c[%.*s]", "rpb"[kind], (int)reference.n,
             reference.p);
}

/* Reads a copy of just its size, so that AddressSanitizer sees a byte too far. */
static osp_links read_bytes(const char *bytes, size_t n, heard *all)
{
    osp_links out;
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    *all = (heard){""};
    assert_true(osp_links_read((osp_span){copy, n}, hear, all, &out));
    free(copy);
    return out;
}

static void test_references_are_found_where_html_holds_them(void **state)
{
    static const struct {
        const char *html, *references;
    } vectors[] = {
        {"<a href='/Other/Login.aspx'>x</a>", "p[/Other/Login.aspx]"},
        {"<A HREF=x>", "p[x]"},
        {"<a href><base href>", ""},
        {"<a href=''>", "p[]"},
        {"<link rel=stylesheet href=\"/MyApp/_Basic.css?8322\"/>", "r[/MyApp/_Basic.css?8322]"},
        {"<script src=scripts/OutSystems.js?" H "></script>", "r[scripts/OutSystems.js?" H "]"},
        {"<img src='a.png' srcset='b.png 1x, c,d.png 2x,e.png'>",
         "r[a.png]r[b.png]r[c,d.png]r[e.png]"},
        {"<img srcset=' , a 1w,,b, c f(1,2) , d'>", "r[a]r[b]r[c]r[d]"},
        {"<picture><source srcset=a><source src=b></picture>", "r[a]r[b]"},
        {"<iframe src=a></iframe><frame src=b>", "p[a]p[b]"},
        {"<form action='Home.aspx?x'><button formaction=b></button></form>", "p[Home.aspx?x]p[b]"},
        {"<input type=image src=a formaction=b>", "r[a]p[b]"},
        {"<embed src=a><object data=b></object>", "r[a]r[b]"},
        {"<video src=a poster=b><track src=c></video><audio src=d></audio>", "r[a]r[b]r[c]r[d]"},
        {"<map><area href=a></map>", "p[a]"},
        {"<div style='background:url(a.png)'>", "r[a.png]"},
        {"<div style=\"background:url(&quot;a.png&quot;)\">", "r[a.png]"},
        {"<style>@import 'a.css';b{c:url(d.png)}</style>", "r[a.css]r[d.png]"},
        {"<style>a{b:url(c)}", "r[c]"},
        {"<meta http-equiv=refresh content='5; url=Home.aspx'>", "p[Home.aspx]"},
        {"<meta http-equiv=Refresh content=\"0;URL='/x y'z\">", "p[/x y]"},
        {"<meta http-equiv=refresh content='0.5, /x'>", "p[/x]"},
        {"<meta http-equiv=refresh content='0;url = \"x'>", "p[x]"},
        {"<meta http-equiv=refresh content='5'><meta http-equiv=refresh><meta http-equiv=refresh "
         "content=''>",
         ""},
        {"<meta name=url content='5;url=x'>", ""},
        {"<base href='/MyApp/'><base href='/x/'><a href=y>", "b[/MyApp/]p[y]"},
        {"<base target=x><base href=/y>", "b[/y]"},
        /* as HTML writes text */
        {"<a href='/x?a=1&amp;b=2&#38;c&#x3d;3&d=4'>", "p[/x?a=1&b=2&c=3&d=4]"},
        {"<a href='&auml;'>", "p[\xc3\xa4]"},
        {"<a href='\xc3\xa4'>", "p[\xc3\xa4]"},
        {"<a href=' x\n'>", "p[ x\n]"},
        {"<a href=x href=y>", "p[x]"},
        {"<a href=\"x", "p[x]"},
        {"<a title='>' href=x>", "p[x]"},
        {"<!doctype html><html><head><title>a</title></head><body><p><a href=x></body></html>",
         "p[x]"},
        {"\xef\xbb\xbf<a href=x>", "p[x]"},
        /* where there is none */
        {"<!-- <a href=x> --><a href=y>", "p[y]"},
        {"<script>var a = '<a href=x>';</script><a href=y>", "p[y]"},
        {"<script>url(x)</script><style>'url(y)'</style>", ""},
        {"<p>url(x) href=y src='z' &lt;a href=x></p>", ""},
        {"<a data-href=x xhref=y>", ""},
        {"<p href=x src=y>", ""},
        {"<a", ""},
        {"<", ""},
        {"", ""},
        {"{\"json\":\"<\"}", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        heard all;
        osp_links out = read_bytes(vectors[i].html, strlen(vectors[i].html), &all);
        if (strcmp(all.text, vectors[i].references) != 0 || out.cut) {
            fail_msg("'%s' gives '%s', not '%s'%s", vectors[i].html, all.text,
                     vectors[i].references, out.cut ? ", and is cut" : "");
        }
    }
}

static void test_the_kind_of_a_module_shows(void **state)
{
    enum { R = OSP_SIGN_REACTIVE, T = OSP_SIGN_TRADITIONAL, M = OSP_SIGN_MOBILE };
    static const struct {
        const char *html;
        unsigned signs;
    } vectors[] = {
        {"<div id=\"reactContainer\"></div>", R},
        {"<script>OSManifestLoader.indexVersionToken = \"" H "\";</script>", R},
        {"<script src=\"scripts/OutSystemsManifestLoader.js?" H "\"></script>", R},
        {"<script src=\"scripts/MyApp.Main.Home.mvc.js?" H "\"></script>", R},
        {"<script>fetch('/MyApp/moduleservices/moduleinfo')</script>", R},
        {"<link rel=preload href='/MyApp/moduleservices/moduleinfo'>", R},
        {"<input type=hidden name=__OSVSTATE value=x>", T},
        {"<script src='/MyApp/_osjs.js?8_0_1_7'></script>", T},
        {"<script src=_osjs.js></script>", T},
        {"<form method=post action=Home.ASPX?x></form>", T},
        {"<script src=/MyApp/Blocks/RichWidgets/Flow/Block.js?1></script>", T},
        {"<script src='scripts/cordova.js?" H "'></script>", M},
        {"<script src=' cordova.js '></script>", M},
        {"<div id=reactContainer></div><script src=/a/cordova.js></script>", R | M},
        {"<div id=reactContainers></div>", 0},
        {"<p>OSManifestLoader /moduleservices/ cordova.js _osjs.js __OSVSTATE</p>", 0},
        {"<!-- <div id=reactContainer></div> -->", 0},
        {"<input name=__VIEWSTATE value=__OSVSTATE>", 0},
        {"<script src=notcordova.js></script><script src=x_osjs.js></script>", 0},
        {"<script src=/x?/cordova.js></script><script src=/x?a.mvc.js></script>", 0},
        {"<script src=/x?/Blocks/></script>", 0},
        {"<a href=Home.aspx></a><form action=/x></form><form></form>", 0},
        {"<script></script>", 0},
        {"", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        heard all;
        osp_links out = read_bytes(vectors[i].html, strlen(vectors[i].html), &all);
        if (out.signs != vectors[i].signs) {
            fail_msg("'%s' has signs %u, not %u", vectors[i].html, out.signs, vectors[i].signs);
        }
    }
}

static void test_pages_of_the_platform_are_read(void **state)
{
    static const char reactive[] =
        "<!DOCTYPE html><html><head>"
        "<script src=\"scripts/OutSystemsManifestLoader.js?" H "\"></script>"
        "<script>OSManifestLoader.indexVersionToken = \"" H "\";</script></head>"
        "<body><div id=\"reactContainer\"></div><script src=\"scripts/MyApp.index.js?" H
        "\"></script></body></html>";
    static const char traditional[] =
        "<html><head><link href=\"/MyApp/_Basic.css?8322\" rel=\"stylesheet\"/>"
        "<script src=\"/MyApp/_osjs.js?8_0_1_7\"></script></head>"
        "<body><form method=\"post\" action=\"Home.aspx\">"
        "<input type=\"hidden\" name=\"__OSVSTATE\" value=\"x\"/><a "
        "href=\"/MyOtherApp/Login.aspx\">"
        "Login</a><img src=\"/ImageRepository/img/logo.png?1\"/></form></body></html>";
    heard all;
    (void)state;
    osp_links out = read_bytes(reactive, sizeof reactive - 1, &all);
    assert_int_equal(out.signs, OSP_SIGN_REACTIVE);
    assert_string_equal(all.text, "r[scripts/OutSystemsManifestLoader.js?" H "]"
                                  "r[scripts/MyApp.index.js?" H "]");
    out = read_bytes(traditional, sizeof traditional - 1, &all);
    assert_int_equal(out.signs, OSP_SIGN_TRADITIONAL);
    assert_string_equal(all.text, "r[/MyApp/_Basic.css?8322]r[/MyApp/_osjs.js?8_0_1_7]p[Home.aspx]"
                                  "p[/MyOtherApp/Login.aspx]r[/ImageRepository/img/logo.png?1]");
    assert_int_equal(out.references, 5);
}

/* A page of n bytes: begin, then the piece with a running number as often as it fits, then end. */
static char *page(size_t n, const char *begin, const char *piece, const char *end)
{
    char *text = malloc(n + 100);
    assert_non_null(text);
    size_t length = (size_t)snprintf(text, n, "%s", begin), stop = n - strlen(end);
    for (unsigned i = 0; length + strlen(piece) + 10 < stop; i++) {
        length += (size_t)snprintf(text + length, 100, piece, i);
    }
    memset(text + length, ' ', stop - length);
    memcpy(text + stop, end, n - stop);
    return text;
}

static void test_long_values_and_texts_are_no_harm(void **state)
{
    static const struct {
        const char *begin, *piece;
    } pages[] = {
        {"<input name=__VIEWSTATE value='", "%06xAAAA"},
        {"<div title='", "%u word "},
        {"<div onclick=\"", " a='%u' "},
        {"<!--", " a%u <a href='x'>"},
        {"<script>", "var a%u = '<a b c d e f>'; "},
        {"<script>", "<a%u b c d e f> "},
        {"<style>", "a%u { b : c } "},
        {"<p>", "text%u a b c &amp; < > "},
    };
    static const char *const ends[] = {
        "'><a href=x>",        "'><a href=x>",        "\"><a href=x>",      "--><a href=x>",
        "</script><a href=x>", "</script><a href=x>", "</style><a href=x>", "</p><a href=x>"};
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        heard all;
        char *text = page(100 * 1000, pages[i].begin, pages[i].piece, ends[i]);
        osp_links out = read_bytes(text, 100 * 1000, &all);
        if (out.cut || strcmp(all.text, "p[x]") != 0) {
            fail_msg("'%s%s...' gives '%s'%s", pages[i].begin, pages[i].piece, all.text,
                     out.cut ? ", and is cut" : "");
        }
        free(text);
    }
}

static void test_more_than_the_limits_allow_is_cut(void **state)
{
    heard all;
    (void)state;
    char *text = page(OSP_LINKS_BYTES + 100, "<p>", "a %u", "<a href=x>");
    osp_links out = read_bytes(text, OSP_LINKS_BYTES + 100, &all);
    assert_true(out.cut);
    assert_string_equal(all.text, "");
    free(text);

    text = page(20 * (OSP_LINKS_REFERENCES + 1000), "", "<img src=%u>", "");
    out = read_bytes(text, 20 * (OSP_LINKS_REFERENCES + 1000), &all);
    assert_true(out.cut);
    assert_int_equal(out.references, OSP_LINKS_REFERENCES);
    free(text);

    text = page(20000, "<a href=x>", "<b%u>", "<a href=y>");
    out = read_bytes(text, 20000, &all);
    assert_true(out.cut);
    assert_string_equal(all.text, "p[x]");
    free(text);

    text = page(20000, "<a href=x><p", " a%u=1", "><a href=y>");
    out = read_bytes(text, 20000, &all);
    assert_true(out.cut);
    assert_string_equal(all.text, "p[x]");
    free(text);

    out = read_bytes("\xff\xfe<\0a\0", 6, &all);
    assert_true(out.cut);
}

static unsigned errors;

static void count_errors(void *baton, const char *format, ...)
{
    (void)baton;
    (void)format;
    errors++;
}

static void test_broken_pages_say_nothing_on_standard_error(void **state)
{
    static const char tags[] = "<x:y></z>&nope;&#x0;<a <b a=1 a=2></b/></c>\xff\x00<";
    static const char charsets[] = "<meta charset=nope><meta charset=utf-16><p>\xff\xfe";
    heard all;
    (void)state;
    xmlSetGenericErrorFunc(NULL, count_errors);
    read_bytes(tags, sizeof tags - 1, &all);
    read_bytes(charsets, sizeof charsets - 1, &all);
    xmlSetGenericErrorFunc(NULL, NULL);
    assert_int_equal(errors, 0);
}

static void test_an_empty_span_without_bytes_is_an_empty_page(void **state)
{
    osp_links out;
    (void)state;
    assert_true(osp_links_read((osp_span){NULL, 0}, hear, NULL, &out));
    assert_int_equal(out.references, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_are_found_where_html_holds_them),
        cmocka_unit_test(test_the_kind_of_a_module_shows),
        cmocka_unit_test(test_pages_of_the_platform_are_read),
        cmocka_unit_test(test_long_values_and_texts_are_no_harm),
        cmocka_unit_test(test_more_than_the_limits_allow_is_cut),
        cmocka_unit_test(test_broken_pages_say_nothing_on_standard_error),
        cmocka_unit_test(test_an_empty_span_without_bytes_is_an_empty_page),
    };
    osp_links_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
