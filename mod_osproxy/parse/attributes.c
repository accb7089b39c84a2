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

enum class { LETTER, DIGIT, BLANK, EQUAL, QUOTE, APOSTROPHE, CLOSE, OTHER, CLASSES };

/* Where a byte of each class leads. A name begins with a LETTER, a DIGIT can only go on with it. */
static const unsigned char after[STATES][CLASSES] = {
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

static bool is_letter(char c)
{
    char low = osp_span_lower(c);
    return low >= 'a' && low <= 'z';
}

static enum class class_of(char c)
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
    default:
        return osp_span_is_blank(c) ? BLANK : OTHER;
    }
}

size_t osp_attributes_bounded(osp_span page, unsigned most)
{
    unsigned names[STATES + 1] = {0}; /* that follow, by state; the last is END */
    size_t length = page.n;
    for (size_t pos = page.n; pos-- > 0;) {
        unsigned from_here[STATES];
        char c = page.p[pos];
        enum class class = class_of(c);
        if (c == '<' && pos + 1 < page.n && is_letter(page.p[pos + 1]) && names[TAG] > most) {
            length = pos;
        }
        for (unsigned i = 0; i < STATES; i++) {
            unsigned next = after[i][class];
            from_here[i] = names[next] + (next == NAME && i != NAME);
        }
        memcpy(names, from_here, sizeof from_here);
    }
    return length;
}
