/*
 * check_trusted_proxy.c: rule trusted-proxy: who may say who the client is. Without mod_remoteip
 * behind a hop every client looks like the hop, and so internal; when everybody is trusted, every
 * client may look like anybody.
 */
#include "check.h"

#include <string.h>

#define HOP "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1"

/* A network that no farm's own can be: httpd refuses a mask of 0, but takes two halves of the world. */
static bool is_everybody(const char *net)
{
    const char *slash = strrchr(net, '/');
    int bits = 0;

    if (!slash || !slash[1]) {
        return false;
    }
    for (slash++; *slash >= '0' && *slash <= '9' && bits < 1000; slash++) {
        bits = bits * 10 + (*slash - '0');
    }
    return !*slash && bits < (strchr(net, ':') ? 16 : 8);
}

static void check_everyone(osp_audit *audit, osp_server *server, enum osp_word word)
{
    const osp_line *line;
    osp_finding *finding;
    int i;

    OSP_EACH_LINE(audit->facts, server, word, line) {
        for (i = 0; i < line->count; i++) {
            if (is_everybody(line->arg[i].text)) {
                finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_TRUSTED_PROXY, line,
                                   "%s %s trusts half the world and more: any client can claim to "
                                   "be internal", line->name, line->arg[i].text);
                osp_fix_replace(audit, finding, line,
                                osp_text_format(audit->memory, "%s 127.0.0.1", line->name));
                osp_fix_advice(audit, finding, "put the hop's address in the place of 127.0.0.1");
                break;
            }
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
        if (audit->facts->remoteip_is_loaded && line->section) {
            osp_fix_inside(audit, finding, server, HOP);
        }
        else if (audit->facts->remoteip_is_loaded) {
            osp_fix_before(audit, finding, line, HOP);
        }
        osp_fix_advice(audit, finding, "put the hop's address in the place of 127.0.0.1%s",
                       audit->facts->remoteip_is_loaded
                           ? ""
                           : "; load mod_remoteip (Debian: a2enmod remoteip)");
    }
}
