/*
 * A piece of foreign text: pointer and length, never a terminator. Parsers take spans and hand
 * back spans into the same bytes, so that nothing is copied and nothing is read past the end.
 */
#ifndef OSP_SPAN_H
#define OSP_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct osp_span {
    const char *p;
    size_t n;
} osp_span;

/* The bytes of a C string without its terminator. */
static inline osp_span osp_span_of(const char *cstr)
{
    return (osp_span){cstr, strlen(cstr)};
}

/* ASCII only: the protocol's words do not depend on a locale. */
static inline char osp_span_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* What lenient clients and servers skip: space, tab, CR, LF, VT, FF. */
static inline bool osp_span_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether the whole span is this word, in whatever case. */
static inline bool osp_span_eq_nocase(osp_span span, const char *word)
{
    size_t i = 0;
    while (i < span.n && word[i] && osp_span_lower(span.p[i]) == osp_span_lower(word[i])) {
        i++;
    }
    return i == span.n && !word[i];
}

#endif
