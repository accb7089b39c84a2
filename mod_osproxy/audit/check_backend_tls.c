/*
 * check_backend_tls.c: rule backend-tls: end-to-end TLS whose far end nobody checks.
 */
#include "check.h"

#include <string.h>

static void check_engine(osp_audit *audit, osp_server *server, const osp_line *line,
                         const osp_section *section)
{
    const osp_line *engine = osp_setting_in(audit->facts, server, section, OSP_W_SSL_PROXY_ENGINE);

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

static void check_verify(osp_audit *audit, osp_server *server, const osp_line *line,
                         const osp_section *section)
{
    const osp_line *verify = osp_setting_in(audit->facts, server, section, OSP_W_SSL_PROXY_VERIFY);
    const osp_line *ca = osp_setting_in(audit->facts, server, section, OSP_W_SSL_PROXY_CA);
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
    if (!ca && !osp_setting_in(audit->facts, server, section, OSP_W_SSL_PROXY_CA_PATH)) {
        text = "SSLProxyVerify require\n"
               "SSLProxyCACertificateFile /etc/ssl/certs/ca-certificates.crt";
    }
    osp_fix_setting(audit, finding, server, verify, text);
}

static void check_off(osp_audit *audit, osp_server *server, const osp_section *section,
                      enum osp_word word, const char *what)
{
    const osp_line *check = osp_setting_in(audit->facts, server, section, word);

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
    /* a <Proxy> section of the back end may say more than its virtual host */
    const osp_section *section = mapping->pool ? mapping->pool->section : NULL;
    const osp_line *line = mapping->line, *name;

    if (strcmp(scheme, "https") != 0 && strcmp(scheme, "h2") != 0 && strcmp(scheme, "wss") != 0) {
        return;
    }
    check_engine(audit, server, line, section);
    check_verify(audit, server, line, section);
    check_off(audit, server, section, OSP_W_SSL_PROXY_NAME,
              "any certificate passes for the back end's, whatever name it bears");
    check_off(audit, server, section, OSP_W_SSL_PROXY_EXPIRE,
              "an expired certificate of the back end passes");
    name = osp_setting_in(audit->facts, server, section, OSP_W_SSL_PROXY_NAME);
    if (!name || !osp_text_is(osp_line_arg(name, 0), "On")) {
        check_off(audit, server, section, OSP_W_SSL_PROXY_CN,
                  "any certificate passes for the back end's, whatever name it bears");
    }
}

void osp_check_backend_tls(osp_audit *audit, osp_server *server)
{
    osp_each_worker(audit, server, check_worker);
}
