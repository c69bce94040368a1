/* SPDX-License-Identifier: MIT */
/*
 * libpto: run prepared callables on PTO accelerators.
 *
 * Conventions
 *
 *  - A function that can fail returns 0 (or a count) or a negative errno. It does not
 *    change errno, print, exit, or install signal handlers. (Exceptions: pto_log() of an
 *    orchestration that runs in this process, and pto_close() and pto_stream_destroy() if they
 *    wait for long, write to standard error: see $PTO_LOG and pto_set_log().)
 *  - After a failure pto_context_error() returns a text that explains it, with the object
 *    and the limit. There is one text per context and thread: that of the thread's last
 *    failure on the context.
 *  - Handles are opaque and freed by the matching function, which accepts NULL. A run handle
 *    that has been freed is always recognised: -EBADF. So is another object, until 32
 *    objects of its type have been freed after it: the functions that take it then return
 *    -EBADF (or NULL or 0 if they return no errno), and freeing it again does nothing. Beyond
 *    that, and if another thread frees an object while a call uses it, nothing is promised,
 *    unless pto_close() or pto_stream_destroy() say otherwise.
 *  - Threads: a context, its buffers and callables may be used by several threads at
 *    once; a run handle is good for one pto_wait(). Threads submit to one stream one after
 *    the other, and wait for each other only where the stream has no room for what one of
 *    them submits. While a thread waits for a run, others submit to the stream, and wait for
 *    runs of their own.
 *  - A context does not survive fork(): in the child every call returns -ENODEV, and
 *    pto_close() only frees memory.
 *  - Structs that callers fill begin with a size; PTO_*_INIT sets it. Fields are only
 *    appended, and zero means the default.
 *  - Every struct is passed with the size that the caller's compiler knows, so program and
 *    library may have different versions. pto_X() is inline and passes sizeof() to the exported
 *    pto_X_sized(). That function writes no more bytes than this size, sets bytes that it does
 *    not know to 0, and refuses (-E2BIG) unknown fields that are not 0.
 *  - Time-outs are relative, in nanoseconds; PTO_FOREVER means no time-out.
 */
#ifndef PTO_PTO_H
#define PTO_PTO_H

#include <stddef.h>
#include <stdint.h>

#include <linux/pto.h>
#include <pto/log.h>
#include <pto/tensor.h>
#include <pto/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PTO_FOREVER UINT64_MAX

/** PTO_TEXT_SIZE: bytes of the longest text about a failure, its NUL included. */
#define PTO_TEXT_SIZE 512

struct pto_context;
struct pto_stream;
struct pto_buffer;
struct pto_callable;
struct pto_args;
struct pto_run_handle;

/* --- devices and contexts ------------------------------------------------- */

/**
 * struct pto_device_desc - a device that pto_list_devices() found
 * @index: N of /dev/ptoN
 * @error: 0 if it can be opened, else the negative errno of the attempt
 * @path: device node
 * @reason: why it cannot be opened, and what to do about it; empty if it can
 * @reserved: 0; for fields of later versions, because @info grows at the end
 * @info: its properties; valid if @error is 0
 */
struct pto_device_desc {
	unsigned int index;
	int error;
	char path[64];
	char reason[160];
	uint64_t reserved[8];
	struct pto_device_info info;
};

/** pto_list_devices_sized() - as pto_list_devices(); elements of @list are @stride bytes apart */
int pto_list_devices_sized(struct pto_device_desc *list, size_t max, size_t stride);

/**
 * pto_list_devices() - find the devices of this host (or of the simulator)
 * @list: array to fill, or NULL to count only
 * @max: its elements
 *
 * Opens each device for a moment. Return: the number of devices, which may be
 * greater than @max, or a negative errno.
 */
static inline int pto_list_devices(struct pto_device_desc *list, size_t max)
{
	return pto_list_devices_sized(list, max, sizeof(*list));
}

