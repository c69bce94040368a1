/* SPDX-License-Identifier: MIT */
/*
 * Declarations shared by the interposed entry points.
 *
 * A call that is not for the simulator goes to the next definition with unchanged arguments,
 * and errno is left as that definition sets it. A call that the simulator handles sets errno
 * only if it fails.
 *
 * The C library's headers must not redirect the functions that are defined here. So this header
 * comes first in each file and undefines the macros that would make them do so.
 */
#ifndef PTO_SIM_HOOK_H
#define PTO_SIM_HOOK_H

#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include <stdarg.h>

#include "preload.h"
#include "raw.h"
#include "real.h"

/**
 * SIM_ENTRY() - the entry point of sim_@name(), which goes on to the next definition
 *
 * sim_@name() takes the table of next definitions as its first argument; the syscall() hook
 * passes &sim_direct, which enters the kernel.
 */
#define SIM_ENTRY(type, name, params, ...) \
	SIM_EXPORT type name params \
	{ \
		return sim_##name(sim_real(), __VA_ARGS__); \
	}

int sim_openat(const struct sim_real *next, int dirfd, const char *path, int flags, mode_t mode);
int sim_close(const struct sim_real *next, int fd);
int sim_close_range(const struct sim_real *next, unsigned int first, unsigned int last, int flags);
int sim_dup(const struct sim_real *next, int fd);
int sim_dup2(const struct sim_real *next, int from, int fd);
int sim_dup3(const struct sim_real *next, int from, int fd, int flags);
int sim_fcntl(const struct sim_real *next, int fd, int command, long arg);
int sim_ioctl(const struct sim_real *next, int fd, unsigned long request, void *arg);
ssize_t sim_read(const struct sim_real *next, int fd, void *buf, size_t length);
ssize_t sim_write(const struct sim_real *next, int fd, const void *buf, size_t length);
ssize_t sim_readv(const struct sim_real *next, int fd, const struct iovec *iov, int count);
ssize_t sim_writev(const struct sim_real *next, int fd, const struct iovec *iov, int count);
void *sim_mmap(const struct sim_real *next, void *addr, size_t length, int prot, int flags, int fd,
	       off_t offset);
void *sim_mmap64(const struct sim_real *next, void *addr, size_t length, int prot, int flags,
		 int fd, off_t offset);
int sim_munmap(const struct sim_real *next, void *addr, size_t length);
void *sim_mremap(const struct sim_real *next, void *addr, size_t old_length, size_t new_length,
		 int flags, void *new_addr);
int sim_remap_file_pages(const struct sim_real *next, void *addr, size_t length, int prot,
			 size_t index, int flags);
void *sim_shmat(const struct sim_real *next, int id, const void *addr, int flags);
int sim_mprotect(const struct sim_real *next, void *addr, size_t length, int prot);
int sim_pkey_mprotect(const struct sim_real *next, void *addr, size_t length, int prot, int key);
int sim_madvise(const struct sim_real *next, void *addr, size_t length, int advice);
int sim_msync(const struct sim_real *next, void *addr, size_t length, int flags);
int sim_mlock(const struct sim_real *next, const void *addr, size_t length);
int sim_mlock2(const struct sim_real *next, const void *addr, size_t length, unsigned int flags);
int sim_mlockall(const struct sim_real *next, int flags);
int sim_poll(const struct sim_real *next, struct pollfd *fds, nfds_t n, int timeout);
int sim_ppoll(const struct sim_real *next, struct pollfd *fds, nfds_t n,
	      const struct timespec *timeout, const sigset_t *mask);
int sim_select(const struct sim_real *next, int nfds, fd_set *readable, fd_set *writable,
	       fd_set *exceptional, struct timeval *timeout);
int sim_pselect(const struct sim_real *next, int nfds, fd_set *readable, fd_set *writable,
		fd_set *exceptional, const struct timespec *timeout, const sigset_t *mask);
int sim_epoll_ctl(const struct sim_real *next, int epfd, int op, int fd,
		  struct epoll_event *event);
int sim_stat(const struct sim_real *next, const char *path, struct stat *st);
int sim_lstat(const struct sim_real *next, const char *path, struct stat *st);
int sim_fstat(const struct sim_real *next, int fd, struct stat *st);
int sim_fstatat(const struct sim_real *next, int dirfd, const char *path, struct stat *st,
		int flags);
int sim_statx(const struct sim_real *next, int dirfd, const char *path, int flags,
	      unsigned int mask, struct statx *sx);
