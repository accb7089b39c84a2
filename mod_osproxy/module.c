/*
 * module.c: the OutSystems modules that OSProxyModule declares, found by the first segment of a
 * path. Every request may ask, so a table of the names is made when the configuration is complete.
 */
#include "osproxy.h"

struct osp_module_index {
    apr_uint32_t mask; /* places less one; at least half of them are empty */
    struct place {
        apr_uint32_t hash;
        const osp_module *module; /* NULL: empty */
    } places[1];
};

/* A byte as a name compares it, for IIS does not tell /MyApp from /myapp; 0 where a name ends: a
 * backslash separates too, and a path parameter is no part of it. */
static unsigned char folded[256];

static void make_folded(void)
{
    int c;

    for (c = 1; c < 256; c++) {
        folded[c] = (unsigned char)osp_span_lower((char)c);
    }
    folded['/'] = folded['\\'] = folded['?'] = folded[';'] = 0;
}

/* The hash of the name that begins at path, and its end. */
static inline apr_uint32_t hash_name(const char *path, const char **end)
{
    const unsigned char *c = (const unsigned char *)path;
    apr_uint32_t hash = 0;

    for (; folded[*c]; c++) {
        hash = hash * 33 + folded[*c];
    }
    *end = (const char *)c;
    return hash;
}

static int is_name(const osp_module *module, const char *name, apr_size_t length)
{
    return strncasecmp(module->name, name, length) == 0 && module->name[length] == '\0';
}

/* The place of a name, or the empty one where it would be. */
static struct place *place_of(osp_module_index *index, apr_uint32_t hash, const char *name,
                              apr_size_t length)
{
    apr_uint32_t at = (hash ^ hash >> 15) & index->mask;

    while (index->places[at].module
           && !(index->places[at].hash == hash && is_name(index->places[at].module, name, length))) {
        at = (at + 1) & index->mask;
    }
    return &index->places[at];
}

osp_module_index *osp_module_index_make(apr_pool_t *p, const apr_array_header_t *modules)
{
    osp_module_index *index;
    apr_uint32_t places = 8;
    int i;

    make_folded();
    while (places < 2 * (apr_uint32_t)modules->nelts) {
        places *= 2;
    }
    index = apr_pcalloc(p, sizeof *index + places * sizeof index->places[0]);
    index->mask = places - 1;
    for (i = 0; i < modules->nelts; i++) {
        const osp_module *declared = &APR_ARRAY_IDX(modules, i, osp_module);
        const char *end;
        apr_uint32_t hash = hash_name(declared->name, &end);
        struct place *place = place_of(index, hash, declared->name,
                                       (apr_size_t)(end - declared->name));

        /* A later declaration wins, but one that names no kind takes none away. */
        if (!place->module || declared->kind != OSP_KIND_UNKNOWN) {
            place->hash = hash;
            place->module = declared;
        }
    }
    return index;
}

const osp_module *osp_module_find(const osp_server_conf *conf, const char *path)
{
    const char *end;
    apr_uint32_t hash;

    if (!conf->module_index) {
        return NULL;
    }
    while (*path == '/' || *path == '\\') {
        path++;
    }
    hash = hash_name(path, &end);
    return place_of(conf->module_index, hash, path, (apr_size_t)(end - path))->module;
}
