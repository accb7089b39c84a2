/* References of a style sheet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/css.h"
#include "work.h"

/* The references, each in brackets. */
typedef struct heard {
    char text[512];
} heard;

static void hear(void *baton, osp_span reference)
{
    heard *all = baton;
    size_t n = strlen(all->text);
    snprintf(all->text + n, sizeof all->text - n, "[%.*s]", (int)reference.n, reference.p);
}

static void test_references_are_told_from_what_looks_like_them(void **state)
{
    static const struct {
        const char *css, *references;
    } vectors[] = {
        /* the ways to write one */
        {"a{background:url(img/a.png)}", "[img/a.png]"},
        {"a{background:url('a.png'),url( \"b.png\" )}", "[a.png][b.png]"},
        {"a{background:URL(\n a.png\t)}", "[a.png]"},
        {"@font-face{src:url(f.eot?#iefix)format('x'),url(\"f.woff2?5s98bsfC1vZwrp12JgTLCw\")}",
         "[f.eot?#iefix][f.woff2?5s98bsfC1vZwrp12JgTLCw]"},
        {"@import \"a.css\";@import 'b.css' screen;", "[a.css][b.css]"},
        {"@import url(a.css);@IMPORT/**/ /* x */'b.css';", "[a.css][b.css]"},
        {"@namespace url(http://x);", "[http://x]"},
        {"background:url(data:image/png;base64,AA+/==)", "[data:image/png;base64,AA+/==]"},
        {"url()url('')", "[][]"},
        {"--x:url(a);a:url(b)url(c)", "[a][b][c]"},
        {"a:b url(\xc3\xa4)", "[\xc3\xa4]"},
        /* escapes */
        {"\\75 rl(a)u\\72l(b)ur\\4c(c)\\55\\52\\4C\n(d)", "[a][b][c][d]"},
        {"@i\\6dport 'a'", "[a]"},
        {"url(a\\)b\\ c\\28 d)", "[a)b c(d]"},
        {"url(\"a\\\"b\\27 c\\\\\")", "[a\"b'c\\]"},
        {"url('a\\\nb\\\r\nc\\\fd')", "[abcd]"},
        {"url('\\e4\\20ac\\1F600')", "[\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80]"},
        {"url('\\0 x\\d800 x\\110000x')", "[\xef\xbf\xbdx\xef\xbf\xbdx\xef\xbf\xbdx]"},
        {"url('\\0000412')", "[A2]"},
        {"url('\\41\r\nb')", "[Ab]"},
        {"url('\\41  b')", "[A b]"},
        {"url('\\/\\g')", "[/g]"},
        /* cut off */
        {"url(a", "[a]"},
        {"url('a", "[a]"},
        {"url(a ", "[a]"},
        {"url(", "[]"},
        {"@import 'a", "[a]"},
        {"url('a\\", "[a]"},
        {"url(a\\", "[a\xef\xbf\xbd]"},
        {"url", ""},
        {"@import", ""},
        {"@", ""},
        {"#", ""},
        {"/*", ""},
        {"\\", ""},
        /* what is none */
        {"/* url(a) @import 'b' */url(c)", "[c]"},
        {"/*/url(a)*/url(c)", "[c]"},
        {"/**/url(c)", "[c]"},
        {"/ * url(c)", "[c]"},
        {"a{content:'url(a)'}b{content:\"url(b)\"}", ""},
        {"a{content:'\\'url(a)'}", ""},
        {"url/**/(a)", ""},
        {"url (a)", ""},
        {"xurl(a)-url(b)_url(c)1url(d)#url(e)@url(f)\xc3\xa4url(g)", ""},
        {"url-prefix(a)url\\+(b)urls(c)", ""},
        {"@imports 'a';@import-x 'b';import 'c'", ""},
        {"@import a 'b'", ""},
        {"@charset 'utf-8'", ""},
        {"url(a b)url(c)", "[c]"},
        {"url(a'b)url(c)", "[c]"},
        {"url(a(b)url(c)", "[c]"},
        {"url(a\\\nb)url(c)", "[c]"},
        {"url(a\x01)url(c)", "[c]"},
        {"url(a b\\)url(c)url(d)", "[d]"},
        {"url('a\nb')url(c)", ""},
        {"url('a\n);url(c)", "[c]"},
        {"content:'a\nurl(c)", "[c]"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        heard all = {""};
        size_t n = strlen(vectors[i].css);
        char *copy = malloc(n ? n : 1); /* just its size: AddressSanitizer sees a byte too far */
        assert_non_null(copy);
        memcpy(copy, vectors[i].css, n);
        osp_css result = osp_css_read((osp_span){copy, n}, hear, &all);
        if (strcmp(all.text, vectors[i].references) != 0 || result.cut) {
            fail_msg("'%s' gives '%s', not '%s'", vectors[i].css, all.text, vectors[i].references);
        }
        free(copy);
    }
}

static void test_an_empty_span_without_bytes_has_no_reference(void **state)
{
    (void)state;
    assert_int_equal(osp_css_read((osp_span){NULL, 0}, hear, NULL).references, 0);
}

static void count(void *baton, osp_span reference)
{
    size_t *longest = baton;
    *longest = reference.n > *longest ? reference.n : *longest;
}

static void test_references_beyond_the_limit_are_left_out(void **state)
{
    enum { N = OSP_CSS_REFERENCES + 1 };
    static char css[N * 6];
    size_t longest = 0;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        memcpy(css + i * 6, "url(a)", 6);
    }
    osp_css result = osp_css_read((osp_span){css, sizeof css - 6}, count, &longest);
    assert_int_equal(result.references, OSP_CSS_REFERENCES);
    assert_false(result.cut);
    result = osp_css_read((osp_span){css, sizeof css}, count, &longest);
    assert_int_equal(result.references, OSP_CSS_REFERENCES);
    assert_true(result.cut);
}

