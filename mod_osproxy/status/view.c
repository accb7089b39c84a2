/*
 * view.c: what a view holds, checked and put in order for the renderings.
 */
#include "view.h"

#include <string.h>

#define FULL 32768 /* bytes: about what one write to the network takes */

/* ---- what is sound in a model -------------------------------------------------------------- */

static int module_count(const osp_model *model)
{
    return model->module_count < OSP_MODEL_MODULES ? (int)model->module_count : OSP_MODEL_MODULES;
}

static int reference_count(const osp_model *model)
{
    return model->reference_count < OSP_MODEL_REFERENCES ? (int)model->reference_count
                                                         : OSP_MODEL_REFERENCES;
}

static int version_count(const osp_model *model)
{
    return model->version_count < OSP_MODEL_VERSIONS ? (int)model->version_count
                                                     : OSP_MODEL_VERSIONS;
}

const osp_site *osp_view_site(const osp_model *model, int at)
{
    return model && at >= 0 && at < OSP_MODEL_SITES && model->sites[at].key
                   && model->sites[at].present
               ? &model->sites[at]
               : NULL;
}

const osp_watched *osp_view_module(const osp_model *model, int at)
{
    return model && at >= 0 && at < module_count(model) && model->modules[at].name[0]
                   && osp_view_site(model, model->modules[at].site)
               ? &model->modules[at]
               : NULL;
}

const osp_watched *osp_view_named_module(const osp_model *model, int at)
{
    const osp_watched *module = osp_view_module(model, at);

    return module && (!module->guessed || module->exists == 1) ? module : NULL;
}

const osp_app *osp_view_app(const osp_model *model, int at)
{
    return model && at >= 0 && at < OSP_MODEL_APPS && model->apps[at].url[0]
                   && osp_view_site(model, model->apps[at].site)
               ? &model->apps[at]
               : NULL;
}

const osp_fault *osp_view_fault(const osp_model *model, int at)
{
    return model && at >= 0 && at < OSP_MODEL_FAULTS && model->faults[at].cause != OSP_CAUSE_NONE
                   && osp_view_module(model, model->faults[at].module)
               ? &model->faults[at]
               : NULL;
}

enum osp_module_state osp_view_state(const osp_watched *module)
{
    return module->state <= OSP_MODULE_UNASKABLE ? (enum osp_module_state)module->state
                                                 : OSP_MODULE_UNKNOWN;
}

const char *osp_view_hindrance(uint8_t hindrance)
{
    return hindrance != OSP_HINDRANCE_NONE && hindrance < OSP_HINDRANCE_COUNT
               ? osp_hindrance_text((enum osp_hindrance)hindrance)
               : NULL;
}

bool osp_view_is_missed(const osp_model *model, const osp_watched *module)
{
    enum osp_module_state state = osp_view_state(module);

    return state > OSP_MODULE_AVAILABLE && state != OSP_MODULE_UNASKABLE
           && (module->exists == 1 || module->declared)
           && !osp_model_is_off(model, module->site, OSP_RULE_REFERENCED_CONTENT);
}

const char *osp_view_why_off(const osp_view *view, int site, enum osp_rule_id rule)
{
    const char *reason = NULL;
    int i;

    if (!osp_model_is_off(view->model, site, rule)) {
        return NULL;
    }
    for (i = 0; i < view->vhost_count && !reason; i++) {
        if (view->vhosts[i].site == site) {
            reason = osp_view_reason(&view->vhosts[i], rule);
        }
    }
    return reason ? reason : "";
}

bool osp_view_is_checking(const osp_view *view)
{
    const int64_t patience = 300;
    const osp_model *model = view->model;

    return model && model->asked != model->answered && model->asked_at > 0
           && model->asked_at <= view->now && view->now - model->asked_at < patience;
}

const char *osp_view_kind(const osp_watched *module)
{
    return osp_learned_name(module->kind <= OSP_LEARNED_TRADITIONAL ? (enum osp_learned)module->kind
                                                                    : OSP_LEARNED_NOTHING);
}

const char *osp_view_how(const osp_reference *reference)
{
    return osp_reference_name(reference->how <= OSP_BY_REFERER
                                  ? (enum osp_reference_kind)reference->how
                                  : OSP_BY_MANIFEST);
}

const char *osp_view_cause(const osp_fault *fault)
{
    return osp_cause_text(fault->cause < OSP_CAUSE_COUNT ? (enum osp_cause)fault->cause
                                                         : OSP_CAUSE_UNKNOWN);
}

