/*
 * Content codings, see coding.h. When out is full one byte more is asked for: whether it comes
 * tells a body that just fits from one that goes on.
 */
#include "coding.h"

#include <limits.h>

#include <brotli/decode.h>
#include <zlib.h>

enum { GZIP_BITS = 15 + 16, ZLIB_BITS = 15, RAW_BITS = -15 };

static osp_span trim(osp_span text)
{
    while (text.n && osp_span_is_blank(text.p[0])) {
        text.p++;
        text.n--;
    }
    while (text.n && osp_span_is_blank(text.p[text.n - 1])) {
        text.n--;
    }
    return text;
}

static enum osp_coding named(osp_span name)
{
    static const struct {
        const char *name;
        enum osp_coding coding;
    } names[] = {
        {"", OSP_CODING_IDENTITY},   {"identity", OSP_CODING_IDENTITY}, {"gzip", OSP_CODING_GZIP},
        {"x-gzip", OSP_CODING_GZIP}, {"deflate", OSP_CODING_DEFLATE},   {"br", OSP_CODING_BR},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (osp_span_eq_nocase(name, names[i].name)) {
            return names[i].coding;
        }
    }
    return OSP_CODING_OTHER;
}

enum osp_coding osp_coding_of(osp_span content_encoding)
{
    enum osp_coding found = OSP_CODING_IDENTITY;
    osp_span rest = content_encoding;
    while (rest.n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
        enum osp_coding coding = named(trim((osp_span){rest.p, n}));
        if (coding != OSP_CODING_IDENTITY) {
            found = found == OSP_CODING_IDENTITY ? coding : OSP_CODING_OTHER;
        }
        n += comma != NULL;
        rest = (osp_span){rest.p + n, rest.n - n};
    }
    return found;
}

/* ---- zlib ------------------------------------------------------------------------------------ */

typedef struct inflation {
    z_stream stream;
    osp_span in; /* not yet handed over */
    char *out;
    size_t size, length;
    unsigned char beyond; /* the byte that does not fit */
} inflation;

static unsigned portion(size_t n)
{
    return n < UINT_MAX ? (unsigned)n : UINT_MAX;
}

/* Runs inflate once over as much as its counters hold; full: there was a byte too many. */
static int inflate_some(inflation *run, bool *full)
{
    z_stream *z = &run->stream;
    size_t room = run->size - run->length;
    unsigned in = portion(run->in.n), out = room ? portion(room) : 1;
    z->next_in = (z_const Bytef *)(size_t)run->in.p;
    z->avail_in = in;
    z->next_out = room ? (Bytef *)run->out + run->length : &run->beyond;
    z->avail_out = out;

    int status = inflate(z, Z_NO_FLUSH);
    unsigned taken = in - z->avail_in, made = out - z->avail_out;
    if (taken) {
        run->in = (osp_span){run->in.p + taken, run->in.n - taken};
    }
    if (room) {
        run->length += made;
    }
    else {
        *full = made > 0;
    }
    return status;
}

static bool is_next_member(osp_span in)
{
    return in.n >= 2 && (unsigned char)in.p[0] == 0x1f && (unsigned char)in.p[1] == 0x8b;
}

static enum osp_coding_result inflate_all(inflation *run, bool members)
{
    for (;;) {
        bool full = false;
        size_t before = run->in.n, length = run->length;
        int status = inflate_some(run, &full);
        if (full) {
            return OSP_DECODE_FULL;
        }
        if (status == Z_STREAM_END) {
            if (!members || !is_next_member(run->in)) {
                return OSP_DECODED;
            }
            inflateReset(&run->stream);
        }
        else if (status == Z_MEM_ERROR) {
            return OSP_DECODE_FAILED;
        }
        else if (status != Z_OK && status != Z_BUF_ERROR) {
            return OSP_DECODE_BROKEN;
        }
        else if (run->in.n == before && run->length == length) {
            return OSP_DECODE_TRUNCATED;
        }
    }
}

static enum osp_coding_result inflate_as(int bits, osp_span in, char *out, size_t size,
                                         size_t *length)
{
    inflation run = {.in = in, .out = out, .size = size};
    if (inflateInit2(&run.stream, bits) != Z_OK) {
        return OSP_DECODE_FAILED;
    }
    enum osp_coding_result result = inflate_all(&run, bits == GZIP_BITS);
    inflateEnd(&run.stream);
    *length = run.length;
    return result;
}

/* The first two bytes of zlib's format are a method and a multiple of 31; by chance those of a raw
 * stream can be as well. */
static enum osp_coding_result inflate_deflate(osp_span in, char *out, size_t size, size_t *length)
{
    enum osp_coding_result result = inflate_as(ZLIB_BITS, in, out, size, length);
    if (result == OSP_DECODE_BROKEN && *length == 0) {
        result = inflate_as(RAW_BITS, in, out, size, length);
    }
    return result;
}

/* ---- brotli ---------------------------------------------------------------------------------- */

static enum osp_coding_result unbrotli(osp_span in, char *out, size_t size, size_t *length)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    const uint8_t *next_in = (const uint8_t *)in.p;
    uint8_t *next_out = (uint8_t *)out, beyond;
    size_t room = size;
    if (!state) {
        return OSP_DECODE_FAILED;
    }
    BrotliDecoderResult status =
        BrotliDecoderDecompressStream(state, &in.n, &next_in, &room, &next_out, NULL);
    *length = size - room;
    if (status == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
        room = 1;
        next_out = &beyond;
        status = BrotliDecoderDecompressStream(state, &in.n, &next_in, &room, &next_out, NULL);
        if (room == 0) {
            status = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
        }
    }
    BrotliDecoderDestroyInstance(state);
    switch (status) {
    case BROTLI_DECODER_RESULT_SUCCESS:
        return OSP_DECODED;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return OSP_DECODE_TRUNCATED;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return OSP_DECODE_FULL;
    default:
        return OSP_DECODE_BROKEN;
    }
}

static enum osp_coding_result copy(osp_span in, char *out, size_t size, size_t *length)
{
    *length = in.n < size ? in.n : size;
    if (*length) {
        memcpy(out, in.p, *length);
    }
    return in.n > size ? OSP_DECODE_FULL : OSP_DECODED;
}

enum osp_coding_result osp_decode(enum osp_coding coding, osp_span in, char *out, size_t size,
                                  size_t *length)
{
    *length = 0;
    switch (coding) {
    case OSP_CODING_IDENTITY:
        return copy(in, out, size, length);
    case OSP_CODING_GZIP:
        return inflate_as(GZIP_BITS, in, out, size, length);
    case OSP_CODING_DEFLATE:
        return inflate_deflate(in, out, size, length);
    case OSP_CODING_BR:
        return unbrotli(in, out, size, length);
    default:
        return OSP_DECODE_FAILED;
    }
}
