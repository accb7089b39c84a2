/*
 * page_html.c: the live page for people: what is wrong in one sentence, then everything in order.
 *
 * One document without outside resources; style and script are named by their hashes in the
 * Content-Security-Policy (test/http/test_status.py tells them when they have changed). The script
 * puts a new copy of the page in place every 30 seconds and keeps open what is open; without it a
 * link does.
 */
#include "page.h"

#include <inttypes.h>
#include <string.h>

#define STYLE                                                                                      \
    ":root{color-scheme:light dark;--ink:#1a1c1e;--paper:#fff;--soft:#f2f4f6;--line:#c9ced3;"      \
    "--off:#565c62;--good:#1a6632;--warn:#7a4a00;--bad:#a81c16;--info:#0b57a4}"                    \
    "@media(prefers-color-scheme:dark){:root{--ink:#e8eaec;--paper:#14171a;--soft:#1f2428;"        \
    "--line:#434a51;--off:#a9b0b6;--good:#6fd08c;--warn:#f0b95a;--bad:#ff9b91;--info:#8ab8ff}}"    \
    "body{font:1rem/1.45 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:.5rem 1rem 2rem;" \
    "background:var(--paper);color:var(--ink);overflow-wrap:anywhere}"                             \
    "h1{font-size:1.35rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}"                \
    "h3{font-size:1rem;margin:1rem 0 .25rem}summary h3{display:inline}p{margin:.4rem 0}"           \
    "a{color:var(--info)}a:focus-visible,summary:focus-visible{outline:2px solid var(--info);"     \
    "outline-offset:2px}"                                                                          \
    "table{border-collapse:collapse;width:100%;margin:.25rem 0 .75rem}"                            \
    "caption{text-align:left;color:var(--off)}"                                                    \
    "th,td{text-align:left;vertical-align:top;padding:.25rem .4rem;border-bottom:1px solid var(--line);" \
    "font-weight:400}thead th{color:var(--off);font-size:.85rem}"                                  \
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"                    \
    ".good,.bad,.warn{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}"              \
    ".warn{color:var(--warn)}.off,small{color:var(--off)}.info{color:var(--info)}small{font-size:.85em}" \
    ".verdict{font-size:1.15rem;padding:.6rem .8rem;border:2px solid currentColor;border-radius:.5rem;" \
    "margin:.5rem 0}"                                                                              \
    "ul{margin:.25rem 0;padding-left:1.25rem}li{margin:.3rem 0}summary{cursor:pointer;padding:.2rem 0}" \
    "pre,code{font:.85rem/1.4 ui-monospace,monospace}"                                             \
    "pre{background:var(--soft);padding:.4rem .6rem;margin:.25rem 0;white-space:pre-wrap}"         \
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem}"    \
    "figure{margin:0}svg{display:block;width:100%;height:3rem}"                                    \
    "path{stroke:currentColor;stroke-width:3;fill:none}.base{stroke-width:1;stroke:var(--line)}"   \
    "figcaption{font-size:.85rem}.finding{margin:.6rem 0;padding-left:.6rem;"                      \
    "border-left:3px solid var(--line)}nav a{margin-right:.75rem}"                                 \
    "@media(max-width:30rem){body{padding:.25rem .5rem 1rem}th,td{padding:.25rem .15rem;"          \
    "font-size:.85rem}}"                                                                           \
    "@media(prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}"

#define SCRIPT                                                                                     \
    "setInterval(function(){var o=document.querySelector('main'),a=document.activeElement,"        \
    "k=a&&a.tagName=='SUMMARY'?a.parentNode.id:'';"                                                \
    "if(document.hidden||!getSelection().isCollapsed||(!k&&o.contains(a)))return;"                 \
    "fetch(location.href,{cache:'no-store'}).then(function(r){return r.ok?r.text():''})"           \
    ".then(function(t){var n=new DOMParser().parseFromString(t,'text/html').querySelector('main');" \
    "if(!n)return;o.querySelectorAll('details[id]').forEach(function(d){"                          \
    "var e=n.querySelector('#'+d.id);if(e)e.open=d.open});o.replaceWith(n);"                       \
    "if(k&&(k=document.getElementById(k)))k.querySelector('summary').focus({preventScroll:true})})"\
    ".catch(function(){})},30000)"

const char osp_page_policy[] =
    "default-src 'none'; style-src 'sha256-9NaxVurPwSYm9xMIPQ51BmTVYfbPSVnSh5lkVZxZcxQ='; "
    "script-src 'sha256-TRqxyiWwxEITWHxLXMe+TSGUybjgkRabWVXr/JXvz8I='; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* ---- pieces -------------------------------------------------------------------------------- */

