// SPDX-License-Identifier: GPL-2.0
/*
 * Model check of the lock-free parts of the runtime: the real sources of libpto/runtime,
 * compiled against the explorer (explore.h), in small programs that bring its threads as
 * close together as they get. One thread is the orchestrator, the others are workers.
 *
 * Checked in every order: each task runs once, after all that it depends on, and finds their
 * results; nobody touches a task after closing it, nor the arena after the end; memory
 * that is given to a new task is not in anybody's hands; no task is forgotten. Then the
 * same with operations that misbehave, every one of which has to be found out.
 *
 *	interleave [LIMIT]
 *
 * goes through at most LIMIT orders of each program to each depth of the search.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpto/runtime/runtime.h>

#include "explore_arena.h"
#include "explore_suite.h"

#define WORKERS		2
#define THREADS		(WORKERS + 1)	/* at most */
#define WINDOW		4
#define MAX_TASKS	16
#define FUNC		0

static struct {
	struct pto_runtime rt;
	struct pto_sched sched;
	struct pto_queue queues[THREADS];
	struct explore_arena arena;
	uint32_t epoch;
	const struct explore_scenario *scenario;
	uint32_t submitted;		/* tasks with a kernel */
	uint32_t ran[MAX_TASKS];
	uint64_t looked;
	uint64_t clock;
	bool ended;
	bool closed[THREADS];		/* the task that the thread completes */
	bool completing[THREADS];
	uint32_t cell[4];		/* memory of the program's external buffers */
} m;

/* --- programs ------------------------------------------------------------ */

static struct pto_tensor buffer(uint32_t i)
{
	uint32_t one = 1;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)&m.cell[i], PTO_DTYPE_UINT32, 1, &one, 0, 0);
	return t;
}

/* A task: its number, then for each tensor whether it writes it. */
static struct pto_task submit(struct pto_rt *rt, struct pto_task_args *args, uint32_t writes)
{
	pto_add_scalar(args, m.submitted++);
	pto_add_scalar(args, writes);
	return pto_submit_aiv(rt, FUNC, args);
}

static struct pto_task produce(struct pto_rt *rt)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT32, 1);
	struct pto_task_args args;

	pto_task_args_init(&args);
	pto_add_output(&args, &info);
	return submit(rt, &args, 1);
}

static struct pto_task update(struct pto_rt *rt, uint32_t cell)
{
	struct pto_tensor t = buffer(cell);
	struct pto_task_args args;

	pto_task_args_init(&args);
	pto_add_inout(&args, &t);
	return submit(rt, &args, 1);
}

/* Reads the outputs of some tasks. */
static struct pto_task consume(struct pto_rt *rt, const struct pto_task *from, uint32_t count)
{
	struct pto_tensor t[4];
	struct pto_task_args args;
	uint32_t i;

	pto_task_args_init(&args);
	for (i = 0; i < count; i++) {
		t[i] = *pto_task_output(&from[i], 0);
		pto_add_input(&args, &t[i]);
	}
	return submit(rt, &args, 0);
}

/* The second task is tied to the first while that completes. */
static void edge(struct pto_rt *rt)
{
	update(rt, 0);
	update(rt, 0);
}

/* One after the other; the orchestrator waits for the second before it executes the third. */
static void chain(struct pto_rt *rt)
{
	uint32_t i;

	for (i = 0; i < WINDOW - 1; i++)
		update(rt, 0);
}

static void fan_in(struct pto_rt *rt)
{
	struct pto_task p[2];

	p[0] = produce(rt);
	p[1] = produce(rt);
	consume(rt, p, 2);
}

/* More become ready at once than a queue takes. */
static void fan_out(struct pto_rt *rt)
{
	struct pto_tensor t = buffer(0);
	struct pto_task_args args;
	uint32_t i;

	update(rt, 0);
	PTO_SCOPE(rt) {
		for (i = 0; i < 3; i++) {
			pto_task_args_init(&args);
			pto_add_input(&args, &t);
			submit(rt, &args, 0);
		}
	}
}

