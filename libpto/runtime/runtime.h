/* SPDX-License-Identifier: MIT */
/*
 * The task runtime: rings, tensor map, dependencies and scheduling of one run.
 *
 * It is freestanding: no threads, no allocation, and only memcpy() and memset() of libc. struct
 * pto_rt_env has the functions that it needs from its environment. Its memory is an arena
 * (arena.c), which holds offsets and no pointers, so it can be at any address.
 *
 * Threads
 *
 *   One thread, the orchestrator, runs the program: it alone submits, allocates, reclaims,
 *   and reads or writes rings, scopes and the tensor map. Any thread, the orchestrator
 *   included, executes tasks: it takes them from the queues and completes them
 *   (sched.c). The two sides share only the atomic fields of struct pto_slot, the queues,
 *   and the fatal latch.
 *
 * Life of a task
 *
 *   slot allocated -> wired (edges to unfinished producers) -> ready when pending falls to
 *   0 -> its units run -> completed: fanout is closed -> reclaimed, in ring order, when every
 *   task that retains it has completed and, if it has outputs, its scope has ended.
 *
 *   No thread accesses a slot that has been reclaimed: see pto_sched_complete().
 */
#ifndef PTO_RUNTIME_H
#define PTO_RUNTIME_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/pto_device.h>
#include <pto/kernel.h>
#include <pto/orch.h>

#define PTO_CACHE_LINE		64
#define PTO_HEAP_ALIGN		1024	/* of every runtime-allocated tensor */
#define PTO_PARTS		3	/* AIC, AIV0, AIV1 */
#define PTO_SLOT_EDGES		4	/* edges inside a slot */
#define PTO_SIDE_EDGES		60	/* edges beside a slot; more come from the pool */
#define PTO_SLOT_TENSORS	4	/* tensors of a small task */
#define PTO_SLOT_ACCESSES	4	/* tracked accesses inside a slot */
#define PTO_SIDE_ACCESSES	(PTO_TASK_MAX_TENSORS + 1 - PTO_SLOT_ACCESSES)
#define PTO_RECLAIM_INTERVAL	32	/* submits of a ring between two attempts to reclaim */
#define PTO_FATAL_TEXT		224	/* as struct pto_dev_report.text */
#define PTO_RT_ABORTED		(1u << 31)	/* latched instead of a code: ended from outside */

/* --- arena --------------------------------------------------------------- */

/**
 * struct pto_ring_layout - sizes of a ring, and offsets of its parts in the arena
 * @window: task slots, a power of two
 * @heap_size: bytes of heap
 * @dep_pool: edges in the pool
 * @slots: struct pto_slot[window]
 * @order: uint32_t[window]: slot of each task, by its local id
 * @small: struct pto_tensor[window][PTO_SLOT_TENSORS]
 * @large: struct pto_tensor[window][PTO_TASK_MAX_TENSORS]
 * @side: struct pto_edge[window][PTO_SIDE_EDGES]
 * @accesses: struct pto_access[window][PTO_SIDE_ACCESSES]
 * @pool: struct pto_edge[dep_pool]
 * @heap: the heap
 */
struct pto_ring_layout {
	uint64_t window;
	uint64_t heap_size;
	uint64_t dep_pool;
	uint64_t slots;
	uint64_t order;
	uint64_t small;
	uint64_t large;
	uint64_t side;
	uint64_t accesses;
	uint64_t pool;
	uint64_t heap;
};

/**
 * struct pto_arena - header of an arena; an arena image consists of it
 * @magic: PTO_ARENA_MAGIC
 * @version: PTO_ARENA_VERSION
 * @arena_size: bytes of the arena
 * @last_epoch: epoch of the latest run, 0 before the first
 * @bucket_shift: a hash is shifted right by this to give a bucket
 * @buckets: offset of struct pto_map_bucket[1 << (64 - bucket_shift)]
 * @regions: offset of struct pto_region[region_count]
 * @region_count: regions of the tensor map; number 0 means no region
 * @pad: 0
 * @ring: rings by depth
 *
 * The memory behind the header may hold arbitrary data of earlier runs, except that buckets have
 * epochs: a bucket counts as empty unless its epoch is the run's. So zeroed memory needs no
 * preparation, and a run touches only the memory that it uses.
 */
struct pto_arena {
	uint32_t magic;
	uint32_t version;
	uint64_t arena_size;
	uint32_t last_epoch;
	uint32_t bucket_shift;
	uint64_t buckets;
	uint64_t regions;
	uint32_t region_count;
	uint32_t pad;
	struct pto_ring_layout ring[PTO_RING_DEPTHS];
};

#define PTO_ARENA_MAGIC		0x414f5450	/* "PTOA" */
#define PTO_ARENA_VERSION	3

/* Also declared in sim/device/engine.h, for the device. */
int pto_arena_plan(struct pto_dev_arena_plan *plan);
void pto_arena_build(const struct pto_dev_arena_plan *plan, void *image);
int pto_arena_bind(void *arena, uint64_t arena_size, const void *image, uint64_t image_size);

