// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <signal.h>

#include <linux/workqueue.h>

#include "sim_kernel.h"
#include "internal.h"

/*
 * The queue. The lock protects everything here and the link and pending of all work. The
 * worker thread exists while there is work; if it cannot be made, the work waits for the
 * next try.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct list_head queue;
	struct work_struct *running;
	bool worker;
} works = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.done = PTHREAD_COND_INITIALIZER,
	.queue = LIST_HEAD_INIT(works.queue),
};

static void *worker(void *unused)
{
	struct work_struct *work;

	pthread_mutex_lock(&works.lock);
	while ((work = list_first_entry_or_null(&works.queue, struct work_struct, link))) {
		list_del_init(&work->link);
		work->pending = false;
		works.running = work;
		pthread_mutex_unlock(&works.lock);
		work->func(work);
		pthread_mutex_lock(&works.lock);
		works.running = NULL;
		pthread_cond_broadcast(&works.done);
	}
	works.worker = false;
	pthread_mutex_unlock(&works.lock);
	return NULL;
}

/* Signals are the application's: the worker takes none. */
static bool start_worker(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, worker, NULL);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return !ret;
}

bool schedule_work(struct work_struct *work)
{
	bool queued;

	pthread_mutex_lock(&works.lock);
	queued = !work->pending;
	if (queued) {
		work->pending = true;
		list_add_tail(&work->link, &works.queue);
	}
	if (!works.worker)
		works.worker = start_worker();
	pthread_mutex_unlock(&works.lock);
	return queued;
}

bool cancel_work_sync(struct work_struct *work)
{
	bool pending;

	pthread_mutex_lock(&works.lock);
	pending = work->pending;
	if (pending) {
		list_del_init(&work->link);
		work->pending = false;
	}
	while (works.running == work)
		pthread_cond_wait(&works.done, &works.lock);
	pthread_mutex_unlock(&works.lock);
	return pending;
}

void sim_workqueue_fork_child(void)
{
	pthread_mutex_init(&works.lock, NULL);
	pthread_cond_init(&works.done, NULL);
	INIT_LIST_HEAD(&works.queue);
	works.running = NULL;
	works.worker = false;
}
