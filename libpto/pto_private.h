/* SPDX-License-Identifier: MIT */
/*
 * libpto's inside: the objects behind the handles of pto/pto.h.
 *
 * Ownership: a context owns its buffers and streams, a stream its run handles and staging
 * segments. pto_close() frees all of them. Callables and argument lists belong to the
 * application and know no context.
 *
 * Locks: pto_stream.lock (all of a stream, held over a wait) before pto_context.lock (the
 * context's lists, its arena ids and lazy mappings; never held over a wait for a run).
 */
#ifndef PTO_PRIVATE_H
#define PTO_PRIVATE_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/pto_device.h>
#include <pto/orch.h>
#include <pto/pto.h>

#define PTO_API __attribute__((visibility("default")))
#define PTO_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Keeps errno as it was over a function that calls the C library. */
#define PTO_KEEP_ERRNO \
	int kept_errno_ __attribute__((cleanup(pto_restore_errno), unused)) = errno

static inline void pto_restore_errno(const int *saved)
{
	errno = *saved;
}

#define PTO_STAGE_ALIGN		64	/* of an argument block in the staging memory */
#define PTO_STAGE_DATA_ALIGN	1024	/* of a tensor's data in it */
#define PTO_LOG_SIZE		256	/* of the device's explanation of a failure */
#define PTO_ARENA_IDS		8	/* ring configurations whose arena a context remembers */

/* Ring sizes of a driver that does not say what its defaults are (struct pto_device_info). */
#define PTO_DEFAULT_TASK_WINDOW	16384ull
#define PTO_DEFAULT_HEAP	(256ull << 20)
#define PTO_DEFAULT_DEP_POOL	16384ull

/* --- context ---------------------------------------------------------------- */

/**
 * struct pto_arena_id - the driver's name for the arena of a ring configuration
 * @rings: the configuration
 * @id: its arena; 0 if this entry is free
 */
struct pto_arena_id {
	struct pto_ring_config rings;
	uint32_t id;
};

/**
 * struct pto_timeouts - how long a run may take, in nanoseconds; 0: nobody has said
 * @sched: without anything moving in it
 * @op: for one kernel
 * @stream: as a whole
 */
struct pto_timeouts {
	uint64_t sched;
	uint64_t op;
	uint64_t stream;
};

/**
 * struct pto_context - an open device
 * @fd: the device
 * @serial: number of the context in this process, never 0; key of the error texts
 * @alive: a page that reads as zero in a forked child (MADV_WIPEONFORK)
 * @path: device node
 * @info: what the device is
 * @env_rings: ring sizes from the environment, 0 where it says nothing
 * @env_timeouts: time-outs from the environment
 * @longest_sched: longest time-out of a scheduler that a run had; atomic
 * @closing: pto_close() has begun; atomic
 * @users: calls that pto_close() waits for; atomic
 * @lock: guards the fields below
 * @buffers: all buffers
 * @streams: all streams, the default one included
 * @default_stream: lives as long as the context
 * @arenas: latest ring configurations
 * @next_arena: entry of @arenas to use next
 * @host: orchestrations of kind HOST_GRAPH by cid, NULL elsewhere; also read without the lock
 */
struct pto_context {
	int fd;
	unsigned int serial;
	uint32_t *alive;
	char path[64];
	struct pto_device_info info;
	struct pto_ring_config env_rings;
	struct pto_timeouts env_timeouts;
	uint64_t longest_sched;
	uint32_t closing;
	uint32_t users;
	pthread_mutex_t lock;
	struct pto_buffer *buffers;
	struct pto_stream *streams;
	struct pto_stream *default_stream;
	struct pto_arena_id arenas[PTO_ARENA_IDS];
	unsigned int next_arena;
	struct pto_host_orch *host[PTO_MAX_CALLABLES];
};

/* True in a process that inherited the context by fork(). No system call. */
static inline bool pto_forked(const struct pto_context *ctx)
{
	return !__atomic_load_n(ctx->alive, __ATOMIC_RELAXED);
}

/* pto_check() - what every entry does first: 0, or -ENODEV with a text after fork(). */
int pto_check(const struct pto_context *ctx);

/*
 * pto_enter() - pto_check() for a call that may wait: -ENODEV once pto_close() has begun, which
 * otherwise waits for pto_leave(). pto_wait() holds its handle's slot instead, and who has the
 * lock of a stream need not.
 */
int pto_enter(struct pto_context *ctx);
void pto_leave(struct pto_context *ctx);

/* pto_closing() - what a call that has waited ends with: 0, or -ENODEV and a text */
int pto_closing(const struct pto_context *ctx);

