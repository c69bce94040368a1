// SPDX-License-Identifier: MIT
/*
 * Starting and ending contexts, as threads or as processes: the admin's side.
 */
#include <sched.h>
#include <time.h>

#include "internal.h"

/*
 * The clock for bounds of other threads and processes. Only the admin uses it; in the home
 * process, the thread that creates and destroys the device.
 */
uint64_t patience_ns(struct ptodev *dev)
{
	return patience_look(&dev->patience, clock_ns(), IDLE_SLEEP_NS);
}

/*
 * One step of waiting for another thread or process: yields at first, later sleeps, and then
 * sleeps longer.
 */
void pause_step(unsigned int *tries)
{
	struct timespec ts = { .tv_sec = 0 };

	if ((*tries)++ < 64) {
		sched_yield();
		return;
	}
	ts.tv_nsec = *tries < 128 ? PAUSE_NS / 10 : PAUSE_NS;
	nanosleep(&ts, NULL);
}

/* pause_step() with a bound. Return: false when @until, by patience_ns(), has passed */
bool pause_until(struct ptodev *dev, unsigned int *tries, uint64_t until)
{
	if (patience_look(&dev->patience, clock_ns(), PAUSE_MOST_NS) > until)
		return false;
	pause_step(tries);
	return true;
}

/* Create the thread or process of a context. Return: 0 or a negative errno */
int home_start(struct ptodev *dev, uint32_t id)
{
	return dev->config.isolate ? process_start(dev, id) : thread_start(dev, id);
}

/* Tell a context that the code that a thread of it executes has to end; it may not end. */
void home_expire(struct ptodev *dev, uint32_t id, uint32_t server)
{
	if (dev->config.isolate)
		process_expire(dev, id);
	else
		thread_expire(dev, id, server);
}

/*
 * Is a context that keeps its page's lock gone or broken? Time alone does not prove it. A thread of
 * the home process lives as long as the admin. @stuck: all zero before the first call of a wait.
 */
bool home_stuck(struct ptodev *dev, uint32_t id, struct stuck *stuck)
{
	return dev->config.isolate && process_stuck(dev, id, stuck);
}

/* Ask a living context to end. Its bound begins with the first request. */
void home_ask(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];

	if (!home->stop_until)
		home->stop_until = patience_ns(dev) + STOP_BOUND_NS;
	if (dev->config.isolate)
		process_ask(dev, id);
	else
		thread_ask(dev, id);
}

/*
 * End a context: when this returns, it does not access its queues any more. A context that was
 * asked before has only the rest of its bound.
 */
void home_stop(struct ptodev *dev, uint32_t id, uint64_t bound_ns)
{
	uint64_t asked = dev->contexts[id].stop_until;
	uint64_t until = patience_ns(dev) + bound_ns;

	if (asked && asked < until)
		until = asked;
	if (dev->config.isolate)
		process_stop(dev, id, until);
	else
		thread_stop(dev, id, until);
}

/* End all contexts, all within one bound. */
void home_stop_all(struct ptodev *dev)
{
	uint64_t until = patience_ns(dev) + STOP_BOUND_NS;
	uint32_t id;

	for (id = 1; id <= dev->config.max_contexts; id++) {
		if (dev->contexts[id].life == LIFE_ALIVE)
			home_ask(dev, id);
	}
	for (id = 1; id <= dev->config.max_contexts; id++) {
		if (dev->contexts[id].life != LIFE_ALIVE)
			continue;
		if (dev->config.isolate)
			process_stop(dev, id, until);
		else
			thread_stop(dev, id, until);
	}
}

/* Handle contexts that have ended by themselves. */
void home_reap(struct ptodev *dev)
{
	if (dev->config.isolate)
		process_reap(dev);
	else
		thread_reap(dev);
}
