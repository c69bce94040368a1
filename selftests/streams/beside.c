// SPDX-License-Identifier: GPL-2.0
/*
 * What goes on beside a run that takes its time: mapping, loading and binding, and giving things
 * up. Commands are counted that are served while the run cannot end.
 */
#include <errno.h>
#include <unistd.h>

#include "pttest.h"

static const struct pt_callable empty = { .orch = "orch_empty" };

FIXTURE(beside) {
	int fd;
	struct pt_gate gate;
	uint64_t id;
};

FIXTURE_SETUP(beside)
{
	int cid;

	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &self->gate));
	cid = pt_prepare(self->fd, 7, &empty, NULL);
	ASSERT_EQ(7, cid);
	ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &self->id));
	while (!pt_gate_begun(&self->gate))
		pt_pause();
}

FIXTURE_TEARDOWN(beside)
{
	if (self->fd < 0)
		return;
	pt_gate_set(&self->gate, true);
	close(self->fd);
}

/* The run has not ended, and then it does, and well. */
static int let_go(FIXTURE_DATA(beside) *self)
{
	if (pt_gate_passed(&self->gate))
		return -EALREADY;
	pt_gate_set(&self->gate, true);
	return pt_finish(self->fd, self->id);
}

PT_TEST_F(beside, buffers_are_mapped)
{
	struct pt_buf buf[8];
	int served;

	for (served = 0; served < 8; served++)
		if (pt_buf_new(self->fd, 4096 << served, &buf[served]))
			break;
	EXPECT_EQ(8, served);
	EXPECT_EQ(0, let_go(self));
}

/* Its memory waits for the run, and nobody waits for that. */
PT_TEST_F(beside, buffers_are_given_up)
{
	struct pto_context_stats before, during, after;
	struct pt_buf buf;
	int served;

	ASSERT_EQ(0, pt_stats(self->fd, &before));
	for (served = 0; served < 8; served++) {
		if (pt_buf_new(self->fd, 1 << 20, &buf))
			break;
		pt_buf_free(self->fd, &buf);
	}
	EXPECT_EQ(8, served);
	ASSERT_EQ(0, pt_stats(self->fd, &during));
	EXPECT_EQ(before.bo_live, during.bo_live);
	EXPECT_EQ(before.bo_bytes + (8 << 20), during.bo_bytes);
	EXPECT_EQ(0, let_go(self));
	do {
		ASSERT_EQ(0, pt_stats(self->fd, &after));
	} while (after.bo_bytes != before.bo_bytes);
}

PT_TEST_F(beside, callables_are_loaded_and_given_up)
{
	struct pto_context_stats before, after;
	int served;

	ASSERT_EQ(0, pt_stats(self->fd, &before));
	for (served = 0; served < 8; served++)
		if (pt_prepare(self->fd, 20, &empty, NULL) != 20 || pt_unprepare(self->fd, 20))
			break;
	EXPECT_EQ(8, served);
	ASSERT_EQ(0, pt_stats(self->fd, &after));
	EXPECT_EQ(before.prepares + 8, after.prepares);
	EXPECT_EQ(before.aicpu_dlopen_count + 8, after.aicpu_dlopen_count);
	EXPECT_EQ(0, let_go(self));
}

/* More of them than a context keeps: the arena that the run uses is not one that goes. */
PT_TEST_F(beside, arenas_are_bound_and_dropped)
{
	struct pto_ioc_prewarm arg;
	int served;

	for (served = 0; served < 8; served++) {
		arg = (struct pto_ioc_prewarm){
			.size = sizeof(arg),
			.task_window = { 16, 16, 16, 16 },
			.heap = { 4096 << served, 4096, 4096, 4096 },
			.dep_pool = { 64, 64, 64, 64 },
		};
		if (pt_ioctl(self->fd, PTO_PREWARM, &arg))
			break;
	}
	EXPECT_EQ(8, served);
	EXPECT_EQ(0, let_go(self));
	EXPECT_EQ(0, pt_run(self->fd, 7, NULL, 0));
}

/* The callable that the run executes is unprepared, and prepared once more. */
PT_TEST_F(beside, what_the_run_executes_is_given_up)
{
	struct pt_gate again;

	EXPECT_EQ(0, pt_unprepare(self->fd, self->gate.cid));
	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &again));
	EXPECT_EQ(self->gate.cid, again.cid);
	EXPECT_EQ(0, let_go(self));
	pt_gate_set(&again, true);
	ASSERT_EQ(0, pt_gate_submit(self->fd, &again, PTO_STREAM_DEFAULT, &self->id));
	EXPECT_EQ(0, pt_finish(self->fd, self->id));
	EXPECT_EQ(1, pt_gate_passed(&again));
}

TEST_HARNESS_MAIN