/* pto_ioctl() - ioctl that starts again after a signal. Return: 0 or a negative errno. */
int pto_ioctl(const struct pto_context *ctx, unsigned long cmd, void *arg);

/* pto_ioctl_once() - the same, but a signal is -EINTR. */
int pto_ioctl_once(const struct pto_context *ctx, unsigned long cmd, void *arg);

/* pto_query_fd() - PTO_QUERY on a bare descriptor; @answer is zeroed first. */
int pto_query_fd(int fd, uint32_t item, void *answer, size_t bytes);

struct pto_run_handle;

/* --- error texts ------------------------------------------------------------ */

/* pto_fail() - set the thread's text for @ctx. Return: @rc. Does not allocate. */
int pto_fail(const struct pto_context *ctx, int rc, const char *fmt, ...) PTO_PRINTF(3, 4);

/* pto_fail_open(), pto_fail_callable() - the same for what has no context. */
int pto_fail_open(int rc, const char *fmt, ...) PTO_PRINTF(2, 3);
int pto_fail_callable(int rc, const char *fmt, ...) PTO_PRINTF(2, 3);

/*
 * pto_fail_room() - pto_fail() with -ENOMEM: what there is no room for, its bytes unless they
 * are 0, and how much of the device's memory is in use
 */
int pto_fail_room(struct pto_context *ctx, const char *what, uint64_t bytes);

/* pto_fail_run() - pto_fail() with what is known of a run that failed. */
int pto_fail_run(struct pto_context *ctx, const struct pto_run_handle *run);

/* pto_errno_name() - "ENOENT" for -ENOENT; never NULL. */
const char *pto_errno_name(int rc);

/* pto_open_reason() - why opening @path failed with @rc and what to do, into @text. */
void pto_open_reason(const char *path, int rc, char *text, size_t size);

/* --- buffers ---------------------------------------------------------------- */

/**
 * struct pto_buffer - a buffer object
 * @ctx: its context
 * @prev: in pto_context.buffers
 * @next: in pto_context.buffers
 * @id: driver's id
 * @size: bytes, whole pages
 * @device_addr: address on the device
 * @mmap_offset: for mmap()
 * @map: where it is mapped, or NULL; set once, under pto_context.lock
 */
struct pto_buffer {
	struct pto_context *ctx;
	struct pto_buffer *prev;
	struct pto_buffer *next;
	uint32_t id;
	size_t size;
	uint64_t device_addr;
	uint64_t mmap_offset;
	void *map;
};

/* --- objects and callables ---------------------------------------------------- */

/**
 * struct pto_object - an ELF object in memory
 * @data: its bytes
 * @bytes: how many
 * @name: for messages
 * @info: what is in it
 */
struct pto_object {
	void *data;
	size_t bytes;
	char name[96];
	struct pto_object_info info;
};

typedef int (*pto_symbol_fn)(const char *name, void *arg);

/* pto_object_read() - read and check a file. On failure a text in @error, @obj is empty. */
int pto_object_read(struct pto_object *obj, const char *path, char *error, size_t size);

/* pto_object_copy() - the same from memory. */
int pto_object_copy(struct pto_object *obj, const void *data, size_t bytes, const char *name,
		    char *error, size_t size);

/* pto_object_symbols() - call @fn for each defined function of a checked object. */
int pto_object_symbols(const struct pto_object *obj, pto_symbol_fn fn, void *arg);

/* pto_object_drop() - free the bytes. */
void pto_object_drop(struct pto_object *obj);

/**
 * struct pto_callable_kernel - a kernel of a callable
 * @func_id: its number in the callable
 * @core_type: PTO_CORE_*
 * @object: its code
 */
struct pto_callable_kernel {
	uint32_t func_id;
	uint32_t core_type;
	struct pto_object object;
};

/**
 * struct pto_callable - an orchestration object and its kernels
 * @orch: the orchestration
 * @kind: PTO_KIND_*
 * @entry: entry symbol, empty for the default
 * @config: configuration symbol, empty for the default
 * @kernels: array of @kernel_count, room for @kernel_room
 * @kernel_count: kernels
 * @kernel_room: size of the array
 */
struct pto_callable {
	struct pto_object orch;
	uint32_t kind;
	char entry[PTO_SYMBOL_MAX];
	char config[PTO_SYMBOL_MAX];
	struct pto_callable_kernel *kernels;
	uint32_t kernel_count;
	uint32_t kernel_room;
};

/* --- orchestrations of kind HOST_GRAPH ------------------------------------------ */