/* --- tasks --------------------------------------------------------------- */

/**
 * struct pto_edge - one dependency; stored with its consumer
 * @next: next edge of the producer's fan-out list (offset), 0 ends it
 * @task: the consumer (offset of its slot)
 * @producer: slot to release when the consumer has completed (offset), 0: not retained
 */
struct pto_edge {
	uint64_t next;
	uint64_t task;
	uint64_t producer;
};

#define PTO_FANOUT_CLOSED	1	/* value of pto_slot.fanout: the task has completed */
#define PTO_PENDING_GUARD	(1u << 30)

/* Parts of pto_slot.units_left. */
#define PTO_UNITS_MASK		0xffffffu
#define PTO_UNITS_CONDITION	0x1000000u	/* one registered condition */

/* Flags of a slot. */
#define PTO_SLOT_PREDICATE	1	/* it has a predicate */
#define PTO_SLOT_SYNC_START	2	/* all its blocks are one cohort */
#define PTO_SLOT_MIXED		4	/* it has several parts, those of a block are a cohort */

/**
 * struct pto_access - a tracked argument of a task; stored with the task
 * @next: next access of the region's list (offset), 0 ends it
 * @prev: previous one, 0 if first
 * @task: the task (offset of its slot)
 * @region: the region, 0 when the access has been removed
 * @version: version of the tensor
 *
 * Used by the orchestrator only. An access is removed when a later write covers it, when a search
 * finds it after its task has completed, and at the latest when the task is reclaimed.
 */
struct pto_access {
	uint64_t next;
	uint64_t prev;
	uint64_t task;
	uint32_t region;
	int32_t version;
};

/**
 * struct pto_slot - a task
 * @fanout: edges of tasks that wait for this one, or PTO_FANOUT_CLOSED. Only the
 *	orchestrator adds edges; only the completing thread closes it, once
 * @pending: producers that have not completed, plus the guard while edges are added
 * @released: consumers that retained this task and have completed
 * @units_left: low bits (PTO_UNITS_MASK): units that have not ended, plus conditions
 *	(pto_async_expect()) that do not hold yet; above: conditions registered so far
 * @next_unit: first unit that has not begun; owned by the thread that took the task from a queue
 * @id: task id
 * @stamp: pto_runtime.stamp of the latest consumer that has an edge to it (orchestrator)
 * @stamp_edge: number of that edge; while the slot is free, the next free one's number + 1
 *	(orchestrator)
 * @retained: edges that retain this task (orchestrator)
 * @block_num: blocks
 * @func: func_id of each part, in the order of @part
 * @part_count: parts; 0 for a dummy
 * @ring: ring it belongs to
 * @next: link in a list of ready tasks (offset); owned by the list
 * @tensors: offset of its tensors
 * @edge_count: edges in use; constant once the task is ready
 * @keeps: edges of those that retain their producer
 * @part: which core each part is for: 0 AIC, 1 AIV0, 2 AIV1
 * @tensor_count: tensors
 * @scalar_count: scalars
 * @has_heap: it has a heap block (orchestrator)
 * @access_count: accesses in use (orchestrator)
 * @flags: PTO_SLOT_*; 0 for the plain task
 * @heap_end: end of its heap block (orchestrator); valid if @has_heap
 * @dep_first: its first edge in the pool (orchestrator until ready, then constant)
 * @depth: depth of its scope (orchestrator)
 * @predicate_op: PTO_PREDICATE_*
 * @predicate_dtype: type of the element
 * @pad: 0
 * @access: its first accesses (orchestrator)
 * @edges: its first edges
 * @scalars: scalars
 * @predicate: address of the element that decides whether it runs
 * @predicate_value: the value that the element is compared with
 *
 * Fields without a note are written before the task becomes ready and constant after.
 *
 * One thread writes a task and another reads it, so the number of cache lines matters. The fields
 * that other tasks use come first, together with the first edge, which a thread that completes a
 * producer reads before it changes @pending. Then come the fields for executing the task, then the
 * orchestrator's.
 */
struct pto_slot {
	_Atomic uint64_t fanout;
	_Atomic uint32_t pending;
	_Atomic uint32_t released;
	uint64_t stamp;
	uint32_t stamp_edge;
	uint32_t retained;
	uint8_t part_count;
	uint8_t part[PTO_PARTS];
	uint8_t flags;
	uint8_t ring;
	uint8_t tensor_count;
	uint8_t scalar_count;
	struct pto_edge edges[PTO_SLOT_EDGES];

	uint64_t id;
	_Atomic uint32_t units_left;
	uint32_t next_unit;
	uint64_t tensors;
	uint64_t next;
	uint32_t edge_count;
	uint32_t keeps;
	uint32_t block_num;
	uint16_t func[PTO_PARTS];
	uint8_t has_heap;
	uint8_t access_count;
	uint64_t scalars[PTO_TASK_MAX_SCALARS];

