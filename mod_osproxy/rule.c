/*
 * rule.c: the rows of the registry, in the order of the vendor's requirements page, then those of
 * its guide, then those that only the audit knows.
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
    [OSP_RULE_REFERENCED_CONTENT] = {
        .name = "referenced-content",
        .title = "Every declared module is reached by a mapping and blocked by nothing",
        .requirement = "Referenced content availability",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_CAPACITY] = {
        .name = "capacity",
        .title = "The server holds enough idle clients for 30 seconds each",
        .requirement = "When using keep-alive/persistent connections, review the connection "
                       "timeout configuration",
        .scope = OSP_SCOPE_SERVER,
    },
    [OSP_RULE_BACKEND_TLS] = {
        .name = "backend-tls",
        .title = "https to the back end is checked against its certificate",
        .requirement = "End-to-end SSL: the proxy knows whom it talks to",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_PROXY_TIMEOUT] = {
        .name = "proxy-timeout",
        .title = "The proxy waits longer than IIS lets a request run",
        .requirement = "A proxy time-out shorter than the server's 110 seconds turns answers into 504",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_BACKEND_TTL] = {
        .name = "backend-ttl",
        .title = "Idle back-end connections end before IIS closes them",
        .requirement = "IIS closes idle connections after 120 seconds",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_CONSOLES] = {
        .name = "consoles",
        .title = "Management consoles are not reachable from outside",
        .requirement = "Service Center, LifeTime and the like stay off the internet",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_STICKINESS] = {
        .name = "stickiness",
        .title = "Requests are balanced without sticky sessions",
        .requirement = "Session state is in the database: round-robin, no sticky sessions",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_TRUSTED_PROXY] = {
        .name = "trusted-proxy",
        .title = "Only a named hop in front may say who the client is",
        .requirement = "The client address is the first that no trusted proxy wrote",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_HTTPONLY_COOKIES] = {
        .name = "httponly-cookies",
        .title = "Cookies of the platform keep their flags",
        .requirement = "The nr2 cookie stays readable by script, or nobody signs in",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_SECURITY_HEADERS] = {
        .name = "security-headers",
        .title = "The platform's own CSP and HSTS headers stay alone",
        .requirement = "A second CSP or HSTS header conflicts with the platform's",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_METHODS] = {
        .name = "methods",
        .title = "Every method that OutSystems uses passes, PATCH included",
        .requirement = "Server.API uses PATCH",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_ERROR_OVERRIDE] = {
        .name = "error-override",
        .title = "Answers of the back end reach clients unreplaced",
        .requirement = "Clients start from the 403 answers of the platform",
        .scope = OSP_SCOPE_DIRECTORY,
    },
    [OSP_RULE_VIA] = {
        .name = "via",
        .title = "No Via header reaches IIS where Windows authentication is used",
        .requirement = "A Via request header makes IIS sign in every request anew",
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
