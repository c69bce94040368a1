/* SPDX-License-Identifier: MIT */
/*
 * What the interposed entry points share.
 *
 * Rules for them: a call that is not for the simulator goes to the next definition with
 * its arguments as they are, and errno is what that leaves behind. A call that is sets
 * errno only when it fails.
 *
 * The C library's headers must not redirect the names that are defined here, so this
 * header comes first in each file, and switches that off whatever the flags say.
 */
#ifndef PTO_SIM_HOOK_H
#define PTO_SIM_HOOK_H

#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include "preload.h"
#include "raw.h"
#include "real.h"

/** sim_open_before() - an open that may create a file: is it ours? Then *fd is its result */
bool sim_open_before(int dirfd, const char *path, int flags, int *fd);

/**
 * sim_open_after() - what the kernel said may be about one of our names
 * @dirfd: as for openat()
 * @path: the path that the kernel was given
 * @flags: as for open()
 * @fd: the kernel's answer, with errno if it is -1
 * @saved: errno before the call
 *
 * Return: what open() returns.
 */
int sim_open_after(int dirfd, const char *path, int flags, int fd, int saved);

/* Entry points that the headers do not declare, or only under some options. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
ssize_t __read_chk(int fd, void *buf, size_t length, size_t size);
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

#endif /* PTO_SIM_HOOK_H */
