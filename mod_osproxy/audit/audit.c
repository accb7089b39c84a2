/*
 * audit.c: the configuration is checked before it serves: at configtest on stderr, at a start or a
 * reload in the error log.
 *
 * All of it happens in check_config, which configtest, start and reload pass and post_config does
 * not see at configtest. A hook that fails there during a reload would end the whole server, so
 * only a configtest fails, and only by an error.
 *
 * -D DUMP_OSPROXY prints the table, -D DUMP_OSPROXY_JSON the JSON, on stdout; -D OSPROXY_AUDIT
 * audits as if the engine were on everywhere (`make audit`).
 */
#include <stdio.h>
#include <unistd.h>

#include "apr_strings.h"
#include "http_core.h"

#include "audit.h"
#include "render.h"

#define MOST_LOGGED 100 /* findings, at a start or a reload */

/* Of the configuration read last, and as long as that: both go with pconf. */
static osp_audit *audit;
static apr_pool_t *audit_pool;

static int is_configtest(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;
}

static int wants_colour(FILE *stream)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(fileno(stream)) && (!no_colour || !*no_colour) && terminal
           && strcmp(terminal, "dumb") != 0;
}

static void print(void)
{
    osp_out out = {.memory = audit->memory};
    FILE *stream = stdout;

    osp_settle(audit, audit_pool);
    if (ap_exists_config_define("DUMP_OSPROXY_JSON")) {
        osp_render_json(&out, audit, OSP_VERSION);
    }
    else if (ap_exists_config_define("DUMP_OSPROXY")) {
        osp_render_table(&out, audit, wants_colour(stream));
    }
    else {
        stream = stderr;
        osp_render_text(&out, audit, wants_colour(stream));
    }
    if (out.length) {
        fwrite(out.text, 1, out.length, stream);
        fflush(stream);
    }
}

/* The pool went with its parent, or goes now. */
static apr_status_t forget(void *unused)
{
    (void)unused;
    audit = NULL;
    audit_pool = NULL;
    return APR_SUCCESS;
}

static int check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    (void)plog;
    (void)ptemp;
    audit = NULL;
    if (!is_configtest()
        && (!osp_engine_used() || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)) {
        return OK; /* nothing to say, or the rehearsal before the start proper */
    }
    apr_pool_create(&audit_pool, pconf);
    apr_pool_tag(audit_pool, "osproxy audit");
    apr_pool_cleanup_register(audit_pool, NULL, forget, apr_pool_cleanup_null);
    audit = apr_pcalloc(audit_pool, sizeof *audit);
    osp_audit_run(audit, osp_collect(audit_pool, main_server));
    if (is_configtest() && audit->counts[OSP_ERROR]) {
        print();
        return !OK; /* test_config is not reached */
    }
    return OK;
}

static void show(apr_pool_t *pconf, server_rec *main_server)
{
    (void)pconf;
    (void)main_server;
    if (audit && is_configtest()) {
        print();
    }
}

static void log_finding(const osp_finding *finding, server_rec *s)
{
    const char *name = osp_rule_get(finding->rule)->name;

    switch (finding->severity) {
    case OSP_ERROR:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "OSP1001: audit error: %s:%d: [%s] %s",
                     finding->file, finding->line, name, finding->text);
        break;
    case OSP_WARNING:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "OSP1002: audit warning: %s:%d: [%s] %s",
                     finding->file, finding->line, name, finding->text);
        break;
    default:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "OSP1003: audit note: %s:%d: [%s] %s",
                     finding->file, finding->line, name, finding->text);
        break;
    }
}

static void log_all(server_rec *s)
{
    const osp_finding *finding;
    int severity, logged = 0, left = 0;

    for (severity = OSP_ERROR; severity < OSP_SEVERITY_COUNT; severity++) {
        for (finding = audit->findings; finding; finding = finding->next) {
            if (finding->severity == (enum osp_severity)severity && logged++ < MOST_LOGGED) {
                log_finding(finding, s);
            }
        }
    }
    left = logged - MOST_LOGGED;
    if (left > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "OSP1004: audit: %d more findings; apachectl configtest shows all of them",
                     left);
    }
}

const osp_audit *osp_audit_of_running(void)
{
    return audit;
}

/* The error log is open now. The audit stays, for the live page: children inherit it, and a reload
 * forgets it with the configuration that it is about. */
static int log_findings(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *main_server)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (audit) {
        log_all(main_server);
        osp_settle(audit, audit_pool);
    }
    return OK;
}

void osp_audit_hooks(apr_pool_t *p)
{
    (void)p;
    /* After the rules have raised what they raise, and after the MPM has settled its numbers. */
    ap_hook_check_config(check, NULL, NULL, APR_HOOK_LAST);
    ap_hook_test_config(show, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(log_findings, NULL, NULL, APR_HOOK_LAST);
}
