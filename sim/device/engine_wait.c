// SPDX-License-Identifier: MIT
/*
 * Waiting and the clock of the engine's threads.
 */
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine_internal.h"

#define SPIN_ROUNDS	64	/* rounds without a system call; a choice, as no time is meant */

/** engine_futex_wait() - sleep while *@word is @value, at most @ns */
void engine_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
			       .tv_nsec = (long)(ns % 1000000000) };

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &ts, NULL, 0);
}

/** engine_futex_wake() - wake one thread that sleeps on @word */
void engine_futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/** engine_futex_wake_all() - wake all threads that sleep on @word */
void engine_futex_wake_all(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/** engine_now() - CLOCK_MONOTONIC in nanoseconds */
uint64_t engine_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/** engine_pause() - one step of waiting: spins in the first rounds, then yields */
void engine_pause(uint32_t round)
{
	if (round >= SPIN_ROUNDS) {
		sched_yield();
		return;
	}
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
