// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that buffers of several contexts and files share: who has it, when it is cleared, and that
 * nothing is left of a call that fails, whatever it was that failed.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "ptotest.h"
#include "rig.h"

#define PAGE	4096u
#define BYTES	(3 * PAGE)
#define IDS	65536	/* of buffers of a context */

FIXTURE(shared) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ctx *other;
	struct pto_ioc_bo_create bo;
	struct pto_device_usage usage;
	int fd;
	long memory;
};

FIXTURE_SETUP(shared)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	self->rig->shares = true;
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_open(self->rig, &self->other));
	ASSERT_EQ(0, rig_usage(self->ctx, &self->usage));
	ASSERT_EQ(0, rig_bo(self->ctx, BYTES, &self->bo));
	ASSERT_EQ(0, rig_export(self->ctx, self->bo.id, &self->fd));
	self->rig->cleared = 0;
}

FIXTURE_TEARDOWN(shared)
{
	int i;

	EXPECT_EQ(0, rig_early(self->rig));
	rig_close(self->ctx);
	rig_close(self->other);
	for (i = 0; i < RIG_FILES; i++)
		rig_unshare(self->rig, RIG_FIRST_FD + i);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* Is so much of the device's memory in use, besides what was before? */
static bool uses(struct pto_ctx *ctx, const struct pto_device_usage *before, uint64_t bytes)
{
	struct pto_device_usage now;

	rig_settle();
	return !rig_usage(ctx, &now) && now.memory_used == before->memory_used + bytes;
}

static uint64_t live(struct pto_ctx *ctx)
{
	struct pto_context_stats stats;

	return rig_stats(ctx, &stats) ? ~0ull : stats.bo_live;
}

static uint64_t bytes(struct pto_ctx *ctx)
{
	struct pto_context_stats stats;

	return rig_stats(ctx, &stats) ? ~0ull : stats.bo_bytes;
}

TEST(feature)
{
	struct pto_device_info info;
	struct pto_ioc_query query = {
		.size = sizeof(query),
		.item = PTO_QUERY_DEVICE,
		.data_ptr = (uintptr_t)&info,
		.data_size = sizeof(info),
	};
	struct pto_ioc_bo_import in;
	struct pto_ioc_bo_create bo;
	struct pto_ctx *ctx;
	struct rig *rig;
	int i, fd;

	for (i = 0; i < 2; i++) {
		rig = rig_new();
		rig->shares = i;
		ASSERT_EQ(0, rig_start(rig));
		ASSERT_EQ(0, rig_open(rig, &ctx));
		ASSERT_EQ(0, rig_bo(ctx, PAGE, &bo));
		ASSERT_EQ(0, rig_ioctl(ctx, PTO_QUERY, &query));
		EXPECT_EQ(i ? PTO_FEATURE_DMABUF : 0, info.features & PTO_FEATURE_DMABUF);
		EXPECT_EQ(i ? 0 : -ENOTTY, rig_export(ctx, bo.id, &fd));
		EXPECT_EQ(i ? 0 : -ENOTTY, rig_import(ctx, fd, &in));
		rig_close(ctx);
		if (i)
			rig_unshare(rig, fd);
		rig_free(rig);
	}
}

/* --- lifetime ------------------------------------------------------------------------- */

TEST_F(shared, file_keeps_memory)
{
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	EXPECT_TRUE(uses(self->ctx, &self->usage, BYTES));
	EXPECT_EQ(0, bytes(self->ctx));
	EXPECT_EQ(0, self->rig->cleared);
	rig_unshare(self->rig, self->fd);
	EXPECT_TRUE(uses(self->ctx, &self->usage, 0));
	EXPECT_EQ(BYTES, self->rig->cleared);
}

TEST_F(shared, buffer_keeps_memory)
{
	rig_unshare(self->rig, self->fd);
	EXPECT_TRUE(uses(self->ctx, &self->usage, BYTES));
	EXPECT_EQ(0, self->rig->cleared);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	EXPECT_TRUE(uses(self->ctx, &self->usage, 0));
}

TEST_F(shared, importer_keeps_memory)
{
	struct pto_ioc_bo_import in;
	unsigned int logged = self->rig->logged;
	struct pto_dev_cmd_map cmd;
	uint64_t offset, there;
	struct pto_bo *bo;

	ASSERT_EQ(0, rig_import(self->other, self->fd, &in));
	EXPECT_EQ(self->bo.device_addr, in.device_addr);
	EXPECT_EQ(BYTES, in.length);
	ASSERT_EQ(0, inside_mmap(self->ctx, self->bo.mmap_offset, BYTES, &bo, &offset));
	inside_munmap(bo);
	ASSERT_EQ(0, inside_mmap(self->other, in.mmap_offset, BYTES, &bo, &there));
	inside_munmap(bo);
	EXPECT_EQ(offset, there);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_MAP, logged));
	memcpy(&cmd, &rig_last(self->rig, PTO_DEV_MAP)->cmd, sizeof(cmd));
	EXPECT_EQ(self->bo.device_addr, cmd.addr);
	EXPECT_EQ(BYTES, cmd.length);
	EXPECT_EQ(BYTES, bytes(self->other));
	rig_unshare(self->rig, self->fd);
	rig_close(self->ctx);
	EXPECT_TRUE(uses(self->other, &self->usage, BYTES));
	EXPECT_EQ(0, self->rig->cleared);
	ASSERT_EQ(0, rig_bo_destroy(self->other, in.id));
	EXPECT_TRUE(uses(self->other, &self->usage, 0));
	EXPECT_EQ(BYTES, self->rig->cleared);
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
}

