/*
 * check_trusted_proxy.c: rule trusted-proxy: who may say who the client is. Without mod_remoteip
 * behind a hop every client looks like the hop, and so internal; when everybody is trusted, every
 * client may look like anybody.
 */
#include "check.h"

#include <string.h>

#define NARROW 8 /* bits: the widest network that belongs to anybody */
#define HOP "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1"

/* httpd itself refuses /0, not two halves. */
static bool is_wide(const char *network)
{
    const char *slash = strrchr(network, '/'), *rest = "";
    long bits = slash ? osp_text_number(slash + 1, 255, &rest) : -1;

    return bits >= 0 && bits < NARROW && !*rest;
}

static void check_everyone(osp_audit *audit, osp_server *server, enum osp_word word)
{
    const osp_line *line;
    int i;

    OSP_EACH_LINE(audit->facts, server, word, line) {
        osp_out narrow = {.memory = audit->memory};
        const char *wide = NULL;

        for (i = 0; i < line->count; i++) {
            if (is_wide(line->arg[i].text)) {
                wide = wide ? wide : line->arg[i].text;
            }
            else {
                osp_out_format(&narrow, " %s", line->arg[i].text);
            }
        }
        if (wide) {
            osp_fix_replace(audit,
                            osp_find(audit, server, OSP_WARNING, OSP_RULE_TRUSTED_PROXY, line,
                                     "%s %s trusts a great part of the internet: whoever is there "
                                     "can claim to be internal",
                                     line->name, wide),
                            line,
                            osp_text_format(audit->memory, "%s%s", line->name,
                                            narrow.length ? narrow.text : " 127.0.0.1"));
        }
    }
}

/* A line that reads what a hop in front writes. */
static const osp_line *evidence(const osp_facts *facts, const osp_server *server)
{
    static const enum osp_word words[] = {
        OSP_W_REWRITE_COND, OSP_W_SET_ENV_IF, OSP_W_SET_ENV_IF_NO_CASE, OSP_W_SET_ENV_IF_EXPR,
        OSP_W_REQUIRE,      OSP_W_LOG_FORMAT, OSP_W_CUSTOM_LOG};
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        const osp_line *line;

        OSP_EACH_LINE(facts, server, words[i], line) {
            if (osp_text_holds(line->args, "X-Forwarded-For")
                || osp_text_holds(line->args, "X-Forwarded-Proto")
                || osp_text_holds(line->args, "X-Real-IP")) {
                return line;
            }
        }
    }
    return NULL;
}

void osp_check_trusted_proxy(osp_audit *audit, osp_server *server)
{
    const osp_line *header = osp_setting(audit->facts, server, OSP_W_REMOTE_IP_HEADER);
    const osp_line *line;
    osp_finding *finding;

    if (!osp_server_proxies(server)) {
        return;
    }
    check_everyone(audit, server, OSP_W_REMOTE_IP_INTERNAL);
    check_everyone(audit, server, OSP_W_REMOTE_IP_TRUSTED);
    if (header && !server->is_behind_hop) {
        finding =
            osp_find(audit, server, OSP_WARNING, OSP_RULE_TRUSTED_PROXY, header,
                     "RemoteIPHeader without RemoteIPInternalProxy trusts everybody: any client "
                     "can claim to be internal");
        osp_fix_after(audit, finding, header, "RemoteIPInternalProxy 127.0.0.1");
        osp_fix_advice(audit, finding, "put the hop's address in the place of 127.0.0.1");
    }
    line = header ? NULL : evidence(audit->facts, server);
    if (line) {
        finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_TRUSTED_PROXY, line,
                           "this line reads what a hop in front writes, but without mod_remoteip "
                           "every client has the hop's address and looks internal");
        if (!audit->facts->remoteip_is_loaded) {
            osp_fix_advice(audit, finding,
                           "load mod_remoteip (Debian: a2enmod remoteip), and write\n%s", HOP);
            return;
        }
        if (line->section) {
            osp_fix_inside(audit, finding, server, HOP);
        }
        else {
            osp_fix_before(audit, finding, line, HOP);
        }
        osp_fix_advice(audit, finding, "put the hop's address in the place of 127.0.0.1");
    }
}
