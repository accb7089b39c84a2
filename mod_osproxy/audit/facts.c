/*
 * facts.c: from the lines of a configuration to facts: whose a line is, what a virtual host is
 * called, what it maps where.
 */
#include "facts.h"

#include <string.h>

#include "../parse/path.h"

/* ---- lines --------------------------------------------------------------------------------- */

osp_server *osp_facts_server(osp_facts *facts, const char *name)
{
    osp_server *server = osp_take(facts->memory, sizeof *server);

    server->name = name ? name : "";
    server->is_main = !facts->main;
    server->index = facts->server_count;
    server->keep_alive = true;
    server->keep_alive_ms = 5000;
    server->keep_alive_max = 100;
    server->keep_alive_floor = 30;
    server->pools.memory = facts->memory;
    if (facts->main) {
        facts->last->next = server;
    }
    else {
        facts->main = server;
        facts->named.memory = facts->memory;
        facts->filters.memory = facts->memory;
    }
    facts->last = server;
    facts->server_count++;
    return server;
}

static enum osp_section_kind kind_of(const char *name)
{
    static const struct {
        const char *name;
        enum osp_section_kind kind;
    } kinds[] = {
        {"<Location", OSP_IN_LOCATION},   {"<LocationMatch", OSP_IN_LOCATION_MATCH},
        {"<Directory", OSP_IN_FILES},     {"<DirectoryMatch", OSP_IN_FILES},
        {"<Files", OSP_IN_FILES},         {"<FilesMatch", OSP_IN_FILES},
        {"<Proxy", OSP_IN_PROXY},         {"<ProxyMatch", OSP_IN_PROXY},
        {"<If", OSP_IN_CONDITION},        {"<ElseIf", OSP_IN_CONDITION},
        {"<Else", OSP_IN_CONDITION},      {"<Limit", OSP_IN_METHODS},
        {"<LimitExcept", OSP_IN_METHODS},
    };
    size_t i;

    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (osp_text_is(name, kinds[i].name)) {
            return kinds[i].kind;
        }
    }
    return OSP_IN_OTHER;
}

static osp_section *make_section(osp_facts *facts, const osp_section *parent, const osp_line *line)
{
    osp_section *section = osp_take(facts->memory, sizeof *section);

    section->kind = kind_of(line->name);
    section->parent = parent;
    section->line = line;
    section->pattern = osp_line_arg(line, 0);
    if (section->kind == OSP_IN_LOCATION && osp_text_is(section->pattern, "~")) {
        section->kind = OSP_IN_LOCATION_MATCH;
        section->pattern = osp_line_arg(line, 1);
    }
    return section;
}

osp_section *osp_facts_line(osp_facts *facts, osp_server *server, const osp_section *section,
                            const char *name, const char *args, const char *file, int number,
                            const char *used)
{
    enum osp_word word = osp_word_find(name);
    bool opens = name[0] == '<';
    osp_line *line;
    size_t length;
    osp_arg *arg;

    if (word == OSP_W_COUNT && !opens) {
        return NULL;
    }
    args = args ? args : "";
    length = strlen(args);
    if (opens && length && args[length - 1] == '>') {
        args = osp_text_copy(facts->memory, args, length - 1);
    }
    line = osp_take(facts->memory, sizeof *line);
    *line = (osp_line){.word = word,
                       .name = name,
                       .args = args,
                       .file = file,
                       .line = number,
                       .used = used,
                       .server = server,
                       .section = section};
    line->count = osp_args_split(facts->memory, args, &arg);
    line->arg = arg;
    if (word != OSP_W_COUNT) {
        if (server->last[word]) {
            server->last[word]->next = line;
        }
        else {
            server->first[word] = line;
        }
        server->last[word] = line;
    }
    if (section && (word == OSP_W_OSP_RULE || word == OSP_W_OSP_ENGINE)) {
        osp_section *open = (osp_section *)section; /* made here, a few lines below */

        if (open->rule_count < (int)(sizeof open->rules / sizeof open->rules[0])) {
            open->rules[open->rule_count++] = line;
        }
    }
    if (osp_text_is(name, "<VirtualHost")) {
        server->opening = line;
        return NULL;
    }
    return opens ? make_section(facts, section, line) : NULL;
}

/* ---- what follows from the lines ----------------------------------------------------------- */

