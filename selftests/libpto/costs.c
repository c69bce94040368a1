// SPDX-License-Identifier: GPL-2.0
/*
 * What the warm path costs, counted: system calls, allocations, commands to the device, bytes.
 * Nothing here depends on how fast anything is.
 */
#include <pto/pto.h>

#include "pttest.h"
#include "../../tools/bench/counters.h"

#define RUNS		1000
#define BURST		100	/* runs of an attempt */
#define ATTEMPTS	1000

FIXTURE(costs) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_callable *empty;
	int cid;
	int failed;	/* runs */
};

static void run_some(FIXTURE_DATA(costs) *self, int count)
{
	while (count--)
		self->failed += pto_run(self->ctx, self->cid, NULL, NULL, NULL) != 0;
}

FIXTURE_VARIANT(costs) {
	uint32_t kind;
};

FIXTURE_VARIANT_ADD(costs, device_orch) { .kind = PTO_KIND_DEVICE_ORCH };
FIXTURE_VARIANT_ADD(costs, host_graph) { .kind = PTO_KIND_HOST_GRAPH };

FIXTURE_SETUP(costs)
{
	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &self->empty));
	ASSERT_EQ(0, pto_callable_set_kind(self->empty, variant->kind));
	self->cid = pto_register(self->ctx, self->empty);
	ASSERT_GE(self->cid, 0);
	run_some(self, 100);
}

FIXTURE_TEARDOWN(costs)
{
	if (self->fd < 0)
		return;
	EXPECT_EQ(0, self->failed);
	pto_callable_free(self->empty);
	pto_close(self->ctx);
}

PT_TEST_F(costs, warm_run_allocates_nothing)
{
	uint64_t before = alloc_count();

	if (!COUNTS_ALLOCS)
		SKIP(return, "a sanitizer's allocator is not counted");
	free(malloc(1));
	ASSERT_EQ(before + 1, alloc_count());
	run_some(self, RUNS);
	EXPECT_EQ(before + 1, alloc_count());
}

static void burst(void *arg)
{
	run_some(arg, BURST);
}

/* The system calls of a burst, without those of waits that had to sleep; or -errno. */
static int64_t count_burst(FIXTURE_DATA(costs) *self)
{
	struct pto_debug_stats before, after;
	int64_t calls;
	int err = pt_debug_stats(pto_context_fd(self->ctx), &before);

	calls = err ? err : count_syscalls(burst, self);
	if (calls >= 0)
		err = pt_debug_stats(pto_context_fd(self->ctx), &after);
	if (err)
		return err;
	if (calls < 0 || !pt_simulator())
		return calls;
	return calls - (int64_t)(after.interrupts - before.interrupts);
}

/*
 * On the simulator a run costs a call if the device has to be woken for it, on a kernel one
 * ioctl, see also calls.c. A machine that is busy elsewhere may make any run of the simulator
 * wait for so long that it sleeps, which is one more call there and is not counted, and now and
 * then a wait sleeps twice; but if runs made one call more by themselves, no burst would get by
 * with half of that.
 */
PT_TEST_F(costs, warm_run_makes_one_system_call_at_most)
{
	int64_t calls = count_burst(self);
	int i;

	if (calls < 0)
		SKIP(return, "this kernel does not let us count (%s)", strerror((int)-calls));
	for (i = 0; i < ATTEMPTS && calls >= BURST + BURST / 2; i++)
		calls = count_burst(self);
	EXPECT_LT(calls, BURST + BURST / 2);
}

PT_TEST_F(costs, warm_run_takes_its_arena_as_it_is)
{
	struct pto_debug_stats debug_before, debug_after;
	struct pto_context_stats before, after;

	ASSERT_EQ(0, pto_query_stats(self->ctx, &before));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_before));
	run_some(self, RUNS);
	ASSERT_EQ(0, pto_query_stats(self->ctx, &after));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_after));
	EXPECT_EQ(before.arena_hits + RUNS, after.arena_hits);
	EXPECT_EQ(before.arena_misses, after.arena_misses);
	EXPECT_EQ(before.arena_builds, after.arena_builds);
	EXPECT_EQ(before.arena_rebinds, after.arena_rebinds);
	EXPECT_EQ(debug_before.device_commands, debug_after.device_commands);
	EXPECT_EQ(before.image_upload_bytes, after.image_upload_bytes);
}

static void expect_costs(struct __test_metadata *_metadata, const struct pto_debug_stats *debug)
{
	EXPECT_LT(0, debug->hand_over_ns);
	EXPECT_LT(0, debug->hand_over_tensor_ns);
	EXPECT_LE(debug->hand_over_tensor_ns, debug->hand_over_ns);
	EXPECT_LT(debug->hand_over_ns, debug->catch_up_ns);
	EXPECT_LT(100 * debug->hand_over_ns, debug->max_debt_ns);
}

/* It is measured when a context comes up, and by no run. */
PT_TEST_F(costs, what_handing_over_costs_is_told)
{
	struct pto_debug_stats before, after;

	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &before));
	expect_costs(_metadata, &before);
	TH_LOG("a hand-over takes %llu ns; %llu were measured",
	       (unsigned long long)before.hand_over_ns, (unsigned long long)before.hand_overs);
	run_some(self, RUNS);
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &after));
	EXPECT_EQ(before.hand_over_ns, after.hand_over_ns);
	EXPECT_EQ(before.hand_over_tensor_ns, after.hand_over_tensor_ns);
	EXPECT_EQ(before.catch_up_ns, after.catch_up_ns);
	EXPECT_EQ(before.max_debt_ns, after.max_debt_ns);
	EXPECT_EQ(before.hand_overs, after.hand_overs);
	ASSERT_EQ(0, pto_reset(self->ctx));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &after));
	expect_costs(_metadata, &after);
}

PT_TEST_F(costs, second_prepare_is_one_load_and_one_command)
{
	struct pto_debug_stats debug_before, debug_after;
	struct pto_context_stats before, after;

	ASSERT_EQ(0, pto_query_stats(self->ctx, &before));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_before));
	ASSERT_GE(pto_register(self->ctx, self->empty), 0);
	ASSERT_EQ(0, pto_query_stats(self->ctx, &after));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_after));
	EXPECT_EQ(before.image_uploads, after.image_uploads);
	EXPECT_EQ(before.image_upload_bytes, after.image_upload_bytes);
	if (variant->kind == PTO_KIND_HOST_GRAPH) {
		EXPECT_EQ(before.host_dlopen_count + 1, after.host_dlopen_count);
		EXPECT_EQ(before.aicpu_dlopen_count, after.aicpu_dlopen_count);
	} else {
		EXPECT_GT(after.image_dedup_hits, before.image_dedup_hits);
		EXPECT_EQ(before.host_dlopen_count, after.host_dlopen_count);
		EXPECT_EQ(before.aicpu_dlopen_count + 1, after.aicpu_dlopen_count);
	}
	EXPECT_EQ(before.kernel_load_count, after.kernel_load_count);
	EXPECT_EQ(debug_before.device_commands + 1, debug_after.device_commands);
}

TEST_HARNESS_MAIN
