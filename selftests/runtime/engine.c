// SPDX-License-Identifier: GPL-2.0
/*
 * The engine: what fails, how it says so, and that the next run is as good as the first.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <pto/kernel.h>
#include <libpto/runtime/runtime.h>
#include <sim/device/engine.h>

#include "harness.h"
#include "arena_fixture.h"

#define SECOND 1000000000ULL

enum { FUNC_NOOP, FUNC_HANG, FUNC_SUM, FUNC_READ, FUNC_MISSING, FUNC_AIC, FUNC_COUNT };

static _Atomic int hang;
static _Atomic int entered;

static void kernel_noop(int64_t *args)
{
}

static void kernel_hang(int64_t *args)
{
	entered = 1;
	while (hang)
		sched_yield();
}

/* Adds 1 + the block's index to the one element. */
static void kernel_sum(int64_t *args)
{
	__atomic_fetch_add((uint32_t *)pto_arg_data(args, 0), 1 + pto_block_idx(args),
			   __ATOMIC_RELAXED);
}

static _Atomic int wrong;

/* The one element must be what the scalar says, for a while. */
static void kernel_read(int64_t *args)
{
	volatile uint32_t *element = pto_arg_data(args, 0);

	for (int i = 0; i < 20; i++) {
		if (*element != pto_arg_u64(args, 1))
			wrong++;
		sched_yield();
	}
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_NOOP] = { kernel_noop, PTO_CORE_AIV },
	[FUNC_HANG] = { kernel_hang, PTO_CORE_AIV },
	[FUNC_SUM] = { kernel_sum, PTO_CORE_AIV },
	[FUNC_READ] = { kernel_read, PTO_CORE_AIV },
	[FUNC_AIC] = { kernel_noop, PTO_CORE_AIC },
};

static uint32_t buffer[16];

static struct pto_tensor external(void)
{
	uint32_t shape = 16;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)buffer, PTO_DTYPE_UINT32, 1, &shape, 0, 0);
	return t;
}

FIXTURE(engine)
{
	struct pto_engine *engine;
	struct pto_dev_arena_plan plan;
	void *arena;
	struct pto_engine_callable callable;
	struct pto_engine_run run;
	struct pto_dev_report report;
};

static void set_rings(FIXTURE_DATA(engine) *self, uint64_t window, uint64_t heap, uint64_t pool)
{
	self->arena = arena_replace(self->arena, &self->plan, rings_alike(window, heap, pool));
	self->run.arena = self->arena;
}

FIXTURE_SETUP(engine)
{
	struct pto_engine_config config = {
		.arch = PTO_ARCH_A5, .cluster_count = 36, .aicpu_threads = 5, .workers = 2,
		.default_timeout_ns = 10 * SECOND,
	};

	ASSERT_EQ(0, pto_engine_create(&config, &self->engine));
	self->callable.kernels = kernels;
	self->callable.kernel_count = FUNC_COUNT;
	self->run.callable = &self->callable;
	set_rings(self, 1024, 1 << 20, 1024);
}

FIXTURE_TEARDOWN(engine)
{
	bool lost = pto_engine_lost(self->engine);

	hang = 0;
	pto_engine_destroy(self->engine);
	if (!lost)
		munmap(self->arena, self->plan.arena_size);
}

static uint32_t run(FIXTURE_DATA(engine) *self, pto_orch_entry_fn entry)
{
	self->callable.entry = entry;
	self->run.epoch++;
	memset(&self->report, 0, sizeof(self->report));
	return pto_engine_run(self->engine, &self->run, &self->report);
}

static void entry_empty(struct pto_rt *rt, const struct pto_orch_args *args)
{
}

/* What handing over costs is measured, or said to be assumed; the other costs are made of it. */
TEST_F(engine, costs)
{
	struct pto_dev_costs costs, later;

	pto_engine_costs(self->engine, &costs);
	TH_LOG("a hand-over takes %u ns; %u were measured", costs.hand_over_ns, costs.hand_overs);
	EXPECT_LT(0, costs.hand_over_ns);
	if (!costs.hand_overs)
		EXPECT_EQ(PTO_HAND_OVER_NS, costs.hand_over_ns);
	EXPECT_LT(0, costs.tensor_ns);
	EXPECT_LE(costs.tensor_ns, costs.hand_over_ns);
	EXPECT_LT(costs.hand_over_ns, costs.catch_up_ns);
	/* 2 workers, a hundred hand-overs each */
	EXPECT_LT(2 * 100 * costs.hand_over_ns, costs.max_debt_ns);
	/* Runs measure nothing. */
	EXPECT_EQ(PTO_DEV_OK, run(self, entry_empty));
	pto_engine_costs(self->engine, &later);
	EXPECT_EQ(0, memcmp(&costs, &later, sizeof(costs)));
}

