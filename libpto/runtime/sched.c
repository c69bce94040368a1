// SPDX-License-Identifier: MIT
/*
 * Ready tasks: queues, completion, fan-out. Lock-free; the invariants are
 *
 *  1. A task is in at most one place: waiting (pending > 0), in one queue or backlog, or in
 *     the hands of one thread. Whoever brings pending to 0 owns it.
 *  2. A task with several units is handed on as a token: who takes it claims one unit,
 *     puts the token back if units are left, then runs its unit. The last unit to end
 *     (units_left) completes the task, and then the token is gone.
 *  3. A completing thread touches its slot for the last time when it closes the
 *     fan-out: from there on the orchestrator may reuse the slot. So producers are
 *     released before, and behind it only the consumers are touched, each of which is kept
 *     alive by the count that this thread has yet to take from its pending.
 *  4. done is raised last of all: when the sum of all done has reached the number of
 *     submitted tasks, no thread touches the arena any more.
 *  5. A task that is wired to a producer either gets its edge in before the producer closes,
 *     and then the closing thread finds it, or finds the producer closed: pushing and
 *     closing are one compare-and-swap and one exchange of the same word.
 *  6. The orchestrator reclaims a slot only after it has seen, by acquire, that the slot is
 *     closed and that all who retain it have released it: what they did with it and with
 *     its outputs has happened before.
 *
 *  7. What the orchestrator executes as soon as it has submitted it (pto_rt_env.execute) is in
 *     its hands from the slot's allocation to the closing of its fan-out, which is empty: no
 *     other thread learns of the task, but for the counts of its producers.
 *
 * selftests/runtime/interleave executes this file, deps.c, rings.c and submit.c in all
 * orders of small programs; what it lists as mutants are the operations these invariants
 * rest on.
 */
#include "runtime.h"

#define FANOUT_BATCH	8	/* consumers whose lines are asked for at a time */
#define ENOUGH_LOOKS	8	/* tasks that the orchestrator executes between two looks */
#define MAX_DEBT_NS	40000	/* for each of the others; see pto_sched_keeps() */

/**
 * pto_sched_init() - prepare the ready tasks of an engine
 * @sched: to be filled in
 * @queues: queues of the threads, zeroed memory; NULL if no task will ever be ready
 * @count: threads
 * @enough: ready tasks that the orchestrator leaves to others before it executes those itself
 *	that it submits; UINT32_MAX: it leaves all to others
 */
void pto_sched_init(struct pto_sched *sched, struct pto_queue *queues, uint32_t count,
		    uint32_t enough)
{
	sched->queues = queues;
	sched->queue_count = count;
	sched->enough = enough;
	sched->max_debt = (count - 1) * (uint64_t)MAX_DEBT_NS;
	/* To begin with, the first tasks are for the others. */
	if (queues)
		queues[0].debt = (uint64_t)enough * PTO_HAND_OVER_NS;
	sched->base = NULL;
}

static struct pto_slot *slot_at(const struct pto_sched *sched, uint64_t offset)
{
	return (struct pto_slot *)(sched->base + offset);
}

static bool queue_push(struct pto_queue *q, uint64_t offset)
{
	uint64_t tail = q->own_tail;

	/* Takers write head all the time: look only when it must have moved. */
	if (tail - q->seen_head >= PTO_QUEUE_SIZE)
		q->seen_head = atomic_load_explicit(&q->head, memory_order_acquire);
	if (tail - q->seen_head >= PTO_QUEUE_SIZE)
		return false;
	atomic_store_explicit(&q->slots[tail % PTO_QUEUE_SIZE], offset, memory_order_relaxed);
	q->own_tail = tail + 1;
	atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
	return true;
}

/* Offset of a slot, or 0: nothing lies at the beginning of an arena but its head. */
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

/* Moves tasks of the backlog to the queue as far as there is room. */
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

/** pto_sched_push() - hand a ready task to whoever comes; called by the owner of @thread */
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

/* What has been submitted makes up for what the orchestrator has lost. */
static void pay(struct pto_queue *q)
{
	q->debt -= q->fair < q->debt ? q->fair : q->debt;
}

