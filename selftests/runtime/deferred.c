// SPDX-License-Identifier: GPL-2.0
/*
 * Completion by counters, for kernels that know the public kernel ABI and nothing of ours: their
 * declarations are those of public_kernel.h.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include <pto/orch.h>
#include <sim/device/engine.h>

#include "harness.h"
#include "engine_fixture.h"
#include "public_kernel.h"

#define MS		1000000ULL
#define PARTS		3
#define BLOCKS		24
#define UNITS		(BLOCKS * PARTS)
#define EACH		2		/* conditions of a unit */
#define CONDITIONS	64		/* what a task may have */
#define MAX_WORDS	(2 * UNITS)

enum {
	FUNC_AIC, FUNC_AIV0, FUNC_AIV1, FUNC_MANY, FUNC_WORD, FUNC_TYPE, FUNC_COUNT_UP, FUNC_FILL,
	FUNC_SUM, FUNC_COUNT
};

/**
 * struct seen - what a kernel has seen of its contexts
 * @ran: kernels of this unit
 * @block: block
 * @blocks: blocks
 * @sub_block: AIV core
 * @count: conditions named before the first
 * @error: error word
 * @capacity: room
 * @token: task
 * @workspace: both words, or-ed
 */
struct seen {
	uint32_t ran;
	int32_t block;
	int32_t blocks;
	int32_t sub_block;
	uint32_t count;
	int32_t error;
	uint32_t capacity;
	uint64_t token;
	uint64_t workspace;
};

static struct seen seen[UNITS];
static uint32_t counters[MAX_WORDS], data[MAX_WORDS], sum, refused, late_refused;
static const int64_t *_Atomic kept_args;

/* --- kernels: arguments are a tensor for their order, then scalars ------------ */

static uint64_t scalar(const int64_t *args, uint32_t i)
{
	return (uint64_t)args[1 + i];
}

static void look(const int64_t *args, struct seen *s)
{
	const struct public_local *local = public_local(args);
	const struct public_global *global = public_global(args);

	*s = (struct seen){
		.ran = s->ran + 1, .block = local->block_idx, .blocks = local->block_num,
		.sub_block = global->sub_block_id, .count = *local->count, .error = *local->error,
		.capacity = local->capacity, .token = local->token,
		.workspace = global->dma_workspace[0] | global->dma_workspace[1],
	};
}

/* Scalars: parts of a block, and the value that the unit's counters have to reach. */
static void defer(const int64_t *args, uint32_t part)
{
	uint32_t parts = (uint32_t)scalar(args, 0);
	uint32_t unit = (uint32_t)public_local(args)->block_idx * parts + part;
	uint32_t i;

	kept_args = args;
	look(args, &seen[unit]);
	for (i = 0; i < EACH; i++)
		if (!public_expect(args, &counters[EACH * unit + i], (uint32_t)scalar(args, 1)))
			__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
}

static void kernel_aic(int64_t *args)
{
	defer(args, 0);
}

static void kernel_aiv0(int64_t *args)
{
	defer(args, scalar(args, 0) == PARTS);
}

static void kernel_aiv1(int64_t *args)
{
	defer(args, 2);
}

/* Scalar: how many conditions, all of one counter. */
static void kernel_many(int64_t *args)
{
	uint64_t i;

	for (i = scalar(args, 0); i--;)
		if (!public_expect(args, &counters[0], 1))
			__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
}

/* Scalar: error word. It does not matter what else there is. */
static void kernel_word(int64_t *args)
{
	public_expect(args, &counters[0], 1);
	public_error(args, (int32_t)scalar(args, 0));
}

/* Scalars: address of a counter, and type. */
static void kernel_type(int64_t *args)
{
	public_name(args, scalar(args, 0), 1, (int32_t)scalar(args, 1));
}

/* Claims more conditions than there is room for. */
static void kernel_count_up(int64_t *args)
{
	*public_local(args)->count = (uint32_t)scalar(args, 0);
}

/* As an engine: moves data, and raises the counters, last one first. Scalar: how many */
static void kernel_fill(int64_t *args)
{
	uint64_t i;

	for (i = scalar(args, 0); i--;) {
		data[i] = (uint32_t)(3 * i + 1);
		__atomic_fetch_add(&counters[i], 1, __ATOMIC_RELEASE);
	}
}

