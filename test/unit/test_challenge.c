/* The challenge iterator and the removal of Negotiate, for the rule negotiate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/challenge.h"
#include "vectors/challenges.h"
#include "work.h"

enum { LINE_MAX_BYTES = 64 * 1024 };

/* A copy in a block of just its size, so that AddressSanitizer sees a byte read too far. */
static osp_span copy_of(const char *bytes, size_t count)
{
    char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    return (osp_span){copy, count};
}

static void release(osp_span copy)
{
    free((void *)copy.p);
}

static void assert_span(osp_span span, const char *wanted)
{
    assert_int_equal(span.n, strlen(wanted));
    assert_memory_equal(span.p, wanted, span.n);
}

/* The result for a line, its bytes in out, which takes as many as the line has. */
static osp_challenge_removed removed_from(const char *line, size_t count, osp_span *out)
{
    osp_span value = copy_of(line, count);
    char *room = malloc(count ? count : 1);
    assert_non_null(room);
    osp_challenge_removed result = osp_challenge_remove_negotiate(value, room);
    assert_true(result.length <= count);
    *out = (osp_span){room, result.length};
    release(value);
    return result;
}

static void test_schemes_of_every_vector_are_found_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof challenge_vectors / sizeof *challenge_vectors; i++) {
        const challenge_vector *v = &challenge_vectors[i];
        osp_span line = copy_of(v->line, strlen(v->line));
        osp_challenge_iter it = osp_challenge_begin(line);
        osp_challenge challenge;
        char schemes[256] = "";
        while (osp_challenge_next(&it, &challenge)) {
            size_t length = strlen(schemes);
            snprintf(schemes + length, sizeof schemes - length, "%s%.*s", length ? "|" : "",
                     (int)challenge.scheme.n, challenge.scheme.p);
        }
        if (strcmp(schemes, v->schemes) != 0) {
            fail_msg("%s: \"%s\" gives %s, not %s", v->what, v->line, schemes, v->schemes);
        }
        release(line);
    }
}

static void test_what_is_left_of_every_vector_is_byte_for_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof challenge_vectors / sizeof *challenge_vectors; i++) {
        const challenge_vector *v = &challenge_vectors[i];
        osp_span out;
        osp_challenge_removed result = removed_from(v->line, strlen(v->line), &out);
        const char *left = v->left ? v->left : "";
        if ((result.removed > 0) != (v->left != NULL) || out.n != strlen(left)
            || memcmp(out.p, left, out.n) != 0) {
            fail_msg("%s: \"%s\" leaves \"%.*s\" (%u removed), not \"%s\"", v->what, v->line,
                     (int)out.n, out.p, result.removed, left);
        }
        release(out);
    }
}

static void test_a_challenge_is_split_into_scheme_and_rest(void **state)
{
    (void)state;
    osp_challenge_iter it = osp_challenge_begin(
        osp_span_of(" , Basic ,, realm=\"a\" , b=c ,, NTLM  TlRM== , Digest , "));
    osp_challenge challenge;
    assert_true(osp_challenge_next(&it, &challenge));
    assert_span(challenge.text, "Basic ,, realm=\"a\" , b=c");
    assert_span(challenge.scheme, "Basic");
    assert_span(challenge.rest, "realm=\"a\" , b=c");
    assert_true(osp_challenge_next(&it, &challenge));
    assert_span(challenge.text, "NTLM  TlRM==");
    assert_span(challenge.rest, "TlRM==");
    assert_true(osp_challenge_next(&it, &challenge));
    assert_span(challenge.text, "Digest");
    assert_span(challenge.rest, "");
    assert_false(osp_challenge_next(&it, &challenge));
    assert_span(challenge.text, "Digest");
    assert_false(osp_challenge_next(&it, &challenge));
}

static void test_an_empty_span_without_bytes_has_no_challenge(void **state)
{
    (void)state;
    osp_challenge_iter it = osp_challenge_begin((osp_span){NULL, 0});
    osp_challenge challenge;
    assert_false(osp_challenge_next(&it, &challenge));
    assert_int_equal(osp_challenge_remove_negotiate((osp_span){NULL, 0}, NULL).removed, 0);
}

static void test_negotiate_nego2_and_kerberos_are_recognised_as_whole_words(void **state)
{
    (void)state;
    assert_true(osp_challenge_is_negotiate(osp_span_of("Negotiate")));
    assert_true(osp_challenge_is_negotiate(osp_span_of("nEGOTIATE")));
    assert_true(osp_challenge_is_negotiate(osp_span_of("nego2")));
    assert_true(osp_challenge_is_negotiate(osp_span_of("KERBEROS")));
    const char *others[] = {"",         "N",          "Nego", "Nego22",
                            "Negotiat", "Negotiates", "NTLM", "Kerberos5"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(osp_challenge_is_negotiate(osp_span_of(others[i])));
    }
    assert_false(osp_challenge_is_negotiate((osp_span){"Negotiate", 10}));
}

