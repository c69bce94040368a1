// SPDX-License-Identifier: GPL-2.0
/* Callables that fail, hang and crash: who notices, and who must not. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "pttest.h"

#define COUNT 100

static const struct pt_callable fatal = { .orch = "orch_fatal" };
static const struct pt_callable hang = { .orch = "orch_hang" };
static const struct pt_callable hung_begin = { .orch = "orch_hang_begin" };
static const struct pt_callable hung_end = { .orch = "orch_hang_end" };
static const struct pt_callable crash = { .orch = "orch_crash" };

FIXTURE(failing) {
	int fd;
	int other;
	struct pt_vec vec;
	struct pt_vec other_vec;
	struct pto_device_info info;
};

FIXTURE_VARIANT(failing) {
	uint32_t arch;
};

FIXTURE_VARIANT_ADD(failing, a2a3) { .arch = PTO_ARCH_A2A3 };
FIXTURE_VARIANT_ADD(failing, a5) { .arch = PTO_ARCH_A5 };

FIXTURE_SETUP(failing)
{
	self->other = -1;
	PT_OPEN(self->fd, variant->arch);
	PT_OPEN(self->other, variant->arch);
	ASSERT_EQ(0, pt_info(self->fd, &self->info));
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &self->vec));
	ASSERT_EQ(0, pt_vec_new(self->other, COUNT, &self->other_vec));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_prepare(self->other, 0, &pt_add, NULL));
}

FIXTURE_TEARDOWN(failing)
{
	if (self->fd < 0 || self->other < 0)
		return;
	close(self->fd);
	close(self->other);
}

FIXTURE(bounded) {
	struct pt_ptod ptod;
	int fd;
	struct pt_vec vec;
};

FIXTURE_SETUP(bounded)
{
	self->ptod.timeout_ms = "1000";
	self->fd = -1;
	setenv("PTO_SIM_TIMEOUT_MS", self->ptod.timeout_ms, 1);
	if (pt_simulator())
		self->fd = pt_open(0);
	else if (pt_ptod_possible())
		self->fd = pt_ptod_start(&self->ptod);
	else
		SKIP(return, "no device of our own here");
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &self->vec));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
}

FIXTURE_TEARDOWN(bounded)
{
	if (self->fd >= 0)
		close(self->fd);
	EXPECT_EQ(0, pt_ptod_kill(&self->ptod));
}

static void runs_right(struct __test_metadata *_metadata, int fd, struct pt_vec *vec)
{
	pt_vec_fill(vec, 1, 2);
	ASSERT_EQ(0, pt_run(fd, 0, &vec->args, vec->args_bytes));
	ASSERT_EQ(0, pt_vec_wrong(vec, '+', 1, 2));
}

/* Submit a run of @cid with a bound of @timeout_ns on the device. */
static int submit_bounded(int fd, int cid, uint64_t timeout_ns, uint64_t *id)
{
	struct pto_run_entry entry = { .cid = cid, .timeout_ns = timeout_ns };

	return pt_submit_entry(fd, PTO_STREAM_DEFAULT, &entry, id);
}

PT_TEST_F(failing, explicit_error_is_told_and_harms_nobody)
{
	struct pto_context_stats stats;
	char log[256] = "";
	struct pto_ioc_wait wait = {
		.size = sizeof(wait),
		.timeout_ns = pt_deadline(),
		.log_ptr = (uintptr_t)log,
		.log_size = sizeof(log),
	};
	uint64_t id;
	int i;

	ASSERT_EQ(1, pt_prepare(self->fd, 1, &fatal, NULL));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 1, NULL, 0, &id));
		wait.run = id;
		ASSERT_EQ(0, pt_ioctl(self->fd, PTO_WAIT, &wait));
		EXPECT_EQ(-EREMOTEIO, wait.status);
		EXPECT_EQ(PTO_FATAL_EXPLICIT, wait.code);
		EXPECT_TRUE(!!strstr(log, "failed as it was told to"));
		runs_right(_metadata, self->fd, &self->vec);
	}
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(3, stats.runs_failed);
	EXPECT_EQ(PTO_CTX_OK, stats.state);
}

