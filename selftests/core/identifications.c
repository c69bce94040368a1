// SPDX-License-Identifier: GPL-2.0
/*
 * Identification pages that the driver takes, and what it makes of them.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

static int device_info(struct rig *rig, struct pto_device_info *info)
{
	struct pto_ioc_query arg = {
		.size = sizeof(arg),
		.item = PTO_QUERY_DEVICE,
		.data_ptr = (uintptr_t)info,
		.data_size = sizeof(*info),
	};
	struct pto_ctx *ctx;
	int err = rig_open(rig, &ctx);

	if (err)
		return err;
	err = rig_ioctl(ctx, PTO_QUERY, &arg);
	rig_close(ctx);
	return err;
}

/* What a later device adds is none of this driver's business. */
TEST(later_minor_version)
{
	struct rig *rig = rig_new();
	struct pto_device_info info;

	rig->ident->abi_version += 1;
	ASSERT_EQ(0, rig_start(rig));
	EXPECT_EQ(0, device_info(rig, &info));
	rig_free(rig);
}

TEST(kinds)
{
	static const uint32_t archs[] = { PTO_ARCH_A2A3, PTO_ARCH_A5 };
	struct pto_device_info info;
	uint32_t arch;
	size_t i;

	for (i = 0; i < sizeof(archs) / sizeof(archs[0]); i++) {
		struct rig *rig = rig_new();

		rig->ident->arch = archs[i];
		ASSERT_EQ(0, rig_start(rig));
		ASSERT_EQ(0, device_info(rig, &info));
		EXPECT_EQ(archs[i], info.arch);
		rig_free(rig);
	}
	for (arch = 0; arch < 20; arch++) {
		struct rig *rig = rig_new();

		rig->ident->arch = arch;
		EXPECT_EQ(arch == PTO_ARCH_A2A3 || arch == PTO_ARCH_A5 ? 0 : -ENODEV,
			  rig_start(rig));
		rig_free(rig);
	}
}

TEST(name_without_an_end)
{
	struct rig *rig = rig_new();
	struct pto_device_info info;

	memset(rig->ident->name, 'n', sizeof(rig->ident->name));
	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, device_info(rig, &info));
	EXPECT_EQ(sizeof(info.name) - 1, strnlen((char *)info.name, sizeof(info.name)));
	rig_free(rig);
}

/* Ring sizes by default: the device's, or the usual ones where it does not say. */
TEST(default_rings)
{
	struct rig *rig = rig_new();
	struct pto_device_info info;

	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, device_info(rig, &info));
	EXPECT_EQ(256 << 20, info.default_heap);
	EXPECT_EQ(16384, info.default_task_window);
	EXPECT_EQ(16384, info.default_dep_pool);
	rig_free(rig);
	rig = rig_new();
	rig->ident->default_heap = 4096;
	rig->ident->default_task_window = 8;
	rig->ident->default_dep_pool = 9;
	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, device_info(rig, &info));
	EXPECT_EQ(4096, info.default_heap);
	EXPECT_EQ(8, info.default_task_window);
	EXPECT_EQ(9, info.default_dep_pool);
	rig_free(rig);
}

static const struct {
	uint64_t heap;
	uint32_t window, pool;
} bad_rings[] = {
	{ .heap = 1023 }, { .heap = 1ULL << 63 }, { .heap = UINT64_MAX }, { .window = 2 },
	{ .window = 12 }, { .window = 1U << 31 }, { .pool = 3 }, { .pool = 1U << 31 },
};

TEST(default_rings_that_cannot_be)
{
	size_t i;

	for (i = 0; i < sizeof(bad_rings) / sizeof(bad_rings[0]); i++) {
		struct rig *rig = rig_new();

		rig->ident->default_heap = bad_rings[i].heap;
		rig->ident->default_task_window = bad_rings[i].window;
		rig->ident->default_dep_pool = bad_rings[i].pool;
		EXPECT_EQ(-ENODEV, rig_start(rig)) {
			TH_LOG("row %zu", i);
		}
		rig_free(rig);
	}
}

static void becomes_ready(struct rig *rig)
{
	__atomic_store_n(&rig->ident->state, PTO_DEV_STATE_READY, __ATOMIC_RELEASE);
}

/* It is waited for, and looked at only then. */
TEST(begins_late)
{
	struct rig *rig = rig_new();
	struct pto_device_info info;

	rig_virtual_time(rig, 1);
	rig->ident->state = PTO_DEV_STATE_INIT;
	rig_later(rig, RIG_SECOND, becomes_ready);
	ASSERT_EQ(0, rig_start(rig));
	EXPECT_LE(RIG_START_NS + RIG_SECOND, rig_now());
	EXPECT_EQ(0, device_info(rig, &info));
	rig_free(rig);
}

TEST(never_begins)
{
	struct rig *rig = rig_new();

	rig_virtual_time(rig, 1);
	rig->ident->state = PTO_DEV_STATE_INIT;
	EXPECT_EQ(-ENODEV, rig_start(rig));
	EXPECT_LE(RIG_START_NS + RIG_SECOND, rig_now());
	EXPECT_GE(RIG_START_NS + 10 * RIG_SECOND, rig_now());
	rig_free(rig);
}

TEST_HARNESS_MAIN