/* ---- the index ----------------------------------------------------------------------------- */

/* The owner of item i, -1 when it has none. */
typedef int owner_of(const osp_model *model, int i);

static int reference_owner(const osp_model *model, int i)
{
    const osp_reference *reference = &model->references[i];

    return reference->from != reference->to && osp_view_module(model, reference->from)
                   && osp_view_module(model, reference->to)
               ? reference->to
               : -1;
}

static int version_owner(const osp_model *model, int i)
{
    const osp_version *version = &model->versions[i];

    return version->token[0] && osp_view_app(model, version->app)
                   && osp_view_module(model, version->module)
               ? version->app
               : -1;
}

/* Sorts items by their owner, in two passes. */
static void list_make(osp_list *list, const osp_view *view, int owners, int items, owner_of *owner)
{
    int *next = osp_take(view->memory, (size_t)(owners + 1) * sizeof(int)), i;

    list->first = osp_take(view->memory, (size_t)(owners + 1) * sizeof(int));
    list->item = osp_take(view->memory, (size_t)(items + 1) * sizeof(int));
    for (i = 0; i < items; i++) {
        int at = owner(view->model, i);

        if (at >= 0) {
            list->first[at + 1]++;
        }
    }
    for (i = 0; i < owners; i++) {
        list->first[i + 1] += list->first[i];
        next[i] = list->first[i];
    }
    for (i = 0; i < items; i++) {
        int at = owner(view->model, i);

        if (at >= 0) {
            list->item[next[at]++] = i;
        }
    }
}

static void keep(void *baton, const osp_trouble *trouble)
{
    osp_index *index = baton;

    if (index->trouble_count == index->trouble_room) {
        osp_trouble *grown;

        index->trouble_room = 2 * index->trouble_room + 64;
        grown = osp_take(index->memory, (size_t)index->trouble_room * sizeof *grown);
        if (index->trouble_count) {
            memcpy(grown, index->troubles, (size_t)index->trouble_count * sizeof *grown);
        }
        index->troubles = grown;
    }
    index->troubles[index->trouble_count++] = *trouble;
    index->warnings += trouble->warning;
    index->kinds[trouble->kind]++;
    index->off[trouble->kind] += trouble->off;
}

/* Two passes over the model's troubles, so that those that are off stand last. */
static void keep_those_on(void *baton, const osp_trouble *trouble)
{
    if (!trouble->off) {
        keep(baton, trouble);
    }
}

static void keep_those_off(void *baton, const osp_trouble *trouble)
{
    if (trouble->off) {
        keep(baton, trouble);
    }
}

void osp_index_make(osp_index *index, const osp_view *view)
{
    *index = (osp_index){.memory = view->memory};
    if (view->model) {
        int i;

        for (i = 0; i < OSP_MODEL_SITES; i++) {
            index->sites += osp_view_site(view->model, i) && !view->model->sites[i].twin;
        }
        index->module_count = module_count(view->model);
        osp_model_troubles(view->model, view->now, view->deploy, keep_those_on, index);
        osp_model_troubles(view->model, view->now, view->deploy, keep_those_off, index);
        list_make(&index->references, view, index->module_count, reference_count(view->model),
                  reference_owner);
        list_make(&index->versions, view, OSP_MODEL_APPS, version_count(view->model),
                  version_owner);
    }
}

/* ---- rules --------------------------------------------------------------------------------- */

const char *osp_view_standing(const osp_view_vhost *vhost, enum osp_rule_id rule)
{
    if (vhost->judged) {
        return osp_state_name(vhost->judged->verdicts[rule].state);
    }
    return osp_mode_name(vhost->rules[rule].mode);
}

const char *osp_view_reason(const osp_view_vhost *vhost, enum osp_rule_id rule)
{
    return vhost->rules[rule].reason ? vhost->rules[rule].reason
           : vhost->judged           ? vhost->judged->verdicts[rule].reason
                                     : NULL;
}

/* ---- the sink ------------------------------------------------------------------------------ */

void osp_sink_flush(osp_sink *sink)
{
    if (sink->out.length) {
        sink->send(sink->baton, sink->out.text, sink->out.length);
        sink->out.length = 0;
    }
}

void osp_sink_pass(osp_sink *sink)
{
    if (sink->out.length >= FULL) {
        osp_sink_flush(sink);
    }
}