	uint64_t heap_end;
	uint64_t dep_first;
	uint32_t depth;
	uint8_t predicate_op;
	uint8_t predicate_dtype;
	uint16_t pad;
	struct pto_access access[PTO_SLOT_ACCESSES];
	uint64_t predicate;
	int64_t predicate_value;
} __attribute__((aligned(PTO_CACHE_LINE)));

/* --- tensor map ---------------------------------------------------------- */

/**
 * struct pto_map_bucket - regions and buffers with the same hash
 * @epoch: run that wrote it; in any other run the bucket is empty
 * @region: first region, 0: none
 * @root: first buffer, as the root of its tree of regions; 0: none
 * @pad: 0
 */
struct pto_map_bucket {
	uint32_t epoch;
	uint32_t region;
	uint32_t root;
	uint32_t pad;
};

#define PTO_MAP_WRITER		0
#define PTO_MAP_READER		1

#define PTO_NEAR		22		/* neighbours that a region can store */
#define PTO_NEAR_MANY		UINT8_MAX	/* there were more neighbours than PTO_NEAR */
#define PTO_NEAR_COVERED	(1u << 31)	/* the neighbour lies within the region */

/**
 * struct pto_region - a region of a buffer that tasks access, see tensormap.c
 * @addr: the buffer; 0: the region is not in use
 * @begin: its first byte
 * @end: the byte behind its last one
 * @list: its writers and its readers (offsets of struct pto_access), latest first
 * @hash_next: next region of the bucket, or of the free list
 * @hash_prev: previous one, 0 if first
 * @pin: low bits of pto_runtime.stamp of the latest submit that uses it
 * @rest: elements from the last line of the grid to the first element; valid if @is_box
 * @dtype: of the tensor
 * @ndims: of the tensor
 * @is_contiguous: of the tensor
 * @is_box: offsets and indices of its grid correspond one to one
 * @wrote: a task has written it since its creation
 * @near_count: entries of @near, or PTO_NEAR_MANY
 * @pad: 0
 * @shapes: of the tensor
 * @strides: of the tensor
 * @index: indices of its first element in the grid; valid if @is_box
 * @root_next: next buffer of the bucket; valid in the root of a tree
 * @max_end: highest @end in its part of the tree
 * @max_written: highest @end of those with @wrote in its part of the tree
 * @left: regions that begin earlier
 * @right: regions that begin later
 * @parent: region above it, 0 for the root
 * @root_prev: previous buffer of the bucket; valid in the root of a tree
 * @bucket: its bucket
 * @near: neighbours: regions of the buffer that overlap it, if it or they have @wrote
 */
struct pto_region {
	uint64_t addr;
	uint64_t begin;
	uint64_t end;
	uint64_t list[2];
	uint32_t hash_next;
	uint32_t hash_prev;
	uint32_t pin;
	uint32_t rest;
	uint8_t dtype;
	uint8_t ndims;
	uint8_t is_contiguous;
	uint8_t is_box;
	uint8_t wrote;
	uint8_t near_count;
	uint16_t pad;

	uint32_t shapes[PTO_MAX_TENSOR_DIMS];
	uint32_t strides[PTO_MAX_TENSOR_DIMS];
	uint32_t index[PTO_MAX_TENSOR_DIMS];
	uint32_t root_next;

	uint64_t max_end;
	uint64_t max_written;
	uint32_t left;
	uint32_t right;
	uint32_t parent;
	uint32_t root_prev;
	uint32_t bucket;
	uint32_t near[PTO_NEAR];
} __attribute__((aligned(PTO_CACHE_LINE)));

/* How a new access relates to an older one. */
#define PTO_OVERLAP_NONE	0
#define PTO_OVERLAP_PARTIAL	1	/* or unknown */
#define PTO_OVERLAP_COVERED	2	/* the older region lies within the new one */

/**
 * struct pto_map - the tensor map of a run
 * @arena: its memory
 * @buckets: buckets
 * @regions: regions
 * @epoch: the run's epoch
 * @free: list of regions that were used and freed
 * @fresh: first region that this run has not used
 * @hand: region at which the next search for an idle one begins
 */
struct pto_map {
	const struct pto_arena *arena;
	struct pto_map_bucket *buckets;
	struct pto_region *regions;
	uint32_t epoch;
	uint32_t free;
	uint32_t fresh;
	uint32_t hand;
};

/* --- rings and scopes ---------------------------------------------------- */

/**
 * struct pto_ring - a ring of the current run; used by the orchestrator only
 * @layout: its geometry; NULL until the run uses it
 * @slots: slots
 * @order: number of the slot of each live task, by its local id
 * @mask: task slots - 1
 * @next: number of the slot that the next task gets
 * @free: number + 1 of the slot that was freed last, 0: none; free slots are linked
 * @fresh: slots that the run has used, @next included
 * @head: local id of the next task
 * @tail: local id of the oldest task that has not been reclaimed
 * @heap_head: offset in the heap where the next block may begin
 * @heap_tail: offset in the heap where the oldest live block begins
 * @heap_blocks: live blocks
 * @pool_head: number of edges taken from the pool so far
 * @pool_tail: number of edges returned so far
 * @spare: submits until the next attempt to reclaim; there is a slot for each
 * @index: number of the ring
 */
