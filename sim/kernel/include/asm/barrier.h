/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_ASM_BARRIER_H
#define SIM_ASM_BARRIER_H

#include <linux/compiler.h>

#if defined(__SANITIZE_THREAD__)
#define SIM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIM_TSAN 1
#endif
#endif

#ifdef SIM_TSAN
/* ThreadSanitizer does not support fences. A read-modify-write is a fence for it, too. */
extern int sim_barrier_word;
#define smp_mb() ((void)__atomic_fetch_add(&sim_barrier_word, 0, __ATOMIC_SEQ_CST))
#elif defined(__x86_64__)
/* Cheaper than mfence. Not below the stack pointer, where memory checkers report accesses. */
#define smp_mb() __asm__ __volatile__("lock; addl $0,(%%rsp)" ::: "memory", "cc")
#else
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

#ifdef SIM_TSAN
#define smp_rmb() smp_mb()
#define smp_wmb() smp_mb()
#else
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif

/* Ordering with other processes that share memory with this "machine". */
#define virt_mb() smp_mb()
#define virt_load_acquire(p) smp_load_acquire(p)
#define virt_store_release(p, v) smp_store_release(p, v)

#endif /* SIM_ASM_BARRIER_H */
