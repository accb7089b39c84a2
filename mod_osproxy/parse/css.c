/*
 * References of a style sheet, see css.h: the part of the tokenizer of CSS Syntax (section 4) that
 * tells names, strings, comments and url( apart. Functions named skip_ and take_ leave the position
 * behind what they have read; each byte is read a fixed number of times.
 */
#include "css.h"

typedef struct reader {
    osp_span css;
    size_t pos;
    osp_css_sink *sink;
    void *baton;
    osp_css result;
} reader;

/* A string or an address: a span into the sheet, and a decoded copy once an escape was met. */
typedef struct value {
    size_t start, length; /* length of the copy */
    bool decoded, full;
    char copy[OSP_CSS_DECODED];
} value;

enum { NAME = 8 }; /* bytes: no name that matters is longer */

static int peek(const reader *in, size_t ahead)
{
    return in->css.n - in->pos > ahead ? (unsigned char)in->css.p[in->pos + ahead] : -1;
}

static bool is_newline(int c)
{
    return c == '\n' || c == '\r' || c == '\f';
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || is_newline(c);
}

static int hex(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    int low = c | 0x20;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static bool is_name(int c)
{
    int low = c | 0x20;
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'
           || c >= 0x80;
}

/* Whether an escape begins here that is one outside strings. */
static bool is_escape(const reader *in)
{
    return peek(in, 0) == '\\' && !is_newline(peek(in, 1));
}

static void skip_newline(reader *in)
{
    in->pos += peek(in, 0) == '\r' && peek(in, 1) == '\n' ? 2 : 1;
}

static bool skip_comment(reader *in)
{
    if (peek(in, 0) != '/' || peek(in, 1) != '*') {
        return false;
    }
    for (in->pos += 2; peek(in, 0) >= 0; in->pos++) {
        if (peek(in, 0) == '*' && peek(in, 1) == '/') {
            in->pos += 2;
            break;
        }
    }
    return true;
}

static void skip_blanks(reader *in)
{
    while (is_blank(peek(in, 0))) {
        in->pos++;
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

static void add(value *to, const char *bytes, size_t n)
{
    if (n > sizeof to->copy - to->length) {
        to->full = true;
        return;
    }
    memcpy(to->copy + to->length, bytes, n);
    to->length += n;
}

/* Behind the first escape everything is copied, before it nothing. */
static void begin_copy(const reader *in, value *to)
{
    if (!to->decoded) {
        to->decoded = true;
        add(to, in->css.p + to->start, in->pos - to->start);
    }
}

static void add_utf8(value *to, unsigned code)
{
    char bytes[4];
    if (code < 0x80) {
        bytes[0] = (char)code;
        add(to, bytes, 1);
    }
    else if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 63));
        add(to, bytes, 2);
    }
    else if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 63));
        bytes[2] = (char)(0x80 | (code & 63));
        add(to, bytes, 3);
    }
    else {
        bytes[0] = (char)(0xf0 | code >> 18);
        bytes[1] = (char)(0x80 | (code >> 12 & 63));
        bytes[2] = (char)(0x80 | (code >> 6 & 63));
        bytes[3] = (char)(0x80 | (code & 63));
        add(to, bytes, 4);
    }
}

/* Takes what stands behind a backslash: up to six digits and a blank, or any byte. */
static void take_escape(reader *in, value *to)
{
    unsigned code = 0, digits = 0;
    begin_copy(in, to);
    in->pos++;
    for (; digits < 6 && hex(peek(in, 0)) >= 0; digits++, in->pos++) {
        code = code << 4 | (unsigned)hex(peek(in, 0));
    }
    if (digits) {
        bool bad = !code || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
        add_utf8(to, bad ? 0xfffd : code);
        if (is_blank(peek(in, 0))) {
            skip_newline(in);
        }
    }
    else if (peek(in, 0) >= 0) {
        add(to, in->css.p + in->pos, 1);
        in->pos++;
    }
    else {
        add_utf8(to, 0xfffd);
    }
}

static void take_byte(reader *in, value *to)
{
    if (to->decoded) {
        add(to, in->css.p + in->pos, 1);
    }
    in->pos++;
}

/* Hands the value that ends at this position to the sink. */
static void report(reader *in, const value *found, size_t end)
{
    osp_span text = {in->css.p + found->start, end - found->start};
    if (found->decoded) {
        text = (osp_span){found->copy, found->length};
    }
    if (found->full || in->result.references == OSP_CSS_REFERENCES) {
        in->result.cut = true;
        return;
    }
    in->result.references++;
    in->sink(in->baton, text);
}

