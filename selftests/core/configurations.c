// SPDX-License-Identifier: GPL-2.0
/*
 * Ring configurations and their arenas: which sizes can be, that each of them makes a
 * difference, and what the device is told.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "rig.h"

#define SIZES	(3 * PTO_RING_DEPTHS)

FIXTURE(configurations) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	long memory;
};

/* What the device built last. */
static struct pto_dev_arena_plan plan;
static uint64_t plan_addr;

static void read_plan(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	struct pto_dev_cmd_arena cmd;

	memcpy(&cmd, &rig_last(rig, PTO_DEV_ARENA_BUILD)->cmd, sizeof(cmd));
	plan_addr = cmd.addr;
	memcpy(&plan, rig->window + (cmd.addr - rig->ident->memory_base), sizeof(plan));
}

FIXTURE_SETUP(configurations)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	self->rig->opcode = PTO_DEV_ARENA_BUILD;
	self->rig->spoil = read_plan;
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
}

FIXTURE_TEARDOWN(configurations)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* All sizes in a row: windows, heaps, pools. */
static __u64 *size_of(struct pto_ioc_prewarm *arg, int i)
{
	return i < PTO_RING_DEPTHS ? &arg->task_window[i] :
	       i < 2 * PTO_RING_DEPTHS ? &arg->heap[i - PTO_RING_DEPTHS] :
					 &arg->dep_pool[i - 2 * PTO_RING_DEPTHS];
}

static const uint64_t defaults[3] = { 16384, 256 << 20, 16384 };

static int prewarm(FIXTURE_DATA(configurations) *self, struct pto_ioc_prewarm *arg)
{
	arg->size = sizeof(*arg);
	return rig_ioctl(self->ctx, PTO_PREWARM, arg);
}

/* With one size that is not the default. Return: the arena's id, 0 if there is none. */
static uint32_t with(FIXTURE_DATA(configurations) *self, int i, uint64_t size)
{
	struct pto_ioc_prewarm arg = { 0 };

	*size_of(&arg, i) = size;
	return prewarm(self, &arg) ? 0 : arg.arena;
}

static bool plan_is(int which, uint64_t size)
{
	struct pto_ioc_prewarm as = { 0 };
	int i;

	memcpy(as.task_window, plan.task_window, sizeof(as.task_window));
	memcpy(as.heap, plan.heap, sizeof(as.heap));
	memcpy(as.dep_pool, plan.dep_pool, sizeof(as.dep_pool));
	for (i = 0; i < SIZES; i++)
		if (*size_of(&as, i) != (i == which ? size : defaults[i / PTO_RING_DEPTHS]))
			return false;
	return plan.size == sizeof(plan) && !plan.flags;
}

TEST_F(configurations, each_size_makes_a_difference)
{
	uint32_t one, other;
	unsigned int before;
	int i;

	for (i = 0; i < SIZES; i++) {
		one = with(self, i, 4096);
		EXPECT_TRUE(plan_is(i, 4096));
		other = with(self, i, 8192);
		EXPECT_TRUE(plan_is(i, 8192));
		EXPECT_NE(0, one);
		EXPECT_NE(0, other);
		EXPECT_NE(one, other);
		/* Arenas that made room are given up in the background. */
		rig_settle();
		before = self->rig->logged;
		EXPECT_EQ(one, with(self, i, 4096));
		EXPECT_EQ(other, with(self, i, 8192));
		EXPECT_EQ(before, self->rig->logged);
	}
}

static uint64_t arena_of_run(FIXTURE_DATA(configurations) *self)
{
	struct pto_dev_cmd_run cmd;
	uint64_t id;

	if (rig_run(self->ctx, 0, 0, &id))
		return 0;
	memcpy(&cmd, &rig_last(self->rig, PTO_DEV_RUN)->cmd, sizeof(cmd));
	return cmd.arena_addr;
}

/* What is given in numbers is the same; what differs in anything is another. */
TEST_F(configurations, default_one)
{
	uint64_t addr = arena_of_run(self);
	struct pto_ioc_prewarm arg = { 0 };
	uint32_t id;
	int i;

	EXPECT_NE(0, addr);
	ASSERT_EQ(0, prewarm(self, &arg));
	id = arg.arena;
	for (i = 0; i < SIZES; i++)
		*size_of(&arg, i) = defaults[i / PTO_RING_DEPTHS];
	ASSERT_EQ(0, prewarm(self, &arg));
	EXPECT_EQ(id, arg.arena);
	for (i = 0; i < SIZES; i++) {
		EXPECT_NE(id, with(self, i, 4096));
		EXPECT_EQ(addr, arena_of_run(self));
	}
}

