/*
 * References of a page, see links.h. Which attributes hold references is a table; what scripts and
 * style elements hold is gathered and looked at when they end.
 *
 * libxml2 compares each end tag with all open elements, and each attribute with those before it:
 * hostile pages are kept from making that slow. It pulls the page, so that it can be told that
 * there is no more; given pieces, versions 2.9 lose their way in a quoted value that spans two.
 */
#include "links.h"

#include <stdlib.h>

#include <libxml/HTMLparser.h>

#include "attributes.h"
#include "css.h"

typedef struct reader {
    htmlParserCtxtPtr parser;
    osp_links_sink *sink;
    void *baton;
    osp_links *out;
    osp_span rest; /* of the page, not yet handed over */
    char *text;    /* of the script or style element that is open */
    size_t length, size;
    bool gathers, failed, stopped, has_base;
} reader;

/* How the value of an attribute is read. */
typedef enum { PLAIN, SRCSET } form;

typedef struct holder {
    const char *element, *attribute;
    enum osp_link_kind kind;
    form form;
} holder;

static const holder holders[] = {
    {"a", "href", OSP_LINK_PAGE, PLAIN},
    {"area", "href", OSP_LINK_PAGE, PLAIN},
    {"form", "action", OSP_LINK_PAGE, PLAIN},
    {"button", "formaction", OSP_LINK_PAGE, PLAIN},
    {"input", "formaction", OSP_LINK_PAGE, PLAIN},
    {"iframe", "src", OSP_LINK_PAGE, PLAIN},
    {"frame", "src", OSP_LINK_PAGE, PLAIN},
    {"link", "href", OSP_LINK_RESOURCE, PLAIN},
    {"script", "src", OSP_LINK_RESOURCE, PLAIN},
    {"img", "src", OSP_LINK_RESOURCE, PLAIN},
    {"img", "srcset", OSP_LINK_RESOURCE, SRCSET},
    {"source", "src", OSP_LINK_RESOURCE, PLAIN},
    {"source", "srcset", OSP_LINK_RESOURCE, SRCSET},
    {"input", "src", OSP_LINK_RESOURCE, PLAIN},
    {"embed", "src", OSP_LINK_RESOURCE, PLAIN},
    {"object", "data", OSP_LINK_RESOURCE, PLAIN},
    {"audio", "src", OSP_LINK_RESOURCE, PLAIN},
    {"video", "src", OSP_LINK_RESOURCE, PLAIN},
    {"video", "poster", OSP_LINK_RESOURCE, PLAIN},
    {"track", "src", OSP_LINK_RESOURCE, PLAIN},
};

static osp_span from(osp_span text, size_t start)
{
    return (osp_span){start ? text.p + start : text.p, text.n - start};
}

static bool contains(osp_span text, const char *word)
{
    size_t n = strlen(word);
    while (text.n >= n) {
        const char *start = memchr(text.p, word[0], text.n - n + 1);
        if (!start) {
            return false;
        }
        if (memcmp(start, word, n) == 0) {
            return true;
        }
        text = from(text, (size_t)(start - text.p) + 1);
    }
    return false;
}

/* A reference without its query and the blanks at its end. */
static osp_span path_of(osp_span reference)
{
    size_t end = 0;
    while (end < reference.n && reference.p[end] != '?' && reference.p[end] != '#') {
        end++;
    }
    while (end && osp_span_is_blank(reference.p[end - 1])) {
        end--;
    }
    return (osp_span){reference.p, end};
}

/* Whether a path ends with this, in any case. */
static bool ends_with(osp_span path, const char *word)
{
    size_t n = strlen(word);
    return path.n >= n && osp_span_eq_nocase(from(path, path.n - n), word);
}

/* Whether the last segment of a path is this, in any case. */
static bool file_is(osp_span path, const char *name)
{
    size_t before = path.n - strlen(name);
    return ends_with(path, name)
           && (!before || path.p[before - 1] == '/' || osp_span_is_blank(path.p[before - 1]));
}

static void report(reader *in, enum osp_link_kind kind, osp_span reference)
{
    if (contains(reference, "/moduleservices/")) {
        in->out->signs |= OSP_SIGN_REACTIVE;
    }
    if (in->out->references == OSP_LINKS_REFERENCES) {
        in->out->cut = true;
        return;
    }
    in->out->references++;
    in->sink(in->baton, kind, reference);
}

/* ---- values of attributes -------------------------------------------------------------------- */

static size_t skip_blanks(osp_span text, size_t pos)
{
    while (pos < text.n && osp_span_is_blank(text.p[pos])) {
        pos++;
    }
    return pos;
}