/* Uses the data. Scalar: how many */
static void kernel_sum(int64_t *args)
{
	uint64_t i;

	for (i = scalar(args, 0); i--;)
		sum += data[i];
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_AIC] = { kernel_aic, PTO_CORE_AIC },
	[FUNC_AIV0] = { kernel_aiv0, PTO_CORE_AIV },
	[FUNC_AIV1] = { kernel_aiv1, PTO_CORE_AIV },
	[FUNC_MANY] = { kernel_many, PTO_CORE_AIV },
	[FUNC_WORD] = { kernel_word, PTO_CORE_AIV },
	[FUNC_TYPE] = { kernel_type, PTO_CORE_AIV },
	[FUNC_COUNT_UP] = { kernel_count_up, PTO_CORE_AIV },
	[FUNC_FILL] = { kernel_fill, PTO_CORE_AIV },
	[FUNC_SUM] = { kernel_sum, PTO_CORE_AIV },
};

FIXTURE(deferred)
{
	struct machine machine;
};

static void clear(void)
{
	memset(seen, 0, sizeof(seen));
	memset(counters, 0, sizeof(counters));
	memset(data, 0, sizeof(data));
	sum = 0;
	refused = 0;
}

FIXTURE_SETUP(deferred)
{
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A2A3, 3, kernels, FUNC_COUNT));
	clear();
}

FIXTURE_TEARDOWN(deferred)
{
	machine_stop(&self->machine);
}

/* --- programs ------------------------------------------------------------ */

/* What the next program does. */
static struct {
	uint32_t parts;		/* of a block: 1, or all */
	uint32_t blocks;
	uint32_t value;		/* that counters have to reach */
	uint32_t fills;		/* how often they are raised */
	bool fill_first;	/* before the task is submitted */
	bool sync_start;
	int32_t func;		/* of a task of one kernel, and its scalars */
	uint64_t scalars[2];
} plan;

static struct pto_tensor words_at(uint32_t *p)
{
	uint32_t words = MAX_WORDS;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)p, PTO_DTYPE_UINT32, 1, &words, 0, 0);
	return t;
}

static struct pto_tensor buffer(void)
{
	return words_at(data);
}

/* One behind the other; what the data is for waits for them only if they are @ordered. */
static void submit_fill(struct pto_rt *rt, uint32_t words, bool ordered)
{
	struct pto_tensor t = words_at(ordered ? data : counters);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, words);
	pto_submit_aiv(rt, FUNC_FILL, &task);
}

static void submit_sum(struct pto_rt *rt, uint32_t words)
{
	struct pto_tensor t = buffer();
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, &t);
	pto_add_scalar(&task, words);
	pto_submit_aiv(rt, FUNC_SUM, &task);
}

static void submit_deferred(struct pto_rt *rt)
{
	struct pto_tensor t = buffer();
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, plan.parts);
	pto_add_scalar(&task, plan.value);
	pto_set_block_num(&task, plan.blocks);
	if (plan.sync_start)
		pto_set_sync_start(&task, true);
	if (plan.parts == 1)
		pto_submit_aiv(rt, FUNC_AIV0, &task);
	else
		pto_submit_mixed(rt, FUNC_AIC, FUNC_AIV0, FUNC_AIV1, &task);
}

/* A deferred task, somebody who moves what it asks for, and somebody who uses that. */
static void entry_deferred(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t words = plan.parts * plan.blocks * EACH;
	uint32_t i;

	for (i = 0; i < plan.fills && plan.fill_first; i++)
		submit_fill(rt, words, true);
	submit_deferred(rt);
	submit_sum(rt, words);
	for (i = 0; i < plan.fills && !plan.fill_first; i++)
		submit_fill(rt, words, false);
}

static void entry_one(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = buffer();
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, plan.scalars[0]);
	pto_add_scalar(&task, plan.scalars[1]);
	pto_set_block_num(&task, plan.blocks);
	pto_submit_aiv(rt, plan.func, &task);
}

static uint32_t sum_of(uint32_t words)
{
	return 3 * (words * (words - 1) / 2) + words;
}

/* --- the contexts, and results -------------------------------------------- */

