// SPDX-License-Identifier: MIT
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pingpong.h"

#define SPINS 4000
#define YIELDS 64

#define CMD_EXIT UINT32_MAX
#define CMD_PARK (UINT32_MAX - 1)

struct pingpong {
	/* One line for both directions: even, the other thread's turn; odd, ours. */
	_Alignas(64) _Atomic uint32_t ball;
	_Alignas(64) _Atomic uint32_t sleeping;
	pthread_t thread;
	uint32_t seq;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Wait until the ball is not @old any more. */
static uint32_t wait_change(struct pingpong *pp, uint32_t old)
{
	uint32_t now;
	int i;

	for (i = 0; i < SPINS + YIELDS; i++) {
		now = atomic_load_explicit(&pp->ball, memory_order_acquire);
		if (now != old)
			return now;
		if (i < SPINS)
			relax();
		else
			sched_yield();
	}
	atomic_fetch_add(&pp->sleeping, 1);
	while ((now = atomic_load(&pp->ball)) == old)
		futex(&pp->ball, FUTEX_WAIT, old);
	atomic_fetch_sub(&pp->sleeping, 1);
	return now;
}

static void throw_ball(struct pingpong *pp, uint32_t value)
{
	atomic_store(&pp->ball, value);
	if (atomic_load(&pp->sleeping))
		futex(&pp->ball, FUTEX_WAKE, 1);
}

static void *other_thread(void *arg)
{
	struct pingpong *pp = arg;
	uint32_t seen = 0;

	for (;;) {
		uint32_t now = wait_change(pp, seen);

		if (now == CMD_EXIT)
			return NULL;
		if (now == CMD_PARK) {
			atomic_fetch_add(&pp->sleeping, 1);
			while (atomic_load(&pp->ball) == CMD_PARK)
				futex(&pp->ball, FUTEX_WAIT, CMD_PARK);
			atomic_fetch_sub(&pp->sleeping, 1);
			seen = CMD_PARK;
			continue;
		}
		seen = now + 1;
		throw_ball(pp, seen);
	}
}

struct pingpong *pingpong_start(void)
{
	struct pingpong *pp = aligned_alloc(64, sizeof(*pp));

	if (!pp)
		return NULL;
	atomic_init(&pp->ball, 0);
	atomic_init(&pp->sleeping, 0);
	pp->seq = 0;
	if (pthread_create(&pp->thread, NULL, other_thread, pp)) {
		free(pp);
		return NULL;
	}
	return pp;
}

void pingpong_round(struct pingpong *pp)
{
	/* Skip the command values when the sequence comes near them. */
	if (pp->seq >= CMD_PARK - 4)
		pp->seq = 0;
	pp->seq += 2;
	throw_ball(pp, pp->seq - 1);
	wait_change(pp, pp->seq - 1);
}

void pingpong_park(struct pingpong *pp)
{
	throw_ball(pp, CMD_PARK);
}

void pingpong_stop(struct pingpong *pp)
{
	if (!pp)
		return;
	throw_ball(pp, CMD_EXIT);
	pthread_join(pp->thread, NULL);
	free(pp);
}
