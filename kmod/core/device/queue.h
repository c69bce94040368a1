/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Queue pairs, and waiting for completions. For the whole core.
 */
#ifndef PTO_CORE_QUEUE_H
#define PTO_CORE_QUEUE_H

#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "pto_core.h"

struct pto_device;
struct pto_runs;

/**
 * union pto_command - a command to the device, in each of its layouts
 * @any: common layout of all commands
 * @queue: CTX_CREATE, QUEUE_BIND, QUEUE_UNBIND
 * @map: MAP, UNMAP
 * @load: LOAD, UNLOAD
 * @arena: ARENA_BUILD, ARENA_BIND, ARENA_DROP
 * @run: RUN
 */
union pto_command {
	struct pto_dev_cmd any;
	struct pto_dev_cmd_queue queue;
	struct pto_dev_cmd_map map;
	struct pto_dev_cmd_load load;
	struct pto_dev_cmd_arena arena;
	struct pto_dev_cmd_run run;
};

static_assert(sizeof(union pto_command) == PTO_DEV_SQE_SIZE);

/**
 * struct pto_reply - the completion of a command
 * @index: SQ index of the command
 * @posted: the command has been put into the queue
 * @done: the completion has arrived
 * @reported: a report has arrived with it
 * @status: PTO_DEV_* of the completion
 * @detail: detail of the completion
 * @report: buffer for a report; NULL if none is wanted
 *
 * The queue points to it from posting until it is done or forgotten; it must live as long.
 * The queue's lock protects all members but @report.
 */
struct pto_reply {
	u32 index;
	bool posted;
	bool done;
	bool reported;
	u32 status;
	u64 detail;
	struct pto_dev_report *report;
};

/**
 * struct pto_client - a hardware context, as its queues and the device's interrupts know it
 * @wq: waiters for any event of it
 * @lost: the device lost its state
 * @poll_armed: a thread polls, so each submission asks for an interrupt
 * @pending: number of its objects that wait for completions; also read without a lock
 * @work: started when completions were taken, or have arrived, while @pending is not 0
 * @interrupts: number of waits that an interrupt or another thread ended
 * @lock: protects @queues, and what its owner puts under it
 * @queues: its bound queues of runs
 * @link: in pdev->clients (pdev->wake_mutex)
 *
 * Part of the structure that owns it, and of which the floors below know no more than this.
 */
struct pto_client {
	wait_queue_head_t wq;
	bool lost;
	bool poll_armed;
	atomic_t pending;
	struct work_struct work;
	atomic64_t interrupts;
	spinlock_t lock;
	struct list_head queues;
	struct list_head link;
};

/**
 * struct pto_queue - a queue pair
 * @lock: protects indices, @stopped, @replies, @doorbells, and the owner's records
 * @sq_tail: commands posted
 * @cq_head: completions taken; interrupts and spinning waiters read it without the lock
 * @mask: queue_depth - 1
 * @stopped: nothing can be posted, and no completion is taken; written under @lock, waiters
 *	read it without the lock
 * @doorbells: times the device was woken
 * @head: the indices in the window
 * @sq: submission entries in the window
 * @cq: completion entries in the window
 * @reports: failure reports in the window
 * @runs: its runs; NULL for the admin and control queues
 * @replies: for a queue without runs: the reply for the command in each slot, or NULL
 * @pdev: the device
 * @client: the client; NULL for the admin queue
 * @link: in client->queues if it has runs (client->lock)
 * @wq: wait queue of its waiters
 * @index: number of the pair
 * @armed: an interrupt is requested (@pdev->irq_lock)
 * @armed_head: @cq_head at the time of the request (@pdev->irq_lock)
 * @armed_link: in @pdev->armed while @armed (@pdev->irq_lock)
 *
 * Part of the structure that owns it. pto_queue_open() maps it, pto_queue_close() unmaps it;
 * in between the window pages stay mapped even if the device is gone.
 */
struct pto_queue {
	spinlock_t lock;
	u32 sq_tail;
	u32 cq_head;
	u32 mask;
	bool stopped;
	u64 doorbells;
	struct pto_dev_queue *head;
	union pto_command *sq;
	struct pto_dev_cqe *cq;
	struct pto_dev_report *reports;
	struct pto_runs *runs;
	struct pto_reply **replies;
	struct pto_device *pdev;
	struct pto_client *client;
	struct list_head link;
	wait_queue_head_t *wq;
	u32 index;
	bool armed;
	u32 armed_head;
	struct list_head armed_link;
};

/**
 * struct pto_wait_how - how to wait for an event of a queue
 * @deadline_ns: absolute time, PTO_WAIT_FOREVER for none; 0: check once, do not wait
 * @state: TASK_* in which to sleep
 * @patience_ns: extension of an expired deadline while the queue's client has runs in flight;
 *	0: no extension
 *
 * The caller must not be in a section, and must keep the queue and the condition's argument alive.
 */
struct pto_wait_how {
	u64 deadline_ns;
	unsigned int state;
	u64 patience_ns;
};

typedef bool (*pto_queue_cond)(struct pto_queue *q, void *arg);

void pto_client_init(struct pto_client *client, void (*work)(struct work_struct *work));
bool pto_client_busy(struct pto_client *client);
void pto_client_polled(struct pto_client *client);
int pto_queue_open(struct pto_queue *q, struct pto_device *pdev, u32 index);
void pto_queue_close(struct pto_queue *q);
void pto_queue_reset(struct pto_queue *q);
void pto_queue_stop(struct pto_queue *q);
void pto_queue_cancel(struct pto_queue *q);
union pto_command *pto_queue_slot(struct pto_queue *q);
void pto_queue_publish(struct pto_queue *q);
void pto_queue_kick(struct pto_queue *q);
unsigned int pto_queue_reap(struct pto_queue *q);
void pto_queue_wake(struct pto_queue *q, unsigned int taken);
void pto_queue_arm(struct pto_queue *q);
void pto_queue_disarm(struct pto_queue *q);
int pto_queue_post(struct pto_queue *q, const union pto_command *cmd, unsigned int count,
		   struct pto_reply *reply);
bool pto_queue_refused(struct pto_queue *q, const struct pto_reply *reply);
bool pto_queue_answered(struct pto_queue *q, struct pto_reply *reply);
bool pto_queue_forget(struct pto_queue *q, struct pto_reply *reply);
int pto_queue_ask(struct pto_queue *q, const union pto_command *cmd, struct pto_reply *reply,
		  struct pto_wait_how *how);
int pto_queue_wait(struct pto_queue *q, pto_queue_cond cond, void *arg,
		   struct pto_wait_how *how);
ktime_t pto_queue_expiry(u64 deadline_ns);
bool pto_queue_replied(struct pto_queue *q, void *reply);

/* Start the client's work if objects wait for completions. Does not sleep. */
static inline void pto_client_start(struct pto_client *client)
{
	if (unlikely(atomic_read(&client->pending)))
		queue_work(pto_wq, &client->work);
}

/* Number of commands or runs in flight; only a hint without the queue's lock. */
static inline u32 pto_queue_in_flight(struct pto_queue *q)
{
	return READ_ONCE(q->sq_tail) - READ_ONCE(q->cq_head);
}

#endif /* PTO_CORE_QUEUE_H */