/**
 * struct pto_host_orch - an orchestration that runs in this process
 * @refs: pto_context.host, and runs that execute it; guarded by pto_context.lock
 * @generation: of the driver's slot, so that a run does not meet another callable there
 * @handle: the object
 * @entry: its entry
 * @config: its configuration function, or NULL
 * @core_types: PTO_CORE_* of the callable's kernels by func_id, -1 where there is none
 * @lock: held while @entry or @config executes: runs of one cid do so one after the other, as
 *	on the device. Taken with the lock of the run's stream held, before pto_context.lock
 *
 * Unloaded with the last reference: an unprepare does not take the code from under a thread
 * that executes it.
 */
struct pto_host_orch {
	unsigned int refs;
	uint32_t generation;
	void *handle;
	pto_orch_entry_fn entry;
	pto_orch_config_fn config;
	int8_t core_types[PTO_MAX_FUNC_ID];
	pthread_mutex_t lock;
};

/* pto_host_load() - load a callable's orchestration. Return: 0; -ENOEXEC, -ENOMEM. */
int pto_host_load(struct pto_context *ctx, const struct pto_callable *callable,
		  struct pto_host_orch **out);

/* pto_host_get() - the orchestration of a cid, with a reference; NULL: it is not here. */
struct pto_host_orch *pto_host_get(struct pto_context *ctx, int cid);
void pto_host_put(struct pto_context *ctx, struct pto_host_orch *orch);

/* pto_host_set() - @orch, or NULL, is what a cid has now; takes the reference over. */
void pto_host_set(struct pto_context *ctx, int cid, struct pto_host_orch *orch);

/* pto_host_clear() - a cid has been emptied of @orch, if it still has that. */
void pto_host_clear(struct pto_context *ctx, int cid, struct pto_host_orch *orch);

/* pto_host_close() - unload all; no thread uses the context any more. */
void pto_host_close(struct pto_context *ctx);

/* --- arguments ---------------------------------------------------------------- */

/**
 * struct pto_arg_slot - host memory that a run stages; tensors of one memory share a slot
 * @host: the memory
 * @bytes: how many
 * @offset: where it lies in the run's staged data, a multiple of PTO_STAGE_DATA_ALIGN
 * @direction: PTO_IN, PTO_OUT or PTO_INOUT
 */
struct pto_arg_slot {
	void *host;
	uint64_t bytes;
	uint64_t offset;
	int direction;
};

#define PTO_NO_SLOT UINT32_MAX

/**
 * struct pto_arg_tensor - a tensor argument
 * @desc: as the device sees it; the address of a staged one is filled in at submit
 * @slot: index of its memory in pto_args.slots, or PTO_NO_SLOT for device memory
 */
struct pto_arg_tensor {
	struct pto_tensor desc;
	uint32_t slot;
};

/**
 * struct pto_args - an argument list; a submit only reads it
 * @tensors: array of @tensor_count, room for @tensor_room
 * @slots: array of @slot_count, room for @tensor_room
 * @tensor_count: tensors
 * @slot_count: pieces of host memory
 * @tensor_room: size of both arrays
 * @scalar_count: scalars
 * @output_count: slots that are copied back
 * @data_bytes: staged data of all slots
 * @scalars: scalars
 */
struct pto_args {
	struct pto_arg_tensor *tensors;
	struct pto_arg_slot *slots;
	uint32_t tensor_count;
	uint32_t slot_count;
	uint32_t tensor_room;
	uint32_t scalar_count;
	uint32_t output_count;
	uint64_t data_bytes;
	uint64_t scalars[PTO_RUN_MAX_SCALARS];
};

/* --- staging ------------------------------------------------------------------ */

struct pto_segment;

/**
 * struct pto_staging - staging memory for one of the things that a stream's runs bring
 * @ctx: the context
 * @segment: current memory, or NULL
 * @limit: it does not grow beyond this merely to have more runs in flight
 */
struct pto_staging {
	struct pto_context *ctx;
	struct pto_segment *segment;
	uint64_t limit;
};

/**
 * struct pto_segment - staging memory: a ring of chunks, one a run
 * @staging: whose it is
 * @buffer: the memory, mapped
 * @head: first free byte
 * @tail: first byte of the oldest chunk
 * @users: runs that have a chunk and have not been reaped
 *
 * Chunks are given back in the order in which they were taken. Allocations are made from
 * the current segment; one that has been replaced by a bigger one goes with its last run.
 */
struct pto_segment {
	struct pto_staging *staging;
	struct pto_buffer *buffer;
	uint64_t head;
	uint64_t tail;
	uint64_t users;
};

/**
 * struct pto_chunk - a run's part of a segment
 * @segment: the segment, or NULL if the run has no arguments
 * @start: first byte
 * @end: first byte behind
 * @prev_head: the segment's head before, to take the allocation back
 */
