// SPDX-License-Identifier: GPL-2.0
/* Callables of kind HOST_GRAPH, and the graphs of their runs: good ones and hostile ones. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <pto/orch.h>
#include "homes.h"

#define HANDLE	7
#define TASKS	4

/*
 * A graph: memory that is filled with 3, its element doubled, a dummy behind that, and
 * behind that the word of the context's page doubled.
 */
struct graph {
	struct pto_dev_graph head;
	struct record {
		struct pto_dev_graph_task task;
		struct pto_tensor tensor;
		uint64_t value;
		uint64_t scalar;
		uint64_t dep;
	} memory, first, dummy, last;
};

#define MEMORY_SIZE	(sizeof(struct pto_dev_graph_task) + sizeof(struct pto_tensor) + 8)
#define DUMMY_SIZE	(sizeof(struct pto_dev_graph_task) + 8)
#define LAST_SIZE	(MEMORY_SIZE + 8)
#define GRAPH_SIZE	(sizeof(struct pto_dev_graph) + 2 * MEMORY_SIZE + DUMMY_SIZE + LAST_SIZE)

static struct pto_dev_graph_task task_of(int32_t aiv, uint32_t tensors, uint32_t scalars,
					 uint32_t deps)
{
	return (struct pto_dev_graph_task){
		.size = sizeof(struct pto_dev_graph_task) + tensors * sizeof(struct pto_tensor) +
			(scalars + deps) * 8,
		.func_id = { -1, aiv, -1 },
		.block_num = 1,
		.tensor_count = tensors,
		.scalar_count = scalars,
		.dep_count = deps,
	};
}

static struct pto_tensor word_at(uint64_t addr, uint64_t owner)
{
	uint32_t one = 1;
	struct pto_tensor t;

	pto_tensor_make(&t, addr, PTO_DTYPE_UINT64, 1, &one);
	t.owner_task = owner;
	return t;
}

static void make_graph(struct rig_ctx *ctx, struct graph *g)
{
	memset(g, 0, sizeof(*g));
	g->head = (struct pto_dev_graph){
		.magic = PTO_DEV_GRAPH_MAGIC,
		.version = PTO_DEV_GRAPH_VERSION,
		.size = GRAPH_SIZE,
		.heap_bytes = 1024,
		.task_count = TASKS,
	};
	g->memory.task = task_of(-1, 1, 1, 0);
	g->memory.task.scalar_count = 0;
	g->memory.task.flags = PTO_DEV_TASK_ALLOC;
	g->memory.task.fill_mask = 1;
	g->memory.tensor = word_at(PTO_DEV_GRAPH_HEAP, 0);
	g->memory.value = 3;
	g->first.task = task_of(5, 1, 1, 0);
	g->first.tensor = word_at(PTO_DEV_GRAPH_HEAP, 0);
	g->first.scalar = KERNEL_DOUBLE;
	g->dummy.task = task_of(-1, 0, 0, 1);
	g->dummy.dep = 1;
	g->last.task = task_of(5, 1, 1, 1);
	g->last.tensor = word_at(rig_addr(ctx->rig, ctx->page), PTO_NO_TASK);
	g->last.scalar = KERNEL_DOUBLE;
	g->last.dep = 2;
}

static char *put(char *at, const void *data, size_t bytes)
{
	memcpy(at, data, bytes);
	return at + bytes;
}

/* Writes it behind the context's arguments. */
static char *write_graph(struct rig_ctx *ctx, const struct graph *g)
{
	char *start = ctx->args + PTO_DEV_PAGE_SIZE;
	char *at = put(start, &g->head, sizeof(g->head));

	at = put(at, &g->memory.task, sizeof(g->memory.task));
	at = put(at, &g->memory.tensor, sizeof(g->memory.tensor));
	at = put(at, &g->memory.value, 8);
	at = put(at, &g->first.task, sizeof(g->first.task));
	at = put(at, &g->first.tensor, sizeof(g->first.tensor));
	at = put(at, &g->first.scalar, 8);
	at = put(at, &g->dummy.task, sizeof(g->dummy.task));
	at = put(at, &g->dummy.dep, 8);
	at = put(at, &g->last.task, sizeof(g->last.task));
	at = put(at, &g->last.tensor, sizeof(g->last.tensor));
	at = put(at, &g->last.scalar, 8);
	put(at, &g->last.dep, 8);
	return start;
}

static char *write_good(struct rig_ctx *ctx)
{
	struct graph g;

	make_graph(ctx, &g);
	return write_graph(ctx, &g);
}

