// SPDX-License-Identifier: MIT
/*
 * Interposed: syscall(). The numbers of what is interposed under its own name go there, the
 * others to the kernel.
 */
#include "hook.h"

#include <errno.h>
#include <linux/openat2.h>
#include <stdarg.h>

static long do_openat2(const long *a)
{
	int dirfd = (int)a[0], fd, saved = errno;
	const char *path = (const char *)a[1];
	struct open_how how;

	/* Below a root of its own a path does not mean what it means elsewhere. */
	if (sim_copy_in(&how, (const void *)a[2], sizeof(how)) ||
	    how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return sim_real()->syscall(SYS_openat2, a[0], a[1], a[2], a[3]);
	if (sim_open_before(dirfd, path, (int)how.flags, &fd))
		return fd;
	fd = (int)sim_real()->syscall(SYS_openat2, a[0], a[1], a[2], a[3]);
	return sim_open_after(dirfd, path, (int)how.flags, fd, saved);
}

/* Descriptors: made, copied, closed. Return: false if @number is none of these. */
static bool do_descriptor(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_openat:
		*ret = openat((int)a[0], (const char *)a[1], (int)a[2], (mode_t)a[3]);
		return true;
	case SYS_openat2:
		*ret = do_openat2(a);
		return true;
	case SYS_close:
		*ret = close((int)a[0]);
		return true;
	case SYS_close_range:
		*ret = close_range((unsigned int)a[0], (unsigned int)a[1], (int)a[2]);
		return true;
	case SYS_dup:
		*ret = dup((int)a[0]);
		return true;
	case SYS_dup3:
		*ret = dup3((int)a[0], (int)a[1], (int)a[2]);
		return true;
	case SYS_fcntl:
		*ret = fcntl((int)a[0], (int)a[1], a[2]);
		return true;
#ifdef SYS_open
	case SYS_open:
		*ret = open((const char *)a[0], (int)a[1], (mode_t)a[2]);
		return true;
	case SYS_creat:
		*ret = creat((const char *)a[0], (mode_t)a[1]);
		return true;
	case SYS_dup2:
		*ret = dup2((int)a[0], (int)a[1]);
		return true;
#endif
	default:
		return false;
	}
}

/* What is done with them. */
static bool do_use(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_ioctl:
		*ret = ioctl((int)a[0], (unsigned long)a[1], a[2]);
		return true;
	case SYS_read:
		*ret = read((int)a[0], (void *)a[1], (size_t)a[2]);
		return true;
	case SYS_write:
		*ret = write((int)a[0], (const void *)a[1], (size_t)a[2]);
		return true;
	case SYS_readv:
		*ret = readv((int)a[0], (const struct iovec *)a[1], (int)a[2]);
		return true;
	case SYS_writev:
		*ret = writev((int)a[0], (const struct iovec *)a[1], (int)a[2]);
		return true;
	default:
		return false;
	}
}

/* What is done with mappings. */
static bool do_mapping(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_mmap:
		*ret = (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4],
				  a[5]);
		return true;
	case SYS_munmap:
		*ret = munmap((void *)a[0], (size_t)a[1]);
		return true;
	case SYS_mremap:
		*ret = (long)mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], a[4]);
		return true;
	case SYS_remap_file_pages:
		*ret = remap_file_pages((void *)a[0], (size_t)a[1], (int)a[2], (size_t)a[3],
					(int)a[4]);
		return true;
	case SYS_shmat:
		*ret = (long)shmat((int)a[0], (const void *)a[1], (int)a[2]);
		return true;
	case SYS_mprotect:
		*ret = mprotect((void *)a[0], (size_t)a[1], (int)a[2]);
		return true;
	case SYS_pkey_mprotect:
		*ret = pkey_mprotect((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
		return true;
	case SYS_madvise:
		*ret = madvise((void *)a[0], (size_t)a[1], (int)a[2]);
		return true;
	case SYS_msync:
		*ret = msync((void *)a[0], (size_t)a[1], (int)a[2]);
		return true;
	default:
		return false;
	}
}

/* What is asked of their readiness. */
static bool do_wait(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_epoll_ctl:
		*ret = epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
		return true;
#ifdef SYS_poll
	case SYS_poll:
		*ret = poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]);
		return true;
	case SYS_select:
		*ret = select((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3],
			      (struct timeval *)a[4]);
		return true;
#endif
	case SYS_ppoll:
		*ret = ppoll((struct pollfd *)a[0], (nfds_t)a[1],
			     (const struct timespec *)a[2], (const sigset_t *)a[3]);
		return true;
	default:
		return false;
	}
}

/* What is asked about names and descriptors. */
static bool do_status(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_newfstatat:
		*ret = fstatat((int)a[0], (const char *)a[1], (struct stat *)a[2], (int)a[3]);
		return true;
	case SYS_fstat:
		*ret = fstat((int)a[0], (struct stat *)a[1]);
		return true;
	case SYS_statx:
		*ret = statx((int)a[0], (const char *)a[1], (int)a[2], (unsigned int)a[3],
			     (struct statx *)a[4]);
		return true;
	case SYS_faccessat:
		*ret = faccessat((int)a[0], (const char *)a[1], (int)a[2], 0);
		return true;
	case SYS_readlinkat:
		*ret = readlinkat((int)a[0], (const char *)a[1], (char *)a[2], (size_t)a[3]);
		return true;
#ifdef SYS_stat
	case SYS_stat:
		*ret = stat((const char *)a[0], (struct stat *)a[1]);
		return true;
	case SYS_lstat:
		*ret = lstat((const char *)a[0], (struct stat *)a[1]);
		return true;
	case SYS_access:
		*ret = access((const char *)a[0], (int)a[1]);
		return true;
	case SYS_readlink:
		*ret = readlink((const char *)a[0], (char *)a[1], (size_t)a[2]);
		return true;
#endif
	default:
		return false;
	}
}

SIM_EXPORT long syscall(long number, ...)
{
	va_list args;
	long a[6], ret;
	int i;

	/* The caller may have passed fewer: what is read then is not used. */
	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	/* While things are being bound, allocators may call this for anything. */
	if (sim_bound && (do_descriptor(number, a, &ret) || do_use(number, a, &ret) ||
			  do_mapping(number, a, &ret) || do_wait(number, a, &ret) ||
			  do_status(number, a, &ret)))
		return ret;
	return sim_real()->syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