/* Behind the descriptors of a candidate: a comma in parentheses is theirs. */
static size_t skip_descriptors(osp_span text, size_t pos)
{
    bool inside = false;
    for (; pos < text.n && (inside || text.p[pos] != ','); pos++) {
        inside = text.p[pos] == '(' || (inside && text.p[pos] != ')');
    }
    return pos;
}

/* The candidates of a srcset, as the HTML standard splits them: a comma ends an address only when
 * a blank follows it. */
static void report_srcset(reader *in, osp_span text)
{
    size_t pos = 0;
    while (pos < text.n) {
        while (pos < text.n && (text.p[pos] == ',' || osp_span_is_blank(text.p[pos]))) {
            pos++;
        }
        size_t start = pos;
        while (pos < text.n && !osp_span_is_blank(text.p[pos])) {
            pos++;
        }
        size_t end = pos;
        while (end > start && text.p[end - 1] == ',') {
            end--;
        }
        if (end > start) {
            report(in, OSP_LINK_RESOURCE, (osp_span){text.p + start, end - start});
        }
        if (end == pos) {
            pos = skip_descriptors(text, pos);
        }
    }
}

/* The address in `5; url=Home.aspx`, the content of a refresh. */
static void report_refresh(reader *in, osp_span text)
{
    size_t pos = skip_blanks(text, 0);
    while (pos < text.n && ((text.p[pos] >= '0' && text.p[pos] <= '9') || text.p[pos] == '.')) {
        pos++;
    }
    pos = skip_blanks(text, pos);
    if (pos < text.n && (text.p[pos] == ';' || text.p[pos] == ',')) {
        pos = skip_blanks(text, pos + 1);
    }
    if (text.n - pos >= 3 && osp_span_eq_nocase((osp_span){text.p + pos, 3}, "url")) {
        size_t sign = skip_blanks(text, pos + 3);
        pos = sign < text.n && text.p[sign] == '=' ? skip_blanks(text, sign + 1) : pos;
    }
    osp_span address = from(text, pos);
    if (address.n && (address.p[0] == '"' || address.p[0] == '\'')) {
        const char *end = memchr(address.p + 1, address.p[0], address.n - 1);
        address = from(address, 1);
        address.n = end ? (size_t)(end - address.p) : address.n;
    }
    if (address.n) {
        report(in, OSP_LINK_PAGE, address);
    }
}

static void report_css(void *baton, osp_span reference)
{
    report(baton, OSP_LINK_RESOURCE, reference);
}

static void read_css(reader *in, osp_span css)
{
    osp_css result = osp_css_read(css, report_css, in);
    in->out->cut |= result.cut;
}

/* ---- elements -------------------------------------------------------------------------------- */

static bool is(const xmlChar *a, const char *b)
{
    return strcmp((const char *)a, b) == 0;
}

/* The value of an attribute; NULL in p when the element has none of that name, or it no value. */
static osp_span attribute(const xmlChar **attributes, const char *name)
{
    for (; attributes && attributes[0]; attributes += 2) {
        if (is(attributes[0], name) && attributes[1]) {
            return osp_span_of((const char *)attributes[1]);
        }
    }
    return (osp_span){NULL, 0};
}

static unsigned signs_of_script(osp_span source)
{
    osp_span path = path_of(source);
    unsigned signs = 0;
    if (ends_with(path, ".mvc.js") || file_is(path, "OutSystemsManifestLoader.js")) {
        signs |= OSP_SIGN_REACTIVE;
    }
    if (file_is(path, "_osjs.js") || contains(path, "/Blocks/")) {
        signs |= OSP_SIGN_TRADITIONAL;
    }
    if (file_is(path, "cordova.js")) {
        signs |= OSP_SIGN_MOBILE;
    }
    return signs;
}

static unsigned signs_of(const xmlChar *element, const xmlChar **attributes)
{
    osp_span id = attribute(attributes, "id"), name = attribute(attributes, "name");
    unsigned signs = 0;
    if (id.n && osp_span_eq_nocase(id, "reactContainer")) {
        signs |= OSP_SIGN_REACTIVE;
    }
    if (is(element, "input") && name.n && osp_span_eq_nocase(name, "__OSVSTATE")) {
        signs |= OSP_SIGN_TRADITIONAL;
    }
    if (is(element, "form") && ends_with(path_of(attribute(attributes, "action")), ".aspx")) {
        signs |= OSP_SIGN_TRADITIONAL;
    }
    if (is(element, "script")) {
        signs |= signs_of_script(attribute(attributes, "src"));
    }
    return signs;
}

static void read_attribute(reader *in, const xmlChar *element, const xmlChar *name, osp_span value)
{
    if (is(name, "style")) {
        read_css(in, value);
        return;
    }
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        if (is(name, holders[i].attribute) && is(element, holders[i].element)) {
            if (holders[i].form == SRCSET) {
                report_srcset(in, value);
            }
            else {
                report(in, holders[i].kind, value);
            }
            return;
        }
    }
}