/**
 * pto_open() - open a context on a device
 * @path: device node, or NULL for $PTO_DEVICE, or else /dev/pto0
 * @out: the context
 *
 * Return: 0; -ENOENT no such device, -EACCES no permission, -ENODEV the device is gone,
 * -ENOSPC all its contexts are in use, -ENOTTY not a PTO device, -EINVAL a $PTO_RING_*
 * variable is not understood or beyond its limit, -EOVERFLOW one is 2^64 or more, -ENOMEM.
 * There is no context to ask about a failure: use pto_open_error().
 */
int pto_open(const char *path, struct pto_context **out);

/** pto_open_index() - pto_open() of /dev/pto@index */
int pto_open_index(unsigned int index, struct pto_context **out);

/** pto_open_error() - a text that explains this thread's last failed pto_open(); never NULL */
const char *pto_open_error(void);

/**
 * pto_close() - close a context
 * @ctx: the context, or NULL
 *
 * Frees its buffers, cids and streams; their handles are invalid afterwards. (Callables from
 * pto_callable_load() belong to the caller and stay valid.) Runs in flight are ended. Calls of
 * other threads that use the context, its streams or its buffers return -ENODEV, whether or not
 * they have had an effect; later ones return -EBADF. A second pto_close() does nothing. It must
 * not be called from a callback of this library.
 *
 * pto_close() returns after the calls of other threads, however long they take: a thread may be
 * stopped by a debugger, or execute an orchestration that does not end, and still uses the
 * memory that would be freed. After 1024 ms, and again whenever the time has doubled, a line in
 * the log (pto_set_log()) says that pto_close() waits, and for the orchestration of which cid.
 */
void pto_close(struct pto_context *ctx);

/** pto_context_fd() - the device's file descriptor, for poll(); owned by the context */
int pto_context_fd(const struct pto_context *ctx);

/** pto_context_error() - a text that explains this thread's last failure on @ctx; never NULL */
const char *pto_context_error(const struct pto_context *ctx);

/** pto_query_device_sized() - as pto_query_device(); @size: of @info */
int pto_query_device_sized(struct pto_context *ctx, struct pto_device_info *info, size_t size);

/** pto_query_device() - what the device is. Return: 0 or a negative errno */
static inline int pto_query_device(struct pto_context *ctx, struct pto_device_info *info)
{
	return pto_query_device_sized(ctx, info, sizeof(*info));
}

/** pto_query_stats_sized() - as pto_query_stats(); @size: of @stats */
int pto_query_stats_sized(struct pto_context *ctx, struct pto_context_stats *stats, size_t size);

/** pto_query_stats() - what this context did. Return: 0 or a negative errno */
static inline int pto_query_stats(struct pto_context *ctx, struct pto_context_stats *stats)
{
	return pto_query_stats_sized(ctx, stats, sizeof(*stats));
}

/** pto_query_usage_sized() - as pto_query_usage(); @size: of @usage */
int pto_query_usage_sized(struct pto_context *ctx, struct pto_device_usage *usage, size_t size);

/** pto_query_usage() - what is in use on the device. Return: 0 or a negative errno */
static inline int pto_query_usage(struct pto_context *ctx, struct pto_device_usage *usage)
{
	return pto_query_usage_sized(ctx, usage, sizeof(*usage));
}

/*
 * pto_log_fn - gets a line of the log
 * @level: PTO_LOG_*
 * @text: the line, without a newline; good until the function returns
 * @arg: as given to pto_set_log()
 *
 * Called by the thread that executes the orchestration which has written the line, inside
 * pto_run() or pto_submit(), or by the thread that is in pto_close() or pto_stream_destroy(): it
 * must not call functions of this library on the context.
 */
typedef void (*pto_log_fn)(uint32_t level, const char *text, void *arg);

