/*
 * References, see url.h. The path is built segment by segment: a segment that goes up removes what
 * an earlier one has written, so that no byte is written or removed twice.
 */
#include "url.h"

#include "path.h"

typedef struct builder {
    char *out;
    size_t length, size; /* size leaves room for the terminator */
    bool full;
} builder;

static bool is_letter(char c)
{
    char low = osp_span_lower(c);
    return low >= 'a' && low <= 'z';
}

static bool is_number(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_html_blank(char c)
{
    return osp_span_is_blank(c) && c != '\v';
}

static osp_span from(osp_span text, size_t start)
{
    return (osp_span){start ? text.p + start : text.p, text.n - start};
}

/* The number of bytes in front of the first that is one of stops. */
static size_t until(osp_span text, const char *stops)
{
    size_t i = 0;
    while (i < text.n && !(text.p[i] && strchr(stops, text.p[i]))) {
        i++;
    }
    return i;
}

bool osp_url_module_is(osp_span name)
{
    size_t i = 0;
    if (!name.n || name.n > OSP_URL_MODULE || name.p[0] == '.' || name.p[0] == '-') {
        return false;
    }
    while (i < name.n
           && (is_letter(name.p[i]) || is_number(name.p[i])
               || (name.p[i] && strchr("_.-", name.p[i])))) {
        i++;
    }
    return i == name.n;
}

osp_span osp_url_module(osp_span path)
{
    osp_span name = osp_path_module(path);
    return osp_url_module_is(name) ? name : (osp_span){path.p, 0};
}

/* ---- where a reference leads ----------------------------------------------------------------- */

static osp_span trim(osp_span text)
{
    while (text.n && is_html_blank(text.p[0])) {
        text = from(text, 1);
    }
    while (text.n && is_html_blank(text.p[text.n - 1])) {
        text.n--;
    }
    return text;
}

static bool has_controls(osp_span text)
{
    size_t i = 0;
    while (i < text.n && (unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f) {
        i++;
    }
    return i < text.n;
}

/* The length of a scheme with its colon; 0 when a reference has none. */
static size_t scheme_length(osp_span reference)
{
    size_t i = 0;
    if (!reference.n || !is_letter(reference.p[0])) {
        return 0;
    }
    while (i < reference.n
           && (is_letter(reference.p[i]) || is_number(reference.p[i])
               || (reference.p[i] && strchr("+-.", reference.p[i])))) {
        i++;
    }
    return i < reference.n && reference.p[i] == ':' ? i + 1 : 0;
}

static bool is_slash(osp_span text, size_t pos)
{
    return pos < text.n && (text.p[pos] == '/' || text.p[pos] == '\\');
}

static osp_span without_port(osp_span host)
{
    bool literal = host.n && host.p[0] == '['; /* of IPv6 */
    size_t end = until(host, literal ? "]" : ":");
    return (osp_span){host.p, literal && end < host.n ? end + 1 : end};
}

static bool is_same_host(osp_span a, osp_span b)
{
    size_t i = 0;
    a = without_port(a);
    b = without_port(b);
    while (i < a.n && i < b.n && osp_span_lower(a.p[i]) == osp_span_lower(b.p[i])) {
        i++;
    }
    return i && i == a.n && i == b.n;
}

/* Takes scheme and host off a reference; false when they are of another place. An authority with
 * user information compares unequal, for the @ is in it. */
static bool skip_origin(osp_span *reference, osp_span host, bool *absolute)
{
    size_t scheme = scheme_length(*reference);
    osp_span rest = from(*reference, scheme);
    osp_span name = {reference->p, scheme};
    *absolute = is_slash(rest, 0) && is_slash(rest, 1);
    if (scheme
        && !(*absolute
             && (osp_span_eq_nocase(name, "http:") || osp_span_eq_nocase(name, "https:")))) {
        return false;
    }
    if (*absolute) {
        osp_span authority = from(rest, 2);
        size_t end = until(authority, "/\\?#");
        *reference = from(authority, end);
        authority.n = end;
        return until(authority, "@") == end && is_same_host(authority, host);
    }
    return true;
}

/* ---- the result ------------------------------------------------------------------------------ */

static void put(builder *to, char c)
{
    if (to->length < to->size) {
        to->out[to->length++] = c;
    }
    else {
        to->full = true;
    }
}

static void put_encoded(builder *to, osp_span text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n && !to->full; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>`{}", c)) {
            put(to, '%');
            put(to, digits[c >> 4]);
            put(to, digits[c & 15]);
        }
        else {
            put(to, (char)c);
        }
    }
}

/* How many dots a segment is; 0 when it holds anything else. */
static unsigned dots(osp_span segment)
{
    unsigned count = 0;
    for (size_t i = 0; i < segment.n && count < 3; count++) {
        if (segment.p[i] == '.') {
            i++;
        }
        else if (segment.n - i >= 3 && memcmp(segment.p + i, "%2", 2) == 0
                 && osp_span_lower(segment.p[i + 2]) == 'e') {
            i += 3;
        }
        else {
            return 0;
        }
    }
    return count;
}

static void go_up(builder *to)
{
    while (to->length && to->out[to->length - 1] != '/') {
        to->length--;
    }
    to->length -= to->length > 0;
}

static void put_segment(builder *to, osp_span segment, bool last)
{
    unsigned count = dots(segment);
    if (count == 2) {
        go_up(to);
    }
    if (count == 1 || count == 2) {
        segment.n = 0;
        if (!last) {
            return;
        }
    }
    if (segment.n || to->length || last) { /* no `//` at the beginning: that would be a host */
        put(to, '/');
        put_encoded(to, segment);
    }
}

/* Adds a path, without the `/` it may begin with; open: another one follows, in the same folder. */
static void put_path(builder *to, osp_span path, bool open)
{
    for (;;) {
        size_t end = until(path, "/\\");
        bool last = end == path.n;
        if (last && open) {
            return;
        }
        put_segment(to, (osp_span){path.p, end}, last);
        if (last || to->full) {
            return;
        }
        path = from(path, end + 1);
    }
}

static void put_query(builder *to, osp_span rest)
{
    put_encoded(to, (osp_span){rest.p, until(rest, "#")});
}

bool osp_url_resolve(osp_span base_path, osp_span host, osp_span reference, char *out, size_t size)
{
    builder to = {out, 0, size - 1, false};
    bool absolute;
    out[0] = '\0';
    reference = trim(reference);
    reference.n = until(reference, "#");
    if (!reference.n || has_controls(reference) || has_controls(base_path)
        || !skip_origin(&reference, host, &absolute)) {
        return false;
    }

    osp_span base = {base_path.p, until(base_path, "?#")};
    size_t end = until(reference, "?");
    osp_span path = {reference.p, end};
    if (is_slash(base, 0)) {
        base = from(base, 1);
    }
    if (is_slash(path, 0)) {
        path = from(path, 1);
    }
    else if (!absolute) {
        put_path(&to, base, end > 0);
    }
    if (end || absolute) {
        put_path(&to, path, false);
    }
    put_query(&to, from(reference, end));
    out[to.full ? 0 : to.length] = '\0';
    return !to.full;
}
