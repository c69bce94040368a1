// SPDX-License-Identifier: MIT
/*
 * Ready tasks: queues, completion, fan-out. Lock-free; the invariants are
 *
 *  1. A task is in one place at most: it waits (pending > 0), is in one queue or backlog, or one
 *     thread owns it. The thread that brings pending to 0 owns it.
 *  2. A task with several units is passed on as a token. A thread that takes the token claims one
 *     unit, puts the token back if units are left, and then runs its unit. The last unit to end
 *     (units_left) completes the task; the token is gone then.
 *  3. The last access of a completing thread to the slot is the one that closes the fan-out. From
 *     then on the orchestrator may reuse the slot. So the thread releases producers before, and
 *     accesses only consumers afterwards. A consumer cannot end before this thread has decremented
 *     its pending.
 *  4. done is incremented last: when the sum of all done has reached the number of submitted
 *     tasks, no thread accesses the arena any more.
 *  5. When an edge is added to a producer, either it is added before the producer closes its
 *     fan-out, and the closing thread finds it, or the producer is found closed. Adding is a
 *     compare-and-swap, and closing an exchange, of the same word.
 *  6. The orchestrator reclaims a slot only after it has seen, by acquire, that the slot is closed
 *     and that all tasks that retain it have released it. So their accesses to the slot and to its
 *     outputs have happened before.
 *  7. A task that the orchestrator executes right after its submission (pto_rt_env.execute)
 *     belongs to the orchestrator from the slot's allocation until its fan-out, which is empty, is
 *     closed. No other thread accesses the task, except that its producers decrement pending.
 *
 * selftests/runtime/interleave executes this file, deps.c, rings.c and submit.c in all orders of
 * small programs; its mutants are the operations on which these invariants depend.
 */
#include "runtime.h"

#define FANOUT_BATCH	8	/* consumers whose lines are prefetched at a time */
#define BATCH_TASKS	8	/* tasks that the orchestrator executes between two checks */
#define DEBT_TASKS	128	/* hand-overs for each other thread that the debt is limited to */
#define TENSORS		3	/* tensors of a submit that cost as much as a hand-over */

/**
 * pto_sched_init() - prepare the ready tasks of an engine
 * @sched: to be filled in
 * @queues: queues of the threads, zeroed memory; NULL if no task will ever be ready
 * @count: threads
 * @enough: backlog from which the orchestrator executes the tasks itself that it submits;
 *	UINT32_MAX: it never does
 */
void pto_sched_init(struct pto_sched *sched, struct pto_queue *queues, uint32_t count,
		    uint32_t enough)
{
	sched->queues = queues;
	sched->queue_count = count;
	sched->enough = enough;
	sched->base = NULL;
	pto_sched_set_cost(sched, PTO_HAND_OVER_NS);
}

/**
 * pto_sched_set_cost() - set what it costs to hand a task over
 * @sched: ready tasks; there has been no run yet
 * @hand_over: nanoseconds, at least 1
 *
 * All other times that the orchestrator reckons with are multiples or fractions of that, so its
 * choices depend on the ratio of the duration of tasks and @hand_over only.
 */
void pto_sched_set_cost(struct pto_sched *sched, uint64_t hand_over)
{
	sched->hand_over = hand_over;
	sched->tensor = (hand_over + TENSORS - 1) / TENSORS;
	sched->catch_up = hand_over * BATCH_TASKS;
	sched->max_debt = hand_over * DEBT_TASKS * (sched->queue_count - 1);
	/* Initially there is a debt, so the other threads get the first tasks. */
	if (sched->queues)
		sched->queues[0].debt = hand_over * sched->enough;
}

static struct pto_slot *slot_at(const struct pto_sched *sched, uint64_t offset)
{
	return (struct pto_slot *)(sched->base + offset);
}

static bool queue_push(struct pto_queue *q, uint64_t offset)
{
	uint64_t tail = q->own_tail;

	/* Other threads often write head: read it only if the queue seems full. */
	if (tail - q->seen_head >= PTO_QUEUE_SIZE)
		q->seen_head = atomic_load_explicit(&q->head, memory_order_acquire);
	if (tail - q->seen_head >= PTO_QUEUE_SIZE)
		return false;
	atomic_store_explicit(&q->slots[tail % PTO_QUEUE_SIZE], offset, memory_order_relaxed);
	q->own_tail = tail + 1;
	atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
	return true;
}

/* Return: the offset of a slot; 0, which is the arena's header, if the queue is empty. */
static uint64_t queue_take(struct pto_queue *q)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_acquire);
	uint64_t offset;

	do {
		if (head >= atomic_load_explicit(&q->tail, memory_order_acquire))
			return 0;
		offset = atomic_load_explicit(&q->slots[head % PTO_QUEUE_SIZE],
					      memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&q->head, &head, head + 1,
							memory_order_acq_rel,
							memory_order_acquire));
	return offset;
}

/* Move tasks from the backlog to the queue as long as there is room. */
static void queue_refill(struct pto_sched *sched, struct pto_queue *q)
{
	uint64_t next;

	while (q->backlog) {
		next = slot_at(sched, q->backlog)->next;
		if (!queue_push(q, q->backlog))
			return;
		q->backlog = next;
	}
}

