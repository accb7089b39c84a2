/* Content codings of sampled bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#include "parse/coding.h"

#define TEXT "OutSystems behind a proxy: a body is what its reader gets, a body, a body, a body."

typedef struct bytes {
    char at[4096];
    size_t n;
} bytes;

static void test_a_content_encoding_is_told_apart(void **state)
{
    static const struct {
        const char *value;
        enum osp_coding coding;
    } vectors[] = {
        {"", OSP_CODING_IDENTITY},
        {" \t", OSP_CODING_IDENTITY},
        {"identity", OSP_CODING_IDENTITY},
        {"identity,,identity", OSP_CODING_IDENTITY},
        {"gzip", OSP_CODING_GZIP},
        {" GZip ", OSP_CODING_GZIP},
        {"x-gzip", OSP_CODING_GZIP},
        {"gzip,", OSP_CODING_GZIP},
        {", identity ,gzip", OSP_CODING_GZIP},
        {"deflate", OSP_CODING_DEFLATE},
        {"br", OSP_CODING_BR},
        {"gzip, gzip", OSP_CODING_OTHER},
        {"br, gzip", OSP_CODING_OTHER},
        {"gzip, br, identity", OSP_CODING_OTHER},
        {"zstd", OSP_CODING_OTHER},
        {"gzi", OSP_CODING_OTHER},
        {"gzipx", OSP_CODING_OTHER},
        {"gzip gzip", OSP_CODING_OTHER},
        {"gzip;q=1", OSP_CODING_OTHER},
        {"\"gzip\"", OSP_CODING_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        if (osp_coding_of(osp_span_of(vectors[i].value)) != vectors[i].coding) {
            fail_msg("'%s' is taken for another coding", vectors[i].value);
        }
    }
    assert_int_equal(osp_coding_of((osp_span){NULL, 0}), OSP_CODING_IDENTITY);
    assert_int_equal(osp_coding_of((osp_span){"gzip\0", 5}), OSP_CODING_OTHER);
}

/* bits: 31 gzip, 15 zlib, -15 raw */
static void deflate_text(const char *text, size_t n, int bits, bytes *to)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(size_t)text;
    z.avail_in = (unsigned)n;
    z.next_out = (Bytef *)to->at + to->n;
    z.avail_out = (unsigned)(sizeof to->at - to->n);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->n = sizeof to->at - z.avail_out;
    deflateEnd(&z);
}

/* TEXT by brotli's own encoder, which is not among the libraries that are linked */
static const unsigned char brotli_text[] = {
    0x1b, 0x51, 0x00, 0x88, 0x9c, 0x07, 0xb6, 0xb3, 0x95, 0x86, 0xf1, 0xce, 0xd2, 0x9d,
    0x20, 0xbf, 0x04, 0x79, 0xa2, 0xeb, 0x30, 0xb9, 0x3a, 0x3c, 0x95, 0x06, 0xd7, 0x20,
    0x3a, 0x6f, 0x79, 0x60, 0x03, 0x0e, 0xd8, 0x7b, 0xc1, 0x27, 0xd9, 0xf6, 0x18, 0x3b,
    0xd3, 0x34, 0x6d, 0xd3, 0xb5, 0xa4, 0x75, 0xe4, 0xfa, 0xaa, 0x70, 0xdb, 0x0b, 0xc3,
    0xf0, 0x08, 0x82, 0x0b, 0x51, 0x1a, 0x50, 0xf3, 0x83, 0x0c, 0x05,
};

static void encoded(enum osp_coding coding, bool raw, bytes *to)
{
    to->n = 0;
    if (coding == OSP_CODING_IDENTITY) {
        to->n = strlen(TEXT);
        memcpy(to->at, TEXT, to->n);
    }
    else if (coding == OSP_CODING_BR) {
        to->n = sizeof brotli_text;
        memcpy(to->at, brotli_text, to->n);
    }
    else {
        int bits = coding == OSP_CODING_GZIP ? 31 : raw ? -15 : 15;
        deflate_text(TEXT, strlen(TEXT), bits, to);
    }
}

/* Decodes a copy of just its size into a buffer of just its size. */
static enum osp_coding_result decode(enum osp_coding coding, const char *in, size_t n, size_t size,
                                     bytes *out)
{
    char *copy = malloc(n ? n : 1), *to = malloc(size ? size : 1);
    assert_non_null(copy);
    assert_non_null(to);
    memcpy(copy, in, n);
    enum osp_coding_result result = osp_decode(coding, (osp_span){copy, n}, to, size, &out->n);
    assert_true(out->n <= size && out->n <= sizeof out->at);
    memcpy(out->at, to, out->n);
    free(copy);
    free(to);
    return result;
}

static const struct {
    enum osp_coding coding;
    bool raw;
} codings[] = {
    {OSP_CODING_GZIP, false}, {OSP_CODING_DEFLATE, false},  {OSP_CODING_DEFLATE, true},
    {OSP_CODING_BR, false},   {OSP_CODING_IDENTITY, false},
};
enum { CODINGS = sizeof codings / sizeof *codings };

static void test_a_body_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODINGS; i++) {
        bytes in, out;
        encoded(codings[i].coding, codings[i].raw, &in);
        assert_int_equal(decode(codings[i].coding, in.at, in.n, 1000, &out), OSP_DECODED);
        assert_int_equal(out.n, strlen(TEXT));
        assert_memory_equal(out.at, TEXT, out.n);
    }
}

