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

/* Track the progress of a context, and report it to the driver. */
static void watchdog_follow(struct ptodev *dev, struct ctx_home *home, uint64_t now)
{
	struct ctx_page *page = ptodev_page(dev, home->page);
	uint32_t progress = __atomic_load_n(&page->progress, __ATOMIC_RELAXED);
	unsigned long long until = atomic_load(&page->run_until);

	if (until != home->run_until) {
		home->run_until = until;
		home->overdue_ns = 0;
		home->moved_ns = now;
	}
	if (progress == home->progress)
		return;
	home->progress = progress;
	home->moved_ns = now;
	__atomic_store_n(&ptodev_pair(dev, home->queues[0])->progress, progress,
			 __ATOMIC_RELAXED);
}

/*
 * Has the run exceeded its bound home->run_until, or can its engine not end it? The grace begins
 * with the first look after the bound, because the engine may not have been running before either.
 */
static bool watchdog_passed(struct ctx_home *home, const struct ctx_page *page, uint64_t now)
{
	if (__atomic_load_n(&page->lost, __ATOMIC_RELAXED))
		return true;
	if (clock_ns() < home->run_until)
		return false;
	if (!home->overdue_ns)
		home->overdue_ns = now;
	return now - home->overdue_ns >= EXPIRE_GRACE_NS &&
	       now - home->moved_ns >= atomic_load(&page->run_patience);
}

/* Tell a run that has exceeded its bound to end, with the lock that watch_end() takes. */
static bool watchdog_expire(struct ptodev *dev, uint32_t id, uint64_t now)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	unsigned long long until = home->run_until;
	bool expired = false;

	if (!until || until == RUN_EXPIRED || !watchdog_passed(home, page, now))
		return false;
	if (!ctx_page_trylock(page, NSEC_PER_MSEC))
		return false;
	if (atomic_compare_exchange_strong(&page->run_until, &until, RUN_EXPIRED)) {
		home_expire(dev, id);
		expired = true;
	}
	ctx_page_unlock(page);
	return expired;
}

static void watchdog_context(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	uint64_t now = patience_ns(dev);
	struct pto_dev_report why;

	watchdog_follow(dev, home, now);
	if (watchdog_expire(dev, id, now)) {
		home->expired_ns = now;
		return;
	}
	if (!home->expired_ns || now - home->expired_ns < STOP_BOUND_NS)
		return;
	home->expired_ns = 0;
	if (atomic_load(&page->run_until) != RUN_EXPIRED)
		return;
	home_stop(dev, id, 0);
	report_text(&why, "code of the callable has not ended within its bound, nor when told to");
	why.code = PTO_FATAL_SCHEDULER_TIMEOUT;
	context_bury(dev, id, PTO_DEV_TIMEOUT, &why);
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