static void test_a_line_without_negotiate_leaves_the_buffer_alone(void **state)
{
    (void)state;
    char out[] = "untouched untouched";
    osp_challenge_removed result =
        osp_challenge_remove_negotiate(osp_span_of("NTLM, Basic a=b"), out);
    assert_string_equal(out, "untouched untouched");
    assert_int_equal(result.removed, 0);
    assert_int_equal(result.kept, 2);
    assert_int_equal(result.length, 0);
}

static void test_removed_and_kept_challenges_are_counted(void **state)
{
    (void)state;
    osp_span out;
    const char *line = "Negotiate, NTLM, Nego2 YII=, Basic realm=\"a, b\", Kerberos x=y, z=1";
    osp_challenge_removed result = removed_from(line, strlen(line), &out);
    assert_int_equal(result.removed, 3);
    assert_int_equal(result.kept, 2);
    assert_span(out, "NTLM, Basic realm=\"a, b\"");
    release(out);
}

static void test_nothing_left_shows_as_length_zero(void **state)
{
    (void)state;
    osp_span out;
    osp_challenge_removed result = removed_from(" Negotiate ,", 12, &out);
    assert_int_equal(result.removed, 1);
    assert_int_equal(result.kept, 0);
    assert_int_equal(result.length, 0);
    release(out);
}

static void test_a_byte_of_any_value_ends_no_line_early(void **state)
{
    (void)state;
    const char line[] = "NTLM \0\x01\x7f\x80\xff, Negotiate, \0x, Basic a=\"\0\"";
    const char left[] = "NTLM \0\x01\x7f\x80\xff, Basic a=\"\0\"";
    osp_span out;
    osp_challenge_removed result = removed_from(line, sizeof line - 1, &out);
    assert_int_equal(result.removed, 1);
    assert_int_equal(out.n, sizeof left - 1);
    assert_memory_equal(out.p, left, out.n);
    release(out);
}

static void test_thousands_of_challenges_lose_every_negotiate_and_nothing_else(void **state)
{
    (void)state;
    static const char pair[] = "Negotiate YII=, X q=\"1,\", ";
    static const char kept[] = "X q=\"1,\", ";
    enum { PAIRS = LINE_MAX_BYTES / sizeof pair };
    char *line = malloc(PAIRS * sizeof pair), *end = line;
    assert_non_null(line);
    for (size_t i = 0; i < PAIRS; i++) {
        memcpy(end, pair, sizeof pair - 1);
        end += sizeof pair - 1;
    }
    osp_span out;
    osp_challenge_removed result = removed_from(line, (size_t)(end - line), &out);
    assert_int_equal(result.removed, PAIRS);
    assert_int_equal(result.kept, PAIRS);
    assert_int_equal(out.n, PAIRS * (sizeof kept - 1));
    for (size_t i = 0; i < PAIRS; i++) {
        assert_memory_equal(out.p + i * (sizeof kept - 1), kept, sizeof kept - 1);
    }
    release(out);
    free(line);
}

static void remove_from(const char *bytes, size_t count)
{
    osp_span out;
    removed_from(bytes, count, &out);
    release(out);
}

static void test_work_grows_with_the_length_of_the_line_and_no_faster(void **state)
{
    (void)state;
    /* clang-format off */
    const char *patterns[] = {
        ",", " ", " ,", "a", "a ", "a,", "a=,", "a =,", "a   ", "=", "=,", "\"", "\"\"", "\"\",",
        "\"\\", "\\", "a\"", "a\",", "a=\"b,c\",", "Negotiate", "Negotiate,", "Negotiate ",
        "Negotiate =,", "Negotiate \"", "Negotiate,,,,", "Negotiate, a=b, ", "NTLM,Negotiate,",
        "Basic realm=\"x\", Negotiate YII=, a=b, ", "a=b Negotiate", "\x80,",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        assert_true(work_is_linear(patterns[i], remove_from));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemes_of_every_vector_are_found_in_order),
        cmocka_unit_test(test_what_is_left_of_every_vector_is_byte_for_byte),
        cmocka_unit_test(test_a_challenge_is_split_into_scheme_and_rest),
        cmocka_unit_test(test_an_empty_span_without_bytes_has_no_challenge),
        cmocka_unit_test(test_negotiate_nego2_and_kerberos_are_recognised_as_whole_words),
        cmocka_unit_test(test_a_line_without_negotiate_leaves_the_buffer_alone),
        cmocka_unit_test(test_removed_and_kept_challenges_are_counted),
        cmocka_unit_test(test_nothing_left_shows_as_length_zero),
        cmocka_unit_test(test_a_byte_of_any_value_ends_no_line_early),
        cmocka_unit_test(test_thousands_of_challenges_lose_every_negotiate_and_nothing_else),
        cmocka_unit_test(test_work_grows_with_the_length_of_the_line_and_no_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
