// SPDX-License-Identifier: MIT
/*
 * Binding of the next definitions, see real.h.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>

#include "preload.h"
#include "raw.h"
#include "real.h"

/*
 * Functions that enter the kernel directly. The syscall() hook calls them, since the next
 * definition of a function may call syscall() again. They also serve calls before sim_bind() has
 * found the next definitions, such as those from within dlsym().
 */

static mode_t direct_mode(int flags, va_list args)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

static int direct_open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = direct_mode(flags, args);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_openat, AT_FDCWD, path, flags, mode));
}

static int direct_openat(int dirfd, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = direct_mode(flags, args);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_openat, dirfd, path, flags, mode));
}

static int direct_close(int fd)
{
	return (int)sim_return(sim_raw(SYS_close, fd));
}

static ssize_t direct_read(int fd, void *buf, size_t length)
{
	return sim_return(sim_raw(SYS_read, fd, buf, length));
}

static ssize_t direct_write(int fd, const void *buf, size_t length)
{
	return sim_return(sim_raw(SYS_write, fd, buf, length));
}

static void *direct_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return (void *)sim_return(sim_raw(SYS_mmap, addr, length, prot, flags, fd, offset));
}

static int direct_munmap(void *addr, size_t length)
{
	return (int)sim_return(sim_raw(SYS_munmap, addr, length));
}

static void *direct_mremap(void *addr, size_t old_length, size_t new_length, int flags, ...)
{
	void *new_addr = NULL;
	va_list args;
	long ret;

	va_start(args, flags);
	if (flags & MREMAP_FIXED)
		new_addr = va_arg(args, void *);
	va_end(args);
	ret = sim_raw(SYS_mremap, addr, old_length, new_length, flags, new_addr);
	return (void *)sim_return(ret);
}

static int direct_mprotect(void *addr, size_t length, int prot)
{
	return (int)sim_return(sim_raw(SYS_mprotect, addr, length, prot));
}

static int direct_madvise(void *addr, size_t length, int advice)
{
	return (int)sim_return(sim_raw(SYS_madvise, addr, length, advice));
}

static int direct_mlock(const void *addr, size_t length)
{
	return (int)sim_return(sim_raw(SYS_mlock, addr, length));
}

static int direct_mlock2(const void *addr, size_t length, unsigned int flags)
{
	return (int)sim_return(sim_raw(SYS_mlock2, addr, length, flags));
}

static int direct_mlockall(int flags)
{
	return (int)sim_return(sim_raw(SYS_mlockall, flags));
}

static int direct_fstat(int fd, struct stat *st)
{
	return (int)sim_return(sim_raw(SYS_fstat, fd, st));
}

static int direct_stat(const char *path, struct stat *st)
{
	return (int)sim_return(sim_raw(SYS_newfstatat, AT_FDCWD, path, st, 0));
}

static int direct_access(const char *path, int mode)
{
	return (int)sim_return(sim_raw(SYS_faccessat, AT_FDCWD, path, mode));
}

static ssize_t direct_readlink(const char *path, char *buf, size_t length)
{
	return sim_return(sim_raw(SYS_readlinkat, AT_FDCWD, path, buf, length));
}

static int direct_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_ioctl, fd, request, arg));
}

static int direct_fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_fcntl, fd, command, arg));
}

static long direct_syscall(long number, ...)
{
	long arg[6];
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	return sim_return(sim_raw6(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]));
}

static int direct_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)sim_return(sim_raw(SYS_close_range, first, last, flags));
}

static int direct_dup(int fd)
{
	return (int)sim_return(sim_raw(SYS_dup, fd));
}

static int direct_dup3(int from, int fd, int flags)
{
	return (int)sim_return(sim_raw(SYS_dup3, from, fd, flags));
}

static int direct_dup2(int from, int fd)
{
	if (from != fd)
		return direct_dup3(from, fd, 0);
	return sim_raw(SYS_fcntl, fd, F_GETFD) < 0 ? (int)sim_return(-EBADF) : fd;
}

static ssize_t direct_readv(int fd, const struct iovec *iov, int count)
{
	return sim_return(sim_raw(SYS_readv, fd, iov, count));
}

static ssize_t direct_writev(int fd, const struct iovec *iov, int count)
{
	return sim_return(sim_raw(SYS_writev, fd, iov, count));
}

static int direct_remap_file_pages(void *addr, size_t length, int prot, size_t index, int flags)
{
	return (int)sim_return(sim_raw(SYS_remap_file_pages, addr, length, prot, index, flags));
}

static void *direct_shmat(int id, const void *addr, int flags)
{
	return (void *)sim_return(sim_raw(SYS_shmat, id, addr, flags));
}

static int direct_pkey_mprotect(void *addr, size_t length, int prot, int key)
{
	return (int)sim_return(sim_raw(SYS_pkey_mprotect, addr, length, prot, key));
}

static int direct_msync(void *addr, size_t length, int flags)
{
	return (int)sim_return(sim_raw(SYS_msync, addr, length, flags));
}

