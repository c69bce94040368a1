// SPDX-License-Identifier: GPL-2.0
/*
 * PTO_BO_COPY against memmove(): random copies of every direction, over all edges of pages, on
 * a transport that gives access to one page at a time. The simulator has two ways to get at the
 * application's memory: the kernel's calls for that, and one for where there are none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

#define PAGE	4096u
#define PAGES	5u
#define BYTES	(PAGES * PAGE)
#define STEPS	2000

FIXTURE(copies) {
	struct rig *rig;
	struct pto_ctx *ctx;
	uint32_t ids[2];
	char *shown[2];		/* the buffers, in the window */
	char *user;		/* as much memory, and behind it a page that nobody may touch */
	unsigned int first;
	long memory;
};

FIXTURE_VARIANT(copies) {
	int denied;	/* the answer to process_vm_readv() and process_vm_writev(), 0: theirs */
};

FIXTURE_VARIANT_ADD(copies, allowed) { .denied = 0 };
FIXTURE_VARIANT_ADD(copies, forbidden) { .denied = EPERM };
FIXTURE_VARIANT_ADD(copies, unknown) { .denied = ENOSYS };

static char model[2][BYTES];	/* what should be in the buffers */
static char mine[BYTES];	/* and in the memory */
static unsigned int seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

static void scribble(char *bytes, size_t count)
{
	while (count--)
		*bytes++ = (char)rand_r(&seed);
}

FIXTURE_SETUP(copies)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	struct pto_ioc_bo_create bo;
	int err, i;

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	self->first = seed;
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rig_bo(self->ctx, BYTES, &bo));
		self->ids[i] = bo.id;
		self->shown[i] = (char *)(uintptr_t)bo.device_addr;
		scribble(model[i], BYTES);
		memcpy(self->shown[i], model[i], BYTES);
	}
	self->user = mmap(NULL, BYTES + PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->user);
	ASSERT_EQ(0, mprotect(self->user + BYTES, PAGE, PROT_NONE));
	scribble(mine, BYTES);
	memcpy(self->user, mine, BYTES);
	if (!variant->denied)
		return;
	err = pt_deny_call(SYS_process_vm_readv, variant->denied);
	if (err == -EINVAL)
		SKIP(return, "this kernel has no filters of system calls");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, pt_deny_call(SYS_process_vm_writev, variant->denied));
}

FIXTURE_TEARDOWN(copies)
{
	struct pto_context_stats stats;
	int i;

	munmap(self->user, BYTES + PAGE);
	/* No copy, whether it was done or not, keeps a buffer. */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, rig_bo_destroy(self->ctx, self->ids[i]));
	rig_settle();
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	EXPECT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.bo_bytes);
	rig_close(self->ctx);
	EXPECT_EQ(0, self->rig->accesses);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* Near an edge as often as not. */
static uint32_t random_offset(uint32_t room)
{
	uint32_t edge = below(PAGES + 1) * PAGE + below(5) - 2;

	if (below(2) || edge > room)
		return below(room + 1);
	return edge;
}

static int copy(FIXTURE_DATA(copies) *self, struct pto_ioc_bo_copy *arg)
{
	arg->size = sizeof(*arg);
	return rig_ioctl(self->ctx, PTO_BO_COPY, arg);
}

static int copy_randomly(FIXTURE_DATA(copies) *self)
{
	uint32_t length = below(3) ? random_offset(BYTES) : below(100);
	uint32_t from = random_offset(BYTES - length), to = random_offset(BYTES - length);
	int src = below(2), dst = below(2);
	struct pto_ioc_bo_copy arg = { .direction = 1 + below(3), .length = length };

	if (arg.direction != PTO_COPY_TO_DEVICE) {
		arg.src_id = self->ids[src];
		arg.src_offset = from;
	}
	if (arg.direction != PTO_COPY_FROM_DEVICE) {
		arg.dst_id = self->ids[dst];
		arg.dst_offset = to;
	}
	switch (arg.direction) {
	case PTO_COPY_TO_DEVICE:
		arg.user_ptr = (uintptr_t)(self->user + from);
		memcpy(model[dst] + to, mine + from, length);
		break;
	case PTO_COPY_FROM_DEVICE:
		arg.user_ptr = (uintptr_t)(self->user + to);
		memcpy(mine + to, model[src] + from, length);
		break;
	default:
		memmove(model[dst] + to, model[src] + from, length);
	}
	return copy(self, &arg);
}

