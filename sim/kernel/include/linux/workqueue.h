/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it. There is one
 * workqueue, sim_workqueue. Its work runs in the order of queueing, on one thread. The thread is
 * created when there is work, and ends when there is no work, not even delayed work. It blocks all
 * signals. In a forked child there is neither the thread nor the work.
 */
#ifndef SIM_LINUX_WORKQUEUE_H
#define SIM_LINUX_WORKQUEUE_H

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/list.h>

struct work_struct;
struct workqueue_struct;
typedef void (*work_func_t)(struct work_struct *work);

/* The workqueue of the core, see pto_wq. */
extern struct workqueue_struct sim_workqueue;

enum sim_work_state {
	SIM_WORK_IDLE,		/* in no list; it may be running */
	SIM_WORK_DELAYED,	/* waits for its time */
	SIM_WORK_QUEUED,	/* waits for its turn */
};

/**
 * struct work_struct - a function to be called later
 * @link: in the list that corresponds to @state
 * @func: the function
 * @state: SIM_WORK_*
 * @cancels: number of threads that are cancelling it; it cannot be queued meanwhile
 * @ticket: its number in the order of the queue, if it is queued
 *
 * Protected by the workqueue's lock. @func may free it.
 */
struct work_struct {
	struct list_head link;
	work_func_t func;
	enum sim_work_state state;
	unsigned int cancels;
	u64 ticket;
};

/**
 * struct delayed_work - work that is not executed before a time
 * @work: the work
 * @expires: the time, if it is SIM_WORK_DELAYED
 */
struct delayed_work {
	struct work_struct work;
	ktime_t expires;
};

static inline void sim_work_init(struct work_struct *work, work_func_t func)
{
	INIT_LIST_HEAD(&work->link);
	work->func = func;
	work->state = SIM_WORK_IDLE;
	work->cancels = 0;
}

#define INIT_WORK(item, function) sim_work_init(item, function)
#define INIT_DELAYED_WORK(item, function) sim_work_init(&(item)->work, function)

static inline struct delayed_work *to_delayed_work(struct work_struct *work)
{
	return container_of(work, struct delayed_work, work);
}

/* Return: false if it was queued or delayed already. */
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
			unsigned long delay);

/* Queue it with a new delay. Return: true if it was queued or delayed already. */
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
		      unsigned long delay);

/* Dequeue it, and wait until it does not run. Return: true if it was queued or delayed. */
bool cancel_work_sync(struct work_struct *work);
bool cancel_delayed_work_sync(struct delayed_work *dwork);

/* Wait until it has been executed if it is queued or runs. Return: false if it was neither. */
bool flush_work(struct work_struct *work);
void flush_workqueue(struct workqueue_struct *wq);

static inline bool schedule_work(struct work_struct *work)
{
	return queue_work(&sim_workqueue, work);
}

#endif /* SIM_LINUX_WORKQUEUE_H */
