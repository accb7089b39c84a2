/*
 * keep_alive.c: rule keep-alive: "make sure that either there's no defined keep-alive connection
 * timeout or that the timeout is set to at least 30 seconds"; OSProxyKeepAlive sets a higher floor.
 *
 * Time-outs are raised in check_config and nowhere later: event sorts its servers into time-out
 * queues in post_config, and what changes after that is announced in the header but not kept on
 * the wire. An idle connection is closed by the time-out of the virtual host of its last request,
 * but an HTTP/2 connection, and one without SNI, by that of the first virtual host of its address:
 * that one is raised too.
 */
#include "http_core.h"

#include "osproxy.h"

/* Below this, httpd's limit on requests cuts Windows authentication's three-request handshake. */
#define LEAST_REQUESTS 4
#define DEFAULT_REQUESTS 100 /* httpd's own default */

static void raise_to(server_rec *s, int seconds)
{
    apr_interval_time_t floor = apr_time_from_sec(seconds);
    osp_server_conf *conf = osp_server_conf_get(s);

    if (!conf->raised) {
        conf->keep_alive_timeout_was = s->keep_alive_timeout;
        conf->keep_alive_was = s->keep_alive;
        conf->keep_alive_max_was = s->keep_alive_max;
    }
    if (s->keep_alive_timeout < floor) {
        s->keep_alive_timeout = floor;
        conf->raised = 1;
    }
    s->keep_alive_timeout_set = 1;
    if (!s->keep_alive) {
        s->keep_alive = 1;
        conf->raised = 1;
    }
    if (s->keep_alive_max > 0 && s->keep_alive_max < LEAST_REQUESTS) {
        s->keep_alive_max = DEFAULT_REQUESTS;
        conf->raised = 1;
    }
}

static void raise_first(server_rec *first, void *baton)
{
    const int *seconds = baton;

    raise_to(first, *seconds);
}

static int would_raise(const server_rec *s, int seconds)
{
    return s->keep_alive_timeout < apr_time_from_sec(seconds) || !s->keep_alive
           || (s->keep_alive_max > 0 && s->keep_alive_max < LEAST_REQUESTS);
}

static int apply(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    server_rec *s;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    for (s = main_server; s; s = s->next) {
        const osp_server_conf *conf = osp_server_conf_get(s);
        enum osp_mode mode = osp_server_mode(s, OSP_RULE_KEEP_ALIVE);
        int seconds = conf->keep_alive ? conf->keep_alive : OSP_KEEP_ALIVE_FLOOR;

        if (mode == OSP_ENFORCE) {
            raise_to(s, seconds);
            osp_settings_each_first_vhost(s, main_server, raise_first, &seconds);
        }
        else if (mode == OSP_REPORT && would_raise(s, seconds)) {
            ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                         "OSP0201: [keep-alive] idle client connections are not kept for %d s; "
                         "KeepAlive and KeepAliveTimeout would be raised", seconds);
        }
    }
    return OK;
}

/* Once the counters are there, for the status page: one per virtual host and start. */
static int count(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    server_rec *s;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    for (s = main_server; s; s = s->next) {
        osp_server_conf *conf = osp_server_conf_get(s);
        int seconds = conf->keep_alive ? conf->keep_alive : OSP_KEEP_ALIVE_FLOOR;

        if (conf->raised) {
            osp_count(conf->counters, OSP_RULE_KEEP_ALIVE, OSP_ACTED);
        }
        else if (osp_server_mode(s, OSP_RULE_KEEP_ALIVE) == OSP_REPORT
                 && would_raise(s, seconds)) {
            osp_count(conf->counters, OSP_RULE_KEEP_ALIVE, OSP_REPORTED);
        }
    }
    return OK;
}

void osp_keep_alive_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_check_config(apply, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(count, NULL, NULL, APR_HOOK_LAST);
}
