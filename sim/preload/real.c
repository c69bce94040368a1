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

/* What is called before anything is bound, that is, while dlsym() runs. */

static mode_t early_mode(int flags, va_list args)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

static int early_open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = early_mode(flags, args);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_openat, AT_FDCWD, path, flags, mode));
}

static int early_openat(int dirfd, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = early_mode(flags, args);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_openat, dirfd, path, flags, mode));
}

static int early_close(int fd)
{
	return (int)sim_return(sim_raw(SYS_close, fd));
}

static ssize_t early_read(int fd, void *buf, size_t length)
{
	return sim_return(sim_raw(SYS_read, fd, buf, length));
}

static ssize_t early_write(int fd, const void *buf, size_t length)
{
	return sim_return(sim_raw(SYS_write, fd, buf, length));
}

static void *early_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return (void *)sim_return(sim_raw(SYS_mmap, addr, length, prot, flags, fd, offset));
}

static int early_munmap(void *addr, size_t length)
{
	return (int)sim_return(sim_raw(SYS_munmap, addr, length));
}

static void *early_mremap(void *addr, size_t old_length, size_t new_length, int flags, ...)
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

static int early_mprotect(void *addr, size_t length, int prot)
{
	return (int)sim_return(sim_raw(SYS_mprotect, addr, length, prot));
}

static int early_madvise(void *addr, size_t length, int advice)
{
	return (int)sim_return(sim_raw(SYS_madvise, addr, length, advice));
}

static int early_fstat(int fd, struct stat *st)
{
	return (int)sim_return(sim_raw(SYS_fstat, fd, st));
}

static int early_stat(const char *path, struct stat *st)
{
	return (int)sim_return(sim_raw(SYS_newfstatat, AT_FDCWD, path, st, 0));
}

static int early_access(const char *path, int mode)
{
	return (int)sim_return(sim_raw(SYS_faccessat, AT_FDCWD, path, mode));
}

static ssize_t early_readlink(const char *path, char *buf, size_t length)
{
	return sim_return(sim_raw(SYS_readlinkat, AT_FDCWD, path, buf, length));
}

static int early_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_ioctl, fd, request, arg));
}

static int early_fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)sim_return(sim_raw(SYS_fcntl, fd, command, arg));
}

static long early_syscall(long number, ...)
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

struct sim_real sim_reals = {
	.open = early_open,
	.open64 = early_open,
	.openat = early_openat,
	.openat64 = early_openat,
	.close = early_close,
	.read = early_read,
	.write = early_write,
	.mmap = early_mmap,
	.mmap64 = early_mmap,
	.munmap = early_munmap,
	.mremap = early_mremap,
	.mprotect = early_mprotect,
	.madvise = early_madvise,
	.fstat = early_fstat,
	.stat = early_stat,
	.lstat = early_stat,
	.access = early_access,
	.readlink = early_readlink,
	.ioctl = early_ioctl,
	.fcntl = early_fcntl,
	.fcntl64 = early_fcntl,
	.syscall = early_syscall,
};

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

/* Early among constructors, so that other libraries' find everything in place. */
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
