/*
 * Counts the work of the parsers, so that a test can show that it grows with the input and no
 * faster, on any machine and under any load. unit.mk compiles the parsers so that every basic block
 * reports here (-fsanitize-coverage=trace-pc), and every byte that memchr, memcmp or memcpy look at.
 */
#ifndef OSP_TEST_WORK_H
#define OSP_TEST_WORK_H

#include <stdbool.h>
#include <stddef.h>

/* Basic blocks run and bytes handed to the memory functions since the last call. */
unsigned long work_taken(void);

/*
 * Calls run on lines made of pattern again and again, 4 KB and 64 KB of it, and returns whether the
 * work per byte was the same at both sizes, and not absurd. Prints the figures when it was not.
 */
bool work_is_linear(const char *pattern, void (*run)(const char *bytes, size_t count));

#endif
