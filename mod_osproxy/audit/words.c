/*
 * words.c: from the name of a directive to its word: a search in a sorted index, made once.
 */
#include "words.h"

#include <stdlib.h>
#include <strings.h>

static const char *const names[OSP_W_COUNT] = {
#define OSP_WORD_NAME(id, name) [OSP_W_##id] = name,
    OSP_WORDS(OSP_WORD_NAME)
#undef OSP_WORD_NAME
};

/* Whatever reads it first fills it; configurations are read by one thread. */
static int sorted[OSP_W_COUNT];
static int is_sorted;

static int compare(const void *a, const void *b)
{
    return strcasecmp(names[*(const int *)a], names[*(const int *)b]);
}

static int find(const void *name, const void *word)
{
    return strcasecmp(name, names[*(const int *)word]);
}

enum osp_word osp_word_find(const char *name)
{
    const int *found;
    int i;

    if (!is_sorted) {
        for (i = 0; i < OSP_W_COUNT; i++) {
            sorted[i] = i;
        }
        qsort(sorted, OSP_W_COUNT, sizeof sorted[0], compare);
        is_sorted = 1;
    }
    found = bsearch(name, sorted, OSP_W_COUNT, sizeof sorted[0], find);
    return found ? (enum osp_word) * found : OSP_W_COUNT;
}
