// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/workqueue.h>

#include <pto_core.h>
#include <sim_kernel.h>

#include "rig.h"

#define QUEUE_BYTES	PTO_DEV_QUEUE_BYTES(RIG_DEPTH)
#define HEAP_OFFSET	(PAGE_SIZE + RIG_QUEUES * QUEUE_BYTES)
#define WINDOW_SIZE	(HEAP_OFFSET + RIG_HEAP)

struct workqueue_struct *pto_wq = &sim_workqueue;

struct pto_dev_queue *rig_queue(struct rig *rig, uint32_t queue)
{
	return (struct pto_dev_queue *)(void *)(rig->window + PAGE_SIZE + queue * QUEUE_BYTES);
}

static struct pto_dev_cmd *queue_sq(struct pto_dev_queue *q)
{
	return (struct pto_dev_cmd *)(void *)((char *)q + PTO_DEV_SQ_OFFSET);
}

static struct pto_dev_cqe *queue_cq(struct pto_dev_queue *q)
{
	return (struct pto_dev_cqe *)(void *)((char *)q + PTO_DEV_CQ_OFFSET(RIG_DEPTH));
}

void rig_report(struct rig *rig, uint32_t queue, uint32_t id, const char *text)
{
	struct pto_dev_report *reports;
	struct pto_dev_report *report;

	reports = (void *)((char *)rig_queue(rig, queue) + PTO_DEV_REPORT_OFFSET(RIG_DEPTH));
	report = &reports[id % PTO_DEV_REPORTS];
	memset(report, 0, sizeof(*report));
	report->id = id;
	memcpy(report->text, text, min(strlen(text) + 1, sizeof(report->text)));
}

/* ARENA_BUILD: say how big things are. */
static void build_arena(struct rig *rig, const struct pto_dev_cmd *generic,
			struct pto_dev_cqe *cqe)
{
	const struct pto_dev_cmd_arena *cmd = (const void *)generic;
	struct pto_dev_arena_plan *plan;

	plan = (void *)(rig->window + (cmd->addr - rig->ident->memory_base));
	plan->arena_size = RIG_ARENA_SIZE;
	plan->image_size = RIG_IMAGE_SIZE;
	cqe->detail = RIG_IMAGE_SIZE;
	if (cmd->size < sizeof(*plan) + RIG_IMAGE_SIZE)
		cqe->status = PTO_DEV_NOSPACE;
}

/* The queues of a context that is no more begin again at zero. */
static void forget_queues(struct rig *rig, const struct pto_dev_cmd *cmd)
{
	const struct pto_dev_cmd_queue *bind = (const void *)cmd;

	if (cmd->opcode == PTO_DEV_CTX_CREATE || cmd->opcode == PTO_DEV_QUEUE_BIND) {
		rig->next[bind->queue] = 0;
		rig_queue(rig, bind->queue)->sq_flags = PTO_DEV_NEED_WAKEUP;
	}
}

static void execute(struct rig *rig, uint32_t queue)
{
	struct pto_dev_queue *q = rig_queue(rig, queue);
	uint32_t id = rig->next[queue]++;
	struct pto_dev_cmd cmd = queue_sq(q)[id % RIG_DEPTH];
	struct pto_dev_cqe cqe = { .id = id, .start_ns = 1, .end_ns = 2 };
	bool special = cmd.opcode == rig->opcode;

	rig->log[rig->logged++ % RIG_LOG] = (struct rig_log_entry){ queue, cmd };
	forget_queues(rig, &cmd);
	if (cmd.opcode == PTO_DEV_ARENA_BUILD)
		build_arena(rig, &cmd, &cqe);
	if (special && rig->spoil)
		rig->spoil(rig, queue, &cqe);
	queue_cq(q)[id % RIG_DEPTH] = cqe;
	__atomic_store_n(&q->cq_tail, id + 1, __ATOMIC_RELEASE);
	if (special && rig->after)
		rig->after(rig, queue);
}

void rig_release(struct rig *rig, uint32_t queue, unsigned int count)
{
	struct pto_dev_queue *q = rig_queue(rig, queue);

	while (count-- && rig->next[queue] != __atomic_load_n(&q->sq_tail, __ATOMIC_ACQUIRE))
		execute(rig, queue);
}

static void rig_kick(void *priv, u32 queue)
{
	struct rig *rig = priv;

	if (!rig->silent && !(rig->held >> queue & 1))
		rig_release(rig, queue, RIG_DEPTH);
}

