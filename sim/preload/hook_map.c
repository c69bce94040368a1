// SPDX-License-Identifier: MIT
/*
 * Interposed: mmap(), munmap(), mremap(), mprotect(). What a descriptor is matters only after the
 * kernel has refused to map it, which it does with every socket (ENODEV); so nobody
 * else's mmap() costs anything.
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>

/*
 * What the kernel says to mapping a socket: ENODEV, or before that EPERM, since the
 * sockets' file system has nothing to execute. With MAP_FIXED it has unmapped nothing yet.
 */
static bool may_be_socket(int error, int prot)
{
	return error == ENODEV || (error == EPERM && prot & PROT_EXEC);
}

static void *map_refused(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct sim_file *file;
	int saved = errno;
	long ret;

	if (!may_be_socket(saved, prot) || flags & MAP_ANONYMOUS)
		return MAP_FAILED;
	sim_fork_check();
	switch (sim_file_verify(fd, &file, NULL)) {
	case SIM_OURS:
		ret = sim_map_create(file, addr, length, prot, flags, offset);
		sim_file_put(file);
		break;
	case SIM_OTHER:
		sim_file_other(fd);
		ret = -ENODEV;
		break;
	default:
		ret = -saved;
	}
	return (void *)sim_return(ret);
}

static bool replaces(const void *addr, size_t length, int flags)
{
	return flags & MAP_FIXED && sim_map_overlaps(addr, length);
}

#define MMAP(name) \
	SIM_EXPORT void *name(void *addr, size_t length, int prot, int flags, int fd, \
			      off_t offset) \
	{ \
		int saved = errno; \
		void *ret; \
\
		if (SIM_UNLIKELY(replaces(addr, length, flags))) \
			ret = (void *)sim_return( \
				sim_map_over(addr, length, prot, flags, fd, offset)); \
		else \
			ret = sim_real()->name(addr, length, prot, flags, fd, offset); \
		if (__builtin_expect(ret != MAP_FAILED, 1)) \
			return ret; \
		ret = map_refused(addr, length, prot, flags, fd, offset); \
		if (ret != MAP_FAILED) \
			errno = saved; \
		return ret; \
	}

MMAP(mmap)
MMAP(mmap64)

SIM_EXPORT int munmap(void *addr, size_t length)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_remove(addr, length));
	return sim_real()->munmap(addr, length);
}

SIM_EXPORT int mprotect(void *addr, size_t length, int prot)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_protect(addr, length, prot));
	return sim_real()->mprotect(addr, length, prot);
}

SIM_EXPORT void *mremap(void *addr, size_t old_length, size_t new_length, int flags, ...)
{
	void *new_addr = NULL;
	va_list args;

	if (flags & MREMAP_FIXED) {
		va_start(args, flags);
		new_addr = va_arg(args, void *);
		va_end(args);
	}
	/* An old length of 0 copies a shared mapping: look at one byte of it. */
	if (SIM_UNLIKELY(sim_map_overlaps(addr, old_length ? old_length : 1) ||
			 (flags & MREMAP_FIXED && sim_map_overlaps(new_addr, new_length))))
		return (void *)sim_return(sim_map_move(addr, old_length, new_length, flags,
						       new_addr));
	return sim_real()->mremap(addr, old_length, new_length, flags, new_addr);
}
