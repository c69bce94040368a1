/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * PTO accelerators: the ioctl interface between applications and the driver.
 *
 * Objects
 *
 *   An open file of /dev/ptoN is a *context*. It owns buffer objects, streams,
 *   images, 64 callable slots (cids) and arenas. All of them are released with
 *   the last reference to the open file, however the process ends. Ids are per
 *   context, and 0 is never a valid id; a cid lies in [0, 64). The id of a
 *   destroyed buffer, stream or image is reused only after all other ids of its
 *   kind have been handed out.
 *
 * Rules for all ioctls
 *
 *  - The argument of PTO_X is a struct pto_ioc_x. (Not pto_x: libpto has functions of such
 *    names, and in C++ a function hides a type.)
 *  - Every argument struct begins with "__u32 size". The caller sets it to the
 *    size of the struct it was compiled with. Numbers are _IO(PTO_IOC_TYPE, nr),
 *    so a struct can grow without a new number. If an argument points to an array,
 *    a "stride" field of the argument holds the size of an element.
 *  - Error numbers:
 *      ENOTTY      the ioctl number is unknown
 *      EINVAL      size is too small for this ioctl, a value is wrong, a
 *                  reserved or padding field is not zero
 *      E2BIG       size is larger than the driver's struct and the tail is not 0, or
 *                  size or a stride is larger than a page (pto_device_info.page_size)
 *      EOPNOTSUPP  a flag, kind, placement or item that this driver lacks
 *      ENOENT      an id that does not exist, or a generation that is over
 *      EOVERFLOW   offset and length overflow 64 bits
 *      EFAULT      a pointer does not point to accessible memory
 *      ENOSPC      a table (cids, streams, contexts, buffers, images) is full
 *      ENOMEM      device or host memory is exhausted
 *      EAGAIN      the stream has no room for another run at the moment
 *      ENOEXEC     the device cannot load this object
 *      EPERM       the caller lacks a capability: PTO_QUERY_USAGE
 *      EIO         the context lost its device state: see PTO_CTX_RESET
 *      ENODEV      the device is gone; PTO_QUERY_CONTEXT and PTO_QUERY_DEBUG still answer
 *    A call that fails has no effect, and writes nothing but the log buffer.
 *  - Only fixed-width types, 8-byte alignment, explicit padding, pointers as
 *    __u64. No enums, bit-fields or unions. One layout for 32 and 64 bit.
 *  - Timeouts are absolute CLOCK_MONOTONIC nanoseconds, so a restarted call keeps
 *    its deadline. 0 polls; PTO_WAIT_FOREVER waits until a signal arrives or the
 *    device goes away.
 *  - Capabilities are discovered with PTO_QUERY, not deduced from a version.
 *    Fields are only ever appended; 0 in a new field selects the previous behaviour.
 *
 * The type byte 0xd7 is unassigned in the kernel's ioctl-number.rst (6.12).
 */
#ifndef _UAPI_LINUX_PTO_H
#define _UAPI_LINUX_PTO_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PTO_IOC_TYPE 0xd7

#define PTO_QUERY		_IO(PTO_IOC_TYPE, 0x00)
#define PTO_BO_CREATE		_IO(PTO_IOC_TYPE, 0x06)
#define PTO_BO_INFO		_IO(PTO_IOC_TYPE, 0x07)
#define PTO_BO_DESTROY		_IO(PTO_IOC_TYPE, 0x08)
#define PTO_BO_COPY		_IO(PTO_IOC_TYPE, 0x09)
#define PTO_BO_EXPORT		_IO(PTO_IOC_TYPE, 0x0a)
#define PTO_BO_IMPORT		_IO(PTO_IOC_TYPE, 0x0b)
#define PTO_STREAM_CREATE	_IO(PTO_IOC_TYPE, 0x10)
#define PTO_STREAM_DESTROY	_IO(PTO_IOC_TYPE, 0x11)
#define PTO_STREAM_WAIT		_IO(PTO_IOC_TYPE, 0x12)
#define PTO_IMAGE_CREATE	_IO(PTO_IOC_TYPE, 0x18)
#define PTO_IMAGE_DESTROY	_IO(PTO_IOC_TYPE, 0x19)
#define PTO_PREPARE		_IO(PTO_IOC_TYPE, 0x20)
#define PTO_UNPREPARE		_IO(PTO_IOC_TYPE, 0x21)
#define PTO_PREWARM		_IO(PTO_IOC_TYPE, 0x22)
#define PTO_RUN			_IO(PTO_IOC_TYPE, 0x28)
#define PTO_WAIT		_IO(PTO_IOC_TYPE, 0x29)
#define PTO_CTX_RESET		_IO(PTO_IOC_TYPE, 0x30)

/** PTO_MAX_CALLABLES: cids of a context lie in [0, PTO_MAX_CALLABLES). */
#define PTO_MAX_CALLABLES	64
/** PTO_MAX_FUNC_ID: func_ids of a callable lie in [0, PTO_MAX_FUNC_ID). */
#define PTO_MAX_FUNC_ID		1024
/** PTO_SYMBOL_MAX: bytes of a symbol name, its NUL included. */
#define PTO_SYMBOL_MAX		64
/** PTO_BUILD_ID_MAX: bytes of the longest Build-ID that is used as a key. */
#define PTO_BUILD_ID_MAX	32
/** PTO_RING_DEPTHS: scope depths that have a ring of their own. */
#define PTO_RING_DEPTHS		4
/** PTO_WAIT_FOREVER: a timeout that never expires. */
#define PTO_WAIT_FOREVER	(~(__u64)0)
/** PTO_STREAM_DEFAULT: the stream that exists from open to close. */
#define PTO_STREAM_DEFAULT	1

