// SPDX-License-Identifier: MIT
/*
 * Interposed: syscall(). A number whose function is interposed is handled as that function is.
 * Where that function goes on to its next definition, this goes on to the kernel: the next
 * definition may call syscall() itself.
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

	/* With these flags a path must stay below dirfd, which sim_path_index() does not know. */
	if (sim_copy_in(&how, (const void *)a[2], sizeof(how)) ||
	    how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return sim_return(sim_raw(SYS_openat2, a[0], a[1], a[2], a[3]));
	if (sim_open_before(dirfd, path, (int)how.flags, &fd))
		return fd;
	fd = (int)sim_return(sim_raw(SYS_openat2, a[0], a[1], a[2], a[3]));
	return sim_open_after(dirfd, path, (int)how.flags, fd, saved);
}

/* Calls that make, copy and close descriptors. Return: false if @number is none of these. */
static bool do_descriptor(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_openat:
		*ret = sim_openat(&sim_direct, (int)a[0], (const char *)a[1], (int)a[2],
				  (mode_t)a[3]);
		return true;
	case SYS_openat2:
		*ret = do_openat2(a);
		return true;
	case SYS_close:
		*ret = sim_close(&sim_direct, (int)a[0]);
		return true;
	case SYS_close_range:
		*ret = sim_close_range(&sim_direct, (unsigned int)a[0], (unsigned int)a[1],
				       (int)a[2]);
		return true;
	case SYS_dup:
		*ret = sim_dup(&sim_direct, (int)a[0]);
		return true;
	case SYS_dup3:
		*ret = sim_dup3(&sim_direct, (int)a[0], (int)a[1], (int)a[2]);
		return true;
	case SYS_fcntl:
		*ret = sim_fcntl(&sim_direct, (int)a[0], (int)a[1], a[2]);
		return true;
#ifdef SYS_open
	case SYS_open:
		*ret = sim_openat(&sim_direct, AT_FDCWD, (const char *)a[0], (int)a[1],
				  (mode_t)a[2]);
		return true;
	case SYS_creat:
		*ret = sim_openat(&sim_direct, AT_FDCWD, (const char *)a[0],
				  O_WRONLY | O_CREAT | O_TRUNC, (mode_t)a[1]);
		return true;
	case SYS_dup2:
		*ret = sim_dup2(&sim_direct, (int)a[0], (int)a[1]);
		return true;
#endif
	default:
		return false;
	}
}

/* Calls that use descriptors. */
static bool do_use(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_ioctl:
		*ret = sim_ioctl(&sim_direct, (int)a[0], (unsigned long)a[1], (void *)a[2]);
		return true;
	case SYS_read:
		*ret = sim_read(&sim_direct, (int)a[0], (void *)a[1], (size_t)a[2]);
		return true;
	case SYS_write:
		*ret = sim_write(&sim_direct, (int)a[0], (const void *)a[1], (size_t)a[2]);
		return true;
	case SYS_readv:
		*ret = sim_readv(&sim_direct, (int)a[0], (const struct iovec *)a[1], (int)a[2]);
		return true;
	case SYS_writev:
		*ret = sim_writev(&sim_direct, (int)a[0], (const struct iovec *)a[1], (int)a[2]);
		return true;
	default:
		return false;
	}
}

/* What the driver refuses. Return: has it refused? The kernel is for the rest. */
static bool do_refuse(long number, const long *a)
{
	switch (number) {
	case SYS_preadv2:
		return a[3] == -1 && sim_refuses_reading((int)a[0]);
	case SYS_pwritev2:
		return a[3] == -1 && sim_refuses_writing((int)a[0]);
	case SYS_splice:
		return sim_refuses_reading((int)a[0]) || sim_refuses_writing((int)a[2]);
	case SYS_sendfile:
		return sim_refuses_reading((int)a[1]) || sim_refuses_writing((int)a[0]);
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_getsockopt:
	case SYS_setsockopt:
	case SYS_getsockname:
	case SYS_getpeername:
	case SYS_bind:
	case SYS_connect:
	case SYS_listen:
	case SYS_accept:
	case SYS_accept4:
	case SYS_shutdown:
		return sim_refuses_socket((int)a[0]);
	default:
		return false;
	}
}

