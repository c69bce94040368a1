// SPDX-License-Identifier: MIT
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include <linux/atomic.h>
#include <linux/slab.h>

#include "sim_kernel.h"

static atomic64_t live_objects;
static atomic64_t live_bytes;
static atomic64_t fail_left;

void sim_fail_nth(long nth)
{
	atomic64_set(&fail_left, nth);
}

long sim_fail_left(void)
{
	return atomic64_read(&fail_left);
}

/* Return: true if this allocation shall fail. */
static bool fails(void)
{
	s64 left = atomic64_read(&fail_left);

	while (unlikely(left > 0)) {
		s64 seen = atomic64_cmpxchg(&fail_left, left, left - 1);

		if (seen == left)
			return left == 1;
		left = seen;
	}
	return false;
}

void *kmalloc(size_t bytes, gfp_t flags)
{
	int saved = errno;
	void *object;

	if (fails())
		return NULL;
	object = flags & __GFP_ZERO ? calloc(1, bytes) : malloc(bytes);
	if (object) {
		atomic64_inc(&live_objects);
		atomic64_add((s64)malloc_usable_size(object), &live_bytes);
	}
	errno = saved;
	return object;
}

void kfree(const void *object)
{
	if (!object)
		return;
	atomic64_dec(&live_objects);
	atomic64_sub((s64)malloc_usable_size((void *)(uintptr_t)object), &live_bytes);
	free((void *)(uintptr_t)object);
}

struct sim_memory sim_memory_live(void)
{
	return (struct sim_memory){
		.allocations = atomic64_read(&live_objects),
		.bytes = atomic64_read(&live_bytes),
	};
}