/* --- fatal codes (seed runtime, acceptance case runtime_fatal_codes) ----- */

static struct pto_task dummy(struct pto_rt *rt, uint32_t elements)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_INT32, elements);
	struct pto_task_args args;

	pto_task_args_init(&args);
	pto_add_output(&args, &info);
	return pto_submit_dummy(rt, &args);
}

static void entry_scope_deadlock(struct pto_rt *rt, const struct pto_orch_args *args)
{
	PTO_SCOPE(rt)
		for (int i = 0; i < 8; i++)
			dummy(rt, 1);
}

static void entry_large_output(struct pto_rt *rt, const struct pto_orch_args *args)
{
	dummy(rt, 8192);
}

static void entry_held_heap(struct pto_rt *rt, const struct pto_orch_args *args)
{
	dummy(rt, 256);
	dummy(rt, 256);
}

static void nest(struct pto_rt *rt, int depth)
{
	if (depth == 8)
		return;
	PTO_SCOPE(rt) {
		for (int i = 0; i < 3; i++)
			dummy(rt, 1);
		nest(rt, depth + 1);
	}
}

static void entry_nested_scopes(struct pto_rt *rt, const struct pto_orch_args *args)
{
	nest(rt, 0);
}

static void entry_many_deps(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args consumer;
	uint64_t ids[128];

	PTO_SCOPE(rt) {
		for (int i = 0; i < 128; i++)
			ids[i] = dummy(rt, 1).id;
		pto_task_args_init(&consumer);
		pto_set_dependencies(&consumer, ids, 128);
		pto_submit_dummy(rt, &consumer);
	}
}

static void entry_null_deps(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_set_dependencies(&task, NULL, 4);
	pto_submit_dummy(rt, &task);
}

static int after_fatal;

static void entry_explicit(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_INT32, 4);
	struct pto_task task = pto_alloc_tensors(rt, &info, 1);
	struct pto_tensor t = *pto_task_output(&task, 0);

	pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "case %d", 7);
	pto_report_fatal(rt, PTO_FATAL_INVALID_ARGS, "not this one");
	task = pto_alloc_tensors(rt, &info, 1);
	PTO_SCOPE(rt)
		dummy(rt, 1);
	pto_set_i32(rt, &t, 0, 1);
	after_fatal = pto_is_fatal(rt) && task.id == PTO_NO_TASK && pto_get_i32(rt, &t, 0) == 0 &&
		      pto_task_output(&task, 0)->ndims == 0;
}

/* A cluster is taken by each block that has an AIC part or two parts, else an AIV core. */
static void submit_wide(struct pto_rt *rt, int32_t aic, int32_t aiv0, int32_t aiv1, uint32_t blocks)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_set_block_num(&task, blocks);
	pto_set_sync_start(&task, 1);
	pto_submit_mixed(rt, aic, aiv0, aiv1, &task);
}

static void entry_wide_aiv(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_wide(rt, PTO_FUNC_NONE, PTO_FUNC_NONE, FUNC_NOOP, 72);
	submit_wide(rt, PTO_FUNC_NONE, FUNC_NOOP, PTO_FUNC_NONE, 73);
}

static void entry_wide_aic(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_wide(rt, FUNC_AIC, PTO_FUNC_NONE, PTO_FUNC_NONE, 36);
	submit_wide(rt, FUNC_AIC, PTO_FUNC_NONE, PTO_FUNC_NONE, 37);
}

static void entry_wide_mixed(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_wide(rt, PTO_FUNC_NONE, FUNC_NOOP, FUNC_NOOP, 36);
	submit_wide(rt, PTO_FUNC_NONE, FUNC_NOOP, FUNC_NOOP, 37);
}