/* A device that is gone still has its memory, and whoever has it last gives it back. */
TEST_F(shared, file_outlives_device)
{
	struct pto_ioc_bo_import in;
	int fd;

	rig_gone(self->rig);
	EXPECT_EQ(-ENODEV, rig_import(self->other, self->fd, &in));
	EXPECT_EQ(-ENODEV, rig_export(self->ctx, self->bo.id, &fd));
}

/* A hardware context that was not destroyed may write to the memory for ever. */
TEST_F(shared, leaks_with_the_context)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_CTX_DESTROY, .status = PTO_DEV_INVALID };

	rig_rule(self->rig, &rule);
	rig_close(self->ctx);
	rig_no_rules(self->rig);
	rig_unshare(self->rig, self->fd);
	EXPECT_TRUE(uses(self->other, &self->usage, BYTES));
	EXPECT_EQ(0, self->rig->cleared);
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
}

/* --- ids ------------------------------------------------------------------------------- */

/* However often a context imports memory, its hardware context gets it once. */
TEST_F(shared, ids_of_one_buffer)
{
	struct pto_ioc_bo_import one, two;
	unsigned int logged = self->rig->logged;
	uint64_t offset;
	struct pto_bo *bo;

	ASSERT_EQ(0, rig_import(self->ctx, self->fd, &one));
	ASSERT_EQ(0, rig_import(self->ctx, self->fd, &two));
	EXPECT_EQ(self->bo.mmap_offset, one.mmap_offset);
	EXPECT_NE(self->bo.id, one.id);
	EXPECT_NE(one.id, two.id);
	EXPECT_EQ(3, live(self->ctx));
	EXPECT_EQ(BYTES, bytes(self->ctx));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, two.id));
	EXPECT_EQ(-ENOENT, rig_bo_destroy(self->ctx, two.id));
	EXPECT_EQ(1, live(self->ctx));
	ASSERT_EQ(0, inside_mmap(self->ctx, one.mmap_offset, BYTES, &bo, &offset));
	inside_munmap(bo);
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_MAP, logged));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, logged));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, one.id));
	EXPECT_EQ(-EINVAL, inside_mmap(self->ctx, one.mmap_offset, BYTES, &bo, &offset));
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNMAP, logged));
	EXPECT_EQ(0, live(self->ctx));
	EXPECT_EQ(0, bytes(self->ctx));
}

/* What is on its way out cannot be had again before it has gone. */
TEST_F(shared, back_again)
{
	struct pto_ioc_bo_import in;
	uint64_t offset;
	struct pto_bo *bo;

	ASSERT_EQ(0, inside_mmap(self->ctx, self->bo.mmap_offset, BYTES, &bo, &offset));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	EXPECT_EQ(-EBUSY, rig_import(self->ctx, self->fd, &in));
	inside_munmap(bo);
	EXPECT_EQ(0, rig_import(self->ctx, self->fd, &in));
	EXPECT_EQ(self->bo.device_addr, in.device_addr);
}

/* The unmapping that was posted has to be executed before the memory is mapped again. */
TEST_F(shared, while_it_goes)
{
	struct pto_ioc_bo_import in;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, rig_import(self->other, self->fd, &in));
		ASSERT_EQ(0, rig_bo_destroy(self->other, in.id));
	}
	EXPECT_EQ(0, live(self->other));
}

