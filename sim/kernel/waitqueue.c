// SPDX-License-Identifier: MIT
#include <linux/completion.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

int autoremove_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags,
			     void *key)
{
	int woken = wake_up_process(entry->private);

	list_del_init_careful(&entry->entry);
	return woken;
}

void add_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	spin_lock(&wq->lock);
	list_add_tail(&entry->entry, &wq->head);
	spin_unlock(&wq->lock);
}

void remove_wait_queue(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	spin_lock(&wq->lock);
	list_del(&entry->entry);
	spin_unlock(&wq->lock);
}

void prepare_to_wait(struct wait_queue_head *wq, struct wait_queue_entry *entry, int state)
{
	spin_lock(&wq->lock);
	if (list_empty(&entry->entry))
		list_add_tail(&entry->entry, &wq->head);
	set_current_state(state);
	spin_unlock(&wq->lock);
	smp_mb();
}

void finish_wait(struct wait_queue_head *wq, struct wait_queue_entry *entry)
{
	__set_current_state(TASK_RUNNING);
	if (list_empty_careful(&entry->entry))
		return;
	spin_lock(&wq->lock);
	list_del_init(&entry->entry);
	spin_unlock(&wq->lock);
}

void sim_wake_up(struct wait_queue_head *wq, void *key)
{
	struct wait_queue_entry *entry, *next;

	spin_lock(&wq->lock);
	list_for_each_entry_safe(entry, next, &wq->head, entry)
		entry->func(entry, TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE, 0, key);
	spin_unlock(&wq->lock);
}

void complete_all(struct completion *x)
{
	smp_store_release(&x->done, true);
	wake_up_all(&x->wait);
}

int wait_for_completion_killable(struct completion *x)
{
	DEFINE_WAIT(wait);
	int ret = 0;

	for (;;) {
		prepare_to_wait(&x->wait, &wait, TASK_KILLABLE);
		if (smp_load_acquire(&x->done))
			break;
		if (signal_pending_state(TASK_KILLABLE, current)) {
			ret = -ERESTARTSYS;
			break;
		}
		sim_schedule(NULL);
	}
	finish_wait(&x->wait, &wait);
	return ret;
}
