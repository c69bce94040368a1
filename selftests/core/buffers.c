// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers: what the device is told of them, what of them can be mapped, and that all of a
 * buffer comes back, whatever it was that failed.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "ptotest.h"
#include "rig.h"

#define PAGE		4096u
#define COUNT		30
#define IDS		65536	/* of buffers of a context, which cannot have more */
#define AREAS_END	(4096ull << 32)	/* of the offsets that mean something */

FIXTURE(buffers) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_context_stats stats;
	struct pto_device_usage usage;
	unsigned int logged;
	long memory;
};

FIXTURE_SETUP(buffers)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &self->stats));
	ASSERT_EQ(0, rig_usage(self->ctx, &self->usage));
	self->logged = self->rig->logged;
}

FIXTURE_TEARDOWN(buffers)
{
	EXPECT_EQ(0, rig_early(self->rig));
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static struct pto_dev_cmd_map last_map(struct rig *rig, uint16_t opcode)
{
	struct pto_dev_cmd_map cmd;

	memcpy(&cmd, &rig_last(rig, opcode)->cmd, sizeof(cmd));
	return cmd;
}

/* Nothing is left of what was made since the beginning. */
#define EXPECT_NOTHING_LEFT(self) do { \
	struct pto_context_stats stats_; \
	struct pto_device_usage usage_; \
	rig_settle(); \
	ASSERT_EQ(0, rig_stats((self)->ctx, &stats_)); \
	ASSERT_EQ(0, rig_usage((self)->ctx, &usage_)); \
	EXPECT_EQ((self)->stats.bo_live, stats_.bo_live); \
	EXPECT_EQ((self)->stats.bo_bytes, stats_.bo_bytes); \
	EXPECT_EQ((self)->usage.memory_used, usage_.memory_used); \
} while (0)

/* Another thread does it, if it is done. */
static void settle(FIXTURE_DATA(buffers) *self)
{
	struct pto_device_usage now;

	while (!rig_usage(self->ctx, &now) && now.memory_used != self->usage.memory_used)
		sched_yield();
}

/* --- the device -------------------------------------------------------------------- */

TEST_F(buffers, device_is_told_all_of_it)
{
	struct pto_dev_cmd_map cmd;
	struct pto_context_stats stats;
	struct pto_ioc_bo_create bo;

	ASSERT_EQ(0, rig_bo(self->ctx, 2 * PAGE + 1, &bo));
	EXPECT_NE(0, bo.id);
	cmd = last_map(self->rig, PTO_DEV_MAP);
	EXPECT_EQ(bo.device_addr, cmd.addr);
	EXPECT_EQ(3 * PAGE, cmd.length);
	EXPECT_EQ(PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE, cmd.prot);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(1, stats.bo_live);
	EXPECT_EQ(3 * PAGE, stats.bo_bytes);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
	rig_settle();
	cmd = last_map(self->rig, PTO_DEV_UNMAP);
	EXPECT_EQ(bo.device_addr, cmd.addr);
	EXPECT_EQ(3 * PAGE, cmd.length);
	EXPECT_EQ(0, cmd.prot);
	EXPECT_NOTHING_LEFT(self);
}

/* What the device has refused it does not have. */
TEST_F(buffers, refused)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_MAP, .status = PTO_DEV_NOMEM };
	struct pto_ioc_bo_create bo;
	int i;

	rig_rule(self->rig, &rule);
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(-ENOMEM, rig_bo(self->ctx, PAGE, &bo));
	rig_no_rules(self->rig);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, self->logged));
	EXPECT_NOTHING_LEFT(self);
	ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
}

/* Which id is next? */
static uint32_t next_id(FIXTURE_DATA(buffers) *self)
{
	struct pto_ioc_bo_create bo;

	if (rig_bo(self->ctx, PAGE, &bo) || rig_bo_destroy(self->ctx, bo.id))
		return 0;
	rig_settle();
	return bo.id;
}

/* Whatever it is that there is no memory for: a round of the ids has all of them. */
TEST_F(buffers, without_memory)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_MAP, .status = PTO_DEV_NOMEM };
	struct pto_ioc_bo_create bo;
	uint32_t id, i;
	long nth = 0;
	int err;

	do {
		rig_fail_nth(++nth);
		err = rig_bo(self->ctx, PAGE, &bo);
		rig_fail_nth(0);
		ASSERT_TRUE(!err || err == -ENOMEM);
	} while (err);
	EXPECT_LT(3, nth);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
	id = next_id(self);
	EXPECT_NE(0, id);
	rig_rule(self->rig, &rule);
	for (i = 1; i < IDS; i++)
		ASSERT_EQ(-ENOMEM, rig_bo(self->ctx, PAGE, &bo));
	rig_no_rules(self->rig);
	EXPECT_EQ(id, next_id(self));
	EXPECT_NOTHING_LEFT(self);
}

/* The device has it, but the caller cannot be told. */
TEST_F(buffers, that_nobody_can_be_told_of)
{
	static const struct pto_ioc_bo_create arg = { .size = sizeof(arg), .length = PAGE };
	struct pto_ioc_bo_create bo;
	int i;

	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_BO_CREATE, (void *)&arg));
	settle(self);
	EXPECT_EQ(COUNT, rig_count(self->rig, PTO_DEV_UNMAP, self->logged));
	EXPECT_NOTHING_LEFT(self);
	/* The address can be had again. */
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
}

TEST(device_without_host_memory)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = PAGE };
	struct rig *rig = rig_new();
	struct pto_ctx *ctx;

	rig->ident->features = PTO_FEATURE_SIMULATED;
	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, rig_open(rig, &ctx));
	EXPECT_EQ(0, rig_ioctl(ctx, PTO_BO_CREATE, &bo));
	bo.placement = PTO_PLACE_HOST;
	EXPECT_EQ(-EOPNOTSUPP, rig_ioctl(ctx, PTO_BO_CREATE, &bo));
	rig_close(ctx);
	rig_free(rig);
}