/** pto_sched_push() - queue a ready task for any thread; called by the owner of @thread */
void pto_sched_push(struct pto_sched *sched, uint32_t thread, struct pto_slot *slot)
{
	struct pto_queue *q = &sched->queues[thread];
	uint64_t offset = (uint64_t)((uint8_t *)slot - sched->base);

	queue_refill(sched, q);
	if (!q->backlog && queue_push(q, offset))
		return;
	slot->next = 0;
	if (q->backlog)
		slot_at(sched, q->backlog_end)->next = offset;
	else
		q->backlog = offset;
	q->backlog_end = offset;
}

/* Repay debt by the tasks that have been submitted since the last check. */
static void repay(struct pto_queue *q)
{
	q->debt -= q->credit < q->debt ? q->credit : q->debt;
}

/**
 * pto_sched_begin() - begin a run
 * @sched: ready tasks; there are none
 * @base: the run's arena
 *
 * The time since the last run does not count.
 */
void pto_sched_begin(struct pto_sched *sched, void *base)
{
	struct pto_queue *q = sched->queues;

	sched->base = base;
	if (!q)
		return;
	if (!q->batch)
		repay(q);
	q->batch = 0;
	q->batch_left = 0;
	q->credit = 0;
}

/* Add the time of the orchestrator's own tasks since the last check to the debt, and repay. */
static void settle(struct pto_queue *q, uint64_t now, uint64_t max)
{
	uint64_t cost = q->batch ? now - q->checked : 0;

	if (q->backlogged && cost > q->credit)
		cost = q->credit;
	q->debt += cost;
	repay(q);
	if (q->debt > max)
		q->debt = max;
	q->checked = now;
	q->credit = 0;
}

/* Return: the number of tasks that the orchestrator executes itself before the next check */
static uint32_t choose_batch(const struct pto_sched *sched, struct pto_queue *q, uint64_t now)
{
	settle(q, now, sched->max_debt);
	q->backlogged = false;
	if (!q->debt)
		return q->batch ? BATCH_TASKS : 1;
	q->seen_head = atomic_load_explicit(&q->head, memory_order_acquire);
	q->backlogged = q->own_tail - q->seen_head >= sched->enough;
	return q->backlogged ? BATCH_TASKS : 0;
}

/**
 * pto_sched_check() - choose the number of tasks that the orchestrator executes itself next
 * @sched: ready tasks
 * @now: the clock
 *
 * The orchestrator executes tasks itself if the other threads have a backlog, or if that takes less
 * time than handing them over: moving cache lines to another core and back costs more than a short
 * task. The duration of a task is not known in advance, so the orchestrator tries, and keeps an
 * account, which three events change:
 *
 *   each submit      credit += hand_over, and tensor for each tensor (struct pto_sched)
 *   a check          debt   += time since the last check, if a batch was executed in it; if there
 *                              was a backlog, at most the credit, as no other thread waited
 *                    debt   -= credit, but not below 0
 *                    debt   at most max_debt
 *                    credit  = 0
 *   a run begins     debt   -= credit, if tasks are handed over; credit = 0
 *
 * A check chooses the next batch, and thereby the state:
 *
 *               +--------------------------- debt, no backlog ---------------------------+
 *               v                                                                        |
 *        +-------------+    no debt      +-----------------+    no debt, or     +-----------------+
 *        | hands over  | --------------> | tries           | -----------------> | executes        |
 *        | batch = 0   |                 | batch = 1       |    a backlog       | BATCH_TASKS     |
 *        +-------------+ <-------------- +-----------------+                    +-----------------+
 *               |         debt, no backlog                                               ^
 *               +------------------------------- debt, a backlog ------------------------+
 *
 * A batch is followed by a check. While tasks are handed over, there is a check only when the
 * credit has reached the debt, or when twice the backlog could be in the queue: the orchestrator
 * reads what other threads write only then. So its loss over tasks that idle threads could have
 * executed is at most the cost of handing all tasks over, plus the latest batch.
 *
 * A task that is not ready waits for a task that was handed over. The orchestrator waits a little
 * for that task, and executes ready tasks meanwhile. Otherwise this task, and all tasks that
 * depend on it, would have to be handed over, too. The wait is part of the batch's cost, and a wait
 * without success ends the batch. Such a wait costs at most as much as handing a batch over.
 *
 * The debt is limited, so that the orchestrator soon notices when long tasks are followed by short
 * ones. A batch that costs more than the limit costs each other thread at most the same time.
 * The limit for each of them is DEBT_TASKS times the cost of handing a task over, so the excess is
 * less than one percent of the work that they could do.
 *
 * Return: true if there is a batch, of which the next task is the first.
 */
bool pto_sched_check(struct pto_sched *sched, uint64_t (*now)(void))
{
	struct pto_queue *q = &sched->queues[0];

	if (sched->enough == UINT32_MAX)
		return false;
	if (!q->batch && q->credit < q->debt && q->own_tail - q->seen_head < 2 * sched->enough)
		return false;
	q->batch = choose_batch(sched, q, now());
	q->batch_left = q->batch ? q->batch - 1 : 0;
	return q->batch;
}

