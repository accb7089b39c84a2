/*
 * page_html.c: the live page for people: what is wrong in one sentence, then everything in order.
 */
#include "page.h"

#include <inttypes.h>
#include <string.h>

/* ---- the sentence at the top ---------------------------------------------------------------- */

static int errors_of(const osp_view *view, enum osp_severity severity)
{
    return view->audit ? view->audit->counts[severity] : 0;
}

static bool is_on_somewhere(const osp_view *view)
{
    int i;

    for (i = 0; i < view->vhost_count; i++) {
        if (strcmp(view->vhosts[i].engine, "off") != 0) {
            return true;
        }
    }
    return view->audit != NULL;
}

static void put_trouble_counts(osp_sink *sink, const osp_index *index, const char *before)
{
    static const char *const words[OSP_TROUBLE_COUNT][2] = {
        {"module is not available from outside", "modules are not available from outside"},
        {"module fails", "modules fail"},
        {"resource is not what it was meant to be", "resources are not what they were meant to be"},
        {"module has two versions", "modules have two versions"},
        {"app server does not answer", "app servers do not answer"},
    };
    int counts[OSP_TROUBLE_COUNT] = {0}, i;

    for (i = 0; i < index->trouble_count; i++) {
        counts[index->troubles[i].kind] += index->troubles[i].warning;
    }
    for (i = 0; i < OSP_TROUBLE_COUNT; i++) {
        if (counts[i]) {
            osp_put(sink, before);
            osp_page_number(sink, counts[i], words[i][0], words[i][1]);
            before = "; ";
        }
    }
}

static void put_wrong(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    int errors = errors_of(view, OSP_ERROR), warnings = errors_of(view, OSP_WARNING);
    int all = errors + warnings + index->warnings;
    bool bad = errors || index->warnings;

    osp_out_format(&sink->out,
                   "<p class=\"verdict %s\" id=\"verdict\"><span aria-hidden=\"true\">%s"
                   "</span> ",
                   bad ? "bad" : "warn", bad ? "\xe2\x9c\x96" : "\xe2\x96\xb2");
    osp_page_number(sink, all, "thing needs attention: ", "things need attention: ");
    if (errors) {
        osp_page_number(sink, errors, "error", "errors");
        osp_put(sink, warnings ? " and " : "");
    }
    if (warnings) {
        osp_page_number(sink, warnings, "warning", "warnings");
    }
    if (errors || warnings) {
        osp_put(sink, " in <a href=\"#findings\">the configuration</a>");
    }
    put_trouble_counts(sink, index, errors || warnings ? "; " : "");
    osp_put(sink, ".</p>\n");
}

static void put_verdict(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    if (errors_of(view, OSP_ERROR) || errors_of(view, OSP_WARNING) || index->warnings) {
        put_wrong(sink, view, index);
        return;
    }
    if (!is_on_somewhere(view)) {
        osp_put(sink,
                "<p class=\"verdict off\" id=\"verdict\"><span aria-hidden=\"true\">\xe2\x97\x8b"
                "</span> The engine is off everywhere: nothing is checked.</p>\n");
        return;
    }
    osp_put(sink, "<p class=\"verdict good\" id=\"verdict\"><span aria-hidden=\"true\">\xe2\x9c\x94"
                  "</span> All is well.</p>\n");
}

static void put_trouble(osp_sink *sink, const osp_view *view, const osp_trouble *trouble)
{
    char text[1024];

    osp_put(sink, "<li>");
    if (!osp_page_off(sink, view, trouble->site, trouble->rule)) {
        osp_page_mark(sink, trouble->warning ? "bad" : "warn",
                      trouble->warning ? "warning:" : "note:");
    }
    osp_put(sink, " ");
    osp_model_describe(view->model, trouble, text, sizeof text);
    osp_out_html(&sink->out, text);
    osp_model_advise(view->model, trouble, text, sizeof text);
    if (text[0] && !trouble->off) {
        osp_put(sink, "<br><small>");
        osp_out_html(&sink->out, text);
        osp_put(sink, "</small>");
    }
    osp_put(sink, "</li>\n");
}

/* What is wrong with the farm, a few of each kind; all of them stand below, but for versions. The
 * audit's errors and warnings stand below with their fixes. */