PT_TEST_F(failing, wrong_number_of_arguments_leaves_the_callable_intact)
{
	struct pto_context_stats before, after;
	uint32_t bytes;

	ASSERT_EQ(0, pt_stats(self->fd, &before));
	bytes = pt_args_write(self->other_vec.args.map, 0, NULL, 0, NULL);
	EXPECT_EQ(-EINVAL, pt_run(self->fd, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, pt_run(self->other, 0, &self->other_vec.args, bytes));
	runs_right(_metadata, self->fd, &self->vec);
	ASSERT_EQ(0, pt_stats(self->fd, &after));
	EXPECT_EQ(before.aicpu_dlopen_count, after.aicpu_dlopen_count);
	EXPECT_EQ(PTO_CTX_OK, after.state);
}

/* Its time is over, it is told so, and everybody else goes on. */
PT_TEST_F(failing, hang_ends_by_its_bound)
{
	struct pto_context_stats stats;
	struct pto_ioc_wait wait;
	uint64_t id;

	ASSERT_EQ(1, pt_prepare(self->fd, 1, &hang, NULL));
	ASSERT_EQ(0, submit_bounded(self->fd, 1, PT_SECOND / 5, &id));
	runs_right(_metadata, self->other, &self->other_vec);
	ASSERT_EQ(0, pt_wait(self->fd, id, &wait));
	EXPECT_EQ(-ETIMEDOUT, wait.status);
	runs_right(_metadata, self->other, &self->other_vec);
	ASSERT_EQ(0, pt_stats(self->other, &stats));
	EXPECT_EQ(PTO_CTX_OK, stats.state);
}

/* What a hang has cost the context is given back by a reset: cids, buffers, all of it. */
PT_TEST_F(failing, reset_brings_everything_back)
{
	struct pto_context_stats stats;
	uint64_t id;

	ASSERT_EQ(1, pt_prepare(self->fd, 1, &hang, NULL));
	ASSERT_EQ(0, submit_bounded(self->fd, 1, PT_SECOND / 5, &id));
	EXPECT_EQ(-ETIMEDOUT, pt_finish(self->fd, id));
	strcpy(self->vec.data.map, "still here");
	ASSERT_EQ(0, pt_reset(self->fd));
	EXPECT_STREQ("still here", (char *)self->vec.data.map);
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(PTO_CTX_OK, stats.state);
	EXPECT_EQ(1, stats.resets);
	EXPECT_EQ(2, stats.callables_live);
	runs_right(_metadata, self->fd, &self->vec);
	EXPECT_EQ(-EEXIST, pt_prepare(self->fd, 1, &pt_add, NULL));
}

/* Runs behind the one that hangs end too; a reset cancels what has not. */
PT_TEST_F(failing, reset_cancels_what_is_in_flight)
{
	uint64_t id, behind;
	int status;

	ASSERT_EQ(1, pt_prepare(self->fd, 1, &hang, NULL));
	ASSERT_EQ(0, submit_bounded(self->fd, 1, 0, &id));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, &self->vec.args,
			       self->vec.args_bytes, &behind));
	ASSERT_EQ(0, pt_reset(self->fd));
	EXPECT_EQ(-ECANCELED, pt_finish(self->fd, id));
	status = pt_finish(self->fd, behind);
	EXPECT_EQ(-ECANCELED, status);
	runs_right(_metadata, self->fd, &self->vec);
	runs_right(_metadata, self->other, &self->other_vec);
}

