/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it. When a sleep
 * ends early, the handler has run already, so a signal stays pending until it has been read once.
 * A fatal signal ends the process, so a thread is being killed only on a test rig, by sim_kill().
 */
#ifndef SIM_LINUX_SCHED_SIGNAL_H
#define SIM_LINUX_SCHED_SIGNAL_H

#include <linux/sched.h>

/* Macros, so that "current" is used as a variable and not as a pointer that may be NULL. */
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
