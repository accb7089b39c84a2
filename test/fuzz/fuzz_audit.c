/*
 * Any bytes as a configuration: lines to facts, all checks, all renderings. The first byte chooses
 * the MPM and whether it is a survey. Every finding must have a place that was written, a sentence
 * and edits that name lines; the JSON must be JSON, the text must hold no control character.
 */
#include "fuzz.h"

#include "../unit/config.h"
#include "audit/render.h"

/* Not a regular expression's meaning, but an answer that depends on both. */
static int matches(void *baton, const char *pattern, const char *text)
{
    (void)baton;
    if (*pattern == '(' && pattern[1] == ')') {
        return -1;
    }
    pattern += *pattern == '^';
    return strncmp(pattern, text, strcspn(pattern, "\\.*+?[](){}|$")) == 0;
}

/* ---- JSON (RFC 8259), so far as it has to be checked --------------------------------------- */

static const char *value(const char *c, int depth);

static const char *blanks(const char *c)
{
    return c + strspn(c, " \n");
}

static const char *string(const char *c)
{
    PROMISE(*c == '"');
    for (c++; *c != '"'; c++) {
        PROMISE((unsigned char)*c >= 0x20);
        if (*c == '\\') {
            c++;
            PROMISE(*c && strchr("\"\\nu", *c));
            PROMISE(*c != 'u' || strspn(c + 1, "0123456789abcdef") >= 4);
        }
    }
    return blanks(c + 1);
}

static const char *several(const char *c, char end, int depth)
{
    c = blanks(c + 1);
    while (*c != end) {
        if (end == '}') {
            c = string(c);
            PROMISE(*c == ':');
            c = blanks(c + 1);
        }
        c = value(c, depth + 1);
        if (*c == ',') {
            c = blanks(c + 1);
            PROMISE(*c != end);
        }
        else {
            PROMISE(*c == end);
        }
    }
    return blanks(c + 1);
}

static const char *value(const char *c, int depth)
{
    PROMISE(depth < 12);
    if (*c == '"') {
        return string(c);
    }
    if (*c == '{' || *c == '[') {
        return several(c, *c == '{' ? '}' : ']', depth);
    }
    if (strncmp(c, "null", 4) == 0) {
        return blanks(c + 4);
    }
    c += *c == '-';
    PROMISE(strspn(c, "0123456789"));
    return blanks(c + strspn(c, "0123456789"));
}

/* ---- findings ------------------------------------------------------------------------------ */

static void check_finding(const osp_audit *audit, const osp_finding *finding, int lines)
{
    const osp_edit *edit;

    PROMISE(*finding->text && finding->rule < OSP_RULE_COUNT && finding->servers > 0);
    PROMISE(finding->line >= 0 && finding->line <= lines);
    PROMISE(!finding->next || strcmp(finding->file, finding->next->file) <= 0);
    for (edit = finding->edits; edit; edit = edit->next) {
        PROMISE(edit->line >= 1 && edit->line <= lines && *edit->file);
        PROMISE((edit->action == OSP_DELETE) == !edit->text);
    }
    PROMISE(osp_finding_fix(audit, finding));
}

static void check_renderings(const osp_audit *audit)
{
    osp_out text = {.memory = audit->memory}, table = text, json = text;
    const char *c;

    osp_render_text(&text, audit, false);
    for (c = text.text ? text.text : ""; *c; c++) {
        PROMISE(*c == '\n' || (unsigned char)*c >= 0x20);
    }
    osp_render_table(&table, audit, false);
    for (c = table.text; *c; c++) {
        PROMISE(*c == '\n' || (unsigned char)*c >= 0x20);
    }
    osp_render_json(&json, audit, "0");
    c = value(json.text, 0);
    PROMISE(!*c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const mpms[] = {"event", "worker", "prefork", ""};
    const osp_finding *finding;
    test_arena arena;
    osp_facts facts;
    osp_audit audit;
    size_t counted = 0, i;
    int lines = 1;
    char *text;

    if (size < 1 || size > 16 * 1024) {
        return 0;
    }
    test_arena_begin(&arena);
    text = osp_text_copy(&arena.memory, (const char *)data + 1, size - 1);
    for (i = 0; i + 1 < size; i++) {
        text[i] = text[i] ? text[i] : ' ';
        lines += text[i] == '\n';
    }
    facts = (osp_facts){.memory = &arena.memory,
                        .matches = matches,
                        .mpm = mpms[data[0] & 3],
                        .survey = data[0] & 4,
                        .remoteip_is_loaded = data[0] & 8};
    test_config_read(&facts, text);
    osp_audit_run(&audit, &facts);
    for (finding = audit.findings; finding; finding = finding->next) {
        check_finding(&audit, finding, lines);
        counted++;
    }
    PROMISE(counted == (size_t)(audit.counts[0] + audit.counts[1] + audit.counts[2]));
    check_renderings(&audit);
    test_arena_end(&arena);
    return 0;
}
