/*
 * page_frame.c: what every page for people has: head, style, script, foot, and the pieces that its
 * files share.
 *
 * One document without outside resources; style and script are named by their hashes in the
 * Content-Security-Policy (test/http/test_status.py tells them when they have changed). The script
 * puts a new copy of the page in place every 30 seconds and keeps open what is open; without it a
 * link does.
 */
#include "page.h"

#include <inttypes.h>
#include <string.h>

#define STYLE                                                                                      \
    ":root{color-scheme:light dark;--ink:#1a1c1e;--paper:#fff;--soft:#f2f4f6;--line:#c9ced3;"      \
    "--off:#565c62;--good:#1a6632;--warn:#7a4a00;--bad:#a81c16;--info:#0b57a4}"                    \
    "@media(prefers-color-scheme:dark){:root{--ink:#e8eaec;--paper:#14171a;--soft:#1f2428;"        \
    "--line:#434a51;--off:#a9b0b6;--good:#6fd08c;--warn:#f0b95a;--bad:#ff9b91;--info:#8ab8ff}}"    \
    "body{font:1rem/1.45 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:.5rem 1rem "   \
    "2rem;"                                                                                        \
    "background:var(--paper);color:var(--ink);overflow-wrap:anywhere}"                             \
    "h1{font-size:1.35rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}"                \
    "h3{font-size:1rem;margin:1rem 0 .25rem}summary h3{display:inline}p{margin:.4rem 0}"           \
    "a{color:var(--info)}a:focus-visible,summary:focus-visible{outline:2px solid var(--info);"     \
    "outline-offset:2px}"                                                                          \
    "table{border-collapse:collapse;width:100%;margin:.25rem 0 .75rem}"                            \
    "caption{text-align:left;color:var(--off)}"                                                    \
    "th,td{text-align:left;vertical-align:top;padding:.25rem .4rem;border-bottom:1px solid "       \
    "var(--line);"                                                                                 \
    "font-weight:400}thead th{color:var(--off);font-size:.85rem}"                                  \
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"                    \
    ".good,.bad,.warn{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}"              \
    ".warn{color:var(--warn)}.off,small{color:var(--off)}.info{color:var(--info)}small{font-size:" \
    ".85em}"                                                                                       \
    ".verdict{font-size:1.15rem;padding:.6rem .8rem;border:2px solid "                             \
    "currentColor;border-radius:.5rem;"                                                            \
    "margin:.5rem 0}"                                                                              \
    "ul{margin:.25rem 0;padding-left:1.25rem}li{margin:.3rem "                                     \
    "0}summary{cursor:pointer;padding:.2rem 0}"                                                    \
    "pre,code{font:.85rem/1.4 ui-monospace,monospace}"                                             \
    "pre{background:var(--soft);padding:.4rem .6rem;margin:.25rem 0;white-space:pre-wrap}"         \
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem}"    \
    "figure{margin:0}svg{display:block;width:100%;height:3rem}"                                    \
    "path{stroke:currentColor;stroke-width:3;fill:none}.base{stroke-width:1;stroke:var(--line)}"   \
    "figcaption{font-size:.85rem}.finding{margin:.6rem 0;padding-left:.6rem;"                      \
    "border-left:3px solid var(--line)}nav a{margin-right:.75rem}form{margin:.75rem 0}"            \
    "button{font:inherit;padding:.3rem .9rem;margin-right:.5rem;border:1px solid var(--info);"     \
    "border-radius:.4rem;background:var(--soft);color:var(--info);cursor:pointer}"                 \
    "button:focus-visible{outline:2px solid var(--info);outline-offset:2px}"                       \
    "td>span{white-space:nowrap}"                                                                  \
    "@media(max-width:30rem){body{padding:.25rem .5rem 1rem}th,td{padding:.25rem .15rem;"          \
    "font-size:.85rem}.wide,.wide caption,.wide tbody,.wide tr,.wide th,.wide td{display:block}"   \
    ".wide thead{display:none}.wide td,.wide tbody th{border:0;padding:.1rem 0}"                   \
    ".wide tr{border-bottom:1px solid var(--line);padding:.35rem 0}.wide td>span{white-space:"     \
    "normal}.wide th{font-size:1rem}.wide td[data-is]:before{content:attr(data-is) ' ';"           \
    "color:var(--off)}.wide td details{display:inline-block;vertical-align:baseline}}"             \
    "@media(prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}"