/* Tasks that order others go through the hands of whoever completes the last before them. */
static void dummies(struct pto_rt *rt)
{
	struct pto_task p[2];
	struct pto_task_args args;
	uint64_t id;

	p[0] = produce(rt);
	PTO_MANUAL_SCOPE(rt) {
		pto_task_args_init(&args);
		pto_add_dep(&args, p[0].id);
		id = pto_submit_dummy(rt, &args).id;
		p[1] = p[0];
		pto_task_args_init(&args);
		pto_add_input(&args, pto_task_output(&p[0], 0));
		pto_add_dep(&args, id);
		submit(rt, &args, 0);
	}
}

/* Every slot, and the memory of the outputs, is used twice. */
static void reuse(struct pto_rt *rt)
{
	struct pto_task p;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		PTO_SCOPE(rt) {
			p = produce(rt);
			consume(rt, &p, 1);
		}
	}
}

/* Two release one producer at the same time, and the ring needs its slot. */
static void retain(struct pto_rt *rt)
{
	struct pto_task p;
	uint32_t i;

	for (i = 0; i < 2; i++) {
		PTO_SCOPE(rt) {
			p = produce(rt);
			consume(rt, &p, 1);
			consume(rt, &p, 1);
		}
	}
}

static void independent(struct pto_rt *rt)
{
	uint32_t i;

	for (i = 0; i < 3; i++)
		update(rt, i);
}

static void blocks(struct pto_rt *rt)
{
	struct pto_task_args args;
	struct pto_task p = produce(rt);

	pto_task_args_init(&args);
	pto_add_input(&args, pto_task_output(&p, 0));
	pto_set_block_num(&args, 2);
	submit(rt, &args, 0);
	update(rt, 0);
}

static const struct explore_scenario scenarios[] = {
	{ .name = "edge", .entry = edge, .workers = 1 },
	{ .name = "fan_in", .entry = fan_in, .workers = 2 },
	{ .name = "fan_out", .entry = fan_out, .workers = 1 },
	{ .name = "dummies", .entry = dummies, .workers = 1 },
	{ .name = "reuse", .entry = reuse, .workers = 1 },
	{ .name = "retain", .entry = retain, .workers = 2 },
	{ .name = "independent", .entry = independent, .workers = 2 },
	{ .name = "blocks", .entry = blocks, .workers = 2 },
	{ .name = "at_once", .entry = fan_in, .workers = 1, .at_once = 2 },
	{ .name = "at_once_all", .entry = retain, .workers = 1, .at_once = 1 },
	{ .name = "at_once_reuse", .entry = reuse, .workers = 1, .at_once = 2 },
	{ .name = "catch_up", .entry = chain, .workers = 1, .at_once = 2 },
	{ .name = "catch_up_all", .entry = retain, .workers = 2, .at_once = 2 },
};

/* --- the machine --------------------------------------------------------- */

/* What the kernel does with its memory is looked at as any plain access is. */
static void run_kernel(const struct pto_slot *slot)
{
	const struct pto_tensor *t = (const struct pto_tensor *)(m.arena.base + slot->tensors);
	uint32_t i;

	for (i = 0; i < slot->tensor_count; i++) {
		if (slot->scalars[1] >> i & 1)
			explore_write((void *)(uintptr_t)t[i].addr);
		else
			explore_read((void *)(uintptr_t)t[i].addr);
	}
	m.ran[slot->scalars[0]]++;
}

/* As core_execute() does it: a token is passed on until all units have been claimed. */
static struct pto_slot *execute(uint32_t thread, struct pto_slot *slot)
{
	uint32_t units = slot->block_num * slot->part_count;
	struct pto_slot *next;