/* Calls that make and change mappings. */
static bool do_mapping(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_mmap:
		*ret = (long)sim_mmap(&sim_direct, (void *)a[0], (size_t)a[1], (int)a[2],
				      (int)a[3], (int)a[4], a[5]);
		return true;
	case SYS_munmap:
		*ret = sim_munmap(&sim_direct, (void *)a[0], (size_t)a[1]);
		return true;
	case SYS_mremap:
		*ret = (long)sim_mremap(&sim_direct, (void *)a[0], (size_t)a[1], (size_t)a[2],
					(int)a[3], (void *)a[4]);
		return true;
	case SYS_remap_file_pages:
		*ret = sim_remap_file_pages(&sim_direct, (void *)a[0], (size_t)a[1], (int)a[2],
					    (size_t)a[3], (int)a[4]);
		return true;
	case SYS_shmat:
		*ret = (long)sim_shmat(&sim_direct, (int)a[0], (const void *)a[1], (int)a[2]);
		return true;
	case SYS_mprotect:
		*ret = sim_mprotect(&sim_direct, (void *)a[0], (size_t)a[1], (int)a[2]);
		return true;
	case SYS_pkey_mprotect:
		*ret = sim_pkey_mprotect(&sim_direct, (void *)a[0], (size_t)a[1], (int)a[2],
					 (int)a[3]);
		return true;
	case SYS_madvise:
		*ret = sim_madvise(&sim_direct, (void *)a[0], (size_t)a[1], (int)a[2]);
		return true;
	case SYS_msync:
		*ret = sim_msync(&sim_direct, (void *)a[0], (size_t)a[1], (int)a[2]);
		return true;
	case SYS_mlock:
		*ret = sim_mlock(&sim_direct, (const void *)a[0], (size_t)a[1]);
		return true;
	case SYS_mlock2:
		*ret = sim_mlock2(&sim_direct, (const void *)a[0], (size_t)a[1],
				  (unsigned int)a[2]);
		return true;
	case SYS_mlockall:
		*ret = sim_mlockall(&sim_direct, (int)a[0]);
		return true;
	default:
		return false;
	}
}

static bool do_pselect(const long *a, long *ret)
{
	struct {
		const sigset_t *mask;
		size_t size;
	} how = {NULL, 8};

	if (a[5] && sim_copy_in(&how, (const void *)a[5], sizeof(how)))
		return false;
	if (how.mask && how.size != 8)
		return false;
	*ret = sim_pselect(&sim_direct, (int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3],
			   (const struct timespec *)a[4], how.mask);
	return true;
}

/* Calls that wait for descriptors. */
static bool do_wait(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_epoll_ctl:
		*ret = sim_epoll_ctl(&sim_direct, (int)a[0], (int)a[1], (int)a[2],
				     (struct epoll_event *)a[3]);
		return true;
#ifdef SYS_poll
	case SYS_poll:
		*ret = sim_poll(&sim_direct, (struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]);
		return true;
	case SYS_select:
		*ret = sim_select(&sim_direct, (int)a[0], (fd_set *)a[1], (fd_set *)a[2],
				  (fd_set *)a[3], (struct timeval *)a[4]);
		return true;
#endif
	case SYS_ppoll:
		if (a[3] && a[4] != 8)
			return false;
		*ret = sim_ppoll(&sim_direct, (struct pollfd *)a[0], (nfds_t)a[1],
				 (const struct timespec *)a[2], (const sigset_t *)a[3]);
		return true;
	case SYS_pselect6:
		return do_pselect(a, ret);
	default:
		return false;
	}
}

