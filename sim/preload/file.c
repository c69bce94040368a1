// SPDX-License-Identifier: MIT
/*
 * Open contexts, from open() to the last close, and the identity of descriptors. preload.h
 * describes the scheme, file.h the struct.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <sim_kernel.h>

#include "raw.h"

#define NAME_PREFIX "pto-sim/"

/*
 * Bytes that are sent to the peer and never read. They fill the descriptor's send buffer, which
 * is as small as the kernel allows. So the descriptor is never writable, as the driver never
 * reports POLLOUT.
 */
#define FILL_BYTES 2048

struct sim_file *_Atomic sim_files;

/*
 * Counts the closes that pass through the hooks. A verification during which one happened is not
 * entered in the table.
 */
static _Atomic uint64_t closes;
static _Atomic uint64_t serials;
static _Atomic bool other_explained;

/* Why the last open() of the thread failed: errno, 0 if it did not, and a call of ours, if any */
static __thread int open_error __attribute__((tls_model("initial-exec")));
static __thread struct refusal open_refusal __attribute__((tls_model("initial-exec")));

/* --- names --------------------------------------------------------------------- */

/**
 * struct file_name - the parts of the address that a descriptor is bound to
 * @index: device
 * @pid: process that opened it
 * @nonce: identifies the context
 */
struct file_name {
	unsigned int index;
	unsigned int pid;
	uint64_t nonce;
};

static const char *parse_number(const char *at, const char *end, unsigned int base, uint64_t *out)
{
	const char *start = at;
	unsigned int digit;

	*out = 0;
	for (; at < end; at++) {
		if (*at >= '0' && *at <= '9')
			digit = (unsigned int)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			digit = (unsigned int)(*at - 'a') + 10;
		else
			break;
		if (digit >= base)
			return NULL;
		*out = *out * base + digit;
	}
	return at == start ? NULL : at;
}

/* Ask the kernel for the name of @fd. Takes no lock and does not block. */
static bool name_of(int fd, struct file_name *name, long *error)
{
	struct sockaddr_un addr;
	socklen_t length = sizeof(addr);
	uint64_t index, pid;
	const char *at, *end;

	*error = sim_raw(SYS_getsockname, fd, &addr, &length);
	if (*error || addr.sun_family != AF_UNIX)
		return false;
	if (length < offsetof(struct sockaddr_un, sun_path) + 1 + sizeof(NAME_PREFIX) ||
	    length > sizeof(addr) || memcmp(addr.sun_path, "\0" NAME_PREFIX, sizeof(NAME_PREFIX)))
		return false;
	at = addr.sun_path + sizeof(NAME_PREFIX);
	end = (const char *)&addr + length;
	at = parse_number(at, end, 10, &index);
	if (!at || at == end || *at != '/')
		return false;
	at = parse_number(at + 1, end, 10, &pid);
	if (!at || at == end || *at != '/')
		return false;
	at = parse_number(at + 1, end, 16, &name->nonce);
	name->index = (unsigned int)index;
	name->pid = (unsigned int)pid;
	return at == end;
}

static uint64_t new_nonce(void)
{
	struct timespec now;
	uint64_t nonce;

	if (sim_raw(SYS_getrandom, &nonce, sizeof(nonce), 1 /* GRND_NONBLOCK */) !=
	    sizeof(nonce)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		nonce = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	}
	return nonce ? nonce : 1;
}

static int bind_name(struct sim_file *file, int fd)
{
	long ret, pid = sim_raw(SYS_getpid);

	do {
		struct sockaddr_un addr = { .sun_family = AF_UNIX };
		uint64_t nonce = new_nonce();
		int length = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
				      NAME_PREFIX "%u/%d/%016llx", sim_device_index(file->dev),
				      pid < 0 ? 0 : (int)pid, (unsigned long long)nonce);

		ret = sim_raw(SYS_bind, fd, &addr,
			      offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
		if (!ret)
			atomic_store(&file->nonce, nonce);
	} while (ret == -EADDRINUSE);
	refusal_if("bind", ret);
	return (int)ret;
}

