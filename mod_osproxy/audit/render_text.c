/*
 * render_text.c: findings as compilers write them, so that editors jump to them.
 */
#include "render.h"

#include <string.h>

#define BOLD "\033[1m"
#define PLAIN "\033[0m"

static const char *const colours[OSP_SEVERITY_COUNT] = {"\033[1;31m", "\033[1;33m", "\033[1;36m"};

/* Columns, not bytes: UTF-8 continuation bytes take none. */
static size_t width(const char *text, size_t length)
{
    size_t columns = 0, i;

    for (i = 0; i < length; i++) {
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return columns;
}

/* Adds text word by word, wrapped; column is where it begins. */
static void put_wrapped(osp_out *out, const char *text, size_t column, size_t indent)
{
    while (*text) {
        size_t length = strcspn(text, " "), columns = width(text, length);
        bool first = column <= indent;

        if (!first && column + 1 + columns > OSP_COLUMNS) {
            osp_out_format(out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        if (!first) {
            osp_out_put(out, " ");
            column++;
        }
        osp_out_add(out, text, length);
        column += columns;
        text += length + (text[length] == ' ');
    }
}

static const char *sentence(const osp_audit *audit, const osp_finding *finding)
{
    const char *text = osp_text_printable(audit->memory, finding->text);

    if (finding->used) {
        text = osp_text_format(audit->memory, "%s (in a macro used at %s)", text, finding->used);
    }
    if (finding->servers > 1) {
        text = osp_text_format(audit->memory, "%s (%d virtual hosts)", text, finding->servers);
    }
    return text;
}

static void put_fix(osp_out *out, const char *fix)
{
    bool first = true;

    while (*fix) {
        size_t length = strcspn(fix, "\n");

        osp_out_put(out, first ? "    fix: " : "         ");
        osp_out_add(out, fix, length);
        osp_out_put(out, "\n");
        fix += length + (fix[length] == '\n');
        first = false;
    }
}

void osp_render_finding(osp_out *out, const osp_audit *audit, const osp_finding *finding,
                        bool coloured)
{
    const char *severity = osp_severity_name(finding->severity);
    const char *place = osp_text_format(
        audit->memory, "%s:%d:", osp_text_printable(audit->memory, finding->file), finding->line);
    size_t column = width(place, strlen(place)) + 1 + strlen(severity) + 1;

    if (coloured) {
        osp_out_format(out, BOLD "%s" PLAIN " %s%s:" PLAIN " ", place, colours[finding->severity],
                       severity);
    }
    else {
        osp_out_format(out, "%s %s: ", place, severity);
    }
    osp_out_format(out, "[%s]", osp_rule_get(finding->rule)->name);
    column += 3 + strlen(osp_rule_get(finding->rule)->name);
    if (column
        > OSP_COLUMNS - 20) { /* a long path leaves no room: the sentence gets its own line */
        osp_out_put(out, "\n    ");
        column = 4;
    }
    else {
        column = column > 4 ? column : 5;
    }
    put_wrapped(out, sentence(audit, finding), column, 4);
    osp_out_put(out, "\n");
    put_fix(out, osp_text_printable(audit->memory, osp_finding_fix(audit, finding)));
}

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

void osp_render_summary(osp_out *out, const osp_audit *audit)
{
    osp_out_format(out, "osproxy: %d virtual host%s: %d error%s, %d warning%s, %d enforced\n",
                   audit->vhosts, plural(audit->vhosts), audit->counts[OSP_ERROR],
                   plural(audit->counts[OSP_ERROR]), audit->counts[OSP_WARNING],
                   plural(audit->counts[OSP_WARNING]), audit->enforced);
}

void osp_render_text(osp_out *out, const osp_audit *audit, bool coloured)
{
    const osp_finding *finding;

    if (!audit->vhosts) {
        return;
    }
    for (finding = audit->findings; finding; finding = finding->next) {
        osp_render_finding(out, audit, finding, coloured);
    }
    osp_render_summary(out, audit);
}
