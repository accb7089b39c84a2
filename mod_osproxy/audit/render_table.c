/*
 * render_table.c: every virtual host with its rules, for -D DUMP_OSPROXY.
 */
#include "render.h"

static const char *const colours[] = {
    [OSP_STATE_MET] = "",
    [OSP_STATE_ENFORCED] = "\033[32m",
    [OSP_STATE_VIOLATED] = "\033[1;31m",
    [OSP_STATE_OFF] = "\033[2m",
};

static void put_rule(osp_out *out, const osp_server *server, enum osp_rule_id rule, bool coloured)
{
    const osp_verdict *verdict = &server->verdicts[rule];

    osp_out_format(out, "  %-19s %s%-9s%s", osp_rule_get(rule)->name,
                   coloured ? colours[verdict->state] : "", osp_state_name(verdict->state),
                   coloured ? "\033[0m" : "");
    if (verdict->where && verdict->where->file) {
        osp_out_format(out, " %s:%d", osp_text_printable(out->memory, verdict->where->file),
                       verdict->where->line);
    }
    if (verdict->reason && *verdict->reason) {
        osp_out_format(out, " \"%s\"", osp_text_printable(out->memory, verdict->reason));
    }
    while (out->text[out->length - 1] == ' ') {
        out->text[--out->length] = '\0';
    }
    osp_out_put(out, "\n");
}

void osp_render_table(osp_out *out, const osp_audit *audit, bool coloured)
{
    const osp_server *server;
    int rule;

    for (server = audit->facts->main; server; server = server->next) {
        if (!server->audited) {
            continue;
        }
        osp_out_put(out, osp_text_printable(out->memory, server->name));
        if (osp_server_port(server)) {
            osp_out_format(out, ":%d", osp_server_port(server));
        }
        if (server->opening && server->opening->file) {
            osp_out_format(out, "  %s:%d", osp_text_printable(out->memory, server->opening->file),
                           server->opening->line);
        }
        osp_out_put(out, "\n");
        for (rule = 0; rule < OSP_RULE_COUNT; rule++) {
            put_rule(out, server, (enum osp_rule_id)rule, coloured);
        }
    }
    osp_render_summary(out, audit);
}