/* Architectures (struct pto_device_info.arch). */
#define PTO_ARCH_A2A3		1
#define PTO_ARCH_A5		2

/* Feature bits (struct pto_device_info.features). */
#define PTO_FEATURE_UNIFIED	(1ULL << 0)	/* both placements are the same memory */
#define PTO_FEATURE_ISOLATED	(1ULL << 1)	/* a faulting kernel harms only its context */
#define PTO_FEATURE_SIMULATED	(1ULL << 2)	/* no hardware behind this device */
#define PTO_FEATURE_DMABUF	(1ULL << 3)	/* dma-buf export and import */
#define PTO_FEATURE_FENCES	(1ULL << 4)	/* sync_file in and out fences of PTO_RUN */
#define PTO_FEATURE_HOST_GRAPH	(1ULL << 5)	/* callables of kind PTO_KIND_HOST_GRAPH */
#define PTO_FEATURE_RUN_WAIT	(1ULL << 6)	/* PTO_RUN can wait: pto_ioc_run.wait_ptr */

/* Items of PTO_QUERY. */
#define PTO_QUERY_DEVICE	1	/* struct pto_device_info */
#define PTO_QUERY_CONTEXT	2	/* struct pto_context_stats */
#define PTO_QUERY_USAGE		3	/* struct pto_device_usage */
#define PTO_QUERY_DEBUG		0x10000	/* struct pto_debug_stats: not stable */

/**
 * struct pto_ioc_query - argument of PTO_QUERY
 * @size: sizeof(struct pto_ioc_query)
 * @item: PTO_QUERY_*; an unknown item is EOPNOTSUPP
 * @data_ptr: buffer for the answer; 0 asks for its size only
 * @data_size: in: bytes at @data_ptr; out: size of the driver's struct.
 *	The smaller of the two is copied; the answer's own size field holds the
 *	number of bytes that the driver filled.
 * @pad: must be 0
 */
struct pto_ioc_query {
	__u32 size;
	__u32 item;
	__u64 data_ptr;
	__u32 data_size;
	__u32 pad;
};

/**
 * struct pto_device_info - answer of PTO_QUERY_DEVICE: what the device is
 * @size: bytes that the driver filled
 * @arch: PTO_ARCH_*
 * @features: PTO_FEATURE_* bits
 * @index: N of /dev/ptoN
 * @cluster_count: clusters (one AIC and two AIV each)
 * @aic_count: AIC cores
 * @aiv_count: AIV cores
 * @aicpu_threads: control processor threads
 * @worker_threads: operating system threads that act as cores; 0 on hardware
 * @max_contexts: contexts that can be open at once
 * @max_streams: streams of one context, the default one included
 * @stream_depth: runs of one stream that can be in flight, and also the number of
 *	most recent results that a stream keeps
 * @max_callables: PTO_MAX_CALLABLES
 * @max_func_id: PTO_MAX_FUNC_ID
 * @max_arenas: arenas that a context caches
 * @page_size: granularity of buffer objects, in bytes
 * @pad: 0
 * @memory_size: device memory that can be allocated, in bytes
 * @memory_base: device address of the first byte of the device's window
 * @max_image_size: bytes of the largest image
 * @arch_name: "a2a3" or "a5", NUL padded
 * @name: transport and model in readable form, NUL padded
 * @default_timeout_ns: how long a run may make no progress if its submitter gives no bound
 *	for the whole execution; time in which a kernel runs counts
 * @default_heap: default of struct pto_ioc_prewarm.heap: 256 MiB, or less if an arena of the
 *	usual sizes does not fit into the device's memory; 0 if the driver does not report it
 * @default_task_window: default of struct pto_ioc_prewarm.task_window: 16384 or less
 * @default_dep_pool: default of struct pto_ioc_prewarm.dep_pool: 16384 or less
 */
struct pto_device_info {
	__u32 size;
	__u32 arch;
	__u64 features;
	__u32 index;
	__u32 cluster_count;
	__u32 aic_count;
	__u32 aiv_count;
	__u32 aicpu_threads;
	__u32 worker_threads;
	__u32 max_contexts;
	__u32 max_streams;
	__u32 stream_depth;
	__u32 max_callables;
	__u32 max_func_id;
	__u32 max_arenas;
	__u32 page_size;
	__u32 pad;
	__u64 memory_size;
	__u64 memory_base;
	__u64 max_image_size;
	__u8 arch_name[16];
	__u8 name[32];
	__u64 default_timeout_ns;
	__u64 default_heap;
	__u32 default_task_window;
	__u32 default_dep_pool;
};

