/* SPDX-License-Identifier: MIT */
/*
 * libptosim.so simulates /dev/ptoN by interposition. This header has the declarations that its
 * files share.
 *
 * There are two groups of files, which include different headers:
 *
 *   hook_*.c    the interposed entry points: C library headers only
 *   the others  files, devices, mappings; those that touch the driver core also
 *               include pto_core.h and with it sim/kernel's headers
 *
 * Identity. The file descriptor of a context is one end of a socket pair. It is bound to an
 * abstract name that identifies device, process and context ("pto-sim/INDEX/PID/NONCE"). So one
 * getsockname() identifies any descriptor, in any process and whichever way it got there. The
 * other end is the peer: a helper thread watches it, and it hangs up exactly when the last
 * descriptor is closed.
 *
 * The fd table caches identities. An entry is one word:
 *
 *   0                 unknown: not identified yet, or not a context
 *   file              verified: PTO ioctls use it without a system call
 *   file | SIM_HINT   a copy made by dup(): probably this file, verify before use
 *   SIM_INTERNAL      a descriptor of the simulator itself, which the application must
 *                     not close
 *   SIM_FOREIGN       probably a context of another process, verify before use
 *
 * Every interposed call that closes or replaces a descriptor drops the entry first. If a
 * descriptor is closed in another way (a raw system call instruction, io_uring) and its number
 * is used again, the entry is stale. So every call but a PTO ioctl verifies an entry before it
 * acts on it: a stale entry cannot make a read(), an mmap() or an fstat() of another file fail.
 * A PTO ioctl on a stale entry reaches the old context if a duplicate keeps that open; else it
 * fails with ENOTTY, as for any other file.
 *
 * Locks, outermost first: device, file, mapping, dma-bufs. None is held while the driver core waits
 * for a run. Lookups take no lock. So the interposed functions that POSIX declares
 * async-signal-safe remain so for every descriptor that is not a context.
 *
 * Fork. The kernel wipes one page in a forked child, so a check of one word tells a process
 * that it is such a child. It then drops all state of the parent (see fork.c).
 */
#ifndef PTO_SIM_PRELOAD_H
#define PTO_SIM_PRELOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SIM_EXPORT __attribute__((visibility("default")))
#define SIM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define SIM_MAX_DEVICES 16

struct sim_file;
struct sim_device;
struct pto_device;
struct pto_bo;
struct stat;
struct statx;

/* --- config.c: the environment ---------------------------------------------- */

/**
 * struct sim_config - the environment variables; constant once they have been read
 * @error: 0, or -EINVAL if a variable is not valid (reported on stderr)
 * @devices: PTO_SIM_DEVICES
 * @arch: PTO_SIM_ARCH of each device, PTO_ARCH_*
 * @memory_size: PTO_SIM_MEMORY in bytes, 0 for the default
 * @workers: PTO_SIM_WORKERS, 0 for the default
 * @timeout_ns: PTO_SIM_TIMEOUT_MS, 0 for the default
 * @trace: PTO_SIM_TRACE: NULL, "1" for stderr, or a path
 * @fail_alloc: PTO_SIM_FAIL=alloc:N: the Nth allocation fails; 0 for none
 * @fail_gone: PTO_SIM_FAIL=gone:N: a device disappears after N runs; 0 for never
 * @fail_hang: PTO_SIM_FAIL=hang:N: a device's Nth run never begins; 0 for none
 * @fail_lost: PTO_SIM_FAIL=lost:N: the completion of a device's Nth run is lost; 0 for none
 * @fail_interrupt: PTO_SIM_FAIL=interrupt:N: the Nth interrupt is lost; 0 for none
 * @fail_kick: PTO_SIM_FAIL=kick:N: the Nth doorbell is lost; 0 for none
 * @check: PTO_SIM_CHECK: 0, 1 to report leaks at exit, 2 to abort on one
 */
struct sim_config {
	int error;
	unsigned int devices;
	uint32_t arch[SIM_MAX_DEVICES];
	uint64_t memory_size;
	uint32_t workers;
	uint64_t timeout_ns;
	const char *trace;
	uint64_t fail_alloc;
	uint64_t fail_gone;
	uint64_t fail_hang;
	uint64_t fail_lost;
	uint64_t fail_interrupt;
	uint64_t fail_kick;
	int check;
};

