/* SPDX-License-Identifier: MIT */
/*
 * What the home of the core (sim/preload, test rigs) needs of the user-space rendering of
 * the kernel's APIs, beyond those APIs themselves.
 */
#ifndef SIM_KERNEL_H
#define SIM_KERNEL_H

#include <stddef.h>

struct task_struct;

/**
 * sim_mapping_add() - a range that stays mapped readable and writable, such as a device's
 * window: copies to and from it need no probe
 * @base: first byte
 * @length: bytes
 *
 * Return: 0, or -ENOSPC if there are too many (they are probed then, which is only slower).
 */
int sim_mapping_add(const void *base, size_t length);

/**
 * sim_mapping_del() - end of sim_mapping_add(), before the range is unmapped
 * @base: as given to sim_mapping_add()
 */
void sim_mapping_del(const void *base);

/**
 * sim_fault() - user memory whose first write takes a page fault, in which time passes
 * @page: the memory, a page that is no thread's stack
 * @call: called, once, before the driver writes there: what happens meanwhile. NULL: nothing
 *	more will
 */
void sim_fault(const void *page, void (*call)(void));

/**
 * sim_syscall_return() - what a system call would return to user space
 * @ret: what the driver returned
 *
 * A driver answers a signal with -ERESTARTSYS; the kernel turns that into a restart or into
 * EINTR. Here the handler has run already, so it is always EINTR. A signal that came when the
 * driver had no more reason to wait is over with the call: the next one does not see it.
 * Likewise a thread that is being killed is another one afterwards.
 */
long sim_syscall_return(long ret);

/** sim_current() - the calling thread, for sim_kill() */
struct task_struct *sim_current(void);

/**
 * sim_kill() - let the driver find that a thread is being killed, until its call returns
 * @task: the thread; it may sleep, and wakes if it can be killed there
 */
void sim_kill(struct task_struct *task);

/**
 * sim_kill_after() - the driver finds it at its nth look, in the calling thread
 * @looks: n; 0: no more
 * @at_look: called just before it does, or NULL; may call the driver
 */
void sim_kill_after(unsigned int looks, void (*at_look)(void));

/**
 * sim_fork_child() - in the child of a fork(): forget the threads that are not there
 *
 * Objects that the core made before the fork must not be used any more in the child, and not
 * be freed either: another thread may have been changing them.
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
 * struct sim_memory - what the core has allocated and not freed
 * @allocations: objects
 * @bytes: bytes of them, as the C library counts them
 */
struct sim_memory {
	long allocations;
	long bytes;
};

/** sim_memory_live() - how much that is now */
struct sim_memory sim_memory_live(void);

/** sim_cpus - processors that num_online_cpus() says there are; 0: as many as there are */
extern unsigned int sim_cpus;

/** sim_log_level - messages of this kernel level (3 errors, 4 warnings, 6 all) go to stderr */
extern int sim_log_level;

/** sim_time_offset - nanoseconds that callers' CLOCK_MONOTONIC is ahead of the core's; else 0 */
extern long long sim_time_offset;

#endif /* SIM_KERNEL_H */
