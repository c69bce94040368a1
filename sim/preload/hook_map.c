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
	void *sim_##name(const struct sim_real *next, void *addr, size_t length, int prot, \
			 int flags, int fd, off_t offset) \
	{ \
		int saved = errno; \
		void *ret; \
\
		if (SIM_UNLIKELY(replaces(addr, length, flags))) \
			ret = (void *)sim_return( \
				sim_map_over(addr, length, prot, flags, fd, offset)); \
		else \
			ret = next->name(addr, length, prot, flags, fd, offset); \
		if (__builtin_expect(ret != MAP_FAILED, 1)) \
			return ret; \
		ret = map_refused(addr, length, prot, flags, fd, offset); \
		if (ret != MAP_FAILED) \
			errno = saved; \
		return ret; \
	} \
\
	SIM_ENTRY(void *, name, (void *addr, size_t length, int prot, int flags, int fd, \
		  off_t offset), addr, length, prot, flags, fd, offset)

MMAP(mmap)
MMAP(mmap64)

int sim_munmap(const struct sim_real *next, void *addr, size_t length)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_remove(addr, length));
	return next->munmap(addr, length);
}

SIM_ENTRY(int, munmap, (void *addr, size_t length), addr, length)

int sim_mprotect(const struct sim_real *next, void *addr, size_t length, int prot)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_protect(addr, length, prot, -1));
	return next->mprotect(addr, length, prot);
}

SIM_ENTRY(int, mprotect, (void *addr, size_t length, int prot), addr, length, prot)

int sim_pkey_mprotect(const struct sim_real *next, void *addr, size_t length, int prot, int key)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_protect(addr, length, prot, key));
	return next->pkey_mprotect(addr, length, prot, key);
}

SIM_ENTRY(int, pkey_mprotect, (void *addr, size_t length, int prot, int key), addr, length,
	  prot, key)

int sim_madvise(const struct sim_real *next, void *addr, size_t length, int advice)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_advise(addr, length, advice));
	return next->madvise(addr, length, advice);
}

SIM_ENTRY(int, madvise, (void *addr, size_t length, int advice), addr, length, advice)

int sim_msync(const struct sim_real *next, void *addr, size_t length, int flags)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_sync(addr, length, flags));
	return next->msync(addr, length, flags);
}

SIM_ENTRY(int, msync, (void *addr, size_t length, int flags), addr, length, flags)

void *sim_mremap(const struct sim_real *next, void *addr, size_t old_length, size_t new_length,
		 int flags, void *new_addr)
{
	/* An old length of 0 copies a shared mapping: look at one byte of it. */
	if (SIM_UNLIKELY(sim_map_overlaps(addr, old_length ? old_length : 1) ||
			 (flags & MREMAP_FIXED && sim_map_overlaps(new_addr, new_length))))
		return (void *)sim_return(sim_map_move(addr, old_length, new_length, flags,
						       new_addr));
	return next->mremap(addr, old_length, new_length, flags, new_addr);
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
	return sim_mremap(sim_real(), addr, old_length, new_length, flags, new_addr);
}

/* Where it begins is what is remapped; the kernel refuses a range that changes its kind. */
int sim_remap_file_pages(const struct sim_real *next, void *addr, size_t length, int prot,
			 size_t index, int flags)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, 1)))
		return (int)sim_return(sim_map_remap(addr, length, prot, index, flags));
	return next->remap_file_pages(addr, length, prot, index, flags);
}

SIM_ENTRY(int, remap_file_pages, (void *addr, size_t length, int prot, size_t index,
				  int flags), addr, length, prot, index, flags)

void *sim_shmat(const struct sim_real *next, int id, const void *addr, int flags)
{
	struct shmid_ds info;

	if (SIM_UNLIKELY(flags & SHM_REMAP) && !sim_raw(SYS_shmctl, id, IPC_STAT, &info) &&
	    sim_map_overlaps(addr, info.shm_segsz))
		return (void *)sim_return(sim_map_attach(id, (void *)(uintptr_t)addr,
							 info.shm_segsz, flags));
	return next->shmat(id, addr, flags);
}

SIM_ENTRY(void *, shmat, (int id, const void *addr, int flags), id, addr, flags)