static void *rig_map(void *priv, u64 offset, u64 length)
{
	struct rig *rig = priv;

	return rig->window + offset;
}

static void rig_unmap(void *priv, void *addr, u64 length)
{
}

/* Page by page, as a kernel's transport would. */
static void *rig_access(void *priv, u64 offset, size_t *length)
{
	struct rig *rig = priv;

	*length = min_t(size_t, *length, PAGE_SIZE - offset_in_page(offset));
	__atomic_fetch_add(&rig->accessed, *length, __ATOMIC_RELAXED);
	return rig->window + offset;
}

static void rig_access_end(void *priv, void *addr)
{
}

static int rig_clear(void *priv, u64 offset, u64 length)
{
	struct rig *rig = priv;

	if (rig->clear_fails)
		return -EPERM;
	memset(rig->window + offset, 0, length);
	__atomic_fetch_add(&rig->cleared, length, __ATOMIC_RELAXED);
	return 0;
}

static void rig_release_transport(void *priv)
{
	struct rig *rig = priv;

	rig->released++;
}

static const struct pto_transport_ops rig_ops = {
	.name = "rig",
	.map = rig_map,
	.unmap = rig_unmap,
	.access = rig_access,
	.access_end = rig_access_end,
	.clear = rig_clear,
	.kick = rig_kick,
	.release = rig_release_transport,
};

static void fill_ident(struct pto_dev_ident *id, char *window)
{
	*id = (struct pto_dev_ident){
		.magic = PTO_DEV_MAGIC,
		.abi_version = PTO_DEV_ABI_VERSION,
		.state = PTO_DEV_STATE_READY,
		.arch = PTO_ARCH_A5,
		.cluster_count = 36,
		.aic_count = 36,
		.aiv_count = 72,
		.aicpu_threads = 5,
		.max_contexts = RIG_CONTEXTS,
		.queue_count = RIG_QUEUES,
		.queue_depth = RIG_DEPTH,
		.queue_stride = QUEUE_BYTES,
		.queue_offset = PAGE_SIZE,
		.heap_offset = HEAP_OFFSET,
		.window_size = WINDOW_SIZE,
		.memory_base = (uintptr_t)window,
		.features = PTO_FEATURE_UNIFIED | PTO_FEATURE_SIMULATED,
		.name = "rig",
	};
}

struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		abort();
	rig->window = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	if (rig->window == MAP_FAILED)
		abort();
	rig->ident = (struct pto_dev_ident *)(void *)rig->window;
	fill_ident(rig->ident, rig->window);
	rig_queue(rig, 0)->sq_flags = PTO_DEV_NEED_WAKEUP;
	return rig;
}

int rig_start(struct rig *rig)
{
	struct pto_device *pdev = pto_device_create(&rig_ops, rig, 0, WINDOW_SIZE);

	if (IS_ERR(pdev))
		return (int)PTR_ERR(pdev);
	rig->pdev = pdev;
	return 0;
}

void rig_free(struct rig *rig)
{
	if (rig->pdev)
		pto_device_put(rig->pdev);
	munmap(rig->window, WINDOW_SIZE);
	free(rig);
}

void rig_interrupt(struct rig *rig)
{
	pto_device_interrupt(rig->pdev);
}

void rig_gone(struct rig *rig)
{
	pto_device_gone(rig->pdev);
}

unsigned int rig_count(const struct rig *rig, uint16_t opcode, unsigned int from)
{
	unsigned int i, count = 0;

	for (i = from; i < rig->logged; i++)
		count += rig->log[i % RIG_LOG].cmd.opcode == opcode;
	return count;
}

const struct rig_log_entry *rig_last(const struct rig *rig, uint16_t opcode)
{
	unsigned int i;

	for (i = rig->logged; i--;) {
		if (rig->log[i % RIG_LOG].cmd.opcode == opcode)
			return &rig->log[i % RIG_LOG];
	}
	return NULL;
}

uint32_t rig_last_bound(const struct rig *rig)
{
	struct pto_dev_cmd_queue bind;

	memcpy(&bind, &rig_last(rig, PTO_DEV_QUEUE_BIND)->cmd, sizeof(bind));
	return bind.queue;
}

int rig_open(struct rig *rig, struct pto_ctx **ctx)
{
	*ctx = pto_ctx_open(rig->pdev);
	return PTR_ERR_OR_ZERO(*ctx);
}

void rig_close(struct pto_ctx *ctx)
{
	pto_ctx_close(ctx);
}

