// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdlib.h>

#include <linux/ktime.h>
#include <linux/printk.h>

#include "sim_clock.h"

#define TICK_NS		1000
#define LONGEST_NS	(24 * 3600 * (u64)NSEC_PER_SEC)

bool sim_clock_on;

/*
 * The clock. @limit: a test that reaches this time does not make progress. @happening: number of
 * timers whose functions are being called. @settler: a thread waits in sim_clock_settle().
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t settled;
	u64 now;
	u64 limit;
	unsigned int threads;
	unsigned int workers;
	unsigned int happening;
	struct list_head sleepers;
	struct list_head timers;
	bool settler;
} sim = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.settled = PTHREAD_COND_INITIALIZER,
	.sleepers = LIST_HEAD_INIT(sim.sleepers),
	.timers = LIST_HEAD_INIT(sim.timers),
};

u64 sim_clock_now(void)
{
	u64 now;

	pthread_mutex_lock(&sim.lock);
	now = sim.now;
	pthread_mutex_unlock(&sim.lock);
	return now;
}

u64 sim_clock_read(void)
{
	u64 now;

	pthread_mutex_lock(&sim.lock);
	sim.now += TICK_NS;
	now = sim.now;
	pthread_mutex_unlock(&sim.lock);
	return now;
}

/* The functions below are called with the lock held. */

static bool all_asleep(void)
{
	unsigned int threads = sim.threads + sim.workers;
	struct sim_sleeper *s;

	if (sim.happening)
		return false;
	if (sim.settler)
		threads--;
	list_for_each_entry(s, &sim.sleepers, link) {
		if (!s->blocked(s))
			return false;
		threads--;
	}
	return !threads;
}

/* Time of the next event; SIM_CLOCK_NEVER if there is none. */
static u64 next_event(void)
{
	struct sim_timer *timer = list_first_entry_or_null(&sim.timers, struct sim_timer, link);
	u64 next = timer ? timer->expires : SIM_CLOCK_NEVER;
	struct sim_sleeper *s;

	list_for_each_entry(s, &sim.sleepers, link) {
		if (s->expires < next && s->blocked(s))
			next = s->expires;
	}
	return next;
}

static void wake_expired(void)
{
	struct sim_sleeper *s;

	list_for_each_entry(s, &sim.sleepers, link) {
		if (s->expires <= sim.now && s->blocked(s))
			s->expired = s->wake(s);
	}
}

/* Call the timers that are due, in order, and wake sleepers. The lock is released meanwhile. */
static void happen(void)
{
	struct sim_timer *timer;

	while ((timer = list_first_entry_or_null(&sim.timers, struct sim_timer, link))) {
		if (timer->expires > sim.now)
			break;
		list_del_init(&timer->link);
		sim.happening++;
		pthread_mutex_unlock(&sim.lock);
		timer->func(timer);
		pthread_mutex_lock(&sim.lock);
		sim.happening--;
	}
	wake_expired();
}

static void move_to(u64 time)
{
	if (time > sim.now)
		sim.now = time;
	happen();
}

static void give_up(const char *why)
{
	sim_printk(3, "virtual clock: %s: %u threads, %u workers\n", why, sim.threads,
		   sim.workers);
	abort();
}

/* Called when a thread has gone to sleep or ended: move time until a thread can run. */
static void move_on(void)
{
	while (all_asleep()) {
		u64 next = next_event();

		if (sim.settler) {
			sim.settler = false;
			pthread_cond_signal(&sim.settled);
			return;
		}
		if (next == SIM_CLOCK_NEVER)
			give_up("everybody sleeps for ever");
		if (next > sim.limit)
			give_up("nobody has gone on for a day");
		move_to(next);
	}
}

static void settle(void)
{
	sim.settler = true;
	move_on();
	while (sim.settler)
		pthread_cond_wait(&sim.settled, &sim.lock);
}

void sim_clock_settle(void)
{
	pthread_mutex_lock(&sim.lock);
	settle();
	pthread_mutex_unlock(&sim.lock);
}

void sim_clock_start(u64 now_ns, unsigned int threads)
{
	sim.now = now_ns;
	sim.limit = now_ns + LONGEST_NS;
	sim.threads = threads;
	sim.workers = 0;
	WRITE_ONCE(sim_clock_on, true);
}

void sim_clock_stop(void)
{
	struct sim_timer *timer, *next;

	sim_clock_settle();
	WRITE_ONCE(sim_clock_on, false);
	list_for_each_entry_safe(timer, next, &sim.timers, link)
		list_del_init(&timer->link);
}

void sim_clock_advance(u64 ns)
{
	u64 end, next;

	pthread_mutex_lock(&sim.lock);
	end = sim.now + ns;
	settle();
	while ((next = next_event()) <= end) {
		move_to(next);
		settle();
	}
	move_to(end);
	settle();
	pthread_mutex_unlock(&sim.lock);
}

void sim_clock_threads(int more)
{
	pthread_mutex_lock(&sim.lock);
	sim.threads += more;
	move_on();
	pthread_mutex_unlock(&sim.lock);
}

void sim_clock_worker(bool begins)
{
	pthread_mutex_lock(&sim.lock);
	if (begins) {
		sim.workers++;
	} else {
		sim.workers--;
		move_on();
	}
	pthread_mutex_unlock(&sim.lock);
}

void sim_clock_sleep(struct sim_sleeper *sleeper)
{
	sleeper->expired = false;
	pthread_mutex_lock(&sim.lock);
	list_add_tail(&sleeper->link, &sim.sleepers);
	move_on();
	pthread_mutex_unlock(&sim.lock);
}

void sim_clock_awake(struct sim_sleeper *sleeper)
{
	pthread_mutex_lock(&sim.lock);
	list_del(&sleeper->link);
	pthread_mutex_unlock(&sim.lock);
}

bool sim_clock_claim(struct sim_sleeper *sleeper, bool (*claim)(void *arg))
{
	bool claimed;

	pthread_mutex_lock(&sim.lock);
	claimed = claim(sleeper->arg);
	if (claimed)
		list_del(&sleeper->link);
	pthread_mutex_unlock(&sim.lock);
	return claimed;
}

void sim_clock_poll(void)
{
	pthread_mutex_lock(&sim.lock);
	happen();
	pthread_mutex_unlock(&sim.lock);
}

void sim_timer_arm(struct sim_timer *timer, u64 expires)
{
	struct list_head *after;

	pthread_mutex_lock(&sim.lock);
	if (timer->link.next)
		list_del_init(&timer->link);
	timer->expires = expires;
	list_for_each_prev(after, &sim.timers) {
		if (list_entry(after, struct sim_timer, link)->expires <= expires)
			break;
	}
	list_add(&timer->link, after);
	pthread_mutex_unlock(&sim.lock);
}

void sim_timer_cancel(struct sim_timer *timer)
{
	pthread_mutex_lock(&sim.lock);
	if (timer->link.next)
		list_del_init(&timer->link);
	pthread_mutex_unlock(&sim.lock);
}
