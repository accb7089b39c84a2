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

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "osproxy.h"
#include "pin.h"

#define ROWS 2048
#define SLOTS 8                /* messages per rule that are throttled on their own */
#define RULES 24               /* room for rules to come: the layout outlives a reload */
#define CHILDREN 4096
#define PIN_EVENTS 16
#define RETAINED "mod_osproxy-counters-2"

struct osp_counters {
    apr_uint64_t key; /* 0: free */
    apr_uint64_t events[RULES][OSP_EVENT_COUNT];
    apr_int64_t logged[RULES][SLOTS]; /* request time of the last warning, microseconds */
};

/* What each child has open: a gauge that a child killed on the spot does not leave behind. */
typedef struct child {
    apr_int32_t pid; /* 0: free */
    apr_int32_t pins;
} child;

typedef struct shared {
    apr_uint64_t pin_events[PIN_EVENTS];
    child children[CHILDREN];
    osp_counters rows[ROWS];
} shared;

static shared *table; /* NULL without shared memory */
static child *own;    /* this child's, or NULL */

/* ap_retained_data_create() keeps this through the module's own unloading. */
typedef struct retained {
    apr_shm_t *shm;
} retained;

/* A rule that no longer fits its array must not compile. */
typedef char rules_fit[OSP_RULE_RUN_COUNT <= RULES ? 1 : -1];
typedef char pin_events_fit[OSP_PIN_EVENT_COUNT <= PIN_EVENTS ? 1 : -1];

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
    server_rec *s;

    if (!kept) {
        kept = ap_retained_data_create(RETAINED, sizeof *kept);
    }
    if (!kept->shm) {
        apr_status_t rv = apr_shm_create(&kept->shm, sizeof *table, NULL, ap_pglobal);
        if (rv != APR_SUCCESS) {
            kept->shm = NULL;
            return rv;
        }
    }
    table = apr_shm_baseaddr_get(kept->shm);
    for (s = main_server; s; s = s->next) {
        osp_server_conf_get(s)->counters = row_for(table->rows, server_key(p, s));
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

/* ---- pins ------------------------------------------------------------------------------------- */

static int is_running(apr_int32_t pid)
{
    return kill(pid, 0) == 0 || errno == EPERM;
}

static apr_status_t leave(void *baton)
{
    child *mine = baton;

    __atomic_store_n(&mine->pins, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&mine->pid, 0, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

/* Takes a place that is free, or was left by a child that was killed. */
static void join(apr_pool_t *pchild, server_rec *s)
{
    int i;

    (void)s;
    own = NULL;
    for (i = 0; table && !own && i < CHILDREN; i++) {
        child *place = &table->children[i];
        apr_int32_t pid = __atomic_load_n(&place->pid, __ATOMIC_ACQUIRE);

        if ((!pid || !is_running(pid))
            && __atomic_compare_exchange_n(&place->pid, &pid, (apr_int32_t)getpid(), 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            __atomic_store_n(&place->pins, 0, __ATOMIC_RELAXED);
            own = place;
            apr_pool_cleanup_register(pchild, own, leave, apr_pool_cleanup_null);
        }
    }
}

void osp_count_pins_open(int change)
{
    if (own) {
        __atomic_fetch_add(&own->pins, change, __ATOMIC_RELAXED);
    }
}

unsigned osp_count_pins_read_open(void)
{
    unsigned sum = 0;
    int i;

    for (i = 0; table && i < CHILDREN; i++) {
        apr_int32_t pid = __atomic_load_n(&table->children[i].pid, __ATOMIC_RELAXED);
        apr_int32_t pins = __atomic_load_n(&table->children[i].pins, __ATOMIC_RELAXED);

        if (pid && pins > 0 && is_running(pid)) {
            sum += (unsigned)pins;
        }
    }
    return sum;
}

void osp_count_pin(enum osp_pin_event event)
{
    if (table) {
        __atomic_fetch_add(&table->pin_events[event], 1, __ATOMIC_RELAXED);
    }
}

apr_uint64_t osp_count_pin_read(enum osp_pin_event event)
{
    return table ? __atomic_load_n(&table->pin_events[event], __ATOMIC_RELAXED) : 0;
}

void osp_count_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_child_init(join, NULL, NULL, APR_HOOK_MIDDLE);
}