/**
 * pto_sched_begin() - a run begins
 * @sched: ready tasks; there are none
 * @base: the run's arena
 *
 * What time has passed since the last run is nobody's.
 */
void pto_sched_begin(struct pto_sched *sched, void *base)
{
	struct pto_queue *q = sched->queues;

	sched->base = base;
	if (!q)
		return;
	if (!q->own)
		pay(q);
	q->own = 0;
	q->unseen = 0;
	q->fair = 0;
}

/* What the orchestrator's own tasks have cost since it looked last, against what is fair. */
static void settle(struct pto_queue *q, uint64_t now, uint64_t max)
{
	uint64_t cost = q->own ? now - q->looked : 0;

	if (q->spare && cost > q->fair)
		cost = q->fair;
	q->debt += cost;
	pay(q);
	if (q->debt > max)
		q->debt = max;
	q->looked = now;
	q->fair = 0;
}

/* Return: how many tasks the orchestrator executes itself before it looks again */
static uint32_t look(const struct pto_sched *sched, struct pto_queue *q, uint64_t now)
{
	settle(q, now, sched->max_debt);
	q->spare = false;
	if (!q->debt)
		return q->own ? ENOUGH_LOOKS : 1;
	q->seen_head = atomic_load_explicit(&q->head, memory_order_acquire);
	q->spare = q->own_tail - q->seen_head >= sched->enough;
	return q->spare ? ENOUGH_LOOKS : 0;
}

/**
 * pto_sched_tries() - shall the orchestrator execute the next task itself? See pto_sched_keeps()
 *
 * It does if the others have enough to do. It also does if that takes less time than to hand the
 * task over: lines that move to another core and back cost more than a short task. It cannot
 * know how long one takes, so it tries; what it loses over a long one it makes up for by handing
 * others over before it tries again. So tasks that the others wait for cost it at most as much as
 * handing all of them over (pto_sched_submitted() adds that up), and what the latest try cost.
 *
 * A task that is not ready waits for one that was handed over. If that is short, too, or the others
 * have no time for it, it is worth waiting for and helping: else this one would become the
 * others' as well, and so on with all that depend on it. The wait is part of what the try costs.
 *
 * Who has lost a lot need not make up for all of it, or the end of the long tasks would be found
 * out late. A try that costs more than the orchestrator makes up for costs the others no more
 * than the same time each; MAX_DEBT_NS for each of them is a hundred times what handing
 * a task over takes, so that is one part in a hundred of what they could do.
 *
 * What takers write is looked at only now and then: when there are enough, once in some
 * submits; when there are not, once twice as many could be there.
 */
bool pto_sched_tries(struct pto_sched *sched, uint64_t (*now)(void))
{
	struct pto_queue *q = &sched->queues[0];

	if (sched->enough == UINT32_MAX)
		return false;
	if (!q->own && q->fair < q->debt && q->own_tail - q->seen_head < 2 * sched->enough)
		return false;
	q->own = look(sched, q, now());
	q->unseen = q->own ? q->own - 1 : 0;
	return q->own;
}

/** pto_sched_behind() - a task that the orchestrator would have executed is not ready for long */
void pto_sched_behind(struct pto_sched *sched)
{
	sched->queues[0].unseen = 0;
}

/**
 * pto_sched_take() - take a ready task; called by the owner of @thread
 *
 * Its own queue first, then the others from the orchestrator's on. Return: NULL if all
 * are empty.
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

/** pto_sched_queued() - tasks in the queue of @thread; a hint */
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

/** pto_sched_release() - what a task that completes depends on need not be retained for it */
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
 * Takes up to FANOUT_BATCH consumers off a closed fan-out list. Another thread wrote them
 * last: this asks for the lines of all before it waits for the first. None of them can end,
 * nor its edge go away, before its pending has been brought down.
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
 * pto_sched_complete() - a task has ended; called by the owner of @thread
 * @sched: ready tasks
 * @thread: the caller
 * @slot: the task; not to be touched afterwards
 *
 * Tasks without kernels that become ready are completed here too.
 * Return: a task that has become ready and that the caller now holds, or NULL.
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
