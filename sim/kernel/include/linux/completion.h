/* SPDX-License-Identifier: MIT */
/* User-space rendering of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_COMPLETION_H
#define SIM_LINUX_COMPLETION_H

#include <linux/wait.h>

/**
 * struct completion - something that will have happened, once
 * @done: it has
 * @wait: who waits for it
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

/* For all who wait, and will. */
void complete_all(struct completion *x);
/* 0, or -ERESTARTSYS if the thread has a signal for that state. */
int __must_check wait_for_completion_state(struct completion *x, unsigned int state);

#endif /* SIM_LINUX_COMPLETION_H */
