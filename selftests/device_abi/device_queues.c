// SPDX-License-Identifier: GPL-2.0
/* The queues of the device ABI: identification, order, wake-ups, and garbage. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homes.h"
#include "../../sim/device/device.h"

TEST_F(device, identification)
{
	const struct pto_dev_ident *ident = self->rig.ident;

	EXPECT_EQ(PTO_DEV_MAGIC, ident->magic);
	EXPECT_EQ(PTO_DEV_ABI_VERSION, ident->abi_version);
	EXPECT_EQ(PTO_DEV_STATE_READY, ident->state);
	EXPECT_EQ(PTO_ARCH_A2A3, ident->arch);
	EXPECT_EQ(24, ident->cluster_count);
	EXPECT_EQ(24, ident->aic_count);
	EXPECT_EQ(48, ident->aiv_count);
	EXPECT_EQ(4, ident->aicpu_threads);
	EXPECT_EQ(2, ident->worker_threads);
	EXPECT_EQ(16, ident->max_contexts);
	EXPECT_EQ(8ULL << 30, ident->window_size);
	EXPECT_EQ(ptodev_window_size(self->rig.dev), ident->window_size);
	EXPECT_EQ((uintptr_t)ptodev_window(self->rig.dev), ident->memory_base);
	EXPECT_EQ(0, ident->queue_depth & (ident->queue_depth - 1));
	EXPECT_LE(PTO_DEV_QUEUE_BYTES(ident->queue_depth), ident->queue_stride);
	EXPECT_LE(ident->queue_offset + (uint64_t)ident->queue_count * ident->queue_stride,
		  ident->heap_offset);
	EXPECT_EQ(variant->isolate, !!(ident->features & PTO_FEATURE_ISOLATED));
	EXPECT_STREQ("rig", (const char *)ident->name);
}

TEST_F(device, heartbeat)
{
	uint32_t before = __atomic_load_n(&self->rig.ident->heartbeat, __ATOMIC_RELAXED);
	uint64_t until = rig_now() + RIG_BOUND_NS;

	while (__atomic_load_n(&self->rig.ident->heartbeat, __ATOMIC_RELAXED) == before) {
		ASSERT_GT(until, rig_now());
		usleep(10000);
	}
}

/*
 * As on a machine with large pages: each part that a driver or a context maps by itself begins
 * and ends at one. Runs show that the context has found its queues.
 */
TEST_F(device, large_pages)
{
	static const uint32_t sizes[] = { 4096, 16384, 65536 };
	const struct pto_dev_ident *ident;
	struct rig_ctx ctx;
	struct rig rig;
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		rig_page_size = sizes[i];
		ASSERT_EQ(0, rig_create(&rig, PTO_ARCH_A2A3, 4, variant->isolate));
		ident = rig.ident;
		EXPECT_EQ(0, ident->queue_offset % sizes[i]);
		EXPECT_EQ(0, ident->queue_stride % sizes[i]);
		EXPECT_EQ(0, ident->heap_offset % sizes[i]);
		EXPECT_EQ(0, ident->window_size % sizes[i]);
		EXPECT_LE(sizes[i], ident->queue_offset);
		ASSERT_EQ(0, rig_ctx_open(&rig, &ctx, 3));
		ASSERT_EQ(0, rig_ctx_probe(&ctx, 0));
		rig_destroy(&rig);
	}
	rig_page_size = 0;
}

TEST(architectures)
{
	struct rig rig;

	ASSERT_EQ(0, rig_create(&rig, PTO_ARCH_A5, 1, false));
	EXPECT_EQ(36, rig.ident->cluster_count);
	EXPECT_EQ(36, rig.ident->aic_count);
	EXPECT_EQ(72, rig.ident->aiv_count);
	EXPECT_EQ(5, rig.ident->aicpu_threads);
	rig_destroy(&rig);
	EXPECT_EQ(-EINVAL, rig_create(&rig, 77, 1, false));
	EXPECT_EQ(-EINVAL, rig_create(&rig, PTO_ARCH_A5, 1000000, false));
}

