/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before everything else when the driver core is compiled for the explorer
 * (selftests/runtime/explore.h): its atomic accesses, barriers, locks and "current" are those
 * of queue_machine.c.
 *
 * Kernel's rules, not C's: what is fully ordered there, a read-modify-write that returns a
 * value and a store with smp_store_mb(), is a full barrier here.
 */
#ifndef EXPLORE_CORE_H
#define EXPLORE_CORE_H

#include "../runtime/explore.h"

struct mutex;
void machine_mb(const char *function);
void machine_mb_of(const void *p, int order, const char *function);
void machine_lock(struct mutex *lock, const char *function);
int machine_trylock(struct mutex *lock);
void machine_unlock(struct mutex *lock, const char *function);

#define __atomic_load_n(p, order) \
	((explore_value(p))explore_load((void *)(p), sizeof(*(p)), order, __func__))
#define __atomic_store_n(p, value, order) ({ \
	explore_store((void *)(p), sizeof(*(p)), (uint64_t)(value), order, __func__); \
	machine_mb_of(p, order, __func__); \
})
#define explore_ordered(p, op, value, order) ({ \
	uint64_t explore_old_; \
	\
	machine_mb_of(p, order, __func__); \
	explore_old_ = explore_modify((void *)(p), sizeof(*(p)), op, (uint64_t)(value), order, \
				      __func__); \
	machine_mb_of(p, order, __func__); \
	(explore_value(p))explore_old_; \
})
#define __atomic_exchange_n(p, value, order)	explore_ordered(p, EXPLORE_SWAP, value, order)
#define __atomic_fetch_add(p, value, order)	explore_ordered(p, EXPLORE_ADD, value, order)
#define __atomic_fetch_sub(p, value, order)	explore_ordered(p, EXPLORE_SUB, value, order)
#define __atomic_add_fetch(p, value, order)	(__atomic_fetch_add(p, value, order) + (value))
#define __atomic_sub_fetch(p, value, order)	(__atomic_fetch_sub(p, value, order) - (value))
#define __atomic_compare_exchange_n(p, expected, value, weak, success, failure) ({ \
	bool explore_done_; \
	\
	machine_mb_of(p, success, __func__); \
	explore_done_ = explore_cas((void *)(p), sizeof(*(p)), expected, (uint64_t)(value), \
				    success, failure, __func__); \
	machine_mb_of(p, success, __func__); \
	explore_done_; \
})

#include <asm/barrier.h>
#undef smp_mb
/* (The comment that is asked for is where it is used.) */
#define smp_mb() machine_mb(__func__)

#include <linux/mutex.h>
#define mutex_lock(lock)	machine_lock(lock, __func__)
#define mutex_trylock(lock)	machine_trylock(lock)
#define mutex_unlock(lock)	machine_unlock(lock, __func__)

/* In the name of the function that takes it. */
#include <linux/spinlock.h>
#define spin_lock(lock)		machine_lock(&(lock)->mutex, __func__)
#define spin_unlock(lock)	machine_unlock(&(lock)->mutex, __func__)

#include <linux/sched.h>
extern struct task_struct machine_task[EXPLORE_THREADS];
#undef current
#define current (&machine_task[explore_self()])

#endif /* EXPLORE_CORE_H */
