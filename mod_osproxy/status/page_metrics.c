/*
 * page_metrics.c: the live page for Prometheus and its like: OpenMetrics 1.0 text. Labels only name
 * things; a state is a value of 0 or 1, so that no series ends when a state changes. docs/status.md
 * lists the names.
 */
#include "page.h"

#include <inttypes.h>

/* The labels of each thing, NULL for what is left out: a second one with the same labels. */
typedef struct labels {
    const char **vhosts; /* of the view */
    const char *sites[OSP_MODEL_SITES];
    const char *modules[OSP_MODEL_MODULES];
    const char *apps[OSP_MODEL_APPS];
} labels;

/* ---- labels --------------------------------------------------------------------------------- */

static void put_label(osp_out *out, const char *name, const char *value)
{
    osp_out_format(out, "%s%s=\"", out->length ? "," : "", name);
    osp_out_label(out, value);
    osp_out_put(out, "\"");
}

/* Keeps the first of several that are the same. */
static const char *once(osp_map *seen, const osp_out *out)
{
    return osp_map_add(seen, out->text, out->text) == out->text ? out->text : NULL;
}

/* Virtual hosts of one name and port, on several addresses, are told apart by their number. */
static void label_vhosts(labels *all, const osp_view *view)
{
    osp_map counts = {.memory = view->memory};
    int i;

    all->vhosts = osp_take(view->memory, ((size_t)view->vhost_count + 1) * sizeof(char *));
    for (i = 0; i < view->vhost_count; i++) {
        const osp_view_vhost *vhost = &view->vhosts[i];
        osp_out out = {.memory = view->memory};
        int *count;

        put_label(&out, "vhost", vhost->name);
        osp_out_format(&out, ",port=\"%d\"", vhost->port);
        count = osp_map_add(&counts, osp_text_copy(view->memory, out.text, out.length),
                            osp_take(view->memory, sizeof *count));
        osp_out_format(&out, ",number=\"%d\"", ++*count);
        all->vhosts[i] = out.text;
    }
}

static void label_site(osp_out *out, const osp_site *site)
{
    put_label(out, "site", site->name);
    osp_out_format(out, ",port=\"%d\"", site->port);
}

static void label_model(labels *all, const osp_view *view)
{
    osp_map seen = {.memory = view->memory};
    const osp_model *model = view->model;
    int i;

    for (i = 0; i < OSP_MODEL_SITES; i++) {
        osp_out out = {.memory = view->memory};

        if (osp_view_site(model, i)) {
            label_site(&out, &model->sites[i]);
            all->sites[i] = once(&seen, &out);
        }
    }
    for (i = 0; i < OSP_MODEL_MODULES; i++) {
        osp_out out = {.memory = view->memory};

        if (osp_view_named_module(model, i)) {
            label_site(&out, &model->sites[model->modules[i].site]);
            put_label(&out, "module", model->modules[i].name);
            all->modules[i] = once(&seen, &out);
        }
    }
    for (i = 0; i < OSP_MODEL_APPS; i++) {
        osp_out out = {.memory = view->memory};

        if (osp_view_app(model, i)) {
            label_site(&out, &model->sites[model->apps[i].site]);
            put_label(&out, "app", model->apps[i].url);
            all->apps[i] = once(&seen, &out);
        }
    }
}

/* ---- families ------------------------------------------------------------------------------- */

static void begin(osp_sink *sink, const char *name, const char *type, const char *help)
{
    osp_out_format(&sink->out, "# TYPE osproxy_%s %s\n# HELP osproxy_%s %s\n", name, type, name,
                   help);
    osp_sink_pass(sink);
}

static void sample(osp_sink *sink, const char *name, const char *labelled, uint64_t value)
{
    if (labelled) {
        osp_out_format(&sink->out, "osproxy_%s%s%s%s %" PRIu64 "\n", name, *labelled ? "{" : "",
                       labelled, *labelled ? "}" : "", value);
        osp_sink_pass(sink);
    }
}

static void single(osp_sink *sink, const char *name, const char *help, uint64_t value)
{
    begin(sink, name, "gauge", help);
    sample(sink, name, "", value);
}

static void counter(osp_sink *sink, const char *name, const char *help, uint64_t value)
{
    begin(sink, name, "counter", help);
    osp_out_format(&sink->out, "osproxy_%s_total %" PRIu64 "\n", name, value);
}