TEST_F(engine, fatal_codes)
{
	static const struct {
		uint32_t code;
		uint64_t window, heap, pool;
		pto_orch_entry_fn entry;
		const char *text;
	} cases[] = {
		{ 1, 4, 65536, 16, entry_scope_deadlock, "ring 1: one scope holds 3 tasks" },
		{ 2, 64, 1024, 16, entry_large_output, "ring 0: outputs of 32768 bytes" },
		{ 2, 64, 1024, 16, entry_held_heap, "ring 0: its heap has no room" },
		{ 3, 4, 65536, 16, entry_nested_scopes, "ring 3: its window is full" },
		{ 4, 256, 1 << 20, 4, entry_many_deps, "ring 1: a task with 68 " },
		{ 5, 64, 65536, 16, entry_null_deps, "submit: a list of dependencies" },
		{ 7, 64, 65536, 16, entry_wide_aiv,
		  "submit: 73 blocks shall start together, each on an "
		  "AIV core, and there are 72" },
		{ 7, 64, 65536, 16, entry_wide_aic,
		  "submit: 37 blocks shall start together, each on a "
		  "cluster, and there are 36" },
		{ 7, 64, 65536, 16, entry_wide_mixed, "submit: 37 " },
		{ 9, 64, 65536, 16, entry_explicit, "case 7; ring 0: 1/64 tasks, 1/64 KiB" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_rings(self, cases[i].window, cases[i].heap, cases[i].pool);
		ASSERT_EQ(PTO_DEV_PROGRAM, run(self, cases[i].entry));
		EXPECT_EQ(cases[i].code, self->report.code);
		EXPECT_EQ(0, strncmp((char *)self->report.text, cases[i].text,
				     strlen(cases[i].text))) {
			TH_LOG("%s", self->report.text);
		}
		EXPECT_EQ(PTO_DEV_OK, run(self, entry_empty));
		if (cases[i].code != 4)
			continue;
		set_rings(self, 256, 1 << 20, 64);
		EXPECT_EQ(PTO_DEV_OK, run(self, cases[i].entry));
	}
	EXPECT_EQ(1, after_fatal);
}

/* --- misuse -------------------------------------------------------------- */

static void entry_auto_in_manual(struct pto_rt *rt, const struct pto_orch_args *args)
{
	PTO_MANUAL_SCOPE(rt) PTO_SCOPE(rt) dummy(rt, 1);
}

static void entry_open_scope(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_scope_begin(rt, PTO_SCOPE_AUTO);
}

static void entry_unbegun_scope(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_scope_end(rt);
}

static void entry_escaped(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;
	struct pto_tensor t = { 0 };

	PTO_SCOPE(rt) {
		struct pto_task inner = dummy(rt, 4);

		t = *pto_task_output(&inner, 0);
	}
	pto_task_args_init(&task);
	pto_add_input(&task, &t);
	pto_submit_dummy(rt, &task);
}

static void submit_one(struct pto_rt *rt, int32_t aic, int32_t aiv)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_submit_mixed(rt, aic, aiv, PTO_FUNC_NONE, &task);
}

static void entry_no_kernel(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_one(rt, PTO_FUNC_NONE, FUNC_MISSING);
}

static void entry_wrong_core(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_one(rt, PTO_FUNC_NONE, FUNC_AIC);
}

static void entry_bad_index(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();

	pto_get_u32(rt, &t, 16);
}

static void entry_bad_size(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();

	pto_get_u64(rt, &t, 0);
}

static void entry_scalar_first(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_scalar(&task, 1);
	pto_add_input(&task, &t);
	pto_submit_aiv(rt, FUNC_NOOP, &task);
}

static void entry_future_dep(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_dep(&task, dummy(rt, 1).id + 1);
	pto_submit_aiv(rt, FUNC_NOOP, &task);
}

static void submit_if(struct pto_rt *rt, uint8_t dtype, uint32_t index, uint32_t op, int64_t value)
{
	struct pto_tensor t = external();
	struct pto_task_args task;

	t.dtype = dtype;
	pto_task_args_init(&task);
	pto_set_predicate(&task, &t, 1, &index, op, value);
	pto_submit_aiv(rt, FUNC_NOOP, &task);
}

static void entry_predicate_null(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;
	uint32_t index = 0;

	pto_task_args_init(&task);
	pto_set_predicate(&task, NULL, 1, &index, PTO_PREDICATE_EQ, 0);
	pto_submit_aiv(rt, FUNC_NOOP, &task);
}

static void entry_predicate_op(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_if(rt, PTO_DTYPE_UINT32, 0, PTO_PREDICATE_GE + 1, 0);
}

static void entry_predicate_float(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_if(rt, PTO_DTYPE_FLOAT32, 0, PTO_PREDICATE_EQ, 0);
}

static void entry_predicate_value(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_if(rt, PTO_DTYPE_UINT32, 0, PTO_PREDICATE_EQ, -1);
}

