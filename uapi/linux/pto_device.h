/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * PTO accelerators: the interface between the driver and a device.
 *
 * A device is a memory window. Page 0 identifies it (struct pto_dev_ident); the
 * device announces all offsets and counts there. queue_count queue pairs begin at
 * queue_offset, queue_stride bytes apart. Pair 0 is the admin pair; commands bind
 * the others to contexts. The driver allocates memory from heap_offset to the end of
 * the window. A *device address* is memory_base plus the offset in the window.
 *
 * "Page size" means the host's page size, which is PTO_DEV_PAGE_SIZE or a multiple of it,
 * because the driver and applications map whole pages.
 *
 * Queues
 *
 *   A submission queue (SQ) of 64-byte entries goes to the device, a completion
 *   queue (CQ) of 32-byte entries comes back; both have queue_depth entries, a
 *   power of two. Indices are 32-bit, free-running, each in its own cache line;
 *   entry i is at slot i & (depth - 1). The producer writes the entry, then
 *   releases the tail. A queue executes and completes its commands in order: the
 *   completion of SQ index i has id i, and command i + 1 begins only after command i
 *   has completed. The driver has at most queue_depth commands in flight per queue,
 *   so the CQ cannot overflow.
 *
 *   Waking: the side that is about to sleep sets its NEED_WAKEUP flag, then reads
 *   the tail once more (full barrier between the two). The producer releases the
 *   tail, then reads the flag (full barrier between the two), and rings the doorbell
 *   or raises the interrupt only if the flag is set. The sleeper clears its flag
 *   itself.
 *
 *   Neither side trusts what it reads: it checks tail - head against the depth, and
 *   copies each entry once before it validates the copy.
 *
 * Contexts
 *
 *   A hardware context has one *control* queue (map, load, arena commands) and one or
 *   more *stream* queues (runs). It executes one command at a time, the control
 *   queue first, the streams in turn; different contexts execute side by side. The
 *   admin queue executes no program code, so nothing that a context does can
 *   hold it up.
 *
 *   A context can access only the memory that PTO_DEV_MAP has mapped for it. After a
 *   fault or an abort, all its outstanding and later commands complete with
 *   PTO_DEV_FAULT or PTO_DEV_ABORTED until the context is destroyed.
 */
#ifndef _UAPI_LINUX_PTO_DEVICE_H
#define _UAPI_LINUX_PTO_DEVICE_H

#include <linux/pto.h>

#define PTO_DEV_MAGIC		0x314f5450	/* "PTO1", little endian */
#define PTO_DEV_ABI_MAJOR	1
/* Minor versions: 1: PTO_DEV_REPORT_VALID; 2: ring sizes; 3: costs, labels; 4: imports */
#define PTO_DEV_ABI_MINOR	4
#define PTO_DEV_ABI_VERSION	((PTO_DEV_ABI_MAJOR << 16) | PTO_DEV_ABI_MINOR)

#define PTO_DEV_PAGE_SIZE	4096
#define PTO_DEV_MAX_HANDLES	256	/* callables of a context on the device */
#define PTO_DEV_REPORTS		16	/* failure reports that a queue keeps */

/* pto_dev_ident.state */
#define PTO_DEV_STATE_INIT	0
#define PTO_DEV_STATE_READY	1
#define PTO_DEV_STATE_FAILED	2