struct pto_chunk {
	struct pto_segment *segment;
	uint64_t start;
	uint64_t end;
	uint64_t prev_head;
};

/* pto_stage_size() - bytes of staging memory that a run with @args takes; 0 for none. */
uint64_t pto_stage_size(const struct pto_args *args);

/* pto_stage_alloc() - room for @bytes. -EAGAIN: none before an older run is reaped. */
int pto_stage_alloc(struct pto_staging *staging, uint64_t bytes, struct pto_chunk *chunk);

/* pto_stage_cancel() - take the latest allocation back. */
void pto_stage_cancel(struct pto_chunk *chunk);

/* pto_stage_release() - give the oldest chunk back. */
void pto_stage_release(struct pto_chunk *chunk);

/* pto_stage_fill() - write arguments and input data, note the outputs in @run. */
void pto_stage_fill(const struct pto_args *args, struct pto_run_handle *run);

/* pto_stage_drop() - free the current segment; no run uses it. */
void pto_stage_drop(struct pto_staging *staging);

/* --- graphs ------------------------------------------------------------------- */

/*
 * pto_graph_build() - execute a run's orchestration, its arguments are staged
 *
 * Return: 0: the stream's graph is the run's; 1: it failed, and the run has its result; or
 * a negative errno.
 */
int pto_graph_build(struct pto_run_handle *run, struct pto_host_orch *orch,
		    const struct pto_ring_config *rings);

/* pto_graph_bytes(), pto_graph_copy() - size of the stream's graph, and the graph. */
uint64_t pto_graph_bytes(const struct pto_stream *stream);
void pto_graph_copy(const struct pto_stream *stream, void *to);

/* pto_graph_drop() - free what the stream built graphs with. */
void pto_graph_drop(struct pto_stream *stream);

/* --- runs and streams ----------------------------------------------------------- */

/**
 * struct pto_output - staged data to be copied back
 * @host: destination
 * @staged: source
 * @bytes: how many
 */
struct pto_output {
	void *host;
	const void *staged;
	uint64_t bytes;
};

/* States of a run handle. */
#define PTO_RUN_FREE		0	/* in pto_stream.free */
#define PTO_RUN_FLYING		1	/* submitted, in pto_stream.oldest ... newest */
#define PTO_RUN_ENDED		2	/* its result has been read, its owner not told yet */

/**
 * struct pto_run_handle - a run; reused, and freed with its stream
 * @stream: its stream
 * @next: in the list of its state
 * @all: in pto_stream.handles
 * @state: PTO_RUN_*
 * @cid: what runs, for messages
 * @slot: its place in the table of handles (handle.c)
 * @detached: nobody will wait for it
 * @bound_ns: how long the device lets it be; without a bound of its own, unless it moves
 * @chunk: its staging memory while it flies
 * @graph: staging memory of its graph, if it has one
 * @outputs: array of @output_count, room for @output_room
 * @output_count: what to copy back
 * @output_room: size of the array
 * @result: valid once it has ended
 * @log: the device's explanation if it has failed
 */
struct pto_run_handle {
	struct pto_stream *stream;
	struct pto_run_handle *next;
	struct pto_run_handle *all;
	int state;
	int cid;
	uint32_t slot;
	bool detached;
	uint64_t bound_ns;
	struct pto_chunk chunk;
	struct pto_chunk graph;
	struct pto_output *outputs;
	uint32_t output_count;
	uint32_t output_room;
	struct pto_result result;
	char log[PTO_LOG_SIZE];
};

/**
 * struct pto_answer - a wait for a run
 * @wait: the ioctl's argument
 * @log: the device's explanation if the run has failed
 * @rc: what came of the wait; -ETIMEDOUT also if there was none yet
 */
struct pto_answer {
	struct pto_wait wait;
	char log[PTO_LOG_SIZE];
	int rc;
};

/**
 * struct pto_stream - a stream
 * @ctx: its context
 * @prev: in pto_context.streams
 * @next: in pto_context.streams
 * @id: driver's id
 * @lock: guards the fields below; held while a thread waits for a run
 * @oldest: runs in flight, in order
 * @newest: end of that list
 * @flying: how many
 * @answer: in pto_run(): for the wait that its PTO_RUN does as well; else NULL
 * @result_ns: when a result came last, or the stream was made
 * @free: handles to use again, latest first
 * @handles: all handles
 * @staging: for arguments and host tensors
 * @graphs: for graphs
 * @builder: what builds those, or NULL
 */