static void read_base(reader *in, osp_span address)
{
    if (address.p && !in->has_base) {
        in->has_base = true;
        report(in, OSP_LINK_BASE, address);
    }
}

static void begin_element(void *baton, const xmlChar *element, const xmlChar **attributes)
{
    reader *in = baton;
    if (in->stopped || in->parser->nameNr > OSP_LINKS_DEPTH) {
        in->stopped = in->out->cut = true;
        return;
    }
    in->gathers = is(element, "script") || is(element, "style");
    in->length = 0;
    in->out->signs |= signs_of(element, attributes);
    if (is(element, "base")) {
        read_base(in, attribute(attributes, "href"));
    }
    else if (is(element, "meta")
             && osp_span_eq_nocase(attribute(attributes, "http-equiv"), "refresh")) {
        report_refresh(in, attribute(attributes, "content"));
    }
    for (; attributes && attributes[0]; attributes += 2) {
        if (attributes[1]) {
            read_attribute(in, element, attributes[0], osp_span_of((const char *)attributes[1]));
        }
    }
}

static void gather(void *baton, const xmlChar *bytes, int count)
{
    reader *in = baton;
    size_t n = (size_t)count;
    if (!in->gathers || in->stopped || count <= 0) {
        return;
    }
    if (n > in->size - in->length) {
        size_t size = 2 * (in->length + n);
        char *text = realloc(in->text, size);
        if (!text) {
            in->failed = in->stopped = true;
            return;
        }
        in->text = text;
        in->size = size;
    }
    memcpy(in->text + in->length, bytes, n);
    in->length += n;
}

static void end_element(void *baton, const xmlChar *element)
{
    reader *in = baton;
    osp_span text = {in->text, in->length};
    if (!in->gathers || in->stopped) {
        return;
    }
    in->gathers = false;
    if (is(element, "style")) {
        read_css(in, text);
    }
    else if (text.n && (contains(text, "OSManifestLoader") || contains(text, "/moduleservices/"))) {
        in->out->signs |= OSP_SIGN_REACTIVE;
    }
}

/* ---- the parser ------------------------------------------------------------------------------ */

/* In the way of a handler that another module may have set for the whole process. */
#if LIBXML_VERSION >= 21200
static void ignore_error(void *baton, const xmlError *error)
#else
static void ignore_error(void *baton, xmlErrorPtr error)
#endif
{
    (void)baton;
    (void)error;
}

/* Hands libxml2 the next bytes; none once reading has been stopped. */
static int next_bytes(void *baton, char *to, int size)
{
    reader *in = baton;
    size_t n = in->rest.n < (size_t)size ? in->rest.n : (size_t)size;
    if (in->stopped || size < 0 || !n) {
        return 0;
    }
    memcpy(to, in->rest.p, n);
    in->rest = from(in->rest, n);
    return (int)n;
}

/* What of a page is handed to libxml2: not what would take long, and nothing in an encoding that
 * hides this. */
static osp_span bounded(osp_span body)
{
    body.n = body.n < OSP_LINKS_BYTES ? body.n : OSP_LINKS_BYTES;
    if (body.n >= 4) {
        xmlCharEncoding coding = xmlDetectCharEncoding((const unsigned char *)body.p, (int)body.n);
        if (coding != XML_CHAR_ENCODING_NONE && coding != XML_CHAR_ENCODING_UTF8) {
            body.n = 0;
        }
    }
    body.n = osp_attributes_bounded(body, OSP_LINKS_ATTRIBUTES);
    return body;
}

void osp_links_init(void)
{
    xmlInitParser();
}

bool osp_links_read(osp_span body, osp_links_sink *sink, void *baton, osp_links *out)
{
    const htmlSAXHandler events = {.startElement = begin_element,
                                   .endElement = end_element,
                                   .characters = gather,
                                   .cdataBlock = gather,
                                   .serror = ignore_error,
                                   .initialized = XML_SAX2_MAGIC};
    reader in = {.sink = sink, .baton = baton, .out = out, .rest = bounded(body)};
    *out = (osp_links){.cut = in.rest.n < body.n};

    in.parser = htmlNewParserCtxt();
    if (!in.parser) {
        return false;
    }
    *in.parser->sax = events;
    in.parser->userData = &in;
    /* no tree is built, so that there is none to free */
    htmlCtxtReadIO(in.parser, next_bytes, NULL, &in, NULL, "UTF-8",
                   HTML_PARSE_RECOVER | HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING
                       | HTML_PARSE_IGNORE_ENC);
    in.failed |= in.parser->errNo == XML_ERR_NO_MEMORY;
    htmlFreeParserCtxt(in.parser);
    free(in.text);
    return !in.failed;
}
