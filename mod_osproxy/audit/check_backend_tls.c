/*
 * check_backend_tls.c: rule backend-tls: end-to-end TLS whose far end nobody checks.
 */
#include "check.h"

#include <string.h>

#define ANY_NAME "any certificate passes for the back end's, whatever name it bears"

/* The last line of a word in a <Proxy> section for this back end. */
static const osp_line *in_proxy(const osp_audit *audit, const osp_server *server,
                                enum osp_word word, const char *url)
{
    const osp_line *line, *found = NULL;

    OSP_EACH_LINE(audit->facts, server, word, line) {
        const osp_section *section = line->section;

        if (section && section->kind == OSP_IN_PROXY
            && (strcmp(section->pattern, "*") == 0 || osp_text_begins(url, section->pattern))) {
            found = line;
        }
    }
    return found;
}

/* What is in force for a back end: <Proxy> for it or its balancer, then the mapping's surroundings. */
static const osp_line *setting(const osp_audit *audit, const osp_server *server,
                               const osp_mapping *mapping, const osp_member *member,
                               enum osp_word word)
{
    const char *url = osp_line_arg(mapping->line, mapping->url_arg);
    const osp_line *line = in_proxy(audit, server, word, url);

    if (!line && member) {
        line = in_proxy(audit, server, word, osp_line_arg(member->line, member->url_arg));
    }
    return line ? line : osp_setting_in(audit->facts, server, mapping->line->section, word);
}

static void check_engine(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                         const osp_member *member)
{
    const osp_line *line = mapping->line;
    const osp_line *engine = setting(audit, server, mapping, member, OSP_W_SSL_PROXY_ENGINE);

    if (engine && osp_text_is(osp_line_arg(engine, 0), "On")) {
        return;
    }
    osp_fix_setting(
        audit,
        osp_find(audit, server, OSP_ERROR, OSP_RULE_BACKEND_TLS, engine ? engine : line,
                 "https to the back end without SSLProxyEngine On: every request ends in "
                 "500"),
        server, engine, "SSLProxyEngine On");
}

static void check_verify(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                         const osp_member *member)
{
    const osp_line *line = mapping->line;
    const osp_line *verify = setting(audit, server, mapping, member, OSP_W_SSL_PROXY_VERIFY);
    const osp_line *ca = setting(audit, server, mapping, member, OSP_W_SSL_PROXY_CA);
    const char *text = "SSLProxyVerify require";
    osp_finding *finding;

    if (verify && osp_text_is(osp_line_arg(verify, 0), "require")) {
        return;
    }
    finding = osp_find(
        audit, server, OSP_WARNING, OSP_RULE_BACKEND_TLS, verify ? verify : line,
        "%s: the certificate of the back end is not checked, so anybody in between "
        "can read along",
        verify ? osp_text_format(audit->memory, "SSLProxyVerify %s", osp_line_arg(verify, 0))
               : "SSLProxyVerify is not written");
    if (!ca && !setting(audit, server, mapping, member, OSP_W_SSL_PROXY_CA_PATH)) {
        text = "SSLProxyVerify require\n"
               "SSLProxyCACertificateFile /etc/ssl/certs/ca-certificates.crt";
    }
    osp_fix_setting(audit, finding, server, verify, text);
}

static void check_off(osp_audit *audit, osp_server *server, const osp_line *check, const char *what)
{
    if (check && osp_text_is(osp_line_arg(check, 0), "Off")) {
        osp_fix_replace(audit,
                        osp_find(audit, server, OSP_WARNING, OSP_RULE_BACKEND_TLS, check,
                                 "%s Off: %s", check->name, what),
                        check, osp_text_format(audit->memory, "%s On", check->name));
    }
}

static void check_worker(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                         const osp_member *member)
{
    const char *scheme = osp_worker_target(mapping, member)->scheme;
    const osp_line *name;

    if (strcmp(scheme, "https") != 0 && strcmp(scheme, "h2") != 0 && strcmp(scheme, "wss") != 0) {
        return;
    }
    check_engine(audit, server, mapping, member);
    check_verify(audit, server, mapping, member);
    name = setting(audit, server, mapping, member, OSP_W_SSL_PROXY_NAME);
    check_off(audit, server, name, ANY_NAME);
    check_off(audit, server, setting(audit, server, mapping, member, OSP_W_SSL_PROXY_EXPIRE),
              "an expired certificate of the back end passes");
    if (!name || !osp_text_is(osp_line_arg(name, 0), "On")) {
        check_off(audit, server, setting(audit, server, mapping, member, OSP_W_SSL_PROXY_CN),
                  ANY_NAME);
    }
}

void osp_check_backend_tls(osp_audit *audit, osp_server *server)
{
    osp_each_worker(audit, server, check_worker);
}
