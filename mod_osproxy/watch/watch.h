/*
 * watch.h: what the watchers share: the table in shared memory, the mail that requests leave for the
 * watcher, and its HTTP client. One watcher runs at a time, in one child (mod_watchdog); requests
 * only leave mail.
 */
#ifndef OSP_WATCH_H
#define OSP_WATCH_H

#include "osproxy.h"
#include "watch/model.h"

#define OSP_MIN(a, b) ((a) < (b) ? (a) : (b))
#define OSP_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- the shared table (watch.c) --------------------------------------------------------------- */

#define OSP_MAIL_PAGES 16
#define OSP_MAIL_BYTES 65536 /* of a page; what follows is not looked at */
#define OSP_MAIL_NOTES 256
#define OSP_MAIL_PATH 512
#define OSP_MAIL_SAMPLED 1024
#define OSP_ANNOUNCED 1024
#define OSP_KIND_PLACES (8 * OSP_MODEL_MODULES) /* sparse, so that eight places next to each other do */

/* A slot of the mail: free, being written, ready to be read. Taken by compare-and-swap. */
enum osp_mail_state { OSP_MAIL_FREE, OSP_MAIL_WRITING, OSP_MAIL_READY };

/* A page or style sheet that a back end sent, as it passed. */
typedef struct osp_mail_page {
    apr_uint32_t state;
    apr_uint16_t site;
    apr_uint16_t is_css;
    apr_int64_t began; /* seconds: a writer that never ends loses its slot */
    char path[OSP_MAIL_PATH];
    char coding[32];
    apr_uint32_t length;
    char body[OSP_MAIL_BYTES];
} osp_mail_page;

/* A redirect, or a request that failed while a page referred to it. */
typedef struct osp_mail_note {
    apr_uint32_t state;
    apr_uint16_t site;
    apr_uint16_t status;
    char from[OSP_MAIL_PATH]; /* path of the page */
    char to[OSP_MAIL_PATH];   /* path, or a Location as written */
} osp_mail_note;

typedef struct osp_shared {
    osp_model model;
    apr_uint32_t probe_port; /* local port of the watcher's connection to the front door, or 0 */
    char secret[33];         /* proves a probe to be ours */
    apr_uint64_t kinds[OSP_KIND_PLACES]; /* learned: hash of site and name, kind in the low bits */
    apr_int64_t sampled[OSP_MAIL_SAMPLED];     /* seconds, by hash of site and path */
    osp_mail_page pages[OSP_MAIL_PAGES];
    osp_mail_note notes[OSP_MAIL_NOTES];
    apr_uint64_t announced[OSP_ANNOUNCED];     /* troubles that stand in the log: their hashes */
} osp_shared;

extern osp_shared *osp_table; /* NULL: nothing is watched */

/* FNV-1a over text in lower case; begin with OSP_HASH_BEGIN. */
#define OSP_HASH_BEGIN 14695981039346656037u
apr_uint64_t osp_watch_hash(apr_uint64_t hash, const char *text, apr_size_t length);

/* The key of a module of a site in kinds, its two low bits clear. */
apr_uint64_t osp_watch_kind_key(int site, const osp_module_name *name);

/* ---- mail (mail.c) ------------------------------------------------------------------------------ */

/* Calls back for each page and note that is ready, and frees it. */
void osp_mail_read(void (*page)(const osp_mail_page *page, void *baton),
                   void (*note)(const osp_mail_note *note, void *baton), void *baton);

/* ---- the watcher's HTTP client (probe.c) -------------------------------------------------------- */

typedef struct osp_answer {
    int status;              /* 0: no answer */
    apr_size_t length;       /* of body */
    char *body;              /* decoded, in the pool; no more than asked for */
    int cut;                 /* there was more, or less than announced */
    int aged;                /* the answer has an Age, or says that a cache had it */
    const char *way;         /* where the front door handed the request on; NULL: it did not */
    const char *location;    /* of a redirect, or NULL */
} osp_answer;

typedef struct osp_prober osp_prober;

/* Loads libcurl, in the parent: NULL, or what is wrong, in p. */
const char *osp_prober_load(apr_pool_t *p);

/* NULL without memory. Lives as long as the process. */
osp_prober *osp_prober_make(void);

/* GET of path from url (scheme://host:port). connect: "host:port" to connect to in the place of
 * url's own, or NULL. host: the Host field. front: whether it is our own front door. https: what
 * X-Forwarded-Proto says. most: bytes of the body that are kept. Blocks for at most ten seconds, less
 * when httpd stops. */
void osp_probe(osp_prober *prober, apr_pool_t *p, const char *url, const char *connect,
               const char *host, const char *path, int front, int https, apr_size_t most,
               osp_answer *answer);

/* Whether a request is a probe of ours. */
int osp_probe_is(const request_rec *r);

/* True when httpd is about to end this child. */
int osp_watch_is_stopping(void);

/* ---- what the watcher does (learn.c, farm.c) ---------------------------------------------------- */

/* Another process may have written: what this one remembers of the table is void. */
void osp_learn_begin(void);

/* A module of a site: found, or made when make is set and there is room; -1. The model is being
 * written. */
int osp_learn_module(int site, const char *name, apr_size_t length, int make);
void osp_learn_reference(int from, int to, enum osp_reference_kind how, const char *path);
void osp_learn_mail(apr_pool_t *p);

/* A page or style sheet of path: its module and what it refers to; seen: it passed the proxy. Returns
 * OSP_SIGN_* of its kind. */
unsigned osp_learn_page(int site, const char *path, osp_span body, int is_css, int seen);
void osp_model_begin(void);
void osp_model_end(void);

typedef struct osp_site_conf {
    server_rec *server;  /* NULL: none, or its twin is asked */
    server_rec *counted; /* NULL: none */
    const char *connect; /* "127.0.0.1:443" */
    int https, port;
    int certificates;    /* sections of it demand client certificates */
} osp_site_conf;

/* ---- what cannot be asked (hindrance.c) ----------------------------------------------------------- */

/* Of the whole front door; connect: where the watcher would connect to. */
enum osp_hindrance osp_hindrance_of(apr_pool_t *p, server_rec *main_server, const server_rec *s,
                                    int https, const char *connect);

/* Whether sections of s demand client certificates. */
int osp_hindrance_in_sections(apr_pool_t *p, server_rec *main_server, const server_rec *s);

/* One round: what is due, as long as the budget of requests lasts. */
void osp_farm_step(osp_prober *prober, apr_pool_t *p, const osp_site_conf *sites);
void osp_farm_begin(void);

#endif
