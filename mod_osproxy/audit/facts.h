/*
 * facts.h: what was configured, and where: the input of every check. The glue (collect.c) hands in
 * the configuration line by line; osp_facts_finish() works out the rest: names, mappings,
 * balancers.
 *
 * All is reached from osp_facts and lives in its memory. A fact points at the line it comes from,
 * so that every finding can say where it was written.
 */
#ifndef OSP_FACTS_H
#define OSP_FACTS_H

#include "../rule.h"
#include "text.h"
#include "words.h"

typedef struct osp_server osp_server;
typedef struct osp_section osp_section;

/* A directive as it was written. */
typedef struct osp_line {
    enum osp_word word;
    const char *name; /* as written; of a section with its `<` */
    const char *args; /* as written; of a section without its `>` */
    const osp_arg *arg;
    int count; /* of arg */
    const char *file;
    int line;
    const char *used;         /* "file:line" where the macro that holds the line is used, or NULL */
    const osp_server *server; /* whose it is */
    const osp_section *section;  /* innermost section it stands in, or NULL */
    const struct osp_line *next; /* same word, same server, in the order read */
} osp_line;

enum osp_section_kind {
    OSP_IN_LOCATION,       /* by path; `pattern` is a prefix or, with *?[, a glob */
    OSP_IN_LOCATION_MATCH, /* by path; `pattern` is a regular expression */
    OSP_IN_FILES,          /* Directory, Files: never what is proxied */
    OSP_IN_PROXY,          /* Proxy, ProxyMatch: by back end */
    OSP_IN_CONDITION,      /* If, ElseIf, Else */
    OSP_IN_METHODS,        /* Limit, LimitExcept */
    OSP_IN_OTHER
};

struct osp_section {
    enum osp_section_kind kind;
    const char *pattern;
    const osp_line *line; /* that opens it */
    const osp_section *parent;
    const osp_line *rules[8]; /* OSProxyRule and OSProxyEngine in it; more are passed over */
    int rule_count;
};

enum osp_engine_fact { OSP_AUDIT_OFF, OSP_AUDIT_REPORT, OSP_AUDIT_ON };

enum osp_certificate_problem {
    OSP_CERTIFICATE_FINE,
    OSP_CERTIFICATE_UNREADABLE, /* text says why */
    OSP_CERTIFICATE_NONE,       /* the file holds none */
    OSP_CERTIFICATE_KEY_UNREADABLE,
    OSP_CERTIFICATE_KEY_NONE,
    OSP_CERTIFICATE_KEY_DIFFERS
};

/* What a certificate file holds. */
typedef struct osp_certificate {
    const osp_line *line;     /* SSLCertificateFile */
    const osp_line *key_line; /* SSLCertificateKeyFile, or NULL */
    enum osp_certificate_problem problem;
    const char *text;
    const char **names; /* DNS names of subjectAltName, lower case */
    int name_count;
    int days_left;          /* until it expires; below 0 when it has */
    const char *expires;    /* that day, as people read it */
    int days_until_valid;   /* above 0: not yet valid */
    const char *chain_ends; /* issuer that is neither in the file nor trusted here, or NULL */
    struct osp_certificate *next;
} osp_certificate;

typedef struct osp_address {
    const char *host;  /* as written: *, _default_, an address, a name */
    int port;          /* 0: every port */
    osp_server *first; /* the first virtual host of this address: new connections begin with it */
} osp_address;

/* How a request gets to a back end. */
enum osp_mapping_kind {
    OSP_MAP_PREFIX,  /* ProxyPass */
    OSP_MAP_REGEX,   /* ProxyPassMatch */
    OSP_MAP_REWRITE, /* RewriteRule … [P] */
    OSP_MAP_HANDLER, /* SetHandler proxy:… */
    OSP_MAP_EXCLUDE  /* ProxyPass path ! */
};

/* A URL that a mapping leads to. */
typedef struct osp_target {
    const char *scheme; /* lower case; "" when it could not be read */
    const char *host;
    int port;         /* 0: not written */
    const char *path; /* from its slash on, "" when there is none */
} osp_target;

