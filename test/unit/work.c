/* The counter behind work.h; compiled without the options that it serves. */
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 4 * 1024, LARGE = 64 * 1024, MOST_PER_BYTE = 100 };

void __sanitizer_cov_trace_pc(void);
void *work_memchr(const void *bytes, int wanted, size_t count);
int work_memcmp(const void *a, const void *b, size_t count);
void *work_memcpy(void *to, const void *from, size_t count);

static unsigned long work;

void __sanitizer_cov_trace_pc(void)
{
    work++;
}

void *work_memchr(const void *bytes, int wanted, size_t count)
{
    const char *found = memchr(bytes, wanted, count);
    work += found ? (size_t)(found - (const char *)bytes) : count;
    return (void *)found;
}

int work_memcmp(const void *a, const void *b, size_t count)
{
    work += count;
    return memcmp(a, b, count);
}

void *work_memcpy(void *to, const void *from, size_t count)
{
    work += count;
    return memcpy(to, from, count);
}

unsigned long work_taken(void)
{
    unsigned long taken = work;
    work = 0;
    return taken;
}

static unsigned long work_on(const char *pattern, size_t count, void (*run)(const char *, size_t))
{
    char *bytes = malloc(count);
    size_t length = strlen(pattern);
    if (!bytes) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        bytes[i] = pattern[i % length];
    }
    work_taken();
    run(bytes, count);
    free(bytes);
    return work_taken();
}

bool work_is_linear(const char *pattern, void (*run)(const char *bytes, size_t count))
{
    unsigned long small = work_on(pattern, SMALL, run);
    unsigned long large = work_on(pattern, LARGE, run);
    unsigned long growth = LARGE / SMALL;
    bool counted = small > 0;
    bool linear =
        large <= small * growth + small / 10 && large <= (unsigned long)LARGE * MOST_PER_BYTE;
    if (!counted || !linear) {
        printf("pattern \"%s\": %lu for %d bytes, %lu for %d\n", pattern, small, SMALL, large,
               LARGE);
    }
    return counted && linear;
}
