/*
 * model.h: what the watchers know, for the rules referenced-content, path-unchanged and no-cache and
 * for the live page: sites (virtual hosts), OutSystems modules, who references what, app servers,
 * which versions they serve, and what was wrong with a resource.
 *
 * One table of fixed size in shared memory, without a pointer in it, that a graceful restart keeps.
 * One process at a time writes (watch.c sees to that); everybody reads, by osp_model_read(). Text is
 * always terminated, and may come from the network: renderings escape it. Times are seconds since
 * 1970; 0 is never.
 */
#ifndef OSP_MODEL_H
#define OSP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../rule.h"

#define OSP_MODEL_SITES 256
#define OSP_MODEL_MODULES 2048    /* of all sites together */
#define OSP_MODEL_REFERENCES 20480
#define OSP_MODEL_APPS 256        /* app servers */
#define OSP_MODEL_VERSIONS 8192   /* app server x module */
#define OSP_MODEL_FAULTS 512
#define OSP_MODEL_MINUTES 60
#define OSP_MODEL_NAME 64         /* bytes, the final zero included, as all of these */
#define OSP_MODEL_HOST 128
#define OSP_MODEL_PATH 160
#define OSP_MODEL_TOKEN 64

typedef struct osp_minute {
    uint32_t requests; /* proxied answers */
    uint32_t acted, reported, refused; /* by all rules */
    uint32_t failed;   /* 502, 503 and 504 of ours */
} osp_minute;

/* Why a front door, or a module at it, cannot be asked. */
enum osp_hindrance {
    OSP_HINDRANCE_NONE,
    OSP_HINDRANCE_PROXY_PROTOCOL, /* RemoteIPProxyProtocol On */
    OSP_HINDRANCE_CERTIFICATE,    /* SSLVerifyClient require */
    OSP_HINDRANCE_PASSWORD,       /* httpd itself asks for one */
    OSP_HINDRANCE_COUNT
};

typedef struct osp_site {
    uint64_t key;              /* 0: free */
    char name[OSP_MODEL_HOST]; /* the domain that is asked */
    uint16_t port;
    uint8_t https;
    uint8_t present;           /* 0: the configuration no longer has it */
    uint8_t hindrance;         /* enum osp_hindrance, of all of it */
    uint16_t twin;             /* 1 + index of the https site of that name, which is asked for both */
    uint32_t off;              /* by 1 << enum osp_rule_id: rules that are off there */
    uint64_t requests, failed; /* since the first start */
    osp_minute minutes[OSP_MODEL_MINUTES]; /* a ring; the newest is minutes[minute % 60] */
    uint64_t minute;           /* of the newest entry, in minutes since 1970; 0: none yet */
} osp_site;

enum osp_module_state {
    OSP_MODULE_UNKNOWN,     /* not asked yet */
    OSP_MODULE_AVAILABLE,   /* the front door hands requests on, and they are answered */
    OSP_MODULE_NOT_MAPPED,  /* no mapping leads to a back end: not available from outside */
    OSP_MODULE_REFUSED,     /* the front door itself refuses: front_status */
    OSP_MODULE_UNANSWERED,  /* handed on, but the back end fails: front_status, 0: no answer */
    OSP_MODULE_UNASKABLE    /* nobody can tell: hindrance */
};

/* What the watchers themselves found; enum osp_kind of osproxy.h has the same order. */
enum osp_learned { OSP_LEARNED_NOTHING, OSP_LEARNED_REACTIVE, OSP_LEARNED_MOBILE, OSP_LEARNED_TRADITIONAL };

typedef struct osp_watched {
    uint16_t site;               /* index */
    char name[OSP_MODEL_NAME];   /* "": free */
    uint8_t declared;            /* by OSProxyModule */
    uint8_t seen;                /* a page of it passed the proxy */
    uint8_t guessed;             /* only requests that failed speak of it */
    uint8_t kind;                /* enum osp_learned: declared, else learned */
    uint8_t state;               /* enum osp_module_state */
    uint8_t hindrance;           /* enum osp_hindrance */
    uint16_t front_status;       /* of the last answer at the front door */
    uint8_t exists;              /* 1: an app server has it, 2: none has, 0: not asked yet */
    char example[OSP_MODEL_PATH];/* a path that is asked for it */
    char to[OSP_MODEL_HOST];     /* where the front door hands it on, "" unknown */
    char token[OSP_MODEL_TOKEN]; /* versionToken at the front door */
    int64_t since;               /* of state */
    int64_t checked;             /* last asked */
    uint32_t resources, verified;/* in its manifest; of them found as they are meant to be */
} osp_watched;

enum osp_reference_kind {
    OSP_BY_MANIFEST, OSP_BY_LINK, OSP_BY_CSS, OSP_BY_REDIRECT, OSP_BY_REFERER
};

typedef struct osp_reference {
    uint16_t from, to;        /* indexes of modules, from == to never; both 0: free */
    uint8_t how;              /* enum osp_reference_kind */
    char path[OSP_MODEL_PATH];/* an example */
    int64_t seen;             /* last time */
} osp_reference;