/**
 * struct pto_dev_ident - page 0 of the window; written by the device
 * @magic: PTO_DEV_MAGIC
 * @abi_version: PTO_DEV_ABI_VERSION; a driver refuses another major number
 * @state: PTO_DEV_STATE_*; the driver waits for READY before it does anything else
 * @heartbeat: incremented while the device is alive
 * @arch: PTO_ARCH_*
 * @cluster_count: clusters
 * @aic_count: AIC cores
 * @aiv_count: AIV cores
 * @aicpu_threads: control processor threads
 * @worker_threads: operating system threads that act as cores; 0 on hardware
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
 * @features: PTO_FEATURE_* bits of the device
 * @default_timeout_ns: how long a run may make no progress if its submitter gives no bound
 *	for the whole execution; time in which a kernel runs counts
 * @name: readable name, NUL padded
 * @default_heap: default size of each heap ring of an arena, in bytes; 0: 256 MiB
 * @default_task_window: default number of task slots of each ring, a power of two; 0: 16384
 * @default_dep_pool: default number of dependency entries of each ring; 0: 16384
 *
 * A device announces smaller defaults if an arena of the usual sizes does not fit into its
 * memory. The defaults are within the limits of struct pto_ioc_prewarm.
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
 * struct pto_dev_costs - costs by which a context decides where tasks are executed
 * @hand_overs: hand-overs of a task between two threads that were measured when the context was
 *	created; 0: the other members are assumed values
 * @hand_over_ns: what it costs the orchestration that another thread executes a task; 0: the
 *	device does not say
 * @tensor_ns: what each tensor of the task adds
 * @catch_up_ns: how long an orchestration waits until a task is ready that it executes itself
 * @max_debt_ns: limit of the time that it makes up for after it has executed tasks for which
 *	other threads have waited
 *
 * All of them are for information only.
 */
struct pto_dev_costs {
	__u32 hand_overs;
	__u32 hand_over_ns;
	__u32 tensor_ns;
	__u32 catch_up_ns;
	__u64 max_debt_ns;
};

/**
 * struct pto_dev_queue - head of a queue pair; each index and flag in a cache line of its own
 * @sq_tail: driver: SQ entries produced
 * @sq_head: device: SQ entries consumed (copied)
 * @sq_flags: device: PTO_DEV_NEED_WAKEUP while it wants a doorbell
 * @cq_tail: device: CQ entries produced
 * @cq_head: driver: CQ entries consumed
 * @cq_flags: driver: PTO_DEV_NEED_WAKEUP while it wants an interrupt
 * @progress: device, on a control queue: changes while a run of the context makes progress,
 *	or a kernel of it runs
 * @costs: device, on a control queue: written once, before CTX_CREATE completes
 * @pad0: unused
 * @pad1: unused
 * @pad2: unused
 * @pad3: unused
 * @pad4: unused
 * @pad5: unused
 * @pad6: unused
 * @pad7: unused
 *
 * The SQ entries begin at PTO_DEV_SQ_OFFSET. The CQ entries follow them, then
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
	__u32 pad6[15];
	struct pto_dev_costs costs;
	__u32 pad7[10];
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
#define PTO_DEV_CTX_DESTROY	2	/* a: struct pto_dev_cmd; ends its queues and runs */
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
#define PTO_DEV_BARRIER		33	/* s: struct pto_dev_cmd; completes after all before it */

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
 * @queue: the queue pair, an unused one with all indices zero
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
#define PTO_DEV_MAP_IMPORT	4	/* the memory is an import's and not the window's */

/**
 * struct pto_dev_cmd_map - MAP, UNMAP: grant a context access to memory, or revoke it
 * @opcode: see struct pto_dev_cmd
 * @flags: 0
 * @id: SQ index
 * @ctx: hardware context
 * @handle: 0
 * @addr: device address, page aligned
 * @length: bytes, whole pages
 * @prot: PTO_DEV_PROT_* bits, and PTO_DEV_MAP_IMPORT
 * @pad: 0
 * @arg: 0
 *
 * The addresses of an import lie in the window like others, but what is there is memory that an
 * application has imported (a dma-buf), and not the window's. A virtual device maps it from the
 * file of PTO_CONTROL_IMPORTS, at the offset that it has in the window. The driver does not use
 * the bit with a device that has not passed this file.
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
 * struct pto_dev_cmd_load - LOAD, UNLOAD: load or unload a callable
 * @opcode: see struct pto_dev_cmd
 * @flags: 0
 * @id: SQ index
 * @ctx: hardware context
 * @handle: number that the driver chooses for the callable, unused before LOAD
 * @desc_addr: LOAD: device address of a struct pto_dev_load
 * @desc_size: LOAD: bytes of it, its kernels included
 * @label: LOAD: number by which reports name the callable: 1 more than its cid. 0: none; drivers
 *	before minor 3, and UNLOAD
 * @pad: 0
 * @arg: 0
 *
 * The device reads the description and the images only while it executes the command.
 * It loads a kernel image once per context; callables share it by image id, until the
 * last callable that uses it is unloaded. If constructors do not return, LOAD ends with
 * PTO_DEV_TIMEOUT and has no effect. If destructors do not return, UNLOAD ends with
 * PTO_DEV_TIMEOUT, and the handle is free.
 */