/* The window has to hold the queues and some memory, and to be a file's size. */
TEST(windows)
{
	struct ptodev_config config = { .arch = PTO_ARCH_A5, .max_contexts = 1, .workers = 1 };
	static const struct {
		uint64_t bytes;
		int ret;
	} rows[] = {
		{ 1, -EINVAL }, { 1ULL << 20, -EINVAL }, { 2ULL << 20, -EINVAL },
		{ 1ULL << 63, -EINVAL }, { UINT64_MAX, -EINVAL }, { (8ULL << 20) + 1, 0 },
	};
	struct ptodev *dev;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		config.memory_size = rows[i].bytes;
		EXPECT_EQ(rows[i].ret, ptodev_create(&config, &dev)) {
			TH_LOG("row %zu", i);
		}
		if (rows[i].ret)
			continue;
		EXPECT_EQ(8ULL << 20, ptodev_window_size(dev));
		ptodev_destroy(dev);
	}
}

/* More commands than the queue has entries, each completed in order. */
TEST_F(device, order)
{
	uint32_t depth = self->rig.ident->queue_depth;
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_BARRIER, .ctx = 1 };
	struct pto_dev_cqe cqe;
	uint64_t last = 0;
	uint32_t i;

	for (i = 0; i < depth; i++)
		ASSERT_EQ(i, rig_submit(&self->rig, 2, &cmd));
	for (i = 0; i < 4 * depth; i++) {
		ASSERT_EQ(0, rig_wait(&self->rig, 2, i, &cqe));
		ASSERT_EQ(i, cqe.id);
		ASSERT_EQ(PTO_DEV_OK, cqe.status);
		ASSERT_LE(last, cqe.start_ns);
		ASSERT_LE(cqe.start_ns, cqe.end_ns);
		last = cqe.end_ns;
		rig_submit(&self->rig, 2, &cmd);
	}
}

/* Sleeps until all queues of the device ask for doorbells. */
static bool all_asleep(struct rig *rig)
{
	uint64_t until = rig_now() + RIG_BOUND_NS;
	uint32_t i;

	for (i = 0; i <= 2; i++) {
		while (!__atomic_load_n(&rig_queue(rig, i)->sq_flags, __ATOMIC_SEQ_CST)) {
			if (rig_now() > until)
				return false;
			usleep(1000);
		}
	}
	return true;
}

TEST_F(device, doorbells)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP };
	uint32_t id, queue;

	for (queue = 0; queue <= 2; queue++) {
		ASSERT_TRUE(all_asleep(&self->rig));
		cmd.ctx = queue ? 1 : 0;
		id = rig_submit(&self->rig, queue, &cmd);
		ASSERT_EQ(0, rig_wait(&self->rig, queue, id, NULL));
		ASSERT_TRUE(all_asleep(&self->rig));
		cmd.id = rig_queue(&self->rig, queue)->sq_tail;
		*rig_sqe(&self->rig, queue, cmd.id) = cmd;
		__atomic_store_n(&rig_queue(&self->rig, queue)->sq_tail, cmd.id + 1,
				 __ATOMIC_SEQ_CST);
		ptodev_kick(self->rig.dev, PTODEV_ALL_QUEUES);
		ASSERT_EQ(0, rig_wait(&self->rig, queue, cmd.id, NULL));
	}
	ptodev_kick(self->rig.dev, 12345678);
}

TEST_F(device, interrupts)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	struct pollfd interrupt = { .fd = self->rig.interrupt_fd, .events = POLLIN };
	uint32_t id;

	id = rig_submit(&self->rig, 2, &cmd);
	ASSERT_EQ(0, rig_wait(&self->rig, 2, id, NULL));
	EXPECT_EQ(0, poll(&interrupt, 1, 0));
	__atomic_store_n(&rig_queue(&self->rig, 2)->cq_flags, PTO_DEV_NEED_WAKEUP,
			 __ATOMIC_SEQ_CST);
	id = rig_submit(&self->rig, 2, &cmd);
	EXPECT_EQ(1, poll(&interrupt, 1, 60000));
	EXPECT_EQ(0, rig_wait(&self->rig, 2, id, NULL));
}

