// SPDX-License-Identifier: GPL-2.0
/*
 * The orchestrator's half of the runtime by itself: rings, scopes, dependencies and the tensor
 * map, in one thread. Tasks complete when the test says so, and the clock is the test's,
 * so that nothing here depends on time.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libpto/runtime/runtime.h>

#include "harness.h"
#include "arena_fixture.h"

#define MS		1000000ULL
#define FUNC		3
#define ELEMENTS	4096

FIXTURE(orchestrator)
{
	struct pto_runtime rt;		/* first: the environment finds the rest by it */
	struct pto_sched sched;
	struct pto_queue queue;
	struct pto_dev_arena_plan plan;
	uint8_t *arena;
	uint64_t now;
	uint64_t waits;
	uint64_t busy_until;		/* a kernel runs as long as the clock shows less */
	uint64_t step;			/* ns that a wait takes, 0: 100 ms */
	bool runs;			/* waiting executes tasks */
	uint64_t executed;
	uint64_t last;			/* scalar of the latest task that was executed */
	bool ordered;			/* so far in the order of the scalars */
};

static uint32_t memory[ELEMENTS];

static FIXTURE_DATA(orchestrator) *self_of(struct pto_runtime *rt)
{
	return (FIXTURE_DATA(orchestrator) *)rt;
}

/* --- the environment ----------------------------------------------------- */

static void execute(FIXTURE_DATA(orchestrator) *self, struct pto_slot *slot)
{
	while (slot) {
		if (slot->scalar_count) {
			self->ordered &= slot->scalars[0] >= self->last;
			self->last = slot->scalars[0];
		}
		self->executed++;
		slot = pto_sched_complete(&self->sched, 0, slot);
	}
}

/* Executes what is ready, at most @count times. */
static uint64_t execute_some(FIXTURE_DATA(orchestrator) *self, uint64_t count)
{
	uint64_t before = self->executed;
	struct pto_slot *slot;

	while (count-- && (slot = pto_sched_take(&self->sched, 0)))
		execute(self, slot);
	return self->executed - before;
}

static int env_kernel_type(struct pto_runtime *rt, uint32_t func_id)
{
	return func_id == FUNC ? PTO_CORE_AIV : -1;
}

static void env_ready(struct pto_runtime *rt)
{
}

static void env_wait(struct pto_runtime *rt)
{
	FIXTURE_DATA(orchestrator) *self = self_of(rt);

	self->waits++;
	self->now += self->step ? self->step : 100 * MS;
	if (self->runs)
		execute_some(self, 1);
}

static FIXTURE_DATA(orchestrator) *clock_of;

static uint64_t env_now(void)
{
	return clock_of->now;
}

static bool env_busy(struct pto_runtime *rt)
{
	return self_of(rt)->now < self_of(rt)->busy_until;
}

static uint32_t late_error;	/* what another thread is about to report, 0: nothing */

static void env_pause(void)
{
	atomic_store_explicit(&clock_of->rt.fatal, late_error, memory_order_release);
}

static void env_log(struct pto_runtime *rt, uint32_t level, const char *text)
{
}

static const struct pto_rt_env env = {
	.kernel_type = env_kernel_type,
	.ready = env_ready,
	.wait = env_wait,
	.busy = env_busy,
	.now = env_now,
	.pause = env_pause,
	.format = vsnprintf,
	.log = env_log,
};

/* --- setup --------------------------------------------------------------- */

static void start(FIXTURE_DATA(orchestrator) *self)
{
	static uint32_t epoch;

	/* What an error has left unfinished is nobody's: begin with empty queues. */
	memset(&self->queue, 0, sizeof(self->queue));
	pto_sched_init(&self->sched, &self->queue, 1, UINT32_MAX);
	pto_runtime_init(&self->rt, &env, &self->sched, PTO_ARCH_A2A3, 24);
	pto_runtime_start(&self->rt, self->arena, ++epoch);
	self->now = 1;
	self->waits = 0;
	self->busy_until = 0;
	self->runs = true;
	self->executed = 0;
	self->last = 0;
	self->ordered = true;
}

static void set_rings(FIXTURE_DATA(orchestrator) *self, uint64_t window, uint64_t heap,
		      uint64_t pool)
{
	self->arena = arena_replace(self->arena, &self->plan, rings_alike(window, heap, pool));
	start(self);
}

FIXTURE_SETUP(orchestrator)
{
	clock_of = self;
	set_rings(self, 64, 64 << 10, 64);
}

FIXTURE_TEARDOWN(orchestrator)
{
	munmap(self->arena, self->plan.arena_size);
}

/* --- tasks --------------------------------------------------------------- */

static struct pto_tensor region(uint32_t begin, uint32_t count)
{
	uint32_t all = ELEMENTS;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)memory, PTO_DTYPE_UINT32, 1, &all, 0, 0);
	pto_tensor_view(&t, &count, &begin, &t);
	return t;
}

static struct pto_task submit(FIXTURE_DATA(orchestrator) *self, struct pto_task_args *args,
			      uint64_t number)
{
	pto_add_scalar(args, number);
	return pto_submit_aiv(&self->rt.rt, FUNC, args);
}