int sim_access(const struct sim_real *next, const char *path, int mode);
int sim_faccessat(const struct sim_real *next, int dirfd, const char *path, int mode, int flags);
ssize_t sim_readlink(const struct sim_real *next, const char *path, char *buf, size_t length);
ssize_t sim_readlinkat(const struct sim_real *next, int dirfd, const char *path, char *buf,
		       size_t length);

/**
 * sim_refuses() - is a descriptor a context, or of the simulator itself? Then sets errno
 * @fd: the descriptor
 * @closed_mode: the mode of open() with which the answer is EBADF; -1 for none
 * @error: the answer otherwise
 */
bool sim_refuses(int fd, int closed_mode, int error);

/** sim_refuses_reading() - of @fd? The driver has nothing to read */
static inline bool sim_refuses_reading(int fd)
{
	return SIM_UNLIKELY(sim_fd_peek(fd)) && sim_refuses(fd, O_WRONLY, EINVAL);
}

/** sim_refuses_writing() - to @fd? */
static inline bool sim_refuses_writing(int fd)
{
	return SIM_UNLIKELY(sim_fd_peek(fd)) && sim_refuses(fd, O_RDONLY, EINVAL);
}

/** sim_refuses_socket() - what is for sockets? */
static inline bool sim_refuses_socket(int fd)
{
	return SIM_UNLIKELY(sim_fd_peek(fd)) && sim_refuses(fd, -1, ENOTSOCK);
}

/**
 * sim_open_before() - handle an open that may create a file, if @path names a device
 *
 * Return: true if it was handled; *fd is the result of open() then.
 */
bool sim_open_before(int dirfd, const char *path, int flags, int *fd);

/**
 * sim_open_after() - after the kernel's open: if @path names a device, open that instead
 * @dirfd: as for openat()
 * @path: the path that the kernel was given
 * @flags: as for open()
 * @fd: the kernel's result; errno is set if it is -1
 * @saved: errno before the call
 *
 * Return: what open() returns.
 */
int sim_open_after(int dirfd, const char *path, int flags, int fd, int saved);

/**
 * SIM_NEXT() - the next definition of a function that is not in the table of real.h
 *
 * The first use looks it up. The C library must have the function.
 */
#define SIM_NEXT(name) \
	({ \
		static __typeof__(name) *next_; \
		__typeof__(name) *found_ = __atomic_load_n(&next_, __ATOMIC_RELAXED); \
\
		if (SIM_UNLIKELY(!found_)) { \
			found_ = (__typeof__(name) *)sim_next(#name); \
			__atomic_store_n(&next_, found_, __ATOMIC_RELAXED); \
		} \
		found_; \
	})

/**
 * sim_names_device() - does @path name a device? Called before the kernel is asked
 * @dirfd: as for openat()
 * @path: as the application passed it
 * @index: out, if it does: the device; -1 if the call must fail, with errno set
 */
bool sim_names_device(int dirfd, const char *path, int *index);

/** sim_leads_to_device() - the same for a call that follows links, such as /proc/self/fd/N */
bool sim_leads_to_device(int dirfd, const char *path, int *index);

/** sim_node_status() - fill in owner and group of a device's node, and its changed attributes */
void sim_node_status(int index, struct stat *st);

/** sim_node_allows() - may this process access the node, by R_OK, W_OK and X_OK? */
bool sim_node_allows(int index, int access);

/* Entry points that the headers declare only under some options, or not at all. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
ssize_t __read_chk(int fd, void *buf, size_t length, size_t size);
int __dprintf_chk(int fd, int flag, const char *format, ...);
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *mask, size_t size);
int __xstat(int version, const char *path, struct stat *st);
int __lxstat(int version, const char *path, struct stat *st);
int __fxstat(int version, int fd, struct stat *st);
int __fxstatat(int version, int dirfd, const char *path, struct stat *st, int flags);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstat64(int version, int fd, struct stat64 *st);
int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *st, int flags);
ssize_t __readlink_chk(const char *path, char *buf, size_t length, size_t size);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t length, size_t size);
char *__realpath_chk(const char *path, char *resolved, size_t size);
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
int __close(int fd);
ssize_t __read(int fd, void *buf, size_t length);
ssize_t __write(int fd, const void *buf, size_t length);
int __fcntl(int fd, int command, ...);
int __dup2(int from, int fd);
struct statfs;
int __statfs(const char *path, struct statfs *st);
int __poll(struct pollfd *fds, nfds_t n, int timeout);
int __select(int nfds, fd_set *readable, fd_set *writable, fd_set *exceptional,
	     struct timeval *timeout);

#endif /* PTO_SIM_HOOK_H */
