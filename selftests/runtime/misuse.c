// SPDX-License-Identifier: GPL-2.0
/*
 * Orchestrations and kernels that use their calls wrongly: each ends its run with INVALID_ARGS and
 * says what was wrong, and the next run is as good as ever. Besides, what a program may say in
 * the log.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <pto/kernel.h>
#include <sim/device/engine.h>

#include "kselftest_harness.h"
#include "engine_fixture.h"
#include "hosted.h"

enum { FUNC_NOTHING, FUNC_STRANGER, FUNC_NAP, FUNC_WAIT, FUNC_COUNT };

static uint32_t word, begun;
static struct pto_kernel_rt *other;	/* what some other kernel was given; atomic */

static void kernel_nothing(int64_t *args)
{
	struct pto_local_context *local = (void *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL];

	__atomic_store_n(&other, local->rt, __ATOMIC_RELAXED);
}

/* Uses what has been given to a kernel that has ended. */
static void *outside(void *arg)
{
	((struct pto_kernel_rt *)arg)->ops->wait_ge(arg, &word, 1);
	return NULL;
}

static void kernel_stranger(int64_t *args)
{
	pthread_t thread;

	kernel_nothing(args);
	if (!pthread_create(&thread, NULL, outside, other))
		pthread_join(thread, NULL);
}

/* Longer than a ring may stand still while nothing runs. */
static void kernel_nap(int64_t *args)
{
	__atomic_fetch_add(&begun, 1, __ATOMIC_RELEASE);
	usleep(600000);
}

static void kernel_wait(int64_t *args)
{
	pto_wait_ge(args, &begun, 1);
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_NOTHING] = { kernel_nothing, PTO_CORE_AIV },
	[FUNC_STRANGER] = { kernel_stranger, PTO_CORE_AIV },
	[FUNC_NAP] = { kernel_nap, PTO_CORE_AIV },
	[FUNC_WAIT] = { kernel_wait, PTO_CORE_AIC },
};

FIXTURE(misuse)
{
	struct machine machine;
};

FIXTURE_SETUP(misuse)
{
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A2A3, 2, kernels, FUNC_COUNT));
}

FIXTURE_TEARDOWN(misuse)
{
	machine_stop(&self->machine);
}

static struct pto_tensor word_tensor(void)
{
	uint32_t one = 1;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)&word, PTO_DTYPE_UINT32, 1, &one, 0, 0);
	return t;
}

/* --- what is wrong ------------------------------------------------------- */

#define WRONG(name, what) \
	static void name(struct pto_rt *rt, const struct pto_orch_args *unused) \
	{ \
		struct pto_tensor t = word_tensor(); \
		struct pto_task_args args; \
		\
		pto_task_args_init(&args); \
		pto_add_inout(&args, &t); \
		what; \
	}

#define SUBMIT pto_submit_aiv(rt, FUNC_NOTHING, &args)

static const struct pto_func_ids *no_list;
static const struct pto_task_args *no_args;
static const struct pto_create_info *no_infos;
static const struct pto_tensor *no_tensor;

WRONG(null_args, pto_submit_aiv(rt, FUNC_NOTHING, no_args))
WRONG(old_args, args.size = PTO_TASK_ARGS_MIN_SIZE - 1; SUBMIT)
WRONG(unknown_type, args.types[0] = PTO_ARG_NO_DEP + 1; SUBMIT)
WRONG(broken_tensor, t.ndims = 0; SUBMIT)
WRONG(no_memory, t.addr = 0; SUBMIT)
WRONG(null_list, pto_submit_task(rt, no_list, &args))
WRONG(null_infos, pto_alloc_tensors(rt, no_infos, 2))
WRONG(element_null, pto_get_i32(rt, no_tensor, 0))
WRONG(element_broken, t.dtype = PTO_DTYPE_COUNT; pto_get_i32(rt, &t, 0))
WRONG(element_nowhere, t.addr = 0; pto_set_i32(rt, &t, 0, 1))

#define PREDICATE(change) do { \
		uint32_t index = 0; \
		\
		pto_set_predicate(&args, &t, 1, &index, PTO_PREDICATE_EQ, 0); \
		change; \
		SUBMIT; \
	} while (0)

