// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of host-built graphs, on graphs of random programs with bytes changed: before it
 * reads them, and while it does, since the application can write to a graph at any time. Whatever
 * stands in one, it reads no byte past the end, no task gets a tensor that lies outside of
 * the run's memory, and the run ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest.h"
#include "guard.h"
#include "mutate.h"
#include "report.h"

#include "arena_fixture.h"
#include "hosted.h"
#include "program.h"
#include "shuffle.h"

#define CASES	4000
#define BASES	64	/* programs whose graphs are changed */
#define KERNELS	PROGRAM_FUNCS
#define WINDOW	512

static struct program program;
static struct execution execution;
static struct pto_engine_kernel makers[KERNELS];	/* for the host, which wants to know them */
static struct pto_engine_kernel idle[KERNELS];		/* for the device: nothing is computed */

/**
 * struct base - a graph that was built
 * @data: its bytes
 * @bytes: how many
 */
struct base {
	uint8_t *data;
	size_t bytes;
};

static struct base bases[BASES];

/**
 * struct running - the case that is being tried
 * @m: decides what is changed
 * @graph: the graph
 * @bytes: bytes of it
 * @heap: where the run's heap is, @heap_bytes
 * @heap_bytes: bytes of it
 * @moving: the graph is changed while it is read
 * @tensors: how many a task has got
 */
static struct running {
	struct mutator m;
	uint8_t *graph;
	size_t bytes;
	uint64_t heap;
	uint64_t heap_bytes;
	bool moving;
	uint64_t tensors;
} running;

static uint64_t good, fatal;

/* --- the run's memory ---------------------------------------------------------------------- */

static bool within(uint64_t addr, uint64_t size, uint64_t start, uint64_t bytes)
{
	return addr >= start && size <= bytes && addr - start <= bytes - size;
}

static bool in_externals(const void *cookie, uint64_t addr, uint64_t size, bool write)
{
	uint32_t i;

	for (i = 0; i < MAX_EXTERNALS; i++)
		if (within(addr, size, (uintptr_t)execution.external[i], EXTERNAL_BYTES))
			return true;
	return false;
}

/* What a kernel would get: it may touch all of each tensor's buffer. */
static void look(const struct pto_tensor *tensors, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		const struct pto_tensor *t = &tensors[i];

		if (pto_tensor_check(t))
			trial_fail("a task has got a tensor that is none");
		if (!within(t->addr, t->size, running.heap, running.heap_bytes) &&
		    !in_externals(NULL, t->addr, t->size, true))
			trial_fail("a task has got %llu bytes at 0x%llx, which are not the run's",
				   (unsigned long long)t->size, (unsigned long long)t->addr);
		running.tensors++;
	}
	if (running.moving && !mutate_below(&running.m, 4))
		mutate_one(&running.m, running.graph, running.bytes, NULL, 0);
}

/* --- graphs ---------------------------------------------------------------------------------- */

static void kernel_idle(int64_t *args)
{
}

static void entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	execute_program(rt, &execution);
}

static void make_kernels(void)
{
	uint32_t i, k;

	for (i = 0; i < PARTS; i++) {
		for (k = 0; k <= MAX_ARGS; k++) {
			makers[FUNC_ID(i, k)].fn = kernels[i][k];
			makers[FUNC_ID(i, k)].core_type = i ? PTO_CORE_AIV : PTO_CORE_AIC;
			idle[FUNC_ID(i, k)] = makers[FUNC_ID(i, k)];
			idle[FUNC_ID(i, k)].fn = kernel_idle;
		}
	}
}

static void bail_out(const char *what)
{
	ksft_exit_fail_msg("%s\n", what);
}

static void make_bases(struct hosted *host)
{
	uint64_t seed;
	uint32_t i;

	for (seed = 1, i = 0; i < BASES; seed++) {
		generate(&program, seed, KIND_HOST);
		execution_reset(&execution, &program);
		if (!hosted_build(host, entry, NULL))
			continue;	/* too large for these rings */
		bases[i].bytes = host->graph.size;
		bases[i].data = malloc(bases[i].bytes);
		if (!bases[i].data)
			bail_out("no memory");
		memcpy(bases[i].data, host->graph.data, bases[i].bytes);
		i++;
	}
}

