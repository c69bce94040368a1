// SPDX-License-Identifier: MIT
/*
 * Interposed: the functions that close and copy descriptors, and fcntl().
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>

static bool is_internal(int fd)
{
	return sim_fd_peek(fd) == SIM_INTERNAL;
}

int sim_close(const struct sim_real *next, int fd)
{
	uintptr_t entry = sim_fd_peek(fd);
	struct sim_closing closing;
	int ret, saved;

	if (__builtin_expect(!entry, 1))
		return next->close(fd);
	/* A daemon may close all numbers in a loop, which must not close internal descriptors. */
	if (entry == SIM_INTERNAL) {
		errno = EBADF;
		return -1;
	}
	closing = sim_file_before_close(fd);
	ret = next->close(fd);
	saved = errno;
	sim_file_after_close(closing);
	errno = saved;
	return ret;
}

SIM_ENTRY(int, close, (int fd), fd)

/* --- ranges -------------------------------------------------------------------------- */

#define RANGE_CLOSINGS 16

/**
 * struct range_close - a close_range() that leaves internal descriptors open
 * @next: first descriptor that is not handled yet
 * @flags: as for close_range()
 * @error: first error of the kernel, or 0
 * @closings: the first RANGE_CLOSINGS descriptors of contexts in the range
 * @count: descriptors of contexts in the range; may exceed RANGE_CLOSINGS
 */
struct range_close {
	unsigned int next;
	unsigned int flags;
	long error;
	struct sim_closing closings[RANGE_CLOSINGS];
	unsigned int count;
};

static void close_piece(struct range_close *range, unsigned int first, unsigned int last)
{
	long ret = sim_raw(SYS_close_range, first, last, range->flags);

	if (ret && !range->error)
		range->error = ret;
}

static void before_range(int fd, uintptr_t entry, void *arg)
{
	struct range_close *range = arg;
	struct sim_closing closing;

	if (entry != SIM_INTERNAL) {
		closing = sim_file_before_close(fd);
		if (closing.file && range->count++ < RANGE_CLOSINGS)
			range->closings[range->count - 1] = closing;
		return;
	}
	if ((unsigned int)fd > range->next)
		close_piece(range, range->next, (unsigned int)fd - 1);
	range->next = (unsigned int)fd + 1;
}

static int close_all(unsigned int first, unsigned int last, unsigned int flags)
{
	struct range_close range = { .next = first, .flags = flags };
	unsigned int i;

	sim_fd_each(first, last, before_range, &range);
	if (range.next <= last && range.next >= first)
		close_piece(&range, range.next, last);
	/* The contexts must have ended on return, even if the helper is ending them just now. */
	for (i = 0; i < range.count && i < RANGE_CLOSINGS; i++)
		sim_file_after_close(range.closings[i]);
	if (range.count > RANGE_CLOSINGS)
		sim_file_await_closes();
	else if (sim_fd_used())
		sim_file_reap();
	return (int)sim_return(range.error);
}

/*
 * CLOSE_RANGE_UNSHARE is dropped: the simulator's threads would keep the old descriptor table,
 * and so keep the closed descriptors open. For the application they do not exist: it may believe
 * that it has one thread.
 */
int sim_close_range(const struct sim_real *next, unsigned int first, unsigned int last, int flags)
{
	if (!sim_fd_used() || first > last || flags & CLOSE_RANGE_CLOEXEC)
		return next->close_range(first, last, flags);
	if (sim_helper_running())
		flags &= ~CLOSE_RANGE_UNSHARE;
	return close_all(first, last, (unsigned int)flags);
}

SIM_ENTRY(int, close_range, (unsigned int first, unsigned int last, int flags), first, last, flags)

SIM_EXPORT void closefrom(int low)
{
	close_all(low < 0 ? 0 : (unsigned int)low, ~0u, 0);
}

/* --- copies -------------------------------------------------------------------------- */

/* @fd has become a copy of @from: enter it with the same identity, as a hint. */
static int copied(int from, int fd)
{
	uintptr_t entry = sim_fd_peek(from);

	if (fd < 0)
		return fd;
	if (SIM_UNLIKELY(entry && entry != SIM_INTERNAL && !sim_fork_borrowed()))
		sim_fd_set(fd, entry == SIM_FOREIGN ? entry : entry | SIM_HINT);
	else
		sim_fd_forget(fd);
	return fd;
}

int sim_dup(const struct sim_real *next, int fd)
{
	return copied(fd, next->dup(fd));
}

SIM_ENTRY(int, dup, (int fd), fd)

/* After dup2() and dup3(): @closing describes the descriptor that was at @fd before. */
static int copied_over(int from, int fd, int ret, struct sim_closing closing)
{
	int saved = errno;

	copied(from, ret);
	if (ret >= 0)
		sim_file_after_close(closing);
	else if (closing.file)
		sim_fd_set(fd, (uintptr_t)closing.file | SIM_HINT);
	errno = saved;
	return ret;
}

int sim_dup2(const struct sim_real *next, int from, int fd)
{
	struct sim_closing closing;

	if (SIM_UNLIKELY(is_internal(fd))) {
		errno = EBUSY;
		return -1;
	}
	if (from == fd)
		return next->dup2(from, fd);
	closing = sim_file_before_close(fd);
	return copied_over(from, fd, next->dup2(from, fd), closing);
}

SIM_ENTRY(int, dup2, (int from, int fd), from, fd)

int sim_dup3(const struct sim_real *next, int from, int fd, int flags)
{
	struct sim_closing closing;

	if (SIM_UNLIKELY(is_internal(fd))) {
		errno = EBUSY;
		return -1;
	}
	if (from == fd)
		return next->dup3(from, fd, flags);
	closing = sim_file_before_close(fd);
	return copied_over(from, fd, next->dup3(from, fd, flags), closing);
}

SIM_ENTRY(int, dup3, (int from, int fd, int flags), from, fd, flags)

/* F_GETFL: a socket is always O_RDWR, so put in the access mode that open() was given. */
static int get_flags(int fd, int flags)
{
	struct sim_file *file;
	int saved = errno;

	if (flags < 0 || sim_file_of(fd, &file) != SIM_OURS)
		return flags;
	flags = (flags & ~O_ACCMODE) | sim_file_accmode(file);
	sim_file_put(file);
	errno = saved;
	return flags;
}

static int after_fcntl(int fd, int command, int ret)
{
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		return copied(fd, ret);
	return command == F_GETFL ? get_flags(fd, ret) : ret;
}

int sim_fcntl(const struct sim_real *next, int fd, int command, long arg)
{
	return after_fcntl(fd, command, next->fcntl(fd, command, arg));
}

#define FCNTL(name) \
	SIM_EXPORT int name(int fd, int command, ...) \
	{ \
		va_list args; \
		void *arg; \
\
		va_start(args, command); \
		arg = va_arg(args, void *); \
		va_end(args); \
		return after_fcntl(fd, command, sim_real()->name(fd, command, arg)); \
	}

FCNTL(fcntl)
FCNTL(fcntl64)