WRONG(predicate_null, PREDICATE(args.predicate = NULL))
WRONG(predicate_op, PREDICATE(args.predicate_op = PTO_PREDICATE_GE + 1))
WRONG(stranger, pto_submit_aiv(rt, FUNC_STRANGER, &args))

static void good(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_submit_aiv(rt, FUNC_NOTHING, &task);
}

TEST_F(misuse, calls)
{
	static const struct {
		pto_orch_entry_fn entry;
		const char *text;
	} rows[] = {
		{ null_args, "not initialised" },
		{ old_args, "not initialised" },
		{ unknown_type, "unknown type" },
		{ broken_tensor, "not a valid tensor" },
		{ no_memory, "not in device memory" },
		{ null_list, "no list of kernels" },
		{ null_infos, "submit: " },
		{ element_null, "element access: the tensor is not valid" },
		{ element_broken, "element access: the tensor is not valid" },
		{ element_nowhere, "element access: the tensor is not valid" },
		{ predicate_null, "the tensor is not valid" },
		{ predicate_op, "unknown comparison" },
		{ stranger, "outside of the kernel" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, rows[i].entry)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->machine.report.code);
		EXPECT_NE(NULL, strstr((char *)self->machine.report.text, rows[i].text)) {
			TH_LOG("row %zu: %s", i, self->machine.report.text);
		}
		EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, good));
	}
}

/* Outputs of more bytes than 64 bits count. */
static void huge(struct pto_rt *rt, const struct pto_orch_args *unused)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT8, 1u << 31);
	struct pto_task_args args;

	info.ndims = 2;
	info.shapes[1] = UINT32_MAX;
	pto_task_args_init(&args);
	pto_add_output(&args, &info);
	pto_add_output(&args, &info);
	pto_add_output(&args, &info);
	pto_submit_aiv(rt, FUNC_NOTHING, &args);
}

TEST_F(misuse, huge_outputs)
{
	EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, huge));
	EXPECT_EQ(PTO_FATAL_HEAP_RING_DEADLOCK, self->machine.report.code);
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, good));
}

/* --- graphs -------------------------------------------------------------- */

/* As if the graph had grown to its limit. */
static void no_more_graph(struct pto_rt *rt, const struct pto_orch_args *args)
{
	((struct hosted *)rt)->graph.size = PTO_DEV_GRAPH_MAX_SIZE - 8;
	good(rt, args);
}

TEST_F(misuse, graphs)
{
	struct hosted host;

	ASSERT_EQ(0, hosted_init(&host, &self->machine.plan, kernels, FUNC_COUNT));
	EXPECT_FALSE(hosted_build(&host, no_more_graph, NULL));
	EXPECT_EQ(PTO_FATAL_FLOW_CONTROL_DEADLOCK, pto_rt_fatal_code(&host.rt));
	EXPECT_NE(NULL, strstr(host.rt.fatal_text, "a graph of more than"));
	host.no_room = true;
	free(host.graph.data);
	host.graph.data = NULL;
	host.graph.room = 0;
	EXPECT_FALSE(hosted_build(&host, good, NULL));
	EXPECT_NE(NULL, strstr(host.rt.fatal_text, "out of host memory"));
	host.no_room = false;
	EXPECT_TRUE(hosted_build(&host, good, NULL));
	hosted_free(&host);
}

/* Each task accesses regions of its own, as many as it can. */
static void many_regions(struct pto_rt *rt, const struct pto_orch_args *unused)
{
	const uint32_t one = 1, all = 1024 * PTO_TASK_MAX_TENSORS;
	struct pto_tensor whole, views[PTO_TASK_MAX_TENSORS];
	struct pto_task_args args;
	uint32_t at = 0;

	pto_external(&whole, (uintptr_t)&word, PTO_DTYPE_UINT8, 1, &all, 0, 0);
	while (at < all) {
		pto_task_args_init(&args);
		do {
			pto_tensor_view(&whole, &one, &at, &views[at % PTO_TASK_MAX_TENSORS]);
			pto_add_inout(&args, &views[at % PTO_TASK_MAX_TENSORS]);
		} while (++at % PTO_TASK_MAX_TENSORS);
		pto_submit_aiv(rt, FUNC_NOTHING, &args);
	}
}