/**
 * pto_set_log() - where lines go that orchestrations write with pto_log() in this process, and
 *	the library if pto_close() or pto_stream_destroy() wait for long
 * @ctx: the context
 * @fn: gets each line, of any level; NULL: standard error, as $PTO_LOG says
 * @arg: handed to it
 *
 * With @fn, nothing of this library is written to standard error for @ctx. A thread that
 * executes an orchestration meanwhile may still call the function that was set before.
 */
void pto_set_log(struct pto_context *ctx, pto_log_fn fn, void *arg);

/** pto_reset() - leave the error state (PTO_CTX_RESET). Return: 0 or a negative errno */
int pto_reset(struct pto_context *ctx);

/* --- buffers --------------------------------------------------------------- */

/**
 * pto_buffer_alloc() - allocate device memory, zeroed
 * @ctx: the context
 * @bytes: how much; rounded up to pages
 * @placement: PTO_PLACE_DEVICE or PTO_PLACE_HOST
 * @out: the buffer
 *
 * Return: 0; -EINVAL for 0 bytes, -ENOMEM if the device has not that much left.
 */
int pto_buffer_alloc(struct pto_context *ctx, size_t bytes, uint32_t placement,
		     struct pto_buffer **out);

/** pto_buffer_free() - release a buffer; runs that were submitted before may still use it */
void pto_buffer_free(struct pto_buffer *buf);

/** pto_buffer_map() - where the buffer is mapped; maps it at the first call. NULL on failure */
void *pto_buffer_map(struct pto_buffer *buf);

/** pto_buffer_size() - bytes, rounded up to pages */
size_t pto_buffer_size(const struct pto_buffer *buf);

/** pto_buffer_device_addr() - address on the device */
uint64_t pto_buffer_device_addr(const struct pto_buffer *buf);

/** pto_buffer_id() - id for the ioctl interface */
uint32_t pto_buffer_id(const struct pto_buffer *buf);

/**
 * pto_buffer_write() - copy host memory into a buffer
 * @buf: destination
 * @offset: first byte in it
 * @src: source
 * @bytes: how many
 *
 * Done when it returns; not ordered with runs. Return: 0; -EINVAL past the end.
 */
int pto_buffer_write(struct pto_buffer *buf, size_t offset, const void *src, size_t bytes);

/** pto_buffer_read() - copy a buffer into host memory; see pto_buffer_write() */
int pto_buffer_read(struct pto_buffer *buf, size_t offset, void *dst, size_t bytes);

/** pto_buffer_copy() - copy between two buffers of one context; see pto_buffer_write() */
int pto_buffer_copy(struct pto_buffer *dst, size_t dst_offset, struct pto_buffer *src,
		    size_t src_offset, size_t bytes);

/**
 * pto_buffer_export() - make a dma-buf of a buffer, to share its memory without a copy
 * @buf: the buffer
 * @fd: the dma-buf's descriptor, close-on-exec; to be closed by the caller
 *
 * The dma-buf keeps the memory when the buffer is freed and the context is closed. Other drivers,
 * other processes and pto_buffer_import() take it. Accesses of others are not ordered with runs.
 *
 * Return: 0; -EOPNOTSUPP if the device cannot share buffers (PTO_FEATURE_DMABUF); -EMFILE, -ENFILE,
 * -ENOMEM.
 */
int pto_buffer_export(struct pto_buffer *buf, int *fd);

/**
 * pto_buffer_import() - make a buffer of a dma-buf
 * @ctx: the context
 * @fd: the dma-buf's descriptor, which is not needed afterwards
 * @out: the buffer; to be freed like any other, however often the same memory is imported
 *
 * Return: 0; -EOPNOTSUPP if the device cannot share buffers, or cannot reach this memory; -EBADF,
 * -EINVAL if @fd is not that of a dma-buf; -EBUSY if the last buffer of this context with the same
 * memory has been freed, and runs still use it; -ENOSPC, -ENOMEM as pto_buffer_alloc().
 */
