// SPDX-License-Identifier: MIT
/*
 * Interposed: the ways to a stream (stdio) over a descriptor of ours. The C library reads and
 * writes the descriptors of its streams without a function that could be interposed, so such a
 * stream is one of callbacks, which fail as the driver does.
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

static int cookie_fd(void *cookie)
{
	return (int)(intptr_t)cookie;
}

static ssize_t stream_read(void *cookie, char *buf, size_t length)
{
	return read(cookie_fd(cookie), buf, length);
}

/* Of a stream this fails by writing nothing. */
static ssize_t stream_write(void *cookie, const char *buf, size_t length)
{
	ssize_t n = write(cookie_fd(cookie), buf, length);

	return n < 0 ? 0 : n;
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
	errno = ESPIPE;
	return -1;
}

static int stream_close(void *cookie)
{
	return close(cookie_fd(cookie));
}

/* Does the mode ask for something that @fd was not opened for? */
static bool wrong_mode(const char *mode, int accmode)
{
	bool both = strchr(mode, '+');

	if (*mode != 'r' && *mode != 'w' && *mode != 'a')
		return true;
	return (accmode == O_RDONLY && (both || *mode != 'r')) ||
	       (accmode == O_WRONLY && (both || *mode == 'r'));
}

static FILE *stream_of(int fd, const char *mode, int accmode)
{
	static const cookie_io_functions_t functions = {
		.read = stream_read,
		.write = stream_write,
		.seek = stream_seek,
		.close = stream_close,
	};
	FILE *stream;

	if (wrong_mode(mode, accmode)) {
		errno = EINVAL;
		return NULL;
	}
	stream = fopencookie((void *)(intptr_t)fd, mode, functions);
	if (!stream)
		return NULL;
	/* For fileno(). A stream of callbacks does not use it. */
	stream->_fileno = fd;
	/* Such a stream is for bytes only and has -1 here, which freopen() takes for an address. */
	stream->_wide_data = NULL;
	return stream;
}

SIM_EXPORT FILE *fdopen(int fd, const char *mode)
{
	struct sim_file *file;
	int accmode = O_RDWR;

	if (__builtin_expect(!sim_fd_peek(fd), 1))
		return sim_real()->fdopen(fd, mode);
	if (sim_fd_peek(fd) == SIM_INTERNAL) {
		errno = EBADF;
		return NULL;
	}
	switch (sim_file_of(fd, &file)) {
	case SIM_OURS:
		accmode = sim_file_accmode(file);
		sim_file_put(file);
		break;
	case SIM_OTHER:
		break;
	default:
		return sim_real()->fdopen(fd, mode);
	}
	return stream_of(fd, mode, accmode);
}

/* --- dprintf() ---------------------------------------------------------------------------- */

SIM_EXPORT int vdprintf(int fd, const char *format, va_list args)
{
	return sim_refuses_writing(fd) ? -1 : sim_real()->vdprintf(fd, format, args);
}

SIM_EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = vdprintf(fd, format, args);
	va_end(args);
	return ret;
}

SIM_EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
	int (*next)(int fd, int flag, const char *format, va_list args);

	if (sim_refuses_writing(fd))
		return -1;
	next = sim_next("__vdprintf_chk");
	return next ? next(fd, flag, format, args) : sim_real()->vdprintf(fd, format, args);
}

SIM_EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = __vdprintf_chk(fd, flag, format, args);
	va_end(args);
	return ret;
}
