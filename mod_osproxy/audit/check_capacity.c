/*
 * check_capacity.c: rule capacity: whether the server can keep enough idle clients for 30 s each.
 *
 * With event an idle connection costs no worker, but a child takes on no more connections than its
 * threads + idle workers * AsyncRequestWorkerFactor. With worker and prefork each idle connection
 * holds a worker for all its time. A browser opens up to six connections.
 */
#include "check.h"

#define ENOUGH 1000 /* idle clients */

static long number_of(const osp_facts *facts, enum osp_word word, enum osp_word old, long otherwise,
                      const osp_line **line)
{
    const char *rest;
    long number;

    *line = osp_setting(facts, facts->main, word);
    if (!*line && old != OSP_W_COUNT) {
        *line = osp_setting(facts, facts->main, old);
    }
    number = *line ? osp_text_number(osp_line_arg(*line, 0), 1000000, &rest) : otherwise;
    return number < 0 ? otherwise : number;
}

typedef struct sizing {
    bool is_event;
    long threads, workers, limit, factor, held;
    const osp_line *threads_line, *workers_line, *limit_line, *factor_line;
} sizing;

static sizing measure(const osp_facts *facts)
{
    sizing size = {.is_event = osp_text_is(facts->mpm, "event")};
    bool is_prefork = osp_text_is(facts->mpm, "prefork");

    size.threads =
        is_prefork ? 1
                   : number_of(facts, OSP_W_THREADS_PER_CHILD, OSP_W_COUNT, 25, &size.threads_line);
    size.threads = size.threads ? size.threads : 1;
    size.limit =
        number_of(facts, OSP_W_SERVER_LIMIT, OSP_W_COUNT, is_prefork ? 256 : 16, &size.limit_line);
    size.workers = number_of(facts, OSP_W_MAX_REQUEST_WORKERS, OSP_W_MAX_CLIENTS,
                             is_prefork ? 256 : 400, &size.workers_line);
    if (facts->mpm_daemons > 0 && facts->mpm_threads > 0) {
        size.threads = facts->mpm_threads;
        size.workers = (long)facts->mpm_daemons * facts->mpm_threads;
    }
    size.factor = size.is_event
                      ? number_of(facts, OSP_W_WORKER_FACTOR, OSP_W_COUNT, 2, &size.factor_line)
                      : 0;
    size.held = size.workers * (size.factor + 1);
    return size;
}

static void set(osp_audit *audit, osp_finding *finding, const osp_server *main_server,
                const osp_line *line, const char *name, long value)
{
    osp_fix_setting(audit, finding, main_server, line,
                    osp_text_format(audit->memory, "%s %ld", name, value));
}

static void fix_size(osp_audit *audit, osp_finding *finding, const sizing *size)
{
    long per_child = size->threads * (size->factor + 1);
    long children = (ENOUGH + per_child - 1) / per_child;
    long workers = children * size->threads;
    const osp_server *main_server = audit->facts->main;
    const osp_line *spare;

    if (workers < 400) { /* httpd's own default, which leaves room */
        children = (400 + size->threads - 1) / size->threads;
        workers = children * size->threads;
    }
    if (children > size->limit) {
        set(audit, finding, main_server, size->limit_line, "ServerLimit", children);
    }
    set(audit, finding, main_server, size->workers_line, "MaxRequestWorkers", workers);
    spare = osp_setting(audit->facts, main_server, OSP_W_MAX_SPARE_THREADS);
    if (spare && size->threads > 1) {
        set(audit, finding, main_server, spare, "MaxSpareThreads", workers);
    }
}

/* Children that end take their idle clients along. */
static void check_endings(osp_audit *audit, osp_server *server, const sizing *size)
{
    const osp_line *line;
    long per_child =
        number_of(audit->facts, OSP_W_MAX_PER_CHILD, OSP_W_MAX_REQUESTS_PER_CHILD, 0, &line);
    long spare;

    if (per_child > 0) {
        osp_fix_replace(
            audit,
            osp_find(audit, server, OSP_NOTE, OSP_RULE_CAPACITY, line,
                     "%s %ld ends children, and with them the connections of their idle "
                     "clients",
                     line->name, per_child),
            line, osp_text_format(audit->memory, "%s 0", line->name));
    }
    if (size->threads <= 1 || size->held < ENOUGH) {
        return;
    }
    spare = number_of(audit->facts, OSP_W_MAX_SPARE_THREADS, OSP_W_COUNT, 0, &line);
    if (line && spare < size->workers) {
        osp_fix_replace(
            audit,
            osp_find(audit, server, OSP_NOTE, OSP_RULE_CAPACITY, line,
                     "MaxSpareThreads %ld below MaxRequestWorkers %ld ends children when "
                     "load falls, and with them the connections of their idle clients",
                     spare, size->workers),
            line, osp_text_format(audit->memory, "MaxSpareThreads %ld", size->workers));
    }
}

void osp_check_capacity(osp_audit *audit, osp_server *server)
{
    sizing size;
    const osp_line *at;

    if (!*audit->facts->mpm || !osp_server_proxies(server)) {
        return;
    }
    size = measure(audit->facts);
    at = size.workers_line ? size.workers_line : audit->facts->main->opening;
    if (size.held < ENOUGH) {
        const char *text =
            size.is_event
                ? osp_text_format(audit->memory,
                                  "event with %ld workers and AsyncRequestWorkerFactor "
                                  "%ld holds about %ld idle clients for 30 s; the next one waits",
                                  size.workers, size.factor, size.held)
                : osp_text_format(audit->memory,
                                  "%s with %ld workers holds %ld idle clients: each keeps "
                                  "a worker for 30 s, and the next one waits; use event",
                                  audit->facts->mpm, size.workers, size.held);
        osp_finding *finding =
            osp_find(audit, server, OSP_WARNING, OSP_RULE_CAPACITY, at, "%s", text);

        fix_size(audit, finding, &size);
    }
    check_endings(audit, server, &size);
}
