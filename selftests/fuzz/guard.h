/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that ends where a page begins that cannot be touched: what reads or writes past the end
 * gets a signal, without a sanitizer.
 */
#ifndef PTO_TEST_GUARD_H
#define PTO_TEST_GUARD_H

#include <stddef.h>

/**
 * guard_new() - guarded memory
 * @bytes: how many
 * @align: alignment, up to 16; up to @align - 1 bytes may lie between the end and that page
 *
 * Ends the program if there is none. With AddressSanitizer it is ordinary memory.
 */
void *guard_new(size_t bytes, size_t align);

/** guard_free() - give it back; NULL is nothing */
void guard_free(void *p);

/** guard_live() - how many there are */
unsigned long guard_live(void);

#endif /* PTO_TEST_GUARD_H */
