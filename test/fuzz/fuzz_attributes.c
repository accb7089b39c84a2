/*
 * Any bytes as a page: what is left of it by osp_attributes_bounded has no element with more
 * attributes than allowed in the eyes of libxml2, and is no shorter when more are allowed.
 */
#include "fuzz.h"

#include <libxml/HTMLparser.h>

#include "parse/attributes.h"

enum { MOST = 3 };

static void begin_element(void *baton, const xmlChar *element, const xmlChar **attributes)
{
    unsigned count = 0;
    (void)baton;
    (void)element;
    for (; attributes && attributes[0]; attributes += 2) {
        count++;
    }
    PROMISE(count <= MOST);
}

static void parse(osp_span page)
{
    htmlParserCtxtPtr parser = htmlNewParserCtxt();
    PROMISE(parser);
    *parser->sax = (htmlSAXHandler){.startElement = begin_element};
    htmlCtxtReadMemory(parser, page.p, (int)page.n, NULL, "UTF-8",
                       HTML_PARSE_RECOVER | HTML_PARSE_NONET | HTML_PARSE_NOERROR
                           | HTML_PARSE_NOWARNING | HTML_PARSE_IGNORE_ENC);
    htmlFreeParserCtxt(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    osp_span page = {(const char *)data, size};
    size_t n = osp_attributes_bounded(page, MOST);
    PROMISE(n <= size && osp_attributes_bounded((osp_span){page.p, n}, MOST) == n);
    PROMISE(n == size || page.p[n] == '<');
    PROMISE(osp_attributes_bounded(page, MOST + 1) >= n);

    page.n = n;
    if (xmlDetectCharEncoding(data, (int)n) <= XML_CHAR_ENCODING_UTF8) {
        parse(page);
    }
    return 0;
}
