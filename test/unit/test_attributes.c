/* How many attributes the elements of a page have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/attributes.h"
#include "work.h"

static void test_a_page_ends_before_the_first_element_with_too_many(void **state)
{
    /* what is left of a page when three attributes are allowed */
    static const struct {
        const char *page, *rest;
    } vectors[] = {
        {"<p a b c>", "<p a b c>"},
        {"x<p a b c d>", "x"},
        {"x<p a b c d", "x"},
        {"<p a b c><q a><r a b c d><s a b c d>", "<p a b c><q a>"},
        {"x<p a=1 b='2' c=\"3\" d>", "x"},
        {"x<p a='1'b=\"2\"c='3'd=4>", "x"},
        {"x<p a = 1\nb =\t'2' c\r=3 d>", "x"},
        {"x<p a='>' b='>' c d>", "x"},
        {"x<p a=\"'\" b='\"' c d>", "x"},
        {"x<p ='a b c d e>", "x"}, /* a quote that opens nothing */
        {"x<p!a b c='d e' f g>", "x"},
        {"x<p a!='b c d e>", "x"},
        {"x<p\fa='b c d e f'>", "x"}, /* nor does this blank end a name */
        {"x<p _ : . a>", "x"},
        {"<!-- <p a b c d> -->", "<!-- "},
        {"<p title='a b c d e f'>", "<p title='a b c d e f'>"},
        {"<p title=\"a b c d e f\" x=y z>", "<p title=\"a b c d e f\" x=y z>"},
        {"<p a>b c d e f g</p a b c d>", "<p a>b c d e f g</p a b c d>"},
        {"<p a/b/c/d/e>", "<p a/b/c/d/e>"},
        {"<p 1 2 3 4 5>", "<p 1 2 3 4 5>"},
        {"< p a b c d>", "< p a b c d>"},
        {"<1 a b c d>", "<1 a b c d>"},
        {"a b c d e f", "a b c d e f"},
        {"<", "<"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t n = osp_attributes_bounded(osp_span_of(vectors[i].page), 3);
        if (n != strlen(vectors[i].rest)) {
            fail_msg("of '%s' %zu bytes are left, not '%s'", vectors[i].page, n, vectors[i].rest);
        }
    }
    assert_int_equal(osp_attributes_bounded((osp_span){NULL, 0}, 3), 0);
}

/* libxml2 breaks a name off after 100 bytes: a quote behind it may open nothing. */
static void test_the_worst_is_taken_from_a_name_without_end(void **state)
{
    char page[200] = "x<p ";
    (void)state;
    memset(page + 4, 'a', 100);
    strcpy(page + 104, "1='a b c d e'>");
    assert_int_equal(osp_attributes_bounded(osp_span_of(page), 3), 1);
    memset(page + 3, 'a', 101);
    assert_int_equal(osp_attributes_bounded(osp_span_of(page), 3), 1);
    page[3] = ' ';
    strcpy(page + 30, "1='a b c d e'>");
    assert_int_equal(osp_attributes_bounded(osp_span_of(page), 3), strlen(page));
}

static void weigh(const char *bytes, size_t count)
{
    osp_attributes_bounded((osp_span){bytes, count}, 1000);
}

static void test_work_grows_with_the_length_of_the_page_and_no_faster(void **state)
{
    (void)state;
    assert_true(work_is_linear("<p", weigh));
    assert_true(work_is_linear(" a", weigh));
    assert_true(work_is_linear("<p a='", weigh));
    assert_true(work_is_linear("<p a=b ", weigh));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_ends_before_the_first_element_with_too_many),
        cmocka_unit_test(test_the_worst_is_taken_from_a_name_without_end),
        cmocka_unit_test(test_work_grows_with_the_length_of_the_page_and_no_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