typedef struct osp_app {
    uint16_t site;
    char url[OSP_MODEL_HOST]; /* scheme://host[:port]; "": free */
    uint64_t farms;           /* a bit for each balancer of the site that it is a member of; 0: of none */
    uint8_t up;               /* 1 answers, 2 does not, 0 not asked yet */
    uint16_t status;          /* of the last probe */
    int64_t since, checked;
} osp_app;

typedef struct osp_version {
    uint16_t app, module;      /* indexes */
    char token[OSP_MODEL_TOKEN]; /* "": free */
    int64_t since, checked;
} osp_version;

enum osp_cause {
    OSP_CAUSE_NONE,
    OSP_CAUSE_CACHE,      /* an old copy: it says its Age, or the app servers have the right one */
    OSP_CAUSE_REWRITTEN,  /* the body was changed on its way */
    OSP_CAUSE_TRUNCATED,  /* it ends early */
    OSP_CAUSE_VERSION,    /* what another version of the module has */
    OSP_CAUSE_STATUS,     /* no 200 */
    OSP_CAUSE_UNKNOWN,
    OSP_CAUSE_COUNT
};

/* A resource that is not what its hash says. */
typedef struct osp_fault {
    uint16_t module;
    uint16_t app;              /* 1 + index of the app server; 0: at the front door */
    uint8_t cause;             /* enum osp_cause; OSP_CAUSE_NONE: free */
    uint16_t status;
    char path[OSP_MODEL_PATH]; /* without the hash */
    int64_t since, checked;
} osp_fault;

typedef struct osp_model osp_model;

struct osp_model {
    uint32_t sequence;      /* odd while somebody writes */
    int32_t writer;         /* its process; 0: none */
    int64_t beat;           /* its last sign of life */
    int64_t began;          /* of the watching */
    uint64_t probes, pages; /* asked, and read in passing */
    uint64_t dropped;       /* facts for which a table had no room */
    uint32_t asked, answered; /* checks on demand: a reader counts asked up */
    int64_t asked_at, answered_at; /* the newest */
    uint32_t module_count, reference_count, version_count; /* places in use are below these */
    osp_site sites[OSP_MODEL_SITES];
    osp_watched modules[OSP_MODEL_MODULES];
    osp_reference references[OSP_MODEL_REFERENCES];
    osp_app apps[OSP_MODEL_APPS];
    osp_version versions[OSP_MODEL_VERSIONS];
    osp_fault faults[OSP_MODEL_FAULTS];
};

/* What is wrong, worked out from a model: how the page, the log, the metrics and check-live count. */
enum osp_trouble_kind {
    OSP_TROUBLE_MISSING,   /* referenced or declared, and not available from outside */
    OSP_TROUBLE_FAILING,   /* available, but the back end fails */
    OSP_TROUBLE_RESOURCE,  /* a fault: resource not as meant */
    OSP_TROUBLE_VERSIONS,  /* app servers serve different versions of a module */
    OSP_TROUBLE_APP_DOWN,  /* an app server does not answer */
    OSP_TROUBLE_COUNT
};

typedef struct osp_trouble {
    enum osp_trouble_kind kind;
    enum osp_rule_id rule; /* whose finding it is */
    bool off;         /* the rule is off for the site: somebody wants it so, for a reason */
    bool warning;     /* false: off, or a note, such as two versions while a deployment may run */
    int site;         /* indexes; -1: none */
    int module, app, fault, reference; /* reference: one of those that lead to module */
    int references;   /* how many lead to it */
    int64_t since;
} osp_trouble;

/* Calls tell for each trouble, worst first within its kind. now: seconds since 1970; deploy: seconds
 * that two versions may last. Pure, over a copy or the shared table. Returns how many. */
int osp_model_troubles(const osp_model *model, int64_t now, int64_t deploy,
                       void (*tell)(void *baton, const osp_trouble *trouble), void *baton);

/* One sentence about it, and what to do, terminated, plain text: foreign text in it is printable
 * ASCII, to be escaped for where it goes. */
void osp_model_describe(const osp_model *model, const osp_trouble *trouble, char *text, size_t size);
void osp_model_advise(const osp_model *model, const osp_trouble *trouble, char *text, size_t size);

const char *osp_trouble_name(enum osp_trouble_kind kind);   /* missing, failing, … */
const char *osp_cause_text(enum osp_cause cause);           /* a cache, … */
const char *osp_module_state_name(enum osp_module_state state);
const char *osp_hindrance_text(enum osp_hindrance hindrance); /* it takes the PROXY protocol, … */

/* The rule that a fault belongs to, and whether a rule is off for a site. */
enum osp_rule_id osp_cause_rule(enum osp_cause cause);
bool osp_model_is_off(const osp_model *model, int site, enum osp_rule_id rule);

/* off, warning or note. */
const char *osp_trouble_severity(const osp_trouble *trouble);
const char *osp_learned_name(enum osp_learned kind);        /* unknown, reactive, mobile, traditional */
const char *osp_reference_name(enum osp_reference_kind how);

#endif