struct pto_ring {
	const struct pto_ring_layout *layout;
	struct pto_slot *slots;
	uint32_t *order;
	uint64_t mask;
	uint32_t next;
	uint32_t free;
	uint32_t fresh;
	uint64_t head;
	uint64_t tail;
	uint64_t heap_head;
	uint64_t heap_tail;
	uint64_t heap_blocks;
	uint64_t pool_head;
	uint64_t pool_tail;
	uint32_t spare;
	uint32_t index;
} __attribute__((aligned(PTO_CACHE_LINE)));

/**
 * struct pto_scope - an open scope
 * @ring: ring of its tasks; NULL if there have not been any
 * @start: head of its ring when it was opened
 * @held: tasks submitted in it from the first one that it holds on, those of scopes within not
 *	counted; it holds those with outputs, and in a graph all
 * @mode: PTO_SCOPE_*
 */
struct pto_scope {
	struct pto_ring *ring;
	uint64_t start;
	uint64_t held;
	uint32_t mode;
};

/* --- scheduling ---------------------------------------------------------- */

#ifndef PTO_QUEUE_SIZE
#define PTO_QUEUE_SIZE 1024		/* a power of two; tests make it small */
#endif

/**
 * struct pto_queue - ready tasks of one thread
 * @tail: next position to fill; written by the owner
 * @done: tasks that the owner has completed since the engine was created
 * @seen_head: last value of @head that the owner has read; used by the owner only
 * @batch: tasks that the orchestrator executes itself between two checks; 0: it hands them over.
 *	This and the next members, up to @debt, are used by the orchestrator only; see
 *	pto_sched_check()
 * @batch_left: how many of them are left
 * @backlogged: the other threads had a backlog at the last check
 * @checked: time of the last check, ns
 * @credit: what it would have cost to hand over all tasks submitted since then, ns
 * @debt: time that it has lost over tasks of its own and not repaid, ns
 * @own_tail: copy of @tail in a line that no other thread reads; used by the owner only
 * @backlog: ready tasks for which there was no room (offset); used by the owner only
 * @backlog_end: last of them
 * @head: next position to take; a thread that takes a task advances it by compare-and-swap
 * @slots: offsets of slots
 *
 * Only the owner adds tasks; any thread takes them, first in first out. Positions are 64-bit and
 * never decrease, so a successful swap of @head proves that the cell read before held the
 * element of that position: the owner overwrites a cell only after it has seen @head
 * beyond it.
 */
struct pto_queue {
	_Atomic uint64_t tail __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint64_t done __attribute__((aligned(PTO_CACHE_LINE)));
	uint64_t seen_head;
	uint64_t own_tail;
	uint64_t backlog;
	uint64_t backlog_end;
	uint32_t batch;
	uint32_t batch_left;
	bool backlogged;
	uint64_t checked;
	uint64_t credit;
	uint64_t debt;
	_Atomic uint64_t head __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint64_t slots[PTO_QUEUE_SIZE] __attribute__((aligned(PTO_CACHE_LINE)));
};

/**
 * struct pto_sched - the ready tasks of an engine
 * @queues: one for each thread; 0 is the orchestrator's
 * @queue_count: threads
 * @enough: backlog in the orchestrator's queue that keeps all other threads busy
 * @hand_over: what it costs the orchestrator that another thread executes a task, ns. This and the
 *	next members, up to @max_debt, change only between runs; see pto_sched_set_cost()
 * @tensor: what a tensor of a submit costs in addition, ns
 * @catch_up: how long the orchestrator waits until a task is ready that it would execute itself, ns
 * @max_debt: limit of the orchestrator's debt, ns
 * @base: arena of the current run; changes only while no task exists
 */
struct pto_sched {
	struct pto_queue *queues;
	uint32_t queue_count;
	uint32_t enough;
	uint64_t hand_over;
	uint64_t tensor;
	uint64_t catch_up;
	uint64_t max_debt;
	uint8_t *base;
};

/* pto_sched.hand_over as long as nobody has measured it: more than most machines need. */
#define PTO_HAND_OVER_NS	300

/** pto_sched_credit() - credit the orchestrator with what handing over a submitted task costs */
static inline void pto_sched_credit(struct pto_sched *sched, uint32_t tensors)
{
	sched->queues[0].credit += sched->hand_over + tensors * sched->tensor;
}

void pto_sched_init(struct pto_sched *sched, struct pto_queue *queues, uint32_t count,
		    uint32_t enough);