/**
 * struct pto_context_stats - answer of PTO_QUERY_CONTEXT: counters of this context
 * @size: bytes that the driver filled
 * @state: 0 usable, 1 lost (EIO until PTO_CTX_RESET), 2 device gone
 * @streams_created: streams created since open, the control stream and the default
 *	stream included; prepare and run never raise it
 * @streams_live: streams that exist now
 * @callables_live: cids in use
 * @bo_live: buffer objects that have an id
 * @bo_bytes: bytes of all buffer objects, including destroyed ones that runs still use
 * @images_live: images that have an id in this context
 * @prepares: successful calls of PTO_PREPARE
 * @unprepares: calls of PTO_UNPREPARE that emptied a slot
 * @aicpu_dlopen_count: orchestration objects that the device has loaded since open
 * @kernel_load_count: kernel objects that the device has loaded since open
 * @image_uploads: images that were copied to the device
 * @image_upload_bytes: bytes of those images
 * @image_dedup_hits: images that were on the device already
 * @arena_hits: runs whose arena existed already
 * @arena_misses: arenas that had to be allocated
 * @arena_builds: arena images that the device built for this context's requests
 * @arena_rebinds: arenas bound to an image that existed already, including those that
 *	PTO_CTX_RESET bound again
 * @runs_submitted: runs accepted
 * @runs_completed: runs that have ended, whatever their status
 * @runs_failed: runs that ended with a status other than 0
 * @resets: successful PTO_CTX_RESET
 * @host_dlopen_count: orchestration objects that the process has loaded: one for each
 *	successful PTO_PREPARE of kind PTO_KIND_HOST_GRAPH
 * @progress: a number that changes while a run of this context makes progress, or a kernel
 *	of it runs
 *
 * All counters but the "live" ones, @bo_bytes and @progress are monotonic.
 */
struct pto_context_stats {
	__u32 size;
	__u32 state;
	__u64 streams_created;
	__u64 streams_live;
	__u64 callables_live;
	__u64 bo_live;
	__u64 bo_bytes;
	__u64 images_live;
	__u64 prepares;
	__u64 unprepares;
	__u64 aicpu_dlopen_count;
	__u64 kernel_load_count;
	__u64 image_uploads;
	__u64 image_upload_bytes;
	__u64 image_dedup_hits;
	__u64 arena_hits;
	__u64 arena_misses;
	__u64 arena_builds;
	__u64 arena_rebinds;
	__u64 runs_submitted;
	__u64 runs_completed;
	__u64 runs_failed;
	__u64 resets;
	__u64 host_dlopen_count;
	__u64 progress;
};

/* Values of struct pto_context_stats.state. */
#define PTO_CTX_OK		0
#define PTO_CTX_LOST		1
#define PTO_CTX_GONE		2

/**
 * struct pto_device_usage - answer of PTO_QUERY_USAGE: resources in use by all contexts
 * @size: bytes that the driver filled
 * @contexts: contexts open now, the caller's included
 * @memory_size: device memory that can be allocated, in bytes
 * @memory_used: device memory that is allocated, in bytes
 * @images: images resident on the device
 * @image_bytes: bytes of those images
 * @arena_images: arena images resident on the device. A few unused ones are kept while
 *	the device is open, and freed when its memory runs short
 * @arena_image_bytes: device memory that arena images occupy
 * @streams: streams of all contexts
 * @contexts_opened: contexts opened since the device appeared
 *
 * EPERM unless the caller has CAP_PERFMON or CAP_SYS_ADMIN in the initial user namespace.
 */
struct pto_device_usage {
	__u32 size;
	__u32 contexts;
	__u64 memory_size;
	__u64 memory_used;
	__u64 images;
	__u64 image_bytes;
	__u64 arena_images;
	__u64 arena_image_bytes;
	__u64 streams;
	__u64 contexts_opened;
};

/**
 * struct pto_debug_stats - answer of PTO_QUERY_DEBUG: work done by the driver for this context
 * @size: bytes that the driver filled
 * @pad: 0
 * @doorbells: times the device was woken for this context's queues
 * @interrupts: times a waiter of this context slept and was woken
 * @device_commands: commands other than runs that were sent for this context
 * @hand_over_ns: what the device reckons it costs an orchestration of this context that another
 *	thread executes a task; 0 if the device does not say, or is gone, like what follows
 * @hand_over_tensor_ns: what each tensor of the task adds
 * @catch_up_ns: how long an orchestration waits until a task is ready that it executes itself
 * @max_debt_ns: limit of the time that it makes up for after it has executed tasks for which
 *	other threads have waited
 * @hand_overs: hand-overs that the device has measured for that, when the context was opened or
 *	last reset; 0: it had to assume the values
 *
 * This is the only part of the interface that is NOT STABLE. It serves to debug the driver. Its
 * members describe how this version of the driver works. Any later version may change or remove
 * a member, or the whole item, which then is EOPNOTSUPP. A removed member reads as 0, and new
 * members are appended. Programs should rely on struct pto_context_stats instead.
 *
 * @doorbells, @interrupts and @device_commands are monotonic.
 */
struct pto_debug_stats {
	__u32 size;
	__u32 pad;
	__u64 doorbells;
	__u64 interrupts;
	__u64 device_commands;
	__u64 hand_over_ns;
	__u64 hand_over_tensor_ns;
	__u64 catch_up_ns;
	__u64 max_debt_ns;
	__u64 hand_overs;
};

/* Placements of a buffer object. */
#define PTO_PLACE_DEVICE	0	/* device memory */
#define PTO_PLACE_HOST		1	/* host memory that the device can reach */

/**
 * struct pto_ioc_bo_create - argument of PTO_BO_CREATE: allocate a buffer object
 * @size: sizeof(struct pto_ioc_bo_create)
 * @flags: must be 0; else EOPNOTSUPP
 * @length: bytes; rounded up to whole pages. 0 is EINVAL
 * @placement: PTO_PLACE_*. With PTO_FEATURE_UNIFIED both are the same memory
 * @id: out: the buffer's id
 * @device_addr: out: its address on the device, constant for its lifetime
 * @mmap_offset: out: offset for mmap() on the context's file. The mapping must be
 *	MAP_SHARED, not executable, and lie within the buffer
 *
 * The memory reads as zero. EOVERFLOW if rounding overflows, ENOMEM if the
 * device has not enough memory, ENOSPC if the context has 65536 buffers,
 * those that are being freed included; EIO and ENODEV as for every ioctl.
 */
