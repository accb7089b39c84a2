/*
 * encode.h: foreign text made harmless for where it goes. It may hold anything: configuration, file
 * names, what came from the network.
 */
#ifndef OSP_ENCODE_H
#define OSP_ENCODE_H

#include "text.h"

/* The length of the UTF-8 character (RFC 3629) that text begins with, 0 when there is none. */
size_t osp_text_utf8(const char *text);

/* A JSON string with its quotes (RFC 8259 section 7), `null` for NULL; a byte that is no UTF-8
 * becomes U+FFFD. */
void osp_out_json(osp_out *out, const char *text);

/* Text for HTML, in an element or in a quoted attribute. What is no UTF-8, a control character or
 * one that turns the direction of writing becomes a question mark. */
void osp_out_html(osp_out *out, const char *text);

/* The value of an OpenMetrics label, without its quotes. Bytes as in osp_out_html(). */
void osp_out_label(osp_out *out, const char *text);

#endif
