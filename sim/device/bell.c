// SPDX-License-Identifier: MIT
/*
 * Bells: a consumer sleeps on one without missing work, and a producer needs no system call while
 * the consumer is awake.
 *
 *   consumer                          producer
 *     rung = bell_prepare()             publish work
 *     ask for doorbells, full barrier   bell_ring()
 *     look for work once more
 *     none: bell_sleep(rung)
 *
 * A ring after bell_prepare() either changes the word before the consumer sleeps, so that it does
 * not sleep, or sees that it sleeps, and wakes it.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* Announce that the consumer is about to sleep. Return: argument for bell_sleep() */
unsigned int bell_prepare(struct bell *bell)
{
	atomic_store(&bell->sleeping, 1);
	return atomic_load(&bell->rung);
}

/*
 * Sleep until the bell has been rung since bell_prepare(), at most @ns; 0 does not sleep. May
 * return early: the caller looks for work anyway.
 */
void bell_sleep(struct bell *bell, unsigned int rung, uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.tv_nsec = (long)(ns % NSEC_PER_SEC),
	};

	if (ns)
		syscall(SYS_futex, &bell->rung, FUTEX_WAIT, rung, &ts, NULL, 0);
	atomic_store(&bell->sleeping, 0);
}

/* Wake the consumer if it sleeps. Also called from signal handlers. */
void bell_ring(struct bell *bell)
{
	int saved = errno;

	atomic_fetch_add(&bell->rung, 1);
	if (atomic_load(&bell->sleeping))
		syscall(SYS_futex, &bell->rung, FUTEX_WAKE, 1, NULL, NULL, 0);
	errno = saved;
}
