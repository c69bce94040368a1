// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "shuffle.h"

#define TICK_NS 1000000ULL	/* by which the clock goes forward when it is looked at */

/* Which of the ready tasks is next. */
enum order { ORDER_PRIORITY, ORDER_LATEST, ORDER_ANY, ORDERS };

/**
 * struct shuffle - the runtime without threads
 * @rt: the runtime; first, so that its calls lead back here
 * @sched: ready tasks as the runtime hands them out
 * @queue: of the one thread
 * @run: the run
 * @graph: its graph
 * @order: which task is next
 * @rng: random numbers
 * @eager: percentage of submits after which a unit is executed at once
 * @priority: decides the priorities of tasks
 * @ready: tasks taken from the queue whose units have not all begun
 * @ready_count: how many
 */
struct shuffle {
	struct pto_runtime rt;
	struct pto_sched sched;
	struct pto_queue queue;
	const struct pto_engine_run *run;
	struct pto_graph_source graph;
	enum order order;
	uint64_t rng;
	uint32_t eager;
	uint64_t priority;
	struct pto_slot *ready[MAX_OPS];
	uint32_t ready_count;
};

void (*shuffle_look)(const struct pto_tensor *tensors, uint32_t count);

static struct shuffle *shuffle_of(struct pto_runtime *rt)
{
	return (struct shuffle *)rt;
}

static uint32_t draw(struct shuffle *s, uint32_t n)
{
	s->rng = mix(s->rng);
	return (uint32_t)((s->rng >> 32) * n >> 32);
}

/* --- tasks --------------------------------------------------------------- */

static void run_unit(struct shuffle *s, struct pto_slot *slot, uint32_t unit)
{
	struct pto_tensor *t = (struct pto_tensor *)(s->rt.base + slot->tensors);
	uint32_t index = unit % slot->part_count, n = 0, i;
	struct pto_local_context local = {
		.block_idx = (int32_t)(unit / slot->part_count),
		.block_num = (int32_t)slot->block_num,
	};
	struct pto_global_context global = { .sub_block_id = slot->part[index] == 2 };
	int64_t args[PTO_KERNEL_ARGS];

	if (shuffle_look)
		shuffle_look(t, slot->tensor_count);
	for (i = 0; i < slot->tensor_count; i++)
		args[n++] = (int64_t)(uintptr_t)&t[i];
	for (i = 0; i < slot->scalar_count; i++)
		args[n++] = (int64_t)slot->scalars[i];
	args[PTO_KERNEL_ARG_LOCAL] = (int64_t)(uintptr_t)&local;
	args[PTO_KERNEL_ARG_GLOBAL] = (int64_t)(uintptr_t)&global;
	s->run->callable->kernels[slot->func[index]].fn(args);
}

static void fetch(struct shuffle *s)
{
	struct pto_slot *slot;

	while ((slot = pto_sched_take(&s->sched, 0)))
		s->ready[s->ready_count++] = slot;
}

static uint32_t choose(struct shuffle *s)
{
	uint32_t best = s->ready_count - 1;
	uint32_t i;

	if (s->order == ORDER_ANY)
		return draw(s, s->ready_count);
	for (i = 0; i < s->ready_count && s->order == ORDER_PRIORITY; i++)
		if (mix(s->ready[i]->id ^ s->priority) < mix(s->ready[best]->id ^ s->priority))
			best = i;
	return best;
}

static void complete(struct shuffle *s, uint32_t i)
{
	struct pto_slot *slot = s->ready[i];

	s->ready[i] = s->ready[--s->ready_count];
	slot = pto_sched_complete(&s->sched, 0, slot);
	if (slot)
		s->ready[s->ready_count++] = slot;
}

