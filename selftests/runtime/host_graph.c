// SPDX-License-Identifier: GPL-2.0
/*
 * Graphs that are built on the host: they compute what serial execution computes, what cannot
 * exist on the host is said clearly, and a graph that is not one does no harm.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hosted.h"
#include "program.h"
#include "harness.h"
#include "arena_fixture.h"

#define PROGRAMS	300
#define MUTATIONS	3000
#define KERNELS		PROGRAM_FUNCS

static struct pto_engine_kernel table[KERNELS];
static struct pto_engine_kernel idle[KERNELS];
static struct program program;
static struct execution expected, actual;

static void kernel_idle(int64_t *args)
{
}

FIXTURE(graph)
{
	struct pto_engine *engine;
	struct pto_dev_arena_plan plan;
	void *arena;
	struct hosted host;
	struct pto_engine_callable callable;
	struct pto_engine_run run;
	struct pto_dev_report report;
};

static void set_rings(FIXTURE_DATA(graph) *self, uint64_t window, uint64_t heap, uint64_t pool)
{
	struct pto_dev_arena_plan want = rings_alike(4, 1024, 4);

	want.task_window[0] = window;
	want.heap[0] = heap;
	want.dep_pool[0] = pool;
	if (self->arena)
		hosted_free(&self->host);
	self->arena = arena_replace(self->arena, &self->plan, want);
	if (hosted_init(&self->host, &self->plan, table, KERNELS))
		abort();
	self->run.arena = self->arena;
}

FIXTURE_SETUP(graph)
{
	struct pto_engine_config config = {
		.arch = PTO_ARCH_A2A3, .cluster_count = 24, .aicpu_threads = 4, .workers = 2,
		.default_timeout_ns = 20000000000ULL,
	};
	uint32_t i, k;

	ASSERT_EQ(0, pto_engine_create(&config, &self->engine));
	for (i = 0; i < PARTS; i++) {
		for (k = 0; k <= MAX_ARGS; k++) {
			table[FUNC_ID(i, k)].fn = kernels[i][k];
			table[FUNC_ID(i, k)].core_type = i ? PTO_CORE_AIV : PTO_CORE_AIC;
			idle[FUNC_ID(i, k)] = table[FUNC_ID(i, k)];
			idle[FUNC_ID(i, k)].fn = kernel_idle;
		}
	}
	execution_init(&expected);
	execution_init(&actual);
	self->callable.kernels = table;
	self->callable.kernel_count = KERNELS;
	self->run.callable = &self->callable;
	set_rings(self, 512, 32 << 20, 16384);
}

FIXTURE_TEARDOWN(graph)
{
	pto_engine_destroy(self->engine);
	munmap(self->arena, self->plan.arena_size);
	hosted_free(&self->host);
	execution_free(&expected);
	execution_free(&actual);
}

static void entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	execute_program(rt, &actual);
}

/* Return: status of executing the graph that was built last */
static uint32_t execute(FIXTURE_DATA(graph) *self)
{
	self->run.graph = self->host.graph.data;
	self->run.graph_size = self->host.graph.size;
	self->run.epoch++;
	return pto_engine_run(self->engine, &self->run, &self->report);
}

/* --- random programs ---------------------------------------------------------- */

static void make_program(uint64_t seed)
{
	generate(&program, seed, KIND_HOST);
	execution_reset(&expected, &program);
	oracle_execute(&expected);
	execution_reset(&actual, &program);
}

TEST_F(graph, random_programs_equal_serial_execution)
{
	char why[200];
	uint64_t seed;

	for (seed = 1; seed <= PROGRAMS; seed++) {
		make_program(seed);
		ASSERT_TRUE(hosted_build(&self->host, entry, NULL)) {
			TH_LOG("seed %llu: %s", (unsigned long long)seed, self->host.rt.fatal_text);
		}
		ASSERT_EQ(PTO_DEV_OK, execute(self)) {
			TH_LOG("seed %llu: %s", (unsigned long long)seed,
			       (char *)self->report.text);
		}
		ASSERT_TRUE(execution_same(&actual, &expected, why, sizeof(why))) {
			TH_LOG("seed %llu: %s", (unsigned long long)seed, why);
		}
	}
}

