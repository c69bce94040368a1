/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_SCHED_H
#define SIM_LINUX_SCHED_H

#include <linux/compiler.h>
#include <linux/ktime.h>

#define TASK_RUNNING 0
#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2
#define TASK_WAKEKILL 256
#define TASK_KILLABLE (TASK_WAKEKILL | TASK_UNINTERRUPTIBLE)
/* There is no freezer. */
#define TASK_FREEZABLE 0

/* A thread that closes a context is never exiting here. */
#define PF_EXITING 0x4

/**
 * struct task_struct - a thread: its state of sleep
 * @state: TASK_*; the futex it sleeps on. A waker stores TASK_RUNNING
 * @signalled: a signal handler ran while it slept interruptibly
 * @killed: it is being killed, see sim_kill()
 * @looks: number of checks until one finds that it is being killed; 0: none will
 * @at_look: called before that check, or NULL
 * @flags: PF_*; none is ever set
 * @exit_code: 0
 *
 * One per thread, in its thread-local memory. A late waker may call futex_wake() on it after the
 * thread has ended. That is harmless, because futexes have spurious wake-ups.
 */
struct task_struct {
	int state;
	bool signalled;
	bool killed;
	unsigned int looks;
	void (*at_look)(void);
	unsigned int flags;
	int exit_code;
};

extern __thread struct task_struct sim_task __attribute__((tls_model("initial-exec")));
#define current (&sim_task)

#define set_current_state(value) \
	__atomic_store_n(&current->state, (value), __ATOMIC_SEQ_CST)
#define __set_current_state(value) WRITE_ONCE(current->state, (value))

/* Sleep until woken, signalled or the absolute time, like schedule_hrtimeout() in the kernel. */
int sim_schedule(const ktime_t *expires);

int wake_up_process(struct task_struct *task);
void sim_yield(void);
unsigned int num_online_cpus(void);

/* The host's scheduler cannot be asked, so callers yield now and then. */
#define need_resched() false
#define cond_resched() sim_yield()

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#else
	barrier();
#endif
}

#endif /* SIM_LINUX_SCHED_H */