/* The head, the first task and the last ones count as much as the rest. */
static void change(struct mutator *m, uint8_t *data, size_t bytes)
{
	struct region regions[3] = {
		{ 0, sizeof(struct pto_dev_graph) },
		{ sizeof(struct pto_dev_graph), sizeof(struct pto_dev_graph_task) },
		{ bytes - (bytes < 256 ? bytes : 256), bytes < 256 ? bytes : 256 },
	};

	mutate(m, data, bytes, regions, 3);
}

/**
 * struct place - where graphs are executed
 * @shuffle: the runtime without threads
 * @run: the run; its arena and its callable stay
 */
struct place {
	struct shuffle *shuffle;
	struct pto_engine_run run;
};

static const char *execute(struct place *place, uint8_t *graph, size_t bytes, uint64_t order)
{
	place->run.graph = graph;
	place->run.graph_size = bytes;
	place->run.epoch++;
	running.graph = graph;
	running.bytes = bytes;
	return shuffle_run(place->shuffle, &place->run, PTO_ARCH_A2A3, order);
}

/* Cut off in every eighth case; in every fourth, changed while it is read. */
static void try_case(const struct trials *trials, uint64_t number, struct place *place)
{
	struct mutator m = mutate_begin(trials->seed, number);
	const struct base *base = &bases[mutate_below(&m, BASES)];
	size_t bytes = base->bytes;
	uint8_t *graph;

	if (!mutate_below(&m, 8))
		bytes = mutate_below(&m, bytes) & ~7ULL;
	graph = guard_new(bytes, 8);
	memcpy(graph, base->data, bytes);
	running.moving = !mutate_below(&m, 4);
	if (bytes && !(running.moving && mutate_below(&m, 2)))
		change(&m, graph, bytes);
	trial_begin(trials, number);
	running.m = m;
	if (execute(place, graph, bytes, number))
		fatal++;
	else
		good++;
	guard_free(graph);
}

/* As they are they run to their end, and their tasks have tensors. */
static void try_bases(const struct trials *trials, struct place *place)
{
	const char *error;
	uint32_t i;

	for (i = 0; i < BASES; i++) {
		uint8_t *graph = guard_new(bases[i].bytes, 8);

		memcpy(graph, bases[i].data, bases[i].bytes);
		trial_begin(trials, i);
		error = execute(place, graph, bases[i].bytes, i);
		if (error)
			trial_fail("an unchanged graph fails: %s", error);
		guard_free(graph);
	}
	if (running.tensors < 100)
		trial_fail("tasks got %llu tensors", (unsigned long long)running.tensors);
}

static void set_up(struct place *place, struct hosted *host)
{
	static struct pto_engine_callable callable = {
		.kernels = idle, .kernel_count = KERNELS,
	};
	struct pto_dev_arena_plan plan;
	struct pto_arena *arena;

	make_kernels();
	execution_init(&execution);
	arena = arena_replace(NULL, &plan, rings_alike(WINDOW, 4 << 20, 16384));
	if (hosted_init(host, &plan, makers, KERNELS))
		bail_out("no memory for graphs");
	make_bases(host);
	running.heap = (uintptr_t)arena + arena->ring[0].heap;
	running.heap_bytes = arena->ring[0].heap_size;
	place->shuffle = shuffle_create();
	place->run = (struct pto_engine_run) {
		.callable = &callable, .arena = arena, .covers = in_externals,
	};
	shuffle_look = look;
}

int main(int argc, char **argv)
{
	struct trials trials = trials_parse(argc, argv, CASES);
	const char *where = getenv("PTO_SELFTEST");
	struct hosted host;
	struct place place;
	uint64_t i;

	ksft_print_header();
	if (where && !strcmp(where, "kernel"))
		ksft_exit_skip("what it tests calls no kernel\n");
	set_up(&place, &host);
	ksft_set_plan(trials.count < CASES ? 1 : 2);
	try_bases(&trials, &place);
	for (i = trials.first; i < trials.first + trials.count; i++)
		try_case(&trials, i, &place);
	ksft_test_result_pass("%llu graphs with changes did no harm\n",
			      (unsigned long long)trials.count);
	/* Some changes matter, some do not. */
	if (trials.count >= CASES)
		ksft_test_result(good > trials.count / 20 && fatal > trials.count / 20,
				 "%llu of them ran to their end, %llu did not\n",
				 (unsigned long long)good, (unsigned long long)fatal);
	ksft_finished();
}