struct pto_ioc_bo_create {
	__u32 size;
	__u32 flags;
	__u64 length;
	__u32 placement;
	__u32 id;
	__u64 device_addr;
	__u64 mmap_offset;
};

/**
 * struct pto_ioc_bo_info - argument of PTO_BO_INFO: look a buffer object up
 * @size: sizeof(struct pto_ioc_bo_info)
 * @id: the buffer; ENOENT if there is none
 * @length: out: bytes, rounded up to whole pages
 * @device_addr: out: address on the device
 * @mmap_offset: out: offset for mmap()
 * @placement: out: PTO_PLACE_*
 * @references: out: number of references, the id's included
 * @mappings: out: number of user mappings
 * @pad: must be 0
 */
struct pto_ioc_bo_info {
	__u32 size;
	__u32 id;
	__u64 length;
	__u64 device_addr;
	__u64 mmap_offset;
	__u32 placement;
	__u32 references;
	__u32 mappings;
	__u32 pad;
};

/**
 * struct pto_ioc_bo_destroy - argument of PTO_BO_DESTROY: release a buffer object
 * @size: sizeof(struct pto_ioc_bo_destroy)
 * @id: the buffer; ENOENT if there is none
 *
 * The id is invalid at once, and the call does not wait. The memory is freed when it
 * is no longer mapped, every run that was submitted before has ended, and the device
 * has unmapped it.
 */
struct pto_ioc_bo_destroy {
	__u32 size;
	__u32 id;
};

/* Directions of PTO_BO_COPY. */
#define PTO_COPY_TO_DEVICE	1	/* user_ptr to dst_id */
#define PTO_COPY_FROM_DEVICE	2	/* src_id to user_ptr */
#define PTO_COPY_DEVICE		3	/* src_id to dst_id */

/**
 * struct pto_ioc_bo_copy - argument of PTO_BO_COPY: copy synchronously
 * @size: sizeof(struct pto_ioc_bo_copy)
 * @direction: PTO_COPY_*; any other is EOPNOTSUPP
 * @dst_id: destination buffer; 0 for PTO_COPY_FROM_DEVICE
 * @src_id: source buffer; 0 for PTO_COPY_TO_DEVICE
 * @dst_offset: first byte in the destination; 0 if the destination is user memory
 * @src_offset: first byte in the source; 0 if the source is user memory
 * @user_ptr: user memory; 0 for PTO_COPY_DEVICE
 * @length: bytes; 0 copies nothing. Past the end of a buffer is EINVAL
 *
 * The copy is complete when the call returns. It is not ordered with runs. After
 * EFAULT, part of the destination may have been written. Overlapping ranges of
 * one buffer are copied as by memmove().
 */
struct pto_ioc_bo_copy {
	__u32 size;
	__u32 direction;
	__u32 dst_id;
	__u32 src_id;
	__u64 dst_offset;
	__u64 src_offset;
	__u64 user_ptr;
	__u64 length;
};

/**
 * struct pto_ioc_bo_export - argument of PTO_BO_EXPORT: make a dma-buf of a buffer
 * @size: sizeof(struct pto_ioc_bo_export)
 * @flags: must be 0; else EOPNOTSUPP
 * @id: the buffer; ENOENT if there is none
 * @fd: out: a descriptor of the dma-buf, close-on-exec. It can be mapped for reading and writing
 *
 * The dma-buf has the buffer's memory, and keeps it: also when the buffer, the context and
 * the device are gone. It can be imported by any driver and by PTO_BO_IMPORT, and be handed to
 * other processes. Nothing is copied. Each call makes another dma-buf.
 *
 * Nothing orders the accesses of others with runs: wait for the runs first, or use fences.
 * ENOTTY without PTO_FEATURE_DMABUF. EMFILE, ENFILE: too many open files; ENOMEM.
 */
struct pto_ioc_bo_export {
	__u32 size;
	__u32 flags;
	__u32 id;
	__s32 fd;
};

/**
 * struct pto_ioc_bo_import - argument of PTO_BO_IMPORT: make a buffer of a dma-buf
 * @size: sizeof(struct pto_ioc_bo_import)
 * @flags: must be 0; else EOPNOTSUPP
 * @fd: a descriptor of the dma-buf. The buffer does not need it after the call. EBADF if it is
 *	none, EINVAL if it is that of something else
 * @id: out: the buffer's id
 * @length: out: bytes, whole pages
 * @device_addr: out: its address on the device, constant for its lifetime
 * @mmap_offset: out: offset for mmap() on the context's file
 *
 * The buffer is like one of PTO_BO_CREATE with PTO_PLACE_DEVICE, but its memory is that of the
 * dma-buf. Nothing is copied. A dma-buf of PTO_BO_EXPORT, of any context of the same device, gives
 * the same memory at the same address. If this context has the memory already, the new id is
 * another one of the same buffer: it has to be destroyed, too, and address and offset are the same.
 *
 * A dma-buf of another device or driver takes addresses of this device, as many as a buffer of its
 * size. A mapping of it must begin at @mmap_offset, is not counted by PTO_BO_INFO, and follows the
 * rules of the other driver besides. PTO_BO_COPY is EOPNOTSUPP if that driver gives the kernel no
 * mapping of the memory. Exported again it is the same dma-buf.
 *
 * ENOTTY without PTO_FEATURE_DMABUF. EOPNOTSUPP if the device cannot reach the memory. EINVAL if
 * its size is not whole pages. EBUSY if this context has destroyed its last id of the same memory
 * of the device, and mappings or runs still use it. ENOSPC and ENOMEM as for PTO_BO_CREATE.
 */
