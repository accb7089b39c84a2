/*
 * Any bytes as an Authorization field: what osp_credentials_read promises, and that a first word which
 * a lenient server takes for Windows authentication is not overlooked.
 */
#include "fuzz.h"

#include "parse/credentials.h"

/* A server that skips blanks and takes the first word, up to a blank or comma. */
static osp_span first_word(osp_span value)
{
    size_t start = 0, end;
    while (start < value.n && osp_span_is_blank(value.p[start])) {
        start++;
    }
    for (end = start; end < value.n && !osp_span_is_blank(value.p[end]) && value.p[end] != ','; end++) {
    }
    return (osp_span){value.p + start, end - start};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    osp_span value = {(const char *)data, size};
    osp_credentials found = osp_credentials_read(value);
    osp_span word = first_word(value);

    PROMISE((found.kind == OSP_CREDENTIALS_NONE) == (found.scheme.n == 0));
    PROMISE(!osp_credentials_bind(word) || found.kind != OSP_CREDENTIALS_NONE);
    if (found.kind != OSP_CREDENTIALS_NONE) {
        PROMISE(found.scheme.p >= value.p && found.scheme.p + found.scheme.n <= value.p + value.n);
        PROMISE(osp_credentials_bind(found.scheme));
    }
    return 0;
}