static void put_attention(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    static const struct {
        const char *anchor;
        int most;
    } kinds[OSP_TROUBLE_COUNT] = {
        [OSP_TROUBLE_MISSING] = {"missing", 5},    [OSP_TROUBLE_FAILING] = {"modules", 5},
        [OSP_TROUBLE_RESOURCE] = {"integrity", 5}, [OSP_TROUBLE_VERSIONS] = {"apps", 50},
        [OSP_TROUBLE_APP_DOWN] = {"apps", 5},
    };
    int shown[OSP_TROUBLE_COUNT] = {0}, i;

    if (!index->trouble_count) {
        return;
    }
    osp_put(sink, "<h2 id=\"attention\">What was seen</h2>\n<ul>\n");
    for (i = 0; i < index->trouble_count; i++) {
        enum osp_trouble_kind kind = index->troubles[i].kind;

        if (shown[kind]++ < kinds[kind].most) {
            put_trouble(sink, view, &index->troubles[i]);
        }
        else if (shown[kind] == index->kinds[kind]) {
            osp_out_format(&sink->out, "<li>and <a href=\"#%s\">%d more of this kind</a></li>\n",
                           kinds[kind].anchor, shown[kind] - kinds[kind].most);
        }
    }
    osp_put(sink, "</ul>\n");
}

/* ---- the check on demand --------------------------------------------------------------------- */

static void put_check(osp_sink *sink, const osp_view *view)
{
    const osp_model *model = view->model;

    osp_put(sink, "<form method=\"post\" action=\"?check\" id=\"check\"><button>Check now</button> ");
    if (osp_view_is_checking(view)) {
        osp_put(sink, "A check is under way, asked for ");
        osp_page_ago(sink, model->asked_at, view->now);
        osp_put(sink, ".");
    }
    else if (model->asked != model->answered) {
        osp_put(sink, "<span class=\"warn\">The check asked for ");
        osp_page_ago(sink, model->asked_at, view->now);
        osp_put(sink, " has not come to its end.</span>");
    }
    else if (model->answered_at) {
        osp_put(sink, "Checked as asked ");
        osp_page_ago(sink, model->answered_at, view->now);
        osp_put(sink, ": what was found is on this page.");
    }
    else {
        osp_put(sink, "<small>looks at every module at once, not when its turn comes</small>");
    }
    osp_put(sink, "</form>\n");
}

/* ---- requirements --------------------------------------------------------------------------- */

static void put_rule(osp_sink *sink, const osp_view_vhost *vhost, enum osp_rule_id rule)
{
    int event;

    osp_put(sink, "<tr><th scope=\"row\">");
    osp_page_rule_link(sink, rule);
    osp_put(sink, "</th><td>");
    osp_page_standing(sink, vhost, rule);
    osp_put(sink, "</td>");
    for (event = 0; event < OSP_VIEW_EVENTS; event++) {
        if (osp_rule_is_audit_only(rule)) {
            osp_put(sink, "<td class=\"n off\">\xe2\x80\x93</td>");
        }
        else {
            osp_out_format(&sink->out, "<td class=\"n\">%" PRIu64 "</td>",
                           vhost->rules[rule].events[event]);
        }
    }
    osp_put(sink, "</tr>\n");
}

static void put_standings(osp_sink *sink, const osp_view_vhost *vhost)
{
    static const char *const order[] = {"violated", "enforced", "met", "enforce", "report", "off"};
    const char *comma = " <small>";
    size_t i;

    for (i = 0; i < sizeof order / sizeof *order; i++) {
        int rule, count = 0;

        for (rule = 0; rule < OSP_RULE_COUNT; rule++) {
            count += strcmp(osp_view_standing(vhost, (enum osp_rule_id)rule), order[i]) == 0;
        }
        if (count) {
            osp_out_format(&sink->out, "%s%d %s", comma, count, order[i]);
            comma = ", ";
        }
    }
    osp_put(sink, "</small>");
}

static void put_vhost(osp_sink *sink, const osp_view_vhost *vhost, int number, bool open)
{
    int rule;

    osp_out_format(&sink->out, "<details id=\"vhost-%d\"%s><summary><h3>", number,
                   open ? " open" : "");
    osp_page_vhost(sink, vhost);
    osp_put(sink, "</h3>");
    put_standings(sink, vhost);
    osp_out_format(&sink->out, "</summary>\n<p>engine %s", vhost->engine);
    if (vhost->file) {
        osp_put(sink, ", defined in <code>");
        osp_out_html(&sink->out, vhost->file);
        osp_out_format(&sink->out, ":%u</code>", vhost->line);
    }
    osp_put(sink,
            "</p>\n<table><caption>Rules, and what they have done since the start</caption>"
            "<thead><tr><th scope=\"col\">rule</th><th scope=\"col\">state</th>"
            "<th scope=\"col\" class=\"n\">acted</th><th scope=\"col\" class=\"n\">reported</th>"
            "<th scope=\"col\" class=\"n\">refused</th></tr></thead><tbody>\n");
    for (rule = 0; rule < OSP_RULE_COUNT; rule++) {
        put_rule(sink, vhost, (enum osp_rule_id)rule);
    }
    osp_put(sink, "</tbody></table></details>\n");
    osp_sink_pass(sink);
}

