// SPDX-License-Identifier: GPL-2.0
/*
 * PTO_CTX_RESET against a model: runs of two streams end in random ways, some of which lose the
 * context, and it is reset at random moments. Results are kept: what had ended stays as it was,
 * what was in flight is ECANCELED, what was read stays read, ids go on; and the context is lost
 * exactly when the device has said so.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define STREAMS		2
#define RUNS		4000	/* of a stream at most */
#define STEPS		3000
#define SEEDS		20

/* A stream as the model sees it. */
struct stream {
	uint32_t id;
	uint32_t queue;
	uint64_t submitted;
	uint64_t completed;
	uint64_t read;
	int status[RUNS + 1];	/* of those that have completed */
	bool reported[RUNS + 1];
};

FIXTURE(kept) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	struct stream *streams;
	bool lost;
	uint64_t resets;
};

static unsigned int seed;
static uint32_t status;		/* how the next run ends */

static unsigned int below(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static void end_run(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = status;
	if (status == PTO_DEV_PROGRAM)
		rig_report(rig, queue, cqe->id, "a program's own");
}

FIXTURE_SETUP(kept)
{
}

FIXTURE_TEARDOWN(kept)
{
}

static void begin(struct __test_metadata *_metadata, FIXTURE_DATA(kept) *self)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };

	self->lost = false;
	self->resets = 0;
	self->streams = calloc(STREAMS, sizeof(*self->streams));
	ASSERT_NE(NULL, self->streams);
	self->rig = rig_new();
	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = end_run;
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	self->streams[0].id = PTO_STREAM_DEFAULT;
	self->streams[0].queue = rig_last_bound(self->rig);
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
	self->streams[1].id = create.id;
	self->streams[1].queue = rig_last_bound(self->rig);
	self->rig->held = 1u << self->streams[0].queue | 1u << self->streams[1].queue;
}

static void end(FIXTURE_DATA(kept) *self)
{
	int i;

	self->rig->held = 0;
	for (i = 0; i < STREAMS; i++)
		rig_release(self->rig, self->streams[i].queue, RIG_DEPTH);
	rig_close(self->ctx);
	rig_free(self->rig);
	free(self->streams);
}

static void submit(struct __test_metadata *_metadata, FIXTURE_DATA(kept) *self,
		   struct stream *s)
{
	struct pto_run_entry entry = {
		.user_data = s->id * 100000ULL + s->submitted + 1,
		.args_bo = self->bo.id,
		.args_size = 64,
	};
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = s->id,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	int err = rig_ioctl(self->ctx, PTO_RUN, &arg);

	if (self->lost) {
		ASSERT_EQ(-EIO, err);
	} else if (s->submitted - s->completed == RIG_DEPTH) {
		ASSERT_EQ(-EAGAIN, err);
	} else {
		ASSERT_EQ(0, err);
		ASSERT_EQ((uint64_t)s->id << 48 | ++s->submitted, arg.first_id);
	}
}

static int errno_of(uint32_t device_status)
{
	static const int errors[] = {
		[PTO_DEV_INVALID] = -EINVAL, [PTO_DEV_FAULT] = -EIO, [PTO_DEV_TIMEOUT] = -ETIMEDOUT,
		[PTO_DEV_ABORTED] = -ECANCELED, [PTO_DEV_PROGRAM] = -EREMOTEIO,
	};

	return errors[device_status];
}

/* One run ends, and the driver looks. */
static void finish(struct __test_metadata *_metadata, FIXTURE_DATA(kept) *self,
		   struct stream *s)
{
	static const uint32_t ends[] = {
		PTO_DEV_OK, PTO_DEV_OK, PTO_DEV_OK, PTO_DEV_INVALID, PTO_DEV_TIMEOUT,
		PTO_DEV_PROGRAM, PTO_DEV_PROGRAM,
	};
	struct pto_context_stats stats;