/* Executes a unit. Return: false if no task is ready */
static bool step(struct shuffle *s)
{
	struct pto_slot *slot;
	uint32_t i, unit;

	fetch(s);
	if (!s->ready_count)
		return false;
	i = choose(s);
	slot = s->ready[i];
	if (slot->flags & PTO_SLOT_PREDICATE && !slot->next_unit && !pto_predicate_holds(slot)) {
		complete(s, i);
		return true;
	}
	unit = slot->next_unit++;
	run_unit(s, slot, unit);
	if (unit + 1 == slot->block_num * slot->part_count)
		complete(s, i);
	return true;
}

/* --- the runtime's environment ------------------------------------------- */

static int env_kernel_type(struct pto_runtime *rt, uint32_t func_id)
{
	const struct pto_engine_callable *c = shuffle_of(rt)->run->callable;

	return func_id < c->kernel_count ? (int)c->kernels[func_id].core_type : -1;
}

static void env_ready(struct pto_runtime *rt)
{
	struct shuffle *s = shuffle_of(rt);

	while (draw(s, 100) < s->eager && step(s))
		;
}

static void env_execute(struct pto_runtime *rt, struct pto_slot *slot)
{
	run_unit(shuffle_of(rt), slot, 0);
	pto_sched_complete_new(&shuffle_of(rt)->sched, slot);
}

static bool env_help(struct pto_runtime *rt)
{
	return step(shuffle_of(rt));
}

static void env_wait(struct pto_runtime *rt)
{
	if (!env_help(rt))
		pto_rt_fatal(rt, PTO_FATAL_SCHEDULER_TIMEOUT, 0, PTO_NO_TASK,
			     "the orchestration waits, and no task is ready");
}

static bool env_busy(struct pto_runtime *rt)
{
	return false;
}

static _Thread_local uint64_t clock_ns;

static uint64_t env_now(void)
{
	return clock_ns += TICK_NS;
}

static const struct pto_rt_env env = {
	.kernel_type = env_kernel_type,
	.ready = env_ready,
	.execute = env_execute,
	.help = env_help,
	.wait = env_wait,
	.busy = env_busy,
	.now = env_now,
	.format = vsnprintf,
};

/* --- runs ---------------------------------------------------------------- */

struct shuffle *shuffle_create(void)
{
	struct shuffle *s = aligned_alloc(_Alignof(struct shuffle), sizeof(*s));

	if (!s)
		abort();
	return s;
}

void shuffle_destroy(struct shuffle *s)
{
	free(s);
}

/** shuffle_run() - execute a run. Return: NULL, or the text of the fatal error */
const char *shuffle_run(struct shuffle *s, const struct pto_engine_run *run, uint32_t arch,
			uint64_t order)
{
	static const struct pto_orch_args none = { .size = sizeof(none) };
	static const uint32_t eager[] = { 0, 0, 50, 90 };
	static const uint32_t enough[] = { 0, 1, 5, UINT32_MAX };

	memset(s, 0, sizeof(*s));
	s->run = run;
	s->rng = mix(order);
	s->order = draw(s, ORDERS);
	s->eager = eager[draw(s, sizeof(eager) / sizeof(eager[0]))];
	s->priority = s->rng;
	pto_sched_init(&s->sched, &s->queue, 1,
		       enough[draw(s, sizeof(enough) / sizeof(enough[0]))]);
	pto_runtime_init(&s->rt, &env, &s->sched, arch, arch == PTO_ARCH_A5 ? 36 : 24);
	pto_runtime_start(&s->rt, run->arena, run->epoch);
	if (run->graph) {
		s->graph.data = run->graph;
		s->graph.size = run->graph_size;
		s->graph.covers = run->covers;
		s->graph.cookie = run->cookie;
		pto_graph_replay(&s->rt, &s->graph);
	} else {
		run->callable->entry(&s->rt.rt, &none);
	}
	while (!pto_rt_fatal_code(&s->rt) && pto_sched_done(&s->sched) != s->rt.submitted)
		env_wait(&s->rt);
	return pto_rt_fatal_code(&s->rt) ? s->rt.fatal_text : NULL;
}