struct pto_dev_cmd_load {
	__u16 opcode;
	__u16 flags;
	__u32 id;
	__u32 ctx;
	__u32 handle;
	__u64 desc_addr;
	__u64 desc_size;
	__u32 label;
	__u32 pad;
	__u64 arg[3];
};

/**
 * struct pto_dev_load - description of a callable; struct pto_dev_kernel[kernel_count] follows
 * @size: sizeof(struct pto_dev_load)
 * @kind: PTO_KIND_*
 * @image_addr: device address of the orchestration object
 * @image_size: bytes of it
 * @image_id: number of the image, never reused for another one
 * @kernel_count: kernels that follow
 * @flags: PTO_DEV_LOAD_*
 * @entry: symbol of the entry
 * @config: symbol of the configuration function
 *
 * A callable of kind PTO_KIND_HOST_GRAPH has no orchestration object: the fields that
 * describe it are 0.
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

#define PTO_DEV_LOAD_CONFIG_OPTIONAL	1u	/* the symbol @config may be absent */

/**
 * struct pto_dev_kernel - a kernel of a struct pto_dev_load
 * @func_id: its number in the callable
 * @core_type: PTO_CORE_*
 * @image_addr: device address of the object (symbol "kernel_entry")
 * @image_size: bytes of it
 * @image_id: number of the image, never reused for another one
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
 * @addr: BUILD: device address of a struct pto_dev_arena_plan. The device completes
 *	it, and writes the image behind it if @size has room for it;
 *	BIND, DROP: device address of the arena, a multiple of the page size
 * @size: BUILD: bytes at @addr; BIND, DROP: bytes of the arena
 * @image_addr: BIND: device address of the image
 * @image_size: BIND: bytes of it
 * @arg: 0
 *
 * If there is no room for the image, BUILD completes the plan, writes no image and
 * ends with PTO_DEV_NOSPACE. An image holds offsets and no pointers. It is built once
 * per configuration and bound to any number of arenas. Arena memory is zero before
 * BIND.
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
 * struct pto_dev_arena_plan - sizes of an arena for a ring configuration
 * @size: in: sizeof(struct pto_dev_arena_plan)
 * @flags: 0
 * @task_window: in: task slots per depth
 * @heap: in: bytes of heap ring per depth
 * @dep_pool: in: dependency entries per depth
 * @arena_size: out: bytes of device memory that an arena occupies
 * @image_size: out: bytes of the image
 *
 * The driver replaces zeros in a configuration by the defaults before it sends a plan.
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
 * @epoch: number of the run among those that use this arena, never 0. The device
 *	recognises state of an earlier run by it
 * @arena_addr: device address of a bound arena
 * @graph_addr: device address of a struct pto_dev_graph, a multiple of 64, if the callable
 *	is of kind PTO_KIND_HOST_GRAPH; else 0
 * @graph_size: bytes of it
 * @timeout_ms: bound for the whole execution; 0: only the device's default for a run
 *	without progress applies
 * @sched_timeout_ms: bound for a time without progress in which no kernel runs, 0 for the
 *	device's default
 * @op_timeout_ms: bound for the duration of one kernel, 0 for the device's default
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
 * The tensors begin at byte 64 (128 bytes each, struct pto_tensor of pto/tensor.h,
 * with device addresses). The scalars follow them (8 bytes each).
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
 * @size: bytes of the graph, this header included
 * @heap_bytes: bytes that its tensors occupy at the beginning of the first heap ring
 * @task_count: tasks
 * @flags: 0
 * @pad: 0
 *
 * The tasks follow in the order of submission, a struct pto_dev_graph_task each. The graph
 * holds no pointers. The address of a tensor in the run's heap is PTO_DEV_GRAPH_HEAP plus
 * the offset in the heap. The address of any other tensor is its device address, which has
 * that bit clear. All tasks belong to the first ring: the id of a task is its index.
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
#define PTO_DEV_GRAPH_MAX_SIZE	0xffffffc0U	/* the largest multiple of 64 in a __u32 */

