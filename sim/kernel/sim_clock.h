/* SPDX-License-Identifier: MIT */
/*
 * A virtual clock for tests of the driver core. While it is switched on, the time of ktime_get()
 * and of every bounded sleep is virtual. It moves when a thread of the test moves it, and when all
 * threads sleep. So time-outs and drains take no real time, and do not depend on the machine.
 *
 * A thread that sleeps registers here, with a function that tells whether it can run. A thread
 * counts as awake from the moment it is woken, not from when it runs again, so time never moves
 * while a thread can run.
 *
 * Reading the clock advances it by a microsecond, so that loops which poll the clock end.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <linux/ktime.h>
#include <linux/list.h>

#define SIM_CLOCK_NEVER	(~0ULL)

/**
 * struct sim_sleeper - a thread that sleeps
 * @link: in the list of sleepers (the clock's lock)
 * @blocked: returns true while the thread cannot run; called at any time, by any thread, with the
 *	clock's lock held
 * @wake: ends its sleep at the time @expires. Return: false if it had been woken before
 * @arg: argument of both functions
 * @expires: end of the sleep, or SIM_CLOCK_NEVER
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
 * struct sim_timer - a function that is called at a time
 * @link: in the list of armed timers, by time (the clock's lock)
 * @expires: the time
 * @func: the function; called without locks, by a thread that sleeps, yields or moves the clock
 *
 * Must be zeroed before its first use.
 */
struct sim_timer {
	struct list_head link;
	u64 expires;
	void (*func)(struct sim_timer *timer);
};

/**
 * sim_clock_start() - make time virtual, beginning at @now_ns
 * @now_ns: the time
 * @threads: threads of the test that use the core, the calling one included: time moves by
 *	itself when all of them sleep and no work is left
 *
 * Called before any thread uses the core. If no thread can ever run, the process is aborted.
 */
void sim_clock_start(u64 now_ns, unsigned int threads);

/** sim_clock_stop() - make time real again; only the calling thread uses the core */
void sim_clock_stop(void);

/** sim_clock_now() - read the virtual time without advancing it */
u64 sim_clock_now(void);

/**
 * sim_clock_advance() - advance time, and process all events meanwhile
 * @ns: by how much
 *
 * Calls sim_clock_settle() before, between and after the events. Only one thread of the test may
 * call either function at a time.
 */
void sim_clock_advance(u64 ns);

/** sim_clock_settle() - wait until all other threads sleep */
void sim_clock_settle(void);

/** sim_clock_threads() - change the number of threads that use the core by @more */
void sim_clock_threads(int more);

/** sim_clock_worker() - count a thread that executes the core's work, which begins or ends */
void sim_clock_worker(bool begins);

/** sim_clock_sleep() - register the calling thread as asleep; all but @link is filled in */
void sim_clock_sleep(struct sim_sleeper *sleeper);

/** sim_clock_awake() - end the registration of sim_clock_sleep() */
void sim_clock_awake(struct sim_sleeper *sleeper);

/**
 * sim_clock_claim() - end the registration of a thread if it has got what it waits for
 * @sleeper: the calling thread
 * @claim: tries to get it; called with the clock's lock held, so that the thread does not count as
 *	asleep afterwards
 *
 * Return: the result of @claim.
 */
bool sim_clock_claim(struct sim_sleeper *sleeper, bool (*claim)(void *arg));

/** sim_clock_poll() - process events that are due */
void sim_clock_poll(void);

/** sim_timer_arm() - arm a timer; one that is armed already is moved */
void sim_timer_arm(struct sim_timer *timer, u64 expires);

/** sim_timer_cancel() - disarm a timer; its function may be running at the moment */
void sim_timer_cancel(struct sim_timer *timer);

#endif /* SIM_CLOCK_H */
