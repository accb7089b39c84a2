/*
 * check_no_cache.c: rule no-cache: CacheEnable that reaches Reactive or Mobile modules, or those of
 * unknown kind.
 */
#include "check.h"

#include <string.h>

/* What a CacheEnable line reaches: its path, or its section. */
static enum osp_reach cache_reach(const osp_audit *audit, const osp_server *server,
                                  const osp_line *line)
{
    const char *path = osp_line_arg(line, 1);
    const char *host = strstr(path, "://");
    osp_section section = {.kind = OSP_IN_LOCATION, .pattern = path, .line = line};

    if (line->section || !*path) {
        return osp_line_reach(audit, server, line);
    }
    if (host) {
        section.pattern = strchr(host + 3, '/') ? strchr(host + 3, '/') : "/";
    }
    if (*section.pattern != '/' || !osp_server_proxies(server)) {
        return OSP_REACHES_NOTHING; /* a forward proxy's */
    }
    return osp_section_reach(audit->facts, server, &section);
}

void osp_check_no_cache(osp_audit *audit, osp_server *server)
{
    const osp_line *line;

    OSP_EACH_LINE(audit->facts, server, OSP_W_CACHE_ENABLE, line) {
        enum osp_severity severity =
            osp_severity_for(audit, server, line->section, OSP_RULE_NO_CACHE);
        enum osp_reach reach = cache_reach(audit, server, line);
        osp_finding *finding;

        if (reach < OSP_REACHES_UNKNOWN) {
            continue;
        }
        finding = osp_find(
            audit, server, severity, OSP_RULE_NO_CACHE, line, "CacheEnable reaches %s%s",
            reach == OSP_REACHES_STRICT ? "Reactive or Mobile modules" : "modules of unknown kind",
            severity == OSP_NOTE ? ": mod_cache is kept from storing and answering them"
                                 : ", whose clients refuse resources of another version");
        osp_fix_delete(audit, finding, line);
    }
}
