/* Credentials of Windows authentication, for the rule pinned-auth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/credentials.h"
#include "work.h"

typedef struct vector {
    const char *value;
    enum osp_credentials_kind kind;
    const char *scheme;
} vector;

static const vector vectors[] = {
    /* begin a sign-in */
    {"NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGFKAAAADw==", OSP_CREDENTIALS_FIRST, "NTLM"},
    {"ntlm TlRMTVNTUAABAAAA", OSP_CREDENTIALS_FIRST, "ntlm"},
    {"Negotiate YIIGhgYGKwYBBQUCoIIGejCCBnagMDAuBgkqhkiC9xIBAgI=", OSP_CREDENTIALS_FIRST, "Negotiate"},
    {"Negotiate TlRMTVNTUAABAAAA", OSP_CREDENTIALS_FIRST, "Negotiate"},
    {"Nego2 YIIGhg==", OSP_CREDENTIALS_FIRST, "Nego2"},
    {"Kerberos boIFpDCCBaA=", OSP_CREDENTIALS_FIRST, "Kerberos"},
    {"\t NEGOTIATE\tYIIGhg==", OSP_CREDENTIALS_FIRST, "NEGOTIATE"},
    {"NTLM,TlRMTVNTUAABAAAA", OSP_CREDENTIALS_FIRST, "NTLM"},
    /* damaged tokens could still sign somebody in */
    {"NTLM", OSP_CREDENTIALS_FIRST, "NTLM"},
    {"NTLM ", OSP_CREDENTIALS_FIRST, "NTLM"},
    {"NTLM o", OSP_CREDENTIALS_FIRST, "NTLM"},
    {"NTLM TlRMTVNTUAA", OSP_CREDENTIALS_FIRST, "NTLM"},
    {"Negotiate \xff\xfe", OSP_CREDENTIALS_FIRST, "Negotiate"},
    /* answer a challenge */
    {"NTLM TlRMTVNTUAADAAAAGAAYAHYAAACmAKYAjgAAAA==", OSP_CREDENTIALS_ANSWER, "NTLM"},
    {"Negotiate TlRMTVNTUAADAAAA", OSP_CREDENTIALS_ANSWER, "Negotiate"},
    {"Negotiate oYIBpzCCAaOgAwoBAaKCAYYEggGC", OSP_CREDENTIALS_ANSWER, "Negotiate"},
    {"negotiate \t oRQwEqADCgEAoQsGCSqGSIL3EgECAg==", OSP_CREDENTIALS_ANSWER, "negotiate"},
    {"Nego2 oXcwdaADCgEB", OSP_CREDENTIALS_ANSWER, "Nego2"},
    /* lines that httpd has joined */
    {"Basic YTpi, NTLM TlRMTVNTUAADAAAA", OSP_CREDENTIALS_ANSWER, "NTLM"},
    {"NTLM TlRMTVNTUAABAAAA, Negotiate oXcwdaADCgEB", OSP_CREDENTIALS_ANSWER, "Negotiate"},
    {"Digest username=\"a\", realm=\"b\", Negotiate YIIGhg==", OSP_CREDENTIALS_FIRST, "Negotiate"},
    {", NTLM TlRMTVNTUAABAAAA", OSP_CREDENTIALS_FIRST, "NTLM"},
    {",NTLM x", OSP_CREDENTIALS_FIRST, "NTLM"},
    {"Basic \"NTLM", OSP_CREDENTIALS_NONE, ""},
    {"Digest username=\"x, NTLM abc\"", OSP_CREDENTIALS_NONE, ""},
    {"Basic YTpi, Bearer x", OSP_CREDENTIALS_NONE, ""},
    /* 0xa0 and 0xa2 are other tags */
    {"Negotiate oIIBpzCC", OSP_CREDENTIALS_FIRST, "Negotiate"},
    {"Negotiate ooIBpzCC", OSP_CREDENTIALS_FIRST, "Negotiate"},
    /* authenticate each request */
    {"Basic YWxpY2U6cHc=", OSP_CREDENTIALS_NONE, ""},
    {"Bearer NTLM", OSP_CREDENTIALS_NONE, ""},
    {"Digest username=\"NTLM\"", OSP_CREDENTIALS_NONE, ""},
    {"NTLMx TlRMTVNTUAADAAAA", OSP_CREDENTIALS_NONE, ""},
    {"Nego TlRMTVNTUAADAAAA", OSP_CREDENTIALS_NONE, ""},
    {"Negotiate2 YIIGhg==", OSP_CREDENTIALS_NONE, ""},
    {"Negotiate=YIIGhg==", OSP_CREDENTIALS_NONE, ""},
    {"", OSP_CREDENTIALS_NONE, ""},
    {"  ", OSP_CREDENTIALS_NONE, ""},
    {",", OSP_CREDENTIALS_NONE, ""},
};

static void test_every_vector_is_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const vector *v = &vectors[i];
        size_t n = strlen(v->value);
        char *copy = malloc(n ? n : 1); /* just its size: AddressSanitizer sees a byte too far */
        assert_non_null(copy);
        memcpy(copy, v->value, n);
        osp_credentials found = osp_credentials_read((osp_span){copy, n});
        if (found.kind != v->kind || found.scheme.n != strlen(v->scheme)
            || memcmp(found.scheme.p, v->scheme, found.scheme.n) != 0) {
            fail_msg("'%s' gives %d '%.*s', not %d '%s'", v->value, (int)found.kind,
                     (int)found.scheme.n, found.scheme.p, (int)v->kind, v->scheme);
        }
        free(copy);
    }
}

static void test_every_second_byte_of_a_negtokenresp_is_known(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        char value[] = "Negotiate o? ";
        value[11] = digits[i];
        /* 'o' is 101000; 0xa1 is 10100001 */
        assert_int_equal(osp_credentials_read(osp_span_of(value)).kind,
                         i >> 4 == 1 ? OSP_CREDENTIALS_ANSWER : OSP_CREDENTIALS_FIRST);
    }
}

static void test_an_empty_span_without_bytes_holds_nothing(void **state)
{
    (void)state;
    assert_int_equal(osp_credentials_read((osp_span){NULL, 0}).kind, OSP_CREDENTIALS_NONE);
    assert_false(osp_credentials_bind((osp_span){NULL, 0}));
}

static void read_all(const char *bytes, size_t count)
{
    osp_credentials_read((osp_span){bytes, count});
}

static void test_work_does_not_grow_faster_than_the_value(void **state)
{
    (void)state;
    assert_true(work_is_linear(" ", read_all));
    assert_true(work_is_linear("NTLM,", read_all));
    assert_true(work_is_linear("A", read_all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_vector_is_told_apart),
        cmocka_unit_test(test_every_second_byte_of_a_negtokenresp_is_known),
        cmocka_unit_test(test_an_empty_span_without_bytes_holds_nothing),
        cmocka_unit_test(test_work_does_not_grow_faster_than_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