static int load_host(struct rig_ctx *ctx)
{
	static const struct rig_object none;
	struct rig_object kernel;
	struct pto_dev_kernel list;

	if (rig_object(ctx->rig, "kernel.so", &kernel))
		return -EIO;
	list = (struct pto_dev_kernel){ 5, PTO_CORE_AIV, kernel.addr, kernel.size, kernel.id };
	return rig_load_kind(ctx, HANDLE, PTO_KIND_HOST_GRAPH, &none, "", &list, 1, NULL);
}

static struct pto_dev_cmd_run run_of(struct rig_ctx *ctx, const void *graph, uint64_t size)
{
	return (struct pto_dev_cmd_run){
		.opcode = PTO_DEV_RUN,
		.ctx = ctx->id,
		.handle = HANDLE,
		.epoch = ++ctx->epoch,
		.arena_addr = ctx->arena,
		.graph_addr = rig_addr(ctx->rig, graph),
		.graph_size = (uint32_t)size,
	};
}

/* Return: as rig_do() */
static int run_graph(struct rig_ctx *ctx, const char *graph)
{
	struct pto_dev_cmd_run cmd = run_of(ctx, graph, GRAPH_SIZE);

	return rig_do(ctx->rig, ctx->stream, &cmd, NULL);
}

static const char *why(struct rig_ctx *ctx)
{
	return rig_why(ctx->rig, ctx->stream, rig_queue(ctx->rig, ctx->stream)->sq_tail - 1);
}

TEST_F(device, graph)
{
	char *g = write_good(&self->ctx);
	uint32_t i;

	ASSERT_EQ(PTO_DEV_OK, load_host(&self->ctx));
	*self->ctx.page = 1;
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(PTO_DEV_OK, run_graph(&self->ctx, g)) {
			TH_LOG("%s", why(&self->ctx));
		}
	}
	EXPECT_EQ(1024, *self->ctx.page);
	/* Next to one whose orchestration is here. */
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(1, *self->ctx.page);
	EXPECT_EQ(PTO_DEV_OK, rig_unload(&self->ctx, HANDLE));
}

/* A host graph has no orchestration object, and its description says nothing of one. */
TEST_F(device, graph_load)
{
	static const struct rig_object none;
	struct rig_object probe;

	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	EXPECT_EQ(PTO_DEV_INVALID, rig_load_kind(&self->ctx, 1, PTO_KIND_HOST_GRAPH, &probe, "",
						 NULL, 0, NULL));
	EXPECT_EQ(PTO_DEV_INVALID, rig_load_kind(&self->ctx, 1, PTO_KIND_HOST_GRAPH, &none,
						 "entry", NULL, 0, NULL));
	EXPECT_EQ(PTO_DEV_UNSUPPORTED, rig_load_kind(&self->ctx, 1, PTO_KIND_HOST_GRAPH + 1, &none,
						     "", NULL, 0, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_load_kind(&self->ctx, 1, PTO_KIND_HOST_GRAPH, &none, "", NULL,
					    0, NULL));
}

/* Where a graph can be, and which callables want one. */
TEST_F(device, graph_operands)
{
	char *g = write_good(&self->ctx);
	struct pto_dev_cmd_run cmd;

#define EXPECT_INVALID(change) do { \
	cmd = run_of(&self->ctx, g, GRAPH_SIZE); \
	change; \
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(&self->rig, self->ctx.stream, &cmd, NULL)); \
} while (0)

	ASSERT_EQ(PTO_DEV_OK, load_host(&self->ctx));
	EXPECT_INVALID(cmd.graph_addr += 32);
	EXPECT_INVALID(cmd.graph_size = 0);
	EXPECT_INVALID(cmd.graph_size = UINT32_MAX);
	EXPECT_INVALID(cmd.graph_addr = 0);
	EXPECT_INVALID(cmd.graph_addr = UINT64_MAX & ~63ULL);
	EXPECT_INVALID(cmd.graph_addr = rig_addr(&self->rig, rig_alloc(&self->rig, 8192)));
	EXPECT_INVALID(cmd.handle = 0);
	EXPECT_NE(NULL, strstr(why(&self->ctx), "kind DEVICE_ORCH"));
	EXPECT_INVALID(cmd.graph_addr = 0; cmd.graph_size = 0);
	EXPECT_NE(NULL, strstr(why(&self->ctx), "kind HOST_GRAPH"));
#undef EXPECT_INVALID
}

