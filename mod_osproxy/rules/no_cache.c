/*
 * no_cache.c: rule no-cache: "Don't cache Mobile/Reactive App resources in the reverse proxy".
 *
 * mod_cache asks the request's directory configuration whether CacheDisable is on, in its quick
 * handler as well as in its normal one. The rule turns it on for the request unless the module is
 * known to be Traditional, by declaration or from the app servers: a module of unknown kind costs only its caching. The quick handler runs
 * before any section is known, so there the rule's mode outside sections counts; a section that
 * enforces the rule later still keeps the answer from being stored.
 */
#include "httpd.h"
#include "http_request.h"

#include "osproxy.h"

static ap_conf_vector_t *cache_off; /* holds mod_cache's directory configuration; NULL: no cache */

static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    const char *error;

    (void)plog;
    cache_off = NULL;
    if (!osp_engine_used() || !ap_find_linked_module("mod_cache.c")
        || !osp_settings_used("CacheEnable")) {
        return OK;
    }
    cache_off = osp_settings_vector(pconf, ptemp, main_server, "CacheDisable", "on", &error);
    if (!cache_off) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     "OSP0601: [no-cache] CacheDisable could not be set: %s", error);
    }
    return OK;
}

static void disable(request_rec *r)
{
    r->per_dir_config = ap_merge_per_dir_configs(r->pool, r->per_dir_config, cache_off);
}

static int quick(request_rec *r, int lookup)
{
    (void)lookup;
    if (cache_off && osp_request_mode(r, OSP_RULE_NO_CACHE) == OSP_ENFORCE
        && osp_kind_of(r->server, r->uri) != OSP_KIND_TRADITIONAL) {
        disable(r);
    }
    return DECLINED;
}

static int fixups(request_rec *r)
{
    enum osp_mode mode;

    if (!cache_off || r->main
        || (mode = osp_request_mode(r, OSP_RULE_NO_CACHE)) == OSP_OFF
        || osp_request_kind(r) == OSP_KIND_TRADITIONAL) {
        return DECLINED;
    }
    if (mode == OSP_ENFORCE) {
        disable(r);
        r->no_cache = 1; /* also when the quick handler has made up its mind to store */
        osp_request_count(r, OSP_RULE_NO_CACHE, OSP_ACTED);
    }
    else {
        osp_request_count(r, OSP_RULE_NO_CACHE, OSP_REPORTED);
        OSP_REPORT(r, OSP_RULE_NO_CACHE, 0,
                   "OSP0602: [no-cache] mod_cache may store and serve this path, and its module "
                   "is not declared Traditional; it would be kept out of the cache");
    }
    return DECLINED;
}

void osp_no_cache_hooks(apr_pool_t *p)
{
    /* mod_cache's quick handler is at APR_HOOK_FIRST and may answer at once. */
    static const char *const before_cache[] = {"mod_cache.c", NULL};

    (void)p;
    ap_hook_post_config(prepare, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_quick_handler(quick, NULL, before_cache, APR_HOOK_REALLY_FIRST);
    /* The last word of the request's configuration, before mod_cache's normal handler. */
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_LAST);
}