static void entry_predicate_index(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_if(rt, PTO_DTYPE_UINT32, 16, PTO_PREDICATE_EQ, 0);
}

TEST_F(engine, misuse)
{
	static const pto_orch_entry_fn entries[] = {
		entry_auto_in_manual, entry_open_scope, entry_unbegun_scope, entry_escaped,
		entry_no_kernel, entry_wrong_core, entry_bad_index, entry_bad_size,
		entry_scalar_first, entry_future_dep, entry_predicate_null, entry_predicate_op,
		entry_predicate_float, entry_predicate_value, entry_predicate_index,
	};
	size_t i;

	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		ASSERT_EQ(PTO_DEV_PROGRAM, run(self, entries[i])) {
			TH_LOG("case %zu", i);
		}
		EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->report.code);
		EXPECT_EQ(PTO_DEV_OK, run(self, entry_empty));
	}
}

static struct pto_orch_config config_two(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 2 };

	return config;
}

TEST_F(engine, arguments)
{
	struct {
		struct pto_run_args head;
		struct pto_tensor tensor;
		uint64_t scalar;
	} args = { .head = { .tensor_count = 1, .scalar_count = 1 }, .tensor = external() };

	self->callable.config = config_two;
	EXPECT_EQ(PTO_DEV_INVALID, run(self, entry_empty));
	EXPECT_NE(NULL, strstr((char *)self->report.text, "expects 2 arguments"));
	self->run.args = &args.head;
	EXPECT_EQ(PTO_DEV_OK, run(self, entry_empty));
	args.tensor.owner_task = 5;
	EXPECT_EQ(PTO_DEV_INVALID, run(self, entry_empty));
	self->run.arena = NULL;
	EXPECT_EQ(PTO_DEV_INVALID, run(self, entry_empty));
}

/* --- work ---------------------------------------------------------------- */

static uint32_t seen;

/* What an object of today knows of the arguments, and one compiled when there was less. */
static void entry_old_object(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();
	struct pto_task_args task;

	buffer[0] = 0;
	pto_task_args_init(&task);
	task.size = PTO_TASK_ARGS_MIN_SIZE;
	pto_add_inout(&task, &t);
	pto_submit_aiv(rt, FUNC_SUM, &task);
	seen = pto_get_u32(rt, &t, 0);
	task.flags |= PTO_TASK_PREDICATE;
	pto_submit_aiv(rt, FUNC_SUM, &task);
}

TEST_F(engine, old_object)
{
	ASSERT_EQ(PTO_DEV_PROGRAM, run(self, entry_old_object));
	EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->report.code);
	EXPECT_EQ(1, seen);
}

static void entry_blocks(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();
	struct pto_task_args task;

	buffer[0] = 0;
	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_set_block_num(&task, 100);
	pto_submit_mixed(rt, PTO_FUNC_NONE, FUNC_SUM, FUNC_SUM, &task);
	seen = pto_get_u32(rt, &t, 0);
}

TEST_F(engine, blocks)
{
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_blocks));
	EXPECT_EQ(2 * 5050, seen);
}

static void entry_many(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();
	struct pto_task_args task;

	for (int i = 0; i < 100000; i++) {
		PTO_SCOPE(rt) {
			pto_task_args_init(&task);
			pto_add_inout(&task, &t);
			pto_submit_aiv(rt, FUNC_SUM, &task);
		}
	}
}

TEST_F(engine, small_window)
{
	set_rings(self, 4, 1024, 4);
	buffer[0] = 0;
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_many));
	EXPECT_EQ(100000, buffer[0]);
}

/* More accesses in one scope than the tensor map has entries, of tasks that are kept. */
static void entry_many_regions(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor views[PTO_TASK_MAX_TENSORS];
	static uint8_t bytes[PTO_TASK_MAX_TENSORS];
	struct pto_task_args task;
	uint32_t one = 1;

	for (int i = 0; i < 250; i++) {
		pto_task_args_init(&task);
		for (int k = 0; k < PTO_TASK_MAX_TENSORS; k++) {
			pto_external(&views[k], (uintptr_t)&bytes[k], PTO_DTYPE_UINT8, 1, &one, 0,
				     0);
			pto_add_input(&task, &views[k]);
		}
		pto_submit_aiv(rt, FUNC_NOOP, &task);
	}
	submit_one(rt, PTO_FUNC_NONE, FUNC_NOOP);
}

TEST_F(engine, many_regions)
{
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_blocks));
	set_rings(self, 256, 1 << 20, 16);
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_many));
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_many_regions));
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_many_regions));
}

