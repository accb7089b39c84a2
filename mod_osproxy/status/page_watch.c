/*
 * page_watch.c: the part of the live page that tells what the watchers know: the last hour, app
 * servers and their versions, modules and who refers to them, missing content, integrity.
 *
 * Large farms: what is wrong stands first, the rest inside details, and a module shows the first
 * few of those that refer to it; ?json has all of them.
 */
#include "page.h"

#include <inttypes.h>
#include <string.h>

enum { FEW = 20, REFERRERS = 20 };

static void put_site(osp_sink *sink, const osp_site *site)
{
    osp_out_html(&sink->out, site->name);
    osp_out_format(&sink->out, ":%d", site->port);
}

static int count_sites(const osp_model *model)
{
    int i, count = 0;

    for (i = 0; i < OSP_MODEL_SITES; i++) {
        count += osp_view_site(model, i) != NULL;
    }
    return count;
}

/* ---- the last hour ------------------------------------------------------------------------- */

static void put_hour(osp_sink *sink, const osp_view *view)
{
    int i, sites = count_sites(view->model);

    osp_put(sink, "<h3>The last hour, a bar for each minute</h3>\n");
    osp_page_charts(sink, view, NULL);
    for (i = 0; i < OSP_MODEL_SITES && sites > 1; i++) {
        const osp_site *site = osp_view_site(view->model, i);

        if (site) {
            osp_out_format(&sink->out, "<details id=\"hour-%d\"><summary>", i);
            put_site(sink, site);
            osp_out_format(&sink->out,
                           " <small>%" PRIu64 " requests, %" PRIu64 " failed</small></summary>\n",
                           site->requests, site->failed);
            osp_page_charts(sink, view, site);
            osp_put(sink, "</details>\n");
        }
    }
}

/* ---- missing content ----------------------------------------------------------------------- */

static void put_referrers(osp_sink *sink, const osp_view *view, const osp_index *index, int module)
{
    const osp_list *list = &index->references;
    int at, end = list->first[module + 1];

    osp_put(sink, "<ul>\n");
    for (at = list->first[module]; at < end && at < list->first[module] + REFERRERS; at++) {
        const osp_reference *reference = &view->model->references[list->item[at]];

        osp_put(sink, "<li>");
        osp_out_html(&sink->out, view->model->modules[reference->from].name);
        osp_put(sink, " <small>");
        osp_out_html(&sink->out, osp_view_how(reference));
        osp_put(sink, " ");
        osp_out_html(&sink->out, reference->path);
        osp_put(sink, "</small></li>\n");
    }
    osp_put(sink, "</ul>\n");
    if (at < end) {
        osp_out_format(&sink->out, "<p>and %d more: <a href=\"?json\">as JSON</a></p>\n", end - at);
    }
}

static void put_missing(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    char text[1024];
    int i;

    osp_put(sink, "<h3 id=\"missing\">Missing content</h3>\n");
    if (index->kinds[OSP_TROUBLE_MISSING] == index->off[OSP_TROUBLE_MISSING]) {
        osp_put(sink, "<p>None: what is referred to is available from outside.</p>\n");
    }
    for (i = 0; i < index->trouble_count; i++) {
        const osp_trouble *trouble = &index->troubles[i];

        if (trouble->kind != OSP_TROUBLE_MISSING
            || !osp_view_module(view->model, trouble->module)) {
            continue;
        }
        osp_put(sink, "<div class=\"finding\"><p>");
        if (!osp_page_off(sink, view, trouble->site, trouble->rule)) {
            osp_page_mark(sink, "bad", "missing");
        }
        osp_put(sink, " ");
        osp_model_describe(view->model, trouble, text, sizeof text);
        osp_out_html(&sink->out, text);
        osp_put(sink, " <small>");
        osp_page_ago(sink, trouble->since, view->now);
        osp_put(sink, "</small></p>\n");
        if (!trouble->off) {
            osp_put(sink, "<pre>");
            osp_model_advise(view->model, trouble, text, sizeof text);
            osp_out_html(&sink->out, text);
            osp_put(sink, "</pre>\n");
        }
        if (trouble->references > 1) {
            osp_out_format(&sink->out, "<details id=\"missing-%d\"><summary>", trouble->module);
            osp_page_number(sink, trouble->references, "reference", "references");
            osp_put(sink, "</summary>\n");
            put_referrers(sink, view, index, trouble->module);
            osp_put(sink, "</details>\n");
        }
        osp_put(sink, "</div>\n");
        osp_sink_pass(sink);
    }
}

