// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <sched.h>
#include <unistd.h>

#include <pto/tensor.h>
#include "rig.h"
#include "../../sim/device/device.h"

#define PAGE PTO_DEV_PAGE_SIZE

uint64_t rig_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

void rig_pause(unsigned int *tries)
{
	if ((*tries)++ < 200)
		sched_yield();
	else
		usleep(200);
}

/* --- the device ------------------------------------------------------------------- */

static void rig_interrupt(void *arg)
{
	struct rig *rig = arg;
	uint64_t one = 1;

	if (write(rig->interrupt_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

uint32_t rig_page_size;

int rig_create_bounded(struct rig *rig, uint32_t arch, uint32_t contexts, bool isolate,
		       uint64_t timeout_ns)
{
	struct ptodev_config config = {
		.arch = arch,
		.max_contexts = contexts,
		.workers = 2,
		.isolate = isolate,
		.memory_size = 8ULL << 30,
		.page_size = rig_page_size,
		.name = "rig",
		.default_timeout_ns = timeout_ns,
		.interrupt = rig_interrupt,
		.interrupt_arg = rig,
	};
	int ret;

	memset(rig, 0, sizeof(*rig));
	rig->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = ptodev_create(&config, &rig->dev);
	if (ret)
		return ret;
	rig->base = ptodev_window(rig->dev);
	rig->ident = (const void *)rig->base;
	rig->next = rig->ident->heap_offset;
	return 0;
}

int rig_create(struct rig *rig, uint32_t arch, uint32_t contexts, bool isolate)
{
	return rig_create_bounded(rig, arch, contexts, isolate, 0);
}

void rig_destroy(struct rig *rig)
{
	ptodev_destroy(rig->dev);
	close(rig->interrupt_fd);
	rig->dev = NULL;
}

void *rig_alloc(struct rig *rig, uint64_t size)
{
	char *p = rig->base + rig->next;

	rig->next += (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	return p;
}

uint64_t rig_addr(const struct rig *rig, const void *p)
{
	return rig->ident->memory_base + (uint64_t)((const char *)p - rig->base);
}

/* --- queues ------------------------------------------------------------------------- */

struct pto_dev_queue *rig_queue(const struct rig *rig, uint32_t queue)
{
	return (void *)(rig->base + rig->ident->queue_offset +
			(uint64_t)queue * rig->ident->queue_stride);
}

struct pto_dev_cmd *rig_sqe(const struct rig *rig, uint32_t queue, uint32_t index)
{
	struct pto_dev_cmd *sq = (void *)((char *)rig_queue(rig, queue) + PTO_DEV_SQ_OFFSET);

	return &sq[index & (rig->ident->queue_depth - 1)];
}

void rig_queue_reset(const struct rig *rig, uint32_t queue)
{
	memset(rig_queue(rig, queue), 0, sizeof(struct pto_dev_queue));
}

/* Puts an entry in as it is. */
uint32_t rig_submit_raw(struct rig *rig, uint32_t queue, const void *cmd)
{
	struct pto_dev_queue *pair = rig_queue(rig, queue);
	uint32_t tail = __atomic_load_n(&pair->sq_tail, __ATOMIC_RELAXED);

	memcpy(rig_sqe(rig, queue, tail), cmd, PTO_DEV_SQE_SIZE);
	__atomic_exchange_n(&pair->sq_tail, tail + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&pair->sq_flags, __ATOMIC_SEQ_CST) & PTO_DEV_NEED_WAKEUP)
		ptodev_kick(rig->dev, queue);
	return tail;
}

/* Fills the id in. */
uint32_t rig_submit(struct rig *rig, uint32_t queue, void *cmd)
{
	struct pto_dev_cmd *generic = cmd;

	generic->id = __atomic_load_n(&rig_queue(rig, queue)->sq_tail, __ATOMIC_RELAXED);
	return rig_submit_raw(rig, queue, cmd);
}

/* Waits for the completion of @id; those before it are taken, too. */
int rig_wait(struct rig *rig, uint32_t queue, uint32_t id, struct pto_dev_cqe *cqe)
{
	struct pto_dev_queue *pair = rig_queue(rig, queue);
	struct pto_dev_cqe *cq = (void *)((char *)pair +
					  PTO_DEV_CQ_OFFSET(rig->ident->queue_depth));
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int tries = 0;

	while ((int32_t)(__atomic_load_n(&pair->cq_tail, __ATOMIC_ACQUIRE) - id) <= 0) {
		if (rig_now() > until)
			return -ETIMEDOUT;
		rig_pause(&tries);
	}
	if (cqe)
		*cqe = cq[id & (rig->ident->queue_depth - 1)];
	if ((int32_t)(id + 1 - pair->cq_head) > 0)
		__atomic_store_n(&pair->cq_head, id + 1, __ATOMIC_RELEASE);
	return 0;
}

/* Return: the status, or a negative errno */
int rig_do(struct rig *rig, uint32_t queue, void *cmd, uint64_t *detail)
{
	struct pto_dev_cqe cqe;
	uint32_t id = rig_submit(rig, queue, cmd);
	int ret = rig_wait(rig, queue, id, &cqe);

	if (ret)
		return ret;
	if (cqe.id != id || cqe.end_ns < cqe.start_ns)
		return -EBADMSG;
	if (detail)
		*detail = cqe.detail;
	return (int)cqe.status;
}

const struct pto_dev_report *rig_report(const struct rig *rig, uint32_t queue, uint32_t id)
{
	const struct pto_dev_report *reports;

	reports = (const void *)((char *)rig_queue(rig, queue) +
				 PTO_DEV_REPORT_OFFSET(rig->ident->queue_depth));
	return &reports[id % PTO_DEV_REPORTS];
}

/* The text of the report of @id, "" if it has none. */
const char *rig_why(const struct rig *rig, uint32_t queue, uint32_t id)
{
	const struct pto_dev_report *report = rig_report(rig, queue, id);

	return report->id == id ? (const char *)report->text : "";
}

/* --- objects ------------------------------------------------------------------------- */

/* Brings a file beside this program into the device's memory, as a new image. */
int rig_object(struct rig *rig, const char *name, struct rig_object *object)
{
	static uint64_t images;
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct stat st;
	int fd;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dirname(self), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	object->addr = rig_addr(rig, rig_alloc(rig, (uint64_t)st.st_size));
	object->size = (uint64_t)st.st_size;
	object->id = ++images;
	n = read(fd, (void *)(uintptr_t)object->addr, object->size);
	close(fd);
	return n == st.st_size ? 0 : -EIO;
}

/* --- commands ------------------------------------------------------------------------- */

int rig_simple(struct rig *rig, uint32_t queue, uint16_t opcode, uint32_t ctx)
{
	struct pto_dev_cmd cmd = { .opcode = opcode, .ctx = ctx };

	return rig_do(rig, queue, &cmd, NULL);
}

int rig_bind(struct rig *rig, uint16_t opcode, uint32_t ctx, uint32_t queue)
{
	struct pto_dev_cmd_queue cmd = { .opcode = opcode, .ctx = ctx, .queue = queue };

	return rig_do(rig, 0, &cmd, NULL);
}

int rig_map(struct rig *rig, struct rig_ctx *ctx, uint16_t opcode, const void *p, uint64_t size)
{
	struct pto_dev_cmd_map cmd = {
		.opcode = opcode,
		.ctx = ctx->id,
		.addr = rig_addr(rig, p),
		.length = size,
		.prot = PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE,
	};

	return rig_do(rig, ctx->control, &cmd, NULL);
}

int rig_load(struct rig_ctx *ctx, uint32_t handle, const struct rig_object *orch,
	     const char *entry, const struct pto_dev_kernel *kernels, uint32_t count,
	     uint64_t *detail)
{
	return rig_load_kind(ctx, handle, PTO_KIND_DEVICE_ORCH, orch, entry, kernels, count,
			     detail);
}

int rig_load_kind(struct rig_ctx *ctx, uint32_t handle, uint32_t kind,
		  const struct rig_object *orch, const char *entry,
		  const struct pto_dev_kernel *kernels, uint32_t count, uint64_t *detail)
{
	struct rig *rig = ctx->rig;
	uint64_t size = sizeof(struct pto_dev_load) + count * sizeof(*kernels);
	struct pto_dev_load *desc = rig_alloc(rig, size);
	struct pto_dev_cmd_load cmd = {
		.opcode = PTO_DEV_LOAD,
		.ctx = ctx->id,
		.handle = handle,
		.desc_addr = rig_addr(rig, desc),
		.desc_size = size,
	};

	memset(desc, 0, sizeof(*desc));
	desc->size = sizeof(*desc);
	desc->kind = kind;
	desc->image_addr = orch->addr;
	desc->image_size = orch->size;
	desc->image_id = orch->id;
	desc->kernel_count = count;
	strcpy((char *)desc->entry, entry);
	if (kind != PTO_KIND_HOST_GRAPH) {
		desc->flags = PTO_DEV_LOAD_CONFIG_OPTIONAL;
		strcpy((char *)desc->config, "aicpu_orchestration_config");
	}
	if (count)
		memcpy(desc + 1, kernels, count * sizeof(*kernels));
	return rig_do(rig, ctx->control, &cmd, detail);
}

int rig_unload(struct rig_ctx *ctx, uint32_t handle)
{
	struct pto_dev_cmd_load cmd = {
		.opcode = PTO_DEV_UNLOAD,
		.ctx = ctx->id,
		.handle = handle,
	};

	return rig_do(ctx->rig, ctx->control, &cmd, NULL);
}

/* --- contexts ------------------------------------------------------------------------- */

/* Builds an arena of a small configuration and binds it. */
static int rig_ctx_arena(struct rig_ctx *ctx)
{
	struct rig *rig = ctx->rig;
	struct pto_dev_arena_plan *plan = rig_alloc(rig, 1 << 20);
	struct pto_dev_cmd_arena cmd = {
		.opcode = PTO_DEV_ARENA_BUILD,
		.addr = rig_addr(rig, plan),
		.size = 1 << 20,
	};
	void *arena;
	int ret, i;

	memset(plan, 0, sizeof(*plan));
	plan->size = sizeof(*plan);
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan->task_window[i] = 16;
		plan->heap[i] = 65536;
		plan->dep_pool[i] = 64;
	}
	ret = rig_do(rig, 0, &cmd, NULL);
	if (ret)
		return ret;
	ctx->plan = plan;
	arena = rig_alloc(rig, plan->arena_size);
	ctx->arena = rig_addr(rig, arena);
	ret = rig_map(rig, ctx, PTO_DEV_MAP, arena,
		      (plan->arena_size + PAGE - 1) & ~(uint64_t)(PAGE - 1));
	if (ret)
		return ret;
	cmd = (struct pto_dev_cmd_arena){
		.opcode = PTO_DEV_ARENA_BIND,
		.ctx = ctx->id,
		.addr = ctx->arena,
		.size = plan->arena_size,
		.image_addr = rig_addr(rig, plan + 1),
		.image_size = plan->image_size,
	};
	return rig_do(rig, ctx->control, &cmd, NULL);
}

/* A context with queues 2 * id - 1 and 2 * id, an arena and memory. Return: as rig_do() */
int rig_ctx_open(struct rig *rig, struct rig_ctx *ctx, uint32_t id)
{
	char *memory = rig_alloc(rig, 16 * PAGE);
	int ret;

	*ctx = (struct rig_ctx){
		.rig = rig,
		.id = id,
		.control = 2 * id - 1,
		.stream = 2 * id,
		.page = (uint64_t *)memory,
		.args = memory + PAGE,
	};
	rig_queue_reset(rig, ctx->control);
	rig_queue_reset(rig, ctx->stream);
	ret = rig_bind(rig, PTO_DEV_CTX_CREATE, id, ctx->control);
	if (!ret)
		ret = rig_bind(rig, PTO_DEV_QUEUE_BIND, id, ctx->stream);
	if (!ret)
		ret = rig_map(rig, ctx, PTO_DEV_MAP, memory, 16 * PAGE);
	return ret ? ret : rig_ctx_arena(ctx);
}

int rig_ctx_close(struct rig_ctx *ctx)
{
	return rig_simple(ctx->rig, 0, PTO_DEV_CTX_DESTROY, ctx->id);
}

/* Loads the probe, with its kernel. */
int rig_ctx_probe(struct rig_ctx *ctx, uint32_t handle)
{
	struct rig_object object, kernel;
	struct pto_dev_kernel list;

	if (rig_object(ctx->rig, "probe.so", &object) ||
	    rig_object(ctx->rig, "kernel.so", &kernel))
		return -EIO;
	list = (struct pto_dev_kernel){ 5, PTO_CORE_AIV, kernel.addr, kernel.size, kernel.id };
	return rig_load(ctx, handle, &object, "aicpu_orchestration_entry", &list, 1, NULL);
}

/* Writes arguments: the result word as tensor 0, and scalars. Return: bytes */
uint32_t rig_args(struct rig_ctx *ctx, const uint64_t *scalars, uint32_t count)
{
	struct pto_run_args *args = (void *)ctx->args;
	struct pto_tensor *tensor = (void *)(args + 1);
	uint32_t one = 1;

	memset(args, 0, sizeof(*args));
	args->tensor_count = 1;
	args->scalar_count = count;
	pto_tensor_make(tensor, rig_addr(ctx->rig, ctx->page), PTO_DTYPE_UINT64, 1, &one);
	memcpy(tensor + 1, scalars, count * sizeof(*scalars));
	return (uint32_t)PTO_RUN_ARGS_SIZE(1, count);
}

uint32_t rig_submit_run(struct rig_ctx *ctx, uint32_t handle, const uint64_t *scalars,
			uint32_t count)
{
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = ctx->id,
		.handle = handle,
		.args_addr = rig_addr(ctx->rig, ctx->args),
		.args_size = rig_args(ctx, scalars, count),
		.epoch = ++ctx->epoch,
		.arena_addr = ctx->arena,
	};

	return rig_submit(ctx->rig, ctx->stream, &cmd);
}

/* Runs the probe. Return: as rig_do() */
int rig_run(struct rig_ctx *ctx, uint32_t handle, uint64_t what, uint64_t a, uint64_t b)
{
	const uint64_t scalars[] = { what, a, b };
	struct pto_dev_cqe cqe;
	uint32_t id;
	int ret;

	*ctx->page = 0;
	id = rig_submit_run(ctx, handle, scalars, 3);
	ret = rig_wait(ctx->rig, ctx->stream, id, &cqe);
	return ret ? ret : (int)cqe.status;
}

/* Waits until PROBE_SPIN or PROBE_HANG has begun. */
bool rig_started(struct rig_ctx *ctx)
{
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int tries = 0;

	while (__atomic_load_n(ctx->page, __ATOMIC_ACQUIRE) != PROBE_STARTED) {
		if (rig_now() > until)
			return false;
		rig_pause(&tries);
	}
	return true;
}