TEST_F(shared, reset_maps_it)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_ioc_bo_import in;
	unsigned int logged;

	ASSERT_EQ(0, rig_import(self->other, self->fd, &in));
	ASSERT_EQ(0, rig_import(self->other, self->fd, &in));
	logged = self->rig->logged;
	EXPECT_EQ(0, rig_ioctl(self->other, PTO_CTX_RESET, &reset));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_MAP, logged));
}

/* --- failures --------------------------------------------------------------------------- */

TEST_F(shared, wrong)
{
	struct pto_ioc_bo_export out = { .size = sizeof(out), .id = self->bo.id, .flags = 1 };
	struct pto_ioc_bo_import in = { .size = sizeof(in), .fd = self->fd, .flags = 1 };

	EXPECT_EQ(-EOPNOTSUPP, rig_ioctl(self->ctx, PTO_BO_EXPORT, &out));
	EXPECT_EQ(-EOPNOTSUPP, rig_ioctl(self->ctx, PTO_BO_IMPORT, &in));
	EXPECT_EQ(-ENOENT, rig_export(self->other, self->bo.id, &out.fd));
	EXPECT_EQ(-EBADF, rig_import(self->ctx, self->fd + 1, &in));
	in = (struct pto_ioc_bo_import){ .size = sizeof(in) - 1, .fd = self->fd };
	EXPECT_EQ(-EINVAL, rig_ioctl(self->ctx, PTO_BO_IMPORT, &in));
	out = (struct pto_ioc_bo_export){ .size = sizeof(out) - 1, .id = self->bo.id };
	EXPECT_EQ(-EINVAL, rig_ioctl(self->ctx, PTO_BO_EXPORT, &out));
}

/* Nothing is left of a context's import that has failed. */
#define EXPECT_NOTHING_IMPORTED(self) do { \
	rig_settle(); \
	EXPECT_EQ(0, live((self)->other)); \
	EXPECT_EQ(0, bytes((self)->other)); \
	EXPECT_EQ(0, rig_early((self)->rig)); \
} while (0)

TEST_F(shared, refused_by_the_device)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_MAP, .status = PTO_DEV_NOMEM };
	struct pto_ioc_bo_import in;
	unsigned int logged = self->rig->logged;

	rig_rule(self->rig, &rule);
	EXPECT_EQ(-ENOMEM, rig_import(self->other, self->fd, &in));
	rig_no_rules(self->rig);
	EXPECT_NOTHING_IMPORTED(self);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, logged));
	EXPECT_EQ(0, rig_import(self->other, self->fd, &in));
}

/* An answer that cannot be written undoes what was done for it, and nothing else. */
TEST_F(shared, answer_lost)
{
	const struct pto_ioc_bo_export out = { .size = sizeof(out), .id = self->bo.id };
	const struct pto_ioc_bo_import in = { .size = sizeof(in), .fd = self->fd };
	void *lost_out = rig_read_only(&out, sizeof(out));
	void *lost_in = rig_read_only(&in, sizeof(in));
	struct pto_ioc_bo_import good;
	int fd;

	EXPECT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_BO_EXPORT, lost_out));
	EXPECT_EQ(0, rig_export(self->ctx, self->bo.id, &fd));
	EXPECT_EQ(self->fd + 1, fd);
	EXPECT_EQ(-EFAULT, rig_ioctl(self->other, PTO_BO_IMPORT, lost_in));
	EXPECT_NOTHING_IMPORTED(self);
	ASSERT_EQ(0, rig_import(self->other, self->fd, &good));
	EXPECT_EQ(-EFAULT, rig_ioctl(self->other, PTO_BO_IMPORT, lost_in));
	rig_settle();
	EXPECT_EQ(1, live(self->other));
	EXPECT_EQ(BYTES, bytes(self->other));
	EXPECT_EQ(0, rig_bo_destroy(self->other, good.id));
	EXPECT_NOTHING_IMPORTED(self);
	rig_user_free(lost_out);
	rig_user_free(lost_in);
}

