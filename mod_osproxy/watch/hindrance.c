/*
 * hindrance.c: what keeps the watcher from asking a front door, read from the configuration: the PROXY
 * protocol (mod_remoteip), which begins a connection with a line that only the hop in front can write,
 * and client certificates (mod_ssl). What cannot be asked is no finding.
 */
#include "apr_strings.h"
#include "http_core.h"

#include "watch/watch.h"

typedef struct search {
    server_rec *main_server;
    const server_rec *s;
    apr_pool_t *p;
    const char *connect; /* host:port that the watcher connects to */
    int found;
} search;

static int is_word(const char *args, const char *word)
{
    apr_size_t length = strlen(word);

    args += *args == '"';
    return strncasecmp(args, word, length) == 0 && (!args[length] || strchr("\" \t", args[length]));
}

/* Whether an address of a virtual host takes connections to one of s: any port is 0. */
static int covers(const server_rec *other, const server_rec *s)
{
    const server_addr_rec *a, *b;
    char *any = NULL;

    for (a = other->addrs; a; a = a->next) {
        apr_sockaddr_ip_get(&any, a->host_addr);
        for (b = s->addrs; b; b = b->next) {
            if ((!a->host_port || a->host_port == b->host_port)
                && ((any && (strcmp(any, "0.0.0.0") == 0 || strcmp(any, "::") == 0))
                    || apr_sockaddr_equal(a->host_addr, b->host_addr))) {
                return 1;
            }
        }
    }
    return 0;
}

/* By address and port, whatever the virtual host; the last line counts. */
static void read_proxy_protocol(void *baton, const server_rec *s, int in_section, const char *args)
{
    search *in = baton;

    (void)in_section;
    if (covers(s ? s : in->main_server, in->s)) {
        in->found = is_word(args, "on");
    }
}

/* Where a connection to an address comes from: the system says, without sending anything. */
static apr_sockaddr_t *source_of(const char *connect, apr_pool_t *p)
{
    apr_sockaddr_t *there, *here = NULL;
    apr_socket_t *socket;
    apr_port_t port;
    char *host = NULL, *scope = NULL;

    if (apr_parse_addr_port(&host, &scope, &port, connect, p) != APR_SUCCESS || !host
        || apr_sockaddr_info_get(&there, host, APR_UNSPEC, port, 0, p) != APR_SUCCESS
        || apr_socket_create(&socket, there->family, SOCK_DGRAM, 0, p) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_socket_connect(socket, there) != APR_SUCCESS
        || apr_socket_addr_get(&here, APR_LOCAL, socket) != APR_SUCCESS) {
        here = NULL;
    }
    apr_socket_close(socket);
    return here;
}

/* Networks whose connections begin without that line. */
static void read_exceptions(void *baton, const server_rec *s, int in_section, const char *args)
{
    search *in = baton;
    apr_sockaddr_t *here = source_of(in->connect, in->p);
    apr_ipsubnet_t *network;
    char *word;

    (void)s;
    (void)in_section;
    while (here && *(word = ap_getword_conf(in->p, &args)) != '\0') {
        char *mask = strchr(word, '/');

        if (mask) {
            *mask++ = '\0';
        }
        if (apr_ipsubnet_create(&network, word, mask, in->p) == APR_SUCCESS
            && apr_ipsubnet_test(network, here)) {
            in->found = 1;
        }
    }
}

/* In a section a certificate is asked for later, and only there. */
static void read_verify_in_section(void *baton, const server_rec *s, int in_section, const char *args)
{
    search *in = baton;

    in->found = in->found || (in_section && (!s || s == in->s) && is_word(args, "require"));
}

static int look(search in, const char *directive,
                void (*read)(void *, const server_rec *, int, const char *))
{
    osp_settings_each(in.main_server, directive, read, &in);
    return in.found;
}

enum osp_hindrance osp_hindrance_of(apr_pool_t *p, server_rec *main_server, const server_rec *s,
                                    int https, const char *connect)
{
    search in = {main_server, s, p, connect, 0};
    const char *verify = osp_settings_written(s, main_server, "SSLVerifyClient");

    if (look(in, "RemoteIPProxyProtocol", read_proxy_protocol)
        && !look(in, "RemoteIPProxyProtocolExceptions", read_exceptions)) {
        return OSP_HINDRANCE_PROXY_PROTOCOL;
    }
    verify = verify ? verify : osp_settings_written(main_server, main_server, "SSLVerifyClient");
    return https && verify && is_word(verify, "require") ? OSP_HINDRANCE_CERTIFICATE
                                                         : OSP_HINDRANCE_NONE;
}

int osp_hindrance_in_sections(apr_pool_t *p, server_rec *main_server, const server_rec *s)
{
    search in = {main_server, s, p, NULL, 0};

    return look(in, "SSLVerifyClient", read_verify_in_section);
}