void osp_page_begin(osp_sink *sink, const osp_view *view, const char *title)
{
    osp_put(sink, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<title>");
    osp_out_html(&sink->out, title);
    osp_put(sink, "</title>\n<style>" STYLE "</style>\n<script>" SCRIPT "</script></head><body>\n"
                  "<main>\n<h1>");
    osp_out_html(&sink->out, title);
    osp_put(sink, " <small>");
    osp_out_html(&sink->out, view->version);
    osp_put(sink, "</small></h1>\n");
}

void osp_page_end(osp_sink *sink, const osp_view *view)
{
    osp_put(sink, "<hr><p><small>");
    osp_out_html(&sink->out, view->httpd);
    osp_put(sink, ", started ");
    osp_page_ago(sink, view->started, view->now);
    osp_put(sink, ". This page is of ");
    osp_page_ago(sink, view->now, view->now);
    osp_put(sink, "; <a href=\"?\">the page</a>, <a href=\"?json\">as JSON</a>, "
                  "<a href=\"?metrics\">as metrics</a>.</small></p>\n</main>\n</body></html>\n");
    osp_sink_flush(sink);
}

void osp_page_mark(osp_sink *sink, const char *colour, const char *text)
{
    const char *sign = strcmp(colour, "good") == 0   ? "\xe2\x9c\x94"
                       : strcmp(colour, "bad") == 0  ? "\xe2\x9c\x96"
                       : strcmp(colour, "warn") == 0 ? "\xe2\x96\xb2"
                                                     : "\xe2\x97\x8b";

    osp_out_format(&sink->out, "<span class=\"%s\"><span aria-hidden=\"true\">%s</span> ", colour,
                   sign);
    osp_out_html(&sink->out, text);
    osp_put(sink, "</span>");
}

void osp_page_number(osp_sink *sink, int64_t count, const char *one, const char *many)
{
    osp_out_format(&sink->out, "%" PRId64 " %s", count, count == 1 ? one : many);
}

/* 1970-01-01T00:00:00Z; the civil calendar, by eras of 400 years that begin in March. */
static void put_instant(osp_sink *sink, int64_t when)
{
    int64_t days = when / 86400 + 719468, era, day, year, month, second = when % 86400;

    era = days / 146097;
    day = days % 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    osp_out_format(&sink->out, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                   (int)(year + era * 400 + (month <= 2)), (int)month, (int)day + 1,
                   (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
}

void osp_page_ago(osp_sink *sink, int64_t when, int64_t now)
{
    const int64_t year_9999 = 253402300799;
    int64_t ago;

    if (when <= 0 || when > year_9999) {
        osp_put(sink, "never");
        return;
    }
    osp_put(sink, "<time datetime=\"");
    put_instant(sink, when);
    osp_put(sink, "\">");
    ago = now > when && now <= year_9999 ? now - when : 0;
    if (now == when) {
        put_instant(sink, when);
    }
    else if (ago < 120) {
        osp_out_format(&sink->out, "%d s ago", (int)ago);
    }
    else if (ago < 7200) {
        osp_out_format(&sink->out, "%d min ago", (int)(ago / 60));
    }
    else if (ago < 172800) {
        osp_out_format(&sink->out, "%d h ago", (int)(ago / 3600));
    }
    else {
        osp_out_format(&sink->out, "%d days ago", (int)(ago / 86400));
    }
    osp_put(sink, "</time>");
}

void osp_page_rule_link(osp_sink *sink, enum osp_rule_id rule)
{
    const char *name = osp_rule_get(rule)->name;

    osp_out_format(&sink->out, "<a href=\"?rule=%s\" title=\"%s\">%s</a>", name,
                   osp_rule_get(rule)->title, name);
}

void osp_page_vhost(osp_sink *sink, const osp_view_vhost *vhost)
{
    osp_out_html(&sink->out, vhost->name);
    if (vhost->is_main) {
        osp_put(sink, ", outside virtual hosts");
    }
    else {
        osp_out_format(&sink->out, ":%d", vhost->port);
    }
}

void osp_page_standing(osp_sink *sink, const osp_view_vhost *vhost, enum osp_rule_id rule)
{
    const char *standing = osp_view_standing(vhost, rule), *reason = osp_view_reason(vhost, rule);
    bool off = strcmp(standing, "off") == 0;

    osp_page_mark(sink,
                  off                                   ? "off"
                  : strcmp(standing, "violated") == 0 ? "bad"
                  : strcmp(standing, "report") == 0   ? "warn"
                                                      : "good",
                  standing);
    if (reason) {
        osp_put(sink, ": ");
        osp_out_html(&sink->out, reason);
    }
    else if (off && strcmp(vhost->engine, "off") == 0) {
        osp_put(sink, " <small>with the engine</small>");
    }
    else if (!off && vhost->judged && vhost->rules[rule].mode == OSP_REPORT) {
        osp_put(sink, " <small>only reported</small>");
    }
}

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

    osp_out_format(&sink->out, "<p class=\"verdict %s\" id=\"verdict\"><span aria-hidden=\"true\">%s"
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
        osp_put(sink, "<p class=\"verdict off\" id=\"verdict\"><span aria-hidden=\"true\">\xe2\x97\x8b"
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
    osp_page_mark(sink, trouble->warning ? "bad" : "warn", trouble->warning ? "warning:" : "note:");
    osp_put(sink, " ");
    osp_model_describe(view->model, trouble, text, sizeof text);
    osp_out_html(&sink->out, text);
    osp_model_advise(view->model, trouble, text, sizeof text);
    if (text[0]) {
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
        [OSP_TROUBLE_MISSING] = {"missing", 5},     [OSP_TROUBLE_FAILING] = {"modules", 5},
        [OSP_TROUBLE_RESOURCE] = {"integrity", 5},  [OSP_TROUBLE_VERSIONS] = {"apps", 50},
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
    osp_put(sink, "</p>\n<table><caption>Rules, and what they have done since the start</caption>"
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

    osp_out_format(&sink->out, "<h2 id=\"pins\">Windows authentication</h2>\n<table><tbody>"
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
    put_attention(sink, view, &index);
    put_vhosts(sink, view);
    put_audit(sink, view);
    osp_page_watch(sink, view, &index);
    put_pins(sink, view);
    osp_page_end(sink, view);
}