#define EXPECT_SEEN(words) do { \
	uint32_t units = plan.parts * plan.blocks, u; \
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_deferred)) { \
		TH_LOG("%s", self->machine.report.text); \
	} \
	EXPECT_EQ(0, refused); \
	EXPECT_EQ(sum_of(words), sum); \
	for (u = 0; u < units; u++) { \
		EXPECT_EQ(1, seen[u].ran); \
		EXPECT_EQ(u / plan.parts, seen[u].block); \
		EXPECT_EQ(plan.blocks, seen[u].blocks); \
		EXPECT_EQ(u % plan.parts == 2, seen[u].sub_block); \
		EXPECT_EQ(0, seen[u].count); \
		EXPECT_EQ(0, seen[u].error); \
		EXPECT_EQ(CONDITIONS, seen[u].capacity); \
		EXPECT_EQ(seen[0].token, seen[u].token); \
		EXPECT_EQ(0, seen[u].workspace); \
	} \
	EXPECT_NE(UINT64_MAX, seen[0].token); \
} while (0)

TEST_F(deferred, one_block)
{
	plan = (typeof(plan)){ .parts = 1, .blocks = 1, .value = 1, .fills = 1 };
	EXPECT_SEEN(EACH);
	EXPECT_EQ(0, seen[0].token);
}

TEST_F(deferred, many_blocks)
{
	uint32_t i;

	plan = (typeof(plan)){ .parts = 1, .blocks = BLOCKS, .value = 1, .fills = 1 };
	for (i = 0; i < 20; i++) {
		clear();
		EXPECT_SEEN(BLOCKS * EACH);
	}
}

/* All parts of all blocks have records of their own: 60 conditions of one task. */
TEST_F(deferred, mixed)
{
	uint32_t i;

	plan = (typeof(plan)){ .parts = PARTS, .blocks = 10, .value = 2, .fills = 2 };
	for (i = 0; i < 20; i++) {
		clear();
		plan.sync_start = i % 2;
		EXPECT_SEEN(10 * PARTS * EACH);
	}
}

/* The counters hold before the kernels begin. */
TEST_F(deferred, already)
{
	plan = (typeof(plan)){ .parts = PARTS, .blocks = 5, .value = 1, .fills = 1,
			       .fill_first = true };
	EXPECT_SEEN(5 * PARTS * EACH);
}

/* When the kernels have returned, and somebody outside has slept over it. */
static void *fill_later(void *arg)
{
	const struct timespec ts = { .tv_nsec = 5 * MS };
	uint32_t i;

	while (!kept_args)
		nanosleep(&ts, NULL);
	nanosleep(&ts, NULL);
	for (i = 0; i < EACH; i++) {
		data[i] = 3 * i + 1;
		__atomic_store_n(&counters[i], 9, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST_F(deferred, outside)
{
	pthread_t thread;

	kept_args = NULL;
	plan = (typeof(plan)){ .parts = 1, .blocks = 1, .value = 9 };
	ASSERT_EQ(0, pthread_create(&thread, NULL, fill_later, NULL));
	EXPECT_SEEN(EACH);
	pthread_join(thread, NULL);
}

/* A kernel without conditions runs where one with conditions has run, and is not deferred. */
static void entry_after(struct pto_rt *rt, const struct pto_orch_args *args)
{
	entry_deferred(rt, args);
	plan.value = 0;
	submit_deferred(rt);
}

TEST_F(deferred, record_is_emptied)
{
	uint32_t i;

	for (i = 0; i < 20; i++) {
		clear();
		plan = (typeof(plan)){ .parts = 1, .blocks = BLOCKS, .value = 1, .fills = 1 };
		ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_after));
		EXPECT_EQ(0, seen[0].count);
		EXPECT_EQ(2, seen[0].ran);
		EXPECT_EQ(0, refused);
	}
}

/*
 * Nobody looks at the record any more, and it says so. No other kernel may begin meanwhile: it
 * would get the same record.
 */
static void entry_late(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = buffer();

	submit_fill(rt, EACH, true);
	submit_deferred(rt);
	pto_get_u32(rt, &t, 0);
	late_refused = !public_expect(kept_args, &counters[0], 1000);
}

TEST_F(deferred, late)
{
	plan = (typeof(plan)){ .parts = 1, .blocks = 1, .value = 1 };
	late_refused = 0;
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_late));
	EXPECT_EQ(1, late_refused);
}