/* ---- app servers --------------------------------------------------------------------------- */

static void put_versions(osp_sink *sink, const osp_view *view, const osp_index *index, int app)
{
    const osp_list *list = &index->versions;
    int at, count = list->first[app + 1] - list->first[app];

    if (!count) {
        osp_put(sink, "\xe2\x80\x93");
        return;
    }
    osp_out_format(&sink->out, "<details id=\"app-%d\"><summary>", app);
    osp_page_number(sink, count, "module", "modules");
    osp_put(sink, "</summary><ul>\n");
    for (at = list->first[app]; at < list->first[app + 1]; at++) {
        const osp_version *version = &view->model->versions[list->item[at]];

        osp_put(sink, "<li>");
        osp_out_html(&sink->out, view->model->modules[version->module].name);
        osp_put(sink, " <code>");
        osp_out_html(&sink->out, version->token);
        osp_put(sink, "</code></li>\n");
        osp_sink_pass(sink);
    }
    osp_put(sink, "</ul></details>");
}

static void put_app(osp_sink *sink, const osp_view *view, const osp_index *index, int at)
{
    const osp_app *app = osp_view_app(view->model, at);
    const char *off = app->up == 2 ? osp_view_why_off(view, app->site, OSP_RULE_REFERENCED_CONTENT)
                                   : NULL;

    osp_put(sink, "<tr><th scope=\"row\">");
    osp_out_html(&sink->out, app->url);
    osp_put(sink, "<br><small>of ");
    put_site(sink, &view->model->sites[app->site]);
    osp_put(sink, "</small></th><td>");
    osp_page_mark(sink,
                  app->up == 1           ? "good"
                  : app->up == 2 && !off ? "bad"
                                 : "off",
                  app->up == 1   ? "answers"
                  : app->up == 2 ? "does not answer"
                                 : "not asked yet");
    if (app->status && app->up != 1) {
        osp_out_format(&sink->out, " <small>%d</small>", app->status);
    }
    if (app->since > 0) {
        osp_put(sink, " <small>since ");
        osp_page_ago(sink, app->since, view->now);
        osp_put(sink, "</small>");
    }
    if (off) {
        osp_put(sink, "<br>");
        osp_page_off(sink, view, app->site, OSP_RULE_REFERENCED_CONTENT);
    }
    osp_put(sink, "</td><td data-is=\"versions\">");
    put_versions(sink, view, index, at);
    osp_put(sink, "</td></tr>\n");
    osp_sink_pass(sink);
}

static void put_apps(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    int i, any = 0;

    osp_put(sink, "<h3 id=\"apps\">App servers</h3>\n");
    for (i = 0; i < OSP_MODEL_APPS; i++) {
        if (osp_view_app(view->model, i)) {
            if (!any++) {
                osp_put(sink, "<table class=\"wide\"><thead><tr><th scope=\"col\">app server</th>"
                              "<th scope=\"col\">health</th><th scope=\"col\">versions</th></tr>"
                              "</thead><tbody>\n");
            }
            put_app(sink, view, index, i);
        }
    }
    osp_put(sink, any ? "</tbody></table>\n" : "<p>None is known.</p>\n");
}

/* ---- modules ------------------------------------------------------------------------------- */

static void put_availability(osp_sink *sink, const osp_view *view, const osp_watched *module)
{
    enum osp_module_state state = osp_view_state(module);
    bool missed = osp_view_is_missed(view->model, module);

    osp_page_mark(sink,
                  state == OSP_MODULE_AVAILABLE ? "good"
                  : missed                      ? "bad"
                                                : "off",
                  osp_module_state_name(state));
    if (module->front_status && state > OSP_MODULE_AVAILABLE) {
        osp_out_format(&sink->out, " <small>%d</small>", module->front_status);
    }
    if (state == OSP_MODULE_UNASKABLE && osp_view_hindrance(module->hindrance)) {
        osp_put(sink, "<br><small>");
        osp_put(sink, osp_view_hindrance(module->hindrance));
        osp_put(sink, "</small>");
    }
    else if (state > OSP_MODULE_AVAILABLE && !missed
             && osp_view_why_off(view, module->site, OSP_RULE_REFERENCED_CONTENT)) {
        osp_put(sink, "<br>");
        osp_page_off(sink, view, module->site, OSP_RULE_REFERENCED_CONTENT);
    }
    if (module->to[0]) {
        osp_put(sink, "<br><small>to ");
        osp_out_html(&sink->out, module->to);
        osp_put(sink, "</small>");
    }
    if (module->exists == 2) {
        osp_put(sink, "<br><small>no app server has it</small>");
    }
    if (module->since > 0 && missed) {
        osp_put(sink, "<br><small>since ");
        osp_page_ago(sink, module->since, view->now);
        osp_put(sink, "</small>");
    }
}