/* --- mappings ---------------------------------------------------------------------------- */

/* Every offset and length near an edge: a mapping lies in one buffer that has an id. */
TEST_F(buffers, what_can_be_mapped)
{
	struct pto_ioc_bo_create bos[COUNT];
	uint64_t lengths[COUNT], at, length, where, expected;
	struct pto_bo *bo;
	bool within;
	int i;

	for (i = 0; i < COUNT; i++) {
		lengths[i] = (1 + i % 4) * PAGE;
		ASSERT_EQ(0, rig_bo(self->ctx, lengths[i], &bos[i]));
	}
	/* Gaps between them. */
	for (i = 0; i < COUNT; i += 3) {
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bos[i].id));
		lengths[i] = 0;
	}
	for (at = 0; at < bos[COUNT - 1].mmap_offset + 8 * PAGE; at += PAGE) {
		for (length = 0; length <= 5 * PAGE; length += PAGE) {
			within = false;
			for (i = 0; i < COUNT; i++) {
				if (!lengths[i] || !length || at < bos[i].mmap_offset ||
				    at + length > bos[i].mmap_offset + lengths[i])
					continue;
				within = true;
				expected = bos[i].device_addr - (uintptr_t)self->rig->window +
					   at - bos[i].mmap_offset;
			}
			ASSERT_EQ(within ? 0 : -EINVAL,
				  inside_mmap(self->ctx, at, length, &bo, &where)) {
				TH_LOG("%llu bytes at %llu", (unsigned long long)length,
				       (unsigned long long)at);
			}
			if (!within)
				continue;
			ASSERT_EQ(expected, where);
			inside_munmap(bo);
		}
	}
	EXPECT_EQ(-EINVAL, inside_mmap(self->ctx, AREAS_END - PAGE, PAGE, &bo, &where));
	EXPECT_EQ(-EINVAL, inside_mmap(self->ctx, AREAS_END, PAGE, &bo, &where));
	EXPECT_EQ(-EINVAL, inside_mmap(self->ctx, -4096ull, PAGE, &bo, &where));
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(lengths[i] ? 0 : -ENOENT, rig_bo_destroy(self->ctx, bos[i].id));
	/* No refused mapping has kept one of them. */
	EXPECT_NOTHING_LEFT(self);
}

static int info(struct pto_ctx *ctx, uint32_t id, struct pto_ioc_bo_info *arg)
{
	*arg = (struct pto_ioc_bo_info){ .size = sizeof(*arg), .id = id };
	return rig_ioctl(ctx, PTO_BO_INFO, arg);
}

/* What is passed to the wrong context is refused, as long as nobody has very much memory. */
TEST_F(buffers, offsets_of_another_context)
{
	struct pto_ioc_bo_create ours, theirs;
	struct pto_ctx *other;
	uint64_t where;
	struct pto_bo *bo;

	ASSERT_EQ(0, rig_open(self->rig, &other));
	ASSERT_EQ(0, rig_bo(self->ctx, 2 * PAGE, &ours));
	ASSERT_EQ(0, rig_bo(other, 2 * PAGE, &theirs));
	EXPECT_EQ(-EINVAL, inside_mmap(other, ours.mmap_offset, PAGE, &bo, &where));
	EXPECT_EQ(-EINVAL, inside_mmap(self->ctx, theirs.mmap_offset, PAGE, &bo, &where));
	rig_close(other);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, ours.id));
}

/* The buffer lives as long as something shows it, and nobody else can find it any more. */
TEST_F(buffers, mapping_keeps_its_buffer)
{
	struct pto_bo *bo, *other;
	struct pto_ioc_bo_create arg;
	struct pto_ioc_bo_info about;
	uint64_t where;

	ASSERT_EQ(0, rig_bo(self->ctx, 2 * PAGE, &arg));
	ASSERT_EQ(0, inside_mmap(self->ctx, arg.mmap_offset, PAGE, &bo, &where));
	inside_mapped(bo);
	ASSERT_EQ(0, info(self->ctx, arg.id, &about));
	EXPECT_EQ(2, about.mappings);
	EXPECT_EQ(3, about.references);
	EXPECT_EQ(2 * PAGE, about.length);
	EXPECT_EQ(arg.device_addr, about.device_addr);
	EXPECT_EQ(arg.mmap_offset, about.mmap_offset);
	inside_munmap(bo);
	ASSERT_EQ(0, info(self->ctx, arg.id, &about));
	EXPECT_EQ(1, about.mappings);
	EXPECT_EQ(2, about.references);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, arg.id));
	EXPECT_EQ(-EINVAL, inside_mmap(self->ctx, arg.mmap_offset, PAGE, &other, &where));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, self->logged));
	inside_munmap(bo);
	settle(self);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNMAP, self->logged));
	EXPECT_NOTHING_LEFT(self);
}

/* Buffers that are being freed count, too: who gives up and makes anew is waited for. */
TEST_F(buffers, as_many_as_there_can_be)
{
	struct pto_ioc_bo_create arg, other;

	ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &other));
	inside_count_bos(self->ctx, IDS - 2);
	ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &arg));
	EXPECT_EQ(-ENOSPC, rig_bo(self->ctx, PAGE, &arg));
	EXPECT_EQ(-ENOSPC, rig_bo(self->ctx, PAGE, &arg));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, other.id));
	ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &other));
	EXPECT_EQ(-ENOSPC, rig_bo(self->ctx, PAGE, &arg));
	inside_count_bos(self->ctx, 2 - IDS);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, other.id));
	ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &arg));
}

TEST_HARNESS_MAIN