/* Indices that make no sense are no work; when they make sense again, it goes on. */
TEST_F(device, hostile_indices)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP };
	uint32_t depth = self->rig.ident->queue_depth;
	struct pto_dev_queue *pair;
	uint32_t tail, queue;

	for (queue = 0; queue <= 2; queue++) {
		pair = rig_queue(&self->rig, queue);
		tail = pair->sq_tail;
		cmd.ctx = queue ? 1 : 0;
		__atomic_store_n(&pair->sq_tail, tail + depth + 1, __ATOMIC_SEQ_CST);
		ptodev_kick(self->rig.dev, queue);
		__atomic_store_n(&pair->sq_tail, tail - 1, __ATOMIC_SEQ_CST);
		ptodev_kick(self->rig.dev, PTODEV_ALL_QUEUES);
		usleep(20000);
		EXPECT_EQ(tail, __atomic_load_n(&pair->sq_head, __ATOMIC_RELAXED));
		EXPECT_EQ(tail, __atomic_load_n(&pair->cq_tail, __ATOMIC_RELAXED));
		__atomic_store_n(&pair->cq_head, tail - depth, __ATOMIC_SEQ_CST);
		__atomic_store_n(&pair->sq_head, 77, __ATOMIC_SEQ_CST);
		__atomic_store_n(&pair->sq_tail, tail, __ATOMIC_SEQ_CST);
		__atomic_store_n(&pair->cq_head, tail, __ATOMIC_SEQ_CST);
		EXPECT_EQ(PTO_DEV_OK, rig_do(&self->rig, queue, &cmd, NULL));
	}
}

/*
 * A driver that takes commands back while they are fetched, and gives them again: whichever moment
 * the device saw, each is executed once.
 */
TEST_F(device, commands_that_are_taken_back)
{
	struct pto_dev_queue *pair = rig_queue(&self->rig, 2);
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	uint64_t until = rig_now() + 300000000ULL;
	struct pto_dev_cqe cqe;

	while (rig_now() < until) {
		cmd.id = __atomic_load_n(&pair->sq_tail, __ATOMIC_RELAXED);
		*rig_sqe(&self->rig, 2, cmd.id) = cmd;
		while (__atomic_load_n(&pair->cq_tail, __ATOMIC_ACQUIRE) == cmd.id &&
		       rig_now() < until) {
			__atomic_store_n(&pair->sq_tail, cmd.id + 1, __ATOMIC_SEQ_CST);
			if (__atomic_load_n(&pair->sq_flags, __ATOMIC_SEQ_CST))
				ptodev_kick(self->rig.dev, 2);
			__atomic_store_n(&pair->sq_tail, cmd.id, __ATOMIC_SEQ_CST);
		}
		__atomic_store_n(&pair->sq_tail, cmd.id + 1, __ATOMIC_SEQ_CST);
		ptodev_kick(self->rig.dev, 2);
		ASSERT_EQ(0, rig_wait(&self->rig, 2, cmd.id, &cqe));
		ASSERT_EQ(cmd.id, cqe.id);
		ASSERT_EQ(PTO_DEV_OK, cqe.status);
		ASSERT_EQ(cmd.id + 1, __atomic_load_n(&pair->cq_tail, __ATOMIC_ACQUIRE));
	}
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_ECHO, 42, 0));
	EXPECT_EQ(42, *self->ctx.page);
}

struct bad {
	uint32_t queue;
	struct pto_dev_cmd cmd;
	uint32_t status;
};