/* --- errors -------------------------------------------------------------- */

/* A kernel fails the run, and the next run is right. */
#define EXPECT_FATAL(number, what, text_part) do { \
	plan.func = what; \
	if (!plan.blocks) \
		plan.blocks = 1; \
	EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, entry_one)); \
	EXPECT_EQ(number, self->machine.report.code); \
	EXPECT_EQ(what, self->machine.report.func_id); \
	EXPECT_EQ(0, self->machine.report.task); \
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text, text_part)) { \
		TH_LOG("%s", self->machine.report.text); \
	} \
	clear(); \
	plan = (typeof(plan)){ .parts = 1, .blocks = 1, .value = 1, .fills = 1 }; \
	EXPECT_SEEN(EACH); \
	clear(); \
	plan = (typeof(plan)){ 0 }; \
} while (0)

TEST_F(deferred, error_word)
{
	plan = (typeof(plan)){ .scalars = { 101 } };
	EXPECT_FATAL(101, FUNC_WORD, "says that a condition is invalid");
	plan.scalars[0] = 102;
	EXPECT_FATAL(102, FUNC_WORD, "more than 64 conditions for one task");
	plan.scalars[0] = 7;
	EXPECT_FATAL(101, FUNC_WORD, "the error word of the kernel's conditions is 7");
}

TEST_F(deferred, entries)
{
	plan = (typeof(plan)){ .scalars = { 0, 0 } };
	EXPECT_FATAL(101, FUNC_TYPE, "at 0x0, is NULL or not aligned");
	plan.scalars[0] = (uintptr_t)counters + 2;
	EXPECT_FATAL(101, FUNC_TYPE, "is NULL or not aligned");
	plan.scalars[0] = (uintptr_t)counters;
	plan.scalars[1] = 1;
	EXPECT_FATAL(101, FUNC_TYPE, "a condition is of type 1");
}

/* One kernel, all kernels of a task together, and one that does not even try. */
TEST_F(deferred, overflow)
{
	plan = (typeof(plan)){ .scalars = { CONDITIONS + 1 } };
	EXPECT_FATAL(102, FUNC_MANY, "more than 64 conditions for one task");
	plan.blocks = 5;
	plan.scalars[0] = 13;
	EXPECT_FATAL(102, FUNC_MANY, "more than 64 conditions for one task");
	plan.scalars[0] = CONDITIONS + 1;
	EXPECT_FATAL(102, FUNC_COUNT_UP, "more than 64 conditions for one task");
	plan.scalars[0] = UINT32_MAX;
	EXPECT_FATAL(102, FUNC_COUNT_UP, "more than 64 conditions for one task");
}

static void entry_full(struct pto_rt *rt, const struct pto_orch_args *args)
{
	entry_one(rt, args);
	submit_fill(rt, 1, false);
}

/* As many as there can be. */
TEST_F(deferred, full)
{
	plan = (typeof(plan)){ .func = FUNC_MANY, .blocks = 4, .scalars = { CONDITIONS / 4 } };
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_full)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(0, refused);
}

/* Nobody raises the counters often enough. */
TEST_F(deferred, never)
{
	/* The bound grows until the machine gets as far as to the stall within it. */
	self->machine.run.sched_timeout_ns = 60 * MS;
	plan = (typeof(plan)){ .parts = PARTS, .blocks = 2, .value = 3, .fills = 2 };
	while (machine_run(&self->machine, entry_deferred) == PTO_DEV_TIMEOUT &&
	       self->machine.report.subcode != 4 &&
	       self->machine.run.sched_timeout_ns < 60000 * MS) {
		self->machine.run.sched_timeout_ns *= 2;
		clear();
	}
	EXPECT_EQ(100, self->machine.report.code);
	EXPECT_EQ(4, self->machine.report.subcode);
	EXPECT_EQ(0, self->machine.report.task);
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text,
			       "12 counters awaited, one by this task: it is 2, not 3")) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(0, sum);
	self->machine.run.sched_timeout_ns = 0;
	clear();
	plan.fills = 3;
	EXPECT_SEEN(2 * PARTS * EACH);
}

TEST_HARNESS_MAIN