struct pto_ioc_bo_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 id;
	__u64 length;
	__u64 device_addr;
	__u64 mmap_offset;
};

/**
 * struct pto_ioc_stream_create - argument of PTO_STREAM_CREATE: create a stream
 * @size: sizeof(struct pto_ioc_stream_create)
 * @flags: must be 0; else EOPNOTSUPP
 * @id: out: the stream's id
 * @pad: must be 0
 *
 * Runs of one stream begin and end in the order of their submission; runs of
 * different streams of a context are not ordered, and take turns on the device.
 * ENOSPC if the context or the device has no stream left.
 */
struct pto_ioc_stream_create {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 pad;
};

/**
 * struct pto_ioc_stream_destroy - argument of PTO_STREAM_DESTROY
 * @size: sizeof(struct pto_ioc_stream_destroy)
 * @id: the stream; ENOENT if there is none, EINVAL for PTO_STREAM_DEFAULT
 *
 * EBUSY while runs of the stream are in flight. Unread results are dropped.
 */
struct pto_ioc_stream_destroy {
	__u32 size;
	__u32 id;
};

/**
 * struct pto_ioc_stream_wait - argument of PTO_STREAM_WAIT: wait until a stream is idle
 * @size: sizeof(struct pto_ioc_stream_wait)
 * @id: the stream; ENOENT if there is none
 * @timeout_ns: absolute CLOCK_MONOTONIC nanoseconds
 *
 * Waits for the runs submitted before the call. ETIMEDOUT at the deadline, EINTR on a
 * signal. The call neither reports the status of the runs nor counts as reading their
 * results.
 */
struct pto_ioc_stream_wait {
	__u32 size;
	__u32 id;
	__u64 timeout_ns;
};

/**
 * struct pto_ioc_image_create - argument of PTO_IMAGE_CREATE: upload an object to the device
 * @size: sizeof(struct pto_ioc_image_create)
 * @flags: must be 0; else EOPNOTSUPP
 * @data_ptr: the object's bytes (an ELF shared or relocatable object)
 * @length: bytes at @data_ptr; 0 is EINVAL, more than max_image_size EFBIG
 * @build_id: the object's GNU Build-ID, the key under which it is looked up
 * @build_id_len: bytes of it, at most PTO_BUILD_ID_MAX; 0 if it has none. The rest of
 *	@build_id must be 0
 * @id: out: the image's id in this context
 * @shared: out: 1 if the same bytes were on the device already for this user, else 0
 * @pad: must be 0
 *
 * All contexts that one user has opened share one device buffer for one image. The
 * Build-ID only selects candidates; a candidate is shared if its length and SHA-256 are
 * the same.
 */
struct pto_ioc_image_create {
	__u32 size;
	__u32 flags;
	__u64 data_ptr;
	__u64 length;
	__u8 build_id[PTO_BUILD_ID_MAX];
	__u32 build_id_len;
	__u32 id;
	__u32 shared;
	__u32 pad;
};

/**
 * struct pto_ioc_image_destroy - argument of PTO_IMAGE_DESTROY
 * @size: sizeof(struct pto_ioc_image_destroy)
 * @id: the image; ENOENT if there is none
 *
 * Frees the id. Prepared callables that use the image hold their own references
 * and are not affected.
 */
struct pto_ioc_image_destroy {
	__u32 size;
	__u32 id;
};

/* Kinds of callables. */
#define PTO_KIND_DEVICE_ORCH	1	/* the orchestration runs on the AICPU */
#define PTO_KIND_HOST_GRAPH	2	/* it runs in the process; needs PTO_FEATURE_HOST_GRAPH */

/* Types of cores. */
#define PTO_CORE_AIC		0
#define PTO_CORE_AIV		1

/**
 * struct pto_kernel - one kernel of a callable, element of pto_ioc_prepare.kernels_ptr
 * @func_id: the number by which the orchestration submits it, in [0, PTO_MAX_FUNC_ID),
 *	once per callable
 * @core_type: PTO_CORE_*
 * @image: the image that holds it (symbol "kernel_entry")
 * @pad: must be 0
 */
struct pto_kernel {
	__u32 func_id;
	__u32 core_type;
	__u32 image;
	__u32 pad;
};

/**
 * struct pto_ioc_prepare - argument of PTO_PREPARE: load a callable under a cid
 * @size: sizeof(struct pto_ioc_prepare)
 * @cid: in: the cid, or -1 for the lowest free one; out: the cid that was filled
 * @kind: PTO_KIND_*; EOPNOTSUPP for PTO_KIND_HOST_GRAPH without PTO_FEATURE_HOST_GRAPH
 * @flags: must be 0; else EOPNOTSUPP
 * @image: image of the orchestration object; 0 for PTO_KIND_HOST_GRAPH, whose
 *	orchestration the process loads itself
 * @kernel_count: number of kernels, at most PTO_MAX_FUNC_ID
 * @kernel_stride: sizeof(struct pto_kernel). A larger element must be zero behind the
 *	driver's struct, and must not be larger than a page; else E2BIG
 * @generation: out: generation of the slot, never 0
 * @kernels_ptr: array of struct pto_kernel
 * @entry: symbol of the entry, NUL terminated; empty means
 *	"aicpu_orchestration_entry"
 * @config: symbol of the configuration function, NUL terminated; empty means
 *	"aicpu_orchestration_config". A named function must exist; the default may
 *	be absent. @entry and @config must be empty for PTO_KIND_HOST_GRAPH
 * @log_ptr: buffer for the device's explanation of a failure; 0 for none
 * @log_size: bytes at @log_ptr; the text is truncated to fit and always NUL terminated
 * @pad: must be 0
 *
 * The slot is filled only after the device has loaded all objects, so a prepared
 * cid can be run. EINVAL: cid outside [-1, 64), func_id out of range or twice, a
 * symbol without NUL, an orchestration with PTO_KIND_HOST_GRAPH. EEXIST: the cid is
 * in use. ENOSPC: no cid is free. ENOENT: no such image. ENOEXEC: the device cannot
 * load an object or finds no symbol; the log says which. EBUSY: too many unprepared
 * callables still have runs in flight.
 */
