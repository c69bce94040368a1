// SPDX-License-Identifier: MIT
/*
 * The table of descriptors. It has two levels; a chunk is allocated when it is first needed and
 * never freed. Entries are atomic words; preload.h tells what they mean.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "preload.h"
#include "raw.h"

/*
 * Internal descriptors get numbers that applications rarely use. The numbers are limited, since
 * the kernel's descriptor table grows with the highest one.
 */
#define SIM_INTERNAL_HIGHEST 3072
#define SIM_INTERNAL_LOWEST 32

uintptr_t *sim_fd_chunks[SIM_FD_CHUNKS];
_Atomic bool sim_fd_any;

static uintptr_t *sim_fd_chunk(unsigned int chunk)
{
	size_t bytes = SIM_FD_CHUNK * sizeof(uintptr_t);
	uintptr_t *entries = __atomic_load_n(&sim_fd_chunks[chunk], __ATOMIC_ACQUIRE);
	uintptr_t *none = NULL;
	long addr;

	if (entries)
		return entries;
	/* Not malloc(): the caller may be restricted to async-signal-safe functions. */
	addr = sim_raw(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (addr < 0 && addr > -4096)
		return NULL;
	entries = (void *)addr;
	if (!__atomic_compare_exchange_n(&sim_fd_chunks[chunk], &none, entries, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		sim_raw(SYS_munmap, entries, bytes);
		entries = none;
	}
	return entries;
}

void sim_fd_set(int fd, uintptr_t entry)
{
	unsigned int chunk = (unsigned int)fd / SIM_FD_CHUNK;
	uintptr_t *entries;

	if (chunk >= SIM_FD_CHUNKS)
		return;
	if (entry && entry != SIM_INTERNAL)
		atomic_store_explicit(&sim_fd_any, true, memory_order_relaxed);
	entries = __atomic_load_n(&sim_fd_chunks[chunk], __ATOMIC_ACQUIRE);
	if (!entries && entry)
		entries = sim_fd_chunk(chunk);
	if (entries)
		__atomic_store_n(&entries[(unsigned int)fd % SIM_FD_CHUNK], entry,
				 __ATOMIC_RELEASE);
}

void sim_fd_learn(int fd, uintptr_t entry)
{
	if (sim_fd_peek(fd) != entry && !sim_fork_borrowed())
		sim_fd_set(fd, entry);
}

void sim_fd_each(unsigned int first, unsigned int last,
		 void (*fn)(int fd, uintptr_t entry, void *arg), void *arg)
{
	unsigned int chunk, i, fd;

	for (chunk = first / SIM_FD_CHUNK; chunk < SIM_FD_CHUNKS; chunk++) {
		if (chunk > last / SIM_FD_CHUNK)
			break;
		if (!__atomic_load_n(&sim_fd_chunks[chunk], __ATOMIC_ACQUIRE))
			continue;
		for (i = 0; i < SIM_FD_CHUNK; i++) {
			fd = chunk * SIM_FD_CHUNK + i;
			if (fd >= first && fd <= last && sim_fd_peek((int)fd))
				fn((int)fd, sim_fd_peek((int)fd), arg);
		}
	}
}

int sim_fd_internal(int fd)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	long base, moved;

	sim_raw(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	base = limit.rlim_cur / 4 * 3 < SIM_INTERNAL_HIGHEST ? (long)(limit.rlim_cur / 4 * 3) :
							       SIM_INTERNAL_HIGHEST;
	moved = base < SIM_INTERNAL_LOWEST ? -EMFILE :
					     sim_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, base);
	if (moved == -EMFILE || moved == -EINVAL)
		moved = sim_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
	if (moved >= 0)
		sim_fd_set((int)moved, SIM_INTERNAL);
	sim_raw(SYS_close, fd);
	return (int)refusal_if("fcntl", moved);
}

void sim_fd_close_internal(int fd)
{
	if (fd < 0)
		return;
	sim_fd_set(fd, 0);
	sim_raw(SYS_close, fd);
}
