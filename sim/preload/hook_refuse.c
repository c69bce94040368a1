// SPDX-License-Identifier: MIT
/*
 * Interposed: what the driver refuses and a socket would do, or wait for: reading and writing with
 * flags, splicing, and all that is for sockets.
 */
#include "hook.h"

#include <errno.h>
#include <sys/sendfile.h>

/*
 * <sys/socket.h> declares pointers to addresses by a union of its own, so these functions are
 * declared here.
 */
struct sockaddr;
struct msghdr;
struct mmsghdr;

bool sim_refuses(int fd, int closed_mode, int error)
{
	struct sim_file *file;
	int saved = errno;

	if (sim_fd_peek(fd) == SIM_INTERNAL) {
		errno = EBADF;
		return true;
	}
	switch (sim_file_of(fd, &file)) {
	case SIM_OURS:
		errno = sim_file_accmode(file) == closed_mode ? EBADF : error;
		sim_file_put(file);
		return true;
	case SIM_OTHER:
		errno = error;
		return true;
	default:
		errno = saved;
		return false;
	}
}

/* The next definition, looked up when it is needed first */
static void *next_of(void **cache, const char *name)
{
	void *next = __atomic_load_n(cache, __ATOMIC_ACQUIRE);

	if (SIM_UNLIKELY(!next)) {
		next = sim_next(name);
		__atomic_store_n(cache, next, __ATOMIC_RELEASE);
	}
	return next;
}

/**
 * REFUSING() - an entry point that fails if @when holds
 * @type: what it returns
 * @name: its name
 * @when: an expression that sets errno if it holds
 * @params: as they are declared
 * @...: as they are passed on
 */
#define REFUSING(type, name, when, params, ...) \
	type name params; \
	SIM_EXPORT type name params \
	{ \
		static void *cache; \
		__typeof__(name) *next; \
\
		if (SIM_UNLIKELY(when)) \
			return -1; \
		next = (__typeof__(name) *)next_of(&cache, #name); \
		if (next) \
			return next(__VA_ARGS__); \
		errno = ENOSYS; \
		return -1; \
	}

/* --- like readv() and writev() ---------------------------------------------------------- */

/*
 * At a position a device and a socket are the same to the kernel: ESPIPE. Where the position is -1,
 * preadv2() and pwritev2() are readv() and writev().
 */
#define PREADV2(name, off) \
	REFUSING(ssize_t, name, offset == -1 && sim_refuses_reading(fd), \
		 (int fd, const struct iovec *iov, int count, off offset, int flags), \
		 fd, iov, count, offset, flags)
#define PWRITEV2(name, off) \
	REFUSING(ssize_t, name, offset == -1 && sim_refuses_writing(fd), \
		 (int fd, const struct iovec *iov, int count, off offset, int flags), \
		 fd, iov, count, offset, flags)

PREADV2(preadv2, off_t)
PREADV2(preadv64v2, off64_t)
PWRITEV2(pwritev2, off_t)
PWRITEV2(pwritev64v2, off64_t)

/* --- from one descriptor to another ---------------------------------------------------- */

REFUSING(ssize_t, splice, sim_refuses_reading(from) || sim_refuses_writing(to),
	 (int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length,
	  unsigned int flags),
	 from, from_offset, to, to_offset, length, flags)
REFUSING(ssize_t, sendfile, sim_refuses_reading(from) || sim_refuses_writing(to),
	 (int to, int from, off_t *offset, size_t length), to, from, offset, length)
REFUSING(ssize_t, sendfile64, sim_refuses_reading(from) || sim_refuses_writing(to),
	 (int to, int from, off64_t *offset, size_t length), to, from, offset, length)

/* --- sockets ---------------------------------------------------------------------------- */

#define SOCKETS(type, name, params, ...) \
	REFUSING(type, name, sim_refuses_socket(fd), params, __VA_ARGS__)

SOCKETS(ssize_t, send, (int fd, const void *buf, size_t length, int flags), fd, buf, length, flags)
SOCKETS(ssize_t, sendto,
	(int fd, const void *buf, size_t length, int flags, const struct sockaddr *addr,
	 unsigned int size),
	fd, buf, length, flags, addr, size)
SOCKETS(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
SOCKETS(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned int count, int flags),
	fd, messages, count, flags)
SOCKETS(ssize_t, recv, (int fd, void *buf, size_t length, int flags), fd, buf, length, flags)
SOCKETS(ssize_t, recvfrom,
	(int fd, void *buf, size_t length, int flags, struct sockaddr *addr, unsigned int *size),
	fd, buf, length, flags, addr, size)
SOCKETS(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
SOCKETS(int, recvmmsg,
	(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout),
	fd, messages, count, flags, timeout)
SOCKETS(ssize_t, __recv_chk, (int fd, void *buf, size_t length, size_t room, int flags),
	fd, buf, length, room, flags)
SOCKETS(ssize_t, __recvfrom_chk,
	(int fd, void *buf, size_t length, size_t room, int flags, struct sockaddr *addr,
	 unsigned int *size),
	fd, buf, length, room, flags, addr, size)
SOCKETS(int, getsockopt, (int fd, int level, int option, void *value, unsigned int *size),
	fd, level, option, value, size)
SOCKETS(int, setsockopt, (int fd, int level, int option, const void *value, unsigned int size),
	fd, level, option, value, size)
SOCKETS(int, getsockname, (int fd, struct sockaddr *addr, unsigned int *size), fd, addr, size)
SOCKETS(int, getpeername, (int fd, struct sockaddr *addr, unsigned int *size), fd, addr, size)
SOCKETS(int, bind, (int fd, const struct sockaddr *addr, unsigned int size), fd, addr, size)
SOCKETS(int, connect, (int fd, const struct sockaddr *addr, unsigned int size), fd, addr, size)
SOCKETS(int, listen, (int fd, int backlog), fd, backlog)
SOCKETS(int, accept, (int fd, struct sockaddr *addr, unsigned int *size), fd, addr, size)
SOCKETS(int, accept4, (int fd, struct sockaddr *addr, unsigned int *size, int flags),
	fd, addr, size, flags)
SOCKETS(ssize_t, __send, (int fd, const void *buf, size_t length, int flags),
	fd, buf, length, flags)
SOCKETS(int, __connect, (int fd, const struct sockaddr *addr, unsigned int size), fd, addr, size)
SOCKETS(int, shutdown, (int fd, int how), fd, how)
