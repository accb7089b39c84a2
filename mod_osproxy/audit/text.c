/*
 * text.c: memory, text and words for the audit's pure part.
 */
#include "text.h"

#include <stdio.h>
#include <string.h>

#include "../parse/span.h"

void *osp_take(const osp_memory *memory, size_t bytes)
{
    return memory->take(memory->baton, bytes);
}

char *osp_text_copy(const osp_memory *memory, const char *text, size_t length)
{
    char *copy = osp_take(memory, length + 1);

    if (length) {
        memcpy(copy, text, length);
    }
    return copy;
}

char *osp_text_vformat(const osp_memory *memory, const char *format, va_list values)
{
    va_list again;
    int length;
    char *text;

    va_copy(again, values);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) {
        length = 0;
    }
    text = osp_take(memory, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, values);
    return text;
}

char *osp_text_format(const osp_memory *memory, const char *format, ...)
{
    va_list values;
    char *text;

    va_start(values, format);
    text = osp_text_vformat(memory, format, values);
    va_end(values);
    return text;
}

bool osp_text_is(const char *text, const char *word)
{
    return text && osp_span_eq_nocase(osp_span_of(text), word);
}

bool osp_text_begins(const char *text, const char *word)
{
    for (; *word; text++, word++) {
        if (osp_span_lower(*text) != osp_span_lower(*word)) {
            return false;
        }
    }
    return true;
}

bool osp_text_holds(const char *text, const char *word)
{
    for (; *text; text++) {
        if (osp_text_begins(text, word)) {
            return true;
        }
    }
    return !*word;
}

char *osp_text_lower(const osp_memory *memory, const char *text)
{
    char *copy = osp_text_copy(memory, text, strlen(text)), *c;

    for (c = copy; *c; c++) {
        *c = osp_span_lower(*c);
    }
    return copy;
}

bool osp_text_globs(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        }
        else if (*pattern
                 && (*pattern == '?' || osp_span_lower(*pattern) == osp_span_lower(*text))) {
            pattern++;
            text++;
        }
        else if (star) {
            pattern = star;
            text = ++resume;
        }
        else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return !*pattern;
}

/* Makes room for `more` bytes and a final zero. */
static void make_room(osp_out *out, size_t more)
{
    if (out->length + more + 1 > out->room) {
        size_t room = 2 * out->room + more + 256;
        char *grown = osp_take(out->memory, room);

        if (out->length) {
            memcpy(grown, out->text, out->length);
        }
        out->text = grown;
        out->room = room;
    }
}

void osp_out_add(osp_out *out, const char *text, size_t length)
{
    make_room(out, length);
    if (length) {
        memcpy(out->text + out->length, text, length);
    }
    out->length += length;
    out->text[out->length] = '\0';
}

void osp_out_put(osp_out *out, const char *text)
{
    osp_out_add(out, text, strlen(text));
}