#define SCRIPT                                                                                     \
    "function f(){var o=document.querySelector('main'),a=document.activeElement,"                  \
    "k=a&&a.tagName=='SUMMARY'?a.parentNode.id:'';"                                                \
    "if(document.hidden||!getSelection().isCollapsed||(!k&&o.contains(a)))return;"                 \
    "fetch(location.href,{cache:'no-store'}).then(function(r){return r.ok?r.text():''})"           \
    ".then(function(t){var n=new "                                                                 \
    "DOMParser().parseFromString(t,'text/html').querySelector('main');"                            \
    "if(!n)return;o.querySelectorAll('details[id]').forEach(function(d){"                          \
    "var e=n.querySelector('#'+d.id);if(e)e.open=d.open});o.replaceWith(n);soon();"                \
    "if(k&&(k=document.getElementById(k)))k.querySelector('summary').focus({preventScroll:true})}" \
    ")"                                                                                            \
    ".catch(function(){})}"                                                                        \
    "function soon(){if(document.querySelector('main.soon'))setTimeout(f,2000)}"                   \
    "setInterval(f,30000);addEventListener('DOMContentLoaded',soon)"

const char osp_page_policy[] =
    "default-src 'none'; style-src 'sha256-aZMqyBcf022AffoIE8Ks3uD8EMOE3kMccjxJLTVe1/0='; "
    "script-src 'sha256-ZEkqJ02eVyK2xDwV9pfVf3L8OQ/lkZqfoLJkNp4pSfo='; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/* ---- pieces -------------------------------------------------------------------------------- */

