/*
 * check.h: the checks: a file check_<word>.c for each rule, a pure function from facts to findings.
 */
#ifndef OSP_CHECK_H
#define OSP_CHECK_H

#include "finding.h"

/* Runs every check on every audited server. */
void osp_check_all(osp_audit *audit);

void osp_check_preserve_host(osp_audit *audit, osp_server *server);
void osp_check_default_ports(osp_audit *audit, osp_server *server);
void osp_check_negotiate(osp_audit *audit, osp_server *server);
void osp_check_domain_https(osp_audit *audit, osp_server *server);
void osp_check_path_unchanged(osp_audit *audit, osp_server *server);
void osp_check_no_cache(osp_audit *audit, osp_server *server);
void osp_check_keep_alive(osp_audit *audit, osp_server *server);
void osp_check_forwarded_proto(osp_audit *audit, osp_server *server);
void osp_check_pinned_auth(osp_audit *audit, osp_server *server);
void osp_check_referenced_content(osp_audit *audit, osp_server *server);
void osp_check_backend_tls(osp_audit *audit, osp_server *server);
void osp_check_proxy_timeout(osp_audit *audit, osp_server *server);
void osp_check_backend_ttl(osp_audit *audit, osp_server *server);
void osp_check_consoles(osp_audit *audit, osp_server *server);
void osp_check_stickiness(osp_audit *audit, osp_server *server);
void osp_check_trusted_proxy(osp_audit *audit, osp_server *server);
void osp_check_httponly_cookies(osp_audit *audit, osp_server *server);
void osp_check_security_headers(osp_audit *audit, osp_server *server);
void osp_check_methods(osp_audit *audit, osp_server *server);
void osp_check_error_override(osp_audit *audit, osp_server *server);
void osp_check_via(osp_audit *audit, osp_server *server);

void osp_check_capacity(osp_audit *audit, osp_server *server);

/* ---- what several checks ask --------------------------------------------------------------- */

/* Calls fn for each back end of a mapping: its members, or the mapping itself (member NULL). */
typedef void osp_worker_fn(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                           const osp_member *member);
void osp_each_worker(osp_audit *audit, osp_server *server, osp_worker_fn *fn);

/* The target and the line of a back end. */
static inline const osp_target *osp_worker_target(const osp_mapping *mapping,
                                                  const osp_member *member)
{
    return member ? &member->target : &mapping->target;
}

static inline const osp_line *osp_worker_line(const osp_mapping *mapping, const osp_member *member)
{
    return member ? member->line : mapping->line;
}

/* The place of a word among a line's arguments, in whatever case, from `from` on; -1: none. */
int osp_line_find(const osp_line *line, int from, const char *word);

/* A Header or RequestHeader line taken apart. */
typedef struct osp_header_line {
    bool always; /* Header always */
    int action;  /* place of set, add, edit, … */
    int name;    /* place of the header's name */
} osp_header_line;
osp_header_line osp_header_read(const osp_line *line);

/* True when the line changes the header that is meant: action, name as given. */
bool osp_header_is(const osp_line *line, const osp_header_line *header, const char *name);

/* Whether the line (Header, filter, …) reaches a proxied path at all, and what kinds. */
enum osp_reach osp_line_reach(const osp_audit *audit, const osp_server *server,
                              const osp_line *line);

/* Whether requests for path are refused by a section, a rewrite, a redirect or by no mapping, for
 * everybody outside; *by is the line, NULL when there is no mapping. */
enum osp_block { OSP_OPEN, OSP_BLOCKED_FOR_SOME, OSP_BLOCKED_FOR_ALL, OSP_REDIRECTED };
enum osp_block osp_path_block(const osp_audit *audit, const osp_server *server, const char *path,
                              const osp_line **by);

/* Whether a first segment of a path is that of a management console. */
bool osp_console_is(const char *name, size_t length);

/* The section that keeps management consoles to internal clients, ready to be written. */
const char *osp_consoles_section(const osp_audit *audit);

/* Whether a console is open to everybody. */
bool osp_consoles_are_open(const osp_audit *audit, const osp_server *server);

/* "apps.example.com:443", for sentences. */
const char *osp_server_label(const osp_audit *audit, const osp_server *server);

#endif
