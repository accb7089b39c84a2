/*
 * learn.c: from the mail of requests to the model: which modules there are, and which of them refer
 * to which (rule referenced-content).
 */
#include "apr_strings.h"

#include "audit/check.h"
#include "parse/coding.h"
#include "parse/css.h"
#include "parse/links.h"
#include "parse/url.h"
#include "watch/watch.h"

#define DECODED (512 * 1024)
#define GUESSES 64 /* modules that only failed requests name, and that no app server is known to have */

/* ---- where things are ------------------------------------------------------------------------------ */

/* Of this process, and worked out anew when the table is not as it left it. Open addressing; a place
 * holds 1 + an index. */
static apr_uint16_t module_places[4 * OSP_MODEL_MODULES], reference_places[65536];
static apr_uint32_t placed_modules, placed_references;
static int kept = -1; /* a module that is being read, which nobody replaces */

#define PLACES(table) (sizeof(table) / sizeof *(table))

static unsigned module_hash(int site, const char *name, apr_size_t length)
{
    return (unsigned)(osp_watch_hash(OSP_HASH_BEGIN + (apr_uint64_t)site, name, length) >> 16);
}

static unsigned reference_hash(int from, int to)
{
    return ((unsigned)from << 16 | (unsigned)to) * 2654435761u >> 8;
}

static void place(apr_uint16_t *places, unsigned count, unsigned hash, unsigned at)
{
    while (places[hash % count]) {
        hash++;
    }
    places[hash % count] = (apr_uint16_t)(1 + at);
}

static void place_module(unsigned at)
{
    const osp_watched *module = &osp_table->model.modules[at];

    place(module_places, PLACES(module_places),
          module_hash(module->site, module->name, strlen(module->name)), at);
}

static void place_reference(unsigned at)
{
    const osp_reference *reference = &osp_table->model.references[at];

    place(reference_places, PLACES(reference_places),
          reference_hash(reference->from, reference->to), at);
}

static void place_all(void)
{
    const osp_model *model = &osp_table->model;
    unsigned i;

    if (placed_modules == model->module_count && placed_references == model->reference_count) {
        return;
    }
    memset(module_places, 0, sizeof module_places);
    memset(reference_places, 0, sizeof reference_places);
    for (i = 0; i < model->module_count; i++) {
        if (model->modules[i].name[0]) {
            place_module(i);
        }
    }
    for (i = 0; i < model->reference_count; i++) {
        place_reference(i);
    }
    placed_modules = model->module_count;
    placed_references = model->reference_count;
}

void osp_learn_begin(void)
{
    placed_modules = placed_references = (apr_uint32_t)-1;
}

static int find_module(int site, const char *name, apr_size_t length)
{
    unsigned hash = module_hash(site, name, length);
    int at;

    place_all();
    for (; (at = module_places[hash % PLACES(module_places)]) != 0; hash++) {
        const osp_watched *module = &osp_table->model.modules[at - 1];

        if (module->site == site && strncasecmp(module->name, name, length) == 0
            && !module->name[length]) {
            return at - 1;
        }
    }
    return -1;
}

static osp_reference *find_reference(int from, int to)
{
    unsigned hash = reference_hash(from, to);
    int at;

    place_all();
    for (; (at = reference_places[hash % PLACES(reference_places)]) != 0; hash++) {
        osp_reference *reference = &osp_table->model.references[at - 1];

        if (reference->from == from && reference->to == to) {
            return reference;
        }
    }
    return NULL;
}

/* ---- the tables ---------------------------------------------------------------------------------- */

/* With all that speaks of it. */
static void forget_module(int at)
{
    osp_model *model = &osp_table->model;
    unsigned i;

    for (i = 0; i < model->reference_count;) {
        if (model->references[i].from == at || model->references[i].to == at) {
            model->references[i] = model->references[--model->reference_count];
            memset(&model->references[model->reference_count], 0, sizeof model->references[0]);
        }
        else {
            i++;
        }
    }
    for (i = 0; i < model->version_count; i++) {
        if (model->versions[i].token[0] && model->versions[i].module == at) {
            memset(&model->versions[i], 0, sizeof model->versions[i]);
        }
    }
    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        if (model->faults[i].cause != OSP_CAUSE_NONE && model->faults[i].module == at) {
            memset(&model->faults[i], 0, sizeof model->faults[i]);
        }
    }
    memset(&model->modules[at], 0, sizeof model->modules[at]);
    osp_learn_begin();
}