/* --- structs --------------------------------------------------------------------- */

static struct sim_file *file_alloc(void)
{
	struct sim_file *file;
	uint32_t state;

	for (file = atomic_load(&sim_files); file; file = file->next) {
		state = FILE_FREE;
		if (atomic_compare_exchange_strong(&file->state, &state, FILE_SETUP))
			return file;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->state = FILE_SETUP;
	pthread_mutex_init(&file->close_lock, NULL);
	pthread_mutex_init(&file->ready_lock, NULL);
	file->next = atomic_load(&sim_files);
	while (!atomic_compare_exchange_weak(&sim_files, &file->next, file))
		;
	return file;
}

static void file_free(struct sim_file *file)
{
	atomic_store(&file->nonce, 0);
	atomic_fetch_add(&file->generation, 1);
	atomic_store(&file->state, FILE_FREE);
}

static void forget_entry(int fd, uintptr_t entry, void *file)
{
	if ((entry & ~SIM_HINT) == (uintptr_t)file)
		sim_fd_set(fd, 0);
}

/* The last reference is gone: no thread uses the file, and no lookup finds it. */
static void file_release(struct sim_file *file)
{
	if (sim_trace_on())
		sim_trace("pto%u context %llu closed", sim_device_index(file->dev),
			  (unsigned long long)file->serial);
	sim_ready_end(file);
	pto_ctx_close(file->ctx);
	sim_helper_unwatch(file->peer);
	sim_fd_close_internal(file->peer);
	/* Closes that bypassed the hooks may have left entries. */
	sim_fd_each(0, SIM_FD_CHUNK * SIM_FD_CHUNKS - 1, forget_entry, file);
	file_free(file);
}

struct sim_file *sim_file_get(int fd)
{
	uintptr_t entry = sim_fd_peek(fd);
	struct sim_file *file = (struct sim_file *)entry;

	if (!entry || entry & (SIM_HINT | SIM_INTERNAL | SIM_FOREIGN) || !sim_file_try_get(file))
		return NULL;
	if (sim_fd_peek(fd) == entry)
		return file;
	sim_file_put(file);
	return NULL;
}

void sim_file_hold(struct sim_file *file)
{
	atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
}

static void put_refs(struct sim_file *file, uint32_t refs)
{
	uint32_t state = FILE_CLOSED;

	if (SIM_UNLIKELY(atomic_fetch_sub_explicit(&file->refs, refs, memory_order_acq_rel) ==
			 refs) &&
	    atomic_compare_exchange_strong(&file->state, &state, FILE_SETUP))
		file_release(file);
}

void sim_file_put(struct sim_file *file)
{
	put_refs(file, 1);
}

static struct sim_file *file_by_nonce(uint64_t nonce)
{
	struct sim_file *file;

	for (file = atomic_load(&sim_files); file; file = file->next) {
		if (atomic_load(&file->nonce) != nonce || !sim_file_try_get(file))
			continue;
		if (atomic_load(&file->nonce) == nonce)
			return file;
		sim_file_put(file);
	}
	return NULL;
}

/* Nobody may ask for the name, so the table has the last word. */
static struct sim_file *file_by_entry(int fd)
{
	uintptr_t entry = sim_fd_peek(fd);
	struct sim_file *file = (struct sim_file *)(entry & ~SIM_HINT);

	if (!file || entry & (SIM_INTERNAL | SIM_FOREIGN) || !sim_file_try_get(file))
		return NULL;
	return file;
}

enum sim_kind sim_file_verify(int fd, struct sim_file **file, unsigned int *index)
{
	uint64_t before = atomic_load(&closes);
	enum sim_kind kind = SIM_OTHER;
	uintptr_t entry = SIM_FOREIGN;
	struct file_name name;
	long error;