static struct pto_task plain(FIXTURE_DATA(orchestrator) *self, uint64_t number)
{
	struct pto_task_args args;

	pto_task_args_init(&args);
	return submit(self, &args, number);
}

static struct pto_task output(FIXTURE_DATA(orchestrator) *self, uint32_t bytes)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT8, bytes);
	struct pto_task_args args;

	pto_task_args_init(&args);
	pto_add_output(&args, &info);
	return submit(self, &args, 0);
}

static struct pto_task access_region(FIXTURE_DATA(orchestrator) *self, uint32_t begin,
				     uint32_t count, uint8_t type, uint64_t number)
{
	struct pto_tensor t = region(begin, count);
	struct pto_task_args args;

	pto_task_args_init(&args);
	pto_add_tensor_(&args, &t, type);
	return submit(self, &args, number);
}

static uint32_t fatal(FIXTURE_DATA(orchestrator) *self)
{
	return pto_rt_fatal_code(&self->rt);
}

static bool says(FIXTURE_DATA(orchestrator) *self, const char *text)
{
	return strstr(self->rt.fatal_text, text);
}

/* --- waiting ------------------------------------------------------------- */

/* Tasks whose scope has ended, and that do not complete. */
static void fill_ring(FIXTURE_DATA(orchestrator) *self, uint32_t count, uint32_t bytes)
{
	while (count--) {
		PTO_SCOPE(&self->rt.rt) {
			if (bytes)
				output(self, bytes);
			else
				plain(self, 0);
		}
	}
}

TEST_F(orchestrator, slots_wait_for_completion)
{
	fill_ring(self, 10000, 0);
	EXPECT_EQ(0, fatal(self));
	EXPECT_LT(0, self->waits);
}

TEST_F(orchestrator, slots_backstop)
{
	self->runs = false;
	self->step = MS;
	fill_ring(self, 63, 0);
	EXPECT_EQ(0, fatal(self));
	EXPECT_EQ(0, self->waits);
	fill_ring(self, 1, 0);
	EXPECT_EQ(PTO_FATAL_FLOW_CONTROL_DEADLOCK, fatal(self));
	EXPECT_TRUE(says(self, "ring 1: its window is full (one slot stays free), "
				"the oldest task does not complete"));
	EXPECT_LE(500 * MS, self->now);
	EXPECT_GE(800 * MS, self->now);
}

/* A machine that stands still at each step gives nobody time to complete anything. */
TEST_F(orchestrator, backstop_where_time_is_lost)
{
	self->runs = false;
	self->step = 3600000 * MS;
	fill_ring(self, 64, 0);
	EXPECT_EQ(PTO_FATAL_FLOW_CONTROL_DEADLOCK, fatal(self));
	EXPECT_LE(50, self->waits);
	EXPECT_GE(100, self->waits);
}

TEST_F(orchestrator, heap_backstop)
{
	self->runs = false;
	fill_ring(self, 1, 32 << 10);
	fill_ring(self, 1, 33 << 10);
	EXPECT_EQ(PTO_FATAL_HEAP_RING_DEADLOCK, fatal(self));
	EXPECT_TRUE(says(self, "its heap has no room for 33792 bytes, "
				"the oldest task does not complete"));
	EXPECT_TRUE(says(self, "does not complete"));
}

/* As long as a kernel runs there is progress to hope for; its own bound is not this one. */
TEST_F(orchestrator, backstop_spares_kernels)
{
	self->runs = false;
	self->busy_until = 3600000 * MS;
	fill_ring(self, 64, 0);
	EXPECT_EQ(PTO_FATAL_FLOW_CONTROL_DEADLOCK, fatal(self));
	EXPECT_LE(3600000 * MS, self->now);
}

TEST_F(orchestrator, retained_backstop)
{
	struct pto_task_args args;
	struct pto_task producer;

	PTO_SCOPE(&self->rt.rt)
		producer = output(self, 1);
	execute_some(self, 1);
	self->runs = false;
	/* In another ring, so that only the producer's slot is in the way there. */
	pto_task_args_init(&args);
	pto_add_dep(&args, producer.id);
	pto_add_dep(&args, plain(self, 0).id);
	submit(self, &args, 0);
	fill_ring(self, 63, 0);
	EXPECT_EQ(PTO_FATAL_FLOW_CONTROL_DEADLOCK, fatal(self));
	EXPECT_TRUE(says(self, "is retained by tasks that do not complete"));
}

/* The proof needs no time: the clock does not move, and nobody waits. */
TEST_F(orchestrator, deadlock_at_once)
{
	set_rings(self, 4, 4096, 4);
	self->runs = false;
	plain(self, 0);
	plain(self, 0);
	PTO_SCOPE(&self->rt.rt) PTO_SCOPE(&self->rt.rt) PTO_SCOPE(&self->rt.rt) {
		output(self, 1);
		PTO_SCOPE(&self->rt.rt) {
			plain(self, 0);
			plain(self, 0);
			plain(self, 0);
		}
	}
	EXPECT_EQ(PTO_FATAL_FLOW_CONTROL_DEADLOCK, fatal(self));
	EXPECT_TRUE(says(self, "ring 3: its window is full (one slot stays free), "
				"the oldest task is held by an open scope"));
	EXPECT_EQ(0, self->waits);
	start(self);
	self->runs = false;
	output(self, 4096);
	output(self, 1);
	EXPECT_EQ(PTO_FATAL_HEAP_RING_DEADLOCK, fatal(self));
	EXPECT_EQ(0, self->waits);
	start(self);
	self->runs = false;
	output(self, 1);
	output(self, 1);
	output(self, 1);
	EXPECT_EQ(0, fatal(self));
	output(self, 1);
	EXPECT_EQ(PTO_FATAL_SCOPE_DEADLOCK, fatal(self));
	EXPECT_EQ(0, self->waits);
}