/* The place of a module that gives way to a new one: not declared, never seen, looked for, and at no app
 * server; -1. guessed: only of those that failed requests brought. */
static int who_gives_way(int guessed)
{
    const osp_model *model = &osp_table->model;
    int i, oldest = -1;

    for (i = 0; i < (int)model->module_count; i++) {
        const osp_watched *module = &model->modules[i];

        if (i != kept && module->name[0] && !module->declared && !module->seen && module->checked
            && module->exists == 2 && (module->guessed || !guessed)
            && (oldest < 0 || module->checked < model->modules[oldest].checked)) {
            oldest = i;
        }
    }
    return oldest;
}

static int free_place(void)
{
    osp_model *model = &osp_table->model;
    int i;

    if (model->module_count < OSP_MODEL_MODULES) {
        return (int)model->module_count++;
    }
    for (i = 0; i < OSP_MODEL_MODULES; i++) {
        if (!model->modules[i].name[0]) {
            return i;
        }
    }
    i = who_gives_way(0);
    if (i >= 0) {
        forget_module(i);
    }
    return i;
}

int osp_learn_module(int site, const char *name, apr_size_t length, int make)
{
    osp_watched *module;
    int at;

    if (!length || length >= OSP_MODEL_NAME) {
        return -1;
    }
    at = find_module(site, name, length);
    if (at >= 0 || !make) {
        return at;
    }
    at = free_place();
    if (at < 0) {
        osp_table->model.dropped++;
        return -1;
    }
    module = &osp_table->model.modules[at];
    memset(module, 0, sizeof *module);
    module->site = (apr_uint16_t)site;
    apr_cpystrn(module->name, name, length + 1);
    apr_snprintf(module->example, OSP_MODEL_PATH, "/%s/", module->name);
    if (placed_modules + 1 == osp_table->model.module_count) {
        placed_modules++;
        place_module((unsigned)at);
    }
    else {
        osp_learn_begin();
    }
    return at;
}

/* A module that a failed request names. Anybody can send those: so many at a time are looked for, and
 * who was looked for in vain gives way. */
static int guess_module(int site, const char *name, apr_size_t length)
{
    osp_model *model = &osp_table->model;
    int i, at = osp_learn_module(site, name, length, 0), count = 0;

    if (at >= 0) {
        return at;
    }
    for (i = 0; i < (int)model->module_count; i++) {
        count += model->modules[i].name[0] && model->modules[i].guessed
                 && model->modules[i].exists != 1;
    }
    if (count >= GUESSES) {
        i = who_gives_way(1);
        if (i < 0) {
            return -1;
        }
        forget_module(i);
    }
    at = osp_learn_module(site, name, length, 1);
    if (at >= 0) {
        model->modules[at].guessed = 1;
    }
    return at;
}

void osp_learn_reference(int from, int to, enum osp_reference_kind how, const char *path)
{
    osp_model *model = &osp_table->model;
    apr_int64_t now = apr_time_sec(apr_time_now());
    osp_reference *at;

    if (from < 0 || to < 0 || from == to) {
        return;
    }
    if (how != OSP_BY_REFERER) {
        model->modules[to].guessed = 0;
    }
    /* A library has nothing at its root: what is asked for is what others need of it. */
    if (how != OSP_BY_REFERER && model->modules[to].exists == 2 && strlen(path) < OSP_MODEL_PATH
        && strchr(path + 1, '/') && strchr(path + 1, '/')[1]) {
        apr_cpystrn(model->modules[to].example, path, OSP_MODEL_PATH);
    }
    at = find_reference(from, to);
    if (at) {
        at->seen = now;
        return;
    }
    if (model->reference_count >= OSP_MODEL_REFERENCES) {
        model->dropped++;
        return;
    }
    at = &model->references[model->reference_count++];
    at->from = (apr_uint16_t)from;
    at->to = (apr_uint16_t)to;
    at->how = (apr_byte_t)how;
    at->seen = now;
    apr_cpystrn(at->path, path, sizeof at->path);
    placed_references++;
    place_reference(model->reference_count - 1);
    if (!model->modules[to].declared && strlen(path) < OSP_MODEL_PATH) {
        /* what the page needs is what is asked for */
        apr_cpystrn(model->modules[to].example, path, OSP_MODEL_PATH);
    }
}

/* ---- a page -------------------------------------------------------------------------------------- */

