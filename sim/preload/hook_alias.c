// SPDX-License-Identifier: MIT
/* Interposed: second names in the C library of functions that are interposed. */
#include "hook.h"

#include <stdarg.h>
#include <sys/statfs.h>

#define OPEN_ALIAS(name, opener) \
	SIM_EXPORT int name(const char *path, int flags, ...) \
	{ \
		mode_t mode = 0; \
\
		if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
			va_list args; \
\
			va_start(args, flags); \
			mode = va_arg(args, mode_t); \
			va_end(args); \
		} \
		return opener(path, flags, mode); \
	}

OPEN_ALIAS(__open, open)
OPEN_ALIAS(__open64, open64)

SIM_EXPORT int __close(int fd)
{
	return close(fd);
}

SIM_EXPORT ssize_t __read(int fd, void *buf, size_t length)
{
	return read(fd, buf, length);
}

SIM_EXPORT ssize_t __write(int fd, const void *buf, size_t length)
{
	return write(fd, buf, length);
}

SIM_EXPORT int __fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return fcntl(fd, command, arg);
}

SIM_EXPORT int __dup2(int from, int fd)
{
	return dup2(from, fd);
}

SIM_EXPORT int __poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return poll(fds, n, timeout);
}

SIM_EXPORT int __statfs(const char *path, struct statfs *st)
{
	return statfs(path, st);
}

SIM_EXPORT int __select(int nfds, fd_set *readable, fd_set *writable, fd_set *exceptional,
			struct timeval *timeout)
{
	return select(nfds, readable, writable, exceptional, timeout);
}
