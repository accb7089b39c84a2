/*
 * check_domain_https.c: rule domain-https: "externally accessible using their domain name
 * configured in Service Center and served via HTTPS": each domain has a virtual host on 443 with
 * TLS that bears its name, and a certificate that clients accept.
 */
#include "check.h"

#include <string.h>

#define SOON 30 /* days */

/* ---- certificates -------------------------------------------------------------------------- */

/* RFC 9525 section 6.3: a wildcard stands for one whole label, the first. */
static bool name_covers(const char *pattern, const char *name)
{
    if (pattern[0] == '*' && pattern[1] == '.') {
        const char *dot = strchr(name, '.');

        return dot && dot != name && osp_text_is(dot + 1, pattern + 2);
    }
    return osp_text_is(name, pattern);
}

static bool covers(const osp_certificate *certificate, const char *name)
{
    int i;

    for (i = 0; i < certificate->name_count; i++) {
        if (name_covers(certificate->names[i], name)) {
            return true;
        }
    }
    return false;
}

static const char *names_of(const osp_audit *audit, const osp_certificate *certificate)
{
    osp_out out = {.memory = audit->memory};
    int i;

    for (i = 0; i < certificate->name_count && i < 3; i++) {
        osp_out_format(&out, "%s%s", i ? ", " : "", certificate->names[i]);
    }
    if (certificate->name_count > 3) {
        osp_out_format(&out, " and %d more", certificate->name_count - 3);
    }
    return out.length ? out.text : "no name";
}

static void check_coverage(osp_audit *audit, osp_server *server, const char *name)
{
    const osp_certificate *certificate, *first = NULL;
    osp_finding *finding;

    for (certificate = server->certificates; certificate; certificate = certificate->next) {
        if (certificate->problem == OSP_CERTIFICATE_UNREADABLE
            || certificate->problem == OSP_CERTIFICATE_NONE || covers(certificate, name)) {
            return;
        }
        first = first ? first : certificate;
    }
    if (!first) {
        return;
    }
    finding =
        osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS, first->line,
                 "the certificate does not cover %s: it is for %s", name, names_of(audit, first));
    osp_fix_advice(audit, finding, "get a certificate that names %s", name);
}

static void check_times(osp_audit *audit, osp_server *server, const osp_certificate *certificate)
{
    osp_finding *finding = NULL;

    if (certificate->days_left < 0) {
        finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS, certificate->line,
                           "the certificate expired on %s: no app connects", certificate->expires);
    }
    else if (certificate->days_left < SOON) {
        finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_DOMAIN_HTTPS, certificate->line,
                           "the certificate expires on %s, in %d days", certificate->expires,
                           certificate->days_left);
    }
    else if (certificate->days_until_valid > 0) {
        finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS, certificate->line,
                           "the certificate is not valid for another %d days: no app connects",
                           certificate->days_until_valid);
    }
    osp_fix_advice(audit, finding, "renew the certificate in %s",
                   osp_line_arg(certificate->line, 0));
}

static void check_certificate(osp_audit *audit, osp_server *server,
                              const osp_certificate *certificate)
{
    const char *path = osp_line_arg(certificate->line, 0);
    const osp_line *key = certificate->key_line ? certificate->key_line : certificate->line;
    osp_finding *finding;

    switch (certificate->problem) {
    case OSP_CERTIFICATE_NONE:
        finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS, certificate->line,
                           "httpd does not start with this: %s", certificate->text);
        osp_fix_advice(audit, finding, "write the certificate in PEM into %s", path);
        return;
    case OSP_CERTIFICATE_KEY_NONE:
        finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS, key,
                           "httpd does not start with this: %s", certificate->text);
        osp_fix_advice(audit, finding, "write the private key in PEM into %s",
                       osp_line_arg(key, 0));
        break;
    case OSP_CERTIFICATE_UNREADABLE:
        finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_DOMAIN_HTTPS, certificate->line,
                           "the certificate cannot be read, so nothing is known of it: %s",
                           certificate->text);
        osp_fix_advice(audit, finding, "check %s", path);
        return;
    case OSP_CERTIFICATE_KEY_UNREADABLE:
        finding = osp_find(audit, server, OSP_NOTE, OSP_RULE_DOMAIN_HTTPS, key,
                           "the key cannot be read, so nobody knows whether it fits: %s",
                           certificate->text);
        osp_fix_advice(audit, finding, "openssl rsa -in %s, to store it without a pass phrase",
                       osp_line_arg(key, 0));
        break;
    case OSP_CERTIFICATE_KEY_DIFFERS:
        finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS, key,
                           "this key is not the certificate's: httpd does not start with them");
        osp_fix_advice(audit, finding, "name the key that %s was issued for", path);
        break;
    default:
        break;
    }
    check_times(audit, server, certificate);
    if (certificate->chain_ends) {
        finding =
            osp_find(audit, server, OSP_WARNING, OSP_RULE_DOMAIN_HTTPS, certificate->line,
                     "the chain ends at %s, which is neither in the file nor a root that this "
                     "machine trusts: native apps refuse it",
                     certificate->chain_ends);
        osp_fix_advice(audit, finding, "cat the intermediate certificate to the end of %s", path);
    }
}

