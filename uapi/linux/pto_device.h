/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * PTO accelerators: the contract between the driver and a device.
 *
 * A device is a memory window. Page 0 identifies it (struct pto_dev_ident, all
 * offsets and counts are the device's announcement). At queue_offset follow
 * queue_count queue pairs, queue_stride bytes apart: pair 0 is the admin pair,
 * the others are bound to contexts by command. From heap_offset on the window is
 * memory that the driver hands out. A *device address* is memory_base plus the
 * offset in the window.
 *
 * Where @queue_stride, offsets, sizes and memory_base are multiples of the page size, that is the
 * host's, which is PTO_DEV_PAGE_SIZE or a multiple of it: the driver and applications map
 * whole pages.
 *
 * Queues
 *
 *   A submission queue (SQ) of 64-byte entries goes to the device, a completion
 *   queue (CQ) of 32-byte entries comes back; both have queue_depth entries, a
 *   power of two. Indices are 32-bit, free-running, each in its own cache line;
 *   entry i is at slot i & (depth - 1). The producer writes the entry, then
 *   releases the tail. A queue executes its commands in order and completes them in
 *   order: the completion of SQ index i has id i, and command i + 1 begins only after
 *   i has completed. So the driver never has more than queue_depth commands
 *   outstanding, and the CQ cannot overflow.
 *
 *   Waking: the side that is about to sleep sets its NEED_WAKEUP flag, then looks at
 *   the tail once more (full barrier between the two). The producer releases the
 *   tail, then looks at the flag (full barrier), and rings the doorbell, or raises the
 *   interrupt, only if it is set. The sleeper clears its flag itself.
 *
 *   Either side treats what it reads as hostile: tail - head is checked against the
 *   depth, and each entry is copied once before it is validated.
 *
 * Contexts
 *
 *   A hardware context has one *control* queue (map, load, arena commands) and one or
 *   more *stream* queues (runs). It executes one command at a time, the control
 *   queue first, the streams in turn; different contexts execute side by side. The
 *   admin queue executes no program code, so nothing that a context does can
 *   hold it up.
 *
 *   What a context may touch is what PTO_DEV_MAP has mapped for it. A context that
 *   faults or is aborted completes every command it had, and every later one, with
 *   PTO_DEV_FAULT or PTO_DEV_ABORTED, until it is destroyed.
 */
#ifndef _UAPI_LINUX_PTO_DEVICE_H
#define _UAPI_LINUX_PTO_DEVICE_H

#include <linux/pto.h>

#define PTO_DEV_MAGIC		0x314f5450	/* "PTO1", little endian */
#define PTO_DEV_ABI_MAJOR	1
#define PTO_DEV_ABI_MINOR	2	/* 1: reports say that they are valid; 2: default rings */
#define PTO_DEV_ABI_VERSION	((PTO_DEV_ABI_MAJOR << 16) | PTO_DEV_ABI_MINOR)

#define PTO_DEV_PAGE_SIZE	4096
#define PTO_DEV_MAX_HANDLES	256	/* callables of a context on the device */
#define PTO_DEV_REPORTS		16	/* latest failure reports of a queue */

/* pto_dev_ident.state */
#define PTO_DEV_STATE_INIT	0
#define PTO_DEV_STATE_READY	1
#define PTO_DEV_STATE_FAILED	2

/**
 * struct pto_dev_ident - page 0 of the window; written by the device
 * @magic: PTO_DEV_MAGIC
 * @abi_version: PTO_DEV_ABI_VERSION; a driver refuses another major number
 * @state: PTO_DEV_STATE_*; the driver waits for READY before anything else
 * @heartbeat: counts up while the device is alive
 * @arch: PTO_ARCH_*
 * @cluster_count: clusters
 * @aic_count: AIC cores
 * @aiv_count: AIV cores
 * @aicpu_threads: control processor threads
 * @worker_threads: operating system threads standing in for cores, 0 on silicon
 * @max_contexts: contexts that can exist at once
 * @queue_count: queue pairs, the admin pair included
 * @queue_depth: entries of each queue, a power of two in [64, 4096]
 * @queue_stride: bytes from one pair to the next, at least PTO_DEV_QUEUE_BYTES(queue_depth), a
 *	multiple of the page size
 * @queue_offset: window offset of pair 0, a multiple of the page size
 * @heap_offset: window offset of the first byte that the driver may allocate, not 0, a multiple
 *	of the page size
 * @window_size: bytes of the whole window, a multiple of the page size
 * @memory_base: device address of window offset 0, page aligned
 * @features: PTO_FEATURE_* bits the device has
 * @default_timeout_ns: how long nothing may move in a run that gives no bound
 * @name: for people, NUL padded
 * @default_heap: bytes of each of an arena's heap rings if nobody says how many; 0: 256 MiB
 * @default_task_window: task slots of each ring likewise, a power of two; 0: 16384
 * @default_dep_pool: dependency entries of each ring likewise; 0: 16384
 *
 * A device whose memory does not hold an arena of the usual sizes announces smaller ones. They are
 * within the limits of struct pto_prewarm.
 */
struct pto_dev_ident {
	__u32 magic;
	__u32 abi_version;
	__u32 state;
	__u32 heartbeat;
	__u32 arch;
	__u32 cluster_count;
	__u32 aic_count;
	__u32 aiv_count;
	__u32 aicpu_threads;
	__u32 worker_threads;
	__u32 max_contexts;
	__u32 queue_count;
	__u32 queue_depth;
	__u32 queue_stride;
	__u64 queue_offset;
	__u64 heap_offset;
	__u64 window_size;
	__u64 memory_base;
	__u64 features;
	__u64 default_timeout_ns;
	__u8 name[32];
	__u64 default_heap;
	__u32 default_task_window;
	__u32 default_dep_pool;
};

#define PTO_DEV_NEED_WAKEUP	1u

/**
 * struct pto_dev_queue - head of a queue pair; each word in a cache line of its own
 * @sq_tail: driver: SQ entries produced
 * @sq_head: device: SQ entries consumed (copied)
 * @sq_flags: device: PTO_DEV_NEED_WAKEUP while it wants a doorbell
 * @cq_tail: device: CQ entries produced
 * @cq_head: driver: CQ entries consumed
 * @cq_flags: driver: PTO_DEV_NEED_WAKEUP while it wants an interrupt
 * @progress: device, on a control queue: changes while something moves in a run of the
 *	context
 * @pad0: unused
 * @pad1: unused
 * @pad2: unused
 * @pad3: unused
 * @pad4: unused
 * @pad5: unused
 * @pad6: unused
 *
 * At PTO_DEV_SQ_OFFSET follow the SQ entries, then the CQ entries, then
 * PTO_DEV_REPORTS failure reports.
 */
struct pto_dev_queue {
	__u32 sq_tail;
	__u32 pad0[15];
	__u32 sq_head;
	__u32 pad1[15];
	__u32 sq_flags;
	__u32 pad2[15];
	__u32 cq_tail;
	__u32 pad3[15];
	__u32 cq_head;
	__u32 pad4[15];
	__u32 cq_flags;
	__u32 pad5[15];
	__u32 progress;
	__u32 pad6[31];
};

#define PTO_DEV_SQE_SIZE	64
#define PTO_DEV_CQE_SIZE	32
#define PTO_DEV_REPORT_SIZE	256
#define PTO_DEV_SQ_OFFSET	512
#define PTO_DEV_CQ_OFFSET(depth) \
	(PTO_DEV_SQ_OFFSET + (__u64)(depth) * PTO_DEV_SQE_SIZE)
#define PTO_DEV_REPORT_OFFSET(depth) \
	(PTO_DEV_CQ_OFFSET(depth) + (__u64)(depth) * PTO_DEV_CQE_SIZE)
#define PTO_DEV_QUEUE_BYTES(depth) \
	((PTO_DEV_REPORT_OFFSET(depth) + PTO_DEV_REPORTS * PTO_DEV_REPORT_SIZE + \
	  PTO_DEV_PAGE_SIZE - 1) & ~(__u64)(PTO_DEV_PAGE_SIZE - 1))

/* Opcodes: a = admin queue, c = control queue, s = stream queue. */
#define PTO_DEV_NOP		0	/* acs: completes */
#define PTO_DEV_CTX_CREATE	1	/* a: struct pto_dev_cmd_queue: the control queue */
#define PTO_DEV_CTX_DESTROY	2	/* a: struct pto_dev_cmd; with its queues and runs */
#define PTO_DEV_QUEUE_BIND	3	/* a: struct pto_dev_cmd_queue; a stream queue */
#define PTO_DEV_QUEUE_UNBIND	4	/* a: struct pto_dev_cmd_queue; must be idle */
#define PTO_DEV_ABORT		5	/* a: struct pto_dev_cmd; end the context's commands */
#define PTO_DEV_ARENA_BUILD	6	/* a: struct pto_dev_cmd_arena; detail = image bytes */
#define PTO_DEV_MAP		16	/* c: struct pto_dev_cmd_map */
#define PTO_DEV_UNMAP		17	/* c: struct pto_dev_cmd_map */
#define PTO_DEV_LOAD		18	/* c: struct pto_dev_cmd_load; detail = kernels loaded */
#define PTO_DEV_UNLOAD		19	/* c: struct pto_dev_cmd_load */
#define PTO_DEV_ARENA_BIND	20	/* c: struct pto_dev_cmd_arena */
#define PTO_DEV_ARENA_DROP	21	/* c: struct pto_dev_cmd_arena */
#define PTO_DEV_RUN		32	/* s: struct pto_dev_cmd_run */
#define PTO_DEV_BARRIER		33	/* s: struct pto_dev_cmd; ends when all before it have */

/**
 * struct pto_dev_cmd - any submission entry; commands without operands
 * @opcode: PTO_DEV_*
 * @flags: 0
 * @id: the entry's SQ index
 * @ctx: hardware context, 0 for commands that have none; chosen by the driver,
 *	1 to max_contexts
 * @handle: callable (load, unload, run), below PTO_DEV_MAX_HANDLES; else 0
 * @arg: operands; 0 where unused
 */
struct pto_dev_cmd {
	__u16 opcode;
	__u16 flags;
	__u32 id;
	__u32 ctx;
	__u32 handle;
	__u64 arg[6];
};

/**
 * struct pto_dev_cmd_queue - CTX_CREATE, QUEUE_BIND, QUEUE_UNBIND
 * @opcode: see struct pto_dev_cmd
 * @flags: 0
 * @id: SQ index
 * @ctx: hardware context
 * @handle: 0
 * @queue: the queue pair; its indices are zero and it is unused
 * @pad: 0
 * @arg: 0
 */
struct pto_dev_cmd_queue {
	__u16 opcode;
	__u16 flags;
	__u32 id;
	__u32 ctx;
	__u32 handle;
	__u32 queue;
	__u32 pad;
	__u64 arg[5];
};

#define PTO_DEV_PROT_READ	1
#define PTO_DEV_PROT_WRITE	2

/**
 * struct pto_dev_cmd_map - MAP, UNMAP: give a context access to memory, or take it
 * @opcode: see struct pto_dev_cmd
 * @flags: 0
 * @id: SQ index
 * @ctx: hardware context
 * @handle: 0
 * @addr: device address, page aligned
 * @length: bytes, whole pages
 * @prot: PTO_DEV_PROT_* bits
 * @pad: 0
 * @arg: 0
 */
struct pto_dev_cmd_map {
	__u16 opcode;
	__u16 flags;
	__u32 id;
	__u32 ctx;
	__u32 handle;
	__u64 addr;
	__u64 length;
	__u32 prot;
	__u32 pad;
	__u64 arg[3];
};

/**
 * struct pto_dev_cmd_load - LOAD, UNLOAD: load a callable, drop it
 * @opcode: see struct pto_dev_cmd
 * @flags: 0
 * @id: SQ index
 * @ctx: hardware context
 * @handle: the name the driver gives it, free before LOAD
 * @desc_addr: LOAD: device address of a struct pto_dev_load
 * @desc_size: LOAD: bytes of it, its kernels included
 * @arg: 0
 *
 * The device reads the description and the images while it executes the command and
 * keeps nothing but what it made of them. Kernel images are loaded once per context
 * and shared by image id until the last callable that uses them is unloaded. A LOAD whose
 * constructors do not return ends with PTO_DEV_TIMEOUT and leaves everything as it was; an
 * UNLOAD whose destructors do not, too, but the handle is free.
 */
struct pto_dev_cmd_load {
	__u16 opcode;
	__u16 flags;
	__u32 id;
	__u32 ctx;
	__u32 handle;
	__u64 desc_addr;
	__u64 desc_size;
	__u64 arg[4];
};

/**
 * struct pto_dev_load - what LOAD loads; struct pto_dev_kernel[kernel_count] follows
 * @size: sizeof(struct pto_dev_load)
 * @kind: PTO_KIND_*
 * @image_addr: device address of the orchestration object
 * @image_size: bytes of it
 * @image_id: number of the image, never used again for another one
 * @kernel_count: kernels that follow
 * @flags: PTO_DEV_LOAD_*
 * @entry: symbol of the entry
 * @config: symbol of the configuration function
 *
 * A callable of kind PTO_KIND_HOST_GRAPH has no orchestration object: what is said of it
 * is 0.
 */
struct pto_dev_load {
	__u32 size;
	__u32 kind;
	__u64 image_addr;
	__u64 image_size;
	__u64 image_id;
	__u32 kernel_count;
	__u32 flags;
	__u8 entry[PTO_SYMBOL_MAX];
	__u8 config[PTO_SYMBOL_MAX];
};

#define PTO_DEV_LOAD_CONFIG_OPTIONAL	1u	/* no config symbol is fine */

/**
 * struct pto_dev_kernel - a kernel of a struct pto_dev_load
 * @func_id: its number in the callable
 * @core_type: PTO_CORE_*
 * @image_addr: device address of the object (symbol "kernel_entry")
 * @image_size: bytes of it
 * @image_id: number of the image, never used again for another one
 */
struct pto_dev_kernel {
	__u32 func_id;
	__u32 core_type;
	__u64 image_addr;
	__u64 image_size;
	__u64 image_id;
};

/**
 * struct pto_dev_cmd_arena - ARENA_BUILD, ARENA_BIND, ARENA_DROP
 * @opcode: see struct pto_dev_cmd
 * @flags: 0
 * @id: SQ index
 * @ctx: BIND, DROP: hardware context
 * @handle: 0
 * @addr: BUILD: device address of a struct pto_dev_arena_plan, which the device
 *	completes and behind which it writes the image, if @size has room for it;
 *	BIND, DROP: device address of the arena, a multiple of the page size
 * @size: BUILD: bytes at @addr; BIND, DROP: bytes of the arena
 * @image_addr: BIND: device address of the image
 * @image_size: BIND: bytes of it
 * @arg: 0
 *
 * BUILD that finds no room for the image fills the plan in, writes no image and
 * completes with PTO_DEV_NOSPACE. An image holds offsets and no pointers; it is
 * built once per configuration and bound to any number of arenas. Arena memory is
 * zero before BIND.
 */
struct pto_dev_cmd_arena {
	__u16 opcode;
	__u16 flags;
	__u32 id;
	__u32 ctx;
	__u32 handle;
	__u64 addr;
	__u64 size;
	__u64 image_addr;
	__u64 image_size;
	__u64 arg[2];
};

/**
 * struct pto_dev_arena_plan - what an arena of a ring configuration takes
 * @size: in: sizeof(struct pto_dev_arena_plan)
 * @flags: 0
 * @task_window: in: task slots per depth
 * @heap: in: bytes of heap ring per depth
 * @dep_pool: in: dependency entries per depth
 * @arena_size: out: bytes of device memory that an arena takes
 * @image_size: out: bytes of the image
 *
 * The configuration is resolved: no zeros.
 */
struct pto_dev_arena_plan {
	__u32 size;
	__u32 flags;
	__u64 task_window[PTO_RING_DEPTHS];
	__u64 heap[PTO_RING_DEPTHS];
	__u64 dep_pool[PTO_RING_DEPTHS];
	__u64 arena_size;
	__u64 image_size;
};

/**
 * struct pto_dev_cmd_run - RUN: execute a callable
 * @opcode: see struct pto_dev_cmd
 * @flags: 0
 * @id: SQ index
 * @ctx: hardware context
 * @handle: the callable
 * @args_addr: device address of a struct pto_run_args, or 0; a multiple of 64
 * @args_size: bytes of it
 * @epoch: counts the runs that used this arena, so that the device can recognise
 *	state an earlier run left in it; never 0
 * @arena_addr: device address of a bound arena
 * @graph_addr: device address of a struct pto_dev_graph, a multiple of 64, if the callable
 *	is of kind PTO_KIND_HOST_GRAPH; else 0
 * @graph_size: bytes of it
 * @timeout_ms: bound of the execution as a whole; 0: none but the device's default for a
 *	run in which nothing moves
 * @sched_timeout_ms: how long nothing may move in it, 0 for the device's default
 * @op_timeout_ms: how long one kernel may run, 0 for the device's default
 */
struct pto_dev_cmd_run {
	__u16 opcode;
	__u16 flags;
	__u32 id;
	__u32 ctx;
	__u32 handle;
	__u64 args_addr;
	__u32 args_size;
	__u32 epoch;
	__u64 arena_addr;
	__u64 graph_addr;
	__u32 graph_size;
	__u32 timeout_ms;
	__u32 sched_timeout_ms;
	__u32 op_timeout_ms;
};

/**
 * struct pto_run_args - arguments of a run, in a buffer object
 * @tensor_count: tensors, at most PTO_RUN_MAX_TENSORS
 * @scalar_count: scalars, at most PTO_RUN_MAX_SCALARS
 * @pad: 0
 *
 * At byte 64 follow the tensors (128 bytes each, struct pto_tensor of pto/tensor.h,
 * with device addresses), then the scalars (8 bytes each). Limits: seed runtime,
 * task_args.h.
 */
struct pto_run_args {
	__u32 tensor_count;
	__u32 scalar_count;
	__u64 pad[7];
};

#define PTO_RUN_MAX_TENSORS	256
#define PTO_RUN_MAX_SCALARS	128
#define PTO_RUN_TENSOR_SIZE	128
#define PTO_RUN_ARGS_SIZE(tensors, scalars) \
	(64 + (__u64)(tensors) * PTO_RUN_TENSOR_SIZE + (__u64)(scalars) * 8)

/**
 * struct pto_dev_graph - graph of a run of kind PTO_KIND_HOST_GRAPH, in a buffer object
 * @magic: PTO_DEV_GRAPH_MAGIC
 * @version: PTO_DEV_GRAPH_VERSION
 * @size: bytes of the graph, this head included
 * @heap_bytes: bytes of the first heap ring that its tensors lie in
 * @task_count: tasks
 * @flags: 0
 * @pad: 0
 *
 * The tasks follow, struct pto_dev_graph_task each, in the order of submission. The graph
 * holds no pointers: a tensor in the heap of the run has PTO_DEV_GRAPH_HEAP plus its
 * offset there as address, a tensor elsewhere its device address, which has that bit
 * clear. All tasks belong to the first ring: the id of a task is its index.
 */
struct pto_dev_graph {
	__u32 magic;
	__u32 version;
	__u64 size;
	__u64 heap_bytes;
	__u32 task_count;
	__u32 flags;
	__u64 pad[4];
};

#define PTO_DEV_GRAPH_MAGIC	0x474f5450	/* "PTOG" */
#define PTO_DEV_GRAPH_VERSION	1
#define PTO_DEV_GRAPH_HEAP	(1ULL << 63)
#define PTO_DEV_GRAPH_MAX_SIZE	0xffffffc0U	/* fits the fields that name it */

/**
 * struct pto_dev_graph_task - a task of a graph
 * @size: bytes of the record, all that follows included; a multiple of 8
 * @flags: PTO_DEV_TASK_*
 * @func_id: kernel of the parts for AIC, AIV0 and AIV1; -1: there is no such part
 * @block_num: blocks
 * @tensor_count: tensors
 * @scalar_count: scalars
 * @dep_count: tasks that must have completed before
 * @fill_mask: tensors, by bit, that lie in the heap and are filled with a value first
 * @predicate_op: comparison (pto/orch.h); 0 without PTO_DEV_TASK_PREDICATE
 * @predicate_ndims: dimensions of the predicate's tensor; 0 without
 * @predicate_index: the element; 0 without
 * @predicate_value: what it is compared with; 0 without
 * @pad: 0
 *
 * What follows, in this order: the tensors and, with PTO_DEV_TASK_PREDICATE, the
 * predicate's tensor (128 bytes each, struct pto_tensor of pto/tensor.h); then 8 bytes each:
 * the scalars, a value for each tensor to be filled, the indices of the tasks that
 * must have completed before, all of them lower than the task's own.
 */
struct pto_dev_graph_task {
	__u32 size;
	__u32 flags;
	__s32 func_id[3];
	__u32 block_num;
	__u32 tensor_count;
	__u32 scalar_count;
	__u32 dep_count;
	__u32 fill_mask;
	__u32 predicate_op;
	__u32 predicate_ndims;
	__u32 predicate_index[5];
	__u32 pad;
	__s64 predicate_value;
};

#define PTO_DEV_TASK_SYNC_START	1u	/* all blocks start together */
#define PTO_DEV_TASK_PREDICATE	2u	/* runs only if an element compares so */
#define PTO_DEV_TASK_ALLOC	4u	/* holds memory only, has completed from the start */

/* Status of a completion, and the errno the driver makes of it. */
#define PTO_DEV_OK		0	/* 0 */
#define PTO_DEV_INVALID		1	/* EINVAL: an operand is wrong */
#define PTO_DEV_NOEXEC		2	/* ENOEXEC: an object cannot be loaded */
#define PTO_DEV_NOMEM		3	/* ENOMEM */
#define PTO_DEV_NOSPACE		4	/* ENOSPC */
#define PTO_DEV_FAULT		5	/* EIO: the program crashed; the context is lost */
#define PTO_DEV_TIMEOUT		6	/* ETIMEDOUT: the run passed its bound */
#define PTO_DEV_ABORTED		7	/* ECANCELED: ended by ABORT or CTX_DESTROY */
#define PTO_DEV_PROGRAM		8	/* EREMOTEIO: detail = fatal code | sub-class << 32 */
#define PTO_DEV_UNSUPPORTED	9	/* EOPNOTSUPP */

/**
 * struct pto_dev_cqe - completion entry
 * @id: SQ index of the command
 * @status: PTO_DEV_OK ...
 * @detail: what the opcode or the status defines, else 0
 * @start_ns: CLOCK_MONOTONIC when it began, 0 if it never did
 * @end_ns: CLOCK_MONOTONIC when it ended
 *
 * The clock of a device that is a process is that of the time namespace in which it was
 * when it became one.
 */
struct pto_dev_cqe {
	__u32 id;
	__u32 status;
	__u64 detail;
	__u64 start_ns;
	__u64 end_ns;
};

/**
 * struct pto_dev_report - why a command failed; written before its completion
 * @id: SQ index of the command; a report with another id says nothing about it
 * @code: PTO_FATAL_* or 0
 * @subcode: sub-class of @code or 0
 * @core: core concerned, ~0 if none
 * @task: task concerned, ~0 if none
 * @func_id: function concerned, ~0 if none
 * @flags: PTO_DEV_REPORT_VALID; memory in which nothing was written is no report
 * @text: one line for people, NUL terminated
 *
 * The report of SQ index i is at slot i % PTO_DEV_REPORTS. The driver clears all of a
 * queue pair, the reports too, before it binds it.
 */
struct pto_dev_report {
	__u32 id;
	__u32 code;
	__u32 subcode;
	__u32 core;
	__u64 task;
	__u32 func_id;
	__u32 flags;
	__u8 text[224];
};

#define PTO_DEV_REPORT_VALID	1u	/* pto_dev_report.flags */

/*
 * Virtual devices: ioctls of /dev/pto-control, for a process that is a device.
 */

/** PTO_CONTROL_CREATE: make a device of a memfd and two eventfds. */
#define PTO_CONTROL_CREATE	_IO(PTO_IOC_TYPE, 0x80)

/**
 * struct pto_control_create - argument of PTO_CONTROL_CREATE
 * @size: sizeof(struct pto_control_create)
 * @flags: must be 0; else EOPNOTSUPP
 * @memory_fd: memfd that is the window, sealed with F_SEAL_SHRINK, identification
 *	page ready. Not of huge pages, and neither F_SEAL_WRITE nor F_SEAL_FUTURE_WRITE
 * @doorbell_fd: eventfd that the driver signals for the device
 * @interrupt_fd: eventfd that the device signals for the driver; another one
 * @index: out: N of the /dev/ptoN that has appeared
 *
 * The device lives as long as this open file of /dev/pto-control, one device a file,
 * and one device a memfd (EBUSY for a second). EBADF or EINVAL: an fd is not what it
 * should be; EFBIG: the windows of all devices would be larger than the driver's parameter
 * window_limit_gib allows; ENODEV: the identification page is not acceptable; ENOMEM;
 * ENOSPC: too many devices.
 */
struct pto_control_create {
	__u32 size;
	__u32 flags;
	__s32 memory_fd;
	__s32 doorbell_fd;
	__s32 interrupt_fd;
	__u32 index;
};

PTO_ABI_SIZE(pto_dev_ident, 152);
PTO_ABI_OFFSET(pto_dev_ident, queue_offset, 56);
PTO_ABI_SIZE(pto_dev_queue, 512);
PTO_ABI_OFFSET(pto_dev_queue, sq_head, 64);
PTO_ABI_OFFSET(pto_dev_queue, sq_flags, 128);
PTO_ABI_OFFSET(pto_dev_queue, cq_tail, 192);
PTO_ABI_OFFSET(pto_dev_queue, cq_head, 256);
PTO_ABI_OFFSET(pto_dev_queue, cq_flags, 320);
PTO_ABI_OFFSET(pto_dev_queue, progress, 384);
PTO_ABI_SIZE(pto_dev_cmd, PTO_DEV_SQE_SIZE);
PTO_ABI_SIZE(pto_dev_cmd_queue, PTO_DEV_SQE_SIZE);
PTO_ABI_SIZE(pto_dev_cmd_map, PTO_DEV_SQE_SIZE);
PTO_ABI_SIZE(pto_dev_cmd_load, PTO_DEV_SQE_SIZE);
PTO_ABI_SIZE(pto_dev_cmd_arena, PTO_DEV_SQE_SIZE);
PTO_ABI_SIZE(pto_dev_cmd_run, PTO_DEV_SQE_SIZE);
PTO_ABI_OFFSET(pto_dev_cmd_run, arena_addr, 32);
PTO_ABI_SIZE(pto_dev_load, 168);
PTO_ABI_SIZE(pto_dev_kernel, 32);
PTO_ABI_SIZE(pto_dev_arena_plan, 120);
PTO_ABI_OFFSET(pto_dev_cmd_run, graph_addr, 40);
PTO_ABI_SIZE(pto_run_args, 64);
PTO_ABI_SIZE(pto_dev_graph, 64);
PTO_ABI_SIZE(pto_dev_graph_task, 80);
PTO_ABI_OFFSET(pto_dev_graph_task, predicate_value, 72);
PTO_ABI_SIZE(pto_dev_cqe, PTO_DEV_CQE_SIZE);
PTO_ABI_SIZE(pto_dev_report, PTO_DEV_REPORT_SIZE);
PTO_ABI_SIZE(pto_control_create, 24);

#endif /* _UAPI_LINUX_PTO_DEVICE_H */
