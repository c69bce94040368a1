/* SPDX-License-Identifier: MIT */
/*
 * libpto's internals: the objects behind the handles of pto/pto.h.
 *
 * Ownership: a context owns its buffers and streams, a stream its run handles and staging
 * segments. pto_close() frees all of them. Callables and argument lists belong to the
 * application, and do not refer to a context.
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

#include "runtime/thread_exit.h"

#define PTO_API __attribute__((visibility("default")))
#define PTO_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Preserves errno in a function that calls the C library. */
#define PTO_KEEP_ERRNO \
	int kept_errno_ __attribute__((cleanup(pto_restore_errno), unused)) = errno

static inline void pto_restore_errno(const int *saved)
{
	errno = *saved;
}

#define PTO_STAGE_ALIGN		64	/* of an argument block in the staging memory */
#define PTO_STAGE_DATA_ALIGN	1024	/* of a tensor's data in it */
#define PTO_LOG_SIZE		256	/* of the device's explanation of a failure */
#define PTO_ARENA_IDS		8	/* arenas whose id a context keeps */

/* Default ring sizes if the driver does not report any (struct pto_device_info). */
#define PTO_DEFAULT_TASK_WINDOW	16384ull
#define PTO_DEFAULT_HEAP	(256ull << 20)
#define PTO_DEFAULT_DEP_POOL	16384ull

/* --- the life of an object ------------------------------------------------------ */

enum pto_type {
	PTO_TYPE_CONTEXT,
	PTO_TYPE_STREAM,
	PTO_TYPE_BUFFER,
	PTO_TYPE_CALLABLE,
	PTO_TYPE_ARGS,
	PTO_TYPES
};

#define PTO_FREED_KEPT	32	/* freed objects of each type whose memory is kept */
#define PTO_LIVE(type)	(0x50544f10u + (type))
#define PTO_FREED(type)	(0xfeeedf10u + (type))

/* pto_lives() - has an object not been freed? @state: its state */
static inline bool pto_lives(const uint32_t *state, enum pto_type type)
{
	return __atomic_load_n(state, __ATOMIC_ACQUIRE) == PTO_LIVE(type);
}

