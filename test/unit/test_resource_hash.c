/* The hash in the address of a Reactive or Mobile resource. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/resource_hash.h"
#include "work.h"

#define HASH "5s98bsfC1vZwrp12JgTLCw"

/* The hash of a text, handed over in pieces of this size. */
static void hash_in_pieces(const char *text, size_t piece, char *out)
{
    osp_resource_hash hash;
    size_t n = strlen(text);
    assert_true(osp_resource_hash_begin(&hash));
    for (size_t i = 0; i < n; i += piece) {
        assert_true(
            osp_resource_hash_update(&hash, (osp_span){text + i, n - i < piece ? n - i : piece}));
    }
    assert_true(osp_resource_hash_end(&hash, out));
}

static void test_a_hash_is_base64_of_md5_without_slash_and_padding(void **state)
{
    /* the MD5 test suite of RFC 1321 */
    static const struct {
        const char *text, *hash;
    } vectors[] = {
        {"", "1B2M2Y8AsgTpgAmY7PhCfg"},
        {"a", "DMF1ucDxtqgxw5niaXcmYQ"},
        {"abc", "kAFQmDzST7DWlj99KOF_cg"},
        {"message digest", "+WtpfXy3k41SWi8xqvFh0A"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "V+30oivjyVWsSdouIQe2eg"},
    };
    char out[OSP_RESOURCE_HASH_LENGTH + 1];
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        hash_in_pieces(vectors[i].text, 1000, out);
        assert_string_equal(out, vectors[i].hash);
        hash_in_pieces(vectors[i].text, 1, out);
        assert_string_equal(out, vectors[i].hash);
        assert_true(osp_resource_hash_is(osp_span_of(out)));
    }
}

static void test_font_awesome_has_the_hash_that_outsystems_gives_it(void **state)
{
    static const unsigned char md5[16] = {0xe6, 0xcf, 0x7c, 0x6e, 0xc7, 0xc2, 0xd6, 0xf6,
                                          0x70, 0xae, 0x9d, 0x76, 0x26, 0x04, 0xcb, 0x0b};
    char out[OSP_RESOURCE_HASH_LENGTH + 1];
    (void)state;
    osp_resource_hash_write(md5, out);
    assert_string_equal(out, HASH);
}

static void test_a_hash_that_has_not_begun_fails_and_is_freed_without_harm(void **state)
{
    osp_resource_hash hash = {NULL};
    char out[OSP_RESOURCE_HASH_LENGTH + 1] = "x";
    (void)state;
    assert_false(osp_resource_hash_update(&hash, osp_span_of("x")));
    assert_false(osp_resource_hash_end(&hash, out));
    assert_string_equal(out, "");
    osp_resource_hash_free(&hash);

    assert_true(osp_resource_hash_begin(&hash));
    osp_resource_hash_free(&hash);
    osp_resource_hash_free(&hash);
    assert_false(osp_resource_hash_end(&hash, out));
}

static void test_a_hash_is_told_from_other_queries(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } vectors[] = {
        {HASH, true},
        {"AAAAAAAAAAAAAAAAAAAAAA", true},
        {"+_+_+_+_+_+_+_+_+_+_+Q", true},
        {"zzzzzzzzzzzzzzzzzzzzzg", true},
        {"49NNIDchMt9XlrZrEO_H4A", true},
        {"5s98bsfC1vZwrp12JgTLCx", false}, /* bits where the padding is */
        {"5s98bsfC1vZwrp12JgTLCw=", false},
        {"5s98bsfC1vZwrp12JgTLCw==", false},
        {"5s98bsfC1vZwrp12JgTLC", false},
        {"5s98bsfC1vZ/rp12JgTLCw", false},
        {"5s98bsfC1vZ-rp12JgTLCw", false},
        {"5s98bsfC1vZ rp12JgTLCw", false},
        {"5s98bsfC1vZwrp12JgTLC\xe7", false},
        {"?5s98bsfC1vZwrp12JgTLCw", false},
        {"8322", false},
        {"8_0_1_7", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        if (osp_resource_hash_is(osp_span_of(vectors[i].text)) != vectors[i].is) {
            fail_msg("'%s' is taken for something else", vectors[i].text);
        }
    }
    assert_false(osp_resource_hash_is((osp_span){NULL, 0}));
    assert_false(osp_resource_hash_is((osp_span){HASH "\0", 23}));
    assert_false(osp_resource_hash_is((osp_span){"5s98bsfC1vZwrp12JgTLC\0", 22}));
}

