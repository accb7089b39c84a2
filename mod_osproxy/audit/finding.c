/*
 * finding.c: making findings, once each, and their fixes.
 */
#include "finding.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

const char *osp_severity_name(enum osp_severity severity)
{
    static const char *const names[] = {"error", "warning", "note"};

    return names[severity];
}

const char *osp_state_name(enum osp_state state)
{
    static const char *const names[] = {"met", "enforced", "violated", "off"};

    return names[state];
}

const char *osp_edit_action_name(enum osp_edit_action action)
{
    static const char *const names[] = {"replace", "insert-before", "insert-after", "delete"};

    return names[action];
}

enum osp_mode osp_audit_mode(const osp_audit *audit, const osp_server *server,
                             enum osp_rule_id rule)
{
    const osp_line *where;
    const char *reason;

    return osp_facts_mode(audit->facts, server, NULL, rule, &reason, &where);
}

enum osp_severity osp_severity_for(const osp_audit *audit, const osp_server *server,
                                   const osp_section *section, enum osp_rule_id rule)
{
    const osp_line *where;
    const char *reason;

    return !audit->facts->survey
                   && osp_facts_mode(audit->facts, server, section, rule, &reason, &where)
                          == OSP_ENFORCE
               ? OSP_NOTE
               : OSP_WARNING;
}

static void judge(osp_server *server, enum osp_rule_id rule, enum osp_state state,
                  const osp_line *where)
{
    osp_verdict *verdict = &server->verdicts[rule];

    if (verdict->state != OSP_STATE_OFF && state > verdict->state) {
        *verdict = (osp_verdict){.state = state, .where = where};
    }
}

void osp_enforced(osp_audit *audit, osp_server *server, enum osp_rule_id rule,
                  const osp_line *where)
{
    if (osp_audit_mode(audit, server, rule) == OSP_ENFORCE) {
        judge(server, rule, OSP_STATE_ENFORCED, where);
    }
}

static osp_finding *make(osp_audit *audit, const osp_server *server, const osp_line *at)
{
    osp_finding *finding = osp_take(audit->memory, sizeof *finding);

    at = at ? at : server->opening;
    finding->file = at && at->file ? at->file : "";
    finding->line = at ? at->line : 0;
    finding->used = at ? at->used : NULL;
    return finding;
}

osp_finding *osp_find(osp_audit *audit, osp_server *server, enum osp_severity severity,
                      enum osp_rule_id rule, const osp_line *at, const char *format, ...)
{
    const osp_section *section = at ? at->section : NULL;
    osp_finding *finding, *same;
    const osp_line *where;
    const char *reason;
    va_list values;

    if (osp_facts_mode(audit->facts, server, section, rule, &reason, &where) == OSP_OFF) {
        if (reason && !section) {
            server->verdicts[rule] = (osp_verdict){OSP_STATE_OFF, reason, where};
        }
        return NULL;
    }
    judge(server, rule,
          severity == OSP_NOTE && !osp_rule_is_audit_only(rule) ? OSP_STATE_ENFORCED
                                                                : OSP_STATE_VIOLATED,
          at ? at : server->opening);
    finding = make(audit, server, at);
    finding->severity = severity;
    finding->rule = rule;
    finding->servers = 1;
    finding->last_server = server;
    va_start(values, format);
    finding->text = osp_text_vformat(audit->memory, format, values);
    va_end(values);
    same = osp_map_add(&audit->seen,
                       osp_text_format(audit->memory, "%d %d %s %s %s", (int)rule, finding->line,
                                       finding->file, finding->used ? finding->used : "",
                                       finding->text),
                       finding);
    if (same != finding) {
        same->servers += same->last_server != server;
        same->last_server = server;
        return NULL;
    }
    if (audit->last) {
        audit->last->next = finding;
    }
    else {
        audit->findings = finding;
    }
    audit->last = finding;
    return finding;
}

/* ---- fixes --------------------------------------------------------------------------------- */

static void add_edit(osp_audit *audit, osp_finding *finding, enum osp_edit_action action,
                     const osp_line *line, const char *text)
{
    osp_edit *edit;

    if (!finding || !line || !line->file) {
        return;
    }
    edit = osp_take(audit->memory, sizeof *edit);
    *edit = (osp_edit){action, line->file, line->line, text, text, NULL};
    if (finding->last_edit) {
        finding->last_edit->next = edit;
    }
    else {
        finding->edits = edit;
    }
    finding->last_edit = edit;
}

void osp_fix_replace(osp_audit *audit, osp_finding *finding, const osp_line *line, const char *text)
{
    add_edit(audit, finding, OSP_REPLACE, line, text);
}

void osp_fix_delete(osp_audit *audit, osp_finding *finding, const osp_line *line)
{
    add_edit(audit, finding, OSP_DELETE, line, NULL);
}

void osp_fix_before(osp_audit *audit, osp_finding *finding, const osp_line *line, const char *text)
{
    add_edit(audit, finding, OSP_INSERT_BEFORE, line, text);
}

void osp_fix_after(osp_audit *audit, osp_finding *finding, const osp_line *line, const char *text)
{
    add_edit(audit, finding, OSP_INSERT_AFTER, line, text);
}

