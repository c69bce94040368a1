// SPDX-License-Identifier: MIT
/*
 * dma-bufs of the simulator. A descriptor of one is that of a pipe, which it reads and writes, and
 * the simulator keeps an end for reading. So
 *
 *   the pipe's inode identifies the dma-buf, however its descriptor got there;
 *   that end hangs up when the last descriptor is closed, in whatever way;
 *   other descriptors of it can be made as long as somebody has it (by /proc);
 *   the kernel refuses what is not for pipes (mmap(), lseek(), ioctl()), and only then do the
 *   interposed functions ask whether the descriptor is one of these.
 *
 * There is a byte in the pipe, so it can be polled as a dma-buf without fences can be.
 */
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include "raw.h"
#include "transport.h"

#define DMA_BUF_FS	0x444d4142	/* the kernel's file system of dma-bufs: "DMAB" */

/* Protects the list, and the fields of its entries that change. */
static pthread_mutex_t share_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sim_share *shares;

/* --- pipes ---------------------------------------------------------------------------- */

/* A descriptor of the pipe for the application, the lowest that is free; or a negative errno */
static long pipe_reopen(int pipe)
{
	char path[48];
	long fd;

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", pipe);
	fd = sim_own(openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd == -ENOENT)
		sim_say("cannot open %s: is there no /proc?", path);
	if (fd >= 0)
		sim_fd_forget((int)fd);
	return fd;
}

static long pipe_fill(int end)
{
	long ret = sim_own(write, end, "", 1);

	return ret < 0 ? ret : 0;
}

/* Makes the pipe of @share. Return: a descriptor for the application, or a negative errno */
static long pipe_make(struct sim_share *share)
{
	struct stat st;
	int ends[2];
	long ret, fd = -1;

	ret = sim_own(pipe2, ends, O_CLOEXEC);
	if (ret)
		return ret;
	share->pipe = sim_fd_internal(ends[0]);
	ret = share->pipe < 0 ? share->pipe : pipe_fill(ends[1]);
	if (!ret)
		ret = sim_own(fstat, share->pipe, &st);
	if (!ret) {
		fd = pipe_reopen(share->pipe);
		ret = fd < 0 ? fd : 0;
	}
	sim_raw(SYS_close, ends[1]);
	if (ret) {
		sim_fd_close_internal(share->pipe);
		return ret;
	}
	share->device = st.st_dev;
	share->inode = st.st_ino;
	return fd;
}

/* --- references ------------------------------------------------------------------------ */

static void share_free(struct sim_share *share)
{
	sim_helper_unwatch(share->pipe);
	sim_fd_close_internal(share->pipe);
	pto_memory_put(share->memory);
	free(share);
}

/* Drop a reference; the lock is held. Return: was it the last one? Then share_free() is next. */
static bool share_drop(struct sim_share *share)
{
	struct sim_share **link = &shares;

	if (--share->refs)
		return false;
	while (*link != share)
		link = &(*link)->next;
	*link = share->next;
	return true;
}

void sim_share_put(struct sim_share *share)
{
	bool last;

	pthread_mutex_lock(&share_lock);
	last = share_drop(share);
	pthread_mutex_unlock(&share_lock);
	if (last)
		share_free(share);
}

/* Has the last descriptor been closed? */
static bool hung_up(const struct sim_share *share)
{
	struct pollfd poll = { .fd = share->pipe };
	struct timespec now = { 0 };

	return sim_raw(SYS_ppoll, &poll, 1, &now, NULL, 8) == 1 && poll.revents & POLLHUP;
}

/*
 * Look for a dma-buf whose last descriptor is closed: @which, or with NULL any. Drop the reference
 * of its descriptors. Return: the dma-buf if that was its last one, for share_free(); or NULL.
 */
static struct sim_share *share_ended(const void *which)
{
	struct sim_share *share, *next, *ended = NULL;

	pthread_mutex_lock(&share_lock);
	for (share = shares; share && !ended; share = next) {
		next = share->next;
		if ((which && which != share) || !share->open || !hung_up(share))
			continue;
		share->open = false;
		if (share_drop(share))
			ended = share;
	}
	pthread_mutex_unlock(&share_lock);
	return ended;
}

void sim_share_hung_up(const void *which)
{
	struct sim_share *ended;

	while ((ended = share_ended(which)))
		share_free(ended);
}

/* --- making and finding ------------------------------------------------------------------ */