static void test_a_text_that_names_its_token_is_accepted_for_it(void **state)
{
    static const struct {
        const char *body;
        bool is;
    } vectors[] = {
        {"<script>OSManifestLoader.indexVersionToken = \"" HASH "\";</script>", true},
        {"OSManifestLoader.indexVersionToken=\"" HASH "\"", true},
        {"window.OSManifestLoader.indexVersionToken\n\t=\r\n \"" HASH "\"", true},
        {"{\"versionToken\":\"" HASH "\"}", true},
        {"\xef\xbb\xbf{\"manifest\":{\"versionToken\" : \"" HASH "\",\"urlVersions\":{}}}", true},
        {"{\"versionToken\":\"49NNIDchMt9XlrZrEO_H4A\",\"versionToken\":\"" HASH "\"}", true},
        {"\"" HASH "\" \"versionToken\":\"" HASH "\"", true},
        {"\"versionToken\":\"" HASH "=\"", false},
        {"\"versionToken\":\"x" HASH "\"", false},
        {"\"versionToken\":\"" HASH, false},
        {"\"versionToken\"=\"" HASH "\"", false},
        {"versionToken:\"" HASH "\"", false},
        {"OSManifestLoader.indexVersionToken: \"" HASH "\"", false},
        {"OSManifestLoader.indexVersionToken = '" HASH "'", false},
        {"indexVersionToken = \"" HASH "\"", false},
        {":\"" HASH "\"", false},
        {"\"" HASH "\"", false},
        {"  \"" HASH "\"", false},
        {"\"\"\"\"", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t n = strlen(vectors[i].body);
        char *copy = malloc(n ? n : 1); /* just its size: AddressSanitizer sees a byte too far */
        assert_non_null(copy);
        memcpy(copy, vectors[i].body, n);
        if (osp_resource_token_is((osp_span){copy, n}, osp_span_of(HASH)) != vectors[i].is) {
            fail_msg("'%s' is taken for something else", vectors[i].body);
        }
        free(copy);
    }
    assert_false(osp_resource_token_is((osp_span){NULL, 0}, osp_span_of(HASH)));
    assert_false(osp_resource_token_is(osp_span_of("\"versionToken\":\"\""), (osp_span){NULL, 0}));
    assert_false(
        osp_resource_token_is(osp_span_of("\"versionToken\":\"8322\""), osp_span_of("8322")));
}

static void look_for_token(const char *bytes, size_t count)
{
    osp_resource_token_is((osp_span){bytes, count}, osp_span_of(HASH));
}

static void test_work_grows_with_the_length_of_the_body_and_no_faster(void **state)
{
    (void)state;
    assert_true(work_is_linear("\"", look_for_token));
    assert_true(work_is_linear(" ", look_for_token));
    assert_true(work_is_linear("\"" HASH "\"", look_for_token));
    assert_true(work_is_linear(" = \"" HASH "\"", look_for_token));
    assert_true(work_is_linear("\"versionToken\" \"" HASH "\"", look_for_token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hash_is_base64_of_md5_without_slash_and_padding),
        cmocka_unit_test(test_font_awesome_has_the_hash_that_outsystems_gives_it),
        cmocka_unit_test(test_a_hash_that_has_not_begun_fails_and_is_freed_without_harm),
        cmocka_unit_test(test_a_hash_is_told_from_other_queries),
        cmocka_unit_test(test_a_text_that_names_its_token_is_accepted_for_it),
        cmocka_unit_test(test_work_grows_with_the_length_of_the_body_and_no_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