/* ---- rules ---------------------------------------------------------------------------------- */

static void put_rule_sample(osp_sink *sink, const char *name, const char *labelled, int id,
                            uint64_t value)
{
    osp_out_format(&sink->out, "osproxy_%s{%s,rule=\"%s\"} %" PRIu64 "\n", name, labelled,
                   osp_rule_get((enum osp_rule_id)id)->name, value);
    osp_sink_pass(sink);
}

static void put_rule_counters(osp_sink *sink, const osp_view *view, const labels *all)
{
    static const struct {
        const char *name, *sample, *help;
    } families[OSP_VIEW_EVENTS] = {
        {"rule_acted", "rule_acted_total", "Requests that a rule changed."},
        {"rule_reported", "rule_reported_total", "Requests that a rule would have changed."},
        {"rule_refused", "rule_refused_total", "Requests that a rule refused."},
    };
    int event, i, id;

    for (event = 0; event < OSP_VIEW_EVENTS; event++) {
        begin(sink, families[event].name, "counter", families[event].help);
        for (i = 0; i < view->vhost_count; i++) {
            for (id = 0; id < OSP_RULE_RUN_COUNT; id++) {
                put_rule_sample(sink, families[event].sample, all->vhosts[i], id,
                                view->vhosts[i].rules[id].events[event]);
            }
        }
    }
}

static void put_rule_modes(osp_sink *sink, const osp_view *view, const labels *all)
{
    static const struct {
        const char *name, *help;
        enum osp_mode mode;
    } families[] = {
        {"rule_mode_enforce", "1: the rule is enforced.", OSP_ENFORCE},
        {"rule_mode_report", "1: the rule only reports.", OSP_REPORT},
        {"rule_mode_off", "1: the rule is off.", OSP_OFF},
    };
    size_t family;
    int i, id;

    for (family = 0; family < sizeof families / sizeof *families; family++) {
        begin(sink, families[family].name, "gauge", families[family].help);
        for (i = 0; i < view->vhost_count; i++) {
            for (id = 0; id < OSP_RULE_RUN_COUNT; id++) {
                put_rule_sample(sink, families[family].name, all->vhosts[i], id,
                                view->vhosts[i].rules[id].mode == families[family].mode);
            }
        }
    }
}

static void put_verdicts(osp_sink *sink, const osp_view *view, const labels *all)
{
    static const struct {
        const char *name, *help;
        enum osp_state state;
    } families[] = {
        {"rule_met", "1: the configuration alone meets the requirement.", OSP_STATE_MET},
        {"rule_enforced", "1: the module has to enforce the requirement.", OSP_STATE_ENFORCED},
        {"rule_violated", "1: the configuration violates the requirement.", OSP_STATE_VIOLATED},
    };
    size_t family;
    int i, id;

    for (family = 0; family < sizeof families / sizeof *families; family++) {
        begin(sink, families[family].name, "gauge", families[family].help);
        for (i = 0; i < view->vhost_count; i++) {
            for (id = 0; view->vhosts[i].judged && id < OSP_RULE_COUNT; id++) {
                put_rule_sample(sink, families[family].name, all->vhosts[i], id,
                                view->vhosts[i].judged->verdicts[id].state
                                    == families[family].state);
            }
        }
    }
}

static void put_audit(osp_sink *sink, const osp_view *view)
{
    static const char *const names[OSP_SEVERITY_COUNT] = {"audit_errors", "audit_warnings",
                                                          "audit_notes"};
    int i;

    for (i = 0; view->audit && i < OSP_SEVERITY_COUNT; i++) {
        single(sink, names[i], "Findings in the configuration.", (uint64_t)view->audit->counts[i]);
    }
}

static void put_pins(osp_sink *sink, const osp_view *view)
{
    osp_out name = {.memory = view->memory};
    int i;

    single(sink, "pins_open", "Clients with a back-end connection of their own.", view->pins_open);
    for (i = 0; i < view->pin_count; i++) {
        name.length = 0;
        osp_out_format(&name, "pins_%s", view->pins[i].name);
        counter(sink, name.text, "Windows authentication, for the whole server.",
                view->pins[i].count);
    }
}

/* ---- what is watched ------------------------------------------------------------------------ */