void osp_fix_inside(osp_audit *audit, osp_finding *finding, const osp_server *server,
                    const char *text)
{
    /* the main server's own lines begin before the first of them */
    add_edit(audit, finding, server->is_main ? OSP_INSERT_BEFORE : OSP_INSERT_AFTER,
             server->opening, text);
}

void osp_fix_setting(osp_audit *audit, osp_finding *finding, const osp_server *server,
                     const osp_line *line, const char *text)
{
    if (line) {
        osp_fix_replace(audit, finding, line, text);
    }
    else {
        osp_fix_inside(audit, finding, server, text);
    }
}

void osp_fix_advice(osp_audit *audit, osp_finding *finding, const char *format, ...)
{
    va_list values;

    if (finding) {
        va_start(values, format);
        finding->advice = osp_text_vformat(audit->memory, format, values);
        va_end(values);
    }
}

/* Says where a fix goes, on a line of its own, unless it takes the place of the line at fault. */
static void put_place(osp_out *out, const osp_finding *finding, const osp_edit *edit)
{
    bool here = edit->line == finding->line && strcmp(edit->file, finding->file) == 0;

    if (!here) {
        osp_out_format(out, "%s:%d:%s", edit->file, edit->line,
                       edit->action == OSP_REPLACE ? "\n" : " ");
    }
    switch (edit->action) {
    case OSP_INSERT_BEFORE:
        osp_out_put(out, "insert above:\n");
        break;
    case OSP_INSERT_AFTER:
        osp_out_put(out, "insert below:\n");
        break;
    case OSP_DELETE:
        osp_out_put(out, "remove this line");
        break;
    default:
        break;
    }
}

const char *osp_finding_fix(const osp_audit *audit, const osp_finding *finding)
{
    osp_out out = {.memory = audit->memory};
    const osp_edit *edit;

    for (edit = finding->edits; edit; edit = edit->next) {
        if (out.length) {
            osp_out_put(&out, "\n");
        }
        put_place(&out, finding, edit);
        if (edit->plain) {
            osp_out_put(&out, edit->plain);
        }
    }
    if (finding->advice) {
        if (out.length) {
            osp_out_put(&out, "\n");
        }
        osp_out_put(&out, finding->advice);
    }
    return out.length ? out.text : "";
}

/* ---- the run ------------------------------------------------------------------------------- */

static int compare(const void *a_, const void *b_)
{
    const osp_finding *a = *(osp_finding *const *)a_, *b = *(osp_finding *const *)b_;
    int files = strcmp(a->file, b->file);

    if (files) {
        return files;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    if (a->rule != b->rule) {
        return a->rule < b->rule ? -1 : 1;
    }
    return strcmp(a->text, b->text);
}

static void sort(osp_audit *audit)
{
    osp_finding *finding, **list;
    size_t count = 0, i;

    for (finding = audit->findings; finding; finding = finding->next) {
        count++;
    }
    if (!count) {
        return;
    }
    list = osp_take(audit->memory, count * sizeof(osp_finding *));
    for (i = 0, finding = audit->findings; finding; finding = finding->next) {
        list[i++] = finding;
    }
    qsort(list, count, sizeof(osp_finding *), compare);
    audit->findings = list[0];
    for (i = 0; i < count; i++) {
        list[i]->next = i + 1 < count ? list[i + 1] : NULL;
    }
    audit->last = list[count - 1];
}

/* Whether a section switches on what is off outside: engine or rule. */
static bool is_on_in_a_section(const osp_audit *audit, const osp_server *server, enum osp_rule_id rule)
{
    static const enum osp_word words[] = {OSP_W_OSP_ENGINE, OSP_W_OSP_RULE};
    const osp_line *line, *where;
    const char *reason;
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        OSP_EACH_LINE(audit->facts, server, words[i], line) {
            if (line->section
                && osp_facts_mode(audit->facts, server, line->section, rule, &reason, &where)
                       != OSP_OFF) {
                return true;
            }
        }
    }
    return false;
}

/* Rules that somebody switched off are listed with their reason, whether or not there is a finding
 * to silence. */
static void note_what_is_off(osp_audit *audit, osp_server *server)
{
    int rule;

    for (rule = 0; rule < OSP_RULE_COUNT; rule++) {
        const osp_line *where;
        const char *reason;

        if (osp_facts_mode(audit->facts, server, NULL, (enum osp_rule_id)rule, &reason, &where)
                == OSP_OFF
            && !is_on_in_a_section(audit, server, (enum osp_rule_id)rule)) {
            server->verdicts[rule] = (osp_verdict){OSP_STATE_OFF, reason, where};
        }
    }
}

void osp_audit_run(osp_audit *audit, osp_facts *facts)
{
    const osp_finding *finding;
    osp_server *server;
    int rule;

    *audit = (osp_audit){.facts = facts, .memory = facts->memory, .seen.memory = facts->memory};
    for (server = facts->main; server; server = server->next) {
        if (server->audited) {
            note_what_is_off(audit, server);
            audit->vhosts++;
        }
    }
    osp_check_all(audit);
    sort(audit);
    for (finding = audit->findings; finding; finding = finding->next) {
        audit->counts[finding->severity]++;
    }
    for (server = facts->main; server; server = server->next) {
        for (rule = 0; server->audited && rule < OSP_RULE_COUNT; rule++) {
            audit->enforced += server->verdicts[rule].state == OSP_STATE_ENFORCED;
        }
    }
}