static void put_vhosts(osp_sink *sink, const osp_view *view)
{
    enum { OPEN = 3 }; /* so many with the engine on */
    int i, open = 0;

    osp_put(sink, "<h2 id=\"rules\">Requirements by virtual host</h2>\n");
    for (i = 0; i < view->vhost_count; i++) {
        const osp_view_vhost *vhost = &view->vhosts[i];
        bool on = strcmp(vhost->engine, "off") != 0 && !vhost->is_main;

        put_vhost(sink, vhost, i, on && open++ < OPEN);
    }
}

/* ---- Windows authentication, findings ------------------------------------------------------- */

static void put_pins(osp_sink *sink, const osp_view *view)
{
    int i;

    osp_out_format(&sink->out,
                   "<h2 id=\"pins\">Windows authentication</h2>\n<table><tbody>"
                   "<tr><th scope=\"row\">clients with a connection of their own</th>"
                   "<td class=\"n\">%u</td></tr>\n",
                   view->pins_open);
    for (i = 0; i < view->pin_count; i++) {
        osp_put(sink, "<tr><th scope=\"row\">");
        osp_out_html(&sink->out, view->pins[i].title);
        osp_out_format(&sink->out, "</th><td class=\"n\">%" PRIu64 "</td></tr>\n",
                       view->pins[i].count);
    }
    osp_put(sink, "</tbody></table>\n");
}

static void put_finding(osp_sink *sink, const osp_audit *audit, const osp_finding *finding)
{
    static const char *const colours[OSP_SEVERITY_COUNT] = {"bad", "warn", "off"};
    const char *fix = osp_finding_fix(audit, finding);

    osp_put(sink, "<div class=\"finding\"><p>");
    osp_page_mark(sink, colours[finding->severity], osp_severity_name(finding->severity));
    osp_put(sink, " ");
    osp_page_rule_link(sink, finding->rule);
    osp_put(sink, " ");
    osp_out_html(&sink->out, finding->text);
    if (finding->servers > 1) {
        osp_out_format(&sink->out, " (%d virtual hosts)", finding->servers);
    }
    if (*finding->file) {
        osp_put(sink, "<br><code>");
        osp_out_html(&sink->out, finding->file);
        osp_out_format(&sink->out, ":%d</code>", finding->line);
    }
    if (finding->used) {
        osp_put(sink, " <small>used at <code>");
        osp_out_html(&sink->out, finding->used);
        osp_put(sink, "</code></small>");
    }
    osp_put(sink, "</p>\n");
    if (*fix) {
        osp_put(sink, "<pre>");
        osp_out_html(&sink->out, fix);
        osp_put(sink, "</pre>");
    }
    osp_put(sink, "</div>\n");
    osp_sink_pass(sink);
}

int osp_page_findings(osp_sink *sink, const osp_view *view, enum osp_rule_id rule)
{
    const osp_finding *finding;
    int severity, count = 0;

    for (severity = 0; view->audit && severity < OSP_SEVERITY_COUNT; severity++) {
        for (finding = view->audit->findings; finding; finding = finding->next) {
            if (finding->severity == (enum osp_severity)severity
                && (rule == OSP_RULE_COUNT || rule == finding->rule)) {
                put_finding(sink, view->audit, finding);
                count++;
            }
        }
    }
    return count;
}

static void put_audit(osp_sink *sink, const osp_view *view)
{
    osp_put(sink, "<h2 id=\"findings\">Findings in the configuration</h2>\n");
    if (!view->audit) {
        osp_put(sink, "<p>Nothing is audited: the engine is off on every virtual host.</p>\n");
    }
    else if (!osp_page_findings(sink, view, OSP_RULE_COUNT)) {
        osp_put(sink, "<p>None.</p>\n");
    }
}

void osp_page_html(osp_sink *sink, const osp_view *view)
{
    osp_index index;

    osp_index_make(&index, view);
    osp_page_begin(sink, view, "mod_osproxy");
    put_verdict(sink, view, &index);
    osp_put(sink, "<nav aria-label=\"on this page\"><a href=\"#rules\">Requirements</a> "
                  "<a href=\"#findings\">Findings</a> <a href=\"#watch\">Farm</a> "
                  "<a href=\"#pins\">Windows authentication</a> <a href=\"?\">Refresh</a></nav>\n");
    if (view->model) {
        put_check(sink, view);
    }
    put_attention(sink, view, &index);
    put_vhosts(sink, view);
    put_audit(sink, view);
    osp_page_watch(sink, view, &index);
    put_pins(sink, view);
    osp_page_end(sink, view);
}