void osp_out_format(osp_out *out, const char *format, ...)
{
    va_list values, again;
    int length;

    /* a first try where the text is, so that nothing is left behind in memory that is never freed */
    make_room(out, 64);
    va_start(values, format);
    va_copy(again, values);
    length = vsnprintf(out->text + out->length, out->room - out->length, format, again);
    va_end(again);
    if (length > 0 && (size_t)length >= out->room - out->length) {
        make_room(out, (size_t)length);
        vsnprintf(out->text + out->length, out->room - out->length, format, values);
    }
    va_end(values);
    if (length > 0) {
        out->length += (size_t)length;
    }
    out->text[out->length] = '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* The end of the argument that begins at args, which is no blank. */
static const char *arg_end(const char *args)
{
    const char *c = args;
    char quote = *c == '"' || *c == '\'' ? *c : '\0';

    if (!quote) {
        while (*c && !is_blank(*c)) {
            c++;
        }
        return c;
    }
    for (c++; *c && *c != quote; c++) {
        if (*c == '\\' && c[1] && (c[1] == quote || c[1] == '\\')) {
            c++;
        }
    }
    return *c ? c + 1 : c;
}

static char *arg_value(const osp_memory *memory, const char *from, const char *end)
{
    char quote = *from == '"' || *from == '\'' ? *from : '\0';
    char *value = osp_take(memory, (size_t)(end - from) + 1), *to = value;

    if (quote) {
        from++;
        end -= end > from && end[-1] == quote;
    }
    while (from < end) {
        if (*from == '\\' && from + 1 < end && (from[1] == '\\' || (quote && from[1] == quote))) {
            from++;
        }
        *to++ = *from++;
    }
    return value;
}

int osp_args_split(const osp_memory *memory, const char *args, osp_arg **into)
{
    int count = 0, room = 0;
    osp_arg *list = NULL;
    const char *c = args;

    for (;;) {
        const char *end;

        while (is_blank(*c)) {
            c++;
        }
        if (!*c) {
            break;
        }
        if (count == room) {
            osp_arg *grown = osp_take(memory, (size_t)(2 * room + 4) * sizeof *grown);

            if (count) {
                memcpy(grown, list, (size_t)count * sizeof *grown);
            }
            list = grown;
            room = 2 * room + 4;
        }
        end = arg_end(c);
        list[count++] = (osp_arg){arg_value(memory, c, end), (size_t)(c - args), (size_t)(end - c)};
        c = end;
    }
    *into = list;
    return count;
}

long osp_text_number(const char *text, long most, const char **rest)
{
    long number = 0;
    const char *c = text;

    while (*c >= '0' && *c <= '9') {
        number = number > most ? number : 10 * number + (*c - '0');
        c++;
    }
    *rest = c;
    return c == text ? -1 : number > most ? most : number;
}

long osp_text_milliseconds(const char *text, const char *unit)
{
    static const struct {
        const char *name;
        long factor;
    } units[] = {{"ms", 1}, {"s", 1000}, {"mi", 60000}, {"min", 60000}, {"h", 3600000}};
    const char *rest;
    long number = osp_text_number(text, 500000, &rest);
    size_t i;

    for (i = 0; number >= 0 && i < sizeof units / sizeof units[0]; i++) {
        if (osp_text_is(*rest ? rest : unit, units[i].name)) {
            return number * units[i].factor;
        }
    }
    return -1;
}

struct osp_map_entry {
    const char *key;
    void *value;
};

static size_t hash_of(const char *key)
{
    size_t hash = 5381;

    for (; *key; key++) {
        hash = hash * 33 + (unsigned char)osp_span_lower(*key);
    }
    return hash;
}

static struct osp_map_entry *slot_of(const osp_map *map, const char *key)
{
    size_t at = hash_of(key) % map->room;

    while (map->entries[at].key && !osp_text_is(map->entries[at].key, key)) {
        at = at + 1 < map->room ? at + 1 : 0;
    }
    return &map->entries[at];
}

void *osp_map_get(const osp_map *map, const char *key)
{
    return map->room ? slot_of(map, key)->value : NULL;
}

static void grow(osp_map *map)
{
    osp_map bigger = {.memory = map->memory, .room = 2 * map->room + 61, .count = map->count};
    size_t i;

    bigger.entries = osp_take(map->memory, bigger.room * sizeof *bigger.entries);
    for (i = 0; i < map->room; i++) {
        if (map->entries[i].key) {
            *slot_of(&bigger, map->entries[i].key) = map->entries[i];
        }
    }
    *map = bigger;
}

void *osp_map_add(osp_map *map, const char *key, void *value)
{
    struct osp_map_entry *slot;

    if (2 * map->count >= map->room) {
        grow(map);
    }
    slot = slot_of(map, key);
    if (!slot->key) {
        *slot = (struct osp_map_entry){key, value};
        map->count++;
    }
    return slot->value;
}

const char *osp_text_printable(const osp_memory *memory, const char *text)
{
    char *copy = osp_text_copy(memory, text, strlen(text)), *c;

    for (c = copy; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = *c == '\n' ? '\n' : '?';
        }
    }
    return copy;
}
