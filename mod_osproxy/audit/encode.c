/*
 * encode.c: foreign text in JSON, HTML and OpenMetrics.
 */
#include "encode.h"

#include <string.h>

size_t osp_text_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t length = *c >= 0xf0 && *c <= 0xf4  ? 4
                    : *c >= 0xe0 && *c < 0xf0 ? 3
                    : *c >= 0xc2 && *c < 0xe0 ? 2
                    : *c && *c < 0x80         ? 1
                                              : 0,
           i;

    for (i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90)
        || (*c == 0xf4 && c[1] > 0x8f)) {
        return 0;
    }
    return length;
}

void osp_out_json(osp_out *out, const char *text)
{
    if (!text) {
        osp_out_put(out, "null");
        return;
    }
    osp_out_put(out, "\"");
    while (*text) {
        size_t length = osp_text_utf8(text);

        if (*text == '"' || *text == '\\') {
            osp_out_put(out, "\\");
        }
        if (*text == '\n') {
            osp_out_put(out, "\\n");
        }
        else if ((*text > 0 && *text < 0x20) || *text == 0x7f) {
            osp_out_format(out, "\\u%04x", (unsigned)*text);
        }
        else if (length) {
            osp_out_add(out, text, length);
        }
        else {
            osp_out_put(out, "\\ufffd");
        }
        text += length ? length : 1;
    }
    osp_out_put(out, "\"");
}

/* Whether a character of `length` bytes may be shown: no C0 or C1 control, no U+2028 to U+202E, no
 * U+2066 to U+2069, no mark of direction U+200E and U+200F. */
static bool is_harmless(const char *text, size_t length)
{
    const unsigned char *c = (const unsigned char *)text;

    switch (length) {
    case 0:
        return false;
    case 1:
        return *c >= 0x20 && *c != 0x7f;
    case 2:
        return *c != 0xc2 || c[1] >= 0xa0;
    case 3:
        return *c != 0xe2
               || !((c[1] == 0x80
                     && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae)))
                    || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
    default:
        return true;
    }
}

/* Adds text with escapes in place; each is the byte that it is for, then what is written for it. The
 * last is NULL. */
static void put_escaped(osp_out *out, const char *text, const char *const *escapes)
{
    while (*text) {
        size_t length = osp_text_utf8(text);
        const char *const *escape = escapes;

        while (*escape && **escape != *text) {
            escape++;
        }
        if (*escape) {
            osp_out_put(out, *escape + 1);
        }
        else if (is_harmless(text, length)) {
            osp_out_add(out, text, length);
        }
        else {
            osp_out_put(out, "?");
        }
        text += length ? length : 1;
    }
}

void osp_out_html(osp_out *out, const char *text)
{
    static const char *const escapes[] = {"&&amp;", "<&lt;", ">&gt;", "\"&quot;",
                                          "'&#39;", "\n\n",  NULL};

    put_escaped(out, text, escapes);
}

void osp_out_label(osp_out *out, const char *text)
{
    static const char *const escapes[] = {"\\\\\\", "\"\\\"", "\n\\n", NULL};

    put_escaped(out, text, escapes);
}