static void read_addresses(osp_facts *facts, osp_server *server)
{
    int i;

    if (!server->opening || server->is_main) {
        return;
    }
    server->addresses =
        osp_take(facts->memory, (size_t)(server->opening->count + 1) * sizeof(osp_address));
    for (i = 0; i < server->opening->count; i++) {
        const char *text = osp_line_arg(server->opening, i), *colon = strrchr(text, ':'), *rest;
        const char *bracket = strrchr(text, ']');
        osp_address *address = &server->addresses[server->address_count++];
        long port;

        if (colon && ((bracket && colon < bracket) || (!bracket && strchr(text, ':') != colon))) {
            colon = NULL; /* it belongs to the address */
        }
        address->host = colon ? osp_text_copy(facts->memory, text, (size_t)(colon - text)) : text;
        port = colon ? osp_text_number(colon + 1, 65535, &rest) : 0;
        address->port = port > 0 ? (int)port : 0;
    }
}

/* The host of a ServerName: without scheme and port. */
static const char *host_of(const osp_memory *memory, const char *name)
{
    const char *scheme = strstr(name, "://");
    const char *end;

    name = scheme ? scheme + 3 : name;
    end = *name == '[' ? strchr(name, ']') : NULL;
    end = end ? end + 1 : name + strcspn(name, ":/");
    return osp_text_copy(memory, name, (size_t)(end - name));
}

static void read_names(osp_facts *facts, osp_server *server)
{
    const osp_line *line, *own = osp_line_outside(server, OSP_W_SERVER_NAME);
    int count = 1, i;

    for (line = server->first[OSP_W_SERVER_ALIAS]; line; line = line->next) {
        count += line->count;
    }
    server->names = osp_take(facts->memory, (size_t)count * sizeof *server->names);
    if (own) {
        server->name = host_of(facts->memory, osp_line_arg(own, 0));
    }
    if (*server->name) {
        server->names[server->name_count++] = server->name;
    }
    for (line = server->first[OSP_W_SERVER_ALIAS]; line; line = line->next) {
        for (i = 0; i < line->count; i++) {
            server->names[server->name_count++] = osp_line_arg(line, i);
        }
    }
}

static bool listens_with_https(const osp_facts *facts, int port)
{
    const osp_line *line;

    for (line = facts->main->first[OSP_W_LISTEN]; line; line = line->next) {
        const char *text = osp_line_arg(line, 0), *colon = strrchr(text, ':'), *rest;

        if (osp_text_number(colon ? colon + 1 : text, 65535, &rest) == port) {
            return line->count > 1 ? osp_text_is(osp_line_arg(line, 1), "https") : port == 443;
        }
    }
    return false;
}

static bool is_tls(const osp_facts *facts, const osp_server *server)
{
    const osp_line *line = osp_setting(facts, server, OSP_W_SSL_ENGINE);
    int port = osp_server_port(server);

    if (line) {
        return !osp_text_is(osp_line_arg(line, 0), "off");
    }
    /* mod_ssl then goes by the listener's protocol; without a certificate it would not start */
    return port && osp_setting(facts, server, OSP_W_CERTIFICATE) && listens_with_https(facts, port);
}

static char *pool_key(const osp_memory *memory, const char *url)
{
    char *key = osp_text_lower(memory, url);
    size_t length = strlen(key);

    while (length && key[length - 1] == '/') {
        key[--length] = '\0';
    }
    return key;
}

static osp_pool *pool_named(osp_facts *facts, osp_server *server, const char *url)
{
    const char *key = pool_key(facts->memory, url);
    osp_pool *pool = osp_map_get(&server->pools, key);

    if (!pool) {
        pool = osp_take(facts->memory, sizeof *pool);
        pool->url = key;
        osp_map_add(&server->pools, key, pool);
    }
    return pool;
}

/* The URL that a line in <Proxy> or with one as its first argument is about; NULL when none. */
static const char *pool_url(const osp_line *line)
{
    const osp_section *section = line->section;

    if (strstr(osp_line_arg(line, 0), "://") && (line->word == OSP_W_PROXY_SET || line->count > 1)
        && (line->word == OSP_W_PROXY_SET || osp_text_begins(osp_line_arg(line, 0), "balancer:"))) {
        return osp_line_arg(line, 0);
    }
    while (section && section->kind != OSP_IN_PROXY) {
        section = section->parent;
    }
    return section && osp_text_is(section->line->name, "<Proxy") ? section->pattern : NULL;
}