int rig_ioctl(struct pto_ctx *ctx, unsigned int cmd, void *arg)
{
	return (int)sim_syscall_return(pto_ctx_ioctl(ctx, cmd, arg));
}

unsigned int rig_poll(struct pto_ctx *ctx)
{
	return (unsigned int)pto_ctx_poll(ctx);
}

int rig_bo(struct pto_ctx *ctx, uint64_t length, struct pto_bo_create *arg)
{
	*arg = (struct pto_bo_create){ .size = sizeof(*arg), .length = length };
	return rig_ioctl(ctx, PTO_BO_CREATE, arg);
}

int rig_bo_destroy(struct pto_ctx *ctx, uint32_t id)
{
	struct pto_bo_destroy arg = { .size = sizeof(arg), .id = id };

	return rig_ioctl(ctx, PTO_BO_DESTROY, &arg);
}

int rig_image(struct pto_ctx *ctx, const char *bytes, uint32_t *id)
{
	struct pto_image_create arg = {
		.size = sizeof(arg),
		.data_ptr = (uintptr_t)bytes,
		.length = strlen(bytes),
	};
	int err = rig_ioctl(ctx, PTO_IMAGE_CREATE, &arg);

	*id = arg.id;
	return err;
}

int rig_prepare(struct pto_ctx *ctx, int cid, uint32_t image)
{
	struct pto_prepare arg = {
		.size = sizeof(arg),
		.cid = cid,
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = image,
	};

	return rig_ioctl(ctx, PTO_PREPARE, &arg);
}

int rig_unprepare(struct pto_ctx *ctx, int cid)
{
	struct pto_unprepare arg = { .size = sizeof(arg), .cid = cid };

	return rig_ioctl(ctx, PTO_UNPREPARE, &arg);
}

int rig_run(struct pto_ctx *ctx, int cid, uint32_t args_bo, uint64_t *id)
{
	struct pto_run_entry entry = {
		.cid = cid,
		.args_bo = args_bo,
		.args_size = args_bo ? 64 : 0,
		.user_data = 77,
	};
	struct pto_run arg = {
		.size = sizeof(arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	int err = rig_ioctl(ctx, PTO_RUN, &arg);

	*id = arg.first_id;
	return err;
}

/* In one call, without a bound; how the wait went is in arg->wait_error. */
int rig_run_and_wait(struct pto_ctx *ctx, int cid, struct pto_run *arg)
{
	struct pto_run_entry entry = { .cid = cid };
	struct pto_wait wait = { .size = sizeof(wait), .timeout_ns = PTO_WAIT_FOREVER };

	*arg = (struct pto_run) {
		.size = sizeof(*arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
		.wait_ptr = (uintptr_t)&wait,
	};
	return rig_ioctl(ctx, PTO_RUN, arg);
}

int rig_wait(struct pto_ctx *ctx, uint64_t id, uint64_t timeout_ns, struct pto_wait *arg)
{
	uint64_t log_ptr = arg->log_ptr;
	uint32_t log_size = arg->log_size;

	*arg = (struct pto_wait){
		.size = sizeof(*arg),
		.run = id,
		.timeout_ns = timeout_ns,
		.log_ptr = log_ptr,
		.log_size = log_size,
	};
	return rig_ioctl(ctx, PTO_WAIT, arg);
}

static int query(struct pto_ctx *ctx, uint32_t item, void *data, uint32_t size)
{
	struct pto_query arg = {
		.size = sizeof(arg),
		.item = item,
		.data_ptr = (uintptr_t)data,
		.data_size = size,
	};

	return rig_ioctl(ctx, PTO_QUERY, &arg);
}

int rig_stats(struct pto_ctx *ctx, struct pto_context_stats *stats)
{
	return query(ctx, PTO_QUERY_CONTEXT, stats, sizeof(*stats));
}

int rig_usage(struct pto_ctx *ctx, struct pto_device_usage *usage)
{
	return query(ctx, PTO_QUERY_USAGE, usage, sizeof(*usage));
}

int rig_ready(struct pto_ctx *ctx, struct pto_bo_create *bo)
{
	uint32_t image;
	int err;

	err = rig_image(ctx, "an orchestration", &image);
	if (!err)
		err = rig_prepare(ctx, 0, image);
	if (!err)
		err = rig_bo(ctx, 3 * PAGE_SIZE, bo);
	return err;
}

long rig_memory(void)
{
	return sim_memory_live().allocations;
}

void rig_fail_nth(long nth)
{
	sim_fail_nth(nth);
}

bool rig_fail_pending(void)
{
	return sim_fail_left() > 0;
}
