// SPDX-License-Identifier: GPL-2.0
/*
 * Memory between two owners. A context fills all that it has with its data, and ends in one of many
 * ways. The next context takes all memory that there is, and all queue pairs, and must find
 * nothing but zeros.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define PAGE	4096u
#define MARK	0xa5

/* What happens to the first context before it is closed. Return: 0 or -errno */
typedef int (*end_func)(struct rig *rig, struct pto_ctx *ctx, uint32_t bo);

static int reset(struct pto_ctx *ctx)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };

	return rig_ioctl(ctx, PTO_CTX_RESET, &arg);
}

/* A run crashes. */
static int lose(struct rig *rig, struct pto_ctx *ctx, uint32_t unused)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	int err;

	rig_rule(rig, &(struct rig_rule){ .opcode = PTO_DEV_RUN, .status = PTO_DEV_FAULT });
	err = rig_run(ctx, 0, 0, &id);
	if (!err)
		err = rig_wait(ctx, id, PTO_WAIT_FOREVER, &wait);
	rig_no_rules(rig);
	return err ? err : wait.status == -EIO ? 0 : -EPROTO;
}

static int lose_and_reset(struct rig *rig, struct pto_ctx *ctx, uint32_t bo)
{
	int err = lose(rig, ctx, bo);

	return err ? err : reset(ctx);
}

static int destroy(struct rig *rig, struct pto_ctx *ctx, uint32_t bo)
{
	int err = rig_bo_destroy(ctx, bo);

	rig_settle();
	return err;
}

/* The device does not give the buffer back. */
static int destroy_in_vain(struct rig *rig, struct pto_ctx *ctx, uint32_t bo)
{
	int err;

	rig_rule(rig, &(struct rig_rule){ .opcode = PTO_DEV_UNMAP, .status = PTO_DEV_INVALID });
	err = destroy(rig, ctx, bo);
	rig_no_rules(rig);
	return err;
}

static int fail_to_clear(struct rig *rig, struct pto_ctx *ctx, uint32_t bo)
{
	rig->clear_fails = true;
	return destroy(rig, ctx, bo);
}

/* The device does not end the hardware context either. */
static int keep_all(struct rig *rig, struct pto_ctx *ctx, uint32_t bo)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_CTX_DESTROY, .status = PTO_DEV_INVALID };

	rig_rule(rig, &rule);
	return 0;
}

static int nothing(struct rig *rig, struct pto_ctx *ctx, uint32_t bo)
{
	return 0;
}

FIXTURE(owners) {
	struct rig *rig;
	long memory;
};

FIXTURE_VARIANT(owners) {
	end_func ending;
};

FIXTURE_VARIANT_ADD(owners, closed) { nothing };
FIXTURE_VARIANT_ADD(owners, destroyed) { destroy };
FIXTURE_VARIANT_ADD(owners, lost) { lose };
FIXTURE_VARIANT_ADD(owners, lost_and_reset) { lose_and_reset };
FIXTURE_VARIANT_ADD(owners, not_given_back) { destroy_in_vain };
FIXTURE_VARIANT_ADD(owners, not_ended) { keep_all };
FIXTURE_VARIANT_ADD(owners, not_cleared_by_the_transport) { fail_to_clear };

FIXTURE_SETUP(owners)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
}

FIXTURE_TEARDOWN(owners)
{
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* Everything behind the indices of a queue pair: entries and reports */
static unsigned char *entries(struct rig *rig, uint32_t queue)
{
	return (unsigned char *)(rig_queue(rig, queue) + 1);
}

#define ENTRIES_BYTES	(PTO_DEV_QUEUE_BYTES(RIG_DEPTH) - sizeof(struct pto_dev_queue))

static bool is_zero(const void *bytes, size_t count)
{
	const unsigned char *byte = bytes;

	return !*byte && !memcmp(byte, byte + 1, count - 1);
}

/* What the device may write to: all of it, wherever the driver expects nothing new. */
static int live(struct rig *rig, end_func ending)
{
	struct pto_ioc_wait wait = { 0 };
	struct pto_ioc_bo_create bo;
	struct pto_ctx *ctx;
	uint32_t queue;
	uint64_t id;
	int err;

	err = rig_open(rig, &ctx);
	if (err)
		return err;
	err = rig_ready(ctx, &bo);
	if (!err)
		err = rig_run(ctx, 0, bo.id, &id);
	if (!err)
		err = rig_wait(ctx, id, PTO_WAIT_FOREVER, &wait);
	if (!err) {
		memset((void *)(uintptr_t)bo.device_addr, MARK, 3 * PAGE);
		for (queue = 1; queue <= 2; queue++)
			memset(entries(rig, queue), MARK, ENTRIES_BYTES);
		err = ending(rig, ctx, bo.id);
	}
	rig_close(ctx);
	rig_settle();
	return err;
}

/* --- the next one ----------------------------------------------------------------------- */

static unsigned int queues_seen, queues_dirty;

/* A queue pair has been given to a context. It has no entries yet. */
static void look_at_queue(struct rig *rig, uint32_t unused, struct pto_dev_cqe *cqe)
{
	const struct rig_log_entry *last = &rig->log[(rig->logged - 1) % RIG_LOG];
	const struct pto_dev_cmd_queue *cmd = (const void *)&last->cmd;

	queues_seen++;
	if (!is_zero(entries(rig, cmd->queue), ENTRIES_BYTES))
		queues_dirty++;
}

static void look_at_queues(struct rig *rig)
{
	queues_seen = 0;
	queues_dirty = 0;
	rig_rule(rig, &(struct rig_rule){ .opcode = PTO_DEV_CTX_CREATE, .spoil = look_at_queue });
	rig_rule(rig, &(struct rig_rule){ .opcode = PTO_DEV_QUEUE_BIND, .spoil = look_at_queue });
}

/* Pages that can be allocated, all of them at once. Return: how many are not zero */
static unsigned int dirty_pages(struct rig *rig, struct pto_ctx *ctx, unsigned int *pages)
{
	struct pto_ioc_bo_create bo;
	unsigned int dirty = 0;

	for (*pages = 0; !rig_bo(ctx, PAGE, &bo); ++*pages)
		dirty += !is_zero((const void *)(uintptr_t)bo.device_addr, PAGE);
	return dirty;
}

static unsigned int all_streams(struct pto_ctx *ctx)
{
	struct pto_ioc_stream_create arg = { .size = sizeof(arg) };
	unsigned int streams = 0;

	while (!rig_ioctl(ctx, PTO_STREAM_CREATE, &arg))
		streams++;
	return streams;
}

TEST_F(owners, the_next_finds_nothing)
{
	unsigned int pages, streams, kept = variant->ending == keep_all;
	struct pto_ctx *ctx;

	ASSERT_EQ(0, live(self->rig, variant->ending));
	rig_no_rules(self->rig);
	look_at_queues(self->rig);
	ASSERT_EQ(0, rig_open(self->rig, &ctx));
	streams = all_streams(ctx);
	EXPECT_EQ(0, dirty_pages(self->rig, ctx, &pages));
	/* What was set aside is missing: queue pairs, and the memory of the context. */
	EXPECT_EQ(RIG_QUEUES - 1 - (kept ? 2 : 0), queues_seen);
	EXPECT_EQ(queues_seen, streams + 2);
	EXPECT_EQ(0, queues_dirty);
	EXPECT_EQ(kept, pages < RIG_HEAP / PAGE);
	rig_close(ctx);
}

TEST_HARNESS_MAIN
