/* References in pages and style sheets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/url.h"
#include "work.h"

#define BASE "/MyApp/Blocks/Home.aspx?id=1"
#define HOST "apps.example.com:8443"

/* A copy of just its size: AddressSanitizer sees a byte too far. */
static bool resolve(const char *base, const char *reference, char *out, size_t size)
{
    size_t n = strlen(reference);
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, reference, n);
    bool good =
        osp_url_resolve(osp_span_of(base), osp_span_of(HOST), (osp_span){copy, n}, out, size);
    free(copy);
    return good;
}

static void test_a_reference_is_resolved_against_its_page(void **state)
{
    static const struct {
        const char *reference, *path; /* NULL: leads elsewhere */
    } vectors[] = {
        /* relative */
        {"Login.aspx", "/MyApp/Blocks/Login.aspx"},
        {"./Login.aspx", "/MyApp/Blocks/Login.aspx"},
        {"../Login.aspx", "/MyApp/Login.aspx"},
        {"../../Other/", "/Other/"},
        {"../../../../Other/x", "/Other/x"},
        {"..", "/MyApp/"},
        {".", "/MyApp/Blocks/"},
        {"a/./b/../c", "/MyApp/Blocks/a/c"},
        {"a//b", "/MyApp/Blocks/a//b"},
        {"a/..;x/b", "/MyApp/Blocks/a/..;x/b"},
        {"...", "/MyApp/Blocks/..."},
        {"%2e%2E/x", "/MyApp/x"},
        {".%2e/x", "/MyApp/x"},
        {"%2e", "/MyApp/Blocks/"},
        {"%2", "/MyApp/Blocks/%2"},
        {"x?y=1&z=../..", "/MyApp/Blocks/x?y=1&z=../.."},
        {"x?y#z", "/MyApp/Blocks/x?y"},
        {"x#y?z", "/MyApp/Blocks/x"},
        {"?y", "/MyApp/Blocks/Home.aspx?y"},
        {"?", "/MyApp/Blocks/Home.aspx?"},
        {"a/b:c", "/MyApp/Blocks/a/b:c"},
        {"1a:b", "/MyApp/Blocks/1a:b"},
        {"scripts/OutSystems.js?eq9LGmzdgJbMq6dbNoVMvQ",
         "/MyApp/Blocks/scripts/OutSystems.js?eq9LGmzdgJbMq6dbNoVMvQ"},
        /* of the root */
        {"/", "/"},
        {"/Other/x.aspx?1", "/Other/x.aspx?1"},
        {"/Other/../x", "/x"},
        {"/..//x", "/x"},
        {"/.//evil.example/x", "/evil.example/x"},
        {"/a/..//x", "/x"},
        {"/a/b/", "/a/b/"},
        {"/a//", "/a//"},
        {"\\Other\\x", "/Other/x"},
        {"/x?a\\b", "/x?a\\b"},
        /* of this host */
        {"//apps.example.com/x", "/x"},
        {"//APPS.example.COM:80/x", "/x"},
        {"\\\\apps.example.com\\x", "/x"},
        {"https://apps.example.com/x", "/x"},
        {"HTTP://apps.example.com:/x?y", "/x?y"},
        {"https://apps.example.com", "/"},
        {"https://apps.example.com?x", "/?x"},
        {"https:\\/apps.example.com/../x", "/x"},
        {"https://apps.example.com#x", "/"},
        /* blanks and bytes that no URL holds */
        {" \t\r\n\f/x \n", "/x"},
        {"a b.png?c d", "/MyApp/Blocks/a%20b.png?c%20d"},
        {"/a%20b%zz%", "/a%20b%zz%"},
        {"/\xc3\xa4?\"<>`{}'", "/%C3%A4?%22%3C%3E%60%7B%7D'"},
        /* elsewhere */
        {"//other.example/x", NULL},
        {"https://other.example/x", NULL},
        {"//apps.example.com.evil.example/x", NULL},
        {"//apps.example.co/x", NULL},
        {"//evil.example\\@apps.example.com/x", NULL},
        {"//user@apps.example.com/x", NULL},
        {"//apps.example.com@evil.example/x", NULL},
        {"//apps.example.com:80@evil.example/x", NULL},
        {"///apps.example.com/x", NULL},
        {"//", NULL},
        {"https:", NULL},
        {"https:x", NULL},
        {"https:/x", NULL},
        {"https:///x", NULL},
        {"ftp://apps.example.com/x", NULL},
        {"outsystems://apps.example.com/x", NULL},
        {"data:image/png;base64,AAAA", NULL},
        {"javascript:void(0)", NULL},
        {" JavaScript:void(0)", NULL},
        {"mailto:a@b", NULL},
        {"about:blank", NULL},
        {"a:b", NULL},
        /* nowhere */
        {"", NULL},
        {" \n", NULL},
        {"#", NULL},
        {"#top", NULL},
        {"a\nb", NULL},
        {"java\tscript:x", NULL},
        {"/a\x7f", NULL},
        {"/a\x01", NULL},
        {"\v/a", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char out[200] = "before";
        bool good = resolve(BASE, vectors[i].reference, out, sizeof out);
        if (good != (vectors[i].path != NULL) || strcmp(out, good ? vectors[i].path : "") != 0) {
            fail_msg("'%s' gives '%s', not '%s'", vectors[i].reference, out,
                     vectors[i].path ? vectors[i].path : "(elsewhere)");
        }
    }
}

static void test_a_page_may_lie_anywhere(void **state)
{
    static const struct {
        const char *base, *reference, *path;
    } vectors[] = {
        {"/", "x", "/x"},
        {"", "x", "/x"},
        {"", "?x", "/?x"},
        {"/MyApp", "x", "/x"},
        {"/MyApp/", "x", "/MyApp/x"},
        {"/a/../b/./c", "x", "/b/x"},
        {"/a/b?c/d", "x", "/a/x"},
        {"/a/b#c/d", "?x", "/a/b?x"},
        {"//evil.example/a", "b", "/evil.example/b"},
        {"/a/..", "x", "/a/x"},
        {"/a/..", "?x", "/?x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char out[100];
        assert_true(resolve(vectors[i].base, vectors[i].reference, out, sizeof out));
        if (strcmp(out, vectors[i].path) != 0) {
            fail_msg("'%s' at '%s' gives '%s', not '%s'", vectors[i].reference, vectors[i].base,
                     out, vectors[i].path);
        }
    }
}

static void test_a_host_of_ipv6_is_compared_without_its_port(void **state)
{
    char out[100];
    (void)state;
    assert_true(osp_url_resolve(osp_span_of("/"), osp_span_of("[2001:DB8::1]:443"),
                                osp_span_of("//[2001:db8::1]/x"), out, sizeof out));
    assert_string_equal(out, "/x");
    assert_false(osp_url_resolve(osp_span_of("/"), osp_span_of("[2001:db8::1]"),
                                 osp_span_of("//[2001:db8::2]/x"), out, sizeof out));
    assert_false(osp_url_resolve(osp_span_of("/"), osp_span_of("["), osp_span_of("//[/x"), out, 1));
    assert_false(osp_url_resolve(osp_span_of("/"), osp_span_of(""), osp_span_of("//:80/x"), out,
                                 sizeof out));
}

static void test_a_result_fits_or_is_none(void **state)
{
    char out[32];
    (void)state;
    assert_true(resolve("/", "/1234567", out, 9));
    assert_string_equal(out, "/1234567");
    assert_false(resolve("/", "/1234567", out, 8));
    assert_string_equal(out, "");
    assert_false(resolve("/", "/\xff", out, 4));
    assert_true(resolve("/", "/\xff", out, 5));
    assert_false(resolve("/", "/12?4567", out, 8));
    assert_false(resolve("/1234567/", "x", out, 8));
    assert_false(resolve("/", "/", out, 1));
    assert_string_equal(out, "");
}

static void test_the_module_is_the_first_segment(void **state)
{
    static const struct {
        const char *path, *module;
    } vectors[] = {
        {"/MyApp", "MyApp"},
        {"/MyApp/", "MyApp"},
        {"/MyApp?x", "MyApp"},
        {"/MyApp;x/y", "MyApp"},
        {"//MyApp/x", "MyApp"},
        {"/server.api/v1", "server.api"},
        {"/My_App-2/x", "My_App-2"},
        {"/", ""},
        {"", ""},
        {"/?x", ""},
        {"/.well-known/x", ""},
        {"/../x", ""},
        {"/-x", ""},
        {"/%4dyApp/", ""},
        {"/My%20App/", ""},
        {"/a:b", ""},
        {"/a,b", ""},
    };
    char long_path[OSP_URL_MODULE + 3];
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        osp_span found = osp_url_module(osp_span_of(vectors[i].path));
        assert_int_equal(found.n, strlen(vectors[i].module));
        assert_memory_equal(found.p, vectors[i].module, found.n);
    }
    memset(long_path, 'x', sizeof long_path);
    long_path[0] = '/';
    assert_int_equal(osp_url_module((osp_span){long_path, OSP_URL_MODULE + 1}).n, OSP_URL_MODULE);
    assert_int_equal(osp_url_module((osp_span){long_path, OSP_URL_MODULE + 2}).n, 0);
    assert_int_equal(osp_url_module((osp_span){NULL, 0}).n, 0);
    assert_false(osp_url_module_is((osp_span){"a\0b", 3}));
}

static void test_empty_spans_without_bytes_lead_nowhere(void **state)
{
    const osp_span none = {NULL, 0};
    char out[10];
    (void)state;
    assert_false(osp_url_resolve(none, none, none, out, sizeof out));
    assert_true(osp_url_resolve(none, none, osp_span_of("x"), out, sizeof out));
    assert_string_equal(out, "/x");
    assert_false(osp_url_resolve(none, none, osp_span_of("//x"), out, sizeof out));
}

static char resolved[256 * 1024];

static void as_reference(const char *bytes, size_t count)
{
    osp_url_resolve(osp_span_of("/a/b"), osp_span_of("h"), (osp_span){bytes, count}, resolved,
                    sizeof resolved);
}

static void as_base(const char *bytes, size_t count)
{
    osp_url_resolve((osp_span){bytes, count}, osp_span_of("h"), osp_span_of("x"), resolved,
                    sizeof resolved);
}

static void test_work_grows_with_the_length_of_the_reference_and_no_faster(void **state)
{
    static const char *const patterns[] = {
        "a/", "/", "a/../", "../", "aaaa/bbbb/../../", "%2e%2e/", "\\", " ", "\xff", "?", "a:"};
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        assert_true(work_is_linear(patterns[i], as_reference));
        assert_true(work_is_linear(patterns[i], as_base));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reference_is_resolved_against_its_page),
        cmocka_unit_test(test_a_page_may_lie_anywhere),
        cmocka_unit_test(test_a_host_of_ipv6_is_compared_without_its_port),
        cmocka_unit_test(test_a_result_fits_or_is_none),
        cmocka_unit_test(test_the_module_is_the_first_segment),
        cmocka_unit_test(test_empty_spans_without_bytes_lead_nowhere),
        cmocka_unit_test(test_work_grows_with_the_length_of_the_reference_and_no_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