/* --- hostile graphs ------------------------------------------------------------- */

static void no_magic(struct graph *g)
{
	g->head.magic++;
}

static void other_version(struct graph *g)
{
	g->head.version = 2;
}

static void head_flags(struct graph *g)
{
	g->head.flags = 1;
}

static void size_beyond(struct graph *g)
{
	g->head.size = GRAPH_SIZE + 1;
}

static void size_small(struct graph *g)
{
	g->head.size = sizeof(g->head) - 1;
}

static void size_cut(struct graph *g)
{
	g->head.size -= 8;
}

static void size_long(struct graph *g)
{
	g->head.task_count--;
}

static void more_tasks(struct graph *g)
{
	g->head.task_count = UINT32_MAX;
}

static void large_heap(struct graph *g)
{
	g->head.heap_bytes = 65537;
}

static void small_heap(struct graph *g)
{
	g->head.heap_bytes = 7;
}

static void record_size(struct graph *g)
{
	g->first.task.size = UINT32_MAX;
}

static void record_zero(struct graph *g)
{
	g->first.task.size = 0;
}

static void record_flags(struct graph *g)
{
	g->first.task.flags = 8;
}

static void record_pad(struct graph *g)
{
	g->first.task.pad = 1;
}

static void memory_depends(struct graph *g)
{
	g->dummy.task.flags = PTO_DEV_TASK_ALLOC;
}

static void many_tensors(struct graph *g)
{
	g->first.task.tensor_count = UINT32_MAX;
}

static void many_scalars(struct graph *g)
{
	g->first.task.scalar_count = PTO_TASK_MAX_SCALARS + 1;
}

static void many_deps(struct graph *g)
{
	g->dummy.task.dep_count = UINT32_MAX;
}

static void dep_on_itself(struct graph *g)
{
	g->dummy.dep = 2;
}

static void dep_on_later(struct graph *g)
{
	g->dummy.dep = 3;
}

static void dep_far(struct graph *g)
{
	g->dummy.dep = UINT64_MAX - 1;
}

static void dep_other_ring(struct graph *g)
{
	g->dummy.dep = 1ULL << 32;
}

static void no_kernel(struct graph *g)
{
	g->first.task.func_id[1] = 6;
}

static void negative_kernel(struct graph *g)
{
	g->first.task.func_id[1] = INT32_MIN;
}

static void huge_kernel(struct graph *g)
{
	g->first.task.func_id[1] = INT32_MAX;
}

static void wrong_core(struct graph *g)
{
	g->first.task.func_id[0] = 5;
}

static void no_blocks(struct graph *g)
{
	g->first.task.block_num = 0;
}

static void many_blocks(struct graph *g)
{
	g->first.task.block_num = 32768;
}

static void wide_start(struct graph *g)
{
	g->first.task.block_num = 1000;
	g->first.task.flags = PTO_DEV_TASK_SYNC_START;
}

static void heap_offset(struct graph *g)
{
	g->first.tensor.addr = PTO_DEV_GRAPH_HEAP + 1017;
}

static void heap_end(struct graph *g)
{
	g->first.tensor.addr = UINT64_MAX;
}

static void tensor_size(struct graph *g)
{
	g->first.tensor.size = UINT64_MAX;
}

static void tensor_extent(struct graph *g)
{
	g->first.tensor.extent = 2;
}

static void tensor_dtype(struct graph *g)
{
	g->first.tensor.dtype = 255;
}

static void tensor_dims(struct graph *g)
{
	g->first.tensor.ndims = UINT32_MAX;
}

static void tensor_space(struct graph *g)
{
	g->first.tensor.address_space = PTO_SPACE_HOST;
}

static void tensor_owner(struct graph *g)
{
	g->first.tensor.owner_task = 2;
}

static void outside(struct graph *g)
{
	g->last.tensor.addr -= 1 << 30;
}

static void outside_null(struct graph *g)
{
	g->last.tensor.addr = 0;
}

static void outside_size(struct graph *g)
{
	g->last.tensor.size = 1ULL << 40;
}

static void outside_owned(struct graph *g)
{
	g->last.tensor.owner_task = 0;
}

static void fill_none(struct graph *g)
{
	g->memory.task.fill_mask = 2;
}

static void fill_uneven(struct graph *g)
{
	g->memory.tensor.size = 9;
}

static void fill_outside(struct graph *g)
{
	g->memory.tensor = g->last.tensor;
}

