/*
 * page_rule.c: the page of one rule: what it is for, how it stands, what to do.
 */
#include "page.h"

#include <inttypes.h>

static void put_modes(osp_sink *sink, enum osp_rule_id id)
{
    if (osp_rule_is_audit_only(id)) {
        osp_put(sink, "<p>The rule is checked in the configuration; no request is touched.</p>\n");
        return;
    }
    osp_put(sink,
            "<p>Mode <b>enforce</b> makes it hold for every request, <b>report</b> only counts "
            "and logs where it would have acted, <b>off</b> does nothing and demands a "
            "reason. The audit calls a virtual host <b>met</b> when its configuration alone "
            "does it, <b>enforced</b> when the module has to, <b>violated</b> when neither "
            "does.</p>\n");
}

static void put_row(osp_sink *sink, const osp_view_vhost *vhost, enum osp_rule_id id)
{
    const osp_verdict *verdict = vhost->judged ? &vhost->judged->verdicts[id] : NULL;
    int event;

    osp_put(sink, "<tr><th scope=\"row\">");
    osp_page_vhost(sink, vhost);
    osp_put(sink, "</th><td>");
    osp_page_standing(sink, vhost, id);
    if (verdict && verdict->where && verdict->where->file) {
        osp_put(sink, "<br><code>");
        osp_out_html(&sink->out, verdict->where->file);
        osp_out_format(&sink->out, ":%d</code>", verdict->where->line);
    }
    osp_put(sink, "</td>");
    for (event = 0; !osp_rule_is_audit_only(id) && event < OSP_VIEW_EVENTS; event++) {
        osp_out_format(&sink->out, "<td class=\"n\">%" PRIu64 "</td>",
                       vhost->rules[id].events[event]);
    }
    osp_put(sink, "</tr>\n");
    osp_sink_pass(sink);
}

static void put_vhosts(osp_sink *sink, const osp_view *view, enum osp_rule_id id)
{
    int i;

    osp_put(sink, "<h2>State</h2>\n<table><thead><tr><th scope=\"col\">virtual host</th>"
                  "<th scope=\"col\">state</th>");
    if (!osp_rule_is_audit_only(id)) {
        osp_put(sink, "<th scope=\"col\" class=\"n\">acted</th><th scope=\"col\" class=\"n\">"
                      "reported</th><th scope=\"col\" class=\"n\">refused</th>");
    }
    osp_put(sink, "</tr></thead><tbody>\n");
    for (i = 0; i < view->vhost_count; i++) {
        put_row(sink, &view->vhosts[i], id);
    }
    osp_put(sink, "</tbody></table>\n");
}

static void put_names(osp_sink *sink)
{
    int id;

    osp_put(sink, "<ul>\n");
    for (id = 0; id < OSP_RULE_COUNT; id++) {
        osp_put(sink, "<li>");
        osp_page_rule_link(sink, (enum osp_rule_id)id);
        osp_put(sink, ": ");
        osp_out_html(&sink->out, osp_rule_get((enum osp_rule_id)id)->title);
        osp_put(sink, "</li>\n");
    }
    osp_put(sink, "</ul>\n");
}

void osp_page_rule(osp_sink *sink, const osp_view *view, enum osp_rule_id id)
{
    const osp_rule *rule = osp_rule_get(id);

    osp_page_begin(sink, view, rule->name);
    osp_put(sink, "<p><a href=\"?\">\xe2\x86\x90 all rules</a></p>\n<p><b>");
    osp_out_html(&sink->out, rule->title);
    osp_put(sink, ".</b> OutSystems\xe2\x80\x99 requirement: \xe2\x80\x9c");
    osp_out_html(&sink->out, rule->requirement);
    osp_put(sink, "\xe2\x80\x9d.</p>\n");
    put_modes(sink, id);
    put_vhosts(sink, view, id);
    osp_put(sink, "<h2 id=\"findings\">What to do</h2>\n");
    if (!osp_page_findings(sink, view, id)) {
        osp_put(sink, "<p>Nothing: the audit has no finding of this rule.</p>\n");
    }
    osp_put(sink, "<p>Where it is not wanted, in the server, a virtual host");
    osp_put(sink, rule->scope == OSP_SCOPE_DIRECTORY ? " or a section:</p>\n" : ":</p>\n");
    osp_out_format(&sink->out, "<pre>OSProxyRule %s off \"the reason\"</pre>\n", rule->name);
    osp_page_end(sink, view);
}

void osp_page_no_rule(osp_sink *sink, const osp_view *view)
{
    osp_page_begin(sink, view, "no such rule");
    osp_put(sink, "<p>There is no rule of that name. These are all:</p>\n");
    put_names(sink);
    osp_page_end(sink, view);
}