/* ---- names --------------------------------------------------------------------------------- */

static enum osp_severity severity_of(const osp_server *server)
{
    return server->domain_count || osp_server_reach(server) == OSP_REACHES_STRICT ? OSP_ERROR
                                                                                  : OSP_WARNING;
}

static void report_missing(osp_audit *audit, osp_server *server, const char *name,
                           const osp_line *at)
{
    osp_finding *finding;

    if (server->is_tls && osp_server_listens(server, 443)) {
        finding = osp_find(
            audit, server, OSP_WARNING, OSP_RULE_DOMAIN_HTTPS, at,
            "no virtual host on 443 bears the name %s: clients land in the first one", name);
        osp_fix_inside(audit, finding, server,
                       osp_text_format(audit->memory, "ServerAlias %s", name));
        return;
    }
    finding = osp_find(audit, server, severity_of(server), OSP_RULE_DOMAIN_HTTPS, at,
                       "no virtual host serves https on port 443 for %s: Reactive and Mobile apps "
                       "do not work over plain http",
                       name);
    osp_fix_advice(audit, finding,
                   "Listen 443\n<VirtualHost *:443>\n    ServerName %s\n    SSLEngine On\n"
                   "    SSLCertificateFile /etc/ssl/certs/%s.pem\n"
                   "    SSLCertificateKeyFile /etc/ssl/private/%s.key\n    ...\n</VirtualHost>",
                   name, name, name);
}

static void report_plain(osp_audit *audit, osp_server *server, const osp_server *there,
                         const char *name)
{
    const osp_line *engine = osp_setting(audit->facts, there, OSP_W_SSL_ENGINE);
    const osp_line *certificate = osp_setting(audit->facts, there, OSP_W_CERTIFICATE);
    osp_finding *finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS,
                                    engine && engine->server == there ? engine : there->opening,
                                    "%s is served on port 443 without SSLEngine On: clients speak "
                                    "TLS to it",
                                    name);

    if (certificate) {
        osp_fix_setting(audit, finding, there, engine && engine->server == there ? engine : NULL,
                        "SSLEngine On");
    }
    else {
        osp_fix_advice(audit, finding,
                       "SSLEngine On\nSSLCertificateFile /etc/ssl/certs/%s.pem\n"
                       "SSLCertificateKeyFile /etc/ssl/private/%s.key",
                       name, name);
    }
}

/* Another virtual host of the address bears the name first. */
static void report_shadow(osp_audit *audit, osp_server *server, const osp_server *first,
                          const char *name)
{
    osp_finding *finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DOMAIN_HTTPS, NULL,
                                    "this virtual host never sees a request for %s: the one at "
                                    "%s:%d bears the name first",
                                    name, first->opening ? first->opening->file : "",
                                    first->opening ? first->opening->line : 0);
    const osp_line *line;
    int i;

    for (line = first->first[OSP_W_SERVER_ALIAS]; finding && line; line = line->next) {
        for (i = 0; i < line->count; i++) {
            if (osp_text_globs(line->arg[i].text, name)) {
                if (line->count == 1) {
                    osp_fix_delete(audit, finding, line);
                }
                else {
                    osp_fix_replace(audit, finding, line,
                                    osp_line_with(audit->memory, line, i, NULL));
                }
                return;
            }
        }
    }
    osp_fix_advice(audit, finding, "remove one of the two, or give them different names");
}

static void check_name(osp_audit *audit, osp_server *server, const char *name, const osp_line *at)
{
    osp_server *there = osp_server_named(audit->facts, name, 443);

    if (!there) {
        report_missing(audit, server, name, at);
    }
    else if (!there->is_tls) {
        report_plain(audit, server, there, name);
    }
    else if (there != server && there->index < server->index && osp_server_bears(server, name)
             && osp_servers_meet(there, server)) {
        report_shadow(audit, server, there, name);
    }
    if (server->is_tls && there == server) {
        check_coverage(audit, server, name);
    }
}

static bool is_address(const char *name)
{
    return *name == '[' || !name[strspn(name, "0123456789.")];
}

void osp_check_domain_https(osp_audit *audit, osp_server *server)
{
    const osp_certificate *certificate;
    int i, j;

    if (!osp_server_proxies(server)
        || (!server->domain_count && osp_server_reach(server) == OSP_REACHES_TRADITIONAL)) {
        return;
    }
    if (!server->is_behind_hop) {
        for (i = 0; i < server->domain_count; i++) {
            for (j = 0; j < server->domains[i]->count; j++) {
                check_name(audit, server, osp_line_arg(server->domains[i], j), server->domains[i]);
            }
        }
        if (!server->domain_count && *server->name && !is_address(server->name)) {
            check_name(audit, server, server->name, NULL);
        }
    }
    for (certificate = server->is_tls ? server->certificates : NULL; certificate;
         certificate = certificate->next) {
        check_certificate(audit, server, certificate);
    }
}