static void read_pools(osp_facts *facts, osp_server *server)
{
    const osp_line *line;

    for (line = server->first[OSP_W_BALANCER_MEMBER]; line; line = line->next) {
        const char *url = pool_url(line);
        osp_member *member;
        osp_pool *pool;

        if (!url) {
            continue;
        }
        pool = pool_named(facts, server, url);
        member = osp_take(facts->memory, sizeof *member);
        member->line = line;
        member->url_arg = url == osp_line_arg(line, 0) ? 1 : 0;
        member->target = osp_target_read(facts->memory, osp_line_arg(line, member->url_arg));
        if (pool->last) {
            pool->last->next = member;
        }
        else {
            pool->members = member;
        }
        pool->last = member;
    }
    for (line = server->first[OSP_W_PROXY_SET]; line; line = line->next) {
        const char *url = pool_url(line);
        osp_pool *pool = url ? pool_named(facts, server, url) : NULL;

        if (pool && pool->set_count < (int)(sizeof pool->sets / sizeof pool->sets[0])) {
            pool->sets[pool->set_count++] = line;
        }
    }
}

static const osp_pool *find_pool(const osp_facts *facts, const osp_server *server,
                                 const osp_target *target)
{
    const char *key;
    const osp_pool *pool;

    if (!*target->host) {
        return NULL;
    }
    key = pool_key(facts->memory,
                   target->port
                       ? osp_text_format(facts->memory, "%s://%s:%d", target->scheme, target->host,
                                         target->port)
                       : osp_text_format(facts->memory, "%s://%s", target->scheme, target->host));
    pool = osp_map_get(&server->pools, key);
    return pool ? pool : osp_map_get(&facts->main->pools, key);
}

static bool has_flag(const char *flags, const char *flag)
{
    size_t length = strlen(flag);
    const char *c;

    for (c = flags; (c = strpbrk(c, "[, ")) != NULL;) {
        c += strspn(c, "[, ");
        if (osp_text_begins(c, flag)
            && (c[length] == ',' || c[length] == ']' || c[length] == ' ' || c[length] == '='
                || !c[length])) {
            return true;
        }
    }
    return false;
}

static bool read_mapping(osp_facts *facts, const osp_server *server, const osp_line *line,
                         osp_mapping *mapping)
{
    const osp_section *section = line->section;
    int interpolate = 0;
    const char *url;

    *mapping = (osp_mapping){.line = line, .path = ""};
    switch (line->word) {
    case OSP_W_PROXY_PASS:
    case OSP_W_PROXY_PASS_MATCH:
        mapping->kind = line->word == OSP_W_PROXY_PASS ? OSP_MAP_PREFIX : OSP_MAP_REGEX;
        mapping->is_regex = mapping->kind == OSP_MAP_REGEX;
        while (section && section->kind != OSP_IN_LOCATION
               && section->kind != OSP_IN_LOCATION_MATCH) {
            section = section->parent;
        }
        mapping->path_arg = section ? -1 : 0;
        mapping->url_arg = section ? 0 : 1;
        mapping->path = section ? section->pattern : osp_line_arg(line, 0);
        mapping->is_regex |= section && section->kind == OSP_IN_LOCATION_MATCH;
        break;
    case OSP_W_REWRITE_RULE:
        if (line->count < 3 || !has_flag(osp_line_arg(line, 2), "P")) {
            if (line->count < 3 || !has_flag(osp_line_arg(line, 2), "proxy")) {
                return false;
            }
        }
        mapping->kind = OSP_MAP_REWRITE;
        mapping->is_regex = true;
        mapping->path_arg = 0;
        mapping->url_arg = 1;
        mapping->path = osp_line_arg(line, 0);
        break;
    default:
        if (!osp_text_begins(osp_line_arg(line, 0), "proxy:")) {
            return false;
        }
        mapping->kind = OSP_MAP_HANDLER;
        mapping->path_arg = -1;
        interpolate = 6;
        break;
    }
    url = osp_line_arg(line, mapping->url_arg) + interpolate;
    if (strcmp(url, "!") == 0) {
        mapping->kind = OSP_MAP_EXCLUDE;
    }
    mapping->target = osp_target_read(facts->memory, url);
    mapping->pool = find_pool(facts, server, &mapping->target);
    return true;
}