void osp_page_begin(osp_sink *sink, const osp_view *view, const char *title)
{
    osp_put(sink, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<title>");
    osp_out_html(&sink->out, title);
    osp_put(sink, "</title>\n<style>" STYLE "</style>\n<script>" SCRIPT "</script>");
    if (osp_view_is_checking(view)) { /* its end is worth waiting for */
        osp_put(sink, "<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript></head>"
                      "<body>\n<main class=\"soon\">\n<h1>");
    }
    else {
        osp_put(sink, "</head><body>\n<main>\n<h1>");
    }
    osp_out_html(&sink->out, title);
    osp_put(sink, " <small>");
    osp_out_html(&sink->out, view->version);
    osp_put(sink, "</small></h1>\n");
}

void osp_page_end(osp_sink *sink, const osp_view *view)
{
    osp_put(sink, "<hr><p><small>");
    osp_out_html(&sink->out, view->httpd);
    osp_put(sink, ", started ");
    osp_page_ago(sink, view->started, view->now);
    osp_put(sink, ". This page is of ");
    osp_page_ago(sink, view->now, view->now);
    osp_put(sink, "; <a href=\"?\">the page</a>, <a href=\"?json\">as JSON</a>, "
                  "<a href=\"?metrics\">as metrics</a>.</small></p>\n</main>\n</body></html>\n");
    osp_sink_flush(sink);
}

void osp_page_mark(osp_sink *sink, const char *colour, const char *text)
{
    const char *sign = strcmp(colour, "good") == 0   ? "\xe2\x9c\x94"
                       : strcmp(colour, "bad") == 0  ? "\xe2\x9c\x96"
                       : strcmp(colour, "warn") == 0 ? "\xe2\x96\xb2"
                                                     : "\xe2\x97\x8b";

    osp_out_format(&sink->out, "<span class=\"%s\"><span aria-hidden=\"true\">%s</span> ", colour,
                   sign);
    osp_out_html(&sink->out, text);
    osp_put(sink, "</span>");
}

bool osp_page_off(osp_sink *sink, const osp_view *view, int site, enum osp_rule_id rule)
{
    const char *reason = osp_view_why_off(view, site, rule);

    if (!reason) {
        return false;
    }
    osp_page_mark(sink, "off", "off");
    osp_put(sink, " <small>");
    osp_page_rule_link(sink, rule);
    if (*reason) {
        osp_put(sink, ": ");
        osp_out_html(&sink->out, reason);
    }
    osp_put(sink, "</small>");
    return true;
}

void osp_page_number(osp_sink *sink, int64_t count, const char *one, const char *many)
{
    osp_out_format(&sink->out, "%" PRId64 " %s", count, count == 1 ? one : many);
}

/* 1970-01-01T00:00:00Z; the civil calendar, by eras of 400 years that begin in March. */
static void put_instant(osp_sink *sink, int64_t when)
{
    int64_t days = when / 86400 + 719468, era, day, year, month, second = when % 86400;

    era = days / 146097;
    day = days % 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    osp_out_format(&sink->out, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                   (int)(year + era * 400 + (month <= 2)), (int)month, (int)day + 1,
                   (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
}

void osp_page_ago(osp_sink *sink, int64_t when, int64_t now)
{
    const int64_t year_9999 = 253402300799;
    int64_t ago;

    if (when <= 0 || when > year_9999) {
        osp_put(sink, "never");
        return;
    }
    osp_put(sink, "<time datetime=\"");
    put_instant(sink, when);
    osp_put(sink, "\">");
    ago = now > when && now <= year_9999 ? now - when : 0;
    if (now == when) {
        put_instant(sink, when);
    }
    else if (ago < 120) {
        osp_out_format(&sink->out, "%d s ago", (int)ago);
    }
    else if (ago < 7200) {
        osp_out_format(&sink->out, "%d min ago", (int)(ago / 60));
    }
    else if (ago < 172800) {
        osp_out_format(&sink->out, "%d h ago", (int)(ago / 3600));
    }
    else {
        osp_out_format(&sink->out, "%d days ago", (int)(ago / 86400));
    }
    osp_put(sink, "</time>");
}

void osp_page_rule_link(osp_sink *sink, enum osp_rule_id rule)
{
    const char *name = osp_rule_get(rule)->name;

    osp_out_format(&sink->out, "<a href=\"?rule=%s\" title=\"%s\">%s</a>", name,
                   osp_rule_get(rule)->title, name);
}

void osp_page_vhost(osp_sink *sink, const osp_view_vhost *vhost)
{
    osp_out_html(&sink->out, vhost->name);
    if (vhost->is_main) {
        osp_put(sink, ", outside virtual hosts");
    }
    else {
        osp_out_format(&sink->out, ":%d", vhost->port);
    }
}

void osp_page_standing(osp_sink *sink, const osp_view_vhost *vhost, enum osp_rule_id rule)
{
    const char *standing = osp_view_standing(vhost, rule), *reason = osp_view_reason(vhost, rule);
    bool off = strcmp(standing, "off") == 0;

    osp_page_mark(sink,
                  off                                 ? "off"
                  : strcmp(standing, "violated") == 0 ? "bad"
                  : strcmp(standing, "report") == 0   ? "warn"
                                                      : "good",
                  standing);
    if (reason) {
        osp_put(sink, ": ");
        osp_out_html(&sink->out, reason);
    }
    else if (off && strcmp(vhost->engine, "off") == 0) {
        osp_put(sink, " <small>with the engine</small>");
    }
    else if (!off && vhost->judged && vhost->rules[rule].mode == OSP_REPORT) {
        osp_put(sink, " <small>only reported</small>");
    }
}