static void put_sites(osp_sink *sink, const osp_view *view, const labels *all)
{
    int i;

    begin(sink, "site_requests", "counter", "Answers of app servers.");
    for (i = 0; i < OSP_MODEL_SITES; i++) {
        if (all->sites[i]) {
            sample(sink, "site_requests_total", all->sites[i], view->model->sites[i].requests);
        }
    }
    begin(sink, "site_failed", "counter", "Requests that failed: 502, 503, 504.");
    for (i = 0; i < OSP_MODEL_SITES; i++) {
        if (all->sites[i]) {
            sample(sink, "site_failed_total", all->sites[i], view->model->sites[i].failed);
        }
    }
}

static uint64_t module_value(const osp_watched *module, const osp_index *index, int i, int what)
{
    enum osp_module_state state = osp_view_state(module);

    switch (what) {
    case 0:
        return state == OSP_MODULE_AVAILABLE;
    case 1:
        return state > OSP_MODULE_AVAILABLE && state != OSP_MODULE_UNASKABLE;
    case 2:
        return (uint64_t)(index->references.first[i + 1] - index->references.first[i]);
    case 3:
        return module->resources;
    default:
        return module->verified;
    }
}

static void put_modules(osp_sink *sink, const osp_view *view, const osp_index *index,
                        const labels *all)
{
    static const struct {
        const char *name, *help;
    } families[] = {
        {"module_available", "1: the module is available from outside."},
        {"module_unavailable", "1: it is not; 0 as well while it was not asked."},
        {"module_references", "References that lead to it."},
        {"module_resources", "Resources in its manifest."},
        {"module_verified", "Of them, those that were found as they are meant to be."},
    };
    int family, i;

    for (family = 0; family < (int)(sizeof families / sizeof *families); family++) {
        begin(sink, families[family].name, "gauge", families[family].help);
        for (i = 0; i < index->module_count; i++) {
            if (all->modules[i]) {
                sample(sink, families[family].name, all->modules[i],
                       module_value(&view->model->modules[i], index, i, family));
            }
        }
    }
}

static void put_apps(osp_sink *sink, const osp_view *view, const labels *all)
{
    int i;

    begin(sink, "app_up", "gauge", "1: the app server answers.");
    for (i = 0; i < OSP_MODEL_APPS; i++) {
        if (all->apps[i]) {
            sample(sink, "app_up", all->apps[i], view->model->apps[i].up == 1);
        }
    }
}

static void put_watch(osp_sink *sink, const osp_view *view, labels *all)
{
    static const char *const names[OSP_TROUBLE_COUNT] = {"troubles_missing", "troubles_failing",
                                                         "troubles_resource", "troubles_versions",
                                                         "troubles_app_down"};
    osp_index index;
    int i;

    osp_index_make(&index, view);
    label_model(all, view);
    single(sink, "troubles", "What somebody should look at, of all kinds.",
           (uint64_t)index.warnings);
    for (i = 0; i < OSP_TROUBLE_COUNT; i++) {
        single(sink, names[i], "Troubles of this kind, notes included, without those of rules that are off.",
               (uint64_t)(index.kinds[i] - index.off[i]));
    }
    counter(sink, "watch_probes", "Requests of the watchers.", view->model->probes);
    counter(sink, "watch_pages", "Pages that were read in passing.", view->model->pages);
    counter(sink, "watch_dropped", "Facts for which there was no room.", view->model->dropped);
    put_sites(sink, view, all);
    put_apps(sink, view, all);
    put_modules(sink, view, &index, all);
}

void osp_page_metrics(osp_sink *sink, const osp_view *view)
{
    labels *all = osp_take(view->memory, sizeof *all);

    label_vhosts(all, view);
    begin(sink, "build", "info", "The module and its httpd.");
    osp_put(sink, "osproxy_build_info{version=\"");
    osp_out_label(&sink->out, view->version);
    osp_put(sink, "\",httpd=\"");
    osp_out_label(&sink->out, view->httpd);
    osp_put(sink, "\"} 1\n");
    single(sink, "start_time_seconds", "When httpd started.", (uint64_t)view->started);
    put_rule_counters(sink, view, all);
    put_rule_modes(sink, view, all);
    put_verdicts(sink, view, all);
    put_audit(sink, view);
    put_pins(sink, view);
    if (view->model) {
        put_watch(sink, view, all);
    }
    osp_put(sink, "# EOF\n");
    osp_sink_flush(sink);
}
