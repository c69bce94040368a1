/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it: a futex,
 * with system calls only on contention.
 */
#ifndef SIM_LINUX_MUTEX_H
#define SIM_LINUX_MUTEX_H

#include <linux/compiler.h>
#include <linux/errno.h>

/**
 * struct mutex - state: 0 free, 1 held, 2 held and a thread may sleep for it
 */
struct mutex {
	int state;
};

void sim_mutex_lock_slow(struct mutex *lock);
void sim_mutex_wake(struct mutex *lock);

static inline void mutex_init(struct mutex *lock)
{
	lock->state = 0;
}

static inline void mutex_destroy(struct mutex *lock)
{
}

static inline int mutex_trylock(struct mutex *lock)
{
	int expected = 0;

	return __atomic_compare_exchange_n(&lock->state, &expected, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void mutex_lock(struct mutex *lock)
{
	if (unlikely(!mutex_trylock(lock)))
		sim_mutex_lock_slow(lock);
}

/* Not interruptible: a fatal signal ends the process anyway. */
static inline int __must_check mutex_lock_killable(struct mutex *lock)
{
	mutex_lock(lock);
	return 0;
}

static inline void mutex_unlock(struct mutex *lock)
{
	if (unlikely(__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2))
		sim_mutex_wake(lock);
}

static inline bool mutex_is_locked(struct mutex *lock)
{
	return READ_ONCE(lock->state) != 0;
}

#define lockdep_assert_held(lock) ((void)(lock))

#endif /* SIM_LINUX_MUTEX_H */
