/*
 * view.h: what the live page shows, gathered once for a request (status.c fills it) and rendered by
 * pure code: page_html.c and page_watch.c for people, page_json.c and page_metrics.c for programs.
 *
 * Everything in a view may hold foreign text; renderings escape it. A model's numbers are checked
 * here (view.c): renderings take places and enums from osp_index and osp_view_*() only.
 */
#ifndef OSP_VIEW_H
#define OSP_VIEW_H

#include "../audit/finding.h"
#include "../rule.h"
#include "../watch/model.h"

enum { OSP_VIEW_EVENTS = 3 }; /* acted, reported, refused: enum osp_event of osproxy.h */

/* A rule on a virtual host. */
typedef struct osp_view_rule {
    enum osp_mode mode; /* this and the rest: of rules that act on requests */
    const char *reason; /* why it is off, or NULL */
    uint64_t events[OSP_VIEW_EVENTS];
} osp_view_rule;

typedef struct osp_view_vhost {
    const char *name;
    int port;
    bool is_main;     /* what is outside of virtual hosts */
    const char *file; /* NULL: none */
    unsigned line;
    const char *engine; /* on, report, off */
    osp_view_rule rules[OSP_RULE_COUNT];
    const osp_server *judged; /* its place in the audit, with its verdicts; NULL: not audited */
    int site; /* its place in the model; -1: not watched */
} osp_view_vhost;

typedef struct osp_view_count {
    const char *name, *title;
    uint64_t count;
} osp_view_count;

typedef struct osp_view {
    const osp_memory *memory;
    const char *version, *httpd;
    int64_t now,
        started;    /* seconds since 1970; started: httpd, the last graceful restart not counted */
    int64_t deploy; /* seconds that two versions of a module may last */
    const osp_view_vhost *vhosts;
    int vhost_count;
    unsigned pins_open;
    const osp_view_count *pins;
    int pin_count;
    const osp_audit *audit; /* of the running configuration; NULL: the engine is off everywhere */
    const osp_model *model; /* a consistent copy; NULL: nothing is watched */
    size_t table;           /* bytes of shared memory that it has, whatever the farm */
} osp_view;

/* Places of a model by what they belong to; made once for a page, with work that grows with the
 * model and no faster. */
typedef struct osp_list {
    int *first; /* of owner i: from first[i], below first[i + 1] */
    int *item;
} osp_list;

typedef struct osp_index {
    osp_trouble *troubles;
    int trouble_count, trouble_room; /* those of rules that are off stand last */
    int warnings;                 /* of the troubles */
    int kinds[OSP_TROUBLE_COUNT]; /* troubles of each kind */
    int off[OSP_TROUBLE_COUNT];   /* of them, those of rules that are off */
    int module_count;             /* places below it may be in use */
    int sites;                    /* that modules may be of */
    osp_list references;          /* by the module that they lead to */
    osp_list versions;            /* by app server */
    const osp_memory *memory;
} osp_index;

/* Without a model everything is empty. */
void osp_index_make(osp_index *index, const osp_view *view);

/* What is in use and sound. NULL, "" or the first of an enum otherwise. */
const osp_site *osp_view_site(const osp_model *model, int at);
const osp_watched *osp_view_module(const osp_model *model, int at);
const osp_app *osp_view_app(const osp_model *model, int at);
const osp_fault *osp_view_fault(const osp_model *model, int at);
enum osp_module_state osp_view_state(const osp_watched *module);
const char *osp_view_kind(const osp_watched *module);
const char *osp_view_how(const osp_reference *reference);
const char *osp_view_cause(const osp_fault *fault);

/* Why it cannot be asked; NULL: it can be. */
const char *osp_view_hindrance(uint8_t hindrance);

/* A module, not only a name: anybody can send requests that fail, and name what there is not. */
const osp_watched *osp_view_named_module(const osp_model *model, int at);

/* Whether a module counts as not available: so it is, somebody misses it, and its rule is not off. */
bool osp_view_is_missed(const osp_model *model, const osp_watched *module);

/* Why a rule is off for a site of the model, "" when nobody says; NULL: it is not off. */
const char *osp_view_why_off(const osp_view *view, int site, enum osp_rule_id rule);

/* A check on demand is under way, and may be expected to end. */
bool osp_view_is_checking(const osp_view *view);

/* How a rule stands on a virtual host, in one word: enforced, met, violated; report or enforce
 * where nobody judged; off. */
const char *osp_view_standing(const osp_view_vhost *vhost, enum osp_rule_id rule);

/* Why it is off, or NULL. */
const char *osp_view_reason(const osp_view_vhost *vhost, enum osp_rule_id rule);

/* Text on its way out. What is full goes out at once, so that a large page takes little memory. */
typedef struct osp_sink {
    osp_out out;
    void (*send)(void *baton, const char *text, size_t length);
    void *baton;
} osp_sink;

void osp_sink_pass(osp_sink *sink);  /* when there is enough for a write */
void osp_sink_flush(osp_sink *sink); /* all of it */

#endif
