/*
 * status.c: SetHandler osproxy-status: what each rule does on each virtual host, and what it has
 * done since the first start. HTML for people, `?json` for programs.
 */
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"

#include "osproxy.h"
#include "pin.h"

static const char *const event_names[OSP_EVENT_COUNT] = {"acted", "reported", "refused"};

/* JSON string: quoted, with everything escaped that RFC 8259 section 7 asks for. */
static const char *json_string(apr_pool_t *p, const char *text)
{
    char *out, *o;

    if (!text) {
        return "null";
    }
    o = out = apr_palloc(p, 6 * strlen(text) + 3);
    *o++ = '"';
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f) {
            o += sprintf(o, "\\u%04x", c);
        }
        else {
            *o++ = (char)c;
        }
    }
    *o++ = '"';
    *o = '\0';
    return out;
}

static const osp_dir_conf *defaults_of(const server_rec *s)
{
    return ap_get_module_config(s->lookup_defaults, &osproxy_module);
}

static const char *engine_name(const server_rec *s)
{
    switch (defaults_of(s)->engine) {
    case OSP_ENGINE_ON:
        return "on";
    case OSP_ENGINE_REPORT:
        return "report";
    default:
        return "off";
    }
}

static int port_of(const server_rec *s)
{
    return s->addrs && s->addrs->host_port ? s->addrs->host_port : s->port;
}

static void json_rule(request_rec *r, const server_rec *s, enum osp_rule_id id)
{
    const osp_dir_conf *dir = defaults_of(s);
    int event;

    ap_rprintf(r, "%s\n    \"%s\":{\"mode\":\"%s\",\"reason\":%s", id ? "," : "",
               osp_rule_get(id)->name, osp_mode_name((enum osp_mode)dir->mode[id]),
               json_string(r->pool, dir->reason[id]));
    for (event = 0; event < OSP_EVENT_COUNT; event++) {
        ap_rprintf(r, ",\"%s\":%" APR_UINT64_T_FMT, event_names[event],
                   osp_count_read(osp_server_conf_get(s)->counters, id, (enum osp_event)event));
    }
    ap_rputs("}", r);
}

static void json_pins(request_rec *r)
{
    int event;

    ap_rprintf(r, "\"pins\":{\"open\":%u", osp_count_pins_read_open());
    for (event = 0; event < OSP_PIN_EVENT_COUNT; event++) {
        ap_rprintf(r, ",\"%s\":%" APR_UINT64_T_FMT, osp_pin_event_name((enum osp_pin_event)event),
                   osp_count_pin_read((enum osp_pin_event)event));
    }
    ap_rputs("}", r);
}

static void send_json(request_rec *r)
{
    const server_rec *s;
    int id;

    ap_set_content_type(r, "application/json");
    ap_rprintf(r, "{\"osproxy\":\"" OSP_VERSION "\",\"schema\":1,\n");
    json_pins(r);
    ap_rputs(",\n\"vhosts\":[", r);
    for (s = ap_server_conf; s; s = s->next) {
        ap_rprintf(r, "%s\n  {\"name\":%s,\"port\":%d,\"file\":%s,\"line\":%u,\"engine\":\"%s\","
                   "\"rules\":{", s == ap_server_conf ? "" : ",",
                   json_string(r->pool, s->server_hostname), port_of(s),
                   json_string(r->pool, s->defn_name), s->defn_line_number, engine_name(s));
        for (id = 0; id < OSP_RULE_RUN_COUNT; id++) {
            json_rule(r, s, (enum osp_rule_id)id);
        }
        ap_rputs("}}", r);
    }
    ap_rputs("\n]}\n", r);
}