/* Calls that ask for attributes of names and descriptors. */
static bool do_status(long number, const long *a, long *ret)
{
	switch (number) {
	case SYS_newfstatat:
		*ret = sim_fstatat(&sim_direct, (int)a[0], (const char *)a[1], (struct stat *)a[2],
				   (int)a[3]);
		return true;
	case SYS_fstat:
		*ret = sim_fstat(&sim_direct, (int)a[0], (struct stat *)a[1]);
		return true;
	case SYS_statx:
		*ret = sim_statx(&sim_direct, (int)a[0], (const char *)a[1], (int)a[2],
				 (unsigned int)a[3], (struct statx *)a[4]);
		return true;
	case SYS_faccessat:
		*ret = sim_faccessat(&sim_direct, (int)a[0], (const char *)a[1], (int)a[2], 0);
		return true;
	case SYS_readlinkat:
		*ret = sim_readlinkat(&sim_direct, (int)a[0], (const char *)a[1], (char *)a[2],
				      (size_t)a[3]);
		return true;
	case SYS_faccessat2:
		*ret = sim_faccessat(&sim_direct, (int)a[0], (const char *)a[1], (int)a[2],
				     (int)a[3]);
		return true;
#ifdef SYS_stat
	case SYS_stat:
		*ret = sim_stat(&sim_direct, (const char *)a[0], (struct stat *)a[1]);
		return true;
	case SYS_lstat:
		*ret = sim_lstat(&sim_direct, (const char *)a[0], (struct stat *)a[1]);
		return true;
	case SYS_access:
		*ret = sim_access(&sim_direct, (const char *)a[0], (int)a[1]);
		return true;
	case SYS_readlink:
		*ret = sim_readlink(&sim_direct, (const char *)a[0], (char *)a[1], (size_t)a[2]);
		return true;
#endif
	default:
		return false;
	}
}

/*
 * Calls that change attributes or the name of a file. The interposed functions go on to the next
 * definition, not to the kernel, if the call does not concern a device. So they are called here
 * only if it does.
 */
static bool do_node_fd(long number, const long *a, long *ret)
{
	int fd = (int)a[0];

	if (number != SYS_fchmod && number != SYS_fchown)
		return false;
	if (!SIM_UNLIKELY(sim_fd_peek(fd)) || sim_context_index(fd) < 0)
		return false;
	*ret = number == SYS_fchmod ? fchmod(fd, (mode_t)a[1]) :
				      fchown(fd, (uid_t)a[1], (gid_t)a[2]);
	return true;
}

static bool follows_links(long number, const long *a)
{
	return number == SYS_fchmodat ||
	       (number == SYS_fchownat && !(a[4] & AT_SYMLINK_NOFOLLOW)) ||
	       (number == SYS_utimensat && !(a[3] & AT_SYMLINK_NOFOLLOW));
}

static bool finds_device(long number, const long *a, int *index)
{
	int dirfd = (int)a[0];
	const char *path = (const char *)a[1];

	return follows_links(number, a) ? sim_leads_to_device(dirfd, path, index) :
					  sim_names_device(dirfd, path, index);
}

static bool is_of_node(long number)
{
	return number == SYS_fchmodat || number == SYS_fchownat || number == SYS_utimensat ||
	       number == SYS_unlinkat || number == SYS_mkdirat || number == SYS_mknodat;
}

static bool do_node(long number, const long *a, long *ret)
{
	const char *path = (const char *)a[1];
	int index, dirfd = (int)a[0];

	if (!is_of_node(number) || !path || !finds_device(number, a, &index))
		return do_node_fd(number, a, ret);
	*ret = -1;
	if (index < 0)
		return true;
	switch (number) {
	case SYS_fchmodat:
		*ret = fchmodat(dirfd, path, (mode_t)a[2], 0);
		break;
	case SYS_fchownat:
		*ret = fchownat(dirfd, path, (uid_t)a[2], (gid_t)a[3], 0);
		break;
	case SYS_utimensat:
		*ret = utimensat(dirfd, path, (const struct timespec *)a[2], 0);
		break;
	case SYS_unlinkat:
		*ret = unlinkat(dirfd, path, (int)a[2]);
		break;
	default:
		errno = EEXIST;
		break;
	}
	return true;
}

SIM_EXPORT long syscall(long number, ...)
{
	va_list args;
	long a[6], ret;
	int i;

	/* The caller may have passed fewer: the rest is garbage that the kernel ignores. */
	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	/* An allocator may get here while sim_bind() runs: then the hooks are left out. */
	if (sim_bound && (do_descriptor(number, a, &ret) || do_use(number, a, &ret) ||
			  do_mapping(number, a, &ret) || do_wait(number, a, &ret) ||
			  do_status(number, a, &ret) || do_node(number, a, &ret)))
		return ret;
	if (sim_bound && do_refuse(number, a))
		return -1;
	return sim_return(sim_raw6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}
