/*
 * audit.h: what the glue of the audit shares: collect.c, certificate.c, settle.c and audit.c know
 * httpd; everything else in this folder does not.
 */
#ifndef OSP_AUDIT_H
#define OSP_AUDIT_H

#include "../osproxy.h"
#include "finding.h"

/* The audit of the configuration that serves: for reading, by any thread, until that configuration
 * goes; what it takes memory for needs a copy with memory of its own. NULL when the engine is off
 * everywhere. */
const osp_audit *osp_audit_of_running(void);

/* The configuration that httpd has just read, as facts in p; in check_config, after
 * keep_alive.c. */
osp_facts *osp_collect(apr_pool_t *p, server_rec *main_server);

/* Reads what SSLCertificateFile and SSLCertificateKeyFile of server name. Files are read once. */
void osp_certificates(osp_facts *facts, osp_server *server, apr_hash_t *seen, apr_pool_t *p);

/* Makes edits fit the files that they are for: indented like the line they stand at, and meant
 * for the whole of a directive that goes on over several lines. Returns the audit's own edits
 * changed. */
void osp_settle(osp_audit *audit, apr_pool_t *p);

#endif
