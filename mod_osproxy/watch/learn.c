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

/* ---- the tables ---------------------------------------------------------------------------------- */

int osp_learn_module(int site, const char *name, apr_size_t length, int make)
{
    osp_model *model = &osp_table->model;
    int i, empty = -1;

    if (!length || length >= OSP_MODEL_NAME) {
        return -1;
    }
    for (i = 0; i < (int)model->module_count; i++) {
        const osp_watched *at = &model->modules[i];

        if (!at->name[0]) {
            empty = empty < 0 ? i : empty;
        }
        else if (at->site == site && strncasecmp(at->name, name, length) == 0 && !at->name[length]) {
            return i;
        }
    }
    if (!make) {
        return -1;
    }
    if (empty < 0 && model->module_count < OSP_MODEL_MODULES) {
        empty = (int)model->module_count++;
    }
    if (empty < 0) {
        model->dropped++;
        return -1;
    }
    memset(&model->modules[empty], 0, sizeof model->modules[empty]);
    model->modules[empty].site = (apr_uint16_t)site;
    apr_cpystrn(model->modules[empty].name, name, length + 1);
    apr_snprintf(model->modules[empty].example, OSP_MODEL_PATH, "/%s/", model->modules[empty].name);
    return empty;
}

void osp_learn_reference(int from, int to, enum osp_reference_kind how, const char *path)
{
    osp_model *model = &osp_table->model;
    apr_int64_t now = apr_time_sec(apr_time_now());
    osp_reference *at;
    unsigned i;

    if (from < 0 || to < 0 || from == to) {
        return;
    }
    for (i = 0; i < model->reference_count; i++) {
        at = &model->references[i];
        if (at->from == from && at->to == to) {
            at->seen = now;
            return;
        }
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
    to = osp_learn_module(in->site, name.p, name.n, 1);
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
        osp_table->model.modules[in.from].seen |= (apr_byte_t)seen;
        if (is_css) {
            osp_css_read(body, on_style, &in);
        }
        else {
            osp_links_read(body, on_link, &in, &found);
        }
    }
    osp_model_end();
    return found.signs;
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
    osp_learn_page(page->site, page->path, body, page->is_css, 1);
}

/* A redirect counts as it stands. A request that failed counts only for a module that some app server
 * has: farm.c asks, and nobody can put a name into the log by asking for it. */
static void read_note(const osp_mail_note *note, void *baton)
{
    osp_span from = osp_url_module(osp_span_of(note->from));
    reading in = {.site = note->site, .base = osp_span_of(note->from)};

    (void)baton;
    if (!from.n || note->site >= OSP_MODEL_SITES) {
        return;
    }
    in.host = osp_span_of(osp_table->model.sites[note->site].name);
    in.how = ap_is_HTTP_REDIRECT(note->status) ? OSP_BY_REDIRECT : OSP_BY_REFERER;
    osp_model_begin();
    in.from = osp_learn_module(note->site, from.p, from.n, 0);
    if (in.from >= 0) {
        take_reference(&in, osp_span_of(note->to));
    }
    osp_model_end();
}

void osp_learn_mail(apr_pool_t *p)
{
    osp_mail_read(read_page, read_note, apr_palloc(p, DECODED));
}
