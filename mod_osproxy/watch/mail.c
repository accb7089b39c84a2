/*
 * mail.c: what requests leave for the watcher, for the rule referenced-content: pages and style
 * sheets that pass, redirects, and requests that fail while a page refers to them.
 *
 * Nothing waits for it: a slot is taken by one compare-and-swap or the mail is dropped, a body is
 * copied as it passes and only from memory, and each path is looked at once a minute at most.
 */
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"
#include "util_filter.h"

#include "watch/watch.h"

#define AGAIN 60        /* seconds between two looks at one path */
#define FORGOTTEN 120   /* seconds after which a slot under way is free again */

static ap_filter_rec_t *copier;

static apr_int64_t seconds_of(const request_rec *r)
{
    return apr_time_sec(r->request_time);
}

static int site_of(const request_rec *r)
{
    return osp_table ? osp_server_conf_get(r->server)->site - 1 : -1;
}

/* Eight bytes at a time: every page comes here. */
static apr_uint64_t mix(apr_uint64_t hash, const char *text)
{
    apr_size_t length = strlen(text);
    apr_uint64_t word;

    for (; length >= sizeof word; length -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, text, length);
    hash = (hash ^ word ^ length << 56) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* True for the first of a minute to ask about a path. */
static int is_due(const request_rec *r, int site, const char *path, const char *from)
{
    apr_int64_t now = seconds_of(r), *seen, last;
    apr_uint64_t hash = mix((apr_uint64_t)site, path);

    hash = from ? mix(hash, from) : hash;
    seen = &osp_table->sampled[hash % OSP_MAIL_SAMPLED];
    last = __atomic_load_n(seen, __ATOMIC_RELAXED);
    return now - last >= AGAIN
           && __atomic_compare_exchange_n(seen, &last, now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static int take(apr_uint32_t *state)
{
    apr_uint32_t none = OSP_MAIL_FREE;

    return __atomic_compare_exchange_n(state, &none, OSP_MAIL_WRITING, 0, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void publish(apr_uint32_t *state)
{
    __atomic_store_n(state, OSP_MAIL_READY, __ATOMIC_RELEASE);
}

/* ---- pages -------------------------------------------------------------------------------------- */

typedef struct copy {
    osp_mail_page *page;
    apr_uint32_t length; /* own: a slot that was given away must not be written past its end */
    apr_int64_t began;   /* tells whether the slot is still ours */
} copy;

/* A request that ends early leaves what it has: half a page has links too. */
static apr_status_t end_copy(void *baton)
{
    copy *c = baton;

    if (c->page && c->page->began == c->began) {
        c->page->length = c->length;
        publish(&c->page->state);
    }
    c->page = NULL;
    return APR_SUCCESS;
}

static int is_in_memory(const apr_bucket *b)
{
    return APR_BUCKET_IS_HEAP(b) || APR_BUCKET_IS_POOL(b) || APR_BUCKET_IS_TRANSIENT(b)
           || APR_BUCKET_IS_IMMORTAL(b);
}

/* Returns 0 when there is nothing more to copy. */
static int copy_bucket(copy *c, apr_bucket *b)
{
    const char *data;
    apr_size_t length;

    if (APR_BUCKET_IS_METADATA(b)) {
        return !APR_BUCKET_IS_EOS(b);
    }
    if (!is_in_memory(b) || apr_bucket_read(b, &data, &length, APR_NONBLOCK_READ) != APR_SUCCESS) {
        return 0; /* a file or a pipe stays what it is */
    }
    length = OSP_MIN(length, OSP_MAIL_BYTES - c->length);
    memcpy(c->page->body + c->length, data, length);
    c->length += (apr_uint32_t)length;
    return c->length < OSP_MAIL_BYTES;
}

static apr_status_t copy_filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    copy *c = f->ctx;
    apr_bucket *b;

    if (c->page && !c->length) {
        const char *coding = apr_table_get(f->r->headers_out, "Content-Encoding");

        apr_cpystrn(c->page->coding, coding ? coding : "", sizeof c->page->coding);
    }
    for (b = APR_BRIGADE_FIRST(brigade); c->page && b != APR_BRIGADE_SENTINEL(brigade);
         b = APR_BUCKET_NEXT(b)) {
        if (!copy_bucket(c, b)) {
            apr_pool_cleanup_run(f->r->pool, c, end_copy);
        }
    }
    if (!c->page) {
        ap_remove_output_filter(f);
    }
    return ap_pass_brigade(f->next, brigade);
}

static osp_mail_page *free_page(apr_int64_t now)
{
    int i;

    for (i = 0; i < OSP_MAIL_PAGES; i++) {
        osp_mail_page *page = &osp_table->pages[i];

        if (take(&page->state)) {
            page->began = now;
            return page;
        }
    }
    return NULL;
}

/* text/html or text/css, whatever follows; in lower case, as all servers write them. */
static int is_page(const char *type, int *is_css)
{
    if (!type || strncmp(type, "text/", 5) != 0) {
        return 0;
    }
    *is_css = strncmp(type + 5, "css", 3) == 0;
    return *is_css || strncmp(type + 5, "html", 4) == 0;
}

void osp_mail_answer(request_rec *r)
{
    int site, is_css;
    osp_mail_page *page;
    copy *c;

    if (r->status != HTTP_OK || r->header_only || !is_page(r->content_type, &is_css)) {
        return;
    }
    site = site_of(r);
    if (site < 0 || r->main || !is_due(r, site, r->uri, NULL) || osp_probe_is(r)
        || (page = free_page(seconds_of(r))) == NULL) {
        return;
    }
    page->site = (apr_uint16_t)site;
    page->is_css = is_css ? 1 : 0;
    page->length = 0;
    apr_cpystrn(page->path, r->uri, sizeof page->path);
    c = apr_pcalloc(r->pool, sizeof *c);
    c->page = page;
    c->began = page->began;
    apr_pool_cleanup_register(r->pool, c, end_copy, apr_pool_cleanup_null);
    /* Of the same type as the filter that calls, so that it stands behind it. */
    ap_add_output_filter_handle(copier, c, r, r->connection);
}

/* ---- notes -------------------------------------------------------------------------------------- */

static void leave_note(const request_rec *r, int site, const char *from, const char *to)
{
    int i;

    for (i = 0; i < OSP_MAIL_NOTES; i++) {
        osp_mail_note *note = &osp_table->notes[i];

        if (take(&note->state)) {
            note->site = (apr_uint16_t)site;
            note->status = (apr_uint16_t)r->status;
            apr_cpystrn(note->from, from, sizeof note->from);
            apr_cpystrn(note->to, to, sizeof note->to);
            publish(&note->state);
            return;
        }
    }
}

static void note_redirect(const request_rec *r, int site)
{
    const char *location = apr_table_get(r->headers_out, "Location");

    if (location && is_due(r, site, r->uri, location)) {
        leave_note(r, site, r->uri, location);
    }
}

/* The path of a Referer on this host, NULL when it is none. */
static const char *referer_path(const request_rec *r)
{
    const char *referer = apr_table_get(r->headers_in, "Referer");
    const char *host = referer ? ap_strstr_c(referer, "://") : NULL;
    apr_size_t length = host ? strcspn(host + 3, ":/?#") : 0;

    if (!host || !r->hostname || length != strlen(r->hostname)
        || strncasecmp(host + 3, r->hostname, length) != 0) {
        return NULL;
    }
    return ap_strchr_c(host + 3, '/');
}

static void note_failure(const request_rec *r, int site)
{
    const char *from = referer_path(r);

    if (from && strlen(r->uri) < OSP_MAIL_PATH && is_due(r, site, r->uri, from)) {
        leave_note(r, site, from, r->uri);
    }
}

static int look_back(request_rec *r)
{
    const request_rec *last = r;
    int site = site_of(r);

    if (site < 0 || osp_probe_is(r)) {
        return DECLINED;
    }
    __atomic_fetch_add(&osp_table->model.sites[site].requests, 1, __ATOMIC_RELAXED);
    if (r->status < HTTP_MULTIPLE_CHOICES) {
        return DECLINED;
    }
    while (last->next) {
        last = last->next; /* an ErrorDocument answers for it */
    }
    if (last->status >= HTTP_BAD_GATEWAY && last->status <= HTTP_GATEWAY_TIME_OUT) {
        __atomic_fetch_add(&osp_table->model.sites[site].failed, 1, __ATOMIC_RELAXED);
    }
    if (ap_is_HTTP_REDIRECT(r->status)) {
        note_redirect(r, site);
    }
    else if (r->status >= HTTP_BAD_REQUEST && r->status != HTTP_UNAUTHORIZED) {
        note_failure(r, site);
    }
    return DECLINED;
}

/* ---- for the watcher ------------------------------------------------------------------------------ */

void osp_mail_read(void (*page)(const osp_mail_page *page, void *baton),
                   void (*note)(const osp_mail_note *note, void *baton), void *baton)
{
    apr_int64_t now = apr_time_sec(apr_time_now());
    int i;

    for (i = 0; i < OSP_MAIL_NOTES; i++) {
        osp_mail_note *at = &osp_table->notes[i];

        if (__atomic_load_n(&at->state, __ATOMIC_ACQUIRE) == OSP_MAIL_READY) {
            note(at, baton);
            __atomic_store_n(&at->state, OSP_MAIL_FREE, __ATOMIC_RELEASE);
        }
    }
    for (i = 0; i < OSP_MAIL_PAGES; i++) {
        osp_mail_page *at = &osp_table->pages[i];
        apr_uint32_t state = __atomic_load_n(&at->state, __ATOMIC_ACQUIRE);

        if (state == OSP_MAIL_READY) {
            page(at, baton);
        }
        if (state == OSP_MAIL_READY
            || (state == OSP_MAIL_WRITING && at->began && now - at->began > FORGOTTEN)) {
            at->began = 0;
            __atomic_store_n(&at->state, OSP_MAIL_FREE, __ATOMIC_RELEASE);
        }
    }
}

void osp_mail_hooks(apr_pool_t *p)
{
    (void)p;
    copier = ap_register_output_filter("OSPROXY_COPY", copy_filter, NULL, AP_FTYPE_CONTENT_SET);
    ap_hook_log_transaction(look_back, NULL, NULL, APR_HOOK_MIDDLE);
}
