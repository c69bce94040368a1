// SPDX-License-Identifier: MIT
/*
 * Interposed: mmap(), munmap(), mremap(), remap_file_pages(), shmat(), mprotect(),
 * pkey_mprotect(), madvise(), msync(). What a descriptor is matters only after the
 * kernel has refused to map it, which it does with every socket (ENODEV); so nobody
 * else's mmap() costs anything.
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ipc.h>

/*
 * What the kernel says to mapping a socket: ENODEV, or before that EPERM, since the
 * sockets' file system has nothing to execute, or EOVERFLOW, since it has smaller offsets than a
 * device may have. With MAP_FIXED it has unmapped nothing yet.
 */
static bool may_be_socket(int error, int prot)
{
	return error == ENODEV || (error == EPERM && prot & PROT_EXEC) || error == EOVERFLOW;
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
		return (int)sim_return(sim_map_protect(addr, length, prot, -1));
	return sim_real()->mprotect(addr, length, prot);
}

SIM_EXPORT int pkey_mprotect(void *addr, size_t length, int prot, int key)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_protect(addr, length, prot, key));
	return sim_real()->pkey_mprotect(addr, length, prot, key);
}

SIM_EXPORT int madvise(void *addr, size_t length, int advice)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_advise(addr, length, advice));
	return sim_real()->madvise(addr, length, advice);
}

SIM_EXPORT int msync(void *addr, size_t length, int flags)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_sync(addr, length, flags));
	return sim_real()->msync(addr, length, flags);
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

/* Where it begins is what is remapped; the kernel refuses a range that changes its kind. */
SIM_EXPORT int remap_file_pages(void *addr, size_t length, int prot, size_t index, int flags)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, 1)))
		return (int)sim_return(sim_map_remap(addr, length, prot, index, flags));
	return sim_real()->remap_file_pages(addr, length, prot, index, flags);
}

SIM_EXPORT void *shmat(int id, const void *addr, int flags)
{
	struct shmid_ds info;

	if (SIM_UNLIKELY(flags & SHM_REMAP) && !sim_raw(SYS_shmctl, id, IPC_STAT, &info) &&
	    sim_map_overlaps(addr, info.shm_segsz))
		return (void *)sim_return(sim_map_attach(id, (void *)(uintptr_t)addr,
							 info.shm_segsz, flags));
	return sim_real()->shmat(id, addr, flags);
}