void pto_sched_set_cost(struct pto_sched *sched, uint64_t hand_over);
void pto_sched_push(struct pto_sched *sched, uint32_t thread, struct pto_slot *slot);
struct pto_slot *pto_sched_take(struct pto_sched *sched, uint32_t thread);
void pto_sched_begin(struct pto_sched *sched, void *base);
bool pto_sched_check(struct pto_sched *sched, uint64_t (*now)(void));
void pto_sched_end_batch(struct pto_sched *sched);
uint64_t pto_sched_queued(struct pto_sched *sched, uint32_t thread);
uint64_t pto_sched_done(struct pto_sched *sched);
void pto_sched_release(struct pto_sched *sched, struct pto_slot *slot);
struct pto_slot *pto_sched_complete(struct pto_sched *sched, uint32_t thread,
				    struct pto_slot *slot);

/**
 * pto_sched_executes() - shall the orchestrator execute the next task itself? Called by it
 * @sched: ready tasks
 * @now: the clock
 *
 * The rest of a batch needs no check; see pto_sched_check(). If the task is not ready, the caller
 * waits, and calls pto_sched_end_batch() if that takes too long.
 */
static inline bool pto_sched_executes(struct pto_sched *sched, uint64_t (*now)(void))
{
	struct pto_queue *q = &sched->queues[0];

	if (!q->batch_left)
		return pto_sched_check(sched, now);
	q->batch_left--;
	return true;
}

/**
 * pto_sched_complete_new() - complete a task that no other thread has ever accessed
 * @sched: ready tasks
 * @slot: the task
 *
 * Called by the orchestrator, which has submitted no other task since. So no task waits for this
 * one.
 */
static inline void pto_sched_complete_new(struct pto_sched *sched, struct pto_slot *slot)
{
	_Atomic uint64_t *done = &sched->queues[0].done;

	if (slot->keeps)
		pto_sched_release(sched, slot);
	atomic_store_explicit(&slot->fanout, PTO_FANOUT_CLOSED, memory_order_relaxed);
	atomic_store_explicit(done, atomic_load_explicit(done, memory_order_relaxed) + 1,
			      memory_order_release);
}

/* --- a run --------------------------------------------------------------- */

struct pto_runtime;

/**
 * struct pto_graph - a graph that is being built on the host
 * @data: the graph (struct pto_dev_graph); room for @room bytes
 * @room: pto_rt_env.room makes more
 * @size: bytes in use
 * @open: offset of the record of the task that is being submitted
 * @task: its id
 * @spilled: dependencies that the device will take from its pool
 */
struct pto_graph {
	uint8_t *data;
	uint64_t room;
	uint64_t size;
	uint64_t open;
	uint64_t task;
	uint64_t spilled;
};

/**
 * struct pto_graph_limits - limits of a graph: sizes of the ring in which it is executed
 * @window: task slots of that ring
 * @heap: bytes of its heap
 * @dep_pool: dependencies in its pool
 */
struct pto_graph_limits {
	uint64_t window;
	uint64_t heap;
	uint64_t dep_pool;
};

/**
 * struct pto_graph_source - a graph to be executed on the device
 * @data: the graph; the application may write to it meanwhile
 * @size: bytes
 * @covers: may the run read, or also write, this memory? NULL: all memory
 * @cookie: first argument of @covers
 */
struct pto_graph_source {
	const void *data;
	uint64_t size;
	bool (*covers)(const void *cookie, uint64_t addr, uint64_t size, bool write);
	const void *cookie;
};

/**
 * struct pto_rt_env - the functions that the runtime needs from its environment
 * @kernel_type: core type (PTO_CORE_*) of a func_id, or -1 if there is no such kernel
 * @ready: called when tasks have been put into the orchestrator's queue
 * @execute: execute and complete a task that no other thread accesses; it has one unit and no
 *	flags
 * @help: execute a ready task that has been handed over; false if there is none
 * @wait: called while the orchestrator waits: execute a task, or wait a little. Latches a fatal
 *	error (see pto_rt_fatal_code()) when there is no progress for too long
 * @busy: is a kernel running, or a counter awaited?
 * @now: nanoseconds
 * @pause: let other threads run
 * @format: vsnprintf()
 * @log: write a line of the program to the device's log
 * @room: make room for @bytes in pto_runtime.graph; false if there is no memory
 * @host_view: the host's address of device memory, NULL if the host cannot access it
 * @covers: may the run read, or also write, memory that is not the runtime's? NULL: all of it
 *
 * A runtime that executes tasks calls @ready, @execute, @help and @wait. A runtime that builds a
 * graph calls @room and @host_view.
 */
