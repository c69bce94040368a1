/* SPDX-License-Identifier: MIT */
/*
 * What a piece of code costs besides time: counted, not estimated.
 */
#ifndef PTO_BENCH_COUNTERS_H
#define PTO_BENCH_COUNTERS_H

#include <stdint.h>

/** COUNTS_ALLOCS: 0 with a sanitizer, which has an allocator of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCS 0
#else
#define COUNTS_ALLOCS 1
#endif

/** alloc_count() - calls of the allocator since the start, by all threads */
uint64_t alloc_count(void);

/**
 * count_syscalls() - call @fn on a thread of its own and count the system calls it makes
 * @fn: the code; the calls of other threads are not counted
 * @arg: its argument
 *
 * A seccomp filter hands each system call of that thread to a supervisor, which counts
 * it and lets it continue. Code that makes none runs at full speed.
 *
 * Return: the number, or a negative errno if the kernel does not allow the filter.
 */
int64_t count_syscalls(void (*fn)(void *arg), void *arg);

#endif /* PTO_BENCH_COUNTERS_H */
