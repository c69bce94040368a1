// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <signal.h>

#include <linux/wait.h>
#include <linux/workqueue.h>

#include "sim_clock.h"
#include "sim_kernel.h"
#include "internal.h"

/**
 * struct workqueue_struct - the workqueue
 * @lock: protects everything here, and all work
 * @change: the worker sleeps here until the first of @delayed is due
 * @done: waiters for work that runs
 * @queue: work to be executed, in the order of its tickets
 * @delayed: work to be queued later, by its time
 * @running: work that is running; only for comparisons, as it may have been freed
 * @running_ticket: its ticket, 0 if no work is running
 * @last_ticket: the latest ticket
 * @worker: a worker exists, or is being created
 */
struct workqueue_struct {
	spinlock_t lock;
	wait_queue_head_t change;
	wait_queue_head_t done;
	struct list_head queue;
	struct list_head delayed;
	struct work_struct *running;
	u64 running_ticket;
	u64 last_ticket;
	bool worker;
};

struct workqueue_struct sim_workqueue = {
	.change.head = LIST_HEAD_INIT(sim_workqueue.change.head),
	.done.head = LIST_HEAD_INIT(sim_workqueue.done.head),
	.queue = LIST_HEAD_INIT(sim_workqueue.queue),
	.delayed = LIST_HEAD_INIT(sim_workqueue.delayed),
};

static void enqueue(struct workqueue_struct *wq, struct work_struct *work)
{
	work->state = SIM_WORK_QUEUED;
	work->ticket = ++wq->last_ticket;
	list_add_tail(&work->link, &wq->queue);
}

static void dequeue(struct work_struct *work)
{
	list_del_init(&work->link);
	work->state = SIM_WORK_IDLE;
}

static void enqueue_delayed(struct workqueue_struct *wq, struct delayed_work *dwork)
{
	struct list_head *before = &wq->delayed;
	struct work_struct *other;

	list_for_each_entry(other, &wq->delayed, link) {
		if (to_delayed_work(other)->expires > dwork->expires) {
			before = &other->link;
			break;
		}
	}
	dwork->work.state = SIM_WORK_DELAYED;
	list_add_tail(&dwork->work.link, before);
}

/* Queue delayed work that is due. Return: the time of the next, or KTIME_MAX. */
static ktime_t enqueue_due(struct workqueue_struct *wq)
{
	struct work_struct *work;

	while ((work = list_first_entry_or_null(&wq->delayed, struct work_struct, link))) {
		ktime_t expires = to_delayed_work(work)->expires;

		if (expires > ktime_get())
			return expires;
		dequeue(work);
		enqueue(wq, work);
	}
	return KTIME_MAX;
}

/* Execute the first work. The lock is released meanwhile. */
static void do_first(struct workqueue_struct *wq)
{
	struct work_struct *work = list_first_entry(&wq->queue, struct work_struct, link);

	dequeue(work);
	wq->running = work;
	wq->running_ticket = work->ticket;
	spin_unlock(&wq->lock);
	work->func(work);
	spin_lock(&wq->lock);
	wq->running = NULL;
	wq->running_ticket = 0;
	wake_up_all(&wq->done);
}

/* The lock is released while the thread sleeps. */
static void wait_for_change(struct workqueue_struct *wq, ktime_t expires)
{
	DEFINE_WAIT(wait);

	prepare_to_wait(&wq->change, &wait, TASK_UNINTERRUPTIBLE);
	spin_unlock(&wq->lock);
	sim_schedule(&expires);
	finish_wait(&wq->change, &wait);
	spin_lock(&wq->lock);
}

static void *worker(void *arg)
{
	struct workqueue_struct *wq = arg;

	spin_lock(&wq->lock);
	for (;;) {
		ktime_t next = enqueue_due(wq);

		if (!list_empty(&wq->queue))
			do_first(wq);
		else if (next != KTIME_MAX)
			wait_for_change(wq, next);
		else
			break;
	}
	wq->worker = false;
	spin_unlock(&wq->lock);
	if (sim_clock_virtual())
		sim_clock_worker(false);
	return NULL;
}

/* The worker blocks all signals, which are for the application. */
static bool start_worker(struct workqueue_struct *wq)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* Count it before it can sleep, or it would be taken for a thread of the test. */
	if (sim_clock_virtual())
		sim_clock_worker(true);
	ret = pthread_create(&thread, &attr, worker, wq);
	if (ret && sim_clock_virtual())
		sim_clock_worker(false);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return !ret;
}