struct pto_ioc_prepare {
	__u32 size;
	__s32 cid;
	__u32 kind;
	__u32 flags;
	__u32 image;
	__u32 kernel_count;
	__u32 kernel_stride;
	__u32 generation;
	__u64 kernels_ptr;
	__u8 entry[PTO_SYMBOL_MAX];
	__u8 config[PTO_SYMBOL_MAX];
	__u64 log_ptr;
	__u32 log_size;
	__u32 pad;
};

/**
 * struct pto_ioc_unprepare - argument of PTO_UNPREPARE: empty a cid
 * @size: sizeof(struct pto_ioc_unprepare)
 * @cid: the cid; outside [0, 64) is EINVAL
 * @generation: 0, or the generation the slot must have, else ENOENT
 * @pad: must be 0
 *
 * The cid is free at once. Runs that were submitted before are not affected. The
 * call succeeds for an empty slot if @generation is 0.
 */
struct pto_ioc_unprepare {
	__u32 size;
	__s32 cid;
	__u32 generation;
	__u32 pad;
};

/**
 * struct pto_ioc_prewarm - argument of PTO_PREWARM: get an arena for a ring configuration
 * @size: sizeof(struct pto_ioc_prewarm)
 * @flags: must be 0; else EOPNOTSUPP
 * @task_window: task slots per scope depth: 0 (the default), or a power of two in [4, 2^31)
 * @heap: bytes of the heap ring per scope depth: 0 (the default), or at least 1024
 * @dep_pool: dependency entries per scope depth: 0 (the default), or in [4, 2^31)
 * @arena: out: id of the arena, for struct pto_run_entry
 * @pad: must be 0
 * @arena_size: out: bytes of device memory that the arena occupies
 * @log_ptr: buffer for an explanation of ENOMEM: what did not fit; 0 for none
 * @log_size: bytes at @log_ptr
 * @pad2: must be 0
 *
 * The defaults are in struct pto_device_info.
 *
 * Builds the arena if the context does not have it. A context keeps at most max_arenas.
 * Another one evicts the least recently used idle arena; the id of that arena is then
 * invalid (ENOENT from PTO_RUN: call PTO_PREWARM again). ENOMEM if the device has not
 * enough memory, EOVERFLOW if the sum of the heaps overflows 64 bits, EIO if the device
 * rejects the image that it built itself (the next call has it built again).
 */
struct pto_ioc_prewarm {
	__u32 size;
	__u32 flags;
	__u64 task_window[PTO_RING_DEPTHS];
	__u64 heap[PTO_RING_DEPTHS];
	__u64 dep_pool[PTO_RING_DEPTHS];
	__u32 arena;
	__u32 pad;
	__u64 arena_size;
	__u64 log_ptr;
	__u32 log_size;
	__u32 pad2;
};

/**
 * struct pto_run_entry - one run, element of pto_ioc_run.entries_ptr
 * @cid: the callable; outside [0, 64) is EINVAL, an empty slot ENOENT
 * @generation: 0, or the generation that the slot must have, else ENOENT
 * @flags: must be 0; else EOPNOTSUPP
 * @args_bo: buffer that holds the arguments; 0 with @args_size 0 for none
 * @args_offset: offset of the arguments in @args_bo, a multiple of 64
 * @args_size: bytes of the arguments; layout: struct pto_run_args in pto_device.h
 * @arena: id from PTO_PREWARM; 0 for the arena of the default configuration
 * @timeout_ns: bound for the whole execution on the device, relative; 0: only the
 *	device's default for a run without progress applies
 * @user_data: returned by PTO_WAIT
 * @graph_offset: offset of the graph in @graph_bo, a multiple of 64
 * @graph_bo: buffer that holds the graph. Required if the callable is of kind
 *	PTO_KIND_HOST_GRAPH. For other kinds, this field, @graph_offset and @graph_size
 *	must be 0
 * @graph_size: bytes of the graph; layout: struct pto_dev_graph in pto_device.h
 * @sched_timeout_ns: bound for a time without progress (no task is submitted or
 *	completes, no kernel begins or ends) in which no kernel runs, relative; 0 for the
 *	device's default
 * @op_timeout_ns: bound for the duration of one kernel, relative; 0 for the device's
 *	default
 *
 * The device counts bounds in milliseconds, rounded up. While a kernel runs, @op_timeout_ns
 * applies and not @sched_timeout_ns. Both should be well below @timeout_ns: a bound that is
 * larger than that never expires.
 */