static void put_module(osp_sink *sink, const osp_view *view, const osp_index *index, int at)
{
    const osp_watched *module = &view->model->modules[at];
    int references = index->references.first[at + 1] - index->references.first[at];

    osp_put(sink, "<tr><th scope=\"row\">");
    osp_out_html(&sink->out, module->name);
    osp_put(sink, "<br><small>");
    osp_out_html(&sink->out, osp_view_kind(module));
    osp_put(sink, module->declared ? ", declared" : "");
    if (index->sites > 1) {
        osp_put(sink, ", of ");
        put_site(sink, &view->model->sites[module->site]);
    }
    if (module->token[0]) {
        osp_put(sink, ", version <code>");
        osp_out_html(&sink->out, module->token);
        osp_put(sink, "</code>");
    }
    if (module->resources) {
        osp_out_format(&sink->out, ", %" PRIu32 " of %" PRIu32 " resources verified",
                       module->verified, module->resources);
    }
    osp_put(sink, "</small></th><td>");
    put_availability(sink, view, module);
    osp_put(sink, "</td><td data-is=\"referred to by\">");
    if (references) {
        osp_out_format(&sink->out, "<details id=\"module-%d\"><summary>", at);
        osp_page_number(sink, references, "module", "modules");
        osp_put(sink, "</summary>");
        put_referrers(sink, view, index, at);
        osp_put(sink, "</details>");
    }
    else {
        osp_put(sink, "\xe2\x80\x93");
    }
    osp_put(sink, "</td></tr>\n");
    osp_sink_pass(sink);
}

static void put_module_table(osp_sink *sink, const osp_view *view, const osp_index *index,
                             bool wrong, const char *caption)
{
    int i;

    osp_put(sink, "<table class=\"wide\"><caption>");
    osp_put(sink, caption);
    osp_put(sink, "</caption><thead><tr><th scope=\"col\">module</th><th scope=\"col\">from outside"
                  "</th><th scope=\"col\">referred to by</th></tr></thead><tbody>\n");
    for (i = 0; i < index->module_count; i++) {
        const osp_watched *module = osp_view_named_module(view->model, i);

        if (module && osp_view_is_missed(view->model, module) == wrong) {
            put_module(sink, view, index, i);
        }
    }
    osp_put(sink, "</tbody></table>\n");
}

static void put_modules(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    int i, wrong = 0, right = 0;

    for (i = 0; i < index->module_count; i++) {
        const osp_watched *module = osp_view_named_module(view->model, i);

        wrong += module && osp_view_is_missed(view->model, module);
        right += module && !osp_view_is_missed(view->model, module);
    }
    osp_put(sink, "<h3 id=\"modules\">Modules</h3>\n<p>");
    osp_page_number(sink, wrong + right, "module is known", "modules are known");
    if (wrong) {
        osp_out_format(&sink->out, ", %d of them not available", wrong);
    }
    osp_put(sink, ".</p>\n");
    if (wrong) {
        osp_out_format(&sink->out, "<details id=\"modules-wrong\"%s><summary>",
                       wrong <= FEW ? " open" : "");
        osp_page_number(sink, wrong, "module that is not available",
                        "modules that are not available");
        osp_put(sink, "</summary>\n");
        put_module_table(sink, view, index, true, "Not available from outside, and who refers to them");
        osp_put(sink, "</details>\n");
    }
    if (right) {
        osp_out_format(&sink->out, "<details id=\"modules-right\"%s><summary>",
                       right <= FEW ? " open" : "");
        osp_page_number(sink, right, wrong ? "other module" : "module",
                        wrong ? "other modules" : "modules");
        osp_put(sink, "</summary>\n");
        put_module_table(sink, view, index, false, "Where the front door hands them on, and who refers to them");
        osp_put(sink, "</details>\n");
    }
}

/* ---- integrity ----------------------------------------------------------------------------- */