/* Nothing of a graph completes while it is built, so none of its regions is given up. */
TEST_F(misuse, graph_of_many_regions)
{
	struct hosted host;
	char text[80];

	ASSERT_EQ(0, hosted_init(&host, &self->machine.plan, kernels, FUNC_COUNT));
	EXPECT_FALSE(hosted_build(&host, many_regions, NULL));
	EXPECT_EQ(PTO_FATAL_TENSORMAP_OVERFLOW, pto_rt_fatal_code(&host.rt));
	snprintf(text, sizeof(text), "all %u regions are accessed by tasks of the graph",
		 host.rt.arena->region_count - 1);
	EXPECT_NE(NULL, strstr(host.rt.fatal_text, text)) {
		TH_LOG("%s", host.rt.fatal_text);
	}
	EXPECT_TRUE(hosted_build(&host, good, NULL));
	hosted_free(&host);
}

/* --- waiting ------------------------------------------------------------- */

static void await_begun(uint32_t count)
{
	while (__atomic_load_n(&begun, __ATOMIC_ACQUIRE) < count)
		usleep(100);
}

/* More tasks than the ring has slots. */
static void fill_ring(struct pto_rt *rt)
{
	int i;

	for (i = 0; i < 8; i++)
		PTO_SCOPE(rt)
			good(rt, NULL);
}

/*
 * The workers hold the oldest task for longer than the backstop, and the orchestrator, which has
 * begun none of it, has nothing to do but to wait.
 */
static void naps(struct pto_rt *rt, const struct pto_orch_args *unused)
{
	struct pto_task_args args;

	pto_task_args_init(&args);
	pto_set_block_num(&args, 2);
	PTO_SCOPE(rt) {
		pto_submit_aiv(rt, FUNC_NAP, &args);
		await_begun(2);
	}
	fill_ring(rt);
}

TEST_F(misuse, ring_waits_for_kernels)
{
	machine_rings(&self->machine, 4, 1024, 4);
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, naps)) {
		TH_LOG("%s", self->machine.report.text);
	}
}

/* The only worker's part waits for the other one, which so goes to a thread of the crew. */
static void crew_naps(struct pto_rt *rt, const struct pto_orch_args *unused)
{
	struct pto_task_args args;

	pto_task_args_init(&args);
	PTO_SCOPE(rt) {
		pto_submit_mixed(rt, FUNC_WAIT, FUNC_NAP, PTO_FUNC_NONE, &args);
		await_begun(1);
	}
	fill_ring(rt);
}

TEST_F(misuse, ring_waits_for_the_crew)
{
	machine_stop(&self->machine);
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A2A3, 1, kernels, FUNC_COUNT));
	machine_rings(&self->machine, 4, 1024, 4);
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, crew_naps)) {
		TH_LOG("%s", self->machine.report.text);
	}
}

/* --- the log ------------------------------------------------------------- */

static void talk(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_log(rt, PTO_LOG_ERROR, "line %d", 0);
	pto_log(rt, PTO_LOG_WARN, "line %d", 1);
	pto_log(rt, PTO_LOG_INFO, "line %d", 2);
	pto_log(rt, PTO_LOG_DEBUG, "line %d", 3);
}

/* Lines that the program prints with PTO_LOG as it is. Return: how many */
static int lines_said(struct machine *m)
{
	int ends[2], saved = dup(STDERR_FILENO), lines = 0;
	char text[512];
	ssize_t n, i;

	if (pipe(ends))
		return -1;
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	machine_run(m, talk);
	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((n = read(ends[0], text, sizeof(text))) > 0)
		for (i = 0; i < n; i++)
			lines += text[i] == '\n';
	close(ends[0]);
	return lines;
}

TEST_F(misuse, log)
{
	static const char * const levels[] = { "none", "error", "warn", "info", "debug" };
	int i;

	for (i = 0; i < 5; i++) {
		setenv("PTO_LOG", levels[i], 1);
		EXPECT_EQ(i, lines_said(&self->machine));
	}
	unsetenv("PTO_LOG");
	EXPECT_EQ(2, lines_said(&self->machine));
}

TEST_HARNESS_MAIN