/* pto_end_life() - mark it as freed. Return: false if it has been freed already */
static inline bool pto_end_life(uint32_t *state, enum pto_type type)
{
	uint32_t live = PTO_LIVE(type);

	return __atomic_compare_exchange_n(state, &live, PTO_FREED(type), false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* pto_retire() - free an object that is marked as freed, after PTO_FREED_KEPT others of its type */
void pto_retire(void *object, enum pto_type type);

/* --- context ---------------------------------------------------------------- */

/**
 * struct pto_arena_id - the driver's id for the arena of a ring configuration
 * @rings: the configuration
 * @id: its arena; 0 if this entry is free
 * @last_use: value of the context's @arena_uses then; 0 if this entry is free
 */
struct pto_arena_id {
	struct pto_ring_config rings;
	uint32_t id;
	uint64_t last_use;
};

/**
 * struct pto_timeouts - bounds of a run, in nanoseconds; 0: none is given
 * @sched: time without progress
 * @op: duration of one kernel
 * @stream: duration of the run
 */
struct pto_timeouts {
	uint64_t sched;
	uint64_t op;
	uint64_t stream;
};

/**
 * struct pto_context - an open device
 * @state: PTO_LIVE() or PTO_FREED(); atomic
 * @fd: the device
 * @serial: number of the context in this process, never 0; key of the error texts
 * @alive: a page that reads as zero in a forked child (MADV_WIPEONFORK)
 * @path: device node
 * @info: the device's properties
 * @env_rings: ring sizes from the environment, 0 where it has none
 * @env_timeouts: time-outs from the environment
 * @longest_sched: longest scheduler time-out of any run so far; atomic
 * @closing: pto_close() has begun; stays so when it has ended; atomic
 * @users: calls that pto_close() waits for; atomic
 * @lock: guards the fields below
 * @buffers: all buffers
 * @streams: all streams, the default one included
 * @default_stream: lives as long as the context
 * @arenas: ids of the arenas used last
 * @arena_uses: number of uses of these ids
 * @log: gets lines of the log, or NULL
 * @log_arg: handed to it
 * @host: orchestrations of kind HOST_GRAPH by cid, NULL elsewhere; also read without the lock
 */
struct pto_context {
	uint32_t state;
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
	uint64_t arena_uses;
	pto_log_fn log;
	void *log_arg;
	struct pto_host_orch *host[PTO_MAX_CALLABLES];
};

/* True in a process that inherited the context by fork(). No system call. */
static inline bool pto_forked(const struct pto_context *ctx)
{
	return !__atomic_load_n(ctx->alive, __ATOMIC_RELAXED);
}

/*
 * pto_enter() - the first step of every call. -EBADF: @ctx is closed; -ENODEV: pto_close() has
 * begun, or this is a forked child. On success, pto_close() waits for pto_leave(). Not needed by
 * pto_wait(), which holds the slot of its handle, nor by a thread that is a user of a stream or
 * has its lock.
 */
int pto_enter(struct pto_context *ctx);
void pto_leave(struct pto_context *ctx);

/* pto_end() - pto_leave(). Return: @rc, or -ENODEV if pto_close() has begun meanwhile */
int pto_end(struct pto_context *ctx, int rc);

/* pto_check() - 0, or -ENODEV with a text after fork(); @ctx is not closed meanwhile */
int pto_check(const struct pto_context *ctx);

/* pto_closing() - check after a wait: 0, or -ENODEV and a text if pto_close() has begun */
int pto_closing(const struct pto_context *ctx);

/* pto_await_users() - wait until no other thread uses @stream */
void pto_await_users(struct pto_context *ctx, struct pto_stream *stream);

/* pto_ioctl() - ioctl that is repeated after a signal. Return: 0 or a negative errno. */
int pto_ioctl(const struct pto_context *ctx, unsigned long cmd, void *arg);

/* pto_ioctl_once() - ioctl that returns -EINTR after a signal. */
int pto_ioctl_once(const struct pto_context *ctx, unsigned long cmd, void *arg);

/* pto_query_fd() - PTO_QUERY on a bare descriptor; @answer is zeroed first. */
int pto_query_fd(int fd, uint32_t item, void *answer, size_t bytes);

struct pto_run_handle;

/* --- error texts ------------------------------------------------------------ */

/* pto_fail() - set the thread's text for @ctx. Return: @rc. Does not allocate. */
int pto_fail(const struct pto_context *ctx, int rc, const char *fmt, ...) PTO_PRINTF(3, 4);

/*
 * pto_fail_freed() - -EBADF, and a text that says that @what has been freed. @serial: of the
 * context, which may have been closed
 */
int pto_fail_freed(unsigned int serial, const char *what);

/* pto_log_line() - a line for the function of pto_set_log(), or for standard error */
void pto_log_line(struct pto_context *ctx, uint32_t level, const char *from, const char *text);

/* pto_fail_open(), pto_fail_callable() - the same for failures without a context. */
int pto_fail_open(int rc, const char *fmt, ...) PTO_PRINTF(2, 3);
int pto_fail_callable(int rc, const char *fmt, ...) PTO_PRINTF(2, 3);

/*
 * pto_fail_room() - pto_fail() with -ENOMEM. The text names @what, @bytes unless they are 0, and
 * how much of the device's memory is in use.
 */
int pto_fail_room(struct pto_context *ctx, const char *what, uint64_t bytes);

/*
 * pto_text_begin(), pto_text_end() - between them, the calling thread does what @rc came of. @text:
 * of PTO_TEXT_SIZE bytes; gets what was said about a failure with any context, or its errno's name.
 */
void pto_text_begin(void);

/* pto_fail_nowhere() - the same as pto_fail() for what has no context; @text: a constant */
int pto_fail_nowhere(int rc, const char *text);
void pto_text_end(char *text, int rc);

/* pto_fail_run() - pto_fail() for a run that failed. */
int pto_fail_run(struct pto_context *ctx, const struct pto_run_handle *run);

/* pto_errno_name() - "ENOENT" for -ENOENT; never NULL. */
const char *pto_errno_name(int rc);

/*
 * pto_open_node() - open @path and query what it is. Return: a descriptor, or a negative errno;
 * @reason then says which call failed, why, and the remedy.
 */
int pto_open_node(const char *path, struct pto_device_info *info, char *reason, size_t size);

/* --- structs of other versions ------------------------------------------------ */

/*
 * pto_give() - fill a caller's struct of @to_size bytes, the unknown ones with 0; @to may be NULL
 */
void pto_give(void *to, size_t to_size, const void *from, size_t from_size);

/*
 * pto_take() - read a caller's struct; fields that it does not have become 0. -EINVAL: it is
 * shorter than its first version, of @least bytes; -E2BIG: an unknown field in it is not 0.
 */
int pto_take(void *to, size_t to_size, const void *from, size_t from_size, size_t least);

/* pto_take_rings() - the same for ring sizes, with an error text; @size 0: the first version */
int pto_take_rings(const struct pto_context *ctx, const struct pto_ring_config *rings, size_t size,
		   struct pto_ring_config *out);

/* --- buffers ---------------------------------------------------------------- */

/**
 * struct pto_buffer - a buffer object
 * @state: PTO_LIVE() or PTO_FREED(); atomic
 * @serial: of its context
 * @ctx: its context
 * @prev: in pto_context.buffers
 * @next: in pto_context.buffers
 * @id: driver's id
 * @size: bytes, whole pages
 * @device_addr: address on the device
 * @mmap_offset: for mmap()
 * @map: address of its mapping, or NULL; set once, under pto_context.lock
 */
struct pto_buffer {
	uint32_t state;
	unsigned int serial;
	struct pto_context *ctx;
	struct pto_buffer *prev;
	struct pto_buffer *next;
	uint32_t id;
	size_t size;
	uint64_t device_addr;
	uint64_t mmap_offset;
	void *map;
};

/* pto_buffer_drop() - free a buffer that the application does not know, or while closing */
void pto_buffer_drop(struct pto_buffer *buf);

/* --- objects and callables ---------------------------------------------------- */

/**
 * struct pto_object - an ELF object in memory
 * @data: its bytes
 * @bytes: number of bytes
 * @name: its file's name, for messages
 * @path: the path that the application gave, for messages about this object; the end of it, after
 *	an ellipsis, if it is long
 * @info: its properties
 */
struct pto_object {
	void *data;
	size_t bytes;
	char name[96];
	char path[256];
	struct pto_object_info info;
};

typedef int (*pto_symbol_fn)(const char *name, void *arg);

/* pto_object_read() - read and check a file. On failure @error has a text, and @obj is empty. */
int pto_object_read(struct pto_object *obj, const char *path, char *error, size_t size);

/* pto_object_copy() - pto_object_read() from memory. */
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
 * @state: PTO_LIVE() or PTO_FREED(); atomic
 * @orch: the orchestration
 * @kind: PTO_KIND_*
 * @entry: entry symbol, empty for the default
 * @config: configuration symbol, empty for the default
 * @kernels: array of @kernel_count, room for @kernel_room
 * @kernel_count: kernels
 * @kernel_room: size of the array
 */
struct pto_callable {
	uint32_t state;
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
 * @refs: one of pto_context.host, and those of runs that execute it; guarded by pto_context.lock
 * @generation: generation of the driver's slot: runs name it, so that they cannot get another
 *	callable there
 * @name: name of its object
 * @label: what it is, for the report of a crash of its functions
 * @handle: the object
 * @entry: its entry
 * @config: its configuration function, or NULL
 * @core_types: PTO_CORE_* of the callable's kernels by func_id, -1 where there is none
 * @lock: held while @entry or @config executes, so that runs of one cid execute one after the
 *	other, as on the device. Taken with the lock of the run's stream held, before
 *	pto_context.lock
 * @retired: the range of its code, for destructors of threads; its end is 0 if there are none
 *
 * The last reference unloads it, so an unprepare does not unload code that a thread executes.
 */
struct pto_host_orch {
	unsigned int refs;
	uint32_t generation;
	char name[96];
	char label[160];
	void *handle;
	pto_orch_entry_fn entry;
	pto_orch_config_fn config;
	int8_t core_types[PTO_MAX_FUNC_ID];
	pthread_mutex_t lock;
	struct pto_retired retired;
};

/* Of the simulator, if it is in this process: the code @what begins; NULL: it has ended. */
PTO_API extern void pto_sim_host_code(const char *what) __attribute__((weak));

/* To be called around code of a callable, so that the report of a crash can say where it was. */
static inline void pto_host_code(const char *what)
{
	if (pto_sim_host_code)
		pto_sim_host_code(what);
}

/*
 * Of the simulator: which call of its own is to blame for it that open() has failed with @error in
 * this thread, and the errno of that call; NULL if none is.
 */
PTO_API extern const char *pto_sim_refused(int error, int *why) __attribute__((weak));

/* pto_host_load() - load a callable's orchestration. Return: 0; -ENOEXEC, -ENOMEM. */
int pto_host_load(struct pto_context *ctx, const struct pto_callable *callable,
		  struct pto_host_orch **out);

/* pto_host_get() - the orchestration of a cid, with a reference; NULL if the cid has none. */
struct pto_host_orch *pto_host_get(struct pto_context *ctx, int cid);
void pto_host_put(struct pto_context *ctx, struct pto_host_orch *orch);

/* pto_host_set() - set the orchestration of a cid to @orch or NULL; takes over its reference. */
void pto_host_set(struct pto_context *ctx, int cid, struct pto_host_orch *orch);

/* pto_host_clear() - remove @orch from a cid, if the cid still has it. */
void pto_host_clear(struct pto_context *ctx, int cid, struct pto_host_orch *orch);

/* pto_host_close() - unload all orchestrations; no thread uses the context. */
void pto_host_close(struct pto_context *ctx);

/* --- arguments ---------------------------------------------------------------- */

/**
 * struct pto_arg_slot - host memory that a run stages; tensors of one memory share a slot
 * @host: the memory
 * @bytes: number of bytes
 * @offset: offset in the run's staged data, a multiple of PTO_STAGE_DATA_ALIGN
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
 * @state: PTO_LIVE() or PTO_FREED(); atomic
 * @tensors: array of @tensor_count, room for @tensor_room
 * @slots: array of @slot_count, room for @tensor_room
 * @tensor_count: tensors
 * @slot_count: pieces of host memory
 * @tensor_room: size of both arrays
 * @scalar_count: scalars
 * @output_count: slots that are copied back
 * @data_bytes: staged data of all slots
 * @error: of the first pto_args_add_*() that failed, or 0
 * @reason: why, in words
 * @scalars: scalars
 */
struct pto_args {
	struct pto_arg_tensor *tensors;
	struct pto_arg_slot *slots;
	uint32_t state;
	uint32_t tensor_count;
	uint32_t slot_count;
	uint32_t tensor_room;
	uint32_t scalar_count;
	uint32_t output_count;
	uint64_t data_bytes;
	int error;
	char reason[160];
	uint64_t scalars[PTO_RUN_MAX_SCALARS];
};

/* --- staging ------------------------------------------------------------------ */

struct pto_segment;

/**
 * struct pto_staging - staging memory for the arguments, or for the graphs, of a stream's runs
 * @ctx: the context
 * @segment: current memory, or NULL
 * @limit: the segment does not grow beyond this only to have more runs in flight
 */
struct pto_staging {
	struct pto_context *ctx;
	struct pto_segment *segment;
	uint64_t limit;
};

/**
 * struct pto_segment - staging memory: a ring of chunks, one a run
 * @staging: its owner
 * @buffer: the memory, mapped
 * @head: first free byte
 * @tail: first byte of the oldest chunk
 * @users: runs that have a chunk and have not been reaped
 *
 * Chunks are released in the order in which they were allocated. Allocations use the current
 * segment. A segment that has been replaced by a larger one is freed with its last run.
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
 * @prev_head: the segment's head before, for pto_stage_cancel()
 */
struct pto_chunk {
	struct pto_segment *segment;
	uint64_t start;
	uint64_t end;
	uint64_t prev_head;
};

/* pto_stage_size() - bytes of staging memory that a run with @args takes; 0 for none. */
uint64_t pto_stage_size(const struct pto_args *args);

/* pto_stage_alloc() - allocate @bytes. -EAGAIN: an older run has to be reaped first. */
int pto_stage_alloc(struct pto_staging *staging, uint64_t bytes, struct pto_chunk *chunk);

/* pto_stage_cancel() - undo the latest allocation. */
void pto_stage_cancel(struct pto_chunk *chunk);

/* pto_stage_release() - free the oldest chunk. */
void pto_stage_release(struct pto_chunk *chunk);

/* pto_stage_fill() - write arguments and input data, and record the outputs in @run. */
void pto_stage_fill(const struct pto_args *args, struct pto_run_handle *run);

/* pto_stage_drop() - free the current segment; no run uses it. */
void pto_stage_drop(struct pto_staging *staging);

/* --- graphs ------------------------------------------------------------------- */

/*
 * pto_graph_build() - execute a run's orchestration; its arguments are staged
 *
 * Return: 0: the stream has the run's graph; 1: the orchestration failed, and the run has its
 * result; or a negative errno.
 */
int pto_graph_build(struct pto_run_handle *run, struct pto_host_orch *orch,
		    const struct pto_ring_config *rings);

/* pto_graph_bytes(), pto_graph_copy() - size of the stream's graph, and the graph. */
uint64_t pto_graph_bytes(const struct pto_stream *stream);
void pto_graph_copy(const struct pto_stream *stream, void *to);

/* pto_graph_drop() - free the stream's builder. */
void pto_graph_drop(struct pto_stream *stream);

/* --- runs and streams ----------------------------------------------------------- */

/**
 * struct pto_output - staged data to be copied back
 * @host: destination
 * @staged: source
 * @bytes: number of bytes
 */
struct pto_output {
	void *host;
	const void *staged;
	uint64_t bytes;
};

/* States of a run handle. */
#define PTO_RUN_FREE		0	/* in pto_stream.free */
#define PTO_RUN_FLYING		1	/* in flight, in pto_stream.oldest ... newest */
#define PTO_RUN_ENDED		2	/* its result has been read, but not returned yet */

/**
 * struct pto_run_handle - a run; reused, and freed with its stream
 * @stream: its stream
 * @next: in the list of its state
 * @all: in pto_stream.handles
 * @state: PTO_RUN_*
 * @cid: its callable, for messages
 * @slot: its slot in the table of handles (handle.c)
 * @detached: no thread will wait for it
 * @bound_ns: time after which the device ends it: always with a bound of its own, else without
 *	progress
 * @chunk: its staging memory while it is in flight
 * @graph: staging memory of its graph, if it has one
 * @outputs: array of @output_count, room for @output_room
 * @output_count: outputs to be copied back
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
 * @rc: result of the wait; -ETIMEDOUT also if there was none yet
 */
struct pto_answer {
	struct pto_ioc_wait wait;
	char log[PTO_LOG_SIZE];
	int rc;
};

/**
 * struct pto_stream - a stream
 * @state: PTO_LIVE() or PTO_FREED(); the latter as soon as it is being destroyed; atomic
 * @serial: of its context
 * @users: calls that wait without the lock, or for it; atomic
 * @building: 1 more than the cid whose orchestration a call executes, or 0; atomic
 * @ctx: its context
 * @prev: in pto_context.streams
 * @next: in pto_context.streams
 * @id: driver's id
 * @lock: guards the fields below; not held while a thread waits for a run, unless that makes room
 *	for what it submits, or for HOLD_NS in pto_run()
 * @oldest: runs in flight, in order
 * @newest: end of that list
 * @flying: number of runs in flight
 * @answer: in pto_run(): for the wait of its PTO_RUN; else NULL
 * @result_ns: time of the latest result, or of the stream's creation
 * @free: free handles, latest first
 * @handles: all handles
 * @staging: for arguments and host tensors
 * @graphs: for graphs
 * @builder: builds the graphs, or NULL
 */
struct pto_stream {
	uint32_t state;
	unsigned int serial;
	uint32_t users;
	int building;
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

/* pto_stream_new() - create the library's object for the driver's stream @id. */
int pto_stream_new(struct pto_context *ctx, uint32_t id, struct pto_stream **out);

/* pto_stream_drop() - free it; no run is in flight, or its result is not needed. */
void pto_stream_drop(struct pto_stream *stream);

/* pto_stream_finish() - wait for all runs, also of a stream that is being destroyed */
int pto_stream_finish(struct pto_stream *stream, uint64_t timeout_ns);

/* pto_reap() - wait for the oldest run, and copy its outputs back. @deadline: absolute. */
int pto_reap(struct pto_stream *stream, uint64_t deadline);

/* pto_reap_open() - the same; the lock is dropped, and another thread may reap the run */
int pto_reap_open(struct pto_stream *stream, uint64_t deadline);

typedef int (*pto_reap_fn)(struct pto_stream *stream, uint64_t deadline);

/* pto_run_get(), pto_run_put() - take a handle from the stream's pool, and return it. */
struct pto_run_handle *pto_run_get(struct pto_stream *stream, uint32_t outputs);
void pto_run_put(struct pto_run_handle *run);

/*
 * pto_handle_claim(), pto_handle_release() - take and free a run's slot in the table of handles.
 */
bool pto_handle_claim(struct pto_run_handle *run);
void pto_handle_release(const struct pto_run_handle *run, bool forked);

/* pto_handle_of() - the application's handle for @run. pto_handle_is(): compare with it. */
struct pto_run_handle *pto_handle_of(const struct pto_run_handle *run);
bool pto_handle_is(const struct pto_run_handle *handle, const struct pto_run_handle *run);

/* pto_handle_hold() - the run of a handle, or NULL; not freed before pto_handle_let_go(). */
struct pto_run_handle *pto_handle_hold(const struct pto_run_handle *handle);
void pto_handle_let_go(uint32_t slot);

/* pto_handle_use_up() - invalidate the handle of @run; under its stream's lock */
void pto_handle_use_up(const struct pto_run_handle *run);

/* pto_handle_held() - does a thread hold the slot of @run? */
bool pto_handle_held(const struct pto_run_handle *run);

/* pto_now() - CLOCK_MONOTONIC in nanoseconds */
uint64_t pto_now(void);

/* pto_deadline() - convert a relative time to an absolute one; PTO_FOREVER stays. */
uint64_t pto_deadline(uint64_t timeout_ns);

/* --- ring configuration --------------------------------------------------------- */

/*
 * pto_rings_from_env() - read the environment. -EINVAL, and a text in @error, for an invalid value
 * or one beyond its limit; -EOVERFLOW for a size, or a sum of heaps, of 2^64 or more.
 */
int pto_rings_from_env(struct pto_ring_config *rings, char *error, size_t size);

/* pto_rings_prewarm_env() - build the arenas that $PTO_PREWARM names. */
int pto_rings_prewarm_env(struct pto_context *ctx, char *error, size_t size);

/* pto_rings_arena() - the arena for @rings (or NULL) and the environment; 0: the default arena. */
int pto_rings_arena(struct pto_context *ctx, const struct pto_ring_config *rings,
		    uint32_t *arena);

/* pto_rings_resolve() - the sizes of a run with @rings (or NULL), with defaults for zeros. */
void pto_rings_resolve(const struct pto_context *ctx, const struct pto_ring_config *rings,
		       struct pto_ring_config *out);

/* pto_rings_forget() - drop the id of an arena that the driver has evicted. */
void pto_rings_forget(struct pto_context *ctx, uint32_t arena);

/* --- time-outs ------------------------------------------------------------------ */

/*
 * pto_timeouts_from_env() - read the environment; @ctx->info is valid. -EINVAL, and a text in
 * @error, for an invalid value or order.
 */
int pto_timeouts_from_env(struct pto_context *ctx, char *error, size_t size);

/* pto_timeouts_resolve() - @own, or else the environment's; 0 where neither gives a time-out. */
int pto_timeouts_resolve(const struct pto_context *ctx, const struct pto_timeouts *own,
			 struct pto_timeouts *out, char *error, size_t size);

/* pto_answer_expect() - record how long the device may take for a run. */
void pto_answer_expect(struct pto_run_handle *run, const struct pto_timeouts *timeouts);

/* pto_answer_deadline() - until when to wait for @run before progress is checked. */
uint64_t pto_answer_deadline(const struct pto_run_handle *run);

/*
 * pto_reap_answer() - pto_reap() without a deadline. -ETIME and a text if the device has
 * stalled. A run must be in flight.
 */
int pto_reap_answer(struct pto_stream *stream, pto_reap_fn reap);

#endif /* PTO_PRIVATE_H */
