// SPDX-License-Identifier: MIT
/*
 * Interposed: the functions that open a file by name.
 *
 * The kernel is asked first. It has no /dev/ptoN and returns ENOENT. It has read the path by
 * then, so the path is known to be readable. Only a call that could create the file is checked
 * before the kernel is asked. A real /dev/ptoN is opened and closed again: under the simulator
 * only the simulated devices exist.
 *
 * The kernel opens no socket by a name of its descriptor (/proc/self/fd/N) and returns ENXIO. If
 * the descriptor is a context, its device is opened, as the kernel does with a real one.
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

#define OPEN_MODE(flags) ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE)

static bool may_open(int index, int flags)
{
	static const int access[] = { R_OK, W_OK, R_OK | W_OK, R_OK | W_OK };

	return flags & O_PATH || index >= SIM_MAX_DEVICES ||
	       sim_node_allows(index, access[flags & O_ACCMODE]);
}

static int open_device(int index, int flags, int saved)
{
	int fd = (int)sim_return(may_open(index, flags) ?
				 sim_file_open((unsigned int)index, flags) : -EACCES);

	if (fd >= 0)
		errno = saved;
	return fd;
}

bool sim_open_before(int dirfd, const char *path, int flags, int *fd)
{
	int index;

	if (!(flags & O_CREAT))
		return false;
	index = sim_path_index_user(dirfd, path);
	if (index < 0)
		return false;
	*fd = open_device(index, flags, errno);
	return true;
}

/* The kernel has returned ENXIO. */
static int open_link(int dirfd, const char *path, int flags, int saved)
{
	int index = sim_path_link(dirfd, path);

	return index < 0 ? -1 : open_device(index, flags, saved);
}

/* O_PATH of a name of a context's descriptor: as little supported as of the device's own. */
static bool is_context(int fd, const char *path)
{
	struct stat st;

	return !sim_raw(SYS_fstat, fd, &st) && sim_path_of_socket(&st, path) >= 0;
}

int sim_open_after(int dirfd, const char *path, int flags, int fd, int saved)
{
	int index, failed = errno;

	if (fd >= 0)
		sim_fd_forget(fd);
	else if (failed == ENXIO)
		return open_link(dirfd, path, flags, saved);
	else if (failed != ENOENT)
		return fd;
	if (fd >= 0 && SIM_UNLIKELY(flags & O_PATH) && is_context(fd, path)) {
		sim_raw(SYS_close, fd);
		errno = EOPNOTSUPP;
		return -1;
	}
	if (__builtin_expect(!sim_path_candidate(path), 1))
		return fd;
	index = sim_path_index(dirfd, path);
	if (index < 0) {
		errno = index == SIM_PATH_BELOW && fd < 0 ? ENOTDIR : failed;
		return fd;
	}
	if (fd >= 0)
		sim_raw(SYS_close, fd);
	return open_device(index, flags, saved);
}

#define OPEN(name) \
	SIM_EXPORT int name(const char *path, int flags, ...) \
	{ \
		mode_t mode = 0; \
		int fd, saved = errno; \
\
		if (OPEN_MODE(flags)) { \
			va_list args; \
\
			va_start(args, flags); \
			mode = va_arg(args, mode_t); \
			va_end(args); \
		} \
		if (sim_open_before(AT_FDCWD, path, flags, &fd)) \
			return fd; \
		fd = sim_real()->name(path, flags, mode); \
		return sim_open_after(AT_FDCWD, path, flags, fd, saved); \
	}

#define OPENAT(name) \
	SIM_EXPORT int name(int dirfd, const char *path, int flags, ...) \
	{ \
		mode_t mode = 0; \
		int fd, saved = errno; \
\
		if (OPEN_MODE(flags)) { \
			va_list args; \
\
			va_start(args, flags); \
			mode = va_arg(args, mode_t); \
			va_end(args); \
		} \
		if (sim_open_before(dirfd, path, flags, &fd)) \
			return fd; \
		fd = sim_real()->name(dirfd, path, flags, mode); \
		return sim_open_after(dirfd, path, flags, fd, saved); \
	}

int sim_openat(const struct sim_real *next, int dirfd, const char *path, int flags, mode_t mode)
{
	int fd, saved = errno;

	if (sim_open_before(dirfd, path, flags, &fd))
		return fd;
	fd = next->openat(dirfd, path, flags, mode);
	return sim_open_after(dirfd, path, flags, fd, saved);
}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

#define CREAT(name, opener) \
	SIM_EXPORT int name(const char *path, mode_t mode) \
	{ \
		return opener(path, O_WRONLY | O_CREAT | O_TRUNC, mode); \
	}

CREAT(creat, open)
CREAT(creat64, open64)

/*
 * With -D_FORTIFY_SOURCE a call without a mode becomes a call of these. If a mode is needed, the
 * C library reports it.
 */
