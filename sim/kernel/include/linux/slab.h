/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it.
 * Allocations are counted, and one of them can be made to fail: see sim_kernel.h.
 */
#ifndef SIM_LINUX_SLAB_H
#define SIM_LINUX_SLAB_H

#include <linux/compiler.h>
#include <linux/gfp.h>

void *kmalloc(size_t bytes, gfp_t flags) __must_check;
void kfree(const void *object);

static inline void *kzalloc(size_t bytes, gfp_t flags)
{
	return kmalloc(bytes, flags | __GFP_ZERO);
}

static inline void *kmalloc_array(size_t n, size_t bytes, gfp_t flags)
{
	size_t total;

	return __builtin_mul_overflow(n, bytes, &total) ? NULL : kmalloc(total, flags);
}

static inline void *kcalloc(size_t n, size_t bytes, gfp_t flags)
{
	return kmalloc_array(n, bytes, flags | __GFP_ZERO);
}

#define kvmalloc(bytes, flags) kmalloc(bytes, flags)
#define kvzalloc(bytes, flags) kzalloc(bytes, flags)
#define kvmalloc_array(n, bytes, flags) kmalloc_array(n, bytes, flags)
#define kvcalloc(n, bytes, flags) kcalloc(n, bytes, flags)
#define kvfree(object) kfree(object)

#endif /* SIM_LINUX_SLAB_H */