/** sim_config() - the configuration; reads the environment at the first call */
const struct sim_config *sim_config(void);

/** sim_say() - write one line to stderr, with the prefix "pto: "; keeps errno */
void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- limits.c: limits of the process -------------------------------------------- */

struct refusal;

/**
 * sim_limits_explain() - pto@index cannot be opened: say, once a process, which call of ours
 * failed, and which limit it may be
 */
void sim_limits_explain(unsigned int index, int error, const struct refusal *why);

/** sim_limits_memory() - pto@index has less memory than it is to have by default: say so */
void sim_limits_memory(unsigned int index, uint64_t has, uint64_t wanted);

/* --- lock.c ------------------------------------------------------------------------ */

/** sim_lock_all() - mlockall() with MCL_CURRENT. Device memory is not locked */
long sim_lock_all(int flags);

/* --- path.c ------------------------------------------------------------------ */

#define SIM_PATH_OTHER	(-1)	/* not a device */
#define SIM_PATH_BELOW	(-2)	/* a device is used as a directory: ENOTDIR */

/** sim_path_candidate() - can @path name a device? A cheap check, false for most paths */
bool sim_path_candidate(const char *path);

/**
 * sim_path_index() - the device that a path names
 * @dirfd: as for openat()
 * @path: a readable string
 *
 * Return: N of /dev/ptoN, whether it exists or not; or SIM_PATH_*.
 */
int sim_path_index(int dirfd, const char *path);

/** sim_path_index_user() - sim_path_index() of a string that may not be readable */
int sim_path_index_user(int dirfd, const char *path);

/**
 * sim_path_link() - the device of a descriptor that a path leads to, as /proc/self/fd/N does
 * @dirfd: as for openat()
 * @path: as the application passed it
 *
 * Asks the kernel, which reports the descriptor as a socket. Finds descriptors that this process
 * has, too.
 *
 * Return: N of /dev/ptoN, or SIM_PATH_OTHER.
 */
int sim_path_link(int dirfd, const char *path);

/** sim_path_link_candidate() - can @path be such a link? It may be unreadable. A cheap check */
bool sim_path_link_candidate(const char *path);

/** sim_path_of_socket() - sim_path_link() of a path that leads to what has the status @st */
int sim_path_of_socket(const struct stat *st, const char *path);

/** sim_path_is_dev() - is @dir the directory /dev? "": @dirfd itself. @dir may be unreadable */
bool sim_path_is_dev(int dirfd, const char *dir);

/* --- fdtable.c: the cache of identities -------------------------------------- */

#define SIM_HINT	((uintptr_t)1)
#define SIM_INTERNAL	((uintptr_t)2)
#define SIM_FOREIGN	((uintptr_t)4)

#define SIM_FD_CHUNK	1024
#define SIM_FD_CHUNKS	1024

extern uintptr_t *sim_fd_chunks[SIM_FD_CHUNKS]; /* of atomic words, themselves atomic */
extern _Atomic bool sim_fd_any;

/** sim_fd_used() - has the table ever had a context, of this process or another? */
static inline bool sim_fd_used(void)
{
	return atomic_load_explicit(&sim_fd_any, memory_order_relaxed);
}

/** sim_fd_peek() - the entry of a descriptor; 0 if the number is beyond the table */
static inline uintptr_t sim_fd_peek(int fd)
{
	unsigned int chunk = (unsigned int)fd / SIM_FD_CHUNK;
	uintptr_t *entries;

	if (chunk >= SIM_FD_CHUNKS)
		return 0;
	entries = __atomic_load_n(&sim_fd_chunks[chunk], __ATOMIC_ACQUIRE);
	if (!entries)
		return 0;
	return __atomic_load_n(&entries[(unsigned int)fd % SIM_FD_CHUNK], __ATOMIC_ACQUIRE);
}

/** sim_fd_set() - replace an entry; it stays 0 if the table has no room or memory for it */
void sim_fd_set(int fd, uintptr_t entry);

/** sim_fd_learn() - sim_fd_set(), except in a child of vfork(), whose descriptors differ */
void sim_fd_learn(int fd, uintptr_t entry);

