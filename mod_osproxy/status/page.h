/*
 * page.h: the renderings of a view (page_frame.c, page_html.c, page_rule.c, page_watch.c,
 * chart.c, page_json.c, page_metrics.c), and the pieces that the files of the HTML page share.
 */
#ifndef OSP_PAGE_H
#define OSP_PAGE_H

#include "../audit/encode.h"
#include "view.h"

/* What the HTML may load and run: its own style and script, by their hashes. */
extern const char osp_page_policy[];

/* The page; the page of one rule, or of all rules' names when there is none of that name. */
void osp_page_html(osp_sink *sink, const osp_view *view);
void osp_page_rule(osp_sink *sink, const osp_view *view, enum osp_rule_id rule);
void osp_page_no_rule(osp_sink *sink, const osp_view *view);

/* docs/status.md has the schema, and the names. */
void osp_page_json(osp_sink *sink, const osp_view *view);
void osp_page_metrics(osp_sink *sink, const osp_view *view);

/* ---- pieces of the HTML page ---------------------------------------------------------------- */

void osp_page_begin(osp_sink *sink, const osp_view *view, const char *title);
void osp_page_end(osp_sink *sink, const osp_view *view);

/* How a rule stands, with a sign, in words, and why. */
void osp_page_standing(osp_sink *sink, const osp_view_vhost *vhost, enum osp_rule_id rule);

/* A virtual host's name and port, escaped. */
void osp_page_vhost(osp_sink *sink, const osp_view_vhost *vhost);

/* A link to the rule's page. */
void osp_page_rule_link(osp_sink *sink, enum osp_rule_id rule);

/* The audit's findings: all, or those of one rule (OSP_RULE_COUNT: all). Returns how many. */
int osp_page_findings(osp_sink *sink, const osp_view *view, enum osp_rule_id rule);

/* "off: the reason", when a rule is off for a site of the model; returns whether it is. */
bool osp_page_off(osp_sink *sink, const osp_view *view, int site, enum osp_rule_id rule);

/* A sign and a word in the colour of good, bad, warn or off. */
void osp_page_mark(osp_sink *sink, const char *colour, const char *text);

/* How long ago, with the time itself for programs; "never" for 0. */
void osp_page_ago(osp_sink *sink, int64_t when, int64_t now);

/* "3 modules", "1 module". */
void osp_page_number(osp_sink *sink, int64_t count, const char *one, const char *many);

/* page_watch.c: what the watchers know: hours, app servers, modules, missing content, integrity. */
void osp_page_watch(osp_sink *sink, const osp_view *view, const osp_index *index);

/* chart.c: the last hour of one site, or of all (NULL), as four small charts. */
void osp_page_charts(osp_sink *sink, const osp_view *view, const osp_site *site);

static inline void osp_put(osp_sink *sink, const char *markup)
{
    osp_out_put(&sink->out, markup);
}

#endif