/* As the system call does, this stores the remaining time in *@timeout. */
static int direct_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			const sigset_t *mask)
{
	return (int)sim_return(sim_raw(SYS_ppoll, fds, n, timeout, mask, 8));
}

static int direct_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec t = { timeout / 1000, timeout % 1000 * 1000000l };

	return direct_ppoll(fds, n, timeout < 0 ? NULL : &t, NULL);
}

static int direct_pselect(int nfds, fd_set *readable, fd_set *writable, fd_set *exceptional,
			  const struct timespec *timeout, const sigset_t *mask)
{
	const struct {
		const sigset_t *mask;
		size_t size;
	} how = { mask, 8 };

	return (int)sim_return(sim_raw(SYS_pselect6, nfds, readable, writable, exceptional,
				       timeout, &how));
}

static int direct_select(int nfds, fd_set *readable, fd_set *writable, fd_set *exceptional,
			 struct timeval *timeout)
{
#ifdef SYS_select
	return (int)sim_return(sim_raw(SYS_select, nfds, readable, writable, exceptional,
				       timeout));
#else
	struct timespec t = { 0, 0 };

	if (timeout) {
		t.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
		t.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	}
	return direct_pselect(nfds, readable, writable, exceptional, timeout ? &t : NULL, NULL);
#endif
}

static int direct_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return (int)sim_return(sim_raw(SYS_epoll_ctl, epfd, op, fd, event));
}

static int direct_lstat(const char *path, struct stat *st)
{
	return (int)sim_return(sim_raw(SYS_newfstatat, AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW));
}

static int direct_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return (int)sim_return(sim_raw(SYS_newfstatat, dirfd, path, st, flags));
}

static int direct_statx(int dirfd, const char *path, int flags, unsigned int mask,
			struct statx *sx)
{
	return (int)sim_return(sim_raw(SYS_statx, dirfd, path, flags, mask, sx));
}

static int direct_faccessat(int dirfd, const char *path, int mode, int flags)
{
	return (int)sim_return(flags ? sim_raw(SYS_faccessat2, dirfd, path, mode, flags) :
				       sim_raw(SYS_faccessat, dirfd, path, mode));
}

static ssize_t direct_readlinkat(int dirfd, const char *path, char *buf, size_t length)
{
	return sim_return(sim_raw(SYS_readlinkat, dirfd, path, buf, length));
}

#define DIRECT_TABLE { \
	.open = direct_open, \
	.open64 = direct_open, \
	.openat = direct_openat, \
	.openat64 = direct_openat, \
	.close = direct_close, \
	.close_range = direct_close_range, \
	.dup = direct_dup, \
	.dup2 = direct_dup2, \
	.dup3 = direct_dup3, \
	.fcntl = direct_fcntl, \
	.fcntl64 = direct_fcntl, \
	.ioctl = direct_ioctl, \
	.read = direct_read, \
	.write = direct_write, \
	.readv = direct_readv, \
	.writev = direct_writev, \
	.mmap = direct_mmap, \
	.mmap64 = direct_mmap, \
	.munmap = direct_munmap, \
	.mremap = direct_mremap, \
	.remap_file_pages = direct_remap_file_pages, \
	.shmat = direct_shmat, \
	.mprotect = direct_mprotect, \
	.pkey_mprotect = direct_pkey_mprotect, \
	.madvise = direct_madvise, \
	.msync = direct_msync, \
	.mlock = direct_mlock, \
	.mlock2 = direct_mlock2, \
	.mlockall = direct_mlockall, \
	.poll = direct_poll, \
	.ppoll = direct_ppoll, \
	.select = direct_select, \
	.pselect = direct_pselect, \
	.epoll_ctl = direct_epoll_ctl, \
	.stat = direct_stat, \
	.lstat = direct_lstat, \
	.fstat = direct_fstat, \
	.fstatat = direct_fstatat, \
	.statx = direct_statx, \
	.access = direct_access, \
	.faccessat = direct_faccessat, \
	.readlink = direct_readlink, \
	.readlinkat = direct_readlinkat, \
	.syscall = direct_syscall, \
}

const struct sim_real sim_direct = DIRECT_TABLE;
struct sim_real sim_reals = DIRECT_TABLE;

bool sim_bound;

void sim_bind(void)
{
	static __thread bool binding __attribute__((tls_model("initial-exec")));
	void *next;

	if (binding)
		return;
	binding = true;
#define SIM_REAL_BIND(name) \
	next = dlsym(RTLD_NEXT, #name); \
	if (next) \
		sim_reals.name = (__typeof__(sim_reals.name))next;
	SIM_REALS(SIM_REAL_BIND)
#undef SIM_REAL_BIND
	__atomic_store_n(&sim_bound, true, __ATOMIC_RELEASE);
	binding = false;
}

void *sim_next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* An early constructor, so that those of other libraries find the functions bound. */
__attribute__((constructor(101))) static void sim_begin(void)
{
	int saved = errno;

	sim_bind();
	if (!sim_reals.fopen) {
		sim_say("the simulator needs the shared C library: link without -static");
		_exit(127);
	}
	sim_fork_init();
	errno = saved;
}