/** sim_fd_forget() - drop the entry of a descriptor that has just been made */
static inline void sim_fd_forget(int fd)
{
	if (SIM_UNLIKELY(sim_fd_peek(fd)))
		sim_fd_learn(fd, 0);
}

/** sim_fd_each() - call @fn for each non-zero entry of descriptors in [first, last] */
void sim_fd_each(unsigned int first, unsigned int last,
		 void (*fn)(int fd, uintptr_t entry, void *arg), void *arg);

/** sim_fd_internal() - move @fd to a high number, as SIM_INTERNAL. Return: it, or -errno */
int sim_fd_internal(int fd);

/** sim_fd_close_internal() - close a descriptor that sim_fd_internal() returned */
void sim_fd_close_internal(int fd);

/* --- file.c: open contexts ---------------------------------------------------- */

/** enum sim_kind - the kind of a descriptor */
enum sim_kind {
	SIM_NONE,	/* not a context */
	SIM_OURS,	/* a context of this process; the caller gets a reference */
	SIM_OTHER,	/* a context of another process */
};

/**
 * sim_file_open() - open a context: open() of /dev/pto@index
 * @index: which device
 * @flags: as for open()
 *
 * Return: a descriptor or a negative errno.
 */
int sim_file_open(unsigned int index, int flags);

/** sim_file_get() - the file of a verified entry, with a reference; NULL if there is none */
struct sim_file *sim_file_get(int fd);

/** sim_file_hold() - take another reference; the caller has one already */
void sim_file_hold(struct sim_file *file);

/** sim_file_put() - drop a reference; the last one after the last close ends the context */
void sim_file_put(struct sim_file *file);

/**
 * sim_file_verify() - ask the kernel what a descriptor is
 * @fd: the descriptor
 * @file: out: for SIM_OURS
 * @index: out: the device, for SIM_OURS and SIM_OTHER; or NULL
 *
 * Makes one system call, takes no lock, and corrects the table.
 */
enum sim_kind sim_file_verify(int fd, struct sim_file **file, unsigned int *index);

/** sim_file_of() - sim_file_verify() if the table has an entry for @fd, else SIM_NONE */
static inline enum sim_kind sim_file_of(int fd, struct sim_file **file)
{
	uintptr_t entry = sim_fd_peek(fd);

	if (__builtin_expect(!entry || entry == SIM_INTERNAL, 1))
		return SIM_NONE;
	return sim_file_verify(fd, file, NULL);
}

/** sim_context_index() - device of a descriptor, for a context of any process; -1 for others */
int sim_context_index(int fd);

/** sim_file_other() - report, once per process, that a context belongs to another process */
void sim_file_other(int fd);

/**
 * struct sim_closing - the file to check after a descriptor was closed
 * @file: the file whose last descriptor that may have been, or NULL
 * @generation: sim_file.generation of @file before the close
 */
struct sim_closing {
	struct sim_file *file;
	uint64_t generation;
};

/** sim_file_before_close() - drop the entry of @fd, which is about to be closed or replaced */
struct sim_closing sim_file_before_close(int fd);

/** sim_file_after_close() - after the close: end the context if that was its last descriptor */
void sim_file_after_close(struct sim_closing closing);

/** sim_file_reap() - end every context whose last descriptor is closed */
void sim_file_reap(void);

/** sim_file_await_closes() - the same, and wait for those that another thread is ending */
void sim_file_await_closes(void);

/** sim_file_ioctl() - an ioctl on @file by way of @fd. Return: 0 or a negative errno */
long sim_file_ioctl(struct sim_file *file, int fd, unsigned int cmd, void *arg);

/** sim_file_accmode() - O_RDONLY, O_WRONLY or O_RDWR */
int sim_file_accmode(const struct sim_file *file);

/** sim_file_index() - N of its device */
unsigned int sim_file_index(const struct sim_file *file);

/**
 * sim_file_mmap() - struct pto_bo of a mapping, see pto_ctx_mmap()
 *
 * Return: a descriptor to map, with the access mode of the file, or a negative errno.
 */
int sim_file_mmap(struct sim_file *file, uint64_t offset, uint64_t length, struct pto_bo **bo,
		  uint64_t *window_offset);

/** sim_spawn_fork_child() - drop the descriptors of file actions: they belong to the parent */
void sim_spawn_fork_child(void);

