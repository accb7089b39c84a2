/*
 * pin.h: a pin: one back-end connection that belongs to one client connection, for the rule
 * pinned-auth (rules/pinned_auth.c decides; this file keeps).
 *
 * A pin is a private proxy_worker with room for one connection, in a pool of the client connection:
 * mod_proxy_http stays the HTTP client, nothing of it is shared, nothing outlives the client. The
 * connection itself comes and goes below the pin, as a back end closes and is connected to again.
 */
#ifndef OSP_PIN_H
#define OSP_PIN_H

#include "osproxy.h"
#include "parse/credentials.h"

typedef struct osp_pin osp_pin;
struct osp_pin {
    apr_pool_t *pool;               /* holds the pin and all below */
    conn_rec *client;               /* whose it is */
    const char *address;            /* the client's, as mod_remoteip tells; not the hop's */
    const char *origin;             /* the server: osp_pin_origin() */
    const proxy_balancer *balancer; /* chose the server, or NULL */
    proxy_worker *real;             /* whose settings and usability count */
    proxy_worker *own;              /* the private worker */
    const char *scheme;             /* of the sign-in, or NULL; a constant */
    unsigned once:1;                /* signs in one request: the client's hop is shared */
    unsigned busy:1;                /* a request is on its way */
    unsigned sealed:1;              /* that request must not go by another connection */
    unsigned connected:1;           /* has had a connection */
    unsigned challenged:1;          /* the back end waits for an answer on the connection */
    unsigned failed:1;              /* the back end ended it, or refuses connections */
    osp_pin *next;
};

enum osp_pin_event {
    OSP_PIN_OPENED,
    OSP_PIN_CLOSED_BY_CLIENT,  /* with the client connection */
    OSP_PIN_CLOSED_BY_BACKEND, /* the server closed, failed, was drained or disabled */
    OSP_PIN_REFUSED,           /* credentials that could not be pinned */
    OSP_PIN_COMPLETED,         /* sign-ins */
    OSP_PIN_FAILED,
    OSP_PIN_EVENT_COUNT
};

/* An event's word in the status page's JSON, and what its HTML says of it. */
const char *osp_pin_event_name(enum osp_pin_event event);
const char *osp_pin_event_title(enum osp_pin_event event);

/* Counts for the whole server, shared by all children like all counters (count.c). */
void osp_count_pin(enum osp_pin_event event);
apr_uint64_t osp_count_pin_read(enum osp_pin_event event);

/* The gauge: how many pins this child holds more (or, below 0, less); what all children hold. */
void osp_count_pins_open(int change);
unsigned osp_count_pins_read_open(void);

/* The server that url leads to through worker, in p: scheme (http or https), authority, and the
 * path of its Unix socket when it has one. NULL for other schemes: they cannot be pinned. */
const char *osp_pin_origin(apr_pool_t *p, const request_rec *r, const proxy_worker *worker,
                           const char *url);

/* Whether the client connection of r has pins: one look, for every request. */
int osp_pin_exists(const request_rec *r);

/* The pin of r's client that serves this balancer (NULL: none is involved) or origin (NULL: one that
 * cannot be pinned), or NULL. */
osp_pin *osp_pin_find(const request_rec *r, const proxy_balancer *balancer, const char *origin);

/* Makes a pin to real, below pool (the client connection's, or r's for one request alone). NULL with
 * error set to httpd's text. */
osp_pin *osp_pin_open(apr_pool_t *pool, request_rec *r, proxy_worker *real,
                      const proxy_balancer *balancer, const char *origin, const char **error);

/* Keeps a pin for the client connection's next requests. */
void osp_pin_keep(osp_pin *pin);

/* Closes the connection and forgets the pin; it must not be busy. */
void osp_pin_close(osp_pin *pin, enum osp_pin_event why);

/* Closes those of the client connection that were made for other client addresses than r's. */
void osp_pin_close_others(const request_rec *r);

/* Says that this thread's request goes by pin (NULL: by none); returns what was said before. */
osp_pin *osp_pin_enter(osp_pin *pin);

/* Whether the pin's connection is up; looks at the socket, without waiting. */
int osp_pin_is_alive(osp_pin *pin, server_rec *s);

/* Pins open in this child, and the most that OSProxyPinLimit allows it. */
unsigned osp_pin_open_here(void);
unsigned osp_pin_limit(void);

void osp_pin_hooks(apr_pool_t *p);

#endif