int pto_buffer_import(struct pto_context *ctx, int fd, struct pto_buffer **out);

/* --- callables ------------------------------------------------------------- */

/**
 * struct pto_object_info - properties of an orchestration or kernel object
 * @bytes: length of the file
 * @elf_class: 32 or 64
 * @machine: e_machine of the ELF header
 * @type: e_type of the ELF header
 * @build_id_len: bytes of the GNU Build-ID, 0 if there is none
 * @build_id: the Build-ID
 * @symbol_count: defined dynamic symbols of type function
 * @has_entry: it defines "aicpu_orchestration_entry"
 * @has_config: it defines "aicpu_orchestration_config"
 * @has_kernel: it defines "kernel_entry"
 * @needed_count: shared libraries it needs
 * @machine_name: @machine in words
 */
struct pto_object_info {
	uint64_t bytes;
	uint16_t elf_class;
	uint16_t machine;
	uint16_t type;
	uint16_t build_id_len;
	uint8_t build_id[PTO_BUILD_ID_MAX];
	uint32_t symbol_count;
	uint8_t has_entry;
	uint8_t has_config;
	uint8_t has_kernel;
	uint8_t needed_count;
	char machine_name[32];
};

/** pto_object_inspect_sized() - as pto_object_inspect(); @size: of @info */
int pto_object_inspect_sized(const char *path, struct pto_object_info *info, size_t size,
			     char *error, size_t error_size);

/**
 * pto_object_inspect() - parse an object without a device
 * @path: file
 * @info: its properties
 * @error: buffer for a text that explains a failure, or NULL
 * @error_size: bytes of @error
 *
 * Return: 0; -ENOEXEC if it is not a loadable ELF object of this machine (with the
 * precise reason in @error; @info is filled in as far as was seen), -EFBIG for more than
 * 1 GiB, or the errno of reading it.
 */
static inline int pto_object_inspect(const char *path, struct pto_object_info *info, char *error,
				     size_t error_size)
{
	return pto_object_inspect_sized(path, info, sizeof(*info), error, error_size);
}

/**
 * pto_object_visit_symbols() - call @fn for each defined function symbol of an object
 *
 * Stops when @fn returns non-zero. Return: 0, what @fn returned, or as
 * pto_object_inspect().
 */
int pto_object_visit_symbols(const char *path, int (*fn)(const char *name, void *arg), void *arg);

/**
 * pto_callable_load() - read an orchestration object from a file
 * @path: ELF shared object that defines the entry symbol
 * @out: the callable; add kernels to it, then prepare it on any context
 *
 * Return: 0; -ENOEXEC with the reason in pto_callable_error(), the errno of reading
 * the file, -EFBIG, -ENOMEM.
 */
int pto_callable_load(const char *path, struct pto_callable **out);

/** pto_callable_from_memory() - the same from memory, which is copied */
int pto_callable_from_memory(const void *data, size_t bytes, const char *name,
			     struct pto_callable **out);

/** pto_callable_error() - explains this thread's last failed pto_callable_*(); never NULL */
const char *pto_callable_error(void);

/**
 * pto_callable_add_kernel() - add a kernel from a file
 * @callable: the callable; cids that were prepared from it do not change
 * @func_id: number by which the orchestration submits it, below PTO_MAX_FUNC_ID
 * @core_type: PTO_CORE_AIC or PTO_CORE_AIV
 * @path: ELF shared object that defines "kernel_entry"
 *
 * Return: 0; -EINVAL for a bad number or type, -EEXIST if the func_id is taken, and as
 * pto_callable_load().
 */
int pto_callable_add_kernel(struct pto_callable *callable, uint32_t func_id, uint32_t core_type,
			    const char *path);

/** pto_callable_add_kernel_memory() - the same from memory, which is copied */
int pto_callable_add_kernel_memory(struct pto_callable *callable, uint32_t func_id,
				   uint32_t core_type, const void *data, size_t bytes,
				   const char *name);