static void test_a_long_reference_needs_to_be_without_escapes(void **state)
{
    static char css[4 * OSP_CSS_DECODED];
    size_t longest = 0;
    (void)state;
    memset(css, 'a', sizeof css);
    memcpy(css, "url(", 4);
    osp_css result = osp_css_read((osp_span){css, sizeof css}, count, &longest);
    assert_int_equal(result.references, 1);
    assert_int_equal(longest, sizeof css - 4);

    css[4] = '\\';
    css[5] = 'g';
    result = osp_css_read((osp_span){css, sizeof css}, count, &longest);
    assert_int_equal(result.references, 0);
    assert_true(result.cut);

    result = osp_css_read((osp_span){css, 4 + 1 + OSP_CSS_DECODED}, count, &longest);
    assert_int_equal(result.references, 1);
    result = osp_css_read((osp_span){css, 4 + 2 + OSP_CSS_DECODED}, count, &longest);
    assert_int_equal(result.references, 0);
}

static void read_all(const char *bytes, size_t n)
{
    size_t longest = 0;
    osp_css_read((osp_span){bytes, n}, count, &longest);
}

static void test_work_grows_with_the_length_of_the_sheet_and_no_faster(void **state)
{
    static const char *const patterns[] = {
        "url(",   "url('", "url('a\n",  "url(a ", "url(\\", "\\",        "\\\n", "/*",
        "*/",     "/",     "@import ",  "@",      "#",      "\"",        "'\\",  "a",
        "url(a)", "1",     "@import/*", "\\41 ",  "\\1",    "url(a\\\n", "-",    "url(a'b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        assert_true(work_is_linear(patterns[i], read_all));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_are_told_from_what_looks_like_them),
        cmocka_unit_test(test_an_empty_span_without_bytes_has_no_reference),
        cmocka_unit_test(test_references_beyond_the_limit_are_left_out),
        cmocka_unit_test(test_a_long_reference_needs_to_be_without_escapes),
        cmocka_unit_test(test_work_grows_with_the_length_of_the_sheet_and_no_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