static const struct bad bad_commands[] = {
	{ 0, { .opcode = 15 }, PTO_DEV_UNSUPPORTED },
	{ 0, { .opcode = 65535 }, PTO_DEV_UNSUPPORTED },
	{ 0, { .opcode = PTO_DEV_NOP, .flags = 1 }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_NOP, .arg = { [5] = 1 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_NOP, .handle = 1 }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_MAP }, PTO_DEV_UNSUPPORTED },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 0, .arg = { 5 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 17, .arg = { 5 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 1, .arg = { 5 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 2, .arg = { 0 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 2, .arg = { 2 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 2, .arg = { 99999 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 2, .arg = { 5, 1 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_CTX_DESTROY, .ctx = 2 }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_ABORT, .ctx = 2 }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_QUEUE_BIND, .ctx = 2, .arg = { 5 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_QUEUE_BIND, .ctx = 1, .arg = { 2 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_QUEUE_UNBIND, .ctx = 1, .arg = { 1 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_QUEUE_UNBIND, .ctx = 1, .arg = { 0 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_QUEUE_UNBIND, .ctx = 1, .arg = { 5 } }, PTO_DEV_INVALID },
	{ 0, { .opcode = PTO_DEV_ARENA_BUILD, .arg = { 0, 4096 } }, PTO_DEV_INVALID },
	{ 1, { .opcode = 99, .ctx = 1 }, PTO_DEV_UNSUPPORTED },
	{ 1, { .opcode = PTO_DEV_CTX_DESTROY, .ctx = 1 }, PTO_DEV_UNSUPPORTED },
	{ 1, { .opcode = PTO_DEV_RUN, .ctx = 1 }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_NOP, .ctx = 2 }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_MAP, .ctx = 1 }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_MAP, .ctx = 1, .arg = { 0, 4096, 1 } }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_UNMAP, .ctx = 1, .arg = { 0, 4096, 0 } }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_UNLOAD, .ctx = 1, .arg = { 4096, 0 } }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_LOAD, .ctx = 1, .handle = 1 }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_LOAD, .ctx = 1, .handle = 256 }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_UNLOAD, .ctx = 1, .handle = 1 }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_UNLOAD, .ctx = 1, .handle = ~0u }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_ARENA_BIND, .ctx = 1 }, PTO_DEV_INVALID },
	{ 1, { .opcode = PTO_DEV_ARENA_DROP, .ctx = 1 }, PTO_DEV_INVALID },
	{ 2, { .opcode = PTO_DEV_LOAD, .ctx = 1 }, PTO_DEV_INVALID },
	{ 2, { .opcode = PTO_DEV_RUN, .ctx = 1, .handle = 9 }, PTO_DEV_INVALID },
	{ 2, { .opcode = PTO_DEV_RUN, .ctx = 1 }, PTO_DEV_INVALID },
	{ 2, { .opcode = PTO_DEV_BARRIER, .ctx = 1, .handle = 1 }, PTO_DEV_INVALID },
};

TEST_F(device, bad_commands)
{
	const struct bad *bad;
	struct pto_dev_cmd cmd;
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(bad_commands); i++) {
		bad = &bad_commands[i];
		cmd = bad->cmd;
		ret = rig_do(&self->rig, bad->queue, &cmd, NULL);
		EXPECT_EQ((int)bad->status, ret)
			TH_LOG("command %zu", i);
		EXPECT_STRNE("", rig_why(&self->rig, bad->queue, cmd.id))
			TH_LOG("command %zu", i);
	}
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_COUNT, 0, 0));
}

TEST_F(device, wrong_id)
{
	uint32_t id, queue;

	for (queue = 0; queue <= 2; queue++) {
		struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP, .id = 5555, .ctx = !!queue };
		struct pto_dev_cqe cqe;

		id = rig_submit_raw(&self->rig, queue, &cmd);
		ASSERT_EQ(0, rig_wait(&self->rig, queue, id, &cqe));
		EXPECT_EQ(id, cqe.id);
		EXPECT_EQ(PTO_DEV_INVALID, cqe.status);
		EXPECT_NE(NULL, strstr(rig_why(&self->rig, queue, id), "has id 5555"));
		EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, queue, PTO_DEV_NOP, !!queue));
	}
}

/* Every entry is completed, whatever it was. The second context does not notice. */
TEST_F(device, garbage)
{
	struct rig_ctx other;
	union {
		struct pto_dev_cmd cmd;
		uint32_t words[16];
	} entry;
	uint32_t i, w, id, queue;

	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	ASSERT_EQ(0, rig_ctx_probe(&other, 0));
	srandom(4711);
	for (i = 0; i < 3000; i++) {
		queue = i % 3;
		for (w = 0; w < 16; w++)
			entry.words[w] = (uint32_t)random() & (random() % 4 ? 0xff : ~0u);
		entry.cmd.opcode = (uint16_t)(random() % 40);
		entry.cmd.flags = 0;
		entry.cmd.ctx = queue ? 1 : 3 + (uint32_t)random() % 20;
		if (random() % 2)
			memset(entry.cmd.arg, 0, sizeof(entry.cmd.arg));
		id = rig_submit(&self->rig, queue, &entry);
		ASSERT_EQ(0, rig_wait(&self->rig, queue, id, NULL));
	}
	EXPECT_EQ(PTO_DEV_OK, rig_run(&other, 0, PROBE_ECHO, 42, 0));
	EXPECT_EQ(42, *other.page);
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&other));
}

TEST_HARNESS_MAIN
