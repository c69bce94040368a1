/* SPDX-License-Identifier: MIT */
/*
 * Additional interfaces of the user-space kernel APIs, for the homes of the core (sim/preload,
 * test rigs).
 */
#ifndef SIM_KERNEL_H
#define SIM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

struct task_struct;

/**
 * sim_mapping_add() - announce a range that stays mapped readable and writable, such as a device's
 * window. Copies to and from it need no probe
 * @base: first byte
 * @length: bytes
 *
 * Return: 0, or -ENOSPC if there are too many (they are probed then, which is only slower).
 */
int sim_mapping_add(const void *base, size_t length);

/**
 * sim_mapping_del() - revoke sim_mapping_add(), before the range is unmapped
 * @base: as given to sim_mapping_add()
 */
void sim_mapping_del(const void *base);

/**
 * sim_fault() - simulate a page fault in user memory
 * @page: the memory, a page that is no thread's stack
 * @call: called once, before the driver writes there for the first time. NULL: no fault
 */
void sim_fault(const void *page, void (*call)(void));

/**
 * sim_syscall_return() - convert the driver's return value to that of the system call
 * @ret: the driver's return value
 *
 * On a signal the driver returns -ERESTARTSYS, which the kernel turns into a restart or into
 * EINTR. Here the handler has run already, so it is always EINTR. Also clears a pending signal and
 * the effect of sim_kill(), so that the next call does not see them.
 */
long sim_syscall_return(long ret);

/** sim_current() - the calling thread, for sim_kill() */
struct task_struct *sim_current(void);

/**
 * sim_kill() - simulate that a thread is being killed, until its call returns
 * @task: the thread; if it sleeps killably, it is woken
 */
void sim_kill(struct task_struct *task);

/**
 * sim_kill_after() - simulate sim_kill() at the driver's nth check, in the calling thread
 * @looks: n; 0: never
 * @at_look: called just before that check, or NULL; may call the driver
 */
void sim_kill_after(unsigned int looks, void (*at_look)(void));

/**
 * sim_fork_child() - called in the child of a fork(): reset the state of threads that do not exist
 *
 * The child must neither use nor free objects that the core created before the fork, because
 * another thread may have been changing them.
 */
void sim_fork_child(void);

/**
 * sim_fail_nth() - make an allocation fail
 * @nth: the nth allocation from now on fails, once; 0 switches that off
 */
void sim_fail_nth(long nth);

/** sim_fail_left() - allocations left until the one that fails; 0 if none is to fail */
long sim_fail_left(void);

/**
 * struct sim_memory - memory that the core has allocated and not freed
 * @allocations: number of objects
 * @bytes: bytes of them, as the C library counts them
 */
struct sim_memory {
	long allocations;
	long bytes;
};

/** sim_memory_live() - the memory that is allocated now */
struct sim_memory sim_memory_live(void);

/** sim_cpus - value of num_online_cpus(); 0: the real number of processors */
extern unsigned int sim_cpus;

/** sim_user - the callers' user id */
extern unsigned int sim_user;

/** sim_perfmon - the callers have CAP_PERFMON */
extern bool sim_perfmon;

/** sim_log_level - messages of this kernel level (3 errors, 4 warnings, 6 all) go to stderr */
extern int sim_log_level;

/** sim_time_offset - offset of the callers' CLOCK_MONOTONIC to the core's, in nanoseconds */
extern long long sim_time_offset;

#endif /* SIM_KERNEL_H */