/** pto_sched_end_batch() - end the batch, as one of its tasks was not ready in time */
void pto_sched_end_batch(struct pto_sched *sched)
{
	sched->queues[0].batch_left = 0;
}

/**
 * pto_sched_take() - take a ready task; called by the owner of @thread
 *
 * Takes from the thread's own queue first, then from the others, beginning with the
 * orchestrator's. Return: NULL if all are empty.
 */
struct pto_slot *pto_sched_take(struct pto_sched *sched, uint32_t thread)
{
	struct pto_queue *own = &sched->queues[thread];
	uint64_t offset;
	uint32_t i;

	if (own->backlog)
		queue_refill(sched, own);
	offset = queue_take(own);
	for (i = 0; !offset && i < sched->queue_count; i++)
		if (i != thread)
			offset = queue_take(&sched->queues[i]);
	return offset ? slot_at(sched, offset) : NULL;
}

/** pto_sched_queued() - number of tasks in the queue of @thread; only a hint */
uint64_t pto_sched_queued(struct pto_sched *sched, uint32_t thread)
{
	struct pto_queue *q = &sched->queues[thread];
	uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_seq_cst);

	return tail > head ? tail - head : 0;
}

/** pto_sched_done() - tasks completed since the engine was created */
uint64_t pto_sched_done(struct pto_sched *sched)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < sched->queue_count; i++)
		sum += atomic_load_explicit(&sched->queues[i].done, memory_order_seq_cst);
	return sum;
}

/** pto_sched_release() - release the producers that a completing task retains */
void pto_sched_release(struct pto_sched *sched, struct pto_slot *slot)
{
	const struct pto_arena *arena = (const struct pto_arena *)sched->base;
	uint32_t left = slot->keeps;
	uint32_t i;

	for (i = 0; left; i++) {
		const struct pto_edge *e = pto_edge_at(arena, slot, i);

		if (!e->producer)
			continue;
		atomic_fetch_add_explicit(&slot_at(sched, e->producer)->released, 1,
					  memory_order_release);
		left--;
	}
}

/* Consumers that become ready go to @dummies, @next or the queue. */
static void notify_consumer(struct pto_sched *sched, uint32_t thread, struct pto_slot *consumer,
			    struct pto_slot **next, uint64_t *dummies)
{
	if (atomic_fetch_sub_explicit(&consumer->pending, 1, memory_order_acq_rel) != 1)
		return;
	if (!consumer->part_count) {
		consumer->next = *dummies;
		*dummies = (uint64_t)((uint8_t *)consumer - sched->base);
	} else if (!*next) {
		*next = consumer;
	} else {
		pto_sched_push(sched, thread, consumer);
	}
}

/*
 * Take up to FANOUT_BATCH consumers off a closed fan-out list. Another thread wrote them last, so
 * this prefetches the lines of all before the first is used. No consumer can end, nor its edge be
 * reused, before its pending has been decremented.
 */
static uint32_t take_consumers(struct pto_sched *sched, uint64_t *list, struct pto_slot **batch)
{
	uint32_t count = 0;

	while (*list && count < FANOUT_BATCH) {
		const struct pto_edge *e = (const struct pto_edge *)(sched->base + *list);

		batch[count] = slot_at(sched, e->task);
		__builtin_prefetch((const void *)&batch[count++]->pending, 1);
		*list = e->next;
	}
	return count;
}

/* Completes one task. */
static void complete_one(struct pto_sched *sched, uint32_t thread, struct pto_slot *slot,
			 struct pto_slot **next, uint64_t *dummies)
{
	_Atomic uint64_t *done = &sched->queues[thread].done;
	struct pto_slot *batch[FANOUT_BATCH];
	uint32_t count, i;
	uint64_t list;

	if (slot->keeps)
		pto_sched_release(sched, slot);
	list = atomic_exchange_explicit(&slot->fanout, PTO_FANOUT_CLOSED, memory_order_acq_rel);
	while (list) {
		count = take_consumers(sched, &list, batch);
		for (i = 0; i < count; i++)
			notify_consumer(sched, thread, batch[i], next, dummies);
	}
	atomic_fetch_add_explicit(done, 1, memory_order_seq_cst);
}

/**
 * pto_sched_complete() - complete a task that has ended; called by the owner of @thread
 * @sched: ready tasks
 * @thread: the caller
 * @slot: the task; must not be accessed afterwards
 *
 * Also completes tasks without kernels that become ready.
 * Return: a task that has become ready and that the caller now owns, or NULL.
 */
struct pto_slot *pto_sched_complete(struct pto_sched *sched, uint32_t thread,
				    struct pto_slot *slot)
{
	struct pto_slot *next = NULL;
	uint64_t dummies = 0;

	complete_one(sched, thread, slot, &next, &dummies);
	while (dummies) {
		slot = slot_at(sched, dummies);
		dummies = slot->next;
		complete_one(sched, thread, slot, &next, &dummies);
	}
	return next;
}
