/* SPDX-License-Identifier: MIT */
/*
 * User-space rendering of the kernel header of this name, as far as kmod/core uses it. The
 * handler has run when a sleep ends early, so a signal is pending until it is asked for once.
 * What would kill the process does: a thread is only ever being killed on a rig, by sim_kill().
 */
#ifndef SIM_LINUX_SCHED_SIGNAL_H
#define SIM_LINUX_SCHED_SIGNAL_H

#include <linux/sched.h>

/* Macros, so that "current" stays a variable and does not become a pointer to be checked. */
#define signal_pending(task) \
	({ \
		bool signalled_ = (task)->signalled; \
		\
		(task)->signalled = false; \
		signalled_; \
	})

#define fatal_signal_pending(task) \
	({ \
		if (unlikely((task)->looks) && !--(task)->looks) { \
			if ((task)->at_look) \
				(task)->at_look(); \
			WRITE_ONCE((task)->killed, true); \
		} \
		unlikely(__atomic_load_n(&(task)->killed, __ATOMIC_SEQ_CST)); \
	})

#define signal_pending_state(state, task) \
	(((state) == TASK_INTERRUPTIBLE && signal_pending(task)) || \
	 ((state) & (TASK_INTERRUPTIBLE | TASK_WAKEKILL) && fatal_signal_pending(task)))

#endif /* SIM_LINUX_SCHED_SIGNAL_H */