/* What a scope does not hold does not count, however much it is. */
TEST_F(orchestrator, scope_holds)
{
	uint32_t i;

	for (i = 0; i < 20000; i++)
		plain(self, 0);
	ASSERT_EQ(0, fatal(self)) {
		TH_LOG("%s", self->rt.fatal_text);
	}
	/* In the same scope, and with it all that comes later. */
	output(self, 1);
	for (i = 0; i < 62; i++)
		plain(self, 0);
	EXPECT_EQ(0, fatal(self));
	plain(self, 0);
	EXPECT_EQ(PTO_FATAL_SCOPE_DEADLOCK, fatal(self));
	EXPECT_TRUE(says(self, "ring 0: one scope holds 63 tasks, window of 64"));
}

TEST_F(orchestrator, element_timeout)
{
	struct pto_tensor t = region(8, 1);
	uint32_t value = 5;
	uint32_t zero = 0;

	memory[8] = 77;
	access_region(self, 0, 16, PTO_ARG_INOUT, 0);
	EXPECT_EQ(0, pto_get_element(&self->rt.rt, &t, 1, &zero, &value, sizeof(value)));
	EXPECT_EQ(77, value);
	self->runs = false;
	self->busy_until = self->now + 20000 * MS;
	access_region(self, 0, 8, PTO_ARG_INOUT, 0);
	access_region(self, 9, 8, PTO_ARG_INOUT, 0);
	access_region(self, 8, 1, PTO_ARG_INPUT, 0);
	EXPECT_EQ(0, pto_get_element(&self->rt.rt, &t, 1, &zero, &value, sizeof(value)));
	EXPECT_EQ(0, fatal(self));
	EXPECT_NE(0, pto_set_element(&self->rt.rt, &t, 1, &zero, &value, sizeof(value)));
	EXPECT_EQ(PTO_FATAL_TENSOR_WAIT_TIMEOUT, fatal(self));
	/* While the kernel ran that was not for the orchestration to judge. */
	EXPECT_LE(30000 * MS, self->now);
	EXPECT_TRUE(says(self, "no task has completed for 15000 ms"));
}

/* --- limits -------------------------------------------------------------- */

TEST_F(orchestrator, scope_depth)
{
	uint32_t i;

	for (i = 1; i < PTO_MAX_SCOPE_DEPTH; i++)
		pto_scope_begin(&self->rt.rt, PTO_SCOPE_AUTO);
	plain(self, 0);
	EXPECT_EQ(0, fatal(self));
	pto_scope_begin(&self->rt.rt, PTO_SCOPE_AUTO);
	EXPECT_EQ(PTO_FATAL_SCOPE_TASKS_OVERFLOW, fatal(self));
	EXPECT_TRUE(says(self, "64"));
	/* The ends of scopes that could not be begun are no misuse. */
	for (i = 0; i < PTO_MAX_SCOPE_DEPTH; i++)
		pto_scope_end(&self->rt.rt);
	EXPECT_EQ(PTO_FATAL_SCOPE_TASKS_OVERFLOW, fatal(self));
	EXPECT_EQ(0, self->rt.depth);
}

static void nest(FIXTURE_DATA(orchestrator) *self, uint32_t outer, uint32_t inner)
{
	start(self);
	pto_scope_begin(&self->rt.rt, outer);
	pto_scope_begin(&self->rt.rt, inner);
}

TEST_F(orchestrator, scope_nesting)
{
	nest(self, PTO_SCOPE_AUTO, PTO_SCOPE_AUTO);
	EXPECT_EQ(0, fatal(self));
	nest(self, PTO_SCOPE_AUTO, PTO_SCOPE_MANUAL);
	EXPECT_EQ(0, fatal(self));
	nest(self, PTO_SCOPE_MANUAL, PTO_SCOPE_MANUAL);
	EXPECT_EQ(0, fatal(self));
	nest(self, PTO_SCOPE_MANUAL, PTO_SCOPE_AUTO);
	EXPECT_EQ(PTO_FATAL_INVALID_ARGS, fatal(self));
	EXPECT_TRUE(says(self, "an AUTO scope within a MANUAL one, at depth 2"));
	nest(self, PTO_SCOPE_AUTO, PTO_SCOPE_MANUAL + 1);
	EXPECT_EQ(PTO_FATAL_INVALID_ARGS, fatal(self));
}