#define OPEN_2(name, opener) \
	SIM_EXPORT int name(const char *path, int flags) \
	{ \
		int (*next)(const char *path, int flags); \
\
		if (!OPEN_MODE(flags)) \
			return opener(path, flags); \
		next = sim_next(#name); \
		return next ? next(path, flags) : opener(path, flags, 0); \
	}

#define OPENAT_2(name, opener) \
	SIM_EXPORT int name(int dirfd, const char *path, int flags) \
	{ \
		int (*next)(int dirfd, const char *path, int flags); \
\
		if (!OPEN_MODE(flags)) \
			return opener(dirfd, path, flags); \
		next = sim_next(#name); \
		return next ? next(dirfd, path, flags) : opener(dirfd, path, flags, 0); \
	}

OPEN_2(__open_2, open)
OPEN_2(__open64_2, open64)
OPENAT_2(__openat_2, openat)
OPENAT_2(__openat64_2, openat64)

/* The flags of an fopen() mode, or -1. */
static int stream_flags(const char *mode)
{
	int flags;

	switch (*mode) {
	case 'r':
		flags = O_RDONLY;
		break;
	case 'w':
		flags = O_WRONLY | O_CREAT | O_TRUNC;
		break;
	case 'a':
		flags = O_WRONLY | O_CREAT | O_APPEND;
		break;
	default:
		return -1;
	}
	if (strchr(mode, '+'))
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	if (strchr(mode, 'e'))
		flags |= O_CLOEXEC;
	return strchr(mode, 'x') ? flags | O_EXCL : flags;
}

static FILE *open_stream(int index, const char *mode)
{
	int flags = stream_flags(mode);
	int fd, failed;
	FILE *stream;

	if (flags < 0) {
		errno = EINVAL;
		return NULL;
	}
	fd = open_device(index, flags, errno);
	if (fd < 0)
		return NULL;
	stream = fdopen(fd, mode);
	if (!stream) {
		failed = errno;
		close(fd);
		errno = failed;
	}
	return stream;
}

/* As with open(), the kernel is asked first unless it could create the file. */
static FILE *open_stream_after(const char *path, const char *mode, FILE *stream)
{
	int index, failed = errno;

	if (!stream && failed == ENXIO) {
		index = sim_path_link(AT_FDCWD, path);
		return index < 0 ? NULL : open_stream(index, mode);
	}
	if (!stream && failed != ENOENT)
		return NULL;
	if (__builtin_expect(!sim_path_candidate(path), 1))
		return stream;
	index = sim_path_index(AT_FDCWD, path);
	if (index < 0) {
		errno = index == SIM_PATH_BELOW && !stream ? ENOTDIR : failed;
		return stream;
	}
	if (stream)
		fclose(stream);
	return open_stream(index, mode);
}

#define FOPEN(name) \
	SIM_EXPORT FILE *name(const char *path, const char *mode) \
	{ \
		int index = -1; \
\
		if (*mode != 'r') \
			index = sim_path_index_user(AT_FDCWD, path); \
		if (index >= 0) \
			return open_stream(index, mode); \
		return open_stream_after(path, mode, sim_real()->name(path, mode)); \
	}

FOPEN(fopen)
FOPEN(fopen64)

SIM_EXPORT int fclose(FILE *stream)
{
	struct sim_closing closing = { NULL, 0 };
	int fd, ret;

	if (SIM_UNLIKELY(sim_fd_used())) {
		fd = fileno(stream);
		if (fd >= 0)
			closing = sim_file_before_close(fd);
	}
	ret = sim_real()->fclose(stream);
	sim_file_after_close(closing);
	return ret;
}

typedef FILE *reopener(const char *path, const char *mode, FILE *stream);

/* Close the stream, as a freopen() that fails does: opening "" fails in the C library. */
static FILE *close_stream(const char *mode, FILE *stream, reopener *next)
{
	int failed = errno;

	next("", mode, stream);
	errno = failed;
	return NULL;
}

/* Flags of a stream that is not for reading, and not for writing, in the C library's ABI */
#define NO_READS 4
#define NO_WRITES 8

/*
 * Reopen the stream with an existing file, whose descriptor is then replaced by the device's. The
 * stream cannot become one of callbacks, and the C library must not read and write a socket: it
 * fails with EBADF instead.
 */
static FILE *reopen(int index, const char *mode, FILE *stream, reopener *next)
{
	int flags = stream_flags(mode), saved = errno;
	FILE *result;
	int fd;

	if (flags < 0)
		errno = EINVAL;
	if (index < 0 || flags < 0)
		return close_stream(mode, stream, next);
	fd = open_device(index, flags, saved);
	if (fd < 0)
		return close_stream(mode, stream, next);
	result = next("/dev/null", mode, stream);
	if (result && dup3(fd, fileno(result), flags & O_CLOEXEC) < 0)
		result = close_stream(mode, stream, next);
	if (result)
		result->_flags |= NO_READS | NO_WRITES;
	close(fd);
	return result;
}

/* A stream of fdopen() of a device has nothing for wide characters, and remains without. */
#define FREOPEN(name) \
	SIM_EXPORT FILE *name(const char *path, const char *mode, FILE *stream) \
	{ \
		struct sim_closing closing = { NULL, 0 }; \
		int index = -1, fd = fileno(stream); \
		bool ours, bytes = !stream->_wide_data; \
		FILE *result; \
\
		if (!path && fd >= 0 && sim_fd_peek(fd)) \
			index = sim_context_index(fd); \
		ours = path ? sim_leads_to_device(AT_FDCWD, path, &index) : index >= 0; \
		if (fd >= 0) \
			closing = sim_file_before_close(fd); \
		if (ours) \
			result = reopen(index, mode, stream, SIM_NEXT(name)); \
		else \
			result = SIM_NEXT(name)(path, mode, stream); \
		sim_file_after_close(closing); \
		if (result && bytes) \
			fwide(result, -1); \
		return result; \
	}

FREOPEN(freopen)
FREOPEN(freopen64)
