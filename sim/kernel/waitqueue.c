// SPDX-License-Identifier: MIT
#include <linux/completion.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>

#include "internal.h"

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

int wait_for_completion_state(struct completion *x, unsigned int state)
{
	DEFINE_WAIT(wait);
	int ret = 0;

	for (;;) {
		prepare_to_wait(&x->wait, &wait, (int)state);
		if (smp_load_acquire(&x->done))
			break;
		if (signal_pending_state(state, current)) {
			ret = -ERESTARTSYS;
			break;
		}
		sim_schedule(NULL);
	}
	finish_wait(&x->wait, &wait);
	return ret;
}

/* Waiters for all bits */
static struct wait_queue_head bit_waiters = { .head = LIST_HEAD_INIT(bit_waiters.head) };

static bool bit_take(unsigned long *word, int bit)
{
	unsigned long mask = 1UL << bit;

	return !(__atomic_fetch_or(word, mask, __ATOMIC_ACQUIRE) & mask);
}

int wait_on_bit_lock(unsigned long *word, int bit, unsigned int mode)
{
	DEFINE_WAIT(wait);
	bool taken;

	if (likely(bit_take(word, bit)))
		return 0;
	for (;;) {
		prepare_to_wait(&bit_waiters, &wait, (int)mode);
		taken = bit_take(word, bit);
		if (taken || signal_pending_state(mode, current))
			break;
		sim_schedule(NULL);
	}
	finish_wait(&bit_waiters, &wait);
	return taken ? 0 : -EINTR;
}

void clear_and_wake_up_bit(int bit, unsigned long *word)
{
	__atomic_fetch_and(word, ~(1UL << bit), __ATOMIC_RELEASE);
	if (wq_has_sleeper(&bit_waiters))
		wake_up_all(&bit_waiters);
}

void sim_wait_bit_fork_child(void)
{
	init_waitqueue_head(&bit_waiters);
}