	if (s->submitted == s->completed)
		return;
	status = ends[below(7)];
	if (!below(40))
		status = below(2) ? PTO_DEV_FAULT : PTO_DEV_ABORTED;
	rig_release(self->rig, s->queue, 1);
	s->status[++s->completed] = errno_of(status);
	s->reported[s->completed] = status == PTO_DEV_PROGRAM;
	self->lost |= status == PTO_DEV_FAULT || status == PTO_DEV_ABORTED;
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	ASSERT_EQ(self->lost ? PTO_CTX_LOST : PTO_CTX_OK, stats.state);
}

static void reset(struct __test_metadata *_metadata, FIXTURE_DATA(kept) *self)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };
	struct pto_context_stats stats;
	struct stream *s;

	status = PTO_DEV_ABORTED;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &arg));
	for (s = self->streams; s < self->streams + STREAMS; s++)
		while (s->completed != s->submitted)
			s->status[++s->completed] = -ECANCELED;
	self->lost = false;
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	ASSERT_EQ(PTO_CTX_OK, stats.state);
	ASSERT_EQ(++self->resets, stats.resets);
}

static bool report_kept(const struct stream *s, uint64_t number)
{
	uint64_t n;

	/* The latest failure in each place of the ring of reports. */
	for (n = number + PTO_DEV_REPORTS; n <= s->completed; n += PTO_DEV_REPORTS)
		if (s->reported[n])
			return false;
	return s->reported[number];
}

static void read_result(struct __test_metadata *_metadata, FIXTURE_DATA(kept) *self,
			struct stream *s)
{
	uint64_t back = below(below(3) ? 8 : 2 * RIG_DEPTH);
	uint64_t number = s->submitted > back ? s->submitted - back : 1;
	char text[64] = "";
	struct pto_ioc_wait wait = { .log_ptr = (uintptr_t)text, .log_size = sizeof(text) };
	int err = rig_wait(self->ctx, (uint64_t)s->id << 48 | number, 0, &wait);

	if (number > s->submitted) {
		ASSERT_EQ(-ENOENT, err);
		return;
	}
	if (number > s->completed) {
		ASSERT_EQ(-ETIMEDOUT, err);
		return;
	}
	if (s->completed - number >= RIG_DEPTH) {
		ASSERT_EQ(-ESTALE, err);
		return;
	}
	ASSERT_EQ(0, err);
	ASSERT_EQ(s->status[number], wait.status);
	ASSERT_EQ(s->id * 100000ULL + number, wait.user_data);
	ASSERT_STREQ(report_kept(s, number) ? "a program's own" : "", text);
	if (number > s->read)
		s->read = number;
}

static void look(struct __test_metadata *_metadata, FIXTURE_DATA(kept) *self)
{
	unsigned int events = rig_poll(self->ctx);
	bool unread = false;
	int i;

	for (i = 0; i < STREAMS; i++)
		unread |= self->streams[i].completed > self->streams[i].read;
	ASSERT_EQ(unread, !!(events & POLLIN));
	ASSERT_EQ(self->lost, !!(events & POLLERR));
}

static void step(struct __test_metadata *_metadata, FIXTURE_DATA(kept) *self)
{
	struct stream *s = &self->streams[below(STREAMS)];

	switch (below(12)) {
	case 0:
		if (!below(self->lost ? 2 : 20))
			reset(_metadata, self);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		if (s->submitted < RUNS)
			submit(_metadata, self, s);
		break;
	case 5:
	case 6:
	case 7:
		finish(_metadata, self, s);
		break;
	case 8:
		look(_metadata, self);
		break;
	default:
		read_result(_metadata, self, s);
	}
}

TEST_F(kept, across_resets)
{
	long memory = rig_memory();
	unsigned int first, i;

	for (first = 1; first <= SEEDS; first++) {
		seed = first;
		begin(_metadata, self);
		for (i = 0; i < STEPS; i++)
			step(_metadata, self);
		EXPECT_GT(self->resets, 0) {
			TH_LOG("seed %u", first);
		}
		end(self);
		ASSERT_EQ(memory, rig_memory());
	}
}

TEST_HARNESS_MAIN
