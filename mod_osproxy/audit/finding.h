/*
 * finding.h: what a check says: how bad, which rule, where, one sentence, and a fix as a list of
 * edits that a program can apply and a person can paste.
 */
#ifndef OSP_FINDING_H
#define OSP_FINDING_H

#include "facts.h"

/* Error: OutSystems is broken by this. Warning: somebody should act. Note: the module puts it right
 * or it may be meant. */
enum osp_severity { OSP_ERROR, OSP_WARNING, OSP_NOTE, OSP_SEVERITY_COUNT };

enum osp_edit_action { OSP_REPLACE, OSP_INSERT_BEFORE, OSP_INSERT_AFTER, OSP_DELETE };

typedef struct osp_edit {
    enum osp_edit_action action;
    const char *file;
    int line;
    const char *text;  /* may hold several lines, indented for the file; NULL for delete */
    const char *plain; /* the same without indentation */
    struct osp_edit *next;
} osp_edit;

typedef struct osp_finding {
    enum osp_severity severity;
    enum osp_rule_id rule;
    const char *file; /* "" when there is none */
    int line;
    const char *used; /* where the macro that holds the line is used, or NULL */
    const char *text;
    const char *advice; /* a fix that no edit can make, or NULL */
    osp_edit *edits, *last_edit;
    int servers;                   /* virtual hosts that it was found for ... */
    const osp_server *last_server; /* ... lastly this one */
    struct osp_finding *next;
} osp_finding;

typedef struct osp_audit {
    osp_facts *facts;
    const osp_memory *memory;
    osp_finding *findings; /* by file and line after osp_audit_sort() */
    osp_finding *last;
    osp_map seen;
    int counts[OSP_SEVERITY_COUNT];
    int vhosts, enforced;
} osp_audit;

const char *osp_severity_name(enum osp_severity severity);
const char *osp_state_name(enum osp_state state);
const char *osp_edit_action_name(enum osp_edit_action action);

/* Adds a finding about `at` (NULL: about the virtual host itself) and keeps the verdict. NULL,
 * which the functions below take, when the rule is off where `at` stands or when the same was
 * said already of another virtual host. */
osp_finding *osp_find(osp_audit *audit, osp_server *server, enum osp_severity severity,
                      enum osp_rule_id rule, const osp_line *at, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Edits, in the order given. */
void osp_fix_replace(osp_audit *audit, osp_finding *finding, const osp_line *line,
                     const char *text);
void osp_fix_delete(osp_audit *audit, osp_finding *finding, const osp_line *line);
void osp_fix_before(osp_audit *audit, osp_finding *finding, const osp_line *line, const char *text);
void osp_fix_after(osp_audit *audit, osp_finding *finding, const osp_line *line, const char *text);

/* Adds a line at the beginning of the server's section. */
void osp_fix_inside(osp_audit *audit, osp_finding *finding, const osp_server *server,
                    const char *text);

/* What to do where no edit of a configuration file helps. */
void osp_fix_advice(osp_audit *audit, osp_finding *finding, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Replaces the line that decides a setting, or writes one into the server. */
void osp_fix_setting(osp_audit *audit, osp_finding *finding, const osp_server *server,
                     const osp_line *line, const char *text);

/* The verdict "enforced": the configuration alone would not do it, the module does. */
void osp_enforced(osp_audit *audit, osp_server *server, enum osp_rule_id rule,
                  const osp_line *where);

/* The mode of a rule outside every section of server. */
enum osp_mode osp_audit_mode(const osp_audit *audit, const osp_server *server,
                             enum osp_rule_id rule);

/* Note where the module puts it right, warning where it only watches or, in a survey, is not
 * there. */
enum osp_severity osp_severity_for(const osp_audit *audit, const osp_server *server,
                                   const osp_section *section, enum osp_rule_id rule);

/* Runs every check on every audited server, sorts and counts. */
void osp_audit_run(osp_audit *audit, osp_facts *facts);

/* "fix" of a finding as people paste it: a line for each edit, parted by line feeds. */
const char *osp_finding_fix(const osp_audit *audit, const osp_finding *finding);

#endif