	if (!name_of(fd, &name, &error)) {
		*file = sim_denied(error) ? file_by_entry(fd) : NULL;
		if (*file)
			return SIM_OURS;
		if (sim_fd_peek(fd) != SIM_INTERNAL)
			sim_fd_forget(fd);
		return SIM_NONE;
	}
	*file = file_by_nonce(name.nonce);
	if (*file) {
		kind = SIM_OURS;
		entry = (uintptr_t)*file;
	}
	if (index)
		*index = name.index;
	if (atomic_load(&closes) == before)
		sim_fd_learn(fd, entry);
	return kind;
}

void sim_file_other(int fd)
{
	struct file_name name;
	long error;

	if (!atomic_exchange(&other_explained, true) && name_of(fd, &name, &error))
		sim_say("this context belongs to process %u; open the device again", name.pid);
}

int sim_context_index(int fd)
{
	unsigned int index = 0;
	struct sim_file *file;

	switch (sim_file_verify(fd, &file, &index)) {
	case SIM_OURS:
		sim_file_put(file);
		return (int)index;
	case SIM_OTHER:
		return (int)index;
	default:
		return -1;
	}
}

/* --- open ------------------------------------------------------------------------ */

static int check_flags(int flags)
{
	if (flags & O_PATH)
		return -EOPNOTSUPP;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	/* The driver has no direct I/O. */
	return flags & O_DIRECT ? -EINVAL : 0;
}

/* The driver is never writable, and never lets anybody wait for that or for reading. */
static long make_idle(int fd)
{
	static const struct timeval least = { .tv_usec = 1 };
	static const char fill[FILL_BYTES];
	int zero = 0;
	long ret;

	ret = sim_own(setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &zero, sizeof(zero));
	if (!ret)
		ret = sim_own(setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &least, sizeof(least));
	if (!ret)
		ret = sim_own(setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &least, sizeof(least));
	if (!ret)
		ret = sim_own(sendto, fd, fill, sizeof(fill), MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
			      0);
	return ret < 0 ? ret : 0;
}

/* What the simulator calls later, where it could not tell anybody that it is refused */
static long try_calls(int fd, int peer)
{
	struct pollfd poll = { .fd = peer };
	struct timespec now = { 0 };
	struct sockaddr_un addr;
	socklen_t length = sizeof(addr);
	long ret;
	char byte;

	ret = sim_own(getsockname, fd, &addr, &length);
	if (!ret)
		ret = sim_own(ppoll, &poll, 1, &now, NULL, 8);
	if (ret < 0)
		return ret;
	ret = sim_raw(SYS_recvfrom, fd, &byte, 1, MSG_DONTWAIT, NULL, NULL);
	return ret == -EAGAIN ? 0 : refusal_if("recvfrom", ret);
}

static long make_flags(int fd, int flags)
{
	long ret = 0;

	if (flags & O_NONBLOCK)
		ret = sim_own(fcntl, fd, F_SETFL, O_NONBLOCK);
	if (!ret && !(flags & O_CLOEXEC))
		ret = sim_own(fcntl, fd, F_SETFD, 0);
	return ret;
}

/* Create the socket pair. On success *peer is internal and *fd is the lowest free descriptor. */
static int make_pair(int flags, int *fd, int *peer)
{
	int pair[2];
	long ret;

	ret = sim_own(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	if (ret)
		return (int)ret;
	*fd = pair[0];
	*peer = sim_fd_internal(pair[1]);
	ret = *peer < 0 ? *peer : make_idle(*fd);
	if (!ret)
		ret = try_calls(*fd, *peer);
	if (!ret)
		ret = make_flags(*fd, flags);
	if (ret) {
		sim_fd_close_internal(*peer);
		sim_raw(SYS_close, *fd);
	}
	return (int)ret;
}

static int open_context(struct sim_file *file, int fd)
{
	int ret = bind_name(file, fd);

	if (ret)
		return ret;
	file->ctx = pto_ctx_open(sim_device_core(file->dev));
	if (IS_ERR(file->ctx))
		return (int)PTR_ERR(file->ctx);
	ret = sim_helper_watch(file, file->peer);
	if (ret)
		pto_ctx_close(file->ctx);
	return ret;
}

static void publish(struct sim_file *file, int fd, int flags)
{
	const struct sim_config *config = sim_config();

	file->accmode = flags & O_ACCMODE;
	file->serial = atomic_fetch_add(&serials, 1) + 1;
	file->attention = (sim_trace_on() ? ATTENTION_TRACE : 0) |
			  (config->fail_gone ? ATTENTION_FAULT : 0);
	sim_ready_begin(file);
	atomic_store(&file->state, FILE_OPEN);
	atomic_fetch_add_explicit(&file->refs, FILE_OPEN_REF, memory_order_release);
	sim_fd_set(fd, (uintptr_t)file);
	if (sim_trace_on())
		sim_trace("pto%u context %llu opened as fd %d", sim_device_index(file->dev),
			  (unsigned long long)file->serial, fd);
}

static int open_file(struct sim_file *file, unsigned int index, int flags)
{
	int ret, fd = -1;

	/* The pair comes first: open() must return the lowest free descriptor. */
	ret = make_pair(flags, &fd, &file->peer);
	if (ret)
		return ret;
	ret = sim_device_get(index, &file->dev);
	if (!ret)
		ret = open_context(file, fd);
	if (!ret) {
		publish(file, fd, flags);
		return fd;
	}
	sim_fd_close_internal(file->peer);
	sim_raw(SYS_close, fd);
	return ret;
}

/* Keep it for libpto, and tell everybody else. */
static void explain(unsigned int index, int error, struct refusal why)
{
	open_error = error;
	open_refusal = why;
	sim_limits_explain(index, error, &why);
}

/**
 * pto_sim_refused() - called by libpto when it could not open a device
 * @error: errno of open()
 * @why: the errno of the call that is to blame
 *
 * Return: the simulator's own call that the calling thread's last open() failed for; NULL if it did
 * not, or not with @error.
 */
const char *pto_sim_refused(int error, int *why)
{
	if (!open_error || open_error != error)
		return NULL;
	*why = open_refusal.error;
	return open_refusal.call;
}

int sim_file_open(unsigned int index, int flags)
{
	const struct sim_config *config = sim_config();
	struct sim_file *file;
	uint64_t before;
	int ret;

	sim_fork_check();
	open_error = 0;
	if (config->error)
		return config->error;
	if (index >= config->devices)
		return -ENOENT;
	ret = check_flags(flags);
	if (ret)
		return ret;
	sim_file_reap();
	file = file_alloc();
	if (!file)
		return -ENOMEM;
	before = refusal_count();
	ret = open_file(file, index, flags);
	if (ret < 0) {
		file_free(file);
		explain(index, -ret, refusal_since(before));
		if (sim_trace_on())
			sim_trace("pto%u cannot be opened: %s", index, strerrorname_np(-ret));
	}
	return ret;
}

/* --- close ------------------------------------------------------------------------ */

/* Has the last descriptor been closed? */
static bool hung_up(const struct sim_file *file)
{
	struct pollfd poll = { .fd = file->peer };
	struct timespec now = { 0 };

	return sim_raw(SYS_ppoll, &poll, 1, &now, NULL, 8) == 1 && poll.revents & POLLHUP;
}

static void close_if_hung_up(struct sim_file *file, uint64_t generation)
{
	pthread_mutex_lock(&file->close_lock);
	if (atomic_load(&file->generation) == generation &&
	    atomic_load(&file->state) == FILE_OPEN && hung_up(file)) {
		atomic_store(&file->state, FILE_CLOSED);
		put_refs(file, FILE_OPEN_REF);
	}
	pthread_mutex_unlock(&file->close_lock);
}

struct sim_closing sim_file_before_close(int fd)
{
	struct sim_closing closing = { NULL, 0 };
	uintptr_t entry;

	if (!sim_fd_peek(fd))
		return closing;
	sim_fork_check();
	entry = sim_fd_peek(fd);
	if (!entry || entry == SIM_INTERNAL || sim_fork_borrowed())
		return closing;
	sim_fd_set(fd, 0);
	atomic_fetch_add(&closes, 1);
	if (entry != SIM_FOREIGN) {
		closing.file = (struct sim_file *)(entry & ~SIM_HINT);
		closing.generation = atomic_load(&closing.file->generation);
	}
	return closing;
}

void sim_file_after_close(struct sim_closing closing)
{
	if (!closing.file)
		return;
	atomic_fetch_add(&closes, 1);
	close_if_hung_up(closing.file, closing.generation);
}

void sim_file_hung_up(const void *which)
{
	struct sim_file *file;

	/* @which is only compared with the list: walking it makes the file's fields visible. */
	for (file = atomic_load(&sim_files); file; file = file->next)
		if ((!which || which == file) && atomic_load(&file->state) == FILE_OPEN)
			close_if_hung_up(file, atomic_load(&file->generation));
}

void sim_file_await_closes(void)
{
	struct sim_file *file;

	for (file = atomic_load(&sim_files); file; file = file->next)
		close_if_hung_up(file, atomic_load(&file->generation));
}

void sim_file_reap(void)
{
	sim_file_hung_up(NULL);
}

/* --- use -------------------------------------------------------------------------- */

static noinline long ioctl_attention(struct sim_file *file, int fd, unsigned int cmd, void *arg)
{
	uint64_t start = sim_trace_now();
	long ret = sim_syscall_return(pto_ctx_ioctl(file->ctx, cmd, arg));

	if (file->attention & ATTENTION_TRACE)
		sim_trace_ioctl(file, fd, cmd, arg, ret, start);
	if (file->attention & ATTENTION_FAULT && cmd == PTO_RUN && !ret)
		sim_device_runs(file->dev, ((struct pto_ioc_run *)arg)->accepted);
	return ret;
}

long sim_file_ioctl(struct sim_file *file, int fd, unsigned int cmd, void *arg)
{
	long ret;

	if (SIM_UNLIKELY(file->attention))
		ret = ioctl_attention(file, fd, cmd, arg);
	else
		ret = sim_syscall_return(pto_ctx_ioctl(file->ctx, cmd, arg));
	if (SIM_UNLIKELY(sim_ready_armed(file)))
		sim_ready_update(file, fd);
	return ret;
}

int sim_file_mmap(struct sim_file *file, uint64_t offset, uint64_t length, struct pto_bo **bo,
		  uint64_t *window_offset)
{
	int memory_fd = sim_device_memory_fd(file->dev, file->accmode != O_RDONLY);
	u64 where;

	if (memory_fd < 0)
		return memory_fd;
	*bo = pto_ctx_mmap(file->ctx, offset, length, &where);
	if (IS_ERR(*bo))
		return (int)PTR_ERR(*bo);
	*window_offset = where;
	return memory_fd;
}

int sim_file_accmode(const struct sim_file *file)
{
	return file->accmode;
}

unsigned int sim_file_index(const struct sim_file *file)
{
	return sim_device_index(file->dev);
}

unsigned int sim_file_count(void)
{
	struct sim_file *file;
	unsigned int count = 0;

	for (file = atomic_load(&sim_files); file; file = file->next)
		count += atomic_load(&file->state) == FILE_OPEN ||
			 atomic_load(&file->state) == FILE_CLOSED;
	return count;
}

void sim_file_fork_child(void)
{
	/* The files stay reachable, so a leak checker in the child does not report them. */
	static struct sim_file *parents;
	struct sim_file **tail = &parents;

	while (*tail)
		tail = &(*tail)->next;
	*tail = atomic_exchange(&sim_files, NULL);
	atomic_store(&other_explained, false);
}
