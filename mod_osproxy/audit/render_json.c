/*
 * render_json.c: the audit for programs, schema 1 (docs/audit.md).
 */
#include "render.h"

#include "encode.h"

static void put_member(osp_out *out, const char *name, const char *value)
{
    osp_out_format(out, "\"%s\":", name);
    osp_out_json(out, value);
}

static void put_place(osp_out *out, const char *file, int line)
{
    put_member(out, "file", file && *file ? file : NULL);
    osp_out_format(out, ",\"line\":%d", line);
}

static void put_verdict(osp_out *out, const osp_verdict *verdict)
{
    osp_out_put(out, "{");
    put_member(out, "state", osp_state_name(verdict->state));
    osp_out_put(out, ",");
    put_member(out, "reason", verdict->reason);
    osp_out_put(out, ",\"where\":");
    if (verdict->where && verdict->where->file) {
        osp_out_put(out, "{");
        put_place(out, verdict->where->file, verdict->where->line);
        osp_out_put(out, "}");
    }
    else {
        osp_out_put(out, "null");
    }
    osp_out_put(out, "}");
}

static void put_server(osp_out *out, const osp_server *server)
{
    int rule;

    osp_out_put(out, "{");
    put_member(out, "name", server->name);
    osp_out_format(out, ",\"port\":%d,", osp_server_port(server));
    put_place(out, server->opening ? server->opening->file : NULL,
              server->opening ? server->opening->line : 0);
    osp_out_put(out, ",\"rules\":{");
    for (rule = 0; rule < OSP_RULE_COUNT; rule++) {
        osp_out_format(out, "%s\n    \"%s\":", rule ? "," : "",
                       osp_rule_get((enum osp_rule_id)rule)->name);
        put_verdict(out, &server->verdicts[rule]);
    }
    osp_out_put(out, "}}");
}

static void put_edits(osp_out *out, const osp_finding *finding)
{
    const osp_edit *edit;

    osp_out_put(out, "\"edits\":[");
    for (edit = finding->edits; edit; edit = edit->next) {
        osp_out_put(out, edit == finding->edits ? "{" : ",{");
        put_member(out, "action", osp_edit_action_name(edit->action));
        osp_out_put(out, ",");
        put_place(out, edit->file, edit->line);
        osp_out_put(out, ",");
        put_member(out, "text", edit->text);
        osp_out_put(out, "}");
    }
    osp_out_put(out, "]");
}

static void put_finding(osp_out *out, const osp_audit *audit, const osp_finding *finding)
{
    osp_out_put(out, "{");
    put_member(out, "severity", osp_severity_name(finding->severity));
    osp_out_put(out, ",");
    put_member(out, "rule", osp_rule_get(finding->rule)->name);
    osp_out_put(out, ",");
    put_place(out, finding->file, finding->line);
    osp_out_put(out, ",");
    put_member(out, "used", finding->used);
    osp_out_format(out, ",\"vhosts\":%d,", finding->servers);
    put_member(out, "text", finding->text);
    osp_out_put(out, ",\n    \"fix\":{");
    put_member(out, "text", osp_finding_fix(audit, finding));
    osp_out_put(out, ",");
    put_edits(out, finding);
    osp_out_put(out, "}}");
}

void osp_render_json(osp_out *out, const osp_audit *audit, const char *version)
{
    const osp_finding *finding;
    const osp_server *server;
    bool first = true;

    osp_out_put(out, "{");
    put_member(out, "osproxy", version);
    osp_out_put(out, ",\"schema\":1,\n\"vhosts\":[");
    for (server = audit->facts->main; server; server = server->next) {
        if (server->audited) {
            osp_out_put(out, first ? "\n  " : ",\n  ");
            put_server(out, server);
            first = false;
        }
    }
    osp_out_put(out, "],\n\"findings\":[");
    for (finding = audit->findings; finding; finding = finding->next) {
        osp_out_put(out, finding == audit->findings ? "\n  " : ",\n  ");
        put_finding(out, audit, finding);
    }
    osp_out_format(out,
                   "],\n\"summary\":{\"vhosts\":%d,\"errors\":%d,\"warnings\":%d,\"notes\":%d,"
                   "\"enforced\":%d}}\n",
                   audit->vhosts, audit->counts[OSP_ERROR], audit->counts[OSP_WARNING],
                   audit->counts[OSP_NOTE], audit->enforced);
}
