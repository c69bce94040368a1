/* SPDX-License-Identifier: MIT */
/*
 * The next definitions of the interposed functions.
 *
 * A constructor binds them, or the first call of an interposed function if that comes earlier.
 * A function that is called while they are being bound, as by an allocator that dlsym() calls,
 * enters the kernel directly.
 */
#ifndef PTO_SIM_REAL_H
#define PTO_SIM_REAL_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Functions that are called with the type that their header declares. */
#define SIM_REALS(X) \
	X(open) X(open64) X(openat) X(openat64) X(creat) X(creat64) \
	X(fopen) X(fopen64) X(fclose) X(fdopen) X(vdprintf) \
	X(close) X(close_range) X(dup) X(dup2) X(dup3) X(fcntl) X(fcntl64) X(ioctl) \
	X(read) X(write) X(readv) X(writev) \
	X(mmap) X(mmap64) X(munmap) X(mremap) X(remap_file_pages) X(shmat) \
	X(mprotect) X(pkey_mprotect) X(madvise) X(msync) \
	X(mlock) X(mlock2) X(mlockall) \
	X(poll) X(ppoll) X(select) X(pselect) X(epoll_ctl) \
	X(stat) X(lstat) X(fstat) X(fstatat) X(statx) \
	X(access) X(faccessat) X(euidaccess) X(readlink) X(readlinkat) X(realpath) \
	X(syscall)

struct sim_real {
#define SIM_REAL_MEMBER(name) __typeof__(name) *name;
	SIM_REALS(SIM_REAL_MEMBER)
#undef SIM_REAL_MEMBER
};

extern struct sim_real sim_reals;

/** sim_direct - functions that enter the kernel, for those that are system calls */
extern const struct sim_real sim_direct;

extern _Bool sim_bound;

void sim_bind(void);

/** sim_real() - the table; bound by the time main() runs */
static inline const struct sim_real *sim_real(void)
{
	if (__builtin_expect(!sim_bound, 0))
		sim_bind();
	return &sim_reals;
}

/** sim_next() - the next definition of a function that is rarely needed; NULL if none */
void *sim_next(const char *name);

/** sim_return() - a negative errno as the C library returns it */
static inline long sim_return(long result)
{
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

#endif /* PTO_SIM_REAL_H */