/**
 * pto_callable_set_symbols() - use other symbols than the default ones
 * @callable: the callable
 * @entry: entry symbol, or NULL for "aicpu_orchestration_entry"
 * @config: configuration symbol, or NULL for "aicpu_orchestration_config" (optional)
 *
 * Return: 0; -EINVAL if a name has PTO_SYMBOL_MAX bytes or more. The prepare checks that the
 * object has the symbols.
 */
int pto_callable_set_symbols(struct pto_callable *callable, const char *entry, const char *config);

/**
 * pto_callable_set_kind() - choose where the orchestration runs
 * @callable: the callable; cids that are prepared from it later are of this kind
 * @kind: PTO_KIND_DEVICE_ORCH (the default): on the device, for each run;
 *	PTO_KIND_HOST_GRAPH: in this process, in pto_run() and pto_submit(), where it builds
 *	the run's graph, which the device then executes. Prepare fails with -EOPNOTSUPP if the
 *	device lacks PTO_FEATURE_HOST_GRAPH
 *
 * The same object can be used for either kind. pto_run() describes the differences.
 * Return: 0; -EINVAL for another number.
 */
int pto_callable_set_kind(struct pto_callable *callable, uint32_t kind);

/** pto_callable_info_sized() - as pto_callable_info(); @size: of @info */
int pto_callable_info_sized(const struct pto_callable *callable, struct pto_object_info *info,
			    size_t size);

/** pto_callable_info() - properties of the orchestration object; as pto_object_inspect() */
static inline int pto_callable_info(const struct pto_callable *callable,
				    struct pto_object_info *info)
{
	return pto_callable_info_sized(callable, info, sizeof(*info));
}

/** pto_callable_free() - free a callable; cids that were prepared from it stay prepared */
void pto_callable_free(struct pto_callable *callable);

/**
 * pto_prepare() - load a callable under a given cid
 * @ctx: the context
 * @cid: in [0, PTO_MAX_CALLABLES)
 * @callable: what to load
 *
 * Uploads the images that the device does not have and loads. Return: 0; -EINVAL,
 * -EEXIST, -ENOEXEC, -ENOMEM and the others of struct pto_ioc_prepare. After a
 * failure everything is as it was.
 */
int pto_prepare(struct pto_context *ctx, int cid, const struct pto_callable *callable);

/**
 * pto_register() - load a callable under the lowest free cid
 *
 * As pto_prepare(). Return: the cid, or a negative errno; -ENOSPC if all are used.
 */
int pto_register(struct pto_context *ctx, const struct pto_callable *callable);

/** pto_unprepare() - empty a cid; its runs in flight finish. Return: 0 or a negative errno */
int pto_unprepare(struct pto_context *ctx, int cid);

/* --- arguments ------------------------------------------------------------- */

/* Directions of a host tensor. */
#define PTO_IN		1	/* copied to the device before the run */
#define PTO_OUT		2	/* zeroed on the device before, copied back after the run */
#define PTO_INOUT	3	/* both */

/**
 * pto_args_new() - an empty argument list
 *
 * A list may be used for any number of runs, one after the other or at the same time. Its
 * content is copied when a run is submitted, but the host memory of output tensors must stay
 * valid until the run has been waited for.
 * Return: NULL if memory is exhausted.
 */
struct pto_args *pto_args_new(void);

/** pto_args_free() - free an argument list */
void pto_args_free(struct pto_args *args);

/** pto_args_clear() - make the list empty again; keeps its memory */
void pto_args_clear(struct pto_args *args);