struct pto_run_entry {
	__s32 cid;
	__u32 generation;
	__u32 flags;
	__u32 args_bo;
	__u64 args_offset;
	__u32 args_size;
	__u32 arena;
	__u64 timeout_ns;
	__u64 user_data;
	__u64 graph_offset;
	__u32 graph_bo;
	__u32 graph_size;
	__u64 sched_timeout_ns;
	__u64 op_timeout_ns;
};

/**
 * struct pto_ioc_run - argument of PTO_RUN: submit runs to a stream, and optionally wait
 * @size: sizeof(struct pto_ioc_run). At least 40, the size of the first version, and at least
 *	52 with @wait_ptr
 * @flags: must be 0; else EOPNOTSUPP
 * @stream: the stream
 * @count: runs, at least 1 and at most stream_depth
 * @stride: sizeof(struct pto_run_entry), at least 48, the size of the first version. A
 *	larger element must be zero behind the driver's struct, and must not be larger than
 *	a page; else E2BIG
 * @accepted: out: number of accepted runs, counted from the first entry
 * @entries_ptr: array of struct pto_run_entry
 * @first_id: out: id of the first accepted run; the ids of the others follow it
 * @wait_ptr: a struct pto_ioc_wait: wait for the last accepted run, as PTO_WAIT does; 0: do not
 *	wait. Needs PTO_FEATURE_RUN_WAIT
 * @wait_error: out: result of the wait, as PTO_WAIT would have returned it: 0, or a negative
 *	errno. 0 without @wait_ptr
 * @pad: must be 0
 *
 * The call fails only if no run was accepted, with the error of the first entry. Otherwise
 * @accepted is the index of the entry that was refused; submit the rest again to get its
 * error. EAGAIN: the stream has stream_depth runs in flight. The device reads arguments and
 * graph while the run executes: do not change them before it has ended.
 *
 * The argument of the wait follows the rules of PTO_WAIT, but its run is an output: the driver
 * writes the id of the last accepted run there. The argument is checked before anything is
 * submitted; an error in it makes the call fail: EFAULT, EINVAL, E2BIG, EOPNOTSUPP. Later
 * errors are reported in @wait_error only. They do not affect @accepted and @first_id, which
 * are written before the wait begins.
 *
 * -ETIMEDOUT: the run has not ended by the deadline. -EINTR: a signal arrived, even one with
 * SA_RESTART, because a restarted call would submit again. -ESTALE: the result is no longer
 * kept. -ENODEV: the device is gone. -EFAULT: the result or its log cannot be written.
 *
 * @wait_error is -EINPROGRESS while the call waits, and stays so if it cannot be written
 * afterwards. PTO_WAIT continues a wait that ended early.
 */
struct pto_ioc_run {
	__u32 size;
	__u32 flags;
	__u32 stream;
	__u32 count;
	__u32 stride;
	__u32 accepted;
	__u64 entries_ptr;
	__u64 first_id;
	__u64 wait_ptr;
	__s32 wait_error;
	__u32 pad;
};

/**
 * struct pto_ioc_wait - argument of PTO_WAIT: wait for a run and read its result
 * @size: sizeof(struct pto_ioc_wait)
 * @flags: must be 0; else EOPNOTSUPP
 * @run: id of the run; ENOENT if there never was one. PTO_RUN with wait_ptr writes it
 * @timeout_ns: absolute CLOCK_MONOTONIC nanoseconds
 * @status: out: 0, or the failure of the run as a negative errno: -EREMOTEIO the
 *	program failed (@code says how), -EIO the context crashed or was lost,
 *	-ETIMEDOUT the run exceeded a bound, -ECANCELED it was aborted,
 *	-EINVAL the arguments do not match the callable
 * @code: out: PTO_FATAL_* when @status is -EREMOTEIO or -ETIMEDOUT, else 0
 * @subcode: out: sub-class of @code, 0 if it has none
 * @pad: must be 0
 * @user_data: out: as submitted
 * @submit_ns: out: CLOCK_MONOTONIC when the driver queued the run
 * @start_ns: out: CLOCK_MONOTONIC when the device began it
 * @end_ns: out: CLOCK_MONOTONIC when the device finished it
 * @log_ptr: buffer for the device's explanation of a failure; 0 for none
 * @log_size: bytes at @log_ptr; the text is truncated to fit and always NUL terminated
 * @pad2: must be 0
 * @task: out: task concerned if the device names one, else ~0
 * @func_id: out: function concerned if the device names one, else ~0
 * @core: out: core concerned if the device names one, else ~0
 *
 * The ioctl itself returns 0 whenever the run has ended. ETIMEDOUT: the run has not ended
 * by the deadline. EINTR: a signal arrived. ESTALE: the run has ended, but its result is no
 * longer kept: a stream keeps the last stream_depth results. For poll(), reading a result
 * also marks all earlier results of the stream as read: POLLIN is set while a run has ended
 * and neither its result nor a later one of its stream has been read.
 */
struct pto_ioc_wait {
	__u32 size;
	__u32 flags;
	__u64 run;
	__u64 timeout_ns;
	__s32 status;
	__u32 code;
	__u32 subcode;
	__u32 pad;
	__u64 user_data;
	__u64 submit_ns;
	__u64 start_ns;
	__u64 end_ns;
	__u64 log_ptr;
	__u32 log_size;
	__u32 pad2;
	__u64 task;
	__u32 func_id;
	__u32 core;
};

/**
 * struct pto_ioc_ctx_reset - argument of PTO_CTX_RESET: make a lost context usable again
 * @size: sizeof(struct pto_ioc_ctx_reset)
 * @flags: must be 0; else EOPNOTSUPP
 *
 * Aborts the runs in flight (-ECANCELED), gives the context a new hardware
 * context and loads its prepared callables again. Buffers keep their contents and
 * addresses. Cids and ids stay valid, also those of arenas, except that an arena which
 * the device no longer accepts is dropped, as if it had been evicted.
 */