/* If no worker can be created, the work waits for the next attempt, or a waiter executes it. */
static void need_worker(struct workqueue_struct *wq)
{
	if (wq->worker)
		wake_up_all(&wq->change);
	else
		wq->worker = start_worker(wq);
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	bool queued;

	spin_lock(&wq->lock);
	queued = work->state == SIM_WORK_IDLE && !work->cancels;
	if (queued)
		enqueue(wq, work);
	need_worker(wq);
	spin_unlock(&wq->lock);
	return queued;
}

static void delay_work(struct workqueue_struct *wq, struct delayed_work *dwork,
		       unsigned long delay)
{
	if (delay) {
		dwork->expires = ktime_get() + (ktime_t)delay * (NSEC_PER_SEC / HZ);
		enqueue_delayed(wq, dwork);
	} else {
		enqueue(wq, &dwork->work);
	}
	need_worker(wq);
}

bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
			unsigned long delay)
{
	bool queued;

	spin_lock(&wq->lock);
	queued = dwork->work.state == SIM_WORK_IDLE && !dwork->work.cancels;
	if (queued)
		delay_work(wq, dwork, delay);
	spin_unlock(&wq->lock);
	return queued;
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
		      unsigned long delay)
{
	bool pending;

	spin_lock(&wq->lock);
	pending = dwork->work.state != SIM_WORK_IDLE;
	if (pending)
		dequeue(&dwork->work);
	if (!dwork->work.cancels)
		delay_work(wq, dwork, delay);
	spin_unlock(&wq->lock);
	return pending;
}

/* Wait for work to be done. The lock is held, and released while the thread sleeps. */
static void wait_for_done(struct workqueue_struct *wq)
{
	DEFINE_WAIT(wait);

	if (!wq->worker)
		need_worker(wq);
	if (!wq->worker) {
		wq->worker = true;
		do_first(wq);
		wq->worker = false;
		return;
	}
	prepare_to_wait(&wq->done, &wait, TASK_UNINTERRUPTIBLE);
	spin_unlock(&wq->lock);
	sim_schedule(NULL);
	finish_wait(&wq->done, &wait);
	spin_lock(&wq->lock);
}

bool cancel_work_sync(struct work_struct *work)
{
	struct workqueue_struct *wq = &sim_workqueue;
	bool pending;

	spin_lock(&wq->lock);
	pending = work->state != SIM_WORK_IDLE;
	if (pending)
		dequeue(work);
	work->cancels++;
	while (wq->running == work)
		wait_for_done(wq);
	work->cancels--;
	/* The worker ends if there is nothing left. */
	if (wq->worker)
		wake_up_all(&wq->change);
	spin_unlock(&wq->lock);
	return pending;
}

bool cancel_delayed_work_sync(struct delayed_work *dwork)
{
	return cancel_work_sync(&dwork->work);
}

bool flush_work(struct work_struct *work)
{
	struct workqueue_struct *wq = &sim_workqueue;
	u64 ticket = 0;

	spin_lock(&wq->lock);
	if (work->state == SIM_WORK_QUEUED)
		ticket = work->ticket;
	else if (wq->running == work)
		ticket = wq->running_ticket;
	while (ticket && (wq->running_ticket == ticket ||
			  (work->state == SIM_WORK_QUEUED && work->ticket == ticket)))
		wait_for_done(wq);
	spin_unlock(&wq->lock);
	return ticket;
}

static bool busy_up_to(struct workqueue_struct *wq, u64 ticket)
{
	struct work_struct *first = list_first_entry_or_null(&wq->queue, struct work_struct, link);

	return (wq->running_ticket && wq->running_ticket <= ticket) ||
	       (first && first->ticket <= ticket);
}

void flush_workqueue(struct workqueue_struct *wq)
{
	u64 ticket;

	spin_lock(&wq->lock);
	ticket = wq->last_ticket;
	while (busy_up_to(wq, ticket))
		wait_for_done(wq);
	spin_unlock(&wq->lock);
}

void sim_workqueue_fork_child(void)
{
	struct workqueue_struct *wq = &sim_workqueue;

	spin_lock_init(&wq->lock);
	init_waitqueue_head(&wq->change);
	init_waitqueue_head(&wq->done);
	INIT_LIST_HEAD(&wq->queue);
	INIT_LIST_HEAD(&wq->delayed);
	wq->running = NULL;
	wq->running_ticket = 0;
	wq->worker = false;
}
