/* SPDX-License-Identifier: MIT */
/*
 * A clock of the test's making, for the driver core on a rig. While it is switched on the time of
 * ktime_get() and of every bounded sleep is virtual: it moves when a thread of the test moves
 * it, and, if the test wants that, when nobody can go on before it has moved. So time-outs and
 * drains cost no time, and do not depend on the machine.
 *
 * Who sleeps says so here, with what would let it go on. A thread that has been woken counts as
 * awake from the moment it was woken, not from when it runs again: time never moves while
 * anybody has something to do.
 *
 * Looking at the clock takes a microsecond of its time, so that loops that watch the clock end.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <linux/ktime.h>
#include <linux/list.h>

#define SIM_CLOCK_NEVER	(~0ULL)

/**
 * struct sim_sleeper - a thread that says that it sleeps
 * @link: among those who sleep (the clock's lock)
 * @blocked: is it still unable to go on? It may be asked at any time, by any thread, with the
 *	clock's lock held
 * @wake: end its sleep: the time in @expires has come. Return: false if somebody else had
 * @arg: of both
 * @expires: when, or SIM_CLOCK_NEVER
 * @expired: @wake has ended the sleep
 *
 * On the stack of the sleeping thread, from sim_clock_sleep() to sim_clock_awake().
 */
struct sim_sleeper {
	struct list_head link;
	bool (*blocked)(const struct sim_sleeper *sleeper);
	bool (*wake)(struct sim_sleeper *sleeper);
	void *arg;
	u64 expires;
	bool expired;
};

/**
 * struct sim_timer - something that happens at a time
 * @link: among the armed timers, by time (the clock's lock)
 * @expires: when it happens
 * @func: what; called without locks, by a thread that sleeps, yields or moves the clock
 *
 * Zeroed before it is used first.
 */
struct sim_timer {
	struct list_head link;
	u64 expires;
	void (*func)(struct sim_timer *timer);
};

/**
 * sim_clock_start() - make time virtual, from @now_ns on
 * @now_ns: the time
 * @threads: threads of the test that use the core, the calling one included: time moves by
 *	itself when all of them sleep and no work is left
 *
 * Nobody uses the core yet. Where nobody can ever go on the process is ended.
 */
void sim_clock_start(u64 now_ns, unsigned int threads);

/** sim_clock_stop() - time is real again; only the calling thread uses the core */
void sim_clock_stop(void);

/** sim_clock_now() - the virtual time; that it is asked for takes none */
u64 sim_clock_now(void);

/**
 * sim_clock_advance() - let time pass, and everything happen that happens meanwhile
 * @ns: how much
 *
 * For one thread of the test, as sim_clock_settle(), which it does before, between and after.
 */
void sim_clock_advance(u64 ns);

/** sim_clock_settle() - wait until nobody else can go on before time has passed */
void sim_clock_settle(void);

/** sim_clock_threads() - more threads, or less, use the core from here on */
void sim_clock_threads(int more);

/** sim_clock_worker() - a thread that does the core's work has begun, or has ended */
void sim_clock_worker(bool begins);

/** sim_clock_sleep() - the calling thread sleeps from here on; all but @link is filled in */
void sim_clock_sleep(struct sim_sleeper *sleeper);

/** sim_clock_awake() - it does no longer */
void sim_clock_awake(struct sim_sleeper *sleeper);

/**
 * sim_clock_claim() - end the sleep of a thread that has got what it slept for, if it has
 * @sleeper: the calling thread
 * @claim: takes it; called with the clock's lock held, so nobody takes the thread for asleep
 *	when it has
 *
 * Return: what @claim says.
 */
bool sim_clock_claim(struct sim_sleeper *sleeper, bool (*claim)(void *arg));

/** sim_clock_poll() - let happen what is due */
void sim_clock_poll(void);

/** sim_timer_arm() - let something happen; a timer that is armed is moved */
void sim_timer_arm(struct sim_timer *timer, u64 expires);

/** sim_timer_cancel() - do not; it may be happening at the moment */
void sim_timer_cancel(struct sim_timer *timer);

#endif /* SIM_CLOCK_H */