/* Tell the application of a new descriptor, or close it. */
static int share_tell(long fd, int (*tell)(struct pto_call *call, int fd), struct pto_call *call)
{
	int ret = fd < 0 ? (int)fd : tell(call, (int)fd);

	if (ret && fd >= 0)
		sim_raw(SYS_close, fd);
	return ret;
}

static void share_enter(struct sim_share *share)
{
	pthread_mutex_lock(&share_lock);
	share->next = shares;
	shares = share;
	pthread_mutex_unlock(&share_lock);
}

int sim_share_new(struct sim_transport *t, struct pto_memory *memory,
		  int (*tell)(struct pto_call *call, int fd), struct pto_call *call)
{
	struct sim_share *share = calloc(1, sizeof(*share));
	long fd;
	int ret;

	if (!share)
		return -ENOMEM;
	fd = pipe_make(share);
	if (fd < 0) {
		free(share);
		return (int)fd;
	}
	share->refs = 2;
	share->open = true;
	share->transport = t;
	share->memory = pto_memory_get(memory);
	share_enter(share);
	ret = sim_helper_watch(share, share->pipe);
	if (ret)
		sim_raw(SYS_close, fd);
	else
		ret = share_tell(fd, tell, call);
	/* The end of a descriptor that was closed here is noticed here, too. */
	if (ret)
		sim_share_hung_up(share);
	sim_share_put(share);
	return ret;
}

int sim_share_again(struct sim_share *share, int (*tell)(struct pto_call *call, int fd),
		    struct pto_call *call)
{
	long fd;
	int ret;

	/* With the lock, so that the end of the others is noticed before this, or not at all. */
	pthread_mutex_lock(&share_lock);
	fd = pipe_reopen(share->pipe);
	if (fd >= 0 && !share->open) {
		share->open = true;
		share->refs++;
	}
	pthread_mutex_unlock(&share_lock);
	ret = share_tell(fd, tell, call);
	if (ret)
		sim_share_hung_up(share);
	return ret;
}

/* Is it a dma-buf of the kernel? */
static bool of_the_kernel(int fd)
{
	struct statfs fs;

	return !sim_raw(SYS_fstatfs, fd, &fs) && fs.f_type == DMA_BUF_FS;
}

struct sim_share *sim_share_get(int fd)
{
	struct sim_share *share;
	struct stat st;
	long ret;

	sim_fork_check();
	ret = sim_raw(SYS_fstat, fd, &st);
	if (ret)
		return ERR_PTR(ret);
	if (!S_ISFIFO(st.st_mode))
		return ERR_PTR(of_the_kernel(fd) ? -EOPNOTSUPP : -EINVAL);
	pthread_mutex_lock(&share_lock);
	for (share = shares; share; share = share->next)
		if (share->inode == st.st_ino && share->device == st.st_dev)
			break;
	if (share)
		share->refs++;
	pthread_mutex_unlock(&share_lock);
	return share ? share : ERR_PTR(-EINVAL);
}

/* --- what a dma-buf does for its descriptors ------------------------------------------------ */

long sim_share_seek(int fd, off_t offset, int whence)
{
	struct sim_share *share = sim_share_get(fd);
	long ret = -EINVAL;

	if (IS_ERR(share))
		return -ESPIPE;
	if (!offset && whence == SEEK_END)
		ret = (long)pto_memory_length(share->memory);
	else if (!offset && whence == SEEK_SET)
		ret = 0;
	sim_share_put(share);
	return ret;
}

bool sim_share_is(int fd)
{
	struct sim_share *share = sim_share_get(fd);

	if (IS_ERR(share))
		return false;
	sim_share_put(share);
	return true;
}

/* --- the end of the process, and its children ------------------------------------------- */

unsigned int sim_share_end(void)
{
	struct sim_share *share, *ended;
	unsigned int count = 0;

	do {
		pthread_mutex_lock(&share_lock);
		for (share = shares; share && !share->open; share = share->next)
			;
		ended = NULL;
		if (share) {
			count++;
			share->open = false;
			sim_say("open at exit: a dma-buf with %llu bytes",
				(unsigned long long)pto_memory_length(share->memory));
			ended = share_drop(share) ? share : NULL;
		}
		pthread_mutex_unlock(&share_lock);
		if (ended)
			share_free(ended);
	} while (share);
	return count;
}

void sim_share_fork_child(void)
{
	/* They stay reachable, so a leak checker in the child does not report them. */
	static struct sim_share *parents;
	struct sim_share **tail = &parents;

	while (*tail)
		tail = &(*tail)->next;
	*tail = shares;
	shares = NULL;
	pthread_mutex_init(&share_lock, NULL);
}