/**
 * struct pto_dev_graph_task - a task of a graph
 * @size: bytes of the record, the data behind this struct included; a multiple of 8
 * @flags: PTO_DEV_TASK_*
 * @func_id: kernel of the parts for AIC, AIV0 and AIV1; -1: there is no such part
 * @block_num: blocks
 * @tensor_count: tensors
 * @scalar_count: scalars
 * @dep_count: tasks that must complete before this one starts
 * @fill_mask: one bit per tensor: it lies in the heap and is filled with a value first
 * @predicate_op: comparison (pto/orch.h); 0 without PTO_DEV_TASK_PREDICATE
 * @predicate_ndims: dimensions of the predicate's tensor; 0 without PTO_DEV_TASK_PREDICATE
 * @predicate_index: index of the element; 0 without PTO_DEV_TASK_PREDICATE
 * @predicate_value: value to compare with; 0 without PTO_DEV_TASK_PREDICATE
 * @pad: 0
 *
 * The data behind this struct, in this order: the tensors and, with PTO_DEV_TASK_PREDICATE,
 * the predicate's tensor (128 bytes each, struct pto_tensor of pto/tensor.h); then 8 bytes
 * each: the scalars, a value for each tensor to be filled, and the indices of the tasks that
 * must complete first, each lower than the task's own index.
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
#define PTO_DEV_TASK_PREDICATE	2u	/* runs only if the comparison holds */
#define PTO_DEV_TASK_ALLOC	4u	/* only holds memory; complete from the start */

/* Status of a completion, and the errno to which the driver maps it. */
#define PTO_DEV_OK		0	/* 0 */
#define PTO_DEV_INVALID		1	/* EINVAL: an operand is wrong */
#define PTO_DEV_NOEXEC		2	/* ENOEXEC: an object cannot be loaded */
#define PTO_DEV_NOMEM		3	/* ENOMEM */
#define PTO_DEV_NOSPACE		4	/* ENOSPC */
#define PTO_DEV_FAULT		5	/* EIO: the program crashed; the context is lost */
#define PTO_DEV_TIMEOUT		6	/* ETIMEDOUT: a bound was exceeded */
#define PTO_DEV_ABORTED		7	/* ECANCELED: ended by ABORT or CTX_DESTROY */
#define PTO_DEV_PROGRAM		8	/* EREMOTEIO: detail = fatal code | sub-class << 32 */
#define PTO_DEV_UNSUPPORTED	9	/* EOPNOTSUPP */