/* Each allocation fails once: of an export, of the first import, and of a second one. */
TEST_F(shared, without_memory)
{
	struct pto_ioc_bo_import first, second;
	struct pto_ioc_bo_create bo;
	int fd, err, step;
	long nth;

	for (step = 0; step < 3; step++) {
		nth = 0;
		do {
			ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
			if (step)
				ASSERT_EQ(0, rig_export(self->ctx, bo.id, &fd));
			if (step == 2)
				ASSERT_EQ(0, rig_import(self->other, fd, &first));
			rig_fail_nth(++nth);
			switch (step) {
			case 0:
				err = rig_export(self->ctx, bo.id, &fd);
				break;
			case 1:
				err = rig_import(self->other, fd, &first);
				break;
			default:
				err = rig_import(self->other, fd, &second);
				break;
			}
			if (rig_fail_pending())
				nth = -1;
			rig_fail_nth(0);
			if (err)
				ASSERT_EQ(-ENOMEM, err);
			if (step == 2)
				ASSERT_EQ(0, rig_bo_destroy(self->other, first.id));
			if (step == 1 && !err)
				ASSERT_EQ(0, rig_bo_destroy(self->other, first.id));
			if (step == 2 && !err)
				ASSERT_EQ(0, rig_bo_destroy(self->other, second.id));
			if (step || !err)
				rig_unshare(self->rig, fd);
			ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
			EXPECT_NOTHING_IMPORTED(self);
			EXPECT_TRUE(uses(self->ctx, &self->usage, BYTES));
		} while (nth > 0);
	}
}

/* The ids that failing imports reserve come back: there are more failures than ids. */
TEST_F(shared, ids_come_back)
{
	struct pto_ioc_bo_import in;
	int i;

	for (i = 0; i <= IDS; i++)
		ASSERT_EQ(-EBADF, rig_import(self->other, self->fd + 1, &in));
	EXPECT_EQ(0, rig_import(self->other, self->fd, &in));
}

/* A context that has as many buffers as there can be */
TEST_F(shared, no_room)
{
	struct pto_ioc_bo_import in;

	inside_count_bos(self->other, IDS);
	EXPECT_EQ(-ENOSPC, rig_import(self->other, self->fd, &in));
	inside_count_bos(self->other, -IDS);
	EXPECT_NOTHING_IMPORTED(self);
	EXPECT_EQ(0, rig_import(self->other, self->fd, &in));
}

/* --- memory that is not the device's ------------------------------------------------------ */

static int copy(struct pto_ctx *ctx, uint32_t to, uint32_t from, void *user)
{
	struct pto_ioc_bo_copy arg = {
		.size = sizeof(arg),
		.direction = !to ? PTO_COPY_FROM_DEVICE : !from ? PTO_COPY_TO_DEVICE :
								  PTO_COPY_DEVICE,
		.dst_id = to,
		.src_id = from,
		.user_ptr = (uintptr_t)user,
		.length = BYTES,
	};

	return rig_ioctl(ctx, PTO_BO_COPY, &arg);
}

static uint32_t last_map(struct rig *rig, uint64_t addr)
{
	struct pto_dev_cmd_map cmd;

	memcpy(&cmd, &rig_last(rig, PTO_DEV_MAP)->cmd, sizeof(cmd));
	return cmd.addr == addr && cmd.length == BYTES ? cmd.prot : 0;
}

/* It has addresses like other memory, of which the device is told that they are an import's. */
TEST_F(shared, foreign)
{
	const uint32_t own = PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE;
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_ioc_bo_import in, again;

	EXPECT_EQ(own, last_map(self->rig, self->bo.device_addr));
	ASSERT_EQ(0, rig_import(self->ctx, RIG_FOREIGN_FD, &in));
	EXPECT_EQ(BYTES, in.length);
	EXPECT_EQ(own | PTO_DEV_MAP_IMPORT, last_map(self->rig, in.device_addr));
	EXPECT_TRUE(uses(self->ctx, &self->usage, 2 * BYTES));
	ASSERT_EQ(0, rig_import(self->ctx, RIG_FOREIGN_FD, &again));
	EXPECT_NE(in.device_addr, again.device_addr);
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, again.id));
	rig_settle();
	EXPECT_EQ(1, self->rig->foreign_gone);
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(own | PTO_DEV_MAP_IMPORT, last_map(self->rig, in.device_addr));
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, in.id));
	EXPECT_TRUE(uses(self->ctx, &self->usage, BYTES));
	EXPECT_EQ(2, self->rig->foreign_gone);
}

