/*
 * rule.c: the rows of the registry, in the order of the vendor's requirements page, then those of
 * its guide.
 */
#include <strings.h>

#include "rule.h"

static const osp_rule rules[OSP_RULE_COUNT] = {
    [OSP_RULE_PRESERVE_HOST] = {
        .name = "preserve-host",
        .title = "The back end receives the Host the client sent",
        .requirement = "Maintain original host header of the request",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_DEFAULT_PORTS] = {
        .name = "default-ports",
        .title = "Requests for a port other than 80 or 443 are reported",
        .requirement = "Only the default ports for protocols HTTP and HTTPS are supported",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_NEGOTIATE] = {
        .name = "negotiate",
        .title = "External clients are not offered Negotiate",
        .requirement = "Disable NEGOTIATE protocol for Windows Integrated Authentication",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_DOMAIN_HTTPS] = {
        .name = "domain-https",
        .title = "Reactive and Mobile modules are served over https on their domain",
        .requirement = "Applications available externally using the domain name configured in "
                       "Service Center and via HTTPS",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_PATH_UNCHANGED] = {
        .name = "path-unchanged",
        .title = "Path and query reach the back end byte for byte",
        .requirement = "URL paths of applications must be kept unchanged",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_NO_CACHE] = {
        .name = "no-cache",
        .title = "Nothing of a Reactive or Mobile module is cached by the proxy",
        .requirement = "Don't cache Mobile/Reactive App resources in the reverse proxy",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_KEEP_ALIVE] = {
        .name = "keep-alive",
        .title = "Idle client connections are kept for at least 30 seconds",
        .requirement = "When using keep-alive/persistent connections, review the connection "
                       "timeout configuration",
        .scope = OSP_SCOPE_SERVER,
    },
    [OSP_RULE_FORWARDED_PROTO] = {
        .name = "forwarded-proto",
        .title = "X-Forwarded-Proto is the scheme the client used; spoofed copies go",
        .requirement = "SSL offload: the back end is told the protocol of the client",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_PINNED_AUTH] = {
        .name = "pinned-auth",
        .title = "Who signs in with Windows authentication has a back-end connection of their own",
        .requirement = "Windows authentication works and serves nobody another one's identity",
        .scope = OSP_SCOPE_DIRECTORY,
    },
};

const osp_rule *osp_rule_get(enum osp_rule_id id)
{
    return &rules[id];
}

enum osp_rule_id osp_rule_find(const char *name)
{
    int id;

    for (id = 0; id < OSP_RULE_COUNT; id++) {
        if (strcasecmp(rules[id].name, name) == 0) {
            break;
        }
    }
    return (enum osp_rule_id)id;
}

const char *osp_mode_name(enum osp_mode mode)
{
    static const char *const names[] = {"off", "report", "enforce"};

    return names[mode];
}