/* More regions than the map has, accessed by tasks that do not complete. */
static uint32_t use_up_regions(FIXTURE_DATA(orchestrator) *self)
{
	struct pto_tensor views[PTO_TASK_MAX_TENSORS];
	struct pto_task_args args;
	uint32_t i, k;

	for (i = 0; i < 60 && !fatal(self); i++) {
		pto_task_args_init(&args);
		for (k = 0; k < PTO_TASK_MAX_TENSORS; k++) {
			views[k] = region(i * PTO_TASK_MAX_TENSORS + k, 1);
			pto_add_inout(&args, &views[k]);
		}
		submit(self, &args, i);
	}
	return i;
}

TEST_F(orchestrator, regions)
{
	EXPECT_EQ(60, use_up_regions(self));
	EXPECT_EQ(0, fatal(self));
	EXPECT_LT(0, self->waits);
	start(self);
	self->runs = false;
	EXPECT_GE(33, use_up_regions(self));
	EXPECT_EQ(PTO_FATAL_TENSORMAP_OVERFLOW, fatal(self));
	EXPECT_TRUE(says(self, "all 1023 regions are accessed by unfinished ones"));
}

TEST_F(orchestrator, dependencies)
{
	uint64_t ids[600], own[PTO_TASK_OWN_DEPS + 1];
	struct pto_task_args args;
	uint32_t i;

	set_rings(self, 1024, 64 << 10, 600);
	self->runs = false;
	for (i = 0; i < 600; i++)
		ids[i] = plain(self, i).id;
	pto_task_args_init(&args);
	pto_set_dependencies(&args, ids, 600);
	own[0] = submit(self, &args, 600).id;
	pto_task_args_init(&args);
	for (i = 0; i < PTO_TASK_OWN_DEPS; i++)
		pto_add_dep(&args, i ? ids[i] : own[0]);
	submit(self, &args, 601);
	EXPECT_EQ(0, fatal(self));
	EXPECT_EQ(600, execute_some(self, 600) - 2);
	EXPECT_TRUE(self->ordered);
	EXPECT_EQ(601, self->last);
	/* One more than a task has room for. */
	pto_task_args_init(&args);
	for (i = 0; i <= PTO_TASK_OWN_DEPS; i++)
		pto_add_dep(&args, ids[i]);
	submit(self, &args, 602);
	EXPECT_EQ(PTO_FATAL_INVALID_ARGS, fatal(self));
	EXPECT_TRUE(says(self, "more than 64 added dependencies"));
}

/* Edges of one task after the other go through a pool that takes those of one. */
TEST_F(orchestrator, pool_turns)
{
	uint64_t ids[120];
	struct pto_task_args args;
	uint32_t i, k;

	set_rings(self, 1024, 64 << 10, 60);
	for (k = 0; k < 40; k++) {
		PTO_SCOPE(&self->rt.rt) {
			for (i = 0; i < 120; i++)
				ids[i] = plain(self, 2 * k).id;
			pto_task_args_init(&args);
			pto_set_dependencies(&args, ids, 120);
			submit(self, &args, 2 * k + 1);
		}
	}
	EXPECT_EQ(0, fatal(self));
	start(self);
	self->runs = false;
	PTO_SCOPE(&self->rt.rt)
		for (i = 0; i < 120; i++)
			ids[i] = plain(self, 0).id;
	PTO_SCOPE(&self->rt.rt) {
		for (k = 0; k < 2; k++) {
			pto_task_args_init(&args);
			pto_set_dependencies(&args, ids, 120);
			submit(self, &args, 0);
		}
	}
	EXPECT_EQ(PTO_FATAL_DEP_POOL_OVERFLOW, fatal(self));
	EXPECT_TRUE(says(self, "ring 1: a task with 68 dependencies so far, "
			       "60 of a pool of 60 in use"));
	EXPECT_TRUE(says(self, "the oldest task does not complete"));
}

/* --- rings --------------------------------------------------------------- */

TEST_F(orchestrator, geometry)
{
	struct pto_dev_arena_plan plan = self->plan;

	EXPECT_EQ(0, pto_arena_plan(&plan));
	plan.task_window[1] = 4;
	plan.heap[2] = 1024;
	plan.dep_pool[3] = 4;
	EXPECT_EQ(0, pto_arena_plan(&plan));
	plan.task_window[1] = 2;
	EXPECT_EQ(-EINVAL, pto_arena_plan(&plan));
	plan.task_window[1] = 6;
	EXPECT_EQ(-EINVAL, pto_arena_plan(&plan));
	plan.task_window[1] = 1ULL << 31;
	EXPECT_EQ(-EINVAL, pto_arena_plan(&plan));
	plan.task_window[1] = 4;
	plan.heap[2] = 1023;
	EXPECT_EQ(-EINVAL, pto_arena_plan(&plan));
	plan.heap[2] = UINT64_MAX;
	EXPECT_EQ(-EOVERFLOW, pto_arena_plan(&plan));
	plan.heap[2] = 1024;
	plan.dep_pool[3] = 3;
	EXPECT_EQ(-EINVAL, pto_arena_plan(&plan));
	plan.dep_pool[3] = 1ULL << 31;
	EXPECT_EQ(-EINVAL, pto_arena_plan(&plan));
	/* A heap that ends where addresses do: not even the next page is there. */
	plan.dep_pool[3] = 4;
	plan.heap[0] = UINT64_MAX - self->rt.arena->ring[0].heap;
	EXPECT_EQ(-EOVERFLOW, pto_arena_plan(&plan));
}

