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
#include "kselftest_harness.h"

#define PROGRAMS	300
#define MUTATIONS	3000
#define KERNELS		(PARTS * (MAX_ARGS + 1))

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
	void *image;
	int i;

	if (self->arena) {
		munmap(self->arena, self->plan.arena_size);
		hosted_free(&self->host);
	}
	self->plan = (struct pto_dev_arena_plan){ .size = sizeof(self->plan) };
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		self->plan.task_window[i] = i ? 4 : window;
		self->plan.heap[i] = i ? 1024 : heap;
		self->plan.dep_pool[i] = i ? 4 : pool;
	}
	if (pto_arena_plan(&self->plan))
		abort();
	image = malloc(self->plan.image_size);
	pto_arena_build(&self->plan, image);
	self->arena = mmap(NULL, self->plan.arena_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pto_arena_bind(self->arena, self->plan.arena_size, image, self->plan.image_size) ||
	    hosted_init(&self->host, &self->plan, table, KERNELS))
		abort();
	free(image);
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
	for (i = 0; i < MAX_EXTERNALS; i++) {
		expected.external[i] = malloc(EXTERNAL_BYTES);
		actual.external[i] = malloc(EXTERNAL_BYTES);
	}
	self->callable.kernels = table;
	self->callable.kernel_count = KERNELS;
	self->run.callable = &self->callable;
	set_rings(self, 512, 32 << 20, 16384);
}

FIXTURE_TEARDOWN(graph)
{
	uint32_t i;

	pto_engine_destroy(self->engine);
	munmap(self->arena, self->plan.arena_size);
	hosted_free(&self->host);
	for (i = 0; i < MAX_EXTERNALS; i++) {
		free(expected.external[i]);
		free(actual.external[i]);
	}
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

/*
 * Elements can be accessed as long as no task of the graph does: keeps those that come
 * before all tasks, in memory from outside. The others become allocations of nothing.
 */
static void make_hostable(struct program *p)
{
	bool tasks = false;
	uint32_t i;

	for (i = 0; i < p->op_count; i++) {
		struct op *op = &p->op[i];

		tasks |= op->kind == OP_SUBMIT;
		if (op->kind != OP_GET && op->kind != OP_SET)
			continue;
		if (!tasks && op->arg[0].base < p->external_count)
			continue;
		op->kind = OP_ALLOC;
		op->arg_count = 0;
	}
}

static bool same(void)
{
	uint32_t i;

	for (i = 0; i < program.external_count; i++)
		if (memcmp(expected.external[i], actual.external[i], EXTERNAL_BYTES))
			return false;
	return expected.get_count == actual.get_count &&
	       !memcmp(expected.get, actual.get, expected.get_count * sizeof(expected.get[0]));
}

static void make_program(uint64_t seed)
{
	generate(&program, seed, MAX_OPS);
	make_hostable(&program);
	execution_reset(&expected, &program);
	oracle_execute(&expected);
	execution_reset(&actual, &program);
}

TEST_F(graph, random_programs_equal_serial_execution)
{
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
		ASSERT_TRUE(same()) {
			TH_LOG("seed %llu", (unsigned long long)seed);
		}
	}
}

/* --- hostile graphs ----------------------------------------------------------- */

static bool in_externals(const void *cookie, uint64_t addr, uint64_t size)
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
		make_program(seed % 50 + 1);
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