/* None of those that a context has is the one that runs use which name none. */
TEST_F(configurations, no_default_one)
{
	struct pto_ctx *other;
	unsigned int before;
	uint64_t addr, id;
	uint32_t image;
	int i;

	for (i = 0; i < SIZES; i++) {
		struct pto_ioc_prewarm arg = { .size = sizeof(arg) };

		ASSERT_EQ(0, rig_open(self->rig, &other));
		before = self->rig->logged;
		*size_of(&arg, i) = 4096;
		ASSERT_EQ(0, rig_ioctl(other, PTO_PREWARM, &arg));
		ASSERT_EQ(0, rig_image(other, "an object", &image));
		ASSERT_EQ(0, rig_prepare(other, 0, image));
		addr = rig_last(self->rig, PTO_DEV_ARENA_BIND)->cmd.arg[0];
		/* A prepare makes none if there is any. */
		EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ARENA_BIND, before));
		ASSERT_EQ(0, rig_run(other, 0, 0, &id));
		EXPECT_NE(addr, rig_last(self->rig, PTO_DEV_ARENA_BIND)->cmd.arg[0]) {
			TH_LOG("size %d", i);
		}
		rig_close(other);
	}
}

TEST_F(configurations, sizes_that_can_be)
{
	static const struct {
		int kind;
		uint64_t size;
		int error;
	} cases[] = {
		{ 0, 1, -EINVAL }, { 0, 2, -EINVAL }, { 0, 4, 0 }, { 0, 5, -EINVAL },
		{ 0, 12, -EINVAL }, { 0, 1 << 30, 0 }, { 0, 1ull << 31, -EINVAL },
		{ 0, 1ull << 63, -EINVAL }, { 1, 1, -EINVAL }, { 1, 1023, -EINVAL }, { 1, 1024, 0 },
		{ 1, 1025, 0 }, { 1, ~0ull, -EOVERFLOW }, { 1, ~0ull - (768 << 20), 0 },
		{ 1, ~0ull - (768 << 20) + 1, -EOVERFLOW }, { 2, 3, -EINVAL }, { 2, 4, 0 },
		{ 2, 5, 0 }, { 2, (1ull << 31) - 1, 0 }, { 2, 1ull << 31, -EINVAL },
		{ 2, ~0ull, -EINVAL },
	};
	size_t i;
	int depth;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (depth = 0; depth < PTO_RING_DEPTHS; depth++) {
			struct pto_ioc_prewarm arg = { 0 };

			*size_of(&arg, cases[i].kind * PTO_RING_DEPTHS + depth) = cases[i].size;
			EXPECT_EQ(cases[i].error, prewarm(self, &arg)) {
				TH_LOG("case %zu, depth %d", i, depth);
			}
		}
	}
}

static struct pto_dev_cmd_arena arena_command(struct rig *rig, uint16_t opcode)
{
	struct pto_dev_cmd_arena cmd = { 0 };

	if (rig_last(rig, opcode))
		memcpy(&cmd, &rig_last(rig, opcode)->cmd, sizeof(cmd));
	return cmd;
}

static struct pto_dev_cmd_map map_command(struct rig *rig, uint16_t opcode)
{
	struct pto_dev_cmd_map cmd = { 0 };

	if (rig_last(rig, opcode))
		memcpy(&cmd, &rig_last(rig, opcode)->cmd, sizeof(cmd));
	return cmd;
}

/* Mapped, then bound; dropped, then unmapped. */
TEST_F(configurations, what_the_device_is_told)
{
	struct pto_ioc_prewarm arg = { .heap = { 4096 } };
	struct pto_dev_cmd_arena bind, drop;
	struct pto_dev_cmd_map map, unmap;
	int i;

	ASSERT_EQ(0, prewarm(self, &arg));
	map = map_command(self->rig, PTO_DEV_MAP);
	bind = arena_command(self->rig, PTO_DEV_ARENA_BIND);
	EXPECT_LT(map.id, bind.id);
	EXPECT_EQ(map.addr, bind.addr);
	EXPECT_EQ(arg.arena_size, map.length);
	EXPECT_EQ(PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE, map.prot);
	EXPECT_EQ(RIG_ARENA_SIZE, bind.size);
	EXPECT_EQ(plan_addr + sizeof(plan), bind.image_addr);
	EXPECT_EQ(RIG_IMAGE_SIZE, bind.image_size);
	/* Until it has to make room. */
	for (i = 1; !rig_last(self->rig, PTO_DEV_ARENA_DROP) ||
	     arena_command(self->rig, PTO_DEV_ARENA_DROP).addr != bind.addr; i++) {
		ASSERT_GT(10, i);
		ASSERT_NE(0, with(self, PTO_RING_DEPTHS, 4096 + 64 * i));
		rig_settle();
	}
	drop = arena_command(self->rig, PTO_DEV_ARENA_DROP);
	unmap = map_command(self->rig, PTO_DEV_UNMAP);
	EXPECT_LT(drop.id, unmap.id);
	EXPECT_EQ(bind.addr, drop.addr);
	EXPECT_EQ(bind.size, drop.size);
	EXPECT_EQ(0, drop.image_addr);
	EXPECT_EQ(map.addr, unmap.addr);
	EXPECT_EQ(map.length, unmap.length);
	EXPECT_EQ(0, unmap.prot);
}

