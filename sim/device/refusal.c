// SPDX-License-Identifier: MIT
/* The last call of the simulator's own that has failed: see refusal.h */
#include <stdatomic.h>
#include <stddef.h>

#include "refusal.h"

/*
 * Two threads that fail at once may leave the name of one and the error of the other. Both are
 * true, and who asks learns of a call that does fail in this process.
 */
static const char *_Atomic last_call;
static atomic_int last_error;
static atomic_ullong count;

int refusal(const char *call, int error)
{
	atomic_store_explicit(&last_call, call, memory_order_relaxed);
	atomic_store_explicit(&last_error, error, memory_order_relaxed);
	atomic_fetch_add_explicit(&count, 1, memory_order_release);
	return -error;
}

uint64_t refusal_count(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

struct refusal refusal_since(uint64_t before)
{
	struct refusal none = { NULL, 0 };

	if (refusal_count() == before)
		return none;
	return (struct refusal){
		.call = atomic_load_explicit(&last_call, memory_order_relaxed),
		.error = atomic_load_explicit(&last_error, memory_order_relaxed),
	};
}