/**
 * pto_args_add_host() - add a tensor in host memory
 * @args: the list
 * @direction: PTO_IN, PTO_OUT or PTO_INOUT
 * @data: contiguous row-major elements
 * @dtype: PTO_DTYPE_*
 * @ndims: dimensions, 1 to PTO_MAX_TENSOR_DIMS
 * @shape: elements in each
 *
 * Memory that is added twice is staged once, with the union of both directions, so the
 * device sees one tensor. Return: 0; -EINVAL for a bad value, or if the memory overlaps
 * another tensor's in part and one of the two is written; -EOVERFLOW if a size does not fit
 * into the descriptor; -ENOSPC beyond PTO_RUN_MAX_TENSORS; -ENOMEM.
 */
int pto_args_add_host(struct pto_args *args, int direction, void *data, uint8_t dtype,
		      uint32_t ndims, const uint32_t *shape);

/** pto_args_add_device_sized() - as pto_args_add_device(); @size: of @tensor */
int pto_args_add_device_sized(struct pto_args *args, const struct pto_tensor *tensor, size_t size);

/**
 * pto_args_add_device() - add a tensor in device memory; its descriptor is passed unchanged
 * @args: the list
 * @tensor: its address lies in a buffer of the context that runs
 */
static inline int pto_args_add_device(struct pto_args *args, const struct pto_tensor *tensor)
{
	return pto_args_add_device_sized(args, tensor, sizeof(*tensor));
}

/** pto_args_add_scalar() - add 64 bits. Return: 0; -ENOSPC beyond PTO_RUN_MAX_SCALARS */
int pto_args_add_scalar(struct pto_args *args, uint64_t value);

/**
 * pto_args_error() - why the first pto_args_add_*() that failed did so; never NULL
 *
 * A list that something could not be added to is refused by pto_run() and pto_submit(), with the
 * same error and this text, until pto_args_clear().
 */
const char *pto_args_error(const struct pto_args *args);

/** pto_args_add_f32() - add a float: its bits in the low half of a scalar */
int pto_args_add_f32(struct pto_args *args, float value);

/* --- runs ------------------------------------------------------------------ */

/**
 * struct pto_ring_config - sizes of the task runtime's rings, per scope depth
 * @task_window: task slots; 0: $PTO_RING_TASK_WINDOW, else the device's default, usually 16384
 * @heap: bytes of heap; 0: $PTO_RING_HEAP, else the device's default, usually 256 MiB
 * @dep_pool: dependency entries; 0: $PTO_RING_DEP_POOL, else the device's default, usually 16384
 *
 * The environment variables hold one number for all depths or four, separated by
 * commas; K, M and G behind a number stand for 2^10, 2^20, 2^30. They are read when a
 * context is opened. Limits: struct pto_ioc_prewarm.
 */
struct pto_ring_config {
	uint64_t task_window[PTO_RING_DEPTHS];
	uint64_t heap[PTO_RING_DEPTHS];
	uint64_t dep_pool[PTO_RING_DEPTHS];
};

/**
 * struct pto_run_options - how to run; NULL stands for all defaults
 * @size: sizeof(struct pto_run_options)
 * @rings_size: sizeof(struct pto_ring_config); 0 stands for that of version 0.2, 96
 * @rings: ring sizes, or NULL for the environment's or the defaults
 * @timeout_ns: how long the run may take on the device; 0: $PTO_STREAM_TIMEOUT_MS, else
 *	as long as it makes progress
 * @user_data: handed back in struct pto_result
 * @sched_timeout_ns: how long nothing may move in it (no task is submitted or completes, no
 *	kernel begins or ends) while no kernel runs; 0: $PTO_SCHEDULER_TIMEOUT_MS, else 10 s
 * @op_timeout_ns: how long one kernel may run, alone or not; 0: $PTO_OP_TIMEOUT_MS, else 45 s
 *
 * The environment is read when a context is opened. Of the time-outs, each that is given
 * has to be shorter than the next longer one: scheduler, operator, the run's (stream);
 * the scheduler's by more than 1.5 s than the run's. -EINVAL if it is not.
 */