static void crashes(struct __test_metadata *_metadata, FIXTURE_DATA(failing) *self,
		    const struct pt_callable *callable, const struct pt_buf *args,
		    uint32_t args_bytes)
{
	struct pto_context_stats stats;
	char log[256] = "";
	struct pto_ioc_wait wait = {
		.size = sizeof(wait),
		.timeout_ns = pt_deadline(),
		.log_ptr = (uintptr_t)log,
		.log_size = sizeof(log),
	};
	uint64_t id;

	ASSERT_EQ(1, pt_prepare(self->fd, 1, callable, NULL));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 1, args, args_bytes, &id));
	wait.run = id;
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_WAIT, &wait));
	EXPECT_EQ(-EIO, wait.status);
	EXPECT_NE('\0', log[0]);
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(PTO_CTX_LOST, stats.state);
	EXPECT_EQ(-EIO, pt_run(self->fd, 0, &self->vec.args, self->vec.args_bytes));
	runs_right(_metadata, self->other, &self->other_vec);
	ASSERT_EQ(0, pt_reset(self->fd));
	runs_right(_metadata, self->fd, &self->vec);
}

#define NEEDS_ISOLATION() do { \
	if (!(self->info.features & PTO_FEATURE_ISOLATED)) \
		SKIP(return, "a crash is the application's here (no PTO_FEATURE_ISOLATED)"); \
} while (0)

PT_TEST_F(failing, crash_of_an_orchestration_is_its_contexts_alone)
{
	uint64_t nobodys = 16;
	struct pt_buf args;
	uint32_t bytes;

	NEEDS_ISOLATION();
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &args));
	bytes = pt_args_write(args.map, 0, NULL, 1, &nobodys);
	crashes(_metadata, self, &crash, &args, bytes);
}

/* Memory of another context is as far away as no memory. */
PT_TEST_F(failing, other_contexts_memory_is_out_of_reach)
{
	uint64_t foreign = self->other_vec.data.addr;
	uint32_t bytes;
	struct pt_buf args;

	NEEDS_ISOLATION();
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &args));
	bytes = pt_args_write(args.map, 0, NULL, 1, &foreign);
	crashes(_metadata, self, &crash, &args, bytes);
}

PT_TEST_F(failing, crash_of_a_kernel_is_its_contexts_alone)
{
	struct pt_callable kernel = pt_add;

	NEEDS_ISOLATION();
	kernel.kernels[0].object = "kernel_crash";
	crashes(_metadata, self, &kernel, &self->vec.args, self->vec.args_bytes);
}

PT_TEST_F(failing, hang_of_a_kernel_ends_by_its_bound)
{
	struct pt_callable kernel = pt_add;
	struct pto_run_entry entry = {
		.cid = 1,
		.args_bo = self->vec.args.id,
		.args_size = self->vec.args_bytes,
		.timeout_ns = PT_SECOND / 5,
	};
	struct pto_ioc_wait wait;
	uint64_t id;

	kernel.kernels[0].object = "kernel_hang";
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &kernel, NULL));
	ASSERT_EQ(0, pt_submit_entry(self->fd, PTO_STREAM_DEFAULT, &entry, &id));
	ASSERT_EQ(0, pt_wait(self->fd, id, &wait));
	EXPECT_EQ(-ETIMEDOUT, wait.status);
	runs_right(_metadata, self->other, &self->other_vec);
	ASSERT_EQ(0, pt_reset(self->fd));
	runs_right(_metadata, self->fd, &self->vec);
}

/*
 * Constructors and destructors have a second here, on a device of our own. The context and its
 * callables stay what they were.
 */
TEST_F(bounded, constructor_and_destructor_that_hang)
{
	struct pto_context_stats before, after;

	EXPECT_EQ(0, pt_stats(self->fd, &before));
	EXPECT_EQ(-ETIMEDOUT, pt_prepare(self->fd, 1, &hung_begin, NULL));
	runs_right(_metadata, self->fd, &self->vec);
	EXPECT_EQ(1, pt_prepare(self->fd, 1, &hung_end, NULL));
	EXPECT_EQ(0, pt_unprepare(self->fd, 1));
	runs_right(_metadata, self->fd, &self->vec);
	EXPECT_EQ(1, pt_prepare(self->fd, 1, &pt_add, NULL));
	EXPECT_EQ(0, pt_stats(self->fd, &after));
	EXPECT_EQ(before.aicpu_dlopen_count + 2, after.aicpu_dlopen_count);
	EXPECT_EQ(PTO_CTX_OK, after.state);
}

TEST_HARNESS_MAIN
