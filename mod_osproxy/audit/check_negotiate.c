/*
 * check_negotiate.c: rule negotiate: the module takes Negotiate out of the back end's challenges
 * and leaves NTLM; a Header line that does it by hand takes NTLM along.
 */
#include "check.h"

void osp_check_negotiate(osp_audit *audit, osp_server *server)
{
    const osp_line *line;

    if (osp_server_proxies(server)) {
        osp_enforced(audit, server, OSP_RULE_NEGOTIATE, NULL);
    }
    OSP_EACH_LINE(audit->facts, server, OSP_W_HEADER, line) {
        osp_header_line header = osp_header_read(line);
        const char *action = osp_line_arg(line, header.action);

        if (osp_header_is(line, &header, "WWW-Authenticate")
            && (osp_text_is(action, "unset") || osp_text_is(action, "set"))
            && osp_line_reach(audit, server, line) != OSP_REACHES_NOTHING) {
            osp_finding *finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_NEGOTIATE, line,
                                            "Header %s WWW-Authenticate takes the NTLM challenge "
                                            "away along with Negotiate, so nobody can sign in",
                                            action);

            osp_fix_delete(audit, finding, line);
        }
    }
}
