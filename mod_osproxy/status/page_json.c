/*
 * page_json.c: the live page for programs, schema 1 (docs/status.md; test/unit/test_page.c compares
 * the members).
 */
#include "page.h"

#include <inttypes.h>

#include "../audit/render.h"

static const char *const event_names[OSP_VIEW_EVENTS] = {"acted", "reported", "refused"};

static void put_text(osp_sink *sink, const char *name, const char *value)
{
    osp_out_format(&sink->out, ",\"%s\":", name);
    osp_out_json(&sink->out, value);
}

/* "" is what a model says for unknown. */
static void put_known(osp_sink *sink, const char *name, const char *value)
{
    put_text(sink, name, value[0] ? value : NULL);
}

static void put_number(osp_sink *sink, const char *name, int64_t value)
{
    osp_out_format(&sink->out, ",\"%s\":%" PRId64, name, value);
}

static void put_count(osp_sink *sink, const char *name, uint64_t value)
{
    osp_out_format(&sink->out, ",\"%s\":%" PRIu64, name, value);
}

static void put_bool(osp_sink *sink, const char *name, bool value)
{
    osp_out_format(&sink->out, ",\"%s\":%s", name, value ? "true" : "false");
}

/* A place in another list; null for none. */
static void put_place(osp_sink *sink, const char *name, int at, bool valid)
{
    if (valid) {
        put_number(sink, name, at);
    }
    else {
        put_text(sink, name, NULL);
    }
}

/* Ends one element and begins the next. */
static void next(osp_sink *sink, int *count, int id)
{
    osp_sink_pass(sink);
    osp_out_format(&sink->out, "%s\n    {\"id\":%d", (*count)++ ? "," : "", id);
}

/* ---- virtual hosts -------------------------------------------------------------------------- */

static void put_vhost(osp_sink *sink, const osp_view_vhost *vhost)
{
    int id, event;

    osp_put(sink, "{\"name\":");
    osp_out_json(&sink->out, vhost->name);
    put_number(sink, "port", vhost->port);
    put_text(sink, "file", vhost->file);
    put_count(sink, "line", vhost->line);
    put_text(sink, "engine", vhost->engine);
    put_place(sink, "site", vhost->site, vhost->site >= 0);
    osp_put(sink, ",\"rules\":{");
    for (id = 0; id < OSP_RULE_RUN_COUNT; id++) {
        const osp_view_rule *rule = &vhost->rules[id];

        osp_out_format(&sink->out, "%s\n    \"%s\":{\"mode\":\"%s\",\"reason\":", id ? "," : "",
                       osp_rule_get((enum osp_rule_id)id)->name, osp_mode_name(rule->mode));
        osp_out_json(&sink->out, rule->reason);
        for (event = 0; event < OSP_VIEW_EVENTS; event++) {
            put_count(sink, event_names[event], rule->events[event]);
        }
        osp_put(sink, "}");
    }
    osp_put(sink, "}}");
    osp_sink_pass(sink);
}

/* ---- what is watched ------------------------------------------------------------------------ */

static void put_minutes(osp_sink *sink, const osp_view *view, const osp_site *site)
{
    uint64_t last = view->now > 0 ? (uint64_t)view->now / 60 : 0, minute;
    int count = 0;

    osp_put(sink, ",\"minutes\":[");
    for (minute = last < OSP_MODEL_MINUTES ? 0 : last - OSP_MODEL_MINUTES + 1; minute <= last;
         minute++) {
        const osp_minute *of = &site->minutes[minute % OSP_MODEL_MINUTES];

        if (minute > site->minute || site->minute - minute >= OSP_MODEL_MINUTES
            || !(of->requests | of->acted | of->reported | of->refused | of->failed)) {
            continue;
        }
        osp_out_format(&sink->out,
                       "%s{\"at\":%" PRIu64 ",\"requests\":%" PRIu32 ",\"acted\":%" PRIu32
                       ",\"reported\":%" PRIu32 ",\"refused\":%" PRIu32 ",\"failed\":%" PRIu32 "}",
                       count++ ? "," : "", minute * 60, of->requests, of->acted, of->reported,
                       of->refused, of->failed);
    }
    osp_put(sink, "]");
}

