/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver in user space, for tests of the software device: drives its queues directly, as
 * uapi/linux/pto_device.h says.
 */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/pto_device.h>

/* What probe.so does. */
#define PROBE_COUNT	0	/* result: how often it was called for this */
#define PROBE_ECHO	1	/* result: scalar 1 */
#define PROBE_READ	2	/* result: the word at address scalar 1 */
#define PROBE_WRITE	3	/* writes scalar 2 to address scalar 1 */
#define PROBE_SPIN	4	/* until the run is to end */
#define PROBE_HANG	5	/* for ever */
#define PROBE_EXIT	6	/* _exit(scalar 1) */
#define PROBE_ABORT	7	/* abort() */
#define PROBE_OVERFLOW	8	/* until the stack is used up */
#define PROBE_PID	9	/* result: process */
#define PROBE_DEAF	11	/* for ever, and no signal reaches it */
#define PROBE_LATE	12	/* deaf until the result is scalar 1 */
#define PROBE_TASK	10	/* a task of func_id 5 that does KERNEL_*, scalar 1 */
#define PROBE_BLOCKS	13	/* the same in more blocks than there are threads */
#define PROBE_FAIL	14	/* the same in blocks of workers; fails once one has begun */
#define PROBE_WRITE_EXIT 15	/* as PROBE_WRITE, and _exit(0) */
#define PROBE_WRITE_DEAF 16	/* as PROBE_WRITE, and PROBE_DEAF */
#define PROBE_WALK	17	/* a task every 20 ms until the result is scalar 1 */
#define PROBE_GET	18	/* result: the element at address scalar 1 */
#define PROBE_SET	19	/* reads the element at address scalar 1, and sets it to scalar 2 */
#define PROBE_WORD	20	/* a task of func_id 5 that does KERNEL_WORD at scalar 1 */

#define PROBE_STARTED	0x7374617274656421ULL	/* result of SPIN, HANG, DEAF, WALK at once */

/* What kernel.so does with the result word. */
#define KERNEL_DOUBLE		0
#define KERNEL_CRASH		1	/* writes to address 0x18 */
#define KERNEL_CRASH_INSIDE	2	/* crashes in the C library */
#define KERNEL_HANG		3	/* for ever */
#define KERNEL_DEAF		4	/* for ever, and no signal reaches it */
#define KERNEL_NOTHING		5
#define KERNEL_WORD		6	/* waits for the word at scalar 2, and changes it */

/* Every wait ends with a failure after this. */
#define RIG_BOUND_NS	(60 * 1000000000ULL)

struct ptodev;

/**
 * struct rig - a device and its driver
 * @dev: the device
 * @base: its window
 * @ident: its identification page
 * @interrupt_fd: eventfd that it signals
 * @next: next free byte of its memory
 */
struct rig {
	struct ptodev *dev;
	char *base;
	const struct pto_dev_ident *ident;
	int interrupt_fd;
	uint64_t next;
};

/**
 * struct rig_object - an object in the device's memory
 * @addr: where
 * @size: bytes
 * @id: number of the image
 */
struct rig_object {
	uint64_t addr;
	uint64_t size;
	uint64_t id;
};

/**
 * struct rig_ctx - a context that can run the probe
 * @rig: the device
 * @id: the context
 * @control: its control queue
 * @stream: its stream queue
 * @arena: its arena
 * @plan: what that was built of; its image follows
 * @page: a page of memory that it can write; results go to its first word
 * @args: where its arguments are
 * @epoch: runs
 */
struct rig_ctx {
	struct rig *rig;
	uint32_t id;
	uint32_t control;
	uint32_t stream;
	uint64_t arena;
	const struct pto_dev_arena_plan *plan;
	uint64_t *page;
	char *args;
	uint32_t epoch;
};

uint64_t rig_now(void);
void rig_pause(unsigned int *tries);

/* The page size of devices that are created; 0: the machine's */
extern uint32_t rig_page_size;

int rig_create(struct rig *rig, uint32_t arch, uint32_t contexts, bool isolate);
int rig_create_bounded(struct rig *rig, uint32_t arch, uint32_t contexts, bool isolate,
		       uint64_t timeout_ns);
void rig_destroy(struct rig *rig);
void *rig_alloc(struct rig *rig, uint64_t size);
uint64_t rig_addr(const struct rig *rig, const void *p);

struct pto_dev_queue *rig_queue(const struct rig *rig, uint32_t queue);
struct pto_dev_cmd *rig_sqe(const struct rig *rig, uint32_t queue, uint32_t index);
void rig_queue_reset(const struct rig *rig, uint32_t queue);
uint32_t rig_submit_raw(struct rig *rig, uint32_t queue, const void *cmd);
uint32_t rig_submit(struct rig *rig, uint32_t queue, void *cmd);
int rig_wait(struct rig *rig, uint32_t queue, uint32_t id, struct pto_dev_cqe *cqe);
int rig_do(struct rig *rig, uint32_t queue, void *cmd, uint64_t *detail);
const char *rig_why(const struct rig *rig, uint32_t queue, uint32_t id);
const struct pto_dev_report *rig_report(const struct rig *rig, uint32_t queue, uint32_t id);

int rig_object(struct rig *rig, const char *name, struct rig_object *object);

int rig_simple(struct rig *rig, uint32_t queue, uint16_t opcode, uint32_t ctx);
int rig_bind(struct rig *rig, uint16_t opcode, uint32_t ctx, uint32_t queue);
int rig_map(struct rig *rig, struct rig_ctx *ctx, uint16_t opcode, const void *p, uint64_t size);
int rig_load(struct rig_ctx *ctx, uint32_t handle, const struct rig_object *orch,
	     const char *entry, const struct pto_dev_kernel *kernels, uint32_t count,
	     uint64_t *detail);
int rig_load_kind(struct rig_ctx *ctx, uint32_t handle, uint32_t kind,
		  const struct rig_object *orch, const char *entry,
		  const struct pto_dev_kernel *kernels, uint32_t count, uint64_t *detail);
int rig_unload(struct rig_ctx *ctx, uint32_t handle);

int rig_ctx_open(struct rig *rig, struct rig_ctx *ctx, uint32_t id);
int rig_ctx_close(struct rig_ctx *ctx);
int rig_ctx_probe(struct rig_ctx *ctx, uint32_t handle);
uint32_t rig_args(struct rig_ctx *ctx, const uint64_t *scalars, uint32_t count);
uint32_t rig_submit_run(struct rig_ctx *ctx, uint32_t handle, const uint64_t *scalars,
			uint32_t count);
int rig_run(struct rig_ctx *ctx, uint32_t handle, uint64_t what, uint64_t a, uint64_t b);
bool rig_started(struct rig_ctx *ctx);

#endif /* RIG_H */
