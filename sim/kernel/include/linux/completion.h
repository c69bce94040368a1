/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_COMPLETION_H
#define SIM_LINUX_COMPLETION_H

#include <linux/wait.h>

/**
 * struct completion - an event that happens once
 * @done: it has happened
 * @wait: waiters
 */
struct completion {
	bool done;
	struct wait_queue_head wait;
};

static inline void init_completion(struct completion *x)
{
	x->done = false;
	init_waitqueue_head(&x->wait);
}

/* For all present and future waiters. */
void complete_all(struct completion *x);
/* 0, or -ERESTARTSYS if the thread has a signal for that state. */
int __must_check wait_for_completion_state(struct completion *x, unsigned int state);

#endif /* SIM_LINUX_COMPLETION_H */