/* A <Proxy> section or `balancer://name`. */
typedef struct osp_member {
    const osp_line *line;
    int url_arg;
    osp_target target;
    const struct osp_member *next;
} osp_member;

typedef struct osp_pool {
    const char *url; /* as written, lower case, without closing slashes */
    osp_member *members, *last;
    const osp_line *sets[8]; /* ProxySet lines */
    int set_count;
} osp_pool;

typedef struct osp_mapping {
    enum osp_mapping_kind kind;
    const char *path; /* prefix or regular expression; "" when any path */
    bool is_regex;
    int path_arg, url_arg; /* in line; path_arg -1: it stands in the section */
    osp_target target;
    const osp_line *line;
    const osp_pool *pool; /* its balancer or <Proxy>, or NULL */
} osp_mapping;

/* How a rule stands on a virtual host. */
enum osp_state { OSP_STATE_MET, OSP_STATE_ENFORCED, OSP_STATE_VIOLATED, OSP_STATE_OFF };

typedef struct osp_verdict {
    enum osp_state state;
    const char *reason;
    const osp_line *where;
} osp_verdict;

/* A virtual host, or the main server. */
struct osp_server {
    const char *name; /* ServerName, or what httpd made up */
    const char *file; /* NULL for the main server */
    int line;
    const char *used;
    const void *record; /* what the glue knows it by, or NULL */
    bool is_main;
    int index; /* the place in the configuration */
    /* <VirtualHost …>; for the main server a line to point at, or NULL */
    const osp_line *opening;
    const osp_line *first[OSP_W_COUNT];
    osp_line *last[OSP_W_COUNT];

    /* from httpd itself: what it will do, the engine's doing left out */
    bool keep_alive;
    long keep_alive_ms;
    int keep_alive_max;
    int keep_alive_floor; /* seconds */
    osp_certificate *certificates;

    /* worked out by osp_facts_finish() */
    enum osp_engine_fact engine;
    bool audited;
    bool is_tls;
    bool is_behind_hop; /* mod_remoteip trusts somebody */
    bool is_windows;    /* something says that Windows authentication is used */
    osp_address *addresses;
    int address_count;
    const char **names; /* ServerName and ServerAlias; globs too */
    int name_count;
    osp_mapping *mappings; /* in the order that httpd tries them */
    int mapping_count;
    const osp_line **modules; /* OSProxyModule, the main server's first */
    int module_count;
    const osp_line **domains; /* OSProxyDomain; its arguments are the names */
    int domain_count;
    osp_map pools;
    osp_verdict verdicts[OSP_RULE_COUNT];
    osp_server *next;
};

typedef struct osp_facts {
    const osp_memory *memory;
    /* Whether text matches a regular expression: 1, 0, or -1 when it is none. */
    int (*matches)(void *baton, const char *pattern, const char *text);
    void *baton;
    bool survey; /* audit as if the engine were on everywhere */

    /* from the glue */
    const char *mpm;              /* "event", "worker", "prefork", else ""  */
    int mpm_daemons, mpm_threads; /* in force: most children, threads in each; 0: unknown */

    osp_server *main, *last; /* the main server, then the virtual hosts in the order written */
    int server_count;
    osp_map named;      /* "name:port" -> osp_server: the first on any address */
    osp_server **globs; /* servers with a * or ? in a name */
    int glob_count;
    osp_map filters; /* ExtFilterDefine */
    bool remoteip_is_loaded;
} osp_facts;

/* A new server at the end; the first is the main server. */
osp_server *osp_facts_server(osp_facts *facts, const char *name);

/* Adds a line. name and args are kept; for a section, name begins with `<`, args end with `>`, and
 * the section that is returned goes in with the lines inside. NULL for any other line. */
osp_section *osp_facts_line(osp_facts *facts, osp_server *server, const osp_section *section,
                            const char *name, const char *args, const char *file, int line,
                            const char *used);

/* Once all lines are in. */
void osp_facts_finish(osp_facts *facts);

/* ---- questions (question.c) ---------------------------------------------------------------- */

/* The last line of a word that stands in no section of server itself, NULL when there is none. */
const osp_line *osp_line_outside(const osp_server *server, enum osp_word word);

