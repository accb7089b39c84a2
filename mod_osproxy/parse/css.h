/*
 * References of a style sheet (CSS Syntax Level 3: url(…) quoted or not, and @import "…"), for the
 * rule referenced-content. Comments, strings and longer names are skipped as browsers skip them, so
 * that what looks like a reference inside them is none; escapes are decoded.
 */
#ifndef OSP_CSS_H
#define OSP_CSS_H

#include "span.h"

enum {
    OSP_CSS_REFERENCES = 5000, /* those after are left out */
    OSP_CSS_DECODED = 2048     /* bytes: a longer reference with escapes in it is left out */
};

/* Takes a reference as written in a browser's eyes; the span lives until the call returns. */
typedef void osp_css_sink(void *baton, osp_span reference);

typedef struct osp_css {
    unsigned references; /* handed to the sink, empty ones as well */
    bool cut;            /* some were left out */
} osp_css;

/* Reads a style sheet, or the value of a style attribute. Never fails: what is broken is skipped as
 * the specification tells. Time is linear in css.n whatever the bytes. */
osp_css osp_css_read(osp_span css, osp_css_sink *sink, void *baton);

#endif
