/*
 * Challenges of a WWW-Authenticate line, see challenge.h. Every function below takes the line and a
 * position in it and returns a later position, at most the line's length. Each byte is looked at a
 * fixed number of times: once to find the end of its element, once to classify the element, once
 * more when the element begins the next challenge.
 */
#include "challenge.h"

static bool is_separator(char c)
{
    return c == ',' || osp_span_is_blank(c);
}

/* tchar of RFC 9110, section 5.6.2 */
static bool is_tchar(char c)
{
    char low = osp_span_lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9')
           || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t skip_blanks(osp_span line, size_t pos)
{
    while (pos < line.n && osp_span_is_blank(line.p[pos])) {
        pos++;
    }
    return pos;
}

static size_t skip_separators(osp_span line, size_t pos)
{
    while (pos < line.n && is_separator(line.p[pos])) {
        pos++;
    }
    return pos;
}

static size_t skip_token(osp_span line, size_t pos)
{
    while (pos < line.n && is_tchar(line.p[pos])) {
        pos++;
    }
    return pos;
}

/* Takes the position of a quote; returns the one behind its partner. */
static size_t skip_quoted(osp_span line, size_t pos)
{
    for (pos++; pos < line.n && line.p[pos] != '"'; pos++) {
        if (line.p[pos] == '\\' && pos + 1 < line.n) {
            pos++;
        }
    }
    return pos < line.n ? pos + 1 : pos;
}

/* To the next byte outside quotes that stop accepts. */
static size_t skip_until(osp_span line, size_t pos, bool (*stop)(char))
{
    while (pos < line.n && !stop(line.p[pos])) {
        pos = line.p[pos] == '"' ? skip_quoted(line, pos) : pos + 1;
    }
    return pos;
}

static bool is_comma(char c)
{
    return c == ',';
}

static size_t skip_element(osp_span line, size_t pos)
{
    return skip_until(line, pos, is_comma);
}

static size_t skip_scheme(osp_span line, size_t pos)
{
    return skip_until(line, pos, is_separator);
}

static osp_span part(osp_span line, size_t from, size_t to)
{
    return (osp_span){line.p + from, to - from};
}

/*
 * Whether the element at pos is the beginning of a challenge. orphan says that none stands before
 * it, so that a parameter here would have no owner.
 */
static bool opens_challenge(osp_span line, size_t pos, bool orphan)
{
    size_t end = skip_token(line, pos);
    size_t next = skip_blanks(line, end);
    if (end == pos) {
        return false;
    }
    if (next == line.n || line.p[next] != '=') {
        return true;
    }
    return orphan && next > end && osp_challenge_is_negotiate(part(line, pos, end));
}

osp_challenge_iter osp_challenge_begin(osp_span value)
{
    return (osp_challenge_iter){value, 0};
}

bool osp_challenge_next(osp_challenge_iter *it, osp_challenge *out)
{
    osp_span line = it->value;
    size_t start = skip_separators(line, it->pos);
    while (start < line.n && !opens_challenge(line, start, true)) {
        start = skip_separators(line, skip_element(line, start));
    }
    if (start == line.n) {
        it->pos = start;
        return false;
    }

    size_t scheme_end = skip_scheme(line, start);
    size_t end = skip_element(line, scheme_end);
    size_t next = skip_separators(line, end);
    while (next < line.n && !opens_challenge(line, next, false)) {
        end = skip_element(line, next);
        next = skip_separators(line, end);
    }
    while (end > scheme_end && osp_span_is_blank(line.p[end - 1])) {
        end--;
    }
    size_t rest = skip_separators(line, scheme_end);

    it->pos = next;
    out->text = part(line, start, end);
    out->scheme = part(line, start, scheme_end);
    out->rest = part(line, rest < end ? rest : end, end);
    return true;
}

bool osp_challenge_is_negotiate(osp_span scheme)
{
    return osp_span_eq_nocase(scheme, "Negotiate") || osp_span_eq_nocase(scheme, "Nego2")
           || osp_span_eq_nocase(scheme, "Kerberos");
}

/* The end of what is written in front of a challenge, without the separators between. */
static size_t end_before(osp_span line, osp_challenge challenge)
{
    size_t end = (size_t)(challenge.text.p - line.p);
    while (end && is_separator(line.p[end - 1])) {
        end--;
    }
    return end;
}

static size_t append(char *out, size_t length, osp_span text)
{
    memcpy(out + length, text.p, text.n);
    return length + text.n;
}

osp_challenge_removed osp_challenge_remove_negotiate(osp_span value, char *out)
{
    osp_challenge_removed result = {0, 0, 0};
    osp_challenge_iter it = osp_challenge_begin(value);
    osp_challenge challenge;
    size_t done = 0;  /* what stands before is copied or dropped, once something was removed */
    bool gap = false; /* a challenge was removed since the last one kept */

    while (osp_challenge_next(&it, &challenge)) {
        size_t end = (size_t)(challenge.text.p - value.p) + challenge.text.n;
        if (osp_challenge_is_negotiate(challenge.scheme)) {
            if (result.removed++ == 0) {
                result.length = append(out, 0, part(value, 0, end_before(value, challenge)));
            }
            gap = true;
        }
        else {
            result.kept++;
            if (gap && result.length) {
                result.length = append(out, result.length, osp_span_of(", "));
            }
            if (result.removed) {
                osp_span text = gap ? challenge.text : part(value, done, end);
                result.length = append(out, result.length, text);
            }
            gap = false;
        }
        done = end;
    }
    if (result.removed && !gap) {
        result.length = append(out, result.length, part(value, done, value.n));
    }
    return result;
}
