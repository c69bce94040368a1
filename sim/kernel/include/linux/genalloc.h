/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_GENALLOC_H
#define SIM_LINUX_GENALLOC_H

#include <linux/types.h>

struct gen_pool;

/* Allocates multiples of 2^order bytes. */
struct gen_pool *gen_pool_create(int order, int nid);
/* Set the pool's memory. The core needs one range; a second one is -ENOMEM. */
int gen_pool_add(struct gen_pool *pool, unsigned long addr, size_t size, int nid);
/* 0 if there is no room. */
unsigned long gen_pool_alloc(struct gen_pool *pool, size_t size);
void gen_pool_free(struct gen_pool *pool, unsigned long addr, size_t size);
/* Free bytes, and all bytes. */
size_t gen_pool_avail(struct gen_pool *pool);
size_t gen_pool_size(struct gen_pool *pool);
/* Ends the program if memory is still allocated. */
void gen_pool_destroy(struct gen_pool *pool);

#endif /* SIM_LINUX_GENALLOC_H */
