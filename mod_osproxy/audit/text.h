/*
 * text.h: memory, text and words for the audit's pure part. Memory comes from whoever calls: a pool
 * in httpd, an arena in the tests; nothing here frees.
 */
#ifndef OSP_TEXT_H
#define OSP_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* take() returns bytes of zeroed memory, aligned for anything, never NULL. */
typedef struct osp_memory {
    void *(*take)(void *baton, size_t bytes);
    void *baton;
} osp_memory;

void *osp_take(const osp_memory *memory, size_t bytes);
char *osp_text_copy(const osp_memory *memory, const char *text, size_t length);
char *osp_text_format(const osp_memory *memory, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *osp_text_vformat(const osp_memory *memory, const char *format, va_list values)
    __attribute__((format(printf, 2, 0)));

/* ASCII only, whatever the locale. */
bool osp_text_is(const char *text, const char *word);
bool osp_text_begins(const char *text, const char *word);
bool osp_text_holds(const char *text, const char *word);

/* What a configuration holds reaches a terminal without control characters, but for line feeds. */
char *osp_text_printable(const osp_memory *memory, const char *text);
char *osp_text_lower(const osp_memory *memory, const char *text);

/* A glob with * and ?, case-insensitive, as ServerAlias has it. */
bool osp_text_globs(const char *pattern, const char *text);

/* Text that grows. Begin with {.memory = …}; the text is NULL while nothing was added. */
typedef struct osp_out {
    const osp_memory *memory;
    char *text;
    size_t length, room;
} osp_out;

void osp_out_add(osp_out *out, const char *text, size_t length);
void osp_out_put(osp_out *out, const char *text);
void osp_out_format(osp_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One argument of a directive: its value, and where it stands, quotes included, in the
 * arguments. */
typedef struct osp_arg {
    const char *text;
    size_t at, length;
} osp_arg;

/* Splits as httpd does: blanks part, quotes keep together, a backslash escapes a quote or itself.
 * Returns how many there are. */
int osp_args_split(const osp_memory *memory, const char *args, osp_arg **into);

/* A whole number from 0 to most at the beginning of text, -1 when there is none; *rest is what
 * follows. */
long osp_text_number(const char *text, long most, const char **rest);

/* An httpd time (`30`, `500ms`, `2min`) in milliseconds, unit "s" or "ms" when none is written; -1
 * when it is none. */
long osp_text_milliseconds(const char *text, const char *unit);

/* A map from text to pointers; keys are compared in lower case. Begin with {.memory = …}. */
typedef struct osp_map {
    const osp_memory *memory;
    struct osp_map_entry *entries;
    size_t count, room;
} osp_map;

void *osp_map_get(const osp_map *map, const char *key);

/* Keeps what is there already; returns what is in the map afterwards. */
void *osp_map_add(osp_map *map, const char *key, void *value);

#endif
