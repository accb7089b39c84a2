/*
 * Configuration text as facts, for the tests of the audit's pure part: one directive a line, no
 * continuation, sections as in httpd, an arena for memory. `file` is "test.conf".
 */
#ifndef OSP_TEST_CONFIG_H
#define OSP_TEST_CONFIG_H

#include <stdlib.h>
#include <string.h>

#include "audit/facts.h"

typedef struct test_block {
    struct test_block *next;
    max_align_t bytes[];
} test_block;

typedef struct test_arena {
    osp_memory memory;
    test_block *blocks;
} test_arena;

static void *test_take(void *baton, size_t bytes)
{
    test_arena *arena = baton;
    test_block *block = calloc(1, sizeof *block + bytes);

    if (!block) {
        abort();
    }
    block->next = arena->blocks;
    arena->blocks = block;
    return block->bytes;
}

static inline void test_arena_begin(test_arena *arena)
{
    *arena = (test_arena){.memory = {test_take, arena}};
}

static inline void test_arena_end(test_arena *arena)
{
    while (arena->blocks) {
        test_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
}

/* Reads text into facts; whoever calls has set memory, matches, mpm. */
static inline void test_config_read(osp_facts *facts, const char *text)
{
    enum { DEEPEST = 8 };
    osp_server *main_server = osp_facts_server(facts, "front.example.com"), *server = main_server;
    const osp_section *open[DEEPEST + 1] = {NULL};
    const osp_memory *memory = facts->memory;
    int depth = 0, number = 0;

    while (*text) {
        size_t length = strcspn(text, "\n"), begin = strspn(text, " \t"), name;
        const char *line = osp_text_copy(memory, text, length);

        text += length + (text[length] == '\n');
        number++;
        if (begin >= length) {
            continue;
        }
        line += begin;
        name = strcspn(line, " \t");
        if (strncmp(line, "</VirtualHost", 13) == 0) {
            server = main_server;
            depth = 0;
        }
        else if (strncmp(line, "</", 2) == 0) {
            depth -= depth > 0;
        }
        else {
            const char *word = osp_text_copy(memory, line, name);
            const osp_section *inner;

            if (osp_text_is(word, "<VirtualHost")) {
                server = osp_facts_server(facts, "front.example.com");
                depth = 0;
            }
            inner =
                osp_facts_line(facts, server, open[depth], word,
                               line + name + strspn(line + name, " \t"), "test.conf", number, NULL);
            if (inner && depth < DEEPEST) {
                open[++depth] = inner;
            }
        }
    }
    osp_facts_finish(facts);
}

#endif
