/*
 * Any bytes as a WWW-Authenticate line: what osp_challenge_remove_negotiate promises, and that the
 * line which results shows no Negotiate to clients that split a line more simply than we do.
 */
#include "fuzz.h"

#include "parse/challenge.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The word at pos, up to a blank or comma. */
static bool negotiate_at(osp_span line, size_t pos)
{
    size_t end = pos;
    while (end < line.n && !is_blank(line.p[end]) && line.p[end] != ',') {
        end++;
    }
    return osp_challenge_is_negotiate((osp_span){line.p + pos, end - pos});
}

static size_t skip_blanks(osp_span line, size_t pos)
{
    while (pos < line.n && is_blank(line.p[pos])) {
        pos++;
    }
    return pos;
}

/* A client that takes the first word of the line for the only scheme. */
static void show_to_first_word_client(osp_span line)
{
    PROMISE(!negotiate_at(line, skip_blanks(line, 0)));
}

/* A client that takes the word behind any comma for a scheme. It goes wrong on quotes and on
 * parameters, so it sees only lines without. */
static void show_to_comma_client(osp_span line)
{
    if (memchr(line.p, '"', line.n) || memchr(line.p, '=', line.n)) {
        return;
    }
    for (size_t pos = 0; pos < line.n; pos++) {
        if (pos == 0 || line.p[pos - 1] == ',') {
            PROMISE(!negotiate_at(line, skip_blanks(line, pos)));
        }
    }
}

static bool span_within(osp_span inner, osp_span outer)
{
    return inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n;
}

static bool span_equal(osp_span a, osp_span b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Challenges come in order, within the line, each with a scheme at its beginning. */
static void check_iteration(osp_span line)
{
    osp_challenge_iter it = osp_challenge_begin(line);
    osp_challenge challenge;
    const char *behind = line.p;
    while (osp_challenge_next(&it, &challenge)) {
        PROMISE(challenge.text.p >= behind && span_within(challenge.text, line));
        PROMISE(challenge.scheme.p == challenge.text.p && challenge.scheme.n > 0);
        PROMISE(challenge.scheme.n <= challenge.text.n);
        PROMISE(span_within(challenge.rest, challenge.text));
        PROMISE(challenge.rest.p >= challenge.scheme.p + challenge.scheme.n);
        PROMISE(challenge.rest.p + challenge.rest.n == challenge.text.p + challenge.text.n);
        behind = challenge.text.p + challenge.text.n;
    }
}

/* The challenges of left are those of line without Negotiate, byte for byte. */
static void check_left(osp_span line, osp_span left, osp_challenge_removed result)
{
    osp_challenge_iter before = osp_challenge_begin(line), after = osp_challenge_begin(left);
    osp_challenge was, is;
    unsigned removed = 0, kept = 0;
    while (osp_challenge_next(&before, &was)) {
        if (osp_challenge_is_negotiate(was.scheme)) {
            removed++;
            continue;
        }
        kept++;
        PROMISE(osp_challenge_next(&after, &is));
        PROMISE(span_equal(was.text, is.text));
        PROMISE(span_equal(was.scheme, is.scheme));
    }
    PROMISE(!osp_challenge_next(&after, &is));
    PROMISE(removed == result.removed && kept == result.kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    osp_span line = {(const char *)data, size};
    char *room = malloc(size ? size : 1);
    PROMISE(room);
    memset(room, '?', size ? size : 1);
    osp_challenge_removed result = osp_challenge_remove_negotiate(line, room);
    osp_span left = result.removed ? (osp_span){room, result.length} : line;

    PROMISE(result.length <= size);
    PROMISE(result.removed || (result.length == 0 && (size == 0 || room[0] == '?')));
    check_iteration(line);
    check_left(line, left, result);
    show_to_first_word_client(left);
    show_to_comma_client(left);
    free(room);
    return 0;
}