/* Each consumer takes most of the pool, which the one before must have given back. */
static void entry_pool(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();
	struct pto_task_args task;
	uint64_t ids[100];

	for (int i = 0; i < 50; i++) {
		PTO_SCOPE(rt) {
			for (int k = 0; k < 100; k++) {
				pto_task_args_init(&task);
				ids[k] = pto_submit_aiv(rt, FUNC_NOOP, &task).id;
			}
			pto_task_args_init(&task);
			pto_add_inout(&task, &t);
			pto_set_dependencies(&task, ids, 100);
			pto_submit_aiv(rt, FUNC_SUM, &task);
		}
	}
}

TEST_F(engine, pool_pressure)
{
	set_rings(self, 1024, 1 << 20, 40);
	buffer[0] = 0;
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_pool));
	EXPECT_EQ(50, buffer[0]);
}

/* Writers after many unfinished readers: their edges take turns in a small pool. */
static void entry_readers(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = external();
	struct pto_task_args task;

	for (uint32_t i = 0; i < 20; i++) {
		PTO_SCOPE(rt) {
			for (int k = 0; k < 100; k++) {
				pto_task_args_init(&task);
				pto_add_input(&task, &t);
				pto_add_scalar(&task, i);
				pto_submit_aiv(rt, FUNC_READ, &task);
			}
			pto_task_args_init(&task);
			pto_add_inout(&task, &t);
			pto_submit_aiv(rt, FUNC_SUM, &task);
		}
	}
}

TEST_F(engine, writer_after_readers)
{
	set_rings(self, 1024, 1 << 20, 40);
	buffer[0] = 0;
	wrong = 0;
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_readers));
	EXPECT_EQ(20, buffer[0]);
	EXPECT_EQ(0, atomic_load(&wrong));
}

static void entry_machine(struct pto_rt *rt, const struct pto_orch_args *args)
{
	seen = pto_available_clusters(rt) * 10000 + pto_available_aic(rt) * 100 +
	       pto_available_aiv(rt);
}

TEST_F(engine, machine)
{
	ASSERT_EQ(PTO_DEV_OK, run(self, entry_machine));
	EXPECT_EQ(36 * 10000 + 36 * 100 + 72, seen);
}

/* --- ends that come from outside ----------------------------------------- */

/* Two tasks, so that a worker is woken; the orchestrator runs none while it waits for room. */
static void entry_hang(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_one(rt, PTO_FUNC_NONE, FUNC_HANG);
	submit_one(rt, PTO_FUNC_NONE, FUNC_NOOP);
	while (!entered || !pto_is_fatal(rt))
		sched_yield();
}

static void *abort_later(void *arg)
{
	while (!entered)
		sched_yield();
	pto_engine_abort(arg);
	hang = 0;
	return NULL;
}

TEST_F(engine, abort)
{
	pthread_t thread;

	hang = 1;
	entered = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, abort_later, self->engine));
	EXPECT_EQ(PTO_DEV_ABORTED, run(self, entry_hang));
	pthread_join(thread, NULL);
	EXPECT_EQ(PTO_DEV_OK, run(self, entry_blocks));
	EXPECT_EQ(2 * 5050, seen);
}

static void entry_stall(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_one(rt, PTO_FUNC_NONE, FUNC_HANG);
	submit_one(rt, PTO_FUNC_NONE, FUNC_NOOP);
	while (!entered)
		sched_yield();
}

/* The kernel does not end, and is left; what it waits for comes too late. */
TEST_F(engine, timeout)
{
	hang = 1;
	entered = 0;
	/* The bound grows until a busy machine has begun the kernel within it. */
	self->run.timeout_ns = SECOND / 20;
	while (run(self, entry_stall) == PTO_DEV_TIMEOUT && self->report.subcode != 1 &&
	       self->run.timeout_ns < 60 * SECOND)
		self->run.timeout_ns *= 2;
	EXPECT_EQ(PTO_FATAL_SCHEDULER_TIMEOUT, self->report.code);
	EXPECT_EQ(1, self->report.subcode);
	EXPECT_EQ(FUNC_HANG, self->report.func_id);
	EXPECT_FALSE(pto_engine_lost(self->engine));
	self->run.timeout_ns = 0;
	EXPECT_EQ(PTO_DEV_OK, run(self, entry_blocks));
	EXPECT_EQ(2 * 5050, seen);
}

TEST_HARNESS_MAIN
