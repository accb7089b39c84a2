/*
 * References of an HTML page, for the rule referenced-content: what it loads and where it leads,
 * and the signs of the kind of OutSystems module it belongs to. libxml2 parses, as a stream of
 * events: nothing is loaded, no entity is resolved beyond HTML's own, errors are silent.
 */
#ifndef OSP_LINKS_H
#define OSP_LINKS_H

#include "span.h"

enum {
    OSP_LINKS_BYTES = 512 * 1024, /* the rest of a longer page is not read */
    OSP_LINKS_REFERENCES = 5000,  /* those after are left out */
    OSP_LINKS_DEPTH = 256,        /* open elements: reading ends where there are more */
    OSP_LINKS_ATTRIBUTES = 1000   /* reading ends where an element may have more */
};

/* Signs of a kind, or'ed. A page may show several; none tells nothing. */
enum {
    OSP_SIGN_REACTIVE = 1,    /* id reactContainer, OSManifestLoader, *.mvc.js, /moduleservices/ */
    OSP_SIGN_TRADITIONAL = 2, /* __OSVSTATE, _osjs.js, a form for *.aspx, a script of /Blocks/ */
    OSP_SIGN_MOBILE = 4       /* cordova.js */
};

enum osp_link_kind {
    OSP_LINK_RESOURCE, /* the page loads it: script, style sheet, image, ... */
    OSP_LINK_PAGE,     /* leads to a page: a, area, form, frame, iframe, refresh */
    OSP_LINK_BASE      /* the first <base href>: what all references are to be resolved against */
};

/* Takes a reference, decoded from HTML but as written otherwise (blanks around it included); the
 * span lives until the call returns. Order is that of the page. */
typedef void osp_links_sink(void *baton, enum osp_link_kind kind, osp_span reference);

typedef struct osp_links {
    unsigned references; /* handed to the sink, the base included */
    unsigned signs;      /* OSP_SIGN_* */
    bool cut;            /* the page, or its references, were more than the limits allow */
} osp_links;

/* Prepares libxml2; to be called once while there is one thread. */
void osp_links_init(void);

/* Reads a page in UTF-8, whatever it says of itself; in UTF-16 or the like it is cut to nothing.
 * False when there was no memory: out then holds what was found before. */
bool osp_links_read(osp_span body, osp_links_sink *sink, void *baton, osp_links *out);

#endif
