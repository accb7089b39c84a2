/*
 * rule.h: the registry of rules. One row per requirement (see rule.c) feeds the directives, the
 * status page, `make run` and the documentation checks; whoever adds a rule adds a row, a file
 * rules/<name>.c, a test and a page of that name.
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

/* The row of a rule; never NULL for an id below OSP_RULE_COUNT. */
const osp_rule *osp_rule_get(enum osp_rule_id id);

/* The id of the rule called name (case-insensitive), OSP_RULE_COUNT when there is none. */
enum osp_rule_id osp_rule_find(const char *name);

/* "enforce", "report" or "off". */
const char *osp_mode_name(enum osp_mode mode);

#endif