TEST_F(shared, foreign_is_copied)
{
	static char bytes[BYTES], back[BYTES];
	struct pto_ioc_bo_import in;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31);
	ASSERT_EQ(0, rig_import(self->ctx, RIG_FOREIGN_FD, &in));
	EXPECT_EQ(0, copy(self->ctx, in.id, 0, bytes));
	EXPECT_EQ(0, memcmp(self->rig->foreign, bytes, BYTES));
	EXPECT_EQ(0, copy(self->ctx, self->bo.id, in.id, NULL));
	EXPECT_EQ(0, copy(self->ctx, 0, self->bo.id, back));
	EXPECT_EQ(0, memcmp(back, bytes, BYTES));
	memset(self->rig->foreign, 7, BYTES);
	EXPECT_EQ(0, copy(self->ctx, 0, in.id, back));
	EXPECT_EQ(0, memcmp(back, self->rig->foreign, BYTES));
	self->rig->foreign_opaque = true;
	EXPECT_EQ(-EOPNOTSUPP, copy(self->ctx, 0, in.id, back));
	EXPECT_EQ(-EOPNOTSUPP, copy(self->ctx, in.id, 0, back));
	EXPECT_EQ(-EOPNOTSUPP, copy(self->ctx, self->bo.id, in.id, NULL));
	EXPECT_EQ(-EOPNOTSUPP, copy(self->ctx, in.id, self->bo.id, NULL));
}

/* A file of it keeps it like any other memory. */
TEST_F(shared, foreign_goes_out)
{
	struct pto_ioc_bo_import in, again;
	int fd;

	ASSERT_EQ(0, rig_import(self->ctx, RIG_FOREIGN_FD, &in));
	ASSERT_EQ(0, rig_export(self->ctx, in.id, &fd));
	ASSERT_EQ(0, rig_import(self->other, fd, &again));
	EXPECT_EQ(in.device_addr, again.device_addr);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, in.id));
	ASSERT_EQ(0, rig_bo_destroy(self->other, again.id));
	rig_settle();
	EXPECT_EQ(0, self->rig->foreign_gone);
	rig_unshare(self->rig, fd);
	EXPECT_EQ(1, self->rig->foreign_gone);
}

/* Its addresses are set aside with a hardware context that may still use them, and it is not. */
TEST_F(shared, foreign_leaks)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_CTX_DESTROY, .status = PTO_DEV_INVALID };
	struct pto_ioc_bo_import in;

	ASSERT_EQ(0, rig_import(self->other, RIG_FOREIGN_FD, &in));
	rig_rule(self->rig, &rule);
	rig_close(self->other);
	rig_no_rules(self->rig);
	EXPECT_TRUE(uses(self->ctx, &self->usage, 2 * BYTES));
	EXPECT_EQ(1, self->rig->foreign_gone);
	ASSERT_EQ(0, rig_open(self->rig, &self->other));
}

TEST_F(shared, foreign_without_memory)
{
	struct pto_ioc_bo_import in;
	unsigned int imports = 0;
	long nth = 0;
	int err;

	do {
		rig_fail_nth(++nth);
		err = rig_import(self->other, RIG_FOREIGN_FD, &in);
		if (rig_fail_pending())
			nth = -1;
		rig_fail_nth(0);
		ASSERT_TRUE(!err || err == -ENOMEM);
		if (!err)
			ASSERT_EQ(0, rig_bo_destroy(self->other, in.id));
		EXPECT_NOTHING_IMPORTED(self);
		EXPECT_TRUE(uses(self->ctx, &self->usage, BYTES));
	} while (nth > 0);
	/* All that was made was given back. */
	imports = self->rig->foreign_gone;
	ASSERT_EQ(0, rig_import(self->other, RIG_FOREIGN_FD, &in));
	EXPECT_EQ(imports, self->rig->foreign_gone);
}

/* Addresses that are being given back can be had by who waits for them. */
TEST_F(shared, foreign_waits_for_addresses)
{
	struct pto_ioc_bo_create rest;
	struct pto_ioc_bo_import in;
	struct pto_device_usage now;

	ASSERT_EQ(0, rig_usage(self->ctx, &now));
	ASSERT_EQ(0, rig_bo(self->ctx, now.memory_size - now.memory_used, &rest));
	EXPECT_EQ(-ENOMEM, rig_import(self->ctx, RIG_FOREIGN_FD, &in));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, rest.id));
	EXPECT_EQ(0, rig_import(self->ctx, RIG_FOREIGN_FD, &in));
}

TEST_HARNESS_MAIN