static const struct hostile {
	void (*change)(struct graph *g);
	uint32_t code;
	const char *says;
} hostiles[] = {
	{ no_magic, PTO_FATAL_INVALID_ARGS, "no graph of version 1" },
	{ other_version, PTO_FATAL_INVALID_ARGS, "no graph of version 1" },
	{ head_flags, PTO_FATAL_INVALID_ARGS, "no graph of version 1" },
	{ size_beyond, PTO_FATAL_INVALID_ARGS, "no graph of version 1" },
	{ size_small, PTO_FATAL_INVALID_ARGS, "no graph of version 1" },
	{ size_cut, PTO_FATAL_INVALID_ARGS, "task 3: a record of 224 bytes, 216 are left" },
	{ size_long, PTO_FATAL_INVALID_ARGS, "224 bytes behind its last task" },
	{ more_tasks, PTO_FATAL_INVALID_ARGS, "task 4: 0 bytes are no record" },
	{ large_heap, PTO_FATAL_HEAP_RING_DEADLOCK, "65537 bytes of tensors in a heap of 65536" },
	{ small_heap, PTO_FATAL_INVALID_ARGS, "task 0: tensor 0: 8 bytes at offset 0" },
	{ record_size, PTO_FATAL_INVALID_ARGS, "task 1: 1 tensors, 1 scalars" },
	{ record_zero, PTO_FATAL_INVALID_ARGS, "task 1: 1 tensors, 1 scalars" },
	{ record_flags, PTO_FATAL_INVALID_ARGS, "task 1: unknown flags 0x8" },
	{ record_pad, PTO_FATAL_INVALID_ARGS, "task 1: unknown flags" },
	{ memory_depends, PTO_FATAL_INVALID_ARGS, "task 2: memory with flags" },
	{ many_tensors, PTO_FATAL_INVALID_ARGS, "task 1: 4294967295 tensors" },
	{ many_scalars, PTO_FATAL_INVALID_ARGS, "17 scalars" },
	{ many_deps, PTO_FATAL_INVALID_ARGS, "4294967295 dependencies" },
	{ dep_on_itself, PTO_FATAL_INVALID_ARGS, "dependency on task 0x2," },
	{ dep_on_later, PTO_FATAL_INVALID_ARGS, "dependency on task 0x3," },
	{ dep_far, PTO_FATAL_INVALID_ARGS, "dependency on task 0xfffffffffffffffe" },
	{ dep_other_ring, PTO_FATAL_INVALID_ARGS, "dependency on task 0x100000000" },
	{ no_kernel, PTO_FATAL_INVALID_ARGS, "no kernel of func_id 6" },
	{ negative_kernel, PTO_FATAL_INVALID_ARGS, "no kernel of func_id" },
	{ huge_kernel, PTO_FATAL_INVALID_ARGS, "no kernel of func_id" },
	{ wrong_core, PTO_FATAL_INVALID_ARGS, "func_id 5 is for the other type of core" },
	{ no_blocks, PTO_FATAL_INVALID_ARGS, "number of blocks" },
	{ many_blocks, PTO_FATAL_INVALID_ARGS, "number of blocks" },
	{ wide_start, PTO_FATAL_REQUIRE_SYNC_START_INVALID, "1000 blocks" },
	{ heap_offset, PTO_FATAL_INVALID_ARGS, "8 bytes at offset 1017 of a heap of 1024" },
	{ heap_end, PTO_FATAL_INVALID_ARGS, "task 1: tensor 0: 8 bytes at offset" },
	{ tensor_size, PTO_FATAL_INVALID_ARGS, "18446744073709551615 bytes at offset 0" },
	{ tensor_extent, PTO_FATAL_INVALID_ARGS, "task 1: tensor 0 is not valid" },
	{ tensor_dtype, PTO_FATAL_INVALID_ARGS, "task 1: tensor 0 is not valid" },
	{ tensor_dims, PTO_FATAL_INVALID_ARGS, "task 1: tensor 0 is not valid" },
	{ tensor_space, PTO_FATAL_INVALID_ARGS, "not in device memory" },
	{ tensor_owner, PTO_FATAL_INVALID_ARGS, "of task 2, which comes later" },
	{ outside, PTO_FATAL_INVALID_ARGS, "is not memory of this context" },
	{ outside_null, PTO_FATAL_INVALID_ARGS, "is not memory of this context" },
	{ outside_size, PTO_FATAL_INVALID_ARGS, "is not memory of this context" },
	{ outside_owned, PTO_FATAL_INVALID_ARGS, "not in the heap, but of task 0" },
	{ fill_none, PTO_FATAL_INVALID_ARGS, "values 0x2 for 1 tensors" },
	{ fill_uneven, PTO_FATAL_INVALID_ARGS, "no output that can be filled" },
	{ fill_outside, PTO_FATAL_INVALID_ARGS, "no output that can be filled" },
};

