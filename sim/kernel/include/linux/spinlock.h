/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it. A spinlock
 * is a mutex here, because a thread can lose the processor while it holds a lock, and waiters must
 * not spin meanwhile. There are no interrupts to be disabled.
 */
#ifndef SIM_LINUX_SPINLOCK_H
#define SIM_LINUX_SPINLOCK_H

#include <linux/mutex.h>

typedef struct {
	struct mutex mutex;
} spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	mutex_init(&lock->mutex);
}

/* Some tests count steps instead of time. */
#ifdef SIM_COUNT_LOCKS
extern unsigned long sim_locks;
#define sim_count_lock() __atomic_fetch_add(&sim_locks, 1, __ATOMIC_RELAXED)
#else
#define sim_count_lock() ((void)0)
#endif

static inline void spin_lock(spinlock_t *lock)
{
	sim_count_lock();
	mutex_lock(&lock->mutex);
}

static inline int spin_trylock(spinlock_t *lock)
{
	return mutex_trylock(&lock->mutex);
}

static inline void spin_unlock(spinlock_t *lock)
{
	mutex_unlock(&lock->mutex);
}

#define spin_lock_irq(lock) spin_lock(lock)
#define spin_unlock_irq(lock) spin_unlock(lock)
#define spin_lock_irqsave(lock, flags) \
	do { \
		(flags) = 0; \
		spin_lock(lock); \
	} while (0)
#define spin_unlock_irqrestore(lock, flags) \
	do { \
		(void)(flags); \
		spin_unlock(lock); \
	} while (0)

#endif /* SIM_LINUX_SPINLOCK_H */