/**
 * struct pto_dev_cqe - completion entry
 * @id: SQ index of the command
 * @status: PTO_DEV_OK ...
 * @detail: defined by the opcode or the status, else 0
 * @start_ns: CLOCK_MONOTONIC when the command began, 0 if it never did
 * @end_ns: CLOCK_MONOTONIC when it ended
 *
 * A virtual device uses the clock of the time namespace in which its process called
 * PTO_CONTROL_CREATE.
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
 * @id: SQ index of the command; a report with another id belongs to another command
 * @code: PTO_FATAL_* or 0
 * @subcode: sub-class of @code or 0
 * @core: core concerned, ~0 if none
 * @task: task concerned, ~0 if none
 * @func_id: function concerned, ~0 if none
 * @flags: PTO_DEV_REPORT_VALID, which tells a report from cleared memory
 * @text: one line of text, NUL terminated
 *
 * The report of SQ index i is at slot i % PTO_DEV_REPORTS. The driver clears a whole
 * queue pair, its reports included, before it binds the pair.
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
 * Virtual devices: ioctls of /dev/pto-control. A process implements the device.
 */

/** PTO_CONTROL_CREATE: create a device from a memfd and two eventfds. */
#define PTO_CONTROL_CREATE	_IO(PTO_IOC_TYPE, 0x80)

/**
 * PTO_CONTROL_IMPORTS: make a file through which a device reaches memory that applications import.
 *
 * It has no argument, and returns a descriptor, which is close-on-exec. The file is for one device:
 * see struct pto_control_create. It does not keep the device, so processes of the device may
 * inherit it. Offsets for mmap() are those of the window; ENXIO if no import is there. A mapping
 * must be MAP_SHARED, begin where the import does, and not end behind it. It keeps the memory.
 */
#define PTO_CONTROL_IMPORTS	_IO(PTO_IOC_TYPE, 0x81)

/**
 * struct pto_control_create - argument of PTO_CONTROL_CREATE
 * @size: sizeof(struct pto_control_create)
 * @flags: must be 0; else EOPNOTSUPP
 * @memory_fd: memfd that holds the window. It must be sealed with F_SEAL_SHRINK, must not
 *	have huge pages, F_SEAL_WRITE or F_SEAL_FUTURE_WRITE, and its identification page
 *	must be complete
 * @doorbell_fd: eventfd that the driver signals for the device
 * @interrupt_fd: eventfd that the device signals for the driver; not @doorbell_fd
 * @index: out: N of the new /dev/ptoN
 * @imports_fd: file of PTO_CONTROL_IMPORTS that no device has had; 0: none, and the device cannot
 *	reach imported memory
 * @pad: must be 0
 *
 * The device exists until this open file of /dev/pto-control is released. A file and a
 * memfd can have one device each (EBUSY for a second one). EPERM: the calling thread does not
 * have CAP_SYS_ADMIN in the initial user namespace. EBADF or EINVAL: an fd is of
 * the wrong kind; EFBIG: the windows of all devices together would exceed the driver's
 * parameter window_limit_gib; ENODEV: the identification page is not acceptable; ENOMEM;
 * ENOSPC: too many devices.
 */
struct pto_control_create {
	__u32 size;
	__u32 flags;
	__s32 memory_fd;
	__s32 doorbell_fd;
	__s32 interrupt_fd;
	__u32 index;
	__s32 imports_fd;
	__u32 pad;
};

PTO_ABI_SIZE(pto_dev_ident, 152);
PTO_ABI_OFFSET(pto_dev_ident, queue_offset, 56);
PTO_ABI_SIZE(pto_dev_costs, 24);
PTO_ABI_SIZE(pto_dev_queue, 512);
PTO_ABI_OFFSET(pto_dev_queue, sq_head, 64);
PTO_ABI_OFFSET(pto_dev_queue, sq_flags, 128);
PTO_ABI_OFFSET(pto_dev_queue, cq_tail, 192);
PTO_ABI_OFFSET(pto_dev_queue, cq_head, 256);
PTO_ABI_OFFSET(pto_dev_queue, cq_flags, 320);
PTO_ABI_OFFSET(pto_dev_queue, progress, 384);
PTO_ABI_OFFSET(pto_dev_queue, costs, 448);
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
PTO_ABI_SIZE(pto_control_create, 32);

#endif /* _UAPI_LINUX_PTO_DEVICE_H */
