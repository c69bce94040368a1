/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the selftests share. Everything speaks to the driver with raw ioctls, so that a
 * test sees what an application without libpto would see.
 *
 * Functions return 0 (or something not negative) or a negative errno; none prints.
 */
#ifndef PTOTEST_H
#define PTOTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/pto.h>
#include <linux/pto_device.h>
#include <pto/tensor.h>

#define PT_SECOND	1000000000ULL
/* How long something may take that is certain to happen, on the slowest machine. */
#define PT_PATIENCE	(60 * PT_SECOND)

/* --- where we are (env.c) --------------------------------------------------- */

/** pt_simulator() - true under libptosim.so: its ioctl() is the one we call */
bool pt_simulator(void);

/** pt_path() - @name relative to the folder of this executable; static per thread */
const char *pt_path(const char *name);

/** pt_object() - path of a device object of selftests/device */
const char *pt_object(const char *name);

/** pt_now() - CLOCK_MONOTONIC nanoseconds */
uint64_t pt_now(void);

/** pt_deadline() - CLOCK_MONOTONIC in PT_PATIENCE from now */
uint64_t pt_deadline(void);

/** pt_pause() - let others run while polling for something that will happen */
void pt_pause(void);

/** pt_threads() - how many threads this process has; 0 if nobody can tell */
unsigned int pt_threads(void);

/**
 * pt_deny_call() - a system call answers @err from now on, in this thread and its children
 *
 * As in a container that forbids it, or on a kernel that does not have it. Return: 0 or -errno
 */
int pt_deny_call(long number, int err);

/** pt_deny_call_everywhere() - the same in all threads of the process */
int pt_deny_call_everywhere(long number, int err);

/** pt_drop_capability() - one capability (CAP_*) less, for this thread. Return: 0 or -errno */
int pt_drop_capability(int cap);

/* --- descriptors (descriptor.c) ----------------------------------------------- */

/** pt_fd_send() - send a descriptor over a socket, with one byte. Return: 0 or -errno */
int pt_fd_send(int sock, int fd);

/** pt_fd_receive() - receive what pt_fd_send() sent, close-on-exec. Return: it, or -EIO */
int pt_fd_receive(int sock);

/* --- devices (device.c) ------------------------------------------------------ */

/** pt_ioctl() - ioctl() with the kernel's convention. Return: 0 or -errno */
int pt_ioctl(int fd, unsigned long nr, void *arg);

/** pt_open() - open a device of an architecture, 0 for any. Return: fd, -ENOENT if none */
int pt_open(uint32_t arch);

/** pt_open_path() - open a device node. Return: fd or -errno */
int pt_open_path(const char *path);

/** pt_device_path() - path of the device that pt_open() would open. Return: 0 or -ENOENT */
int pt_device_path(uint32_t arch, char *path, size_t size);

int pt_info(int fd, struct pto_device_info *info);
int pt_stats(int fd, struct pto_context_stats *stats);
int pt_usage(int fd, struct pto_device_usage *usage);
int pt_debug_stats(int fd, struct pto_debug_stats *stats);

/**
 * pt_usage_settles() - wait until the device's usage is as @want says, contexts_opened apart
 * @fd: a context that is counted in @want
 *
 * Return: 0, or -ETIMEDOUT after PT_PATIENCE with the last usage in @seen (may be NULL).
 */
int pt_usage_settles(int fd, const struct pto_device_usage *want, struct pto_device_usage *seen);

/** pt_images_settle() - the same until it has @images images */
int pt_images_settle(int fd, uint64_t images, struct pto_device_usage *seen);

/** pt_usage_same() - equal but for contexts_opened */
bool pt_usage_same(const struct pto_device_usage *a, const struct pto_device_usage *b);

/* --- counters (counters.c) --------------------------------------------------- */

/**
 * pt_counter_fell() - has a counter gone down that must not?
 * @before: counters
 * @now: the same of the same context, later
 *
 * Return: which word of the struct, or -1.
 */
int pt_counter_fell(const struct pto_context_stats *before, const struct pto_context_stats *now);

/** pt_debug_counter_fell() - the same of the driver's own counters */
int pt_debug_counter_fell(const struct pto_debug_stats *before, const struct pto_debug_stats *now);

/* --- buffers (buffer.c) ------------------------------------------------------ */

/**
 * struct pt_buf - a buffer object, mapped
 * @id: its id, 0 if there is none
 * @addr: device address
 * @bytes: length, whole pages
 * @map: mapping, NULL if there is none
 */
struct pt_buf {
	uint32_t id;
	uint64_t addr;
	size_t bytes;
	void *map;
};

int pt_buf_new(int fd, size_t bytes, struct pt_buf *buf);
void pt_buf_free(int fd, struct pt_buf *buf);
int pt_bo_destroy(int fd, uint32_t id);

/** pt_tensor() - a contiguous 1-D tensor of @count elements of @elem bytes in device memory */
struct pto_tensor pt_tensor(uint64_t addr, uint8_t dtype, uint32_t elem, uint32_t count);

/**
 * pt_args_write() - lay run arguments out at @at
 * Return: their size in bytes.
 */
uint32_t pt_args_write(void *at, uint32_t tensor_count, const struct pto_tensor *tensors,
		       uint32_t scalar_count, const uint64_t *scalars);

/* --- callables (callable.c) -------------------------------------------------- */

/**
 * struct pt_file - an object file in memory
 * @data: its bytes, malloc()ed
 * @bytes: how many
 * @build_id: GNU Build-ID, zero padded
 * @build_id_len: bytes of it, 0 if it has none
 */