static void test_a_body_that_just_fits_is_told_from_a_longer_one(void **state)
{
    size_t n = strlen(TEXT);
    (void)state;
    for (size_t i = 0; i < CODINGS; i++) {
        bytes in, out;
        encoded(codings[i].coding, codings[i].raw, &in);
        assert_int_equal(decode(codings[i].coding, in.at, in.n, n, &out), OSP_DECODED);
        for (size_t size = 0; size < n; size++) {
            assert_int_equal(decode(codings[i].coding, in.at, in.n, size, &out), OSP_DECODE_FULL);
            assert_int_equal(out.n, size);
            assert_memory_equal(out.at, TEXT, size);
        }
    }
}

static void test_of_a_sample_that_is_cut_off_what_there_is_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODINGS - 1; i++) {
        bytes in, out;
        size_t longest = 0;
        encoded(codings[i].coding, codings[i].raw, &in);
        for (size_t n = 0; n < in.n; n++) {
            assert_int_equal(decode(codings[i].coding, in.at, n, 1000, &out), OSP_DECODE_TRUNCATED);
            assert_memory_equal(out.at, TEXT, out.n);
            longest = out.n > longest ? out.n : longest;
        }
        assert_true(longest >= 40);
    }
}

static void test_damaged_bodies_are_told(void **state)
{
    static const struct {
        enum osp_coding coding;
        const char *in;
        size_t n;
    } vectors[] = {
        {OSP_CODING_GZIP, "<html>", 6},
        {OSP_CODING_GZIP, "\x1f\x8b\x09\0\0\0\0\0\0\0", 10},
        {OSP_CODING_DEFLATE, "<html></html>", 13},
        {OSP_CODING_DEFLATE, "\x78\xbb\0\0\0\0", 6}, /* wants a dictionary */
        {OSP_CODING_DEFLATE, "\xff\xff", 2},
        {OSP_CODING_BR, "<html></html>", 13},
        {OSP_CODING_BR, "\xff\xff\xff\xff\xff\xff", 6},
    };
    bytes in, out;
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        enum osp_coding_result result =
            decode(vectors[i].coding, vectors[i].in, vectors[i].n, 1000, &out);
        if (result != OSP_DECODE_BROKEN) {
            fail_msg("vector %zu gives %d", i, (int)result);
        }
    }
    encoded(OSP_CODING_GZIP, false, &in);
    in.at[in.n - 5] ^= 1; /* of the checksum */
    assert_int_equal(decode(OSP_CODING_GZIP, in.at, in.n, 1000, &out), OSP_DECODE_BROKEN);
    assert_int_equal(out.n, strlen(TEXT));
}

static void test_members_of_gzip_make_one_body_and_what_follows_is_ignored(void **state)
{
    bytes in = {.n = 0}, out;
    (void)state;
    deflate_text("one,", 4, 31, &in);
    deflate_text("", 0, 31, &in);
    deflate_text("two", 3, 31, &in);
    assert_int_equal(decode(OSP_CODING_GZIP, in.at, in.n, 7, &out), OSP_DECODED);
    assert_int_equal(out.n, 7);
    assert_memory_equal(out.at, "one,two", 7);
    assert_int_equal(decode(OSP_CODING_GZIP, in.at, in.n, 4, &out), OSP_DECODE_FULL);

    memset(in.at + in.n, 0, 10);
    assert_int_equal(decode(OSP_CODING_GZIP, in.at, in.n + 10, 7, &out), OSP_DECODED);
    for (size_t i = 0; i < CODINGS - 1; i++) {
        encoded(codings[i].coding, codings[i].raw, &in);
        in.at[in.n] = 'x';
        assert_int_equal(decode(codings[i].coding, in.at, in.n + 1, 1000, &out), OSP_DECODED);
        assert_int_equal(out.n, strlen(TEXT));
    }
}

static void test_a_bomb_is_stopped_at_the_size(void **state)
{
    static char zeros[1024 * 1024];
    bytes in = {.n = 0}, out;
    (void)state;
    deflate_text(zeros, sizeof zeros, 31, &in);
    assert_int_equal(decode(OSP_CODING_GZIP, in.at, in.n, sizeof out.at, &out), OSP_DECODE_FULL);
    assert_int_equal(out.n, sizeof out.at);
    assert_int_equal(decode(OSP_CODING_GZIP, in.at, in.n, 0, &out), OSP_DECODE_FULL);
}

static void test_other_codings_fail(void **state)
{
    bytes out;
    (void)state;
    assert_int_equal(decode(OSP_CODING_OTHER, "x", 1, 10, &out), OSP_DECODE_FAILED);
    assert_int_equal(out.n, 0);
}

static void test_empty_spans_without_bytes_hold_nothing(void **state)
{
    size_t n = 1;
    (void)state;
    assert_int_equal(osp_decode(OSP_CODING_IDENTITY, (osp_span){NULL, 0}, NULL, 0, &n),
                     OSP_DECODED);
    assert_int_equal(n, 0);
    for (size_t i = 0; i < CODINGS - 1; i++) {
        assert_int_equal(osp_decode(codings[i].coding, (osp_span){NULL, 0}, NULL, 0, &n),
                         OSP_DECODE_TRUNCATED);
        assert_int_equal(n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_content_encoding_is_told_apart),
        cmocka_unit_test(test_a_body_is_decoded),
        cmocka_unit_test(test_a_body_that_just_fits_is_told_from_a_longer_one),
        cmocka_unit_test(test_of_a_sample_that_is_cut_off_what_there_is_is_decoded),
        cmocka_unit_test(test_damaged_bodies_are_told),
        cmocka_unit_test(test_members_of_gzip_make_one_body_and_what_follows_is_ignored),
        cmocka_unit_test(test_a_bomb_is_stopped_at_the_size),
        cmocka_unit_test(test_other_codings_fail),
        cmocka_unit_test(test_empty_spans_without_bytes_hold_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
