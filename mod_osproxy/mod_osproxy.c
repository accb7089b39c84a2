/*
 * mod_osproxy.c: the module record, and a table of contents: each line of register_hooks() is a
 * room, in the order in which a request passes them.
 */
#include "ap_release.h"
#include "apr_strings.h"
#include "http_core.h"

#include "compat.h"
#include "osproxy.h"
#include "proxy_api.h"

static int proxy_is_loaded(void)
{
    return proxy_hook_pre_request != NULL;
}

static int proxy_is_in_the_configuration(void)
{
    return ap_find_linked_module("mod_proxy.c") != NULL;
}

/* The release of the httpd that runs us, in p. */
static const char *httpd_release(apr_pool_t *p)
{
    ap_version_t version;

    ap_get_server_revision(&version);
    return apr_psprintf(p, "%d.%d.%d", version.major, version.minor, version.patch);
}

/* A start and a configtest stop here; a reload of a running server must go on, without us. */
static int check_httpd(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)pconf;
    if (proxy_is_loaded() && osp_compat_runs_in(OSP_MAGIC_MINOR)) {
        return OK;
    }
    if (!osp_compat_runs_in(OSP_MAGIC_MINOR)) {
        ap_log_perror(APLOG_MARK, APLOG_CRIT, 0, plog,
                      "OSP0005: this mod_osproxy was built for httpd %s and needs module magic number "
                      "%d:%d; httpd %s has %d:%d. Build it with the apxs of this httpd, or update httpd",
                      AP_SERVER_BASEREVISION, OSP_MAGIC_MAJOR, OSP_MAGIC_MINOR,
                      httpd_release(ptemp), core_module.version, core_module.minor_version);
    }
    else if (proxy_is_in_the_configuration()) {
        ap_log_perror(APLOG_MARK, APLOG_CRIT, 0, plog,
                      "OSP0001: mod_osproxy is loaded before mod_proxy; move the line 'LoadModule "
                      "osproxy_module' below 'LoadModule proxy_module' (Debian: name its file so "
                      "that it sorts after proxy.load)");
    }
    else {
        ap_log_perror(APLOG_MARK, APLOG_CRIT, 0, plog,
                      "OSP0002: mod_osproxy needs mod_proxy; add 'LoadModule proxy_module' above "
                      "'LoadModule osproxy_module' (Debian: a2enmod proxy proxy_http)");
    }
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG ? !OK : OK;
}

/* httpd lets a virtual host without a directive of ours share the main server's configuration; what
 * is worked out for each server (counters, names, prepared configurations) needs one of its own. */
static int part_servers(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *main_server)
{
    const osp_server_conf *shared = osp_server_conf_get(main_server);
    server_rec *s;

    (void)plog;
    (void)ptemp;
    for (s = main_server->next; s; s = s->next) {
        if (osp_server_conf_get(s) == shared) {
            ap_set_module_config(s->module_config, &osproxy_module,
                                 apr_pmemdup(pconf, shared, sizeof *shared));
        }
    }
    return OK;
}

/* Before every rule's own post_config. */
static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    server_rec *s;
    apr_status_t rv;

    (void)plog;
    osp_module_begin();
    for (s = main_server; s; s = s->next) {
        osp_server_conf *conf = osp_server_conf_get(s);

        conf->module_index = conf->modules
                             ? osp_module_index_make(pconf, conf->modules) : NULL;
    }
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* the rehearsal before the start proper */
    }
    rv = osp_count_attach(ptemp, main_server);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, main_server,
                     "OSP0003: no shared memory for counters; rules work, nothing is counted");
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, main_server,
                 "OSP0004: mod_osproxy/" OSP_VERSION ", built for httpd %s (module magic number "
                 "%d:%d), runs in %s (%d:%d)", AP_SERVER_BASEREVISION, MODULE_MAGIC_NUMBER_MAJOR,
                 MODULE_MAGIC_NUMBER_MINOR, httpd_release(ptemp), core_module.version,
                 core_module.minor_version);
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    ap_hook_pre_config(check_httpd, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(part_servers, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_config(prepare, NULL, NULL, APR_HOOK_FIRST);

    osp_keep_alive_hooks(p);    /* the connection, before any request */
    osp_no_cache_hooks(p);      /* quick handler: before mod_cache; fixups */
    osp_domain_https_hooks(p);  /* header_parser: before credentials are asked for */
    osp_client_hooks(p);        /* authorisation */
    osp_path_unchanged_hooks(p);
    osp_preserve_host_hooks(p);
    if (proxy_is_loaded() && osp_compat_runs_in(OSP_MAGIC_MINOR)) {
        osp_route_hooks(p);     /* mod_proxy's pre_request: host, ports, https, path, headers */
        osp_pinned_auth_hooks(p); /* the scheme handler, and the end of the connection */
        osp_forwarded_proto_hooks(p); /* once more, when mod_proxy builds the head */
        osp_answer_hooks(p);    /* the answer begins */
        osp_negotiate_hooks(p); /* its challenges */
    }
    osp_count_hooks(p);
    osp_trace_hooks(p);         /* LogFormat, expressions */
    osp_watch_hooks(p);         /* what passed, and what is asked in the background */
    osp_status_hooks(p);
    osp_audit_hooks(p);         /* the configuration itself: configtest, start, reload */
}

module AP_MODULE_DECLARE_DATA osproxy_module = {
    STANDARD20_MODULE_STUFF,
    osp_config_create_dir,
    osp_config_merge_dir,
    osp_config_create_server,
    osp_config_merge_server,
    osp_commands,
    register_hooks,
#if defined(AP_MODULE_FLAG_NONE)
    AP_MODULE_FLAG_NONE
#endif
};