static void put_sites(osp_sink *sink, const osp_view *view)
{
    int i, count = 0;

    osp_put(sink, ",\n  \"sites\":[");
    for (i = 0; i < OSP_MODEL_SITES; i++) {
        const osp_site *site = osp_view_site(view->model, i);

        if (site) {
            next(sink, &count, i);
            put_text(sink, "name", site->name);
            put_number(sink, "port", site->port);
            put_bool(sink, "https", site->https);
            put_text(sink, "cannot_be_asked", osp_view_hindrance(site->hindrance));
            put_count(sink, "requests", site->requests);
            put_count(sink, "failed", site->failed);
            put_minutes(sink, view, site);
            osp_put(sink, "}");
        }
    }
    osp_put(sink, "]");
}

static void put_module(osp_sink *sink, const osp_watched *module)
{
    put_number(sink, "site", module->site);
    put_text(sink, "name", module->name);
    put_bool(sink, "declared", module->declared);
    put_bool(sink, "seen", module->seen);
    put_text(sink, "kind", osp_view_kind(module));
    put_text(sink, "state", osp_module_state_name(osp_view_state(module)));
    put_text(sink, "cannot_be_asked", osp_view_hindrance(module->hindrance));
    put_number(sink, "front_status", module->front_status);
    osp_out_format(&sink->out, ",\"exists\":%s",
                   module->exists == 1   ? "true"
                   : module->exists == 2 ? "false"
                                         : "null");
    put_known(sink, "example", module->example);
    put_known(sink, "to", module->to);
    put_known(sink, "token", module->token);
    put_number(sink, "since", module->since);
    put_number(sink, "checked", module->checked);
    put_number(sink, "resources", module->resources);
    put_number(sink, "verified", module->verified);
    osp_put(sink, "}");
}

static void put_modules(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    int i, count = 0;

    osp_put(sink, ",\n  \"modules\":[");
    for (i = 0; i < index->module_count; i++) {
        if (osp_view_module(view->model, i)) {
            next(sink, &count, i);
            put_module(sink, &view->model->modules[i]);
        }
    }
    osp_put(sink, "]");
}

static void put_references(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    int i, count = 0, end = index->module_count ? index->references.first[index->module_count] : 0;

    osp_put(sink, ",\n  \"references\":[");
    for (i = 0; i < end; i++) {
        const osp_reference *reference = &view->model->references[index->references.item[i]];

        osp_sink_pass(sink);
        osp_out_format(&sink->out, "%s\n    {\"from\":%d,\"to\":%d", count++ ? "," : "",
                       reference->from, reference->to);
        put_text(sink, "how", osp_view_how(reference));
        put_known(sink, "path", reference->path);
        put_number(sink, "seen", reference->seen);
        osp_put(sink, "}");
    }
    osp_put(sink, "]");
}

static void put_versions(osp_sink *sink, const osp_view *view, const osp_index *index, int app)
{
    int at, begin = index->versions.first[app];

    osp_put(sink, ",\"versions\":[");
    for (at = begin; at < index->versions.first[app + 1]; at++) {
        const osp_version *version = &view->model->versions[index->versions.item[at]];

        osp_out_format(&sink->out, "%s{\"module\":%d", at == begin ? "" : ",", version->module);
        put_text(sink, "token", version->token);
        put_number(sink, "since", version->since);
        put_number(sink, "checked", version->checked);
        osp_put(sink, "}");
        osp_sink_pass(sink);
    }
    osp_put(sink, "]");
}

static void put_apps(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    int i, count = 0;

    osp_put(sink, ",\n  \"apps\":[");
    for (i = 0; i < OSP_MODEL_APPS; i++) {
        const osp_app *app = osp_view_app(view->model, i);

        if (app) {
            next(sink, &count, i);
            put_number(sink, "site", app->site);
            put_text(sink, "url", app->url);
            osp_out_format(&sink->out, ",\"up\":%s",
                           app->up == 1   ? "true"
                           : app->up == 2 ? "false"
                                          : "null");
            put_number(sink, "status", app->status);
            put_number(sink, "since", app->since);
            put_number(sink, "checked", app->checked);
            put_versions(sink, view, index, i);
            osp_put(sink, "}");
        }
    }
    osp_put(sink, "]");
}

