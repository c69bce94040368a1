/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_REFCOUNT_H
#define SIM_LINUX_REFCOUNT_H

#include <linux/atomic.h>
#include <linux/kernel.h>

typedef struct {
	atomic_t refs;
} refcount_t;

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

static inline unsigned int refcount_read(const refcount_t *r)
{
	return (unsigned int)atomic_read(&r->refs);
}

static inline void refcount_inc(refcount_t *r)
{
	WARN_ON(__atomic_fetch_add(&r->refs.counter, 1, __ATOMIC_RELAXED) <= 0);
}

static inline bool refcount_inc_not_zero(refcount_t *r)
{
	int old = atomic_read(&r->refs);

	do {
		if (!old)
			return false;
	} while (!__atomic_compare_exchange_n(&r->refs.counter, &old, old + 1, false,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/* For a reference that is known not to be the last one. */
static inline void refcount_dec(refcount_t *r)
{
	WARN_ON(__atomic_fetch_sub(&r->refs.counter, 1, __ATOMIC_RELEASE) <= 1);
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	int old = __atomic_fetch_sub(&r->refs.counter, 1, __ATOMIC_ACQ_REL);

	WARN_ON(old <= 0);
	return old == 1;
}

#endif /* SIM_LINUX_REFCOUNT_H */
