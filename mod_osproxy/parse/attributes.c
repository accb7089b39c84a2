/*
 * Attributes of elements, see attributes.h. The states are those of libxml2's parser within a start
 * tag. The page is read from its end, holding for each state how many names follow until the tag
 * ends, so that all places where a tag could begin are weighed in one pass.
 */
#include "attributes.h"

enum state {
    TAG,    /* the element's name */
    BEFORE, /* a name, or the end */
    NAME,   /* of an attribute */
    AFTER,  /* a name, in blanks */
    EQUALS, /* before a value */
    BARE,   /* a value without quotes */
    SINGLE, /* a value in quotes */
    DOUBLE, /* a value in quotes */
    JUNK,   /* what is no name, up to a blank */
    STATES,
    END = STATES
};

enum kind { LETTER, DIGIT, BLANK, EQUAL, QUOTE, APOSTROPHE, CLOSE, OTHER, KINDS };

/* Bytes: libxml2 ends a name after 100 of them and goes on with another. No real one is so long. */
enum { LONG_RUN = 64 };

/* clang-format off */
/* Where a byte of each kind leads. A name begins with a LETTER, a DIGIT can only go on with it. */
static const unsigned char after[STATES][KINDS] = {
    /*           LETTER  DIGIT   BLANK   EQUAL   QUOTE   APOSTR. CLOSE   OTHER */
    [TAG]    = {TAG,    TAG,    BEFORE, JUNK,   JUNK,   JUNK,   END,    JUNK},
    [BEFORE] = {NAME,   JUNK,   BEFORE, JUNK,   JUNK,   JUNK,   END,    JUNK},
    [NAME]   = {NAME,   NAME,   AFTER,  EQUALS, JUNK,   JUNK,   END,    JUNK},
    [AFTER]  = {NAME,   JUNK,   AFTER,  EQUALS, JUNK,   JUNK,   END,    JUNK},
    [EQUALS] = {BARE,   BARE,   EQUALS, BARE,   DOUBLE, SINGLE, END,    BARE},
    [BARE]   = {BARE,   BARE,   BEFORE, BARE,   BARE,   BARE,   END,    BARE},
    [SINGLE] = {SINGLE, SINGLE, SINGLE, SINGLE, SINGLE, BEFORE, SINGLE, SINGLE},
    [DOUBLE] = {DOUBLE, DOUBLE, DOUBLE, DOUBLE, BEFORE, DOUBLE, DOUBLE, DOUBLE},
    [JUNK]   = {JUNK,   JUNK,   BEFORE, JUNK,   JUNK,   JUNK,   END,    JUNK},
};
/* clang-format on */

static bool is_letter(char c)
{
    char low = osp_span_lower(c);
    return low >= 'a' && low <= 'z';
}

static enum kind kind_of(char c)
{
    if (is_letter(c)) {
        return LETTER;
    }
    if ((c >= '0' && c <= '9') || c == '-') {
        return DIGIT;
    }
    switch (c) {
    case '_':
    case ':':
    case '.':
        return LETTER;
    case '=':
        return EQUAL;
    case '"':
        return QUOTE;
    case '\'':
        return APOSTROPHE;
    case '>':
        return CLOSE;
    case ' ':
    case '\t':
    case '\n':
    case '\r': /* no other blank is one for libxml2 */
        return BLANK;
    default:
        return OTHER;
    }
}

static bool is_name(enum kind kind)
{
    return kind == LETTER || kind == DIGIT;
}

/* The length of the run of a name's bytes that ends behind this position. */
static size_t run_before(osp_span page, size_t end)
{
    size_t start = end;
    while (start && is_name(kind_of(page.p[start - 1]))) {
        start--;
    }
    return end - start;
}

static unsigned more_of(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* What follows from each state in front of a byte, given what follows behind it. In a long run a
 * name may end anywhere, so that the worst counts. */
static void step_back(unsigned names[STATES + 1], enum kind kind, bool in_long_run)
{
    unsigned from_here[STATES];
    unsigned split = kind == LETTER ? names[NAME] + 1 : names[JUNK];
    for (unsigned i = 0; i < STATES; i++) {
        unsigned next = after[i][kind];
        from_here[i] = names[next] + (next == NAME && i != NAME);
    }
    if (in_long_run) {
        from_here[TAG] = more_of(from_here[TAG], split);
        from_here[NAME] = more_of(from_here[NAME], split);
    }
    memcpy(names, from_here, sizeof from_here);
}

size_t osp_attributes_bounded(osp_span page, unsigned most)
{
    unsigned names[STATES + 1] = {0}; /* that follow, by state; none follows END */
    size_t length = page.n, run = 0;
    for (size_t pos = page.n; pos-- > 0;) {
        enum kind kind = kind_of(page.p[pos]);
        if (!is_name(kind)) {
            run = 0;
        }
        else if (!run) {
            run = run_before(page, pos + 1);
        }
        if (page.p[pos] == '<' && pos + 1 < page.n && is_letter(page.p[pos + 1])
            && names[TAG] > most) {
            length = pos;
        }
        step_back(names, kind, run > LONG_RUN);
    }
    return length;
}
