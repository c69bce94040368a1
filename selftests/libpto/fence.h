/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An allocator that finds out what is done with its memory: this program's malloc() is the one
 * that the library calls. Between fence_begin() and fence_end() what the thread allocates ends
 * where an inaccessible page begins, and what is freed becomes inaccessible for ever. It is
 * counted, and it can fail. With a sanitizer, which knows as much, there is no such allocator.
 */
#ifndef FENCE_H
#define FENCE_H

#include <stdbool.h>

/** fence_here() - is there one? */
bool fence_here(void);

/** fence_begin() - from now on */
void fence_begin(void);

/** fence_end() - not any more */
void fence_end(void);

/** fence_live() - allocations that have not been freed */
long fence_live(void);

/** fence_count() - allocations that there ever were */
long fence_count(void);

/** fence_fail() - the @nth allocation from now on fails; 0: none */
void fence_fail(unsigned int nth);

/** fence_pending() - it has not failed yet */
bool fence_pending(void);

#endif /* FENCE_H */
