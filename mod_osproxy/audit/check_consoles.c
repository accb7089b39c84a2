/*
 * check_consoles.c: rule consoles: management consoles that everybody reaches.
 */
#include "check.h"

#include <string.h>

static const char *const consoles[] = {
    "ServiceCenter",    "lifetime",           "LifeTimeSDK", "LifeTimeCore",    "lifetimeapi",
    "LifeTimeServices", "PerformanceMonitor", "server.api",  "server.identity", "Users",
};

bool osp_console_is(const char *name, size_t length)
{
    size_t i;

    for (i = 0; i < sizeof consoles / sizeof consoles[0]; i++) {
        if (strlen(consoles[i]) == length && osp_text_begins(name, consoles[i])) {
            return true;
        }
    }
    return false;
}

#define SECTION                                                                                    \
    "<LocationMatch \"(?i)^/+(ServiceCenter|lifetime|LifeTimeSDK|LifeTimeCore|lifetimeapi"         \
    "|LifeTimeServices|PerformanceMonitor|server\\.api|server\\.identity|Users)(/|$)\">\n"         \
    "    Require %s\n</LocationMatch>"

const char *osp_consoles_section(const osp_audit *audit)
{
    return osp_text_format(audit->memory, SECTION,
                           audit->facts->survey ? "local" : "osproxy-internal");
}

bool osp_consoles_are_open(const osp_audit *audit, const osp_server *server)
{
    const osp_line *by;

    return osp_path_block(audit, server, "/ServiceCenter/x", &by) == OSP_OPEN;
}

/* ProxyPass / http://h/MyApp/ leads to no console: /MyApp/ServiceCenter is none. */
static bool changes_path(const osp_mapping *mapping)
{
    const char *path = mapping->target.path;
    size_t length = strlen(path);

    while (length && path[length - 1] == '/') {
        length--;
    }
    return mapping->kind == OSP_MAP_PREFIX && length
           && (strncmp(mapping->path, path, length) != 0 || strlen(mapping->path) < length);
}

void osp_check_consoles(osp_audit *audit, osp_server *server)
{
    osp_out open = {.memory = audit->memory};
    const osp_mapping *first = NULL;
    const osp_line *by;
    osp_finding *finding;
    int count = 0;
    size_t i;

    for (i = 0; i < sizeof consoles / sizeof consoles[0]; i++) {
        const char *path = osp_text_format(audit->memory, "/%s/x", consoles[i]);
        const osp_mapping *mapping = osp_mapping_for(audit->facts, server, path);

        if (!mapping || mapping->kind == OSP_MAP_EXCLUDE || changes_path(mapping)
            || osp_path_block(audit, server, path, &by) != OSP_OPEN) {
            continue;
        }
        first = first ? first : mapping;
        if (count++ < 3) {
            osp_out_format(&open, "%s/%s", count > 1 ? ", " : "", consoles[i]);
        }
    }
    if (!count) {
        return;
    }
    if (count > 3) {
        osp_out_format(&open, " and %d more", count - 3);
    }
    finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_CONSOLES, first->line,
                       "management consoles are reachable by everybody: %s", open.text);
    osp_fix_inside(audit, finding, server, osp_consoles_section(audit));
}
