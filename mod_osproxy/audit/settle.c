/*
 * settle.c: edits that fit the files that they are for. httpd's configuration tree names the last
 * line of a directive that goes on over several and knows no indentation; both are read from the
 * files here, for the lines that have a finding only.
 */
#include "apr_file_io.h"
#include "apr_strings.h"

#include "audit.h"

#define MOST_BYTES (16 * 1024 * 1024)

static osp_source *split(apr_pool_t *p, char *text, apr_size_t length)
{
    osp_source *file = apr_pcalloc(p, sizeof *file);
    apr_size_t i, count = 1;
    char *begin = text;

    for (i = 0; i < length; i++) {
        count += text[i] == '\n';
    }
    file->lines = apr_palloc(p, count * sizeof *file->lines);
    for (i = 0; i <= length; i++) {
        if (i == length || text[i] == '\n') {
            text[i] = '\0';
            if (i > 0 && &text[i - 1] >= begin && text[i - 1] == '\r') {
                text[i - 1] = '\0';
            }
            file->lines[file->count++] = begin;
            begin = text + i + 1;
        }
    }
    return file;
}

osp_source *osp_source_read(apr_pool_t *p, const char *name, apr_hash_t *seen)
{
    osp_source *known = apr_hash_get(seen, name, APR_HASH_KEY_STRING);
    apr_size_t length = 0;
    apr_finfo_t info;
    apr_file_t *file;
    char *text;

    if (known) {
        return known;
    }
    known = apr_pcalloc(p, sizeof *known);
    if (apr_file_open(&file, name, APR_FOPEN_READ, APR_OS_DEFAULT, p) == APR_SUCCESS) {
        if (apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file) == APR_SUCCESS
            && info.filetype == APR_REG && info.size < MOST_BYTES) {
            text = apr_palloc(p, (apr_size_t)info.size + 1);
            apr_file_read_full(file, text, (apr_size_t)info.size, &length);
            known = split(p, text, length);
        }
        apr_file_close(file);
    }
    apr_hash_set(seen, name, APR_HASH_KEY_STRING, known);
    return known;
}

const char *osp_source_line(const osp_source *file, int number)
{
    return number >= 1 && number <= file->count ? file->lines[number - 1] : "";
}

int osp_source_goes_on(const char *line)
{
    apr_size_t length = strlen(line);

    return length && line[length - 1] == '\\' && (length < 2 || line[length - 2] != '\\');
}

/* Each line of text behind indent. */
static const char *indented(apr_pool_t *p, const char *indent, const char *text)
{
    const char *result = "";

    if (!*indent) {
        return text;
    }
    for (;;) {
        apr_size_t length = strcspn(text, "\n");

        result = apr_psprintf(p, "%s%s%.*s", result, indent, (int)length, text);
        if (!text[length]) {
            return result;
        }
        result = apr_pstrcat(p, result, "\n", NULL);
        text += length + 1;
    }
}

/* What is written into a section stands one step deeper than its opening. */
static int goes_inside(const osp_edit *edit, const char *line)
{
    return edit->action == OSP_INSERT_AFTER && line[strspn(line, " \t")] == '<';
}

static void settle(osp_edit *edit, const osp_source *file, apr_pool_t *p)
{
    int first = edit->line;
    const char *line, *indent;

    while (first > 1 && osp_source_goes_on(osp_source_line(file, first - 1))) {
        first--;
    }
    line = osp_source_line(file, first);
    indent = apr_pstrmemdup(p, line, strspn(line, " \t"));
    if (goes_inside(edit, line)) {
        indent = apr_pstrcat(p, indent, "    ", NULL);
    }
    if (edit->text) {
        edit->text = indented(p, indent, edit->text);
    }
    if (edit->action == OSP_INSERT_BEFORE) {
        edit->line = first;
    }
    else if (edit->action == OSP_REPLACE || edit->action == OSP_DELETE) {
        int number;

        for (number = edit->line - 1; number >= first; number--) {
            osp_edit *rest = apr_pcalloc(p, sizeof *rest);

            *rest = (osp_edit){OSP_DELETE, edit->file, number, NULL, NULL, edit->next};
            edit->next = rest;
        }
    }
}

void osp_settle(osp_audit *audit, apr_pool_t *p)
{
    apr_hash_t *seen = apr_hash_make(p);
    osp_finding *finding;

    for (finding = audit->findings; finding; finding = finding->next) {
        osp_edit *edit, *next;

        for (edit = finding->edits; edit; edit = next) {
            next = edit->next; /* what settle() adds is settled */
            settle(edit, osp_source_read(p, edit->file, seen), p);
        }
    }
}