/* Nobody builds an arena from what is no plan, and nobody binds what that leaves. */
TEST_F(orchestrator, no_plan)
{
	struct pto_dev_arena_plan plan = self->plan;
	uint8_t image[4096];

	ASSERT_GE(sizeof(image), plan.image_size);
	plan.heap[0] = UINT64_MAX / 2;
	plan.heap[1] = UINT64_MAX / 2;
	EXPECT_EQ(-EOVERFLOW, pto_arena_plan(&plan));
	plan.task_window[0] = 3;
	pto_arena_build(&plan, image);
	EXPECT_EQ(-EINVAL, pto_arena_bind(self->arena, self->plan.arena_size, image,
					  sizeof(image)));
}

/* A run that ends while another thread writes what was wrong waits for that. */
TEST_F(orchestrator, late_error)
{
	late_error = PTO_FATAL_EXPLICIT;
	atomic_fetch_or(&self->rt.fatal_claim, PTO_CLAIM_CLAIMED);
	EXPECT_EQ(PTO_FATAL_EXPLICIT, pto_rt_close(&self->rt));
}

/* The smallest rings do everything that fits into them. */
TEST_F(orchestrator, minimum)
{
	uint32_t i;

	set_rings(self, 4, 1024, 4);
	for (i = 0; i < 1000; i++) {
		PTO_SCOPE(&self->rt.rt) {
			struct pto_task task = output(self, 1024);
			struct pto_tensor t = *pto_task_output(&task, 0);
			struct pto_task_args args;

			pto_task_args_init(&args);
			pto_add_inout(&args, &t);
			submit(self, &args, i);
		}
	}
	EXPECT_EQ(0, fatal(self));
}

/* Where output 0 of a task lies in the heap of its ring. */
static uint64_t place(FIXTURE_DATA(orchestrator) *self, const struct pto_task *task)
{
	uint32_t ring = pto_task_ring(task->id);

	return pto_task_output(task, 0)->addr - (uintptr_t)self->arena -
	       self->rt.arena->ring[ring].heap;
}

static uint64_t scoped_output(FIXTURE_DATA(orchestrator) *self, uint32_t bytes)
{
	struct pto_task task;

	PTO_SCOPE(&self->rt.rt)
		task = output(self, bytes);
	return place(self, &task);
}

TEST_F(orchestrator, heap)
{
	set_rings(self, 64, 8 << 10, 64);
	EXPECT_EQ(0, scoped_output(self, 1));
	EXPECT_EQ(1 << 10, scoped_output(self, 3 << 10));
	EXPECT_EQ(4 << 10, scoped_output(self, 1025));
	/* 2 KiB are left at the end: 3 KiB do not go over it, they wait for the beginning. */
	EXPECT_EQ(0, self->waits);
	EXPECT_EQ(0, scoped_output(self, 3 << 10));
	EXPECT_EQ(2, self->waits);
	/* Empty: from the beginning again, so that the whole heap is there. */
	execute_some(self, 100);
	EXPECT_EQ(0, scoped_output(self, 8 << 10));
	EXPECT_EQ(0, scoped_output(self, 8 << 10));
	EXPECT_EQ(0, fatal(self));
}

/* What is left at the end for a block that went to the beginning is in use, too. */
TEST_F(orchestrator, heap_report)
{
	set_rings(self, 64, 8 << 10, 64);
	EXPECT_EQ(0, scoped_output(self, 3 << 10));
	EXPECT_EQ(3 << 10, scoped_output(self, 4 << 10));
	EXPECT_EQ(0, scoped_output(self, 2 << 10));
	EXPECT_EQ(1, self->executed);
	self->runs = false;
	fill_ring(self, 1, 2 << 10);
	EXPECT_EQ(PTO_FATAL_HEAP_RING_DEADLOCK, fatal(self));
	EXPECT_EQ(PTO_FATAL_HEAP_RING_DEADLOCK, pto_rt_close(&self->rt));
	EXPECT_TRUE(says(self, "; ring 1: 2/64 tasks, 7/8 KiB")) {
		TH_LOG("%s", self->rt.fatal_text);
	}
}

/* The program's own words come first; of the rings the text says all or nothing. */
TEST_F(orchestrator, long_report)
{
	const char *ring = "; ring 0: 1/64 tasks";
	char words[PTO_FATAL_TEXT + 10];
	size_t length;

	for (length = 1; length < sizeof(words); length++) {
		size_t room = PTO_FATAL_TEXT - 1;
		size_t kept = length < room ? length : room;

		memset(words, 'x', length);
		words[length] = '\0';
		start(self);
		plain(self, 0);
		pto_report_fatal(&self->rt.rt, PTO_FATAL_EXPLICIT, "%s", words);
		EXPECT_EQ(PTO_FATAL_EXPLICIT, pto_rt_close(&self->rt));
		EXPECT_EQ(0, strncmp(self->rt.fatal_text, words, kept));
		EXPECT_STREQ(kept + strlen(ring) < room ? ring : "", self->rt.fatal_text + kept);
	}
}

