/*
 * Any bytes as a request-target: the two paths of an input, parted by its first line feed, against
 * a slow reading of the same rules that decodes into buffers.
 */
#include "fuzz.h"

#include "parse/path.h"

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c ? strchr(digits, osp_span_lower(c)) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* A %uNNNN escape at pos, as a number, or -1. */
static int long_escape(osp_span path, size_t pos)
{
    int number = 0;
    if (pos + 6 > path.n || path.p[pos] != '%' || osp_span_lower(path.p[pos + 1]) != 'u') {
        return -1;
    }
    for (size_t i = pos + 2; i < pos + 6; i++) {
        if (hex_digit(path.p[i]) < 0) {
            return -1;
        }
        number = number * 16 + hex_digit(path.p[i]);
    }
    return number;
}

/* A %xx escape at pos, as a number, or -1. */
static int short_escape(osp_span path, size_t pos)
{
    if (pos + 3 > path.n || path.p[pos] != '%' || hex_digit(path.p[pos + 1]) < 0
        || hex_digit(path.p[pos + 2]) < 0) {
        return -1;
    }
    return hex_digit(path.p[pos + 1]) * 16 + hex_digit(path.p[pos + 2]);
}

/*
 * Writes path as letters that the dot rule knows: `/` a slash, `|` a separator of IIS alone, `.` a
 * dot, `,` a dot of IIS alone, `;` and `x` for the rest.
 */
static osp_span spelled(osp_span path)
{
    char *out = malloc(path.n + 1);
    size_t n = 0, pos = 0;
    PROMISE(out);
    while (pos < path.n) {
        int wide = long_escape(path, pos), narrow = short_escape(path, pos);
        if (wide >= 0) {
            out[n++] = wide == '/' || wide == '\\' ? '|' : wide == '.' ? ',' : 'x';
            pos += 6;
        }
        else if (narrow >= 0) {
            out[n++] = narrow == '/' || narrow == '\\' ? '|' : narrow == '.' ? '.' : 'x';
            pos += 3;
        }
        else {
            char c = path.p[pos++];
            out[n++] = c == '\\' ? '|' : c == '/' || c == '.' || c == ';' ? c : 'x';
        }
    }
    return (osp_span){out, n};
}

static bool is_end(osp_span word, size_t pos)
{
    return pos >= word.n || word.p[pos] == '/' || word.p[pos] == '|';
}

/* The segment of word that begins at start. */
static enum osp_path_dots segment_dots(osp_span word, size_t start)
{
    size_t dots = start;
    bool hidden = start > 0 && word.p[start - 1] == '|';
    while (dots < word.n && (word.p[dots] == '.' || word.p[dots] == ',')) {
        hidden = hidden || word.p[dots] == ',';
        dots++;
    }
    if (dots == start || dots > start + 2 || !(is_end(word, dots) || word.p[dots] == ';')) {
        return OSP_PATH_DOTS_NONE;
    }
    while (!is_end(word, dots)) {
        dots++;
    }
    hidden = hidden || (dots < word.n && word.p[dots] == '|');
    return hidden ? OSP_PATH_DOTS_HIDDEN : OSP_PATH_DOTS_PLAIN;
}

static enum osp_path_dots slow_dots(osp_span path)
{
    osp_span word = spelled(path);
    enum osp_path_dots most = OSP_PATH_DOTS_NONE;
    for (size_t pos = 0; pos <= word.n; pos++) {
        if (pos == 0 || is_end(word, pos - 1)) {
            enum osp_path_dots dots = segment_dots(word, pos);
            most = dots > most ? dots : most;
        }
    }
    free((void *)word.p);
    return most;
}

/* Decodes once and merges slashes. */
static osp_span decoded(osp_span path)
{
    char *out = malloc(path.n + 1);
    size_t n = 0, pos = 0;
    PROMISE(out);
    while (pos < path.n) {
        int escape = short_escape(path, pos);
        char c = escape >= 0 ? (char)escape : path.p[pos];
        pos += escape >= 0 ? 3 : 1;
        if (c != '/' || n == 0 || out[n - 1] != '/') {
            out[n++] = c;
        }
    }
    return (osp_span){out, n};
}

static bool slow_same(osp_span a, osp_span b)
{
    osp_span x = decoded(a), y = decoded(b);
    bool same = x.n == y.n && memcmp(x.p, y.p, x.n) == 0;
    free((void *)x.p);
    free((void *)y.p);
    return same;
}

static void check_module(osp_span path)
{
    osp_span module = osp_path_module(path);
    PROMISE(module.p >= path.p && module.p + module.n <= path.p + path.n);
    PROMISE(!memchr(module.p, '/', module.n) && !memchr(module.p, '\\', module.n));
    PROMISE(!memchr(module.p, '?', module.n) && !memchr(module.p, ';', module.n));
    PROMISE(osp_path_module(module).n == module.n);
}

static void check_length(osp_span target)
{
    size_t length = osp_path_length(target);
    PROMISE(length <= target.n && (length == target.n || target.p[length] == '?'));
    PROMISE(!memchr(target.p, '?', length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    PROMISE(bytes);
    memcpy(bytes, data, size);
    bytes[size] = '\n';
    size_t half = (size_t)((char *)memchr(bytes, '\n', size + 1) - bytes);
    osp_span a = {bytes, half};
    osp_span b = half < size ? (osp_span){bytes + half + 1, size - half - 1} : a;

    PROMISE(osp_path_dots(a) == slow_dots(a));
    PROMISE(osp_path_dots(b) == slow_dots(b));
    PROMISE(osp_path_same(a, a) && osp_path_same(a, b) == slow_same(a, b));
    PROMISE(osp_path_same(a, b) == osp_path_same(b, a));
    check_module(a);
    check_length(a);
    free(bytes);
    return 0;
}
