/* SPDX-License-Identifier: MIT */
/*
 * User-space rendering of the kernel header of this name, as far as kmod/core uses it. Work
 * runs on a thread that is made when there is some and ends when there is none.
 */
#ifndef SIM_LINUX_WORKQUEUE_H
#define SIM_LINUX_WORKQUEUE_H

#include <linux/list.h>

struct work_struct;
typedef void (*work_func_t)(struct work_struct *work);

/**
 * struct work_struct - something to do later
 * @link: in the queue while it waits; protected by the queue's lock
 * @func: what to do
 * @pending: in the queue
 */
struct work_struct {
	struct list_head link;
	work_func_t func;
	bool pending;
};

static inline void sim_work_init(struct work_struct *work, work_func_t func)
{
	INIT_LIST_HEAD(&work->link);
	work->func = func;
	work->pending = false;
}

#define INIT_WORK(work, func) sim_work_init(work, func)

/* False if it was in the queue already. */
bool schedule_work(struct work_struct *work);

/* Take it out of the queue and wait until it does not run. True if it was in the queue. */
bool cancel_work_sync(struct work_struct *work);

#endif /* SIM_LINUX_WORKQUEUE_H */
