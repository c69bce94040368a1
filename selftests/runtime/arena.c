// SPDX-License-Identifier: GPL-2.0
/* The arena: what binding it and an empty run touch, seen by forbidding everything else. */
#include <sys/mman.h>

#include <pto/orch.h>
#include <sim/device/engine.h>

#include "harness.h"
#include "arena_fixture.h"

static const struct pto_engine_config machine = {
	.arch = PTO_ARCH_A2A3, .cluster_count = 24, .aicpu_threads = 4, .workers = 1,
	.default_timeout_ns = 10000000000ULL,
};

static void empty(struct pto_rt *rt, const struct pto_orch_args *args)
{
}

static uint32_t run_empty(void *arena, struct pto_dev_report *report)
{
	const struct pto_engine_callable callable = { .entry = empty };
	const struct pto_engine_run run = { .callable = &callable, .arena = arena, .epoch = 1 };
	struct pto_engine *engine;
	uint32_t status;

	if (pto_engine_create(&machine, &engine))
		return UINT32_MAX;
	status = pto_engine_run(engine, &run, report);
	pto_engine_destroy(engine);
	return status;
}

FIXTURE(arena) {
	struct pto_dev_arena_plan plan;
	uint8_t image[PTO_DEV_PAGE_SIZE];
	void *memory;
};

FIXTURE_VARIANT(arena) {
	uint64_t window;
	uint64_t heap;
	uint64_t pool;
};

FIXTURE_VARIANT_ADD(arena, smallest) { .window = 4, .heap = 1024, .pool = 4 };
FIXTURE_VARIANT_ADD(arena, usual) { .window = 16384, .heap = 256 << 20, .pool = 16384 };
FIXTURE_VARIANT_ADD(arena, large) { .window = 1 << 20, .heap = 1ULL << 34, .pool = 1 << 24 };

/* Only the first page may be touched. */
FIXTURE_SETUP(arena)
{
	self->plan = rings_alike(variant->window, variant->heap, variant->pool);
	ASSERT_EQ(0, pto_arena_plan(&self->plan));
	ASSERT_LE(self->plan.image_size, sizeof(self->image));
	pto_arena_build(&self->plan, self->image);
	self->memory = mmap(NULL, self->plan.arena_size, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, mprotect(self->memory, PTO_DEV_PAGE_SIZE, PROT_READ | PROT_WRITE));
}

FIXTURE_TEARDOWN(arena)
{
	munmap(self->memory, self->plan.arena_size);
}

TEST_F(arena, image_has_one_size)
{
	struct pto_dev_arena_plan other = rings_alike(1024, 4096, 64);

	ASSERT_EQ(0, pto_arena_plan(&other));
	EXPECT_EQ(other.image_size, self->plan.image_size);
}

TEST_F(arena, bind_touches_the_head_alone)
{
	ASSERT_EQ(0, pto_arena_bind(self->memory, self->plan.arena_size, self->image,
				    self->plan.image_size));
	EXPECT_EQ(0, memcmp(self->memory, self->image, self->plan.image_size));
}

TEST_F(arena, empty_run_touches_the_head_alone)
{
	struct pto_dev_report report;

	ASSERT_EQ(0, pto_arena_bind(self->memory, self->plan.arena_size, self->image,
				    self->plan.image_size));
	EXPECT_EQ(PTO_DEV_OK, run_empty(self->memory, &report));
}

TEST_HARNESS_MAIN
