/*
 * A made-up view for tests of the live page's renderings: a configuration with findings, and a
 * model of any size. Text that comes from `foreign` may be hostile.
 */
#ifndef OSP_TEST_VIEW_H
#define OSP_TEST_VIEW_H

#include <stdio.h>

#include "config.h"
#include "status/page.h"

#define TEST_NOW 1790000000

typedef struct test_view {
    test_arena arena;
    osp_facts facts;
    osp_audit audit;
    osp_view view;
    osp_model *model;
} test_view;

static int test_view_matches(void *baton, const char *pattern, const char *text)
{
    (void)baton;
    return strstr(text, pattern) != NULL;
}

/* A pick of texts, cut to what fits. */
static inline void test_view_text(char *into, size_t size, const char *const *foreign,
                                  unsigned pick)
{
    unsigned count = 0;

    while (foreign[count]) {
        count++;
    }
    snprintf(into, size, "%s%u", foreign[pick % count], pick);
}

static inline void test_view_site(osp_site *site, const char *const *foreign, unsigned i)
{
    unsigned minute;

    site->key = i + 1;
    test_view_text(site->name, sizeof site->name, foreign, i);
    site->port = (uint16_t)(443 + i);
    site->https = 1;
    site->present = 1;
    site->requests = 12345;
    site->minute = TEST_NOW / 60;
    for (minute = 0; minute < OSP_MODEL_MINUTES; minute++) {
        site->minutes[minute] = (osp_minute){minute, minute / 2, minute / 3, minute / 4, 1};
    }
}

static inline void test_view_model(osp_model *model, const char *const *foreign, unsigned modules,
                                   unsigned references)
{
    unsigned i;

    model->began = TEST_NOW - 5000;
    model->probes = 99;
    model->dropped = 1;
    model->asked = model->answered = 1;
    model->asked_at = model->answered_at = TEST_NOW - 100;
    model->module_count = modules;
    model->reference_count = references;
    for (i = 0; i < 3; i++) {
        test_view_site(&model->sites[i], foreign, i);
    }
    for (i = 0; i < modules; i++) {
        osp_watched *module = &model->modules[i];

        module->site = (uint16_t)(i % 3);
        test_view_text(module->name, sizeof module->name, foreign, i);
        test_view_text(module->example, sizeof module->example, foreign, i + 1);
        test_view_text(module->to, sizeof module->to, foreign, i + 2);
        test_view_text(module->token, sizeof module->token, foreign, i + 3);
        module->kind = (uint8_t)(i % 4);
        module->state = (uint8_t)(i % 5);
        module->exists = (uint8_t)(i % 3);
        module->front_status = 404;
        module->hindrance = (uint8_t)(i % OSP_HINDRANCE_COUNT);
        module->since = module->checked = TEST_NOW - i;
        module->resources = 10;
        module->verified = 9;
    }
    for (i = 0; i < references && modules > 1; i++) {
        osp_reference *reference = &model->references[i];

        reference->from = (uint16_t)(i % modules);
        reference->to = (uint16_t)((i + 1 + i / modules) % modules);
        reference->how = (uint8_t)(i % 5);
        test_view_text(reference->path, sizeof reference->path, foreign, i);
        reference->seen = TEST_NOW;
    }
    for (i = 0; i < 4; i++) {
        osp_app *app = &model->apps[i];

        app->site = (uint16_t)(i % 3);
        test_view_text(app->url, sizeof app->url, foreign, i);
        app->up = (uint8_t)(i % 3);
        app->since = TEST_NOW - 60;
        app->status = 503;
    }
    for (i = 0; i < 8 && modules; i++) {
        osp_version *version = &model->versions[model->version_count++];

        version->app = (uint16_t)(i % 4);
        version->module = (uint16_t)(i / 4 % modules);
        test_view_text(version->token, sizeof version->token, foreign, i);
        version->since = TEST_NOW - 100000;
    }
    for (i = 0; i < 6 && modules; i++) {
        osp_fault *fault = &model->faults[i];

        fault->module = (uint16_t)(i % modules);
        fault->app = (uint16_t)(i % 2);
        fault->cause = (uint8_t)(1 + i);
        fault->status = 200;
        test_view_text(fault->path, sizeof fault->path, foreign, i);
        fault->since = TEST_NOW - 90;
    }
}

/* Reads config, audits it, and makes a view without a model. */
static inline void test_view_begin(test_view *t, const char *config)
{
    static const osp_view_count pins[] = {
        {"opened", "opened", 3},
        {"closed_by_client", "closed with the client's connection", 2},
        {"closed_by_backend", "closed by the back end", 1},
        {"refused", "refused", 0},
        {"handshakes_completed", "sign-ins completed", 3},
        {"handshakes_failed", "sign-ins failed", 0}};
    const osp_server *server;
    osp_view_vhost *vhost;

    test_arena_begin(&t->arena);
    t->facts =
        (osp_facts){.memory = &t->arena.memory, .matches = test_view_matches, .mpm = "event"};
    test_config_read(&t->facts, config);
    osp_audit_run(&t->audit, &t->facts);
    vhost = osp_take(&t->arena.memory, (size_t)t->facts.server_count * sizeof *vhost);
    t->view = (osp_view){.memory = &t->arena.memory,
                         .version = "0",
                         .httpd = "Apache/2.4 (Test)",
                         .now = TEST_NOW,
                         .started = TEST_NOW - 86400,
                         .deploy = 600,
                         .vhosts = vhost,
                         .vhost_count = t->facts.server_count,
                         .pins_open = 1,
                         .pins = pins,
                         .pin_count = sizeof pins / sizeof *pins,
                         .audit = &t->audit};
    for (server = t->facts.main; server; server = server->next, vhost++) {
        vhost->name = server->name;
        vhost->port = osp_server_port(server);
        vhost->is_main = server->is_main;
        vhost->file = server->is_main ? NULL : "test.conf";
        vhost->line = 1;
        vhost->engine = server->audited ? "on" : "off";
        vhost->judged = server->audited ? server : NULL;
        vhost->site = server->is_main ? -1 : server->audited ? 0 : 1;
        vhost->rules[OSP_RULE_NEGOTIATE] = (osp_view_rule){OSP_OFF, "a <reason>", {1, 2, 3}};
        vhost->rules[OSP_RULE_NO_CACHE].mode = OSP_ENFORCE;
    }
}

static inline void test_view_watch(test_view *t, const char *const *foreign, unsigned modules,
                                   unsigned references)
{
    t->model = osp_take(&t->arena.memory, sizeof *t->model);
    test_view_model(t->model, foreign, modules, references);
    t->view.model = t->model;
}

static inline void test_view_end(test_view *t)
{
    test_arena_end(&t->arena);
}

/* ---- renderings as one text ----------------------------------------------------------------- */

static void test_view_send(void *baton, const char *text, size_t length)
{
    osp_out_add(baton, text, length);
}

static inline const char *test_view_render(test_view *t,
                                           void (*render)(osp_sink *sink, const osp_view *view))
{
    osp_out *all = osp_take(&t->arena.memory, sizeof *all);
    osp_sink sink = {.out = {.memory = &t->arena.memory}, .send = test_view_send, .baton = all};

    *all = (osp_out){.memory = &t->arena.memory};
    render(&sink, &t->view);
    return all->text ? all->text : "";
}

#endif
