/*
 * compat.h: what differs between the releases of httpd that this module is built with, 2.4.37 and later.
 * Module magic numbers decide, not version strings: distributions keep the one and take on the other.
 *
 * What is compiled here for a new httpd may be missing in an old one that loads it all the same.
 * OSP_MAGIC_MINOR is the oldest that has all of it; mod_osproxy.c refuses older ones (OSP0005).
 * httpd itself refuses another major number.
 */
#ifndef OSP_COMPAT_H
#define OSP_COMPAT_H

#include "ap_mmn.h"
#include "httpd.h"
#include "http_config.h"

#include "proxy_api.h"

#define OSP_MAGIC_MAJOR 20120211

#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 83)
#error "mod_osproxy needs httpd 2.4.37 or later"
#endif

#if AP_MODULE_MAGIC_AT_LEAST(20120211, 124)
#define OSP_MAGIC_MINOR 124 /* name_ex, below */
#elif AP_MODULE_MAGIC_AT_LEAST(20120211, 102)
#define OSP_MAGIC_MINOR 102 /* ap_ssl_conn_is_ssl */
#else
#define OSP_MAGIC_MINOR 83
#endif

/* Whether the httpd that runs us is at least of that minor number. */
static inline int osp_compat_runs_in(int minor)
{
    return core_module.version == OSP_MAGIC_MAJOR && core_module.minor_version >= minor;
}

/* Whether it is the very one whose headers we were compiled with, so that structures are alike. */
static inline int osp_compat_is_same(void)
{
    return core_module.version == MODULE_MAGIC_NUMBER_MAJOR
           && core_module.minor_version == MODULE_MAGIC_NUMBER_MINOR;
}

/* Whether a connection is TLS. Weak, so that an httpd without it loads us and is told why not. */
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 102)
#include "http_ssl.h"
#pragma weak ap_ssl_conn_is_ssl
static inline int osp_compat_is_tls(conn_rec *c)
{
    return ap_ssl_conn_is_ssl && ap_ssl_conn_is_ssl(c);
}
#else
#include "mod_ssl.h"
static inline int osp_compat_is_tls(conn_rec *c)
{
    APR_OPTIONAL_FN_TYPE(ssl_is_https) *is_https = APR_RETRIEVE_OPTIONAL_FN(ssl_is_https);

    return is_https && is_https(c);
}
#endif

/* The whole name of a worker; older ones cut it off at 96 bytes. */
static inline const char *osp_worker_name(const proxy_worker *worker)
{
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 124)
    return worker->s->name_ex;
#else
    return worker->s->name;
#endif
}

/* struct proxy_conn_pool has dns_pool */
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 89)
#define OSP_HAS_DNS_POOL 1
#endif

#endif
