/*
 * Any bytes as a style sheet: what osp_css_read promises. Also that a comment or a reference in
 * front of it changes nothing, and that a sheet which opens nothing hides nothing behind it.
 */
#include "fuzz.h"

#include "parse/css.h"

typedef struct heard {
    osp_span css;
    unsigned count;
    size_t bytes; /* of all references */
    bool last;    /* the latest is the one that was put behind the sheet */
} heard;

static void hear(void *baton, osp_span reference)
{
    heard *all = baton;
    bool inside = reference.p >= all->css.p && reference.p <= all->css.p + all->css.n;
    PROMISE(inside ? reference.n <= all->css.n - (size_t)(reference.p - all->css.p)
                   : reference.n <= OSP_CSS_DECODED);
    all->count++;
    all->bytes += reference.n;
    all->last = reference.n == 7 && memcmp(reference.p, "the-end", 7) == 0;
}

static heard read_bytes(const char *bytes, size_t n, bool *cut)
{
    heard all = {{bytes, n}, 0, 0, false};
    osp_css result = osp_css_read(all.css, hear, &all);
    PROMISE(result.references == all.count && all.count <= OSP_CSS_REFERENCES);
    *cut = result.cut;
    return all;
}

/* The sheet between two texts. */
static heard read_between(const char *before, osp_span css, const char *after, bool *cut)
{
    size_t a = strlen(before), b = strlen(after);
    char *text = malloc(a + css.n + b + 1);
    PROMISE(text);
    memcpy(text, before, a);
    memcpy(text + a, css.p, css.n);
    memcpy(text + a + css.n, after, b);
    heard all = read_bytes(text, a + css.n + b, cut);
    free(text);
    return all;
}

/* Whether no byte of the sheet opens anything. */
static bool can_hide_nothing(osp_span css)
{
    size_t i = 0;
    while (i < css.n && (!css.p[i] || !strchr("/\\(\"'", css.p[i]))) {
        i++;
    }
    return i == css.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    osp_span css = {(const char *)data, size};
    bool cut, also_cut;
    heard plain = read_bytes(css.p, css.n, &cut);
    /* bytes that are references end some time: each is counted once, but for U+FFFD of an escape */
    PROMISE(plain.bytes <= 3 * size + 3);

    heard commented = read_between("/*x*/", css, "", &also_cut);
    PROMISE(commented.count == plain.count && commented.bytes == plain.bytes && also_cut == cut);

    heard behind_one = read_between("url(x)", css, "", &also_cut);
    PROMISE(behind_one.count == plain.count + 1 || also_cut);

    if (can_hide_nothing(css)) {
        heard closed = read_between("", css, "\n url(the-end)", &also_cut);
        PROMISE(!plain.count && closed.count == 1 && closed.last);
    }
    return 0;
}
