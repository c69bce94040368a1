// SPDX-License-Identifier: MIT
/*
 * The watchdog: a run, or the loading or unloading of a callable, that does not end within its
 * bound is told to end; if it does not, the context is ended. The watchdog looks a few times a
 * second, so it may be late by that.
 *
 * The engine checks the bounds of a run itself, and knows more about it. The watchdog is for runs
 * that the engine cannot end. It also reports progress to the driver. It measures the time without
 * progress by patience_ns(), so a device that was stopped for a while, with its contexts,
 * continues as before.
 */
#include "internal.h"

#define WATCHDOG_NS	(100 * NSEC_PER_MSEC)

/* Track the progress of what one thread of a context executes. */
static void watchdog_look(struct watched *w, const struct ctx_watch *watch, uint64_t now)
{
	uint32_t progress = __atomic_load_n(&watch->progress, __ATOMIC_RELAXED);
	unsigned long long until = atomic_load(&watch->until);

	if (until != w->until) {
		w->until = until;
		w->overdue_ns = 0;
		w->moved_ns = now;
	}
	if (progress != w->progress) {
		w->progress = progress;
		w->moved_ns = now;
	}
}

/* Track the progress of a context, and report it to the driver. */
static void watchdog_follow(struct ptodev *dev, struct ctx_home *home, uint64_t now)
{
	struct ctx_page *page = ptodev_page(dev, home->page);
	uint32_t moved = 0;
	uint32_t i;

	for (i = 0; i < CTX_SERVERS; i++) {
		watchdog_look(&home->watched[i], &page->watches[i], now);
		moved += home->watched[i].progress;
	}
	__atomic_store_n(&ptodev_pair(dev, home->queues[0])->progress, moved, __ATOMIC_RELAXED);
}

/*
 * Has the code exceeded its bound w->until, or can its engine not end it? The grace begins with the
 * first look after the bound, because the engine may not have been running before either.
 */
static bool watchdog_passed(struct watched *w, const struct ctx_watch *watch, uint64_t now)
{
	if (__atomic_load_n(&watch->lost, __ATOMIC_RELAXED))
		return true;
	if (clock_ns() < w->until)
		return false;
	if (!w->overdue_ns)
		w->overdue_ns = now;
	return now - w->overdue_ns >= EXPIRE_GRACE_NS &&
	       now - w->moved_ns >= atomic_load(&watch->patience);
}

/* Tell code that has exceeded its bound to end, with the lock that watch_end() takes. */
static bool watchdog_expire(struct ptodev *dev, uint32_t id, uint32_t server, uint64_t now)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	struct ctx_watch *watch = &page->watches[server];
	unsigned long long until = home->watched[server].until;
	bool expired = false;

	if (!until || until == RUN_EXPIRED ||
	    !watchdog_passed(&home->watched[server], watch, now))
		return false;
	if (!ctx_page_trylock(page, NSEC_PER_MSEC))
		return false;
	if (atomic_compare_exchange_strong(&watch->until, &until, RUN_EXPIRED)) {
		home_expire(dev, id, server);
		expired = true;
	}
	ctx_page_unlock(page);
	return expired;
}

/* Return: the code of this thread has been told to end, and does not */
static bool watchdog_server(struct ptodev *dev, uint32_t id, uint32_t server, uint64_t now)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_watch *watch = &ptodev_page(dev, home->page)->watches[server];
	struct watched *w = &home->watched[server];

	if (watchdog_expire(dev, id, server, now)) {
		w->expired_ns = now;
		return false;
	}
	if (!w->expired_ns || now - w->expired_ns < STOP_BOUND_NS)
		return false;
	w->expired_ns = 0;
	return atomic_load(&watch->until) == RUN_EXPIRED;
}

static void watchdog_end(struct ptodev *dev, uint32_t id, uint32_t server)
{
	struct pto_dev_report why;

	home_stop(dev, id, 0);
	report_text(&why, "code of the callable has not ended within its bound, nor when told to");
	why.code = PTO_FATAL_SCHEDULER_TIMEOUT;
	dev->contexts[id].overdue = server;
	context_bury(dev, id, PTO_DEV_TIMEOUT, &why);
}

static void watchdog_context(struct ptodev *dev, uint32_t id)
{
	uint64_t now = patience_ns(dev);
	uint32_t i;

	watchdog_follow(dev, &dev->contexts[id], now);
	for (i = 0; i < CTX_SERVERS; i++) {
		if (watchdog_server(dev, id, i, now)) {
			watchdog_end(dev, id, i);
			return;
		}
	}
}

/* Check all contexts when it is due. */
void watchdog_check(struct ptodev *dev)
{
	uint64_t now = clock_ns();
	uint32_t id;

	if (now < dev->watchdog_ns)
		return;
	dev->watchdog_ns = now + WATCHDOG_NS;
	for (id = 1; id <= dev->config.max_contexts; id++)
		if (dev->contexts[id].life == LIFE_ALIVE)
			watchdog_context(dev, id);
}