static void begin_value(const reader *in, value *to)
{
    to->start = in->pos;
    to->length = 0;
    to->decoded = to->full = false;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* Reads a string whose quote stands here; a line that ends before it does makes it a bad one. */
static void take_string(reader *in, bool wanted)
{
    value found;
    int quote = peek(in, 0), c;
    in->pos++;
    begin_value(in, &found);
    while ((c = peek(in, 0)) >= 0 && c != quote) {
        if (is_newline(c)) {
            return;
        }
        if (c != '\\') {
            take_byte(in, &found);
        }
        else if (is_newline(peek(in, 1))) {
            begin_copy(in, &found);
            in->pos++;
            skip_newline(in);
        }
        else if (peek(in, 1) < 0) { /* a backslash at the end is nothing */
            begin_copy(in, &found);
            in->pos++;
        }
        else {
            take_escape(in, &found);
        }
    }
    if (wanted) {
        report(in, &found, in->pos);
    }
    in->pos += c == quote;
}

/* What a broken url( takes along, up to its parenthesis. */
static void skip_bad_url(reader *in)
{
    int c;
    while ((c = peek(in, 0)) >= 0) {
        in->pos += is_escape(in) && peek(in, 1) >= 0 ? 2 : 1;
        if (c == ')') {
            return;
        }
    }
}

static bool is_forbidden(int c)
{
    return c == '"' || c == '\'' || c == '(' || c < ' ' || c == 0x7f;
}

/* Reads an address without quotes, up to and with its parenthesis. */
static void take_bare_url(reader *in)
{
    value found;
    int c;
    begin_value(in, &found);
    while ((c = peek(in, 0)) >= 0 && c != ')' && !is_blank(c)) {
        if (is_escape(in)) {
            take_escape(in, &found);
        }
        else if (is_forbidden(c) || c == '\\') {
            skip_bad_url(in);
            return;
        }
        else {
            take_byte(in, &found);
        }
    }
    size_t end = in->pos;
    skip_blanks(in);
    c = peek(in, 0);
    if (c >= 0 && c != ')') {
        skip_bad_url(in);
        return;
    }
    report(in, &found, end);
    in->pos += c == ')';
}

/* Reads a name with its escapes; the first bytes of it, in lower case, go to out. */
static void take_name(reader *in, char out[NAME])
{
    value name;
    begin_value(in, &name);
    while (is_name(peek(in, 0)) || is_escape(in)) {
        if (is_escape(in)) {
            take_escape(in, &name);
        }
        else {
            take_byte(in, &name);
        }
    }
    const char *text = name.decoded ? name.copy : in->css.p + name.start;
    size_t n = name.decoded ? name.length : in->pos - name.start;
    size_t i = 0;
    for (; i < n && i < NAME - 1; i++) {
        out[i] = text[i] ? osp_span_lower(text[i]) : '?';
    }
    out[i] = '\0';
}

static void take_word(reader *in)
{
    char name[NAME];
    take_name(in, name);
    if (peek(in, 0) != '(' || strcmp(name, "url") != 0) {
        return;
    }
    in->pos++;
    skip_blanks(in);
    if (peek(in, 0) == '"' || peek(in, 0) == '\'') {
        take_string(in, true);
    }
    else {
        take_bare_url(in);
    }
}

/* @import names its sheet as a string, or as url( which is read as everywhere. */
static void take_at_word(reader *in)
{
    char name[NAME];
    in->pos++;
    take_name(in, name);
    if (strcmp(name, "import") != 0) {
        return;
    }
    do {
        skip_blanks(in);
    } while (skip_comment(in));
    if (peek(in, 0) == '"' || peek(in, 0) == '\'') {
        take_string(in, true);
    }
}

/* A number takes its unit along, and # its name: `1url(` and `#url(` are no addresses. */
static void skip_word(reader *in)
{
    char name[NAME];
    in->pos++;
    take_name(in, name);
}

osp_css osp_css_read(osp_span css, osp_css_sink *sink, void *baton)
{
    reader in = {css, 0, sink, baton, {0, false}};
    int c;
    while ((c = peek(&in, 0)) >= 0) {
        if (c == '"' || c == '\'') {
            take_string(&in, false);
        }
        else if (c == '@') {
            take_at_word(&in);
        }
        else if (c == '#' || (c >= '0' && c <= '9')) {
            skip_word(&in);
        }
        else if (is_name(c) || is_escape(&in)) {
            take_word(&in);
        }
        else if (!skip_comment(&in)) {
            in.pos++;
        }
    }
    return in.result;
}