	explore_read(slot);
	if (++slot->next_unit < units)
		pto_sched_push(&m.sched, thread, slot);
	run_kernel(slot);
	if (units != 1 &&
	    (atomic_fetch_sub_explicit(&slot->units_left, 1, memory_order_acq_rel) &
	     PTO_UNITS_MASK) != 1)
		return NULL;
	explore_read(slot);
	m.closed[thread] = false;
	m.completing[thread] = true;
	next = pto_sched_complete(&m.sched, thread, slot);
	m.completing[thread] = false;
	return next;
}

static bool work(uint32_t thread)
{
	struct pto_slot *slot = pto_sched_take(&m.sched, thread);

	if (!slot)
		return false;
	while (slot)
		slot = execute(thread, slot);
	return true;
}

/* Asked when the slot of a task has just been taken, and its heap block, if it has one. */
static int env_kernel_type(struct pto_runtime *rt, uint32_t func_id)
{
	const struct pto_ring *ring = &rt->ring[rt->depth];
	const struct pto_slot *slot = &ring->slots[ring->order[(ring->head - 1) % WINDOW]];

	if (slot->has_heap)
		explore_write(m.arena.base + ring->layout->heap + slot->heap_end - PTO_HEAP_ALIGN);
	return PTO_CORE_AIV;
}

static void env_ready(struct pto_runtime *rt)
{
}

/* As core_execute_new() does it. */
static void env_execute(struct pto_runtime *rt, struct pto_slot *slot)
{
	explore_read(slot);
	slot->next_unit = 1;
	run_kernel(slot);
	pto_sched_complete_new(&m.sched, slot);
}

static bool env_help(struct pto_runtime *rt)
{
	return work(0);
}

/* The caller has looked at what it waits for since it was here before. */
static void env_wait(struct pto_runtime *rt)
{
	if (!work(0))
		explore_wait(m.looked);
	m.looked = explore_now();
}

static bool env_busy(struct pto_runtime *rt)
{
	return true;
}

/* Each look at the clock finds that the orchestrator has lost time, but not for ever. */
static uint64_t env_now(void)
{
	return m.clock += 1000;
}

static const struct pto_rt_env env = {
	.kernel_type = env_kernel_type,
	.ready = env_ready,
	.execute = env_execute,
	.help = env_help,
	.wait = env_wait,
	.busy = env_busy,
	.now = env_now,
	.pause = explore_wake,
	.format = vsnprintf,
};

static void orchestrate(void)
{
	uint32_t i;

	m.scenario->entry(&m.rt.rt);
	while (pto_sched_done(&m.sched) != m.rt.submitted)
		env_wait(&m.rt);
	m.ended = true;
	explore_wake();
	if (pto_rt_fatal_code(&m.rt))
		explore_fail("%s", m.rt.fatal_text);
	for (i = 0; i < m.submitted; i++)
		if (!m.ran[i])
			explore_fail("task %u has not run", i);
}

static void thread(uint32_t index)
{
	uint64_t now;

	if (!index) {
		orchestrate();
		return;
	}
	while (!m.ended) {
		now = explore_now();
		if (!work(index) && !m.ended)
			explore_wait(now);
	}
}

/* --- what is watched ----------------------------------------------------- */

static bool in_arena(const void *p)
{
	return (uintptr_t)p - (uintptr_t)m.arena.base < m.arena.size;
}

static bool explored(const void *p)
{
	return in_arena(p) || ((const uint8_t *)p >= (const uint8_t *)m.queues &&
			       (const uint8_t *)p < (const uint8_t *)(m.queues + THREADS));
}

/* The slot in which @p lies, or NULL; @field is its place in there. */
static struct pto_slot *slot_of(const void *p, uint64_t *field)
{
	const struct pto_arena *head = (const struct pto_arena *)m.arena.base;
	uint64_t offset = (uint64_t)((const uint8_t *)p - m.arena.base);
	uint32_t i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		uint64_t place = offset - head->ring[i].slots;

		if (offset < head->ring[i].slots ||
		    place >= head->ring[i].window * sizeof(struct pto_slot))
			continue;
		*field = place % sizeof(struct pto_slot);
		return (struct pto_slot *)((const uint8_t *)p - *field);
	}
	return NULL;
}

