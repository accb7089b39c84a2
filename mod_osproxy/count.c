/*
 * count.c: counters that all children share and that a graceful restart keeps.
 *
 * One anonymous mapping, made at the first start and retained by the parent, holds a fixed table
 * of rows. A row belongs to a virtual host by the hash of its name, address and port, so that old
 * and new children of a reload add to the same figures, and a row outlives a change of the file it
 * was written in. Pages that nobody counts on are never touched.
 */
#include "apr_shm.h"
#include "apr_strings.h"

#include "osproxy.h"

#define ROWS 2048
#define SLOTS 4                /* messages per rule that are throttled on their own */
#define RULES 24               /* room for rules to come: the layout outlives a reload */
#define RETAINED "mod_osproxy-counters-1"

struct osp_counters {
    apr_uint64_t key; /* 0: free */
    apr_uint64_t events[RULES][OSP_EVENT_COUNT];
    apr_int64_t logged[RULES][SLOTS]; /* request time of the last warning, microseconds */
};

/* ap_retained_data_create() keeps this through the module's own unloading. */
typedef struct retained {
    apr_shm_t *shm;
} retained;

/* A rule that no longer fits its array must not compile. */
typedef char rules_fit[OSP_RULE_RUN_COUNT <= RULES ? 1 : -1];

static apr_uint64_t hash_text(apr_uint64_t hash, const char *text)
{
    for (; text && *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return (hash ^ 0xff) * 1099511628211u;
}

static apr_uint64_t server_key(apr_pool_t *p, const server_rec *s)
{
    apr_uint64_t hash = hash_text(14695981039346656037u, s->server_hostname);
    const server_addr_rec *a;

    for (a = s->addrs; a; a = a->next) {
        hash = hash_text(hash, apr_psprintf(p, "%s:%d", a->virthost, a->host_port));
    }
    return hash ? hash : 1;
}

/* The row of key, taken if it has none; the first row, shared, when the table is full. */
static osp_counters *row_for(osp_counters *rows, apr_uint64_t key)
{
    int i, at = 1 + (int)(key % (ROWS - 1));

    for (i = 1; i < ROWS; i++) {
        if (rows[at].key == key || rows[at].key == 0) {
            rows[at].key = key;
            return &rows[at];
        }
        at = at + 1 < ROWS ? at + 1 : 1;
    }
    return &rows[0];
}

apr_status_t osp_count_attach(apr_pool_t *p, server_rec *main_server)
{
    retained *kept = ap_retained_data_get(RETAINED);
    osp_counters *rows;
    server_rec *s;

    if (!kept) {
        kept = ap_retained_data_create(RETAINED, sizeof *kept);
    }
    if (!kept->shm) {
        apr_status_t rv = apr_shm_create(&kept->shm, ROWS * sizeof(osp_counters), NULL,
                                         ap_pglobal);
        if (rv != APR_SUCCESS) {
            kept->shm = NULL;
            return rv;
        }
    }
    rows = apr_shm_baseaddr_get(kept->shm);
    for (s = main_server; s; s = s->next) {
        osp_server_conf_get(s)->counters = row_for(rows, server_key(p, s));
    }
    return APR_SUCCESS;
}

void osp_count(osp_counters *row, enum osp_rule_id rule, enum osp_event event)
{
    if (row) {
        __atomic_fetch_add(&row->events[rule][event], 1, __ATOMIC_RELAXED);
    }
}

apr_uint64_t osp_count_read(const osp_counters *row, enum osp_rule_id rule, enum osp_event event)
{
    return row ? __atomic_load_n(&row->events[rule][event], __ATOMIC_RELAXED) : 0;
}

int osp_count_due(osp_counters *row, enum osp_rule_id rule, unsigned slot, apr_time_t now)
{
    apr_int64_t last, *logged;

    if (!row) {
        return 1;
    }
    logged = &row->logged[rule][slot % SLOTS];
    last = __atomic_load_n(logged, __ATOMIC_RELAXED);
    return (last == 0 || now - last >= apr_time_from_sec(60))
           && __atomic_compare_exchange_n(logged, &last, now, 0, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
}
