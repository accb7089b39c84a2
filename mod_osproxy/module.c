/*
 * module.c: which OutSystems module a path belongs to, by its first segment, and what
 * OSProxyModule declares of it. Every request may ask, so a name is read once, into a hash, and a table
 * of the declared names is made when the configuration is complete.
 */
#include "osproxy.h"

struct osp_module_index {
    apr_uint32_t mask; /* places less one; at least half of them are empty */
    struct place {
        apr_uint64_t hash;
        const osp_module *module; /* NULL: empty */
    } places[1];
};

/* A byte as a name compares it, for IIS does not tell /MyApp from /myapp; 0 where a name ends: a
 * backslash separates too, and a path parameter is no part of it. */
static unsigned char folded[256];

void osp_module_begin(void)
{
    int c;

    for (c = 1; c < 256; c++) {
        folded[c] = (unsigned char)osp_span_lower((char)c);
    }
    folded['/'] = folded['\\'] = folded['?'] = folded[';'] = 0;
}

osp_module_name osp_module_name_of(const char *path)
{
    osp_module_name name = {NULL, 0, 14695981039346656037u}; /* FNV-1a */
    const unsigned char *c = (const unsigned char *)path;

    while (*c == '/' || *c == '\\') {
        c++;
    }
    name.p = (const char *)c;
    for (; folded[*c]; c++) {
        name.hash = (name.hash ^ folded[*c]) * 1099511628211u;
    }
    name.n = (apr_size_t)((const char *)c - name.p);
    return name;
}

static int is_name(const osp_module *module, const osp_module_name *name)
{
    return strncasecmp(module->name, name->p, name->n) == 0 && module->name[name->n] == '\0';
}

/* The place of a name, or the empty one where it would be. */
static struct place *place_of(osp_module_index *index, const osp_module_name *name)
{
    apr_uint32_t at = (apr_uint32_t)(name->hash >> 32) & index->mask;

    while (index->places[at].module
           && !(index->places[at].hash == name->hash && is_name(index->places[at].module, name))) {
        at = (at + 1) & index->mask;
    }
    return &index->places[at];
}

osp_module_index *osp_module_index_make(apr_pool_t *p, const apr_array_header_t *modules)
{
    osp_module_index *index;
    apr_uint32_t places = 8;
    int i;

    while (places < 2 * (apr_uint32_t)modules->nelts) {
        places *= 2;
    }
    index = apr_pcalloc(p, sizeof *index + places * sizeof index->places[0]);
    index->mask = places - 1;
    for (i = 0; i < modules->nelts; i++) {
        const osp_module *declared = &APR_ARRAY_IDX(modules, i, osp_module);
        osp_module_name name = osp_module_name_of(declared->name);
        struct place *place = place_of(index, &name);

        /* A later declaration wins, but one that names no kind takes none away. */
        if (!place->module || declared->kind != OSP_KIND_UNKNOWN) {
            place->hash = name.hash;
            place->module = declared;
        }
    }
    return index;
}

const osp_module *osp_module_find(const osp_server_conf *conf, const osp_module_name *name)
{
    return conf->module_index ? place_of(conf->module_index, name)->module : NULL;
}
