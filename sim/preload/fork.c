// SPDX-License-Identifier: MIT
/*
 * Forked children. The simulator's threads exist in the parent only, so a child cannot use the
 * parent's devices: it starts with no devices and no files, and treats inherited descriptors as
 * contexts of another process. It keeps the inherited mappings, but these hold no references.
 *
 * fork() runs a handler in the child. A child made in another way (clone() by system call) runs
 * no handler; at its first use of the simulator it finds that the kernel has wiped the word
 * below.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sim_kernel.h>

#include "preload.h"
#include "raw.h"

enum {
	WORD_CHILD,	/* wiped: a forked child that has not reset its state yet */
	WORD_READY,	/* the state belongs to this process */
	WORD_BUSY,	/* a thread is resetting it */
};

static _Atomic uint32_t word_at_start = WORD_READY;
_Atomic uint32_t *sim_fork_word = &word_at_start;

/* The process that the state belongs to. */
static _Atomic int owner;

static void disown(int fd, uintptr_t entry, void *close_internal)
{
	if (entry != SIM_INTERNAL)
		sim_fd_set(fd, SIM_FOREIGN);
	else if (close_internal)
		sim_fd_close_internal(fd);
	else
		sim_fd_set(fd, 0);
}

/*
 * Runs alone: in the handler there is only one thread, else every other thread that uses the
 * simulator waits in sim_fork_check_slow(). Only in the handler are the internal descriptors
 * certain to be still the simulator's, so only then are they closed.
 */
static void start_over(bool in_handler)
{
	atomic_store(&owner, (int)sim_raw(SYS_getpid));
	sim_fork_child();
	sim_fd_each(0, SIM_FD_CHUNK * SIM_FD_CHUNKS - 1, disown, in_handler ? &in_handler : NULL);
	sim_file_fork_child();
	sim_spawn_fork_child();
	sim_map_fork_child();
	sim_share_fork_child();
	sim_device_fork_child();
	sim_helper_fork_child();
	sim_trace_fork_child();
	sim_check_fork_child();
	atomic_store_explicit(sim_fork_word, WORD_READY, memory_order_release);
}

void sim_fork_check_slow(void)
{
	uint32_t word = WORD_CHILD;

	if (atomic_compare_exchange_strong(sim_fork_word, &word, WORD_BUSY)) {
		start_over(false);
		return;
	}
	while (atomic_load_explicit(sim_fork_word, memory_order_acquire) != WORD_READY)
		sched_yield();
}

bool sim_fork_borrowed(void)
{
	long pid = sim_raw(SYS_getpid);

	/* Where that call is refused, nobody can tell. */
	return pid >= 0 && pid != atomic_load(&owner);
}

static void in_child(void)
{
	int saved = errno;

	atomic_store(sim_fork_word, WORD_BUSY);
	start_over(true);
	errno = saved;
}

void sim_fork_init(void)
{
	long size = sysconf(_SC_PAGESIZE);
	long addr = sim_raw(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	atomic_store(&owner, (int)sim_raw(SYS_getpid));
	pthread_atfork(sim_map_fork_prepare, sim_map_fork_parent, in_child);
	/* Without the page, only fork() is detected, by its handler. */
	if (addr < 0 && addr > -4096)
		return;
	if (sim_raw(SYS_madvise, addr, size, MADV_WIPEONFORK)) {
		sim_raw(SYS_munmap, addr, size);
		return;
	}
	atomic_store((_Atomic uint32_t *)addr, WORD_READY);
	sim_fork_word = (_Atomic uint32_t *)addr;
}
