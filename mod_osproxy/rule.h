/*
 * rule.h: the registry of rules. One row per requirement (see rule.c) feeds the directives, the
 * audit, the status page, `make run` and the documentation checks; whoever adds a rule adds a row,
 * a file audit/check_<name>.c, a page and corpus cases of that name, and, when it acts on requests,
 * a file rules/<name>.c and a test.
 */
#ifndef OSP_RULE_H
#define OSP_RULE_H

enum osp_rule_id {
    OSP_RULE_PRESERVE_HOST,
    OSP_RULE_DEFAULT_PORTS,
    OSP_RULE_NEGOTIATE,
    OSP_RULE_DOMAIN_HTTPS,
    OSP_RULE_PATH_UNCHANGED,
    OSP_RULE_NO_CACHE,
    OSP_RULE_KEEP_ALIVE,
    OSP_RULE_FORWARDED_PROTO,
    OSP_RULE_PINNED_AUTH,
    OSP_RULE_RUN_COUNT, /* from here on the audit alone knows them: nothing runs per request */
    OSP_RULE_REFERENCED_CONTENT = OSP_RULE_RUN_COUNT,
    OSP_RULE_MODE_COUNT, /* up to here modes are known while httpd runs: the watcher asks the last */
    OSP_RULE_CAPACITY = OSP_RULE_MODE_COUNT,
    OSP_RULE_BACKEND_TLS,
    OSP_RULE_PROXY_TIMEOUT,
    OSP_RULE_BACKEND_TTL,
    OSP_RULE_CONSOLES,
    OSP_RULE_STICKINESS,
    OSP_RULE_TRUSTED_PROXY,
    OSP_RULE_HTTPONLY_COOKIES,
    OSP_RULE_SECURITY_HEADERS,
    OSP_RULE_METHODS,
    OSP_RULE_ERROR_OVERRIDE,
    OSP_RULE_VIA,
    OSP_RULE_COUNT
};

/* What a rule does with what it finds. The order matters: more is stricter. */
enum osp_mode { OSP_OFF, OSP_REPORT, OSP_ENFORCE };

/* Where OSProxyRule may set the rule: keep-alive, for one, is a property of a virtual host. */
enum osp_scope { OSP_SCOPE_SERVER, OSP_SCOPE_DIRECTORY };

typedef struct osp_rule {
    const char *name;        /* the word in OSProxyRule, in file names, tests and docs */
    const char *title;       /* one line for people */
    const char *requirement; /* the vendor's requirement that it serves */
    enum osp_scope scope;
} osp_rule;

/* True when no request is touched: the rule is only checked in the configuration. */
static inline int osp_rule_is_audit_only(enum osp_rule_id id)
{
    return id >= OSP_RULE_RUN_COUNT;
}

/* The row of a rule; never NULL for an id below OSP_RULE_COUNT. */
const osp_rule *osp_rule_get(enum osp_rule_id id);

/* The id of the rule called name (case-insensitive), OSP_RULE_COUNT when there is none. */
enum osp_rule_id osp_rule_find(const char *name);

/* "enforce", "report" or "off". */
const char *osp_mode_name(enum osp_mode mode);

#endif