TEST_F(copies, random_copies)
{
	int i;

	for (i = 0; i < STEPS; i++) {
		ASSERT_EQ(0, copy_randomly(self));
		ASSERT_EQ(0, memcmp(model[0], self->shown[0], BYTES)) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
		ASSERT_EQ(0, memcmp(model[1], self->shown[1], BYTES)) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
		ASSERT_EQ(0, memcmp(mine, self->user, BYTES)) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
		if (!(i % 100))
			scribble(mine, BYTES);
		memcpy(self->user, mine, BYTES);
	}
}

/* Nothing of it is said to be done of which a part cannot be. */
TEST_F(copies, memory_that_ends_before_the_copy)
{
	struct pto_ioc_bo_copy arg;
	uint32_t length;

	for (length = 1; length < 3 * PAGE; length += 511) {
		arg = (struct pto_ioc_bo_copy){
			.direction = PTO_COPY_TO_DEVICE,
			.dst_id = self->ids[0],
			.dst_offset = 100,
			.user_ptr = (uintptr_t)(self->user + BYTES - length),
			.length = length,
		};
		EXPECT_EQ(0, copy(self, &arg));
		arg.length++;
		EXPECT_EQ(-EFAULT, copy(self, &arg));
		arg.direction = PTO_COPY_FROM_DEVICE;
		arg.src_id = self->ids[0];
		arg.src_offset = 100;
		arg.dst_id = 0;
		arg.dst_offset = 0;
		EXPECT_EQ(-EFAULT, copy(self, &arg));
		arg.length--;
		EXPECT_EQ(0, copy(self, &arg));
	}
}

/* The application may close each descriptor that it finds, and open another one in its place. */
TEST_F(copies, no_descriptor_is_kept)
{
	struct pto_ioc_bo_copy arg = {
		.direction = PTO_COPY_TO_DEVICE,
		.dst_id = self->ids[0],
		.user_ptr = (uintptr_t)self->user,
		.length = BYTES,
	};
	int fd = dup(STDERR_FILENO);

	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, copy(self, &arg));
	arg.user_ptr += PAGE;
	ASSERT_EQ(-EFAULT, copy(self, &arg));
	EXPECT_EQ(fd, dup(STDERR_FILENO));
	close(fd);
}

/* A transport that fails in the middle of it. */
TEST_F(copies, access_that_fails)
{
	struct pto_ioc_bo_copy arg = {
		.direction = PTO_COPY_DEVICE,
		.dst_id = self->ids[0],
		.src_id = self->ids[1],
		.length = 3 * PAGE,
	};
	unsigned int i;

	for (i = 0; i < 6; i++) {
		rig_fail(self->rig, RIG_ACCESS, i, 1);
		EXPECT_EQ(-EIO, copy(self, &arg));
		EXPECT_EQ(0, self->rig->accesses);
	}
	EXPECT_EQ(0, copy(self, &arg));
}

/* A page that cannot be reached: the copy says so, ends there, and leaves nothing open. */
TEST_F(copies, memory_that_cannot_be_reached)
{
	struct pto_ioc_bo_copy arg = { .length = 2 * PAGE };
	uint32_t direction;
	unsigned int skip;

	for (direction = PTO_COPY_TO_DEVICE; direction <= PTO_COPY_DEVICE; direction++) {
		arg.direction = direction;
		arg.src_id = direction == PTO_COPY_TO_DEVICE ? 0 : self->ids[0];
		arg.dst_id = direction == PTO_COPY_FROM_DEVICE ? 0 : self->ids[1];
		arg.user_ptr = direction == PTO_COPY_DEVICE ? 0 : (uintptr_t)self->user;
		for (skip = 0; skip < 2; skip++) {
			rig_fail(self->rig, RIG_ACCESS, skip, 1);
			EXPECT_EQ(-EIO, copy(self, &arg)) {
				TH_LOG("direction %u, access %u", direction, skip);
			}
			EXPECT_EQ(0, self->rig->accesses);
		}
		EXPECT_EQ(0, copy(self, &arg));
	}
}

TEST_HARNESS_MAIN