static void put_fault(osp_sink *sink, const osp_view *view, const osp_fault *fault)
{
    const osp_watched *module = &view->model->modules[fault->module];
    const osp_app *app = osp_view_app(view->model, fault->app - 1);
    enum osp_rule_id rule = osp_cause_rule((enum osp_cause)fault->cause);
    bool off = osp_model_is_off(view->model, module->site, rule);

    osp_put(sink, "<tr><th scope=\"row\">");
    osp_out_html(&sink->out, fault->path);
    osp_put(sink, "<br><small>of ");
    osp_out_html(&sink->out, module->name);
    osp_put(sink, "</small></th><td>");
    osp_out_html(&sink->out, app ? app->url : "front door");
    osp_put(sink, "</td><td>");
    osp_page_mark(sink, off ? "off" : "bad", osp_view_cause(fault));
    if (fault->status) {
        osp_out_format(&sink->out, " <small>%d</small>", fault->status);
    }
    osp_put(sink, " <small>since ");
    osp_page_ago(sink, fault->since, view->now);
    osp_put(sink, "</small>");
    if (off) {
        osp_put(sink, "<br>");
        osp_page_off(sink, view, module->site, rule);
    }
    osp_put(sink, "</td></tr>\n");
    osp_sink_pass(sink);
}

static void put_integrity(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    uint64_t resources = 0, verified = 0;
    int i, any = 0;

    for (i = 0; i < OSP_MODEL_MODULES; i++) {
        const osp_watched *module = osp_view_module(view->model, i);

        resources += module ? module->resources : 0;
        verified += module ? module->verified : 0;
    }
    osp_out_format(&sink->out,
                   "<h3 id=\"integrity\">Integrity</h3>\n<p>%" PRIu64 " of %" PRIu64
                   " resources were found to be what their hashes say",
                   verified, resources);
    osp_put(sink, index->kinds[OSP_TROUBLE_RESOURCE] ? ".</p>\n" : "; none was found to differ.</p>\n");
    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        if (osp_view_fault(view->model, i)) {
            if (!any++) {
                osp_put(sink,
                        "<table class=\"wide\"><caption>Resources that are not what their hashes say</caption>"
                        "<thead><tr><th scope=\"col\">resource</th><th scope=\"col\">where</th>"
                        "<th scope=\"col\">cause</th></tr></thead><tbody>\n");
            }
            put_fault(sink, view, osp_view_fault(view->model, i));
        }
    }
    osp_put(sink, any ? "</tbody></table>\n" : "");
}

/* ---- what keeps the picture from being complete ---------------------------------------------- */

static void put_hindrances(osp_sink *sink, const osp_view *view)
{
    int i;

    for (i = 0; i < OSP_MODEL_SITES; i++) {
        const osp_site *site = osp_view_site(view->model, i);

        if (site && osp_view_hindrance(site->hindrance)) {
            osp_put(sink, "<p>");
            osp_page_mark(sink, "warn", "cannot be asked:");
            osp_put(sink, " ");
            put_site(sink, site);
            osp_put(sink, ", for ");
            osp_put(sink, osp_view_hindrance(site->hindrance));
            osp_put(sink, ". Of its modules only the app servers are asked.</p>\n");
        }
    }
}

static void put_fullness(osp_sink *sink, const osp_model *model)
{
    if (model->dropped) {
        osp_put(sink, "<p>");
        osp_page_mark(sink, "warn", "not all of it fits:");
        osp_out_format(&sink->out,
                       " the table holds %d modules, %d references, %d app servers. The rest is not "
                       "watched, and the picture not complete.</p>\n",
                       OSP_MODEL_MODULES, OSP_MODEL_REFERENCES, OSP_MODEL_APPS);
    }
}

void osp_page_watch(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    const osp_model *model = view->model;

    osp_put(sink, "<h2 id=\"watch\">The farm</h2>\n");
    if (!model) {
        osp_put(sink, "<p>Nothing is watched.</p>\n");
        return;
    }
    osp_put(sink, "<p>Watched since ");
    osp_page_ago(sink, model->began, view->now);
    osp_out_format(&sink->out,
                   ": %" PRIu64 " probes, %" PRIu64 " pages read in passing. "
                   "<small>The table takes %.1f MB, whatever the farm.</small></p>\n",
                   model->probes, model->pages, (double)view->table / 1e6);
    put_hindrances(sink, view);
    put_fullness(sink, model);
    put_missing(sink, view, index);
    put_hour(sink, view);
    put_apps(sink, view, index);
    put_modules(sink, view, index);
    put_integrity(sink, view, index);
}