/* --- what random programs do not have ----------------------------------------- */

enum { FUNC_STORE, FUNC_MEET_AIC, FUNC_MEET_AIV, FUNC_COUNT };

#define BLOCKS 3

static uint32_t words[8];

/* Stores its scalar to the one element. */
static void kernel_store(int64_t *args)
{
	*(uint32_t *)pto_arg_data(args, 0) = (uint32_t)pto_arg_u64(args, 1);
}

/* Waits for all of its kind, AIC and AIV of every block. */
static void kernel_meet(int64_t *args)
{
	uint32_t *word = pto_arg_data(args, 0);

	pto_notify(args, word, 1);
	pto_wait_ge(args, word, 2 * BLOCKS);
}

static const struct pto_engine_kernel own_kernels[FUNC_COUNT] = {
	[FUNC_STORE] = { kernel_store, PTO_CORE_AIV },
	[FUNC_MEET_AIC] = { kernel_meet, PTO_CORE_AIC },
	[FUNC_MEET_AIV] = { kernel_meet, PTO_CORE_AIV },
};

static struct pto_tensor word(uint32_t i)
{
	uint32_t one = 1;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)&words[i], PTO_DTYPE_UINT32, 1, &one, 0, 0);
	return t;
}

static void store(struct pto_rt *rt, const struct pto_tensor *t, uint32_t value,
		  const struct pto_tensor *flag, int64_t wanted)
{
	struct pto_task_args args;
	uint32_t first = 0;

	pto_task_args_init(&args);
	pto_add_output_existing(&args, t);
	pto_add_scalar(&args, value);
	if (flag)
		pto_set_predicate(&args, flag, 1, &first, PTO_PREDICATE_EQ, wanted);
	pto_submit_aiv(rt, FUNC_STORE, &args);
}

/* The flags are set by tasks: one in memory from outside, one in the graph's own. */
static void predicates_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT32, 1);
	struct pto_tensor flag = word(0), yes = word(1), no = word(2), own = word(3);
	struct pto_task fill;

	pto_create_set_value(&info, 9);
	fill = pto_alloc_tensors(rt, &info, 1);
	store(rt, &flag, 7, NULL, 0);
	store(rt, &yes, 1, &flag, 7);
	store(rt, &no, 1, &flag, 8);
	store(rt, &own, 1, pto_task_output(&fill, 0), 9);
	store(rt, pto_task_output(&fill, 0), 10, NULL, 0);
	store(rt, &own, 2, pto_task_output(&fill, 0), 10);
}

static void cohort_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = word(0);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_set_block_num(&task, BLOCKS);
	pto_set_sync_start(&task, 1);
	pto_submit_mixed(rt, FUNC_MEET_AIC, FUNC_MEET_AIV, PTO_FUNC_NONE, &task);
}

/* Builds a graph, and executes it. Return: the engine's status */
static uint32_t build_and_run(struct __test_metadata *_metadata, FIXTURE_DATA(graph) *self,
			      pto_orch_entry_fn fn)
{
	memset(words, 0, sizeof(words));
	self->host.kernels = own_kernels;
	self->host.kernel_count = FUNC_COUNT;
	self->callable.kernels = own_kernels;
	self->callable.kernel_count = FUNC_COUNT;
	EXPECT_TRUE(hosted_build(&self->host, fn, NULL)) {
		TH_LOG("%s", self->host.rt.fatal_text);
	}
	return execute(self);
}

TEST_F(graph, predicates)
{
	ASSERT_EQ(PTO_DEV_OK, build_and_run(_metadata, self, predicates_entry)) {
		TH_LOG("%s", (char *)self->report.text);
	}
	EXPECT_EQ(7, words[0]);
	EXPECT_EQ(1, words[1]);
	EXPECT_EQ(0, words[2]);
	EXPECT_EQ(2, words[3]);
}