struct pt_file {
	void *data;
	size_t bytes;
	uint8_t build_id[PTO_BUILD_ID_MAX];
	uint32_t build_id_len;
};

/** pt_file_read() - read an object of selftests/device */
int pt_file_read(const char *name, struct pt_file *file);
void pt_file_free(struct pt_file *file);

/** pt_image() - PTO_IMAGE_CREATE of an object of selftests/device */
int pt_image(int fd, const char *name, struct pto_ioc_image_create *image);
int pt_image_destroy(int fd, uint32_t id);

#define PT_MAX_KERNELS 4

/**
 * struct pt_callable - what to prepare
 * @orch: orchestration object
 * @entry: its entry symbol, NULL for the default
 * @config: its configuration symbol, NULL for the default
 * @kernels: kernels, up to the first without an object
 */
struct pt_callable {
	const char *orch;
	const char *entry;
	const char *config;
	struct {
		uint32_t func_id;
		uint32_t core_type;
		const char *object;
	} kernels[PT_MAX_KERNELS];
};

/* Vector jobs (see struct pt_vec): f = a + b, and f = a * b */
extern const struct pt_callable pt_add, pt_mul;

/**
 * pt_prepare() - create the images, prepare, and drop the images' ids
 * @cid: where, -1 for the lowest free
 * @out: the ioctl's argument afterwards, or NULL
 *
 * Return: the cid or -errno.
 */
int pt_prepare(int fd, int cid, const struct pt_callable *callable, struct pto_ioc_prepare *out);
int pt_unprepare(int fd, int cid);

/* --- runs (run.c) ------------------------------------------------------------ */

/** pt_submit_entry() - submit one run, as @entry describes it; @id gets its id */
int pt_submit_entry(int fd, uint32_t stream, const struct pto_run_entry *entry, uint64_t *id);

/**
 * pt_submit() - submit one run
 * @args: buffer with the arguments at its beginning, or NULL for none
 * @args_bytes: bytes of them
 * @id: its id
 */
int pt_submit(int fd, uint32_t stream, int cid, const struct pt_buf *args, uint32_t args_bytes,
	      uint64_t *id);

/** pt_wait() - wait for a run until pt_deadline(). @out may be NULL. Return: of the ioctl */
int pt_wait(int fd, uint64_t id, struct pto_ioc_wait *out);

/** pt_finish() - pt_wait(). Return: its error, or how the run ended */
int pt_finish(int fd, uint64_t id);

/** pt_run() - submit to the default stream and pt_finish() */
int pt_run(int fd, int cid, const struct pt_buf *args, uint32_t args_bytes);

int pt_stream_create(int fd, uint32_t *id);
int pt_stream_destroy(int fd, uint32_t id);
int pt_stream_wait(int fd, uint32_t id, uint64_t deadline);
int pt_reset(int fd);

/* --- a vector job: f = a (op) b ----------------------------------------------- */

/**
 * struct pt_vec - operands and arguments of a callable that takes three vectors
 * @data: a, b and f, @count floats each
 * @args: the arguments
 * @args_bytes: bytes of them
 * @count: elements
 */
struct pt_vec {
	struct pt_buf data;
	struct pt_buf args;
	uint32_t args_bytes;
	uint32_t count;
};

int pt_vec_new(int fd, uint32_t count, struct pt_vec *vec);
void pt_vec_free(int fd, struct pt_vec *vec);

/** pt_vec_fill() - a[i] = a + i, b[i] = b, f[i] = -1 */
void pt_vec_fill(struct pt_vec *vec, float a, float b);

/** pt_vec_out() - f */
const float *pt_vec_out(const struct pt_vec *vec);

/* --- runs that wait (gate.c) ---------------------------------------------------- */

/**
 * struct pt_gate - a prepared orch_gate: its runs wait until the gate is open
 * @cid: its cid
 * @words: the gate, and how many runs have passed it
 * @args: the arguments
 * @args_bytes: bytes of them
 */
struct pt_gate {
	int cid;
	struct pt_buf words;
	struct pt_buf args;
	uint32_t args_bytes;
};

/**
 * pt_gate_new() - prepare orch_gate; its gate is closed
 * @vec: vectors on which a run computes f = a + b once it has passed; NULL for none
 */
int pt_gate_new(int fd, const struct pt_vec *vec, struct pt_gate *gate);
void pt_gate_free(int fd, struct pt_gate *gate);
int pt_gate_submit(int fd, const struct pt_gate *gate, uint32_t stream, uint64_t *id);
void pt_gate_set(struct pt_gate *gate, bool open);
uint32_t pt_gate_passed(const struct pt_gate *gate);
uint32_t pt_gate_begun(const struct pt_gate *gate);

/* --- software devices of one's own (ptod.c) ------------------------------------------- */

/**
 * struct pt_ptod - a device that this process has started
 * @timeout_ms: its default bounds; NULL: those that it has by itself
 * @pid: its process, 0 if there is none
 * @others: devices that there were before, bit N for /dev/ptoN
 */
struct pt_ptod {
	const char *timeout_ms;
	pid_t pid;
	uint64_t others;
};

/** pt_ptod_possible() - is this a kernel with the module, and may we make devices? */
bool pt_ptod_possible(void);

/**
 * pt_ptod_start() - start one ($PTO_PTOD, or ../../bin/ptod beside the tests) and open it
 * Return: fd or -errno.
 */
int pt_ptod_start(struct pt_ptod *ptod);

/** pt_ptod_kill() - kill it with SIGKILL, if it runs. Return: 0 or -errno */
int pt_ptod_kill(struct pt_ptod *ptod);

#endif /* PTOTEST_H */