struct pto_rt_env {
	int (*kernel_type)(struct pto_runtime *rt, uint32_t func_id);
	void (*ready)(struct pto_runtime *rt);
	void (*execute)(struct pto_runtime *rt, struct pto_slot *slot);
	bool (*help)(struct pto_runtime *rt);
	void (*wait)(struct pto_runtime *rt);
	bool (*busy)(struct pto_runtime *rt);
	uint64_t (*now)(void);
	void (*pause)(void);
	int (*format)(char *buf, size_t size, const char *fmt, va_list ap);
	void (*log)(struct pto_runtime *rt, uint32_t level, const char *text);
	bool (*room)(struct pto_runtime *rt, uint64_t bytes);
	void *(*host_view)(struct pto_runtime *rt, uint64_t addr, uint64_t bytes);
	bool (*covers)(struct pto_runtime *rt, uint64_t addr, uint64_t bytes, bool write);
};

/**
 * struct pto_runtime - a run
 * @rt: the program's view
 * @env: environment
 * @sched: the engine's ready tasks
 * @arena: its memory
 * @base: address of @arena, for offsets
 * @graph: NULL: submitted tasks are executed; else they are recorded there
 * @replays: the tasks are those of a graph, and may own tensors even without outputs
 * @arch: PTO_ARCH_*
 * @clusters: number of clusters that the program sees
 * @submitted: tasks that count for pto_sched_done(), since the engine was created; written
 *	by the orchestrator
 * @entered: number of entries to and exits from calls: odd while the program is in a call; written
 *	by the orchestrator
 * @awaited: task that an element access waits for, or PTO_NO_TASK; written by the orchestrator
 * @map: tensor map
 * @ring: rings by depth
 * @depth: index of the innermost open scope
 * @skipped_scopes: scopes that could not be opened; their ends have no effect
 * @stamp: number of submits, to recognise a second edge between the same two tasks
 * @empty: result of pto_task_output() after an error
 * @fatal_claim: number of the run << 2 | PTO_CLAIM_*. The thread that claims the error writes its
 *	fields
 * @fatal: 0, or the code of the first error once those fields are complete
 * @fatal_subcode: its sub-class
 * @fatal_task: task concerned, or PTO_NO_TASK
 * @fatal_func: function concerned, or ~0
 * @fatal_core: core concerned, or ~0
 * @fatal_text: what happened
 * @scope: open scopes
 *
 * All threads read @fatal often, so its cache line has no fields that the orchestrator writes.
 * Rings and the map are set up at their first use, so starting a run only costs the writes of
 * pto_runtime_start().
 */
struct pto_runtime {
	struct pto_rt rt;
	const struct pto_rt_env *env;
	struct pto_sched *sched;
	struct pto_arena *arena;
	uint8_t *base;
	struct pto_graph *graph;
	bool replays;
	uint32_t arch;
	uint32_t clusters;
	_Atomic uint64_t submitted;
	_Atomic uint64_t entered;
	_Atomic uint64_t awaited;
	uint32_t depth;
	uint32_t skipped_scopes;
	uint64_t stamp;
	_Atomic uint32_t fatal_claim __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t fatal;
	uint32_t fatal_subcode;
	uint64_t fatal_task;
	uint32_t fatal_func;
	uint32_t fatal_core;
	struct pto_map map __attribute__((aligned(PTO_CACHE_LINE)));
	struct pto_ring ring[PTO_RING_DEPTHS];
	struct pto_tensor empty;
	char fatal_text[PTO_FATAL_TEXT];
	struct pto_scope scope[PTO_MAX_SCOPE_DEPTH];
};

/*
 * May the run read, or also write, the buffer of @t? A tensor that a task owns is not looked at
 * here, but when its owner is looked up (deps.c): it has to be in the heap of the owner's ring.
 */
static inline bool pto_rt_covers(struct pto_runtime *rt, const struct pto_tensor *t, bool write)
{
	return !rt->env->covers || t->owner_task != PTO_NO_TASK ||
	       rt->env->covers(rt, t->addr, t->size, write);
}

void pto_runtime_init(struct pto_runtime *rt, const struct pto_rt_env *env,
		      struct pto_sched *sched, uint32_t arch, uint32_t clusters);
void pto_runtime_start(struct pto_runtime *rt, void *arena, uint32_t epoch);

static inline struct pto_runtime *pto_runtime_of(struct pto_rt *rt)
{
	return (struct pto_runtime *)rt;
}

static inline uint64_t pto_offset_of(const struct pto_runtime *rt, const void *p)
{
	return (uint64_t)((const uint8_t *)p - rt->base);
}

/*
 * A task id has the low 32 bits of the task's number in its ring, then the ring, then the upper
 * bits of the number. So a run can have more than 2^32 tasks.
 */
static inline uint64_t pto_task_id(uint32_t ring, uint64_t local)
{
	return local >> 32 << 34 | (uint64_t)ring << 32 | (uint32_t)local;
}

static inline uint64_t pto_task_local(uint64_t id)
{
	return id >> 34 << 32 | (uint32_t)id;
}

static inline uint32_t pto_task_ring(uint64_t id)
{
	return id >> 32 & (PTO_RING_DEPTHS - 1);
}

/* Ring of the tasks of a scope. A graph uses one ring only, because it reclaims nothing. */
static inline uint32_t pto_ring_index(const struct pto_runtime *rt, uint32_t depth)
{
	if (rt->graph)
		return 0;
	return depth < PTO_RING_DEPTHS ? depth : PTO_RING_DEPTHS - 1;
}