struct pto_ioc_ctx_reset {
	__u32 size;
	__u32 flags;
};

/* Fatal codes (struct pto_ioc_wait.code). */
#define PTO_FATAL_SCOPE_DEADLOCK		1
#define PTO_FATAL_HEAP_RING_DEADLOCK		2
#define PTO_FATAL_FLOW_CONTROL_DEADLOCK		3
#define PTO_FATAL_DEP_POOL_OVERFLOW		4
#define PTO_FATAL_INVALID_ARGS			5
#define PTO_FATAL_REQUIRE_SYNC_START_INVALID	7
#define PTO_FATAL_TENSOR_WAIT_TIMEOUT		8
#define PTO_FATAL_EXPLICIT			9
#define PTO_FATAL_SCOPE_TASKS_OVERFLOW		10
#define PTO_FATAL_TENSORMAP_OVERFLOW		11
#define PTO_FATAL_SCHEDULER_TIMEOUT		100
#define PTO_FATAL_ASYNC_COMPLETION_INVALID	101
#define PTO_FATAL_ASYNC_WAIT_OVERFLOW		102
#define PTO_FATAL_ASYNC_REGISTRATION_FAILED	103
#define PTO_FATAL_READY_QUEUE_OVERFLOW		104

/*
 * The layout is the same for every compiler and word size. C99 has no
 * _Static_assert; a negative array bound replaces it there.
 */
#define PTO_ABI_CONCAT_(a, b) a##b
#define PTO_ABI_CONCAT(a, b) PTO_ABI_CONCAT_(a, b)
#if defined(__cplusplus) && __cplusplus >= 201103L
#define PTO_ABI_ASSERT(cond) static_assert(cond, #cond)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define PTO_ABI_ASSERT(cond) _Static_assert(cond, #cond)
#else
#define PTO_ABI_ASSERT(cond) \
	typedef char PTO_ABI_CONCAT(pto_abi_assert_, __LINE__)[(cond) ? 1 : -1] \
		__attribute__((unused))
#endif
#define PTO_ABI_SIZE(type, bytes) PTO_ABI_ASSERT(sizeof(struct type) == (bytes))
#define PTO_ABI_OFFSET(type, field, bytes) \
	PTO_ABI_ASSERT(__builtin_offsetof(struct type, field) == (bytes))

PTO_ABI_SIZE(pto_ioc_query, 24);
PTO_ABI_SIZE(pto_device_info, 168);
PTO_ABI_OFFSET(pto_device_info, memory_size, 72);
PTO_ABI_OFFSET(pto_device_info, arch_name, 96);
PTO_ABI_OFFSET(pto_device_info, default_heap, 152);
PTO_ABI_SIZE(pto_context_stats, 192);
PTO_ABI_OFFSET(pto_context_stats, aicpu_dlopen_count, 72);
PTO_ABI_SIZE(pto_device_usage, 72);
PTO_ABI_SIZE(pto_debug_stats, 72);
PTO_ABI_SIZE(pto_ioc_bo_create, 40);
PTO_ABI_SIZE(pto_ioc_bo_info, 48);
PTO_ABI_SIZE(pto_ioc_bo_destroy, 8);
PTO_ABI_SIZE(pto_ioc_bo_copy, 48);
PTO_ABI_SIZE(pto_ioc_bo_export, 16);
PTO_ABI_SIZE(pto_ioc_bo_import, 40);
PTO_ABI_SIZE(pto_ioc_stream_create, 16);
PTO_ABI_SIZE(pto_ioc_stream_destroy, 8);
PTO_ABI_SIZE(pto_ioc_stream_wait, 16);
PTO_ABI_SIZE(pto_ioc_image_create, 72);
PTO_ABI_OFFSET(pto_ioc_image_create, build_id_len, 56);
PTO_ABI_SIZE(pto_ioc_image_destroy, 8);
PTO_ABI_SIZE(pto_kernel, 16);
PTO_ABI_SIZE(pto_ioc_prepare, 184);
PTO_ABI_OFFSET(pto_ioc_prepare, entry, 40);
PTO_ABI_OFFSET(pto_ioc_prepare, log_ptr, 168);
PTO_ABI_SIZE(pto_ioc_unprepare, 16);
PTO_ABI_SIZE(pto_ioc_prewarm, 136);
PTO_ABI_OFFSET(pto_ioc_prewarm, log_ptr, 120);
PTO_ABI_SIZE(pto_run_entry, 80);
PTO_ABI_OFFSET(pto_run_entry, args_offset, 16);
PTO_ABI_OFFSET(pto_run_entry, graph_offset, 48);
PTO_ABI_OFFSET(pto_run_entry, sched_timeout_ns, 64);
PTO_ABI_SIZE(pto_ioc_run, 56);
PTO_ABI_OFFSET(pto_ioc_run, wait_ptr, 40);
PTO_ABI_OFFSET(pto_ioc_run, wait_error, 48);
PTO_ABI_SIZE(pto_ioc_wait, 104);
PTO_ABI_OFFSET(pto_ioc_wait, log_ptr, 72);
PTO_ABI_OFFSET(pto_ioc_wait, task, 88);
PTO_ABI_SIZE(pto_ioc_ctx_reset, 8);

#endif /* _UAPI_LINUX_PTO_H */
