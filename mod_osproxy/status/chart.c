/*
 * chart.c: what happened each minute of the last hour, as small SVG charts with the same in words.
 */
#include "page.h"

#include <inttypes.h>

enum { HEIGHT = 40, STEP = 4 };

enum what { REQUESTS, ACTED, REFUSED, FAILED, WHAT_COUNT };

typedef struct hour {
    uint64_t minutes[OSP_MODEL_MINUTES]; /* the oldest first; the last is not over yet */
    uint64_t sum, most;
    int most_at;
} hour;

static uint32_t pick(const osp_minute *minute, enum what what)
{
    switch (what) {
    case ACTED:
        return minute->acted;
    case REFUSED:
        return minute->refused;
    case FAILED:
        return minute->failed;
    default:
        return minute->requests;
    }
}

static void add(hour *sums, const osp_site *site, enum what what, uint64_t last)
{
    uint64_t i;

    for (i = 0; i < OSP_MODEL_MINUTES; i++) {
        uint64_t minute = last - (OSP_MODEL_MINUTES - 1) + i;

        if (minute <= site->minute && site->minute - minute < OSP_MODEL_MINUTES) {
            sums->minutes[i] += pick(&site->minutes[minute % OSP_MODEL_MINUTES], what);
        }
    }
}

static hour read_hour(const osp_view *view, const osp_site *site, enum what what)
{
    uint64_t last = view->now > 0 ? (uint64_t)view->now / 60 : 0;
    hour sums = {.sum = 0};
    int i;

    if (last < OSP_MODEL_MINUTES) {
        return sums;
    }
    if (site) {
        add(&sums, site, what, last);
    }
    for (i = 0; !site && i < OSP_MODEL_SITES; i++) {
        if (osp_view_site(view->model, i)) {
            add(&sums, osp_view_site(view->model, i), what, last);
        }
    }
    for (i = 0; i < OSP_MODEL_MINUTES; i++) {
        sums.sum += sums.minutes[i];
        if (sums.minutes[i] > sums.most) {
            sums.most = sums.minutes[i];
            sums.most_at = OSP_MODEL_MINUTES - 1 - i;
        }
    }
    return sums;
}

static void put_words(osp_sink *sink, const hour *sums)
{
    osp_out_format(&sink->out, "%" PRIu64 " in the last hour", sums->sum);
    if (sums->sum) {
        osp_out_format(&sink->out, ", most %" PRIu64 " a minute (", sums->most);
        if (sums->most_at) {
            osp_out_format(&sink->out, "%d min ago", sums->most_at);
        }
        else {
            osp_put(sink, "now");
        }
        osp_out_format(&sink->out, "), %" PRIu64 " in the last full minute",
                       sums->minutes[OSP_MODEL_MINUTES - 2]);
    }
}

static void put_chart(osp_sink *sink, const char *title, const char *colour, const hour *sums)
{
    int i;

    osp_out_format(&sink->out,
                   "<figure><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
                   "role=\"img\" class=\"%s\" aria-label=\"%s for each minute: ",
                   OSP_MODEL_MINUTES * STEP, HEIGHT + 1, colour, title);
    put_words(sink, sums);
    osp_out_format(&sink->out, "\"><path class=\"base\" d=\"M0 %d.5H%d\"/>", HEIGHT,
                   OSP_MODEL_MINUTES * STEP);
    if (sums->most) {
        osp_put(sink, "<path d=\"");
        for (i = 0; i < OSP_MODEL_MINUTES; i++) {
            if (sums->minutes[i]) {
                /* at least one pixel: what happened is seen */
                osp_out_format(
                    &sink->out, "M%d %dv-%d", i * STEP + 2, HEIGHT,
                    1 + (int)((double)sums->minutes[i] * (HEIGHT - 1) / (double)sums->most));
            }
        }
        osp_put(sink, "\"/>");
    }
    osp_out_format(&sink->out, "</svg><figcaption><b>%s</b> ", title);
    put_words(sink, sums);
    osp_put(sink, "</figcaption></figure>\n");
}

void osp_page_charts(osp_sink *sink, const osp_view *view, const osp_site *site)
{
    static const char *const titles[WHAT_COUNT] = {"requests", "acted", "refused", "failed"};
    static const char *const colours[WHAT_COUNT] = {"info", "good", "warn", "bad"};
    int what;

    osp_put(sink, "<div class=\"charts\">\n");
    for (what = 0; what < WHAT_COUNT; what++) {
        hour sums = read_hour(view, site, (enum what)what);

        put_chart(sink, titles[what], colours[what], &sums);
    }
    osp_put(sink, "</div>\n");
    osp_sink_pass(sink);
}