static void put_faults(osp_sink *sink, const osp_view *view)
{
    int i, count = 0;

    osp_put(sink, ",\n  \"faults\":[");
    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        const osp_fault *fault = osp_view_fault(view->model, i);

        if (fault) {
            next(sink, &count, i);
            put_number(sink, "module", fault->module);
            put_place(sink, "app", fault->app - 1, osp_view_app(view->model, fault->app - 1));
            put_text(sink, "cause", osp_view_cause(fault));
            put_number(sink, "status", fault->status);
            put_text(sink, "path", fault->path);
            put_number(sink, "since", fault->since);
            put_number(sink, "checked", fault->checked);
            osp_put(sink, "}");
        }
    }
    osp_put(sink, "]");
}

static void put_troubles(osp_sink *sink, const osp_view *view, const osp_index *index)
{
    char text[1024];
    int i;

    osp_put(sink, ",\n  \"troubles\":[");
    for (i = 0; i < index->trouble_count; i++) {
        const osp_trouble *trouble = &index->troubles[i];

        osp_sink_pass(sink);
        osp_out_format(&sink->out, "%s\n    {\"kind\":\"%s\",\"severity\":\"%s\"", i ? "," : "",
                       osp_trouble_name(trouble->kind), osp_trouble_severity(trouble));
        put_text(sink, "rule", osp_rule_get(trouble->rule)->name);
        put_text(sink, "reason", osp_view_why_off(view, trouble->site, trouble->rule));
        put_place(sink, "site", trouble->site, trouble->site >= 0);
        put_place(sink, "module", trouble->module, trouble->module >= 0);
        put_place(sink, "app", trouble->app, trouble->app >= 0);
        put_place(sink, "fault", trouble->fault, trouble->fault >= 0);
        put_number(sink, "references", trouble->references);
        put_number(sink, "since", trouble->since);
        osp_model_describe(view->model, trouble, text, sizeof text);
        put_text(sink, "text", text);
        osp_model_advise(view->model, trouble, text, sizeof text);
        put_text(sink, "advice", text);
        osp_put(sink, "}");
    }
    osp_put(sink, "]");
}

static void put_watch(osp_sink *sink, const osp_view *view)
{
    osp_index index;

    osp_put(sink, ",\n\"watch\":");
    if (!view->model) {
        osp_put(sink, "null");
        return;
    }
    osp_index_make(&index, view);
    osp_out_format(&sink->out, "{\"began\":%" PRId64, view->model->began);
    put_count(sink, "probes", view->model->probes);
    put_count(sink, "pages", view->model->pages);
    put_count(sink, "dropped", view->model->dropped);
    put_count(sink, "bytes", view->table);
    put_number(sink, "deploy", view->deploy);
    put_number(sink, "asked", view->model->asked);
    put_number(sink, "answered", view->model->answered);
    put_number(sink, "asked_at", view->model->asked_at);
    put_number(sink, "answered_at", view->model->answered_at);
    put_number(sink, "warnings", index.warnings);
    put_troubles(sink, view, &index);
    put_sites(sink, view);
    put_apps(sink, view, &index);
    put_modules(sink, view, &index);
    put_references(sink, view, &index);
    put_faults(sink, view);
    osp_put(sink, "}");
}

void osp_page_json(osp_sink *sink, const osp_view *view)
{
    int i;

    osp_put(sink, "{\"osproxy\":");
    osp_out_json(&sink->out, view->version);
    osp_put(sink, ",\"schema\":1");
    put_text(sink, "httpd", view->httpd);
    put_number(sink, "started", view->started);
    put_number(sink, "now", view->now);
    osp_out_format(&sink->out, ",\n\"pins\":{\"open\":%u", view->pins_open);
    for (i = 0; i < view->pin_count; i++) {
        put_count(sink, view->pins[i].name, view->pins[i].count);
    }
    osp_put(sink, "},\n\"vhosts\":[");
    for (i = 0; i < view->vhost_count; i++) {
        osp_put(sink, i ? ",\n  " : "\n  ");
        put_vhost(sink, &view->vhosts[i]);
    }
    osp_put(sink, "]");
    put_watch(sink, view);
    osp_put(sink, ",\n\"audit\":");
    if (view->audit) {
        osp_render_json(&sink->out, view->audit, view->version);
    }
    else {
        osp_put(sink, "null");
    }
    osp_put(sink, "}\n");
    osp_sink_flush(sink);
}
