/*
 * A byte that chooses coding and size, then any bytes as a body: what osp_decode promises. A
 * smaller buffer gets the beginning of what a larger one gets, and less input does too. All of it
 * is also tried as a Content-Encoding.
 */
#include "fuzz.h"

#include "parse/coding.h"

enum { SIZE = 64 * 1024 };

/* of a damaged body not all that could be had need be in all */
static void promise_beginning(enum osp_coding coding, osp_span in, size_t size, const char *all,
                              size_t length, bool damaged)
{
    char *out = malloc(size ? size : 1);
    size_t n = size + 1;
    PROMISE(out);
    enum osp_coding_result result = osp_decode(coding, in, out, size, &n);
    PROMISE(n <= size && (damaged || n <= length));
    PROMISE(memcmp(out, all, n < length ? n : length) == 0);
    PROMISE(result != OSP_DECODE_FULL || n == size);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char all[SIZE];
    osp_span in = {(const char *)data, size};
    enum osp_coding named = osp_coding_of(in);
    size_t length = 1;
    PROMISE(named <= OSP_CODING_OTHER);
    if (!size) {
        return 0;
    }

    enum osp_coding coding = (enum osp_coding)(data[0] % OSP_CODING_OTHER);
    in = (osp_span){in.p + 1, size - 1};
    enum osp_coding_result result = osp_decode(coding, in, all, sizeof all, &length);
    bool damaged = result == OSP_DECODE_BROKEN;
    PROMISE(result <= OSP_DECODE_BROKEN && length <= sizeof all);
    PROMISE(result != OSP_DECODE_FULL || length == sizeof all);
    PROMISE(coding != OSP_CODING_IDENTITY || (length <= in.n && memcmp(all, in.p, length) == 0));

    promise_beginning(coding, in, length / 2, all, length, damaged);
    if (length && result == OSP_DECODED) {
        char *out = malloc(length);
        size_t n;
        PROMISE(out && osp_decode(coding, in, out, length, &n) == OSP_DECODED && n == length);
        PROMISE(osp_decode(coding, in, out, length - 1, &n) == OSP_DECODE_FULL && n == length - 1);
        free(out);
    }
    if (coding != OSP_CODING_DEFLATE) { /* less of it may look like the other of two formats */
        promise_beginning(coding, (osp_span){in.p, in.n / 2}, sizeof all, all, length, damaged);
    }
    return 0;
}