/* Each is refused with its reason; no kernel behind it has run, and the next run is well. */
TEST_F(device, graph_hostile)
{
	struct graph g;
	size_t i;

	ASSERT_EQ(PTO_DEV_OK, load_host(&self->ctx));
	for (i = 0; i < sizeof(hostiles) / sizeof(hostiles[0]); i++) {
		const struct hostile *h = &hostiles[i];
		struct pto_dev_cmd_run cmd;
		uint64_t detail = 0;

		make_graph(&self->ctx, &g);
		h->change(&g);
		cmd = run_of(&self->ctx, write_graph(&self->ctx, &g), GRAPH_SIZE);
		*self->ctx.page = 5;
		EXPECT_EQ(PTO_DEV_PROGRAM, rig_do(&self->rig, self->ctx.stream, &cmd, &detail)) {
			TH_LOG("%zu", i);
		}
		EXPECT_EQ(h->code, (uint32_t)detail);
		EXPECT_NE(NULL, strstr(why(&self->ctx), h->says)) {
			TH_LOG("%zu: \"%s\" and not \"%s\"", i, why(&self->ctx), h->says);
		}
		/* Tasks before the bad one may have run. */
		EXPECT_TRUE(*self->ctx.page == 5 || h->change == more_tasks);
		ASSERT_EQ(PTO_DEV_OK, run_graph(&self->ctx, write_good(&self->ctx)));
	}
}

/* More tasks, or dependencies, than the arena has room for. */
TEST_F(device, graph_too_large)
{
	struct pto_dev_graph *head = (void *)(self->ctx.args + PTO_DEV_PAGE_SIZE);
	struct pto_dev_graph_task *task = (void *)(head + 1);
	struct pto_dev_cmd_run cmd;
	uint32_t i;

	ASSERT_EQ(PTO_DEV_OK, load_host(&self->ctx));
	for (i = 0; i < 16; i++)
		task[i] = task_of(-1, 0, 0, 0);
	*head = (struct pto_dev_graph){
		.magic = PTO_DEV_GRAPH_MAGIC, .version = PTO_DEV_GRAPH_VERSION,
		.size = sizeof(*head) + 15 * sizeof(*task), .task_count = 15,
	};
	cmd = run_of(&self->ctx, head, 8192);
	EXPECT_EQ(PTO_DEV_OK, rig_do(&self->rig, self->ctx.stream, &cmd, NULL));
	head->size += sizeof(*task);
	head->task_count++;
	cmd = run_of(&self->ctx, head, 8192);
	EXPECT_EQ(PTO_DEV_PROGRAM, rig_do(&self->rig, self->ctx.stream, &cmd, NULL));
	EXPECT_NE(NULL, strstr(why(&self->ctx), "one scope holds 15 tasks, window of 16"));
}

#ifndef __SANITIZE_THREAD__
struct changer {
	struct rig_ctx *ctx;
	bool stop;
};

/* Writes a graph anew, over and over, each time with another change. */
static void *change_graphs(void *arg)
{
	struct changer *c = arg;
	struct graph g;
	size_t i;

	for (i = 0; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); i++) {
		make_graph(c->ctx, &g);
		hostiles[i % (sizeof(hostiles) / sizeof(hostiles[0]))].change(&g);
		write_graph(c->ctx, &g);
	}
	return NULL;
}

/* While the device reads it: good or not, but nothing worse. It is a race, on purpose. */
TEST_F(device, graph_changes_while_it_is_read)
{
	struct changer c = { .ctx = &self->ctx };
	char *g = write_good(&self->ctx);
	pthread_t thread;
	uint32_t i;
	int ret;

	ASSERT_EQ(PTO_DEV_OK, load_host(&self->ctx));
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_graphs, &c));
	for (i = 0; i < 3000; i++) {
		ret = run_graph(&self->ctx, g);
		ASSERT_TRUE(ret == PTO_DEV_OK || ret == PTO_DEV_PROGRAM) {
			TH_LOG("run %u: %d: %s", i, ret, why(&self->ctx));
		}
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(PTO_DEV_OK, run_graph(&self->ctx, write_good(&self->ctx)));
}
#endif

TEST_HARNESS_MAIN
