// SPDX-License-Identifier: MIT
/*
 * Sleeping and waking: tasks and mutexes. They use futexes; a system call is made only if a thread
 * has to sleep or to be woken.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asm/barrier.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "sim_clock.h"
#include "sim_kernel.h"

#define SPINS 100

__thread struct task_struct sim_task;
unsigned int sim_cpus;

#ifdef SIM_TSAN
int sim_barrier_word;
#endif

static int futex_wait(int *word, int value, const ktime_t *expires)
{
	struct timespec ts;

	if (expires) {
		ktime_t ns = *expires > 0 ? *expires : 0;

		ts.tv_sec = ns / NSEC_PER_SEC;
		ts.tv_nsec = ns % NSEC_PER_SEC;
	}
	if (!syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, expires ? &ts : NULL,
		     NULL, FUTEX_BITSET_MATCH_ANY))
		return 0;
	return -errno;
}

static void futex_wake(int *word, int count)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
	errno = saved;
}

static bool mutex_spin(struct mutex *lock)
{
	int i;

	for (i = 0; i < SPINS; i++) {
		if (!READ_ONCE(lock->state) && mutex_trylock(lock))
			return true;
		cpu_relax();
	}
	return false;
}

/* Locking with a virtual clock: a thread that waits for a lock counts as asleep. */

static bool mutex_blocked(const struct sim_sleeper *sleeper)
{
	return mutex_is_locked(sleeper->arg);
}

static bool mutex_take(void *arg)
{
	struct mutex *lock = arg;

	return !__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE);
}

static void mutex_lock_virtual(struct mutex *lock)
{
	struct sim_sleeper sleeper = {
		.blocked = mutex_blocked,
		.arg = lock,
		.expires = SIM_CLOCK_NEVER,
	};

	sim_clock_sleep(&sleeper);
	while (!sim_clock_claim(&sleeper, mutex_take))
		futex_wait(&lock->state, 2, NULL);
}

void sim_mutex_lock_slow(struct mutex *lock)
{
	if (mutex_spin(lock))
		return;
	if (sim_clock_virtual()) {
		mutex_lock_virtual(lock);
		return;
	}
	while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE))
		futex_wait(&lock->state, 2, NULL);
}

void sim_mutex_wake(struct mutex *lock)
{
	futex_wake(&lock->state, 1);
}

static bool task_blocked(const struct sim_sleeper *sleeper)
{
	const struct task_struct *task = sleeper->arg;

	return __atomic_load_n(&task->state, __ATOMIC_ACQUIRE) != TASK_RUNNING;
}

static bool task_wake(struct sim_sleeper *sleeper)
{
	return wake_up_process(sleeper->arg);
}

/* sim_schedule() with a virtual clock: the thread that moves the clock ends the sleep. */
static int schedule_virtual(const ktime_t *expires)
{
	struct sim_sleeper sleeper = {
		.blocked = task_blocked,
		.wake = task_wake,
		.arg = current,
		.expires = expires ? (u64)max_t(ktime_t, *expires, 0) : SIM_CLOCK_NEVER,
	};
	int state;

	sim_clock_sleep(&sleeper);
	while ((state = __atomic_load_n(&current->state, __ATOMIC_ACQUIRE)) != TASK_RUNNING) {
		if (futex_wait(&current->state, state, NULL) == -EINTR &&
		    state == TASK_INTERRUPTIBLE) {
			current->signalled = true;
			__set_current_state(TASK_RUNNING);
		}
	}
	sim_clock_awake(&sleeper);
	return sleeper.expired ? 0 : -EINTR;
}

int sim_schedule(const ktime_t *expires)
{
	int state;

	if (sim_clock_virtual())
		return schedule_virtual(expires);

	while ((state = __atomic_load_n(&current->state, __ATOMIC_ACQUIRE)) != TASK_RUNNING) {
		int ret = futex_wait(&current->state, state, expires);

		if (ret == -EINTR && state == TASK_INTERRUPTIBLE) {
			current->signalled = true;
			__set_current_state(TASK_RUNNING);
			return -EINTR;
		}
		if (ret == -ETIMEDOUT) {
			__set_current_state(TASK_RUNNING);
			return 0;
		}
	}
	return -EINTR;
}

int wake_up_process(struct task_struct *task)
{
	if (__atomic_exchange_n(&task->state, TASK_RUNNING, __ATOMIC_SEQ_CST) == TASK_RUNNING)
		return 0;
	futex_wake(&task->state, 1);
	return 1;
}

void sim_yield(void)
{
	if (sim_clock_virtual())
		sim_clock_poll();
	sched_yield();
}

void usleep_range(unsigned long min_us, unsigned long max_us)
{
	struct timespec ts = {
		.tv_sec = (time_t)(min_us / 1000000),
		.tv_nsec = (long)(min_us % 1000000) * 1000,
	};

	if (sim_clock_virtual()) {
		ktime_t expires = (ktime_t)(sim_clock_now() + min_us * NSEC_PER_USEC);

		set_current_state(TASK_UNINTERRUPTIBLE);
		while (schedule_virtual(&expires))
			set_current_state(TASK_UNINTERRUPTIBLE);
		return;
	}
	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

unsigned int num_online_cpus(void)
{
	static unsigned int count;
	unsigned int n = READ_ONCE(count);
	cpu_set_t set;

	if (unlikely(sim_cpus))
		return sim_cpus;
	if (unlikely(!n)) {
		n = sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned int)CPU_COUNT(&set);
		WRITE_ONCE(count, n);
	}
	return n;
}

struct task_struct *sim_current(void)
{
	return current;
}

void sim_kill(struct task_struct *task)
{
	int state;

	/*
	 * Set the flag, then read the state. A thread that goes to sleep does it in reverse order.
	 */
	__atomic_store_n(&task->killed, true, __ATOMIC_SEQ_CST);
	state = __atomic_load_n(&task->state, __ATOMIC_SEQ_CST);
	if (state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL))
		wake_up_process(task);
}

void sim_kill_after(unsigned int looks, void (*at_look)(void))
{
	current->looks = looks;
	current->at_look = at_look;
}

long sim_syscall_return(long ret)
{
	current->signalled = false;
	current->looks = 0;
	__atomic_store_n(&current->killed, false, __ATOMIC_RELAXED);
	return ret == -ERESTARTSYS ? -EINTR : ret;
}