static int count_lines(const osp_server *server)
{
    static const enum osp_word words[] = {OSP_W_REWRITE_RULE, OSP_W_PROXY_PASS,
                                          OSP_W_PROXY_PASS_MATCH, OSP_W_SET_HANDLER};
    const osp_line *line;
    int count = 0;
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (line = server->first[words[i]]; line; line = line->next) {
            count++;
        }
    }
    return count;
}

static void add_mappings(osp_facts *facts, osp_server *server, const osp_server *from)
{
    const osp_line *pass = from->first[OSP_W_PROXY_PASS];
    const osp_line *match = from->first[OSP_W_PROXY_PASS_MATCH];
    const osp_line *line;

    /* the two are one list, in the order written: the line numbers of one file tell */
    while (pass || match) {
        bool take = !match
                    || (pass && strcmp(pass->file, match->file) == 0 && pass->line < match->line)
                    || (pass && strcmp(pass->file, match->file) != 0);

        line = take ? pass : match;
        server->mapping_count +=
            read_mapping(facts, server, line, &server->mappings[server->mapping_count]);
        pass = take ? pass->next : pass;
        match = take ? match : match->next;
    }
    for (line = from->first[OSP_W_SET_HANDLER]; line; line = line->next) {
        server->mapping_count +=
            read_mapping(facts, server, line, &server->mappings[server->mapping_count]);
    }
    if (from != server) {
        return; /* rewriting is not inherited */
    }
    for (line = from->first[OSP_W_REWRITE_RULE]; line; line = line->next) {
        server->mapping_count +=
            read_mapping(facts, server, line, &server->mappings[server->mapping_count]);
    }
}

static void read_mappings(osp_facts *facts, osp_server *server)
{
    int count = count_lines(server) + (server->is_main ? 0 : count_lines(facts->main));

    server->mappings = osp_take(facts->memory, (size_t)(count + 1) * sizeof *server->mappings);
    if (!server->is_main) {
        add_mappings(facts, server, facts->main);
    }
    add_mappings(facts, server, server);
}

/* Lines of a word, the main server's first. */
static int gather(const osp_facts *facts, const osp_server *server, enum osp_word word, bool both,
                  const osp_line ***into)
{
    const osp_line *line;
    int count = 0, n = 0;

    for (line = server->first[word]; line; line = line->next) {
        count++;
    }
    for (line = both ? facts->main->first[word] : NULL; line; line = line->next) {
        count++;
    }
    *into = osp_take(facts->memory, (size_t)(count + 1) * sizeof **into);
    for (line = both ? facts->main->first[word] : NULL; line; line = line->next) {
        (*into)[n++] = line;
    }
    for (line = server->first[word]; line; line = line->next) {
        (*into)[n++] = line;
    }
    return n;
}

static bool is_behind_hop(const osp_facts *facts, const osp_server *server)
{
    return osp_setting(facts, server, OSP_W_REMOTE_IP_HEADER)
           && (osp_line_first(facts, server, OSP_W_REMOTE_IP_INTERNAL)
               || osp_line_first(facts, server, OSP_W_REMOTE_IP_TRUSTED)
               || osp_line_first(facts, server, OSP_W_REMOTE_IP_INTERNAL_LIST)
               || osp_line_first(facts, server, OSP_W_REMOTE_IP_TRUSTED_LIST));
}

static bool is_windows(const osp_facts *facts, const osp_server *server)
{
    const osp_line *line;

    if (osp_line_first(facts, server, OSP_W_OSP_INTERNAL)) {
        return true;
    }
    OSP_EACH_LINE(facts, server, OSP_W_OSP_RULE, line) {
        if ((osp_text_is(osp_line_arg(line, 0), "pinned-auth")
             || osp_text_is(osp_line_arg(line, 0), "negotiate"))
            && !osp_text_is(osp_line_arg(line, 1), "off")) {
            return true;
        }
    }
    OSP_EACH_LINE(facts, server, OSP_W_AUTH_TYPE, line) {
        if (osp_text_is(osp_line_arg(line, 0), "GSSAPI")
            || osp_text_is(osp_line_arg(line, 0), "NTLM")
            || osp_text_is(osp_line_arg(line, 0), "Kerberos")) {
            return true;
        }
    }
    return false;
}