static inline bool pto_slot_completed(struct pto_slot *slot)
{
	return atomic_load_explicit(&slot->fanout, memory_order_acquire) == PTO_FANOUT_CLOSED;
}

/*
 * The orchestrator counts its entries to and exits from the runtime. Other threads see from that
 * whether it may be interrupted, and whether it makes progress.
 */
static inline void pto_rt_cross(struct pto_runtime *rt)
{
	uint64_t entered = atomic_load_explicit(&rt->entered, memory_order_relaxed);

	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&rt->entered, entered + 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/* --- rings.c ------------------------------------------------------------- */

#define PTO_BACKSTOP_NS 500000000ULL	/* limit of a wait for a ring while nothing runs */
#define PTO_TENSOR_WAIT_NS 15000000000ULL	/* limit of a wait for an element */

/**
 * struct pto_stall - a wait for tasks; initially zero
 * @done: tasks completed at the last check
 * @seen: time of the last check since a task has completed, 0 if there was none
 * @waited: ns of the stall that count
 */
struct pto_stall {
	uint64_t done;
	uint64_t seen;
	uint64_t waited;
};

bool pto_rt_wait(struct pto_runtime *rt, struct pto_stall *stall, uint64_t bound, bool patient);

/* Number of a slot in its ring; index of its tensors, edges and accesses beside the slots. */
static inline uint64_t pto_slot_number(const struct pto_arena *arena, const struct pto_slot *slot)
{
	const uint8_t *base = (const uint8_t *)arena;

	return (uint64_t)((const uint8_t *)slot - base - arena->ring[slot->ring].slots) /
	       sizeof(*slot);
}

void pto_ring_set_up(struct pto_runtime *rt, uint32_t index);

/* The ring of a depth, set up at its first use in a run */
static inline struct pto_ring *pto_ring_get(struct pto_runtime *rt, uint32_t index)
{
	if (!rt->ring[index].layout)
		pto_ring_set_up(rt, index);
	return &rt->ring[index];
}

bool pto_ring_reclaim(struct pto_runtime *rt, struct pto_ring *ring);
bool pto_ring_heap_has(const struct pto_runtime *rt, const struct pto_ring *ring, uint64_t addr,
		       uint64_t bytes);
struct pto_slot *pto_ring_alloc(struct pto_runtime *rt, struct pto_ring *ring, uint64_t heap_bytes,
				uint64_t *heap_addr);
struct pto_edge *pto_edge_at(const struct pto_arena *arena, struct pto_slot *slot, uint32_t i);
bool pto_edge_room(struct pto_runtime *rt, const struct pto_slot *slot);
bool pto_edge_reserve(struct pto_runtime *rt, struct pto_slot *slot);
bool pto_scope_holds(const struct pto_runtime *rt, const struct pto_slot *slot);

enum pto_liveness { PTO_TASK_LIVE, PTO_TASK_RECLAIMED, PTO_TASK_UNKNOWN };
enum pto_liveness pto_task_find(struct pto_runtime *rt, uint64_t id, struct pto_slot **slot);

/* --- overlap.c ----------------------------------------------------------- */

void pto_region_describe(struct pto_region *r, const struct pto_tensor *t);
bool pto_region_is(const struct pto_region *r, const struct pto_tensor *t, uint64_t begin,
		   uint64_t end);
int pto_region_overlap(const struct pto_region *later, const struct pto_region *earlier);
uint64_t pto_tensor_begin(const struct pto_tensor *t);
uint64_t pto_tensor_end(const struct pto_tensor *t);

/* --- regiontree.c -------------------------------------------------------- */

void pto_tree_insert(struct pto_map *map, uint32_t root, uint32_t index);
void pto_tree_remove(struct pto_map *map, uint32_t index);
void pto_tree_written(struct pto_map *map, uint32_t index);
uint32_t pto_tree_first(const struct pto_map *map, uint32_t root, const struct pto_region *r,
			bool written);
uint32_t pto_tree_next(const struct pto_map *map, uint32_t index, const struct pto_region *r,
		       bool written);

/* --- tensormap.c --------------------------------------------------------- */

struct pto_map *pto_map_get(struct pto_runtime *rt);
uint32_t pto_map_buffer(struct pto_map *map, uint64_t addr);
uint32_t pto_map_region(struct pto_runtime *rt, const struct pto_slot *slot,
			const struct pto_tensor *t, bool writes);
uint32_t pto_map_root(struct pto_map *map, uint64_t addr);
struct pto_access *pto_access_at(struct pto_runtime *rt, struct pto_slot *slot, uint32_t i);
void pto_map_insert(struct pto_runtime *rt, struct pto_slot *slot, uint32_t index, uint32_t kind,
		    int32_t version);
void pto_map_forget(struct pto_runtime *rt, struct pto_access *access);
void pto_map_drop_task(struct pto_runtime *rt, struct pto_slot *slot);

/* --- deps.c, element.c --------------------------------------------------- */

bool pto_deps_wire(struct pto_runtime *rt, struct pto_slot *slot, const struct pto_task_args *args,
		   uint32_t *unmet);
bool pto_deps_wait(struct pto_runtime *rt, const struct pto_tensor *t, bool write);
int pto_rt_get(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims, const uint32_t *index,
	       void *value, size_t bytes);
int pto_rt_set(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims, const uint32_t *index,
	       const void *value, size_t bytes);

/* --- predicate.c --------------------------------------------------------- */

bool pto_predicate_check(struct pto_runtime *rt, const struct pto_task_args *args);
void pto_predicate_set(struct pto_slot *slot, const struct pto_task_args *args);
bool pto_predicate_holds(const struct pto_slot *slot);

/* --- submit.c, scope.c --------------------------------------------------- */

struct pto_task pto_rt_submit(struct pto_rt *rt, const struct pto_func_ids *funcs,
			      const struct pto_task_args *args);
struct pto_task pto_rt_alloc(struct pto_rt *rt, const struct pto_create_info *infos,
			     uint32_t count);
void pto_rt_scope_begin(struct pto_rt *rt, uint32_t mode);
void pto_rt_scope_end(struct pto_rt *rt);
void pto_tensor_fill(const struct pto_tensor *t, uint64_t value);

/* --- graph_build.c, graph_load.c ----------------------------------------- */

void pto_graph_plan(const struct pto_graph_limits *limits, struct pto_dev_arena_plan *plan);
void pto_graph_begin(struct pto_runtime *rt, struct pto_graph *graph, void *arena,
		     const struct pto_graph_limits *limits, uint32_t epoch);
bool pto_graph_end(struct pto_runtime *rt);
bool pto_graph_open_task(struct pto_runtime *rt, const struct pto_slot *slot,
			 const struct pto_func_ids *funcs, const struct pto_task_args *args);
void pto_graph_tie(struct pto_runtime *rt, struct pto_slot *producer);
void pto_graph_close_task(struct pto_runtime *rt);
bool pto_graph_busy(struct pto_runtime *rt, const struct pto_slot *task, bool write);
void *pto_graph_view(struct pto_runtime *rt, uint64_t addr, uint64_t bytes);
void pto_graph_replay(struct pto_runtime *rt, const struct pto_graph_source *source);

/* --- fatal.c ------------------------------------------------------------- */

static inline uint32_t pto_rt_fatal_code(struct pto_runtime *rt)
{
	return atomic_load_explicit(&rt->fatal, memory_order_acquire);
}

/* Sub-classes of a time-out, S1 to S5. */
#define PTO_STALL_RUNNING	1	/* kernels run and do not end */
#define PTO_STALL_READY		3	/* tasks are ready and no thread runs them */
#define PTO_STALL_DEPS		4	/* tasks wait and none runs */
#define PTO_STALL_ORCH		5	/* no task is unfinished; the orchestration does not end */

/* Low bits of pto_runtime.fatal_claim. */
#define PTO_CLAIM_OPEN		0	/* the run executes */
#define PTO_CLAIM_CLAIMED	1	/* it executes and has failed */
#define PTO_CLAIM_CLOSED	2	/* it has ended: no error can be added */
#define PTO_CLAIM_MASK		3

/**
 * struct pto_fatal_at - where an error happened
 * @subcode: sub-class, or 0
 * @func: function concerned, or ~0
 * @core: core concerned, or ~0
 * @claim: pto_runtime.fatal_claim of the run concerned, for observers that may be late;
 *	PTO_CLAIM_CLOSED: the current run
 * @task: task concerned, or PTO_NO_TASK
 */
struct pto_fatal_at {
	uint32_t subcode;
	uint32_t func;
	uint32_t core;
	uint32_t claim;
	uint64_t task;
};

const char *pto_rt_fatal_name(uint32_t code);
const char *pto_rt_fatal_hint(uint32_t code, uint32_t subcode);
const char *pto_rt_graph_hint(uint32_t code, uint32_t subcode);
void pto_rt_open(struct pto_runtime *rt);
uint32_t pto_rt_close(struct pto_runtime *rt);
__attribute__((format(printf, 4, 5)))
bool pto_rt_fatal_at(struct pto_runtime *rt, uint32_t code, const struct pto_fatal_at *at,
		     const char *fmt, ...);
__attribute__((format(printf, 5, 6)))
bool pto_rt_fatal(struct pto_runtime *rt, uint32_t code, uint32_t subcode, uint64_t task,
		  const char *fmt, ...);
void pto_rt_abort(struct pto_runtime *rt);
bool pto_rt_vfatal(struct pto_runtime *rt, uint32_t code, uint32_t subcode, uint64_t task,
		   const char *fmt, va_list ap);

#endif /* PTO_RUNTIME_H */