/** sim_file_fork_child() - drop all files: they belong to the parent */
void sim_file_fork_child(void);

/** sim_file_count() - number of contexts that have not ended */
unsigned int sim_file_count(void);

/* --- ready.c: readiness of the descriptors ------------------------------------ */

/** sim_ready_arm() - begin a poll of @file by way of @fd. Return: EPOLL* bits now */
uint32_t sim_ready_arm(struct sim_file *file, int fd, bool forever);

/** sim_ready_disarm() - end what sim_ready_arm(..., false) began. Return: EPOLL* bits now */
uint32_t sim_ready_disarm(struct sim_file *file, int fd);

/* --- map*.c: user mappings of buffer objects ----------------------------------- */

extern _Atomic(uintptr_t) sim_map_low, sim_map_high; /* bounds of all mappings of buffers */

/** sim_map_search() - the slow path of sim_map_overlaps() */
bool sim_map_search(uintptr_t start, uintptr_t end);

/**
 * sim_map_overlaps() - does [addr, addr + length) map a buffer object?
 *
 * Takes the lock only for a range within the bounds, and never allocates: the caller may be an
 * allocator.
 */
static inline bool sim_map_overlaps(const void *addr, size_t length)
{
	uintptr_t start = (uintptr_t)addr;

	return SIM_UNLIKELY(start < atomic_load_explicit(&sim_map_high, memory_order_relaxed) &&
			    start + length >
				    atomic_load_explicit(&sim_map_low, memory_order_relaxed)) &&
	       sim_map_search(start, start + length);
}

/** sim_map_create() - mmap() of a context's file. Return: address or negative errno */
long sim_map_create(struct sim_file *file, void *addr, size_t length, int prot, int flags,
		    off_t offset);

/** sim_map_share() - mmap() of @fd, if it is a dma-buf; else -ENODEV */
long sim_map_share(int fd, void *addr, size_t length, int prot, int flags, off_t offset);

/** sim_map_over() - mmap() with MAP_FIXED over a range that may map buffer objects */
long sim_map_over(void *addr, size_t length, int prot, int flags, int fd, off_t offset);

/** sim_map_attach() - shmat() of @length bytes with SHM_REMAP, over such a range */
long sim_map_attach(int id, void *addr, size_t length, int flags);

/** sim_map_remove() - munmap() of such a range */
long sim_map_remove(void *addr, size_t length);

/** sim_map_move() - mremap() of or onto such a range */
long sim_map_move(void *addr, size_t old_length, size_t new_length, int flags, void *new_addr);

/** sim_map_remap() - remap_file_pages() of a range that begins in a mapping of a buffer object */
long sim_map_remap(void *addr, size_t length, int prot, size_t index, int flags);

/** sim_map_protect() - pkey_mprotect(), or mprotect() if @key is -1, of such a range */
long sim_map_protect(void *addr, size_t length, int prot, int key);

/** sim_map_advise() - madvise() of such a range */
long sim_map_advise(void *addr, size_t length, int advice);

/** sim_map_sync() - msync() of such a range */
long sim_map_sync(void *addr, size_t length, int flags);

/** sim_map_lock() - mlock2() of a range that shows buffer objects, which are not locked */
long sim_map_lock(const void *addr, size_t length, unsigned int flags);

/** sim_map_end() - at the end of the process: drop the references of all mappings */
void sim_map_end(void);

/** sim_map_fork_prepare() - before a fork: lock the list, so that it is consistent in the child */
void sim_map_fork_prepare(void);

/** sim_map_fork_parent() - after it, in the parent */
void sim_map_fork_parent(void);

/** sim_map_fork_child() - in the child: keep the mappings, without the parent's references */
void sim_map_fork_child(void);

/* --- device.c, transport.c ------------------------------------------------------ */

/** sim_device_get() - the device, created by the first call. Return: 0 or a negative errno */
int sim_device_get(unsigned int index, struct sim_device **out);

/** sim_device_core() - the core's device */
struct pto_device *sim_device_core(const struct sim_device *dev);

/** sim_device_index() - N of /dev/ptoN */
unsigned int sim_device_index(const struct sim_device *dev);

/** sim_device_memory_fd() - see sim_transport_memory_fd() */
int sim_device_memory_fd(const struct sim_device *dev, bool writable);