struct pto_stream {
	struct pto_context *ctx;
	struct pto_stream *prev;
	struct pto_stream *next;
	uint32_t id;
	pthread_mutex_t lock;
	struct pto_run_handle *oldest;
	struct pto_run_handle *newest;
	uint32_t flying;
	struct pto_answer *answer;
	uint64_t result_ns;
	struct pto_run_handle *free;
	struct pto_run_handle *handles;
	struct pto_staging staging;
	struct pto_staging graphs;
	struct pto_builder *builder;
};

/* pto_stream_new() - the library's side of the driver's stream @id. */
int pto_stream_new(struct pto_context *ctx, uint32_t id, struct pto_stream **out);

/* pto_stream_drop() - free it; no run of it flies, or nobody cares any more. */
void pto_stream_drop(struct pto_stream *stream);

/* pto_reap() - wait for the oldest run, copy its outputs back. @deadline: absolute. */
int pto_reap(struct pto_stream *stream, uint64_t deadline);

/* pto_run_get(), pto_run_put() - handles from the stream's pool and back. */
struct pto_run_handle *pto_run_get(struct pto_stream *stream, uint32_t outputs);
void pto_run_put(struct pto_run_handle *run);

/* pto_handle_claim(), pto_handle_release() - a run's slot in the table of handles, and its end. */
bool pto_handle_claim(struct pto_run_handle *run);
void pto_handle_release(const struct pto_run_handle *run, bool forked);

/* pto_handle_of() - what the application gets for @run; pto_handle_is(): has it got that? */
struct pto_run_handle *pto_handle_of(const struct pto_run_handle *run);
bool pto_handle_is(const struct pto_run_handle *handle, const struct pto_run_handle *run);

/* pto_handle_hold() - the run of a handle, or NULL; not freed before pto_handle_let_go(). */
struct pto_run_handle *pto_handle_hold(const struct pto_run_handle *handle);
void pto_handle_let_go(uint32_t slot);

/* pto_handle_use_up() - the handles of @run are over; under its stream's lock */
void pto_handle_use_up(const struct pto_run_handle *run);

/* pto_handle_held() - is there a thread that holds the slot of @run? */
bool pto_handle_held(const struct pto_run_handle *run);

/* pto_now() - CLOCK_MONOTONIC in nanoseconds */
uint64_t pto_now(void);

/* pto_deadline() - absolute time of a relative one; PTO_FOREVER stays. */
uint64_t pto_deadline(uint64_t timeout_ns);

/* --- ring configuration --------------------------------------------------------- */

/*
 * pto_rings_from_env() - read the environment. -EINVAL, and a text in @error, for a value that is
 * no size or beyond its limit; -EOVERFLOW for sizes of 2^64 or more, alone or together.
 */
int pto_rings_from_env(struct pto_ring_config *rings, char *error, size_t size);

/* pto_rings_prewarm_env() - build the arenas that $PTO_PREWARM names. */
int pto_rings_prewarm_env(struct pto_context *ctx, char *error, size_t size);

/* pto_rings_arena() - the arena for @rings (or NULL) over the environment; 0: default. */
int pto_rings_arena(struct pto_context *ctx, const struct pto_ring_config *rings,
		    uint32_t *arena);

/* pto_rings_resolve() - what a run with @rings (or NULL) has; no zeros. */
void pto_rings_resolve(const struct pto_context *ctx, const struct pto_ring_config *rings,
		       struct pto_ring_config *out);

/* pto_rings_forget() - the driver does not know this arena any more. */
void pto_rings_forget(struct pto_context *ctx, uint32_t arena);

/* --- time-outs ------------------------------------------------------------------ */

/*
 * pto_timeouts_from_env() - read the environment; the device has been asked. -EINVAL, and a
 * text in @error, for a value that is none and for an order that makes no sense.
 */
int pto_timeouts_from_env(struct pto_context *ctx, char *error, size_t size);

/* pto_timeouts_resolve() - @own over the environment, 0 where neither says anything. */
int pto_timeouts_resolve(const struct pto_context *ctx, const struct pto_timeouts *own,
			 struct pto_timeouts *out, char *error, size_t size);

/* pto_answer_expect() - note how long the device may take over a run. */
void pto_answer_expect(struct pto_run_handle *run, const struct pto_timeouts *timeouts);

/* pto_answer_deadline() - until when to wait for the oldest run before asking what is wrong. */
uint64_t pto_answer_deadline(const struct pto_run_handle *run);

/*
 * pto_reap_answer() - pto_reap() without a deadline, as long as the device can be expected
 * to answer; then -ETIMEDOUT and a text. There is a run in flight.
 */
int pto_reap_answer(struct pto_stream *stream);

#endif /* PTO_PRIVATE_H */