/* What an OSProxyEngine line says. */
enum osp_engine_fact osp_engine_read(const osp_line *line);

/* Whether the host of an address stands for all of them. */
bool osp_host_is_any(const char *host);

/* The first argument as a word, "" when there is none. */
static inline const char *osp_line_arg(const osp_line *line, int at)
{
    return at < line->count ? line->arg[at].text : "";
}

/* The line that decides outside of sections: the virtual host's last one, else the main server's;
 * NULL when there is none. */
const osp_line *osp_setting(const osp_facts *facts, const osp_server *server, enum osp_word word);

/* The same, for what stands in section: the section's own line, or its parents', counts first. */
const osp_line *osp_setting_in(const osp_facts *facts, const osp_server *server,
                               const osp_section *section, enum osp_word word);

/* Runs through the lines of a word in all sections: the virtual host's, then the main server's. */
const osp_line *osp_line_first(const osp_facts *facts, const osp_server *server,
                               enum osp_word word);
const osp_line *osp_line_next(const osp_facts *facts, const osp_line *line);
#define OSP_EACH_LINE(facts, server, word, line)                                                   \
    for ((line) = osp_line_first((facts), (server), (word)); (line) != NULL;                       \
         (line) = osp_line_next((facts), (line)))

/* The mode of a rule for what stands in section; *reason when it is off, *where the OSProxyRule. */
enum osp_mode osp_facts_mode(const osp_facts *facts, const osp_server *server,
                             const osp_section *section, enum osp_rule_id rule, const char **reason,
                             const osp_line **where);

/* Whether a section (NULL: no section) applies to requests for path. */
bool osp_section_covers(const osp_facts *facts, const osp_section *section, const char *path);

/* Whether a mapping takes requests for path. */
bool osp_mapping_covers(const osp_facts *facts, const osp_mapping *mapping, const char *path);

/* The mapping that a request for path takes, NULL when none does. */
const osp_mapping *osp_mapping_for(const osp_facts *facts, const osp_server *server,
                                   const char *path);

/* The virtual host that a request for name on port goes to by its name; NULL when none bears it. */
osp_server *osp_server_named(const osp_facts *facts, const char *name, int port);

/* Whether server bears name, and listens on port. */
bool osp_server_bears(const osp_server *server, const char *name);
bool osp_server_listens(const osp_server *server, int port);

/* Whether the two share an address. */
bool osp_servers_meet(const osp_server *a, const osp_server *b);

/* True when the server proxies anything. */
bool osp_server_proxies(const osp_server *server);

/* What kind of modules something reaches; the strictest counts. */
enum osp_reach {
    OSP_REACHES_NOTHING,
    OSP_REACHES_TRADITIONAL,
    OSP_REACHES_UNKNOWN,
    OSP_REACHES_STRICT /* Reactive or Mobile */
};
enum osp_reach osp_server_reach(const osp_server *server);
enum osp_reach osp_section_reach(const osp_facts *facts, const osp_server *server,
                                 const osp_section *section);
/* ... of a path: its first segment decides. */
enum osp_reach osp_path_reach(const osp_facts *facts, const osp_server *server, const char *path);

/* The value of key=value among the arguments from `from` on, NULL when it is not there; *at is its
 * place. */
const char *osp_line_param(const osp_line *line, int from, const char *key, int *at);

/* The value of a worker's parameter: on the member, its mapping, its pool's ProxySet, in that
 * order; NULL when it is not written. *where, when not NULL, is the line, *at the argument. */
const char *osp_worker_param(const osp_mapping *mapping, const osp_member *member, const char *key,
                             const osp_line **where, int *at);

/* Reads scheme://host:port/path, as far as it is one. */
osp_target osp_target_read(const osp_memory *memory, const char *url);

/* The line with argument `at` replaced (NULL: taken out; added when there is none), ready to be
 * written. */
const char *osp_line_with(const osp_memory *memory, const osp_line *line, int at,
                          const char *value);

/* The line with words added behind its arguments. */
const char *osp_line_plus(const osp_memory *memory, const osp_line *line, const char *words);

/* The address of a server that people look for: the first, "*:443". */
int osp_server_port(const osp_server *server);

#endif