static bool main_is_reachable(const osp_facts *facts)
{
    const osp_server *server;
    const osp_line *line;
    int i;

    for (line = facts->main->first[OSP_W_LISTEN]; line; line = line->next) {
        const char *text = osp_line_arg(line, 0), *colon = strrchr(text, ':'), *rest;
        long port = osp_text_number(colon ? colon + 1 : text, 65535, &rest);
        bool covered = false;

        for (server = facts->main->next; server && !covered; server = server->next) {
            for (i = 0; i < server->address_count; i++) {
                covered |= server->addresses[i].port == 0 || server->addresses[i].port == port;
            }
        }
        if (!covered) {
            return true;
        }
    }
    return !facts->main->next;
}

static void find_first(osp_facts *facts, osp_map *seen, osp_server *server)
{
    int i;

    for (i = 0; i < server->address_count; i++) {
        osp_address *address = &server->addresses[i];
        const char *host = osp_host_is_any(address->host) ? "*" : address->host;

        address->first =
            osp_map_add(seen, osp_text_format(facts->memory, "%s:%d", host, address->port), server);
    }
}

/* Whether a section of these lines turns the engine on: what it covers is audited, nothing else. */
static bool is_on_in_a_section(const osp_server *server)
{
    const osp_line *line = server->first[OSP_W_OSP_ENGINE];

    while (line && !(line->section && osp_engine_read(line) != OSP_AUDIT_OFF)) {
        line = line->next;
    }
    return line != NULL;
}

static void read_engine(osp_facts *facts, osp_server *server)
{
    const osp_line *line = osp_setting(facts, server, OSP_W_OSP_ENGINE);

    server->engine = line ? osp_engine_read(line) : OSP_AUDIT_OFF;
    if (facts->survey) {
        server->engine = OSP_AUDIT_ON;
    }
    server->audited = server->engine != OSP_AUDIT_OFF || is_on_in_a_section(server)
                      || is_on_in_a_section(facts->main);
    if (facts->survey && !osp_server_proxies(server)) {
        server->audited = false; /* not everything on a server is OutSystems */
    }
    if (server->is_main && facts->main->next
        && (!osp_server_proxies(server) || !main_is_reachable(facts))) {
        server->audited = false;
    }
}

static void index_names(osp_facts *facts, osp_server *server)
{
    bool is_glob = false;
    int i, j;

    for (i = 0; i < server->name_count; i++) {
        is_glob |= strpbrk(server->names[i], "*?") != NULL;
        for (j = 0; j < server->address_count; j++) {
            osp_map_add(&facts->named,
                        osp_text_format(facts->memory, "%s:%d", server->names[i],
                                        server->addresses[j].port),
                        server);
        }
    }
    if (is_glob) {
        facts->globs[facts->glob_count++] = server;
    }
}

void osp_facts_finish(osp_facts *facts)
{
    osp_map addresses = {.memory = facts->memory};
    const osp_line *line;
    osp_server *server;

    for (line = facts->main->first[OSP_W_EXT_FILTER_DEFINE]; line; line = line->next) {
        osp_map_add(&facts->filters, osp_line_arg(line, 0), (void *)line);
    }
    facts->globs = osp_take(facts->memory, (size_t)facts->server_count * sizeof(osp_server *));
    for (server = facts->main; server; server = server->next) {
        read_addresses(facts, server);
        find_first(facts, &addresses, server);
        read_names(facts, server);
        index_names(facts, server);
        read_pools(facts, server);
    }
    for (server = facts->main; server; server = server->next) {
        server->is_tls = is_tls(facts, server);
        server->is_behind_hop = is_behind_hop(facts, server);
        server->is_windows = is_windows(facts, server);
        server->module_count =
            gather(facts, server, OSP_W_OSP_MODULE, !server->is_main, &server->modules);
        server->domain_count = gather(facts, server, OSP_W_OSP_DOMAIN, false, &server->domains);
        if (!server->domain_count && !server->is_main) {
            server->domain_count =
                gather(facts, facts->main, OSP_W_OSP_DOMAIN, false, &server->domains);
        }
        read_mappings(facts, server);
        read_engine(facts, server);
    }
}
