/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Queue pairs, and waiting for what comes back.
 */
#ifndef PTO_CORE_QUEUE_H
#define PTO_CORE_QUEUE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "pto_core.h"

struct pto_ctx;
struct pto_device;
struct pto_section;
struct pto_stream;

/**
 * struct pto_reply - a command's completion, for the thread that waits for it
 * @index: SQ index of the command
 * @done: the completion is here
 * @reported: and so is a report
 * @cqe: the completion
 * @report: the report
 *
 * On the waiter's stack. Known to the queue from posting until it is done or forgotten;
 * everything is protected by the queue's lock.
 */
struct pto_reply {
	u32 index;
	bool done;
	bool reported;
	struct pto_dev_cqe cqe;
	struct pto_dev_report report;
};

/**
 * struct pto_queue - a queue pair
 * @lock: protects indices, @stopped, @replies, @doorbells, and the owner's records
 * @sq_tail: commands posted
 * @cq_head: completions taken; read without the lock by interrupts and spinning waiters
 * @mask: queue_depth - 1
 * @stopped: nothing can be posted; written under @lock, read without it by waiters
 * @doorbells: times the device was woken
 * @head: the indices in the window
 * @sq: submission entries in the window
 * @cq: completion entries in the window
 * @reports: failure reports in the window
 * @stream: the stream it belongs to; NULL for the admin and control queues
 * @replies: for a queue without stream: waiter of each slot, or NULL
 * @pdev: the device
 * @ctx: the context; NULL for the admin queue
 * @wq: who waits for it sleeps here
 * @index: number of the pair
 * @armed: the device was asked for an interrupt (@pdev->irq_lock)
 * @armed_head: @cq_head when it was (@pdev->irq_lock)
 * @armed_link: in @pdev->armed if so (@pdev->irq_lock)
 *
 * Part of the structure that owns it. pto_queue_open() maps it, pto_queue_close() unmaps it;
 * in between the window pages stay mapped even if the device goes.
 */
struct pto_queue {
	spinlock_t lock;
	u32 sq_tail;
	u32 cq_head;
	u32 mask;
	bool stopped;
	u64 doorbells;
	struct pto_dev_queue *head;
	struct pto_dev_cmd *sq;
	struct pto_dev_cqe *cq;
	struct pto_dev_report *reports;
	struct pto_stream *stream;
	struct pto_reply **replies;
	struct pto_device *pdev;
	struct pto_ctx *ctx;
	wait_queue_head_t *wq;
	u32 index;
	bool armed;
	u32 armed_head;
	struct list_head armed_link;
};

/**
 * struct pto_wait_how - how to wait for something of a queue
 * @section: the section the thread is in; left while it sleeps
 * @deadline_ns: absolute time, PTO_WAIT_FOREVER for none
 * @state: TASK_* in which to sleep
 * @patient: the deadline moves on as long as the queue's context has runs in flight
 */
struct pto_wait_how {
	struct pto_section *section;
	u64 deadline_ns;
	unsigned int state;
	bool patient;
};

typedef bool (*pto_queue_cond)(struct pto_queue *q, void *arg);

int pto_queue_open(struct pto_queue *q, struct pto_device *pdev, u32 index);
void pto_queue_close(struct pto_queue *q);
void pto_queue_reset(struct pto_queue *q);
void pto_queue_stop(struct pto_queue *q);
struct pto_dev_cmd *pto_queue_slot(struct pto_queue *q);
void pto_queue_publish(struct pto_queue *q);
void pto_queue_kick(struct pto_queue *q);
unsigned int pto_queue_reap(struct pto_queue *q);
void pto_queue_wake(struct pto_queue *q, unsigned int taken);
void pto_queue_arm(struct pto_queue *q);
void pto_queue_disarm(struct pto_queue *q);
int pto_queue_post(struct pto_queue *q, const struct pto_dev_cmd *cmd, unsigned int count,
		   struct pto_reply *reply);
int pto_queue_call(struct pto_queue *q, const struct pto_dev_cmd *cmd, struct pto_reply *reply,
		   struct pto_wait_how *how);
int pto_queue_wait(struct pto_queue *q, pto_queue_cond cond, void *arg,
		   struct pto_wait_how *how);
int pto_status_errno(u32 status);

/* Commands or runs that the device has not completed; a hint without the queue's lock. */
static inline u32 pto_queue_in_flight(struct pto_queue *q)
{
	return READ_ONCE(q->sq_tail) - READ_ONCE(q->cq_head);
}

#endif /* PTO_CORE_QUEUE_H */