struct pto_run_options {
	uint32_t size;
	uint32_t rings_size;
	const struct pto_ring_config *rings;
	uint64_t timeout_ns;
	uint64_t user_data;
	uint64_t sched_timeout_ns;
	uint64_t op_timeout_ns;
};

#define PTO_RUN_OPTIONS_INIT \
	{ sizeof(struct pto_run_options), sizeof(struct pto_ring_config), NULL, 0, 0, 0, 0 }

/** PTO_RUN_NOT_SUBMITTED: pto_result.id of a run whose orchestration failed on the host. */
#define PTO_RUN_NOT_SUBMITTED UINT64_MAX

/**
 * struct pto_result - how a run ended
 * @status: 0 or a negative errno, as in struct pto_ioc_wait
 * @code: PTO_FATAL_* or 0
 * @subcode: sub-class of @code or 0
 * @pad: 0
 * @id: the run's id
 * @user_data: as submitted
 * @submit_ns: CLOCK_MONOTONIC when the driver queued it
 * @start_ns: when the device began it
 * @end_ns: when the device finished it
 * @task: task concerned if the device names one, else ~0
 * @func_id: function concerned if the device names one, else ~0
 * @core: core concerned if the device names one, else ~0
 * @text: why the call failed, in words, as pto_context_error() says; empty if it has not
 */
struct pto_result {
	int32_t status;
	uint32_t code;
	uint32_t subcode;
	uint32_t pad;
	uint64_t id;
	uint64_t user_data;
	uint64_t submit_ns;
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t task;
	uint32_t func_id;
	uint32_t core;
	char text[PTO_TEXT_SIZE];
};

/** pto_prewarm_sized() - as pto_prewarm(); @size: of @rings */
int pto_prewarm_sized(struct pto_context *ctx, const struct pto_ring_config *rings, size_t size);

/**
 * pto_prewarm() - build the arena of a ring configuration before the first run
 * @ctx: the context
 * @rings: the configuration, or NULL
 *
 * Return: 0; -EINVAL for sizes beyond the limits, -EOVERFLOW for heaps that are 2^64 bytes or
 * more together, -ENOMEM, and -EIO if the device does not accept the arena.
 */
static inline int pto_prewarm(struct pto_context *ctx, const struct pto_ring_config *rings)
{
	return pto_prewarm_sized(ctx, rings, sizeof(*rings));
}

/** pto_run_sized() - as pto_run(); @size: of @result */
int pto_run_sized(struct pto_context *ctx, int cid, const struct pto_args *args,
		  const struct pto_run_options *options, struct pto_result *result, size_t size);

/**
 * pto_run() - run a cid on the default stream and wait for it
 * @ctx: the context
 * @cid: the callable
 * @args: its arguments, or NULL for none
 * @options: or NULL
 * @result: how it ended, or NULL
 *
 * Several threads may call it at once; runs of one stream still execute in order. After a
 * failed run the host memory of its outputs is as it was before. A device that does not
 * answer, long after it should have ended the run itself, is not waited for: -ETIME, and
 * pto_reset() is what remains. Return: 0 when the run succeeded, its status
 * when it failed, or the error of submitting it. To tell the two apart, look at
 * pto_result.id, which is 0 if nothing was submitted.
 *
 * The orchestration of a callable of kind PTO_KIND_HOST_GRAPH is executed by the calling
 * thread; it builds the graph that the device then executes. The whole graph must fit into
 * the rings of depth 0. The orchestration can read and write elements only of memory from
 * outside the run that no task of the graph uses; for a buffer, earlier runs of the stream
 * are waited for. It must not call functions of this library. If it crashes or hangs, so does
 * this process. If it fails, the run ends as on the device, with the id PTO_RUN_NOT_SUBMITTED.
 */
static inline int pto_run(struct pto_context *ctx, int cid, const struct pto_args *args,
			  const struct pto_run_options *options, struct pto_result *result)
{
	return pto_run_sized(ctx, cid, args, options, result, sizeof(*result));
}