TEST_F(orchestrator, packed_outputs)
{
	struct pto_create_info infos[3] = {
		pto_create_1d(PTO_DTYPE_UINT8, 1), pto_create_1d(PTO_DTYPE_FLOAT32, 257),
		pto_create_1d(PTO_DTYPE_INT64, 0),
	};
	struct pto_task_args args;
	struct pto_task task;
	uint32_t i;

	pto_create_set_value(&infos[1], 0x01020304);
	pto_task_args_init(&args);
	for (i = 0; i < 3; i++)
		pto_add_output(&args, &infos[i]);
	task = submit(self, &args, 0);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, pto_tensor_check(pto_task_output(&task, i)));
	EXPECT_EQ(0, place(self, &task));
	EXPECT_EQ(1 << 10, pto_task_output(&task, 1)->addr - pto_task_output(&task, 0)->addr);
	EXPECT_EQ(3 << 10, pto_task_output(&task, 2)->addr - pto_task_output(&task, 0)->addr);
	EXPECT_EQ(257 * 4, pto_task_output(&task, 1)->size);
	EXPECT_EQ(task.id, pto_task_output(&task, 1)->owner_task);
	EXPECT_EQ(0x01020304, ((uint32_t *)(uintptr_t)pto_task_output(&task, 1)->addr)[256]);
	EXPECT_EQ(0, pto_task_output(&task, 2)->extent);
	EXPECT_EQ(0, place(self, &task) % PTO_HEAP_ALIGN);
}

TEST_F(orchestrator, bad_outputs)
{
	struct pto_create_info bad[5];
	struct pto_task_args args;
	uint32_t i;

	for (i = 0; i < 5; i++)
		bad[i] = pto_create_1d(PTO_DTYPE_FLOAT32, 4);
	bad[0].ndims = 0;
	bad[1].ndims = PTO_MAX_TENSOR_DIMS + 1;
	bad[2].dtype = PTO_DTYPE_COUNT;
	bad[3].manual_dep = 2;
	bad[4].ndims = 3;
	for (i = 0; i < 3; i++)
		bad[4].shapes[i] = 1u << 20;	/* strides of 40 bits */
	for (i = 0; i < 5; i++) {
		start(self);
		pto_task_args_init(&args);
		pto_add_output(&args, &bad[i]);
		EXPECT_EQ(PTO_NO_TASK, submit(self, &args, 0).id);
		EXPECT_EQ(PTO_FATAL_INVALID_ARGS, fatal(self)) {
			TH_LOG("case %u", i);
		}
	}
}

/* Numbers of tasks do not end at 32 bits; ids below that look as they always have. */
TEST_F(orchestrator, many_tasks)
{
	struct pto_task_args args;
	struct pto_task first, last = { 0 };
	struct pto_slot *slot;
	struct pto_ring *ring = pto_ring_get(&self->rt, 1);
	uint32_t i;

	ring->head = UINT32_MAX - 1;
	ring->tail = UINT32_MAX - 1;
	self->runs = false;
	PTO_SCOPE(&self->rt.rt) {
		first = output(self, 1);
		for (i = 0; i < 4; i++)
			last = plain(self, 1);
		EXPECT_EQ(1ULL << 32 | (UINT32_MAX - 1), first.id);
		EXPECT_EQ(1ULL << 34 | 1ULL << 32 | 2, last.id);
		EXPECT_EQ(PTO_TASK_LIVE, pto_task_find(&self->rt, first.id, &slot));
		EXPECT_EQ(first.id, slot->id);
		EXPECT_EQ(PTO_TASK_LIVE, pto_task_find(&self->rt, last.id, &slot));
		EXPECT_EQ(last.id, slot->id);
		EXPECT_EQ(PTO_TASK_UNKNOWN, pto_task_find(&self->rt, last.id + 1, &slot));
		pto_task_args_init(&args);
		pto_add_input(&args, pto_task_output(&first, 0));
		pto_add_dep(&args, last.id);
		submit(self, &args, 2);
	}
	EXPECT_EQ(6, execute_some(self, 100));
	EXPECT_TRUE(self->ordered);
	EXPECT_TRUE(pto_ring_reclaim(&self->rt, ring));
	EXPECT_EQ(ring->head, ring->tail);
	EXPECT_EQ(PTO_TASK_RECLAIMED, pto_task_find(&self->rt, last.id, &slot));
	EXPECT_EQ(0, fatal(self));
}

/* A scope holds what has outputs, which the program may still pass on, and nothing else. */
TEST_F(orchestrator, scope_holds_outputs)
{
	struct pto_ring *ring = pto_ring_get(&self->rt, 1);

	PTO_SCOPE(&self->rt.rt) {
		plain(self, 0);
		output(self, 1);
		plain(self, 0);
		EXPECT_EQ(3, execute_some(self, 3));
		EXPECT_TRUE(pto_ring_reclaim(&self->rt, ring));
		EXPECT_EQ(1, ring->tail);
		EXPECT_FALSE(pto_ring_reclaim(&self->rt, ring));
	}
	EXPECT_TRUE(pto_ring_reclaim(&self->rt, ring));
	EXPECT_EQ(3, ring->tail);
	EXPECT_EQ(0, fatal(self));
}

