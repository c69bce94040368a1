// SPDX-License-Identifier: MIT
/*
 * Interposed: mmap(), munmap(), mremap(), remap_file_pages(), shmat(), mprotect(),
 * pkey_mprotect(), madvise(), msync(), mlock(), mlock2(), mlockall(). mmap() asks the kernel first,
 * which refuses to map any socket or pipe (ENODEV). Only then is the descriptor identified, so
 * other calls of mmap() pay nothing.
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ipc.h>

/*
 * The errors of the kernel for an mmap() of a socket: ENODEV, or one of two that it checks
 * before. EPERM: the file system of sockets is noexec. EOVERFLOW: it limits offsets to less than
 * a device does. With MAP_FIXED nothing has been unmapped at that point.
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
		ret = sim_map_share(fd, addr, length, prot, flags, offset);
		if (ret == -ENODEV)
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

int sim_mlock(const struct sim_real *next, const void *addr, size_t length)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_lock(addr, length, 0));
	return next->mlock(addr, length);
}

SIM_ENTRY(int, mlock, (const void *addr, size_t length), addr, length)

int sim_mlock2(const struct sim_real *next, const void *addr, size_t length, unsigned int flags)
{
	if (SIM_UNLIKELY(sim_map_overlaps(addr, length)))
		return (int)sim_return(sim_map_lock(addr, length, flags));
	return next->mlock2(addr, length, flags);
}

SIM_ENTRY(int, mlock2, (const void *addr, size_t length, unsigned int flags), addr, length, flags)

int sim_mlockall(const struct sim_real *next, int flags)
{
	if (SIM_UNLIKELY(sim_fd_used()) && flags & MCL_CURRENT)
		return (int)sim_return(sim_lock_all(flags));
	return next->mlockall(flags);
}

SIM_ENTRY(int, mlockall, (int flags), flags)

void *sim_mremap(const struct sim_real *next, void *addr, size_t old_length, size_t new_length,
		 int flags, void *new_addr)
{
	/* An old length of 0 copies a shared mapping: check its first byte. */
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

/*
 * The mapping at the first byte decides whether the call is for the simulator: the kernel refuses
 * a range that goes beyond one file.
 */
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