/** sim_device_runs() - count @count more accepted runs, for PTO_SIM_FAIL=gone:N */
void sim_device_runs(struct sim_device *dev, uint32_t count);

/**
 * sim_device_check() - at exit, with no context open: end the devices and report what is still
 * in use on them
 *
 * Return: the number of devices with a leak.
 */
unsigned int sim_device_check(void);

/** sim_device_fork_child() - drop all devices: their threads belong to the parent */
void sim_device_fork_child(void);

/* --- share.c: dma-bufs ------------------------------------------------------------- */

/** sim_share_is() - is @fd a descriptor of a dma-buf of this process? */
bool sim_share_is(int fd);

/** sim_share_seek() - lseek() of a descriptor that may be one. Return: -ESPIPE if it is not */
long sim_share_seek(int fd, off_t offset, int whence);

/** sim_share_hung_up() - end @which, or with NULL any, if its last descriptor is closed */
void sim_share_hung_up(const void *which);

/** sim_share_end() - at the end of the process: drop those that are open. Return: their number */
unsigned int sim_share_end(void);

/** sim_share_fork_child() - drop all: they belong to the parent */
void sim_share_fork_child(void);

/* --- helper.c: the thread that detects the last close ------------------------------ */

/** sim_helper_watch() - watch @peer, of a file or dma-buf, for a hang-up. Return: 0 or -errno */
int sim_helper_watch(void *which, int peer);

/** sim_helper_unwatch() - stop watching @peer, before it is closed */
void sim_helper_unwatch(int peer);

/** sim_helper_poke() - wake the thread for the files marked in ready.c. Any context */
void sim_helper_poke(void);

/** sim_helper_running() - has the thread been started? */
bool sim_helper_running(void);

/** sim_helper_fork_child() - drop the thread: it belongs to the parent */
void sim_helper_fork_child(void);

/** sim_file_hung_up() - end @which, or with NULL any file, if its last descriptor is closed */
void sim_file_hung_up(const void *which);

/** sim_ready_scan() - for the helper thread: update the readiness of all marked files */
void sim_ready_scan(void);

/* --- fork.c ------------------------------------------------------------------------ */

/** sim_fork_word - 1 in the process that the state belongs to; wiped in a child */
extern _Atomic uint32_t *sim_fork_word;

/**
 * sim_fork_borrowed() - is this a child made by vfork(), which runs in its parent's memory?
 *
 * Such a child has its own descriptors, which the table does not describe: it must not change
 * the table. Makes one system call.
 */
bool sim_fork_borrowed(void);

void sim_fork_init(void);
void sim_fork_check_slow(void);

/** sim_fork_check() - reset the state in a forked child; called before any use of the state */
static inline void sim_fork_check(void)
{
	if (SIM_UNLIKELY(atomic_load_explicit(sim_fork_word, memory_order_acquire) != 1))
		sim_fork_check_slow();
}

/* --- trace.c ------------------------------------------------------------------------- */

/** sim_trace_on() - is PTO_SIM_TRACE set? */
bool sim_trace_on(void);

/** sim_trace() - write one line of the trace */
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** sim_trace_fork_child() - let the child open the trace again when it needs it */
void sim_trace_fork_child(void);

/** sim_trace_now() - CLOCK_MONOTONIC, nanoseconds */
uint64_t sim_trace_now(void);

/** sim_trace_ioctl() - write the line of an ioctl */
void sim_trace_ioctl(const struct sim_file *file, int fd, unsigned int cmd, const void *arg,
		     long result, uint64_t start_ns);

/* --- check.c --------------------------------------------------------------------------- */

/** sim_check_fork_child() - in the child: do not count the parent's allocations as leaks */
void sim_check_fork_child(void);

/* --- user.c: user memory ---------------------------------------------------------------- */

/** sim_copy_in() - copy_from_user(). Return: 0 or -EFAULT */
int sim_copy_in(void *to, const void *from, size_t length);

/** sim_copy_in_page() - the same within one page, possibly beyond the end of the object there */
int sim_copy_in_page(char *to, const char *from, size_t length);

/** sim_copy_out() - copy_to_user(). Return: 0 or -EFAULT */
int sim_copy_out(void *to, const void *from, size_t length);

#endif /* PTO_SIM_PRELOAD_H */
