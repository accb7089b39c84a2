/*
 * Content codings of sampled bodies (RFC 9110 section 8.4.1), for the rule referenced-content and
 * the integrity of Reactive and Mobile resources: both look at what the client reads, not at what
 * was sent. A sample may be cut off, and may be a bomb.
 */
#ifndef OSP_CODING_H
#define OSP_CODING_H

#include "span.h"

enum osp_coding {
    OSP_CODING_IDENTITY,
    OSP_CODING_GZIP,
    OSP_CODING_DEFLATE, /* zlib's format; the raw one, which some servers send, as well */
    OSP_CODING_BR,
    OSP_CODING_OTHER /* unknown, or several joined */
};

enum osp_coding_result {
    OSP_DECODED,          /* all of it */
    OSP_DECODE_TRUNCATED, /* the input ends early: what there was is decoded */
    OSP_DECODE_FULL,      /* there is more than size: that much is decoded */
    OSP_DECODE_BROKEN,    /* not in this coding, or damaged: some of what came before is decoded */
    OSP_DECODE_FAILED     /* no memory, or OSP_CODING_OTHER: what is in out means nothing */
};

/* Reads a Content-Encoding field, lines joined with commas; empty is IDENTITY. */
enum osp_coding osp_coding_of(osp_span content_encoding);

/* Decodes into out, at most size bytes, and sets length to their number. What follows the end of
 * the compressed data is left alone, but for further members of gzip, which go on with it. */
enum osp_coding_result osp_decode(enum osp_coding coding, osp_span in, char *out, size_t size,
                                  size_t *length);

#endif