TEST_F(graph, cohorts)
{
	ASSERT_EQ(PTO_DEV_OK, build_and_run(_metadata, self, cohort_entry)) {
		TH_LOG("%s", (char *)self->report.text);
	}
	EXPECT_EQ(2 * BLOCKS, words[0]);
}

/* --- hostile graphs ----------------------------------------------------------- */

static void fill_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT64, 1);

	pto_create_set_value(&info, 3);
	pto_alloc_tensors(rt, &info, 1);
}

/* An initial value is for the graph's part of the heap, also if it is named by its address. */
TEST_F(graph, fills_the_heap_only)
{
	struct pto_arena *arena = self->run.arena;
	uint64_t heap = (uint64_t)(uintptr_t)arena + arena->ring[0].heap;
	struct pto_tensor t;
	uint8_t *at;

	ASSERT_TRUE(hosted_build(&self->host, fill_entry, NULL));
	at = self->host.graph.data + sizeof(struct pto_dev_graph) +
	     sizeof(struct pto_dev_graph_task);
	memcpy(&t, at, sizeof(t));
	ASSERT_EQ(PTO_DEV_GRAPH_HEAP, t.addr);
	t.addr = heap;
	t.owner_task = PTO_NO_TASK;
	memcpy(at, &t, sizeof(t));
	ASSERT_EQ(PTO_DEV_OK, execute(self));
	EXPECT_EQ(3, *(uint64_t *)(uintptr_t)heap);
	memset((void *)(uintptr_t)heap, 0, 8192);
	t.size = 8192;
	memcpy(at, &t, sizeof(t));
	EXPECT_EQ(PTO_DEV_PROGRAM, execute(self));
	EXPECT_NE(NULL, strstr((char *)self->report.text, "no output that can be filled")) {
		TH_LOG("%s", (char *)self->report.text);
	}
	EXPECT_EQ(0, *(uint64_t *)(uintptr_t)heap);
}

static bool in_externals(const void *cookie, uint64_t addr, uint64_t size, bool write)
{
	uint32_t i;

	for (i = 0; i < program.external_count; i++) {
		uint64_t start = (uintptr_t)actual.external[i];

		if (addr >= start && size <= EXTERNAL_BYTES &&
		    addr - start <= EXTERNAL_BYTES - size)
			return true;
	}
	return false;
}

/* Bits and words of a good graph are changed at random; kernels that touch nothing run. */
TEST_F(graph, mutations_do_no_harm)
{
	uint64_t rng = 1, good = 0, seed;
	struct pto_graph *g = &self->host.graph;
	uint32_t i, n;

	self->callable.kernels = idle;
	self->run.covers = in_externals;
	for (seed = 1; seed <= MUTATIONS; seed++) {
		generate(&program, seed % 50 + 1, KIND_HOST);
		execution_reset(&actual, &program);
		ASSERT_TRUE(hosted_build(&self->host, entry, NULL));
		rng = mix(seed);
		n = 1 + rng % 4;
		for (i = 0; i < n; i++) {
			uint64_t at = mix(rng + i) % (g->size / 4) * 4;

			rng = mix(rng);
			if (rng % 3)
				g->data[at + rng % 4] ^= 1 << (rng >> 8) % 8;
			else
				memcpy(g->data + at, &rng, 4);
		}
		if (rng % 16 == 0)
			g->size = mix(rng) % (g->size + 1);
		n = execute(self);
		ASSERT_TRUE(n == PTO_DEV_OK || n == PTO_DEV_PROGRAM) {
			TH_LOG("seed %llu: status %u: %s", (unsigned long long)seed, n,
			       (char *)self->report.text);
		}
		good += n == PTO_DEV_OK;
	}
	/* Both happen: some changes matter, some do not. */
	EXPECT_LT(good, MUTATIONS - MUTATIONS / 4);
	EXPECT_GT(good, 0);
}

TEST_HARNESS_MAIN