/** pto_default_stream() - the stream that exists as long as the context */
struct pto_stream *pto_default_stream(struct pto_context *ctx);

/** pto_stream_create() - one more in-order stream. Return: 0; -ENOSPC */
int pto_stream_create(struct pto_context *ctx, struct pto_stream **out);

/**
 * pto_stream_destroy() - destroy a stream
 *
 * Waits for its runs, and for calls of other threads that use the stream, as pto_close() does,
 * and frees its staging memory. Those calls return what they would have returned without it,
 * and calls that come later -EBADF. Handles of its runs that were not waited for become invalid.
 * Return: 0; -EINVAL for the default stream; -EBADF if it has been destroyed already.
 */
int pto_stream_destroy(struct pto_stream *stream);

/**
 * pto_stream_wait() - wait until all runs of a stream have ended, copy their outputs back
 *
 * Return: 0, however the runs ended; -ETIME if they have not. Their handles keep the results.
 */
int pto_stream_wait(struct pto_stream *stream, uint64_t timeout_ns);

/**
 * pto_submit() - submit a run to a stream
 * @stream: the stream
 * @cid: the callable
 * @args: its arguments, or NULL
 * @options: or NULL
 * @out: handle, which must be passed to pto_wait() once; or NULL: the result of the run is
 *	lost, and its outputs in host memory are copied back when a later run of the stream,
 *	or the stream, is waited for
 *
 * Any number may be in flight: when the device's queue or the staging memory is
 * full, the oldest run is waited for first. Return: 0 or a negative errno.
 */
int pto_submit(struct pto_stream *stream, int cid, const struct pto_args *args,
	       const struct pto_run_options *options, struct pto_run_handle **out);

/** pto_wait_sized() - as pto_wait(); @size: of @result */
int pto_wait_sized(struct pto_run_handle *run, uint64_t timeout_ns, struct pto_result *result,
		   size_t size);

/**
 * pto_wait() - wait for a run, copy its outputs back, free the handle
 * @run: the run
 * @timeout_ns: relative; PTO_FOREVER
 * @result: how it ended, or NULL
 *
 * Also finishes earlier runs of the stream: their outputs are copied back, and
 * their handles keep their results. After a failed run the host memory of its outputs is
 * unchanged.
 *
 * Return: 0 when the run succeeded, its status when it failed (both free the handle);
 * -ETIME, or -EINTR after a signal, when it has not ended: the handle stays valid;
 * -EBADF if the handle has been waited for already, or its stream or context does not exist
 * any more (if two threads wait for one handle, the second gets this, too); -ENODEV if another
 * thread closes the context during the wait.
 * -ETIMEDOUT is the status of a run that has exceeded its bound, never a time-out of the wait.
 */
static inline int pto_wait(struct pto_run_handle *run, uint64_t timeout_ns,
			   struct pto_result *result)
{
	return pto_wait_sized(run, timeout_ns, result, sizeof(*result));
}

/** pto_fatal_name() - name of a PTO_FATAL_* code, such as "SCOPE_DEADLOCK" */
const char *pto_fatal_name(uint32_t code);

/**
 * pto_fatal_hint() - what to do about a PTO_FATAL_* code
 * @code: the code
 * @subcode: its sub-class, or 0
 *
 * The hint is for runs of kind DEVICE_ORCH. The text of a run whose graph did not fit has another
 * one, because inner scopes release nothing while a graph is built.
 *
 * Return: a text for users; empty if @code is not a PTO_FATAL_*.
 */
const char *pto_fatal_hint(uint32_t code, uint32_t subcode);

/** pto_version() - version of the library that the program runs with, such as "0.2.0" */
const char *pto_version(void);

/** pto_version_num() - the same as a number, as by PTO_VERSION_MAKE() */
uint32_t pto_version_num(void);

#ifdef __cplusplus
}
#endif

#endif /* PTO_PTO_H */
