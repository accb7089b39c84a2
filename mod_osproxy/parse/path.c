/*
 * Raw paths as httpd and as IIS read them, see path.h. All of this may run on every request, so an
 * ordinary path is recognised without decoding it.
 */
#include "path.h"

#include <stdint.h>

/* One character of a path and how it was written. */
typedef struct unit {
    unsigned code;
    unsigned width; /* bytes in the raw path: 1 as itself, 3 for %xx, 6 for %uNNNN */
} unit;

/* The bytes at which a segment or a module may end: one look tells them from all others. */
static const bool may_end[256] = {
    ['/'] = true, ['\\'] = true, ['%'] = true, ['?'] = true, [';'] = true};

/* 0 to 15, or -1 for a byte that is no hex digit */
static int hex_value(char c)
{
    char low = osp_span_lower(c);
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* The number written in count hex digits at pos, or -1 if they are not all there. */
static int hex_number(osp_span path, size_t pos, size_t count)
{
    int number = 0;
    if (count > path.n - pos) {
        return -1;
    }
    for (size_t i = pos; i < pos + count; i++) {
        int digit = hex_value(path.p[i]);
        if (digit < 0) {
            return -1;
        }
        number = number * 16 + digit;
    }
    return number;
}

/* What begins with the % at pos, as a back end that decodes once reads it. */
static unit escape_at(osp_span path, size_t pos)
{
    int number = hex_number(path, pos + 1, 2);
    return number < 0 ? (unit){'%', 1} : (unit){(unsigned)number, 3};
}

/* The same as IIS reads it: it knows %uNNNN besides. */
static unit iis_escape_at(osp_span path, size_t pos)
{
    if (pos + 1 < path.n && osp_span_lower(path.p[pos + 1]) == 'u') {
        int number = hex_number(path, pos + 2, 4);
        if (number >= 0) {
            return (unit){(unsigned)number, 6};
        }
    }
    return escape_at(path, pos);
}

/* The character at pos, which lies within the path. */
static inline unit unit_at(osp_span path, size_t pos)
{
    char c = path.p[pos];
    return c == '%' ? escape_at(path, pos) : (unit){(unsigned char)c, 1};
}

static inline unit iis_unit_at(osp_span path, size_t pos)
{
    char c = path.p[pos];
    return c == '%' ? iis_escape_at(path, pos) : (unit){(unsigned char)c, 1};
}

/* Whether IIS ends a segment here. */
static bool separates(unit u)
{
    return u.code == '/' || u.code == '\\';
}

/* Whether only IIS reads this as what it is to IIS: a separator in disguise, a %u dot. */
static bool is_hidden(unit u)
{
    return u.width == 6 || u.code == '\\' || (u.code == '/' && u.width > 1);
}

static bool ends_segment(osp_span path, size_t pos)
{
    return separates(iis_unit_at(path, pos));
}

static bool ends_module(osp_span path, size_t pos)
{
    return path.p[pos] == '?' || path.p[pos] == ';' || ends_segment(path, pos);
}

/* From pos to the first byte that ends, or the end of the path. */
static inline size_t skip_to(osp_span path, size_t pos, bool (*ends)(osp_span, size_t))
{
    while (pos < path.n && !(may_end[(unsigned char)path.p[pos]] && ends(path, pos))) {
        pos++;
    }
    return pos;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define TOP_BITS (EACH_BYTE << 7)

/* The top bit of a byte is set where wanted stands, and perhaps where the byte is not ASCII. */
static inline uint64_t marks_of(uint64_t bytes, char wanted)
{
    return (bytes ^ (EACH_BYTE * (unsigned char)wanted)) - EACH_BYTE;
}

bool osp_path_is_plain(osp_span path)
{
    uint64_t here, next; /* the bytes at pos and those at pos + 1 */
    if (path.n <= sizeof here || path.p[0] == '.' || path.p[path.n - 1] == '\\') {
        return path.n == 0;
    }
    size_t last = path.n - sizeof here - 1;
    for (size_t pos = 0;; pos = last - pos > sizeof here ? pos + sizeof here : last) {
        memcpy(&here, path.p + pos, sizeof here);
        memcpy(&next, path.p + pos + 1, sizeof next);
        /* no byte of this is zero but for a / with a dot behind it */
        uint64_t pairs = (here ^ (EACH_BYTE * '/')) | (next ^ (EACH_BYTE * '.'));
        if ((marks_of(here, '%') | marks_of(here, '\\') | marks_of(pairs, 0)) & TOP_BITS) {
            return false;
        }
        if (pos == last) {
            return true;
        }
    }
}

/* Looks at every segment of a path, decoding it on the way. */
static enum osp_path_dots decoded_dots(osp_span path)
{
    enum osp_path_dots found = OSP_PATH_DOTS_NONE;
    unit u = {0, 0};
    bool hidden = false; /* the segment begins at a separator, or holds a dot, of IIS alone */
    for (size_t pos = 0; pos < path.n; pos += u.width) {
        unsigned dots = 0;
        while (pos < path.n && (u = iis_unit_at(path, pos)).code == '.') {
            hidden = hidden || is_hidden(u);
            dots++;
            pos += u.width;
        }
        bool whole = pos == path.n || separates(u) || path.p[pos] == ';';
        pos = skip_to(path, pos, ends_segment);
        u = pos < path.n ? iis_unit_at(path, pos) : (unit){0, 0};
        if (whole && (dots == 1 || dots == 2)) {
            if (hidden || is_hidden(u)) {
                return OSP_PATH_DOTS_HIDDEN;
            }
            found = OSP_PATH_DOTS_PLAIN;
        }
        hidden = is_hidden(u);
    }
    return found;
}

enum osp_path_dots osp_path_dots(osp_span path)
{
    return osp_path_is_plain(path) ? OSP_PATH_DOTS_NONE : decoded_dots(path);
}

/* Reads one character and moves pos past it; of a run of slashes, past the run. */
static unsigned next_code(osp_span path, size_t *pos)
{
    unit u = unit_at(path, *pos);
    *pos += u.width;
    if (separates(u)) {
        unit more;
        while (*pos < path.n && separates(more = unit_at(path, *pos))) {
            *pos += more.width;
        }
        return '/';
    }
    return u.code;
}

bool osp_path_same(osp_span a, osp_span b)
{
    if (a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0)) {
        return true;
    }
    size_t i = 0, j = 0;
    while (i < a.n && j < b.n) {
        if (next_code(a, &i) != next_code(b, &j)) {
            return false;
        }
    }
    return i == a.n && j == b.n;
}

osp_span osp_path_module(osp_span path)
{
    unit u;
    size_t start = 0;
    while (start < path.n && separates(u = iis_unit_at(path, start))) {
        start += u.width;
    }
    size_t end = skip_to(path, start, ends_module);
    return (osp_span){path.n ? path.p + start : path.p, end - start};
}

size_t osp_path_length(osp_span target)
{
    const char *query = target.n ? memchr(target.p, '?', target.n) : NULL;
    return query ? (size_t)(query - target.p) : target.n;
}