static void html_rule(request_rec *r, const server_rec *s, enum osp_rule_id id)
{
    const osp_dir_conf *dir = defaults_of(s);
    int event;

    ap_rprintf(r, "<tr><th scope=\"row\" title=\"%s\">%s</th><td class=\"%s\">%s%s%s</td>",
               ap_escape_html(r->pool, osp_rule_get(id)->title), osp_rule_get(id)->name,
               osp_mode_name((enum osp_mode)dir->mode[id]),
               osp_mode_name((enum osp_mode)dir->mode[id]), dir->reason[id] ? ": " : "",
               dir->reason[id] ? ap_escape_html(r->pool, dir->reason[id]) : "");
    for (event = 0; event < OSP_EVENT_COUNT; event++) {
        ap_rprintf(r, "<td class=\"n\">%" APR_UINT64_T_FMT "</td>",
                   osp_count_read(osp_server_conf_get(s)->counters, id, (enum osp_event)event));
    }
    ap_rputs("</tr>\n", r);
}

static void html_pins(request_rec *r)
{
    int event;

    ap_rprintf(r, "<h2>Windows authentication</h2>\n<table><tr><th scope=\"row\">clients with a "
               "connection of their own</th><td class=\"n\">%u</td></tr>\n",
               osp_count_pins_read_open());
    for (event = 0; event < OSP_PIN_EVENT_COUNT; event++) {
        ap_rprintf(r, "<tr><th scope=\"row\">%s</th><td class=\"n\">%" APR_UINT64_T_FMT
                   "</td></tr>\n", osp_pin_event_title((enum osp_pin_event)event),
                   osp_count_pin_read((enum osp_pin_event)event));
    }
    ap_rputs("</table>\n", r);
}

static const char *heading(apr_pool_t *p, const server_rec *s)
{
    const char *name = ap_escape_html(p, s->server_hostname);

    return s->is_virtual ? apr_psprintf(p, "%s:%d", name, port_of(s))
                         : apr_pstrcat(p, name, ", outside virtual hosts", NULL);
}

static void send_html(request_rec *r)
{
    const server_rec *s;
    int id;

    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_rputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<title>mod_osproxy</title>\n<style>\n"
             ":root{color-scheme:light dark}\n"
             "body{font:15px/1.4 system-ui,sans-serif;max-width:60rem;margin:1rem auto;"
             "padding:0 1rem}\n"
             "table{border-collapse:collapse;width:100%}\n"
             "th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #8884}\n"
             ".n{text-align:right;font-variant-numeric:tabular-nums}\n"
             "h2,p{overflow-wrap:anywhere}\n"
             ".enforce{color:#207a3e}.report{color:#8f5a00}.off{color:#6b6b6b}\n"
             "@media(prefers-color-scheme:dark){.enforce{color:#5cc98a}.report{color:#e0a83c}"
             ".off{color:#a0a0a0}}\n"
             "@media(max-width:30rem){body{padding:0 .5rem}th,td{padding:.25rem .15rem;"
             "font-size:.8rem}}\n"
             "</style></head><body>\n<h1>mod_osproxy " OSP_VERSION "</h1>\n", r);
    for (s = ap_server_conf; s; s = s->next) {
        ap_rprintf(r, "<h2>%s</h2>\n<p>engine %s", heading(r->pool, s), engine_name(s));
        if (s->defn_name) {
            ap_rprintf(r, ", defined in %s:%u", ap_escape_html(r->pool, s->defn_name),
                       s->defn_line_number);
        }
        ap_rputs("</p>\n<table><tr><th>rule</th><th>mode</th><th class=\"n\">acted</th>"
                 "<th class=\"n\">reported</th><th class=\"n\">refused</th></tr>\n", r);
        for (id = 0; id < OSP_RULE_RUN_COUNT; id++) {
            html_rule(r, s, (enum osp_rule_id)id);
        }
        ap_rputs("</table>\n", r);
    }
    html_pins(r);
    ap_rputs("</body></html>\n", r);
}

static int handler(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, "osproxy-status") != 0) {
        return DECLINED;
    }
    r->allowed = AP_METHOD_BIT << M_GET;
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'");
    if (r->args && strcmp(r->args, "json") == 0) {
        send_json(r);
    }
    else {
        send_html(r);
    }
    return OK;
}

void osp_status_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}