typedef struct reading {
    int site, from;
    osp_span base, host;
    char resolved_base[OSP_MAIL_PATH];
    enum osp_reference_kind how;
} reading;

static void take_reference(reading *in, osp_span reference)
{
    char path[OSP_MAIL_PATH];
    osp_span name;
    int to;

    if (!osp_url_resolve(in->base, in->host, reference, path, sizeof path)) {
        return;
    }
    name = osp_url_module(osp_span_of(path));
    if (!name.n || memchr(path, '?', (size_t)(name.p - path))) {
        return;
    }
    if (name.p[name.n] != '/' && memchr(name.p, '.', name.n)) {
        return; /* a file at the root, such as /favicon.ico */
    }
    if (osp_console_is(name.p, name.n)) {
        return; /* not to be reached from outside */
    }
    to = in->how == OSP_BY_REFERER ? guess_module(in->site, name.p, name.n)
                                   : osp_learn_module(in->site, name.p, name.n, 1);
    osp_learn_reference(in->from, to, in->how, path);
}

static void on_style(void *baton, osp_span reference)
{
    take_reference(baton, reference);
}

static void on_link(void *baton, enum osp_link_kind kind, osp_span reference)
{
    reading *in = baton;

    if (kind != OSP_LINK_BASE) {
        take_reference(in, reference);
    }
    else if (osp_url_resolve(in->base, in->host, reference, in->resolved_base, sizeof in->resolved_base)) {
        in->base = osp_span_of(in->resolved_base);
    }
}

unsigned osp_learn_page(int site, const char *path, osp_span body, int is_css, int seen)
{
    osp_span name = osp_url_module(osp_span_of(path));
    reading in = {.site = site, .base = osp_span_of(path)};
    osp_links found = {0};

    if (!name.n) {
        return 0;
    }
    in.host = osp_span_of(osp_table->model.sites[site].name);
    in.how = is_css ? OSP_BY_CSS : OSP_BY_LINK;
    osp_model_begin();
    osp_table->model.pages++;
    in.from = osp_learn_module(site, name.p, name.n, 1);
    if (in.from >= 0) {
        kept = in.from;
        osp_table->model.modules[in.from].seen |= (apr_byte_t)seen;
        if (seen) {
            osp_table->model.modules[in.from].guessed = 0;
        }
        if (is_css) {
            osp_css_read(body, on_style, &in);
        }
        else {
            osp_links_read(body, on_link, &in, &found);
        }
        kept = -1;
    }
    osp_model_end();
    return found.signs;
}

/* Where what passed at a site is kept. */
static int asked_site(int site)
{
    int twin = osp_table->model.sites[site].twin;

    return twin ? twin - 1 : site;
}

static void read_page(const osp_mail_page *page, void *baton)
{
    char *decoded = baton;
    osp_span body = {page->body, OSP_MIN(page->length, OSP_MAIL_BYTES)};
    enum osp_coding coding = osp_coding_of(osp_span_of(page->coding));
    size_t length;

    if (page->site >= OSP_MODEL_SITES || coding == OSP_CODING_OTHER) {
        return;
    }
    if (coding != OSP_CODING_IDENTITY) {
        if (osp_decode(coding, body, decoded, DECODED, &length) == OSP_DECODE_FAILED) {
            return;
        }
        body = (osp_span){decoded, length};
    }
    osp_learn_page(asked_site(page->site), page->path, body, page->is_css, 1);
}

/* A redirect counts as it stands. A request that failed counts only for a module that some app server
 * has: farm.c asks, and nobody can put a name into the log by asking for it. */
static void read_note(const osp_mail_note *note, void *baton)
{
    osp_span from = osp_url_module(osp_span_of(note->from));
    reading in = {.base = osp_span_of(note->from)};

    (void)baton;
    if (!from.n || note->site >= OSP_MODEL_SITES) {
        return;
    }
    in.site = asked_site(note->site);
    in.host = osp_span_of(osp_table->model.sites[in.site].name);
    in.how = ap_is_HTTP_REDIRECT(note->status) ? OSP_BY_REDIRECT : OSP_BY_REFERER;
    osp_model_begin();
    in.from = osp_learn_module(in.site, from.p, from.n, 0);
    if (in.from >= 0) {
        kept = in.from;
        take_reference(&in, osp_span_of(note->to));
        kept = -1;
    }
    osp_model_end();
}

void osp_learn_mail(apr_pool_t *p)
{
    osp_mail_read(read_page, read_note, apr_palloc(p, DECODED));
}
