/*
 * audit.h: what the glue of the audit shares: collect.c, certificate.c, settle.c and audit.c know
 * httpd; everything else in this folder does not.
 */
#ifndef OSP_AUDIT_H
#define OSP_AUDIT_H

#include "../osproxy.h"
#include "finding.h"

/* The configuration that httpd has just read, as facts in p; in check_config, after
 * keep_alive.c. */
osp_facts *osp_collect(apr_pool_t *p, server_rec *main_server);

/* Reads what SSLCertificateFile and SSLCertificateKeyFile of server name. Files are read once. */
void osp_certificates(osp_facts *facts, osp_server *server, apr_hash_t *seen, apr_pool_t *p);

/* Makes edits fit the files that they are for: indented like the line they stand at, and meant
 * for the whole of a directive that goes on over several lines. Returns the audit's own edits
 * changed. */
void osp_settle(osp_audit *audit, apr_pool_t *p);

/* A file of the configuration, line by line; empty when it cannot be read. */
typedef struct osp_source {
    const char **lines; /* without their ends */
    int count;
} osp_source;

/* The file of that name, read once: seen remembers. Never NULL. */
osp_source *osp_source_read(apr_pool_t *p, const char *name, apr_hash_t *seen);

/* A line by its number, from 1 on; "" when there is none. */
const char *osp_source_line(const osp_source *file, int number);

/* Whether the directive goes on in the next line. */
int osp_source_goes_on(const char *line);

#endif