/* A slot that has been given back is used before one that never was, whatever the window. */
TEST_F(orchestrator, slots_come_back)
{
	struct pto_ring *ring = pto_ring_get(&self->rt, 1);
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		PTO_SCOPE(&self->rt.rt)
			plain(self, 0);
		EXPECT_EQ(1, execute_some(self, 1));
	}
	EXPECT_EQ(0, fatal(self));
	EXPECT_GE(PTO_RECLAIM_INTERVAL + 1, ring->fresh);
	EXPECT_LT(ring->fresh, ring->layout->window - 1);
}

static uint64_t resident(FIXTURE_DATA(orchestrator) *self)
{
	uint64_t pages = self->plan.arena_size / (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned char *map = malloc(pages);
	uint64_t count = 0;
	uint64_t i;

	if (!map || mincore(self->arena, self->plan.arena_size, map))
		abort();
	for (i = 0; i < pages; i++)
		count += map[i] & 1;
	free(map);
	return count;
}

/* A program of any length in the memory of a short one. */
static void long_program(FIXTURE_DATA(orchestrator) *self, uint64_t tasks)
{
	uint64_t i;
	int k;

	for (i = 0; i < tasks;) {
		PTO_SCOPE(&self->rt.rt) {
			for (k = 0; k < 250; k++, i += 4) {
				struct pto_task task = output(self, 64);
				struct pto_tensor t = *pto_task_output(&task, 0);
				struct pto_task_args args;

				pto_task_args_init(&args);
				pto_add_input(&args, &t);
				submit(self, &args, 0);
				access_region(self, i % 1000, 4, PTO_ARG_INPUT, 0);
				access_region(self, i % 1000, 2, PTO_ARG_OUTPUT_EXISTING, 0);
			}
		}
	}
}

/* PTO_SELFTEST_TASKS=10000000 for as many as one likes. */
TEST_F_TIMEOUT(orchestrator, constant_memory, 300)
{
	const char *wanted = getenv("PTO_SELFTEST_TASKS");
	uint64_t tasks = wanted ? strtoull(wanted, NULL, 0) : 2000000;
	uint64_t before;

	set_rings(self, 1024, 1 << 20, 1024);
	long_program(self, 20000);
	ASSERT_EQ(0, fatal(self));
	before = resident(self);
	long_program(self, tasks);
	ASSERT_EQ(0, fatal(self));
	EXPECT_EQ(before, resident(self));
	while (execute_some(self, 1000))
		;
	EXPECT_EQ(atomic_load(&self->rt.submitted), pto_sched_done(&self->sched));
	EXPECT_LE(tasks + 20000, self->executed);
}

/* --- the tensor map ------------------------------------------------------ */

static struct pto_map *map_of(FIXTURE_DATA(orchestrator) *self)
{
	return pto_map_get(&self->rt);
}

static uint32_t depth_of(const struct pto_map *map, uint32_t index)
{
	uint32_t left, right;

	if (!index)
		return 0;
	left = depth_of(map, map->regions[index].left);
	right = depth_of(map, map->regions[index].right);
	return 1 + (left > right ? left : right);
}

static bool knows(const struct pto_region *r, uint32_t other, bool covered)
{
	uint32_t i;

	for (i = 0; i < r->near_count; i++)
		if ((r->near[i] & ~PTO_NEAR_COVERED) == other)
			return !!(r->near[i] & PTO_NEAR_COVERED) == covered;
	return false;
}

/* Is the part of the tree at @index in order? Counts its regions. */
static bool tree_good(const struct pto_map *map, uint32_t index, uint64_t *end, uint64_t *written,
		      uint32_t *count)
{
	const struct pto_region *r = &map->regions[index];
	uint64_t ends[2] = { 0, 0 }, writes[2] = { 0, 0 };
	uint32_t k;

	if (!index)
		return true;
	++*count;
	for (k = 0; k < 2; k++) {
		uint32_t child = k ? r->right : r->left;
		const struct pto_region *c = &map->regions[child];

		if (!child)
			continue;
		if (c->parent != index || (k ? c->begin < r->begin : c->begin > r->begin) ||
		    !tree_good(map, child, &ends[k], &writes[k], count))
			return false;
	}
	*end = r->end;
	*written = r->wrote ? r->end : 0;
	for (k = 0; k < 2; k++) {
		*end = ends[k] > *end ? ends[k] : *end;
		*written = writes[k] > *written ? writes[k] : *written;
	}
	return r->max_end == *end && r->max_written == *written;
}

/* Checks what tensormap.c and regiontree.c say of one buffer's regions, by looking at all. */
static const char *check_map(struct pto_map *map, uint64_t addr)
{
	uint64_t end, written;
	uint32_t in_use = 0, count = 0;
	uint32_t i, k;

	if (!tree_good(map, pto_map_root(map, addr), &end, &written, &count))
		return "the tree is not in order";
	for (i = 1; i < map->fresh; i++) {
		const struct pto_region *a = &map->regions[i];

		if (a->addr != addr)
			continue;
		in_use++;
		for (k = 1; k < map->fresh; k++) {
			const struct pto_region *b = &map->regions[k];
			int overlap = pto_region_overlap(a, b);

			if (i == k || b->addr != addr || a->near_count == PTO_NEAR_MANY)
				continue;
			if (overlap != PTO_OVERLAP_NONE && (a->wrote || b->wrote) &&
			    !knows(a, k, overlap == PTO_OVERLAP_COVERED))
				return "a neighbour is not known";
			if (overlap == PTO_OVERLAP_NONE &&
			    (knows(a, k, false) || knows(a, k, true)))
				return "a stranger is taken for a neighbour";
		}
	}
	return count == in_use ? NULL : "the tree does not hold the regions in use";
}

static struct pto_tensor random_view(uint32_t range, unsigned int *seed)
{
	uint32_t side = 64, shape[2], offset[2];
	uint32_t all[2] = { side, side };
	struct pto_tensor t;
	uint32_t i;

	if (rand_r(seed) % 2) {
		shape[0] = 1 + rand_r(seed) % 40;
		return region(rand_r(seed) % range, shape[0]);
	}
	pto_external(&t, (uintptr_t)memory, PTO_DTYPE_UINT32, 2, all, 0, 0);
	for (i = 0; i < 2; i++) {
		shape[i] = 1 + rand_r(seed) % 8;
		offset[i] = rand_r(seed) % (range / side - 8 + 1);
	}
	pto_tensor_view(&t, shape, offset, &t);
	return t;
}

/* Random accesses of one buffer, crowded (small @range) or not. */
static void wander(struct __test_metadata *_metadata, FIXTURE_DATA(orchestrator) *self,
		   uint32_t range, unsigned int seed)
{
	static const uint8_t types[] = { PTO_ARG_INPUT, PTO_ARG_INPUT, PTO_ARG_INOUT,
					 PTO_ARG_OUTPUT_EXISTING };
	struct pto_task_args args;
	struct pto_tensor t;
	const char *wrong;
	uint32_t i;

	for (i = 0; i < 400; i++) {
		PTO_SCOPE(&self->rt.rt) {
			t = random_view(range, &seed);
			pto_task_args_init(&args);
			pto_add_tensor_(&args, &t, types[rand_r(&seed) % sizeof(types)]);
			submit(self, &args, 0);
		}
		if (rand_r(&seed) % 3 == 0)
			execute_some(self, rand_r(&seed) % 20);
		wrong = check_map(map_of(self), (uintptr_t)memory);
		ASSERT_EQ(NULL, wrong) {
			TH_LOG("seed %u, access %u: %s", seed, i, wrong);
		}
	}
	ASSERT_EQ(0, fatal(self));
}

TEST_F(orchestrator, map_invariants)
{
	unsigned int seed;

	for (seed = 1; seed <= 10; seed++) {
		start(self);
		wander(_metadata, self, 1024, seed);
		start(self);
		wander(_metadata, self, 4000, seed);
	}
}

/* Thousands of regions in the worst order for a search tree: it stays flat. */
TEST_F(orchestrator, map_depth)
{
	struct pto_map *map;
	uint32_t i;

	set_rings(self, 4096, 1 << 20, 64);
	self->runs = false;
	for (i = 0; i < 4000; i++)
		access_region(self, i, 1, PTO_ARG_INOUT, 0);
	map = map_of(self);
	EXPECT_EQ(NULL, check_map(map, (uintptr_t)memory));
	EXPECT_GE(40, depth_of(map, pto_map_root(map, (uintptr_t)memory)));
	EXPECT_EQ(0, fatal(self));
}

/* Same views again: they find themselves, alone, in their region. Readers have no neighbours. */
TEST_F(orchestrator, map_reuse)
{
	struct pto_map *map = map_of(self);
	uint32_t fresh, i, k;

	set_rings(self, 1024, 1 << 20, 64);
	map = map_of(self);
	for (k = 0; k < 5; k++) {
		for (i = 0; i < 100; i++)
			access_region(self, i * 8, 8, PTO_ARG_INOUT, 0);
		fresh = k ? fresh : map->fresh;
		EXPECT_EQ(fresh, map->fresh);
	}
	for (i = 1; i < map->fresh; i++)
		EXPECT_EQ(0, map->regions[i].near_count);
	start(self);
	for (i = 0; i < 500; i++)
		access_region(self, i, 100, PTO_ARG_INPUT, 0);
	for (i = 1; i < map->fresh; i++)
		EXPECT_EQ(0, map->regions[i].near_count);
	EXPECT_EQ(0, fatal(self));
}

/* A buffer with a long past of other views does not make the next access look at it. */
TEST_F(orchestrator, map_forgets)
{
	struct pto_map *map;
	struct pto_tensor all = region(0, ELEMENTS);
	struct pto_task_args args;
	uint32_t i;

	set_rings(self, 1024, 1 << 20, 64);
	for (i = 0; i < 1000; i++) {
		PTO_SCOPE(&self->rt.rt)
			access_region(self, i * 4, 4, PTO_ARG_INOUT, 0);
	}
	while (execute_some(self, 100))
		;
	pto_task_args_init(&args);
	pto_add_inout(&args, &all);
	submit(self, &args, 0);
	map = map_of(self);
	EXPECT_EQ(NULL, check_map(map, (uintptr_t)memory));
	i = pto_map_root(map, (uintptr_t)memory);
	EXPECT_GE(2 * PTO_NEAR, depth_of(map, i));
	EXPECT_EQ(0, fatal(self));
}

TEST_HARNESS_MAIN