/* Asking for an arena is a use of it: what was neither asked for nor run longest ago goes. */
TEST_F(configurations, asked_for_again)
{
	uint32_t ids[4];
	int i;

	for (i = 0; i < 4; i++)
		ids[i] = with(self, 0, 4 << i);
	EXPECT_EQ(ids[0], with(self, 0, 4));
	EXPECT_NE(0, with(self, 0, 1 << 20));
	EXPECT_EQ(ids[0], with(self, 0, 4));
	EXPECT_EQ(ids[2], with(self, 0, 16));
	EXPECT_EQ(ids[3], with(self, 0, 32));
	EXPECT_NE(ids[1], with(self, 0, 8));
}

/* No arena has id 0, which stands for the default one. */
TEST_F(configurations, ids)
{
	uint32_t id, last = 0;
	int i;

	inside_age(self->ctx);
	for (i = 0; i < 5; i++) {
		id = with(self, 0, 4 << i);
		EXPECT_NE(0, id);
		EXPECT_NE(last, id);
		last = id;
	}
}

static bool dirty;

static void look_at_arena(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	const char *bytes = rig->window + (rig_last(rig, PTO_DEV_ARENA_BIND)->cmd.arg[0] -
					   rig->ident->memory_base);

	dirty |= *bytes || memcmp(bytes, bytes + 1, RIG_ARENA_SIZE - 1);
}

/* An arena is zero when it is bound, also for the second time. */
TEST_F(configurations, arenas_are_clear)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	uint64_t addr = arena_of_run(self);

	dirty = false;
	self->rig->opcode = PTO_DEV_ARENA_BIND;
	self->rig->spoil = look_at_arena;
	memset(self->rig->window + (addr - self->rig->ident->memory_base), 0xa5, RIG_ARENA_SIZE);
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(addr, arena_of_run(self));
	EXPECT_NE(0, with(self, 0, 4));
	EXPECT_FALSE(dirty);
}

/* What a device says that the defaults are is what runs get. */
TEST_F(configurations, defaults_of_the_device)
{
	struct rig *rig = rig_new();
	struct pto_ioc_bo_create bo;
	struct pto_ctx *ctx;
	int i;

	rig->ident->default_heap = 8192;
	rig->ident->default_task_window = 32;
	rig->ident->default_dep_pool = 48;
	rig->opcode = PTO_DEV_ARENA_BUILD;
	rig->spoil = read_plan;
	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, rig_open(rig, &ctx));
	ASSERT_EQ(0, rig_ready(ctx, &bo));
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		EXPECT_EQ(8192, plan.heap[i]);
		EXPECT_EQ(32, plan.task_window[i]);
		EXPECT_EQ(48, plan.dep_pool[i]);
	}
	rig_close(ctx);
	rig_free(rig);
}

static char text[256];

static int said(FIXTURE_DATA(configurations) *self, uint64_t heap)
{
	struct pto_ioc_prewarm arg = {
		.heap = { heap },
		.log_ptr = (uintptr_t)text,
		.log_size = sizeof(text),
	};

	text[0] = '\0';
	return prewarm(self, &arg);
}

static void too_large(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	struct pto_dev_arena_plan *built;

	read_plan(rig, queue, cqe);
	built = (void *)(rig->window + (plan_addr - rig->ident->memory_base));
	if (cqe->status == PTO_DEV_OK || cqe->status == PTO_DEV_NOSPACE)
		built->arena_size = 987654321;
}

/* Each ENOMEM says what it is about: the device's memory, with figures, or the host's. */
TEST_F(configurations, no_room_is_explained)
{
	self->rig->spoil = too_large;
	EXPECT_EQ(-ENOMEM, said(self, 2048));
	EXPECT_NE(NULL, strstr(text, "no room for an arena: at least 987654321 bytes"));
	self->rig->spoil = read_plan;
	rig_fail_nth(1);
	EXPECT_EQ(-ENOMEM, said(self, 4096));
	EXPECT_NE(NULL, strstr(text, "no memory of the host for an arena"));
	EXPECT_EQ(NULL, strstr(text, "987654321"));
	EXPECT_EQ(0, said(self, 4096));
	EXPECT_STREQ("", text);
}

/* A prepare that needs the first arena says it, too. */
TEST_F(configurations, no_room_for_the_first_arena)
{
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = 0,
		.kind = PTO_KIND_DEVICE_ORCH,
		.entry = "entry",
		.log_ptr = (uintptr_t)text,
		.log_size = sizeof(text),
	};
	struct rig *rig = rig_new();
	struct pto_ctx *ctx;

	rig->opcode = PTO_DEV_ARENA_BUILD;
	rig->spoil = too_large;
	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, rig_open(rig, &ctx));
	ASSERT_EQ(0, rig_image(ctx, "image of another", &arg.image));
	text[0] = '\0';
	EXPECT_EQ(-ENOMEM, rig_ioctl(ctx, PTO_PREPARE, &arg));
	EXPECT_NE(NULL, strstr(text, "no room for the callable and its arena: at least 987654321"));
	rig->spoil = read_plan;
	EXPECT_EQ(0, rig_ioctl(ctx, PTO_PREPARE, &arg));
	rig_close(ctx);
	rig_free(rig);
}

TEST_HARNESS_MAIN