static void before(uint32_t index, void *p, enum explore_op op, uint64_t value)
{
	uint64_t field;
	struct pto_slot *slot;

	if (!in_arena(p))
		return;
	if (m.ended)
		explore_fail("the arena is touched after the end");
	slot = slot_of(p, &field);
	if (!slot)
		return;
	/* A new task begins: the slot is the orchestrator's alone, and so are its outputs. */
	if (!index && op == EXPLORE_STORE && field == offsetof(struct pto_slot, fanout) && !value)
		explore_write(slot);
	if (!m.completing[index])
		return;
	if (field == offsetof(struct pto_slot, released) && m.closed[index])
		explore_fail("a producer is released after its consumer was closed");
	/* A dummy may be next. */
	if (field == offsetof(struct pto_slot, pending) && !slot->part_count)
		m.closed[index] = false;
	if (field == offsetof(struct pto_slot, fanout))
		m.closed[index] = true;
}

static void reset(const struct explore_scenario *scenario)
{
	struct explore_arena arena = m.arena;
	uint32_t epoch = m.epoch + 1;

	memset(&m, 0, sizeof(m));
	m.arena = arena;
	m.epoch = epoch;
	m.scenario = scenario;
	pto_sched_init(&m.sched, m.queues, scenario->workers + 1,
		       explore_enough(scenario));
	pto_runtime_init(&m.rt, &env, &m.sched, PTO_ARCH_A2A3, 1);
	pto_runtime_start(&m.rt, m.arena.base, m.epoch);
}

/* --- the checks ---------------------------------------------------------- */

static const struct explore_mutant mutants[] = {
	{ "queue_push", EXPLORE_STORE, EXPLORE_RELAX },
	{ "queue_take", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "queue_take", EXPLORE_CAS, EXPLORE_SPLIT },
	{ "notify_consumer", EXPLORE_SUB, EXPLORE_SPLIT },
	{ "notify_consumer", EXPLORE_SUB, EXPLORE_RELAX },
	{ "complete_one", EXPLORE_SWAP, EXPLORE_SPLIT },
	{ "complete_one", EXPLORE_SWAP, EXPLORE_RELAX },
	{ "complete_one", EXPLORE_SWAP, EXPLORE_DROP },
	{ "complete_one", EXPLORE_ADD, EXPLORE_DROP },
	{ "pto_sched_complete_new", EXPLORE_STORE, EXPLORE_DROP },
	{ "pto_sched_release", EXPLORE_ADD, EXPLORE_RELAX },
	{ "pto_sched_release", EXPLORE_ADD, EXPLORE_SPLIT },
	{ "pto_sched_release", EXPLORE_ADD, EXPLORE_DROP },
	{ "pto_sched_release", EXPLORE_ADD, EXPLORE_LATE },
	{ "fanout_push", EXPLORE_CAS, EXPLORE_SPLIT },
	{ "catch_up", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "publish", EXPLORE_SUB, EXPLORE_SPLIT },
	{ "publish", EXPLORE_SUB, EXPLORE_RELAX },
	{ "publish", EXPLORE_SUB, EXPLORE_DROP },
	{ "pto_slot_completed", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "reclaimable", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "execute", EXPLORE_SUB, EXPLORE_SPLIT },
};

static const struct explore_suite suite = {
	.scenarios = scenarios,
	.scenario_count = sizeof(scenarios) / sizeof(scenarios[0]),
	.mutants = mutants,
	.mutant_count = sizeof(mutants) / sizeof(mutants[0]),
	.limit = 20000,
	.reset = reset,
	.test = {
		.thread = thread,
		.explored = explored,
		.before = before,
	},
};

int main(int argc, char **argv)
{
	if (explore_skipped("interleave"))
		return 4;
	explore_arena_make(&m.arena, WINDOW, 2 * PTO_HEAP_ALIGN, 4);
	return explore_suite(&suite, argc > 1 ? argv[1] : NULL);
}
