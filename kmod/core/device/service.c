// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A device's service: the sections in which threads may access it, and their end; admin commands
 * that nobody waits for.
 */
#include <linux/printk.h>
#include <linux/workqueue.h>

#include "device/device.h"
#include "device/queue.h"

unsigned int pto_close_ms = 2000;
unsigned int pto_admin_ms = 10000;
unsigned int pto_heartbeat_ms = 60000;
struct workqueue_struct *pto_wq;

/* The heartbeat counts as watched if its checks are not further apart than this. */
#define PTO_WATCH_NS (3 * (u64)NSEC_PER_SEC)

/**
 * pto_section_enter() - enter a section
 * @section: filled in
 * @pdev: the device; the caller has a reference
 *
 * Return: false if the device is gone; the section must not be left then.
 */
bool pto_section_enter(struct pto_section *section, struct pto_device *pdev)
{
	section->srcu = srcu_read_lock(&pdev->srcu);
	/* The caller leaves the section, which sparse would report. */
	__release(&pdev->srcu);
	section->pdev = pdev;
	if (pto_device_is_gone(pdev)) {
		pto_section_leave(section);
		return false;
	}
	return true;
}

/** pto_section_leave() - leave a section, if the thread is in it */
void pto_section_leave(struct pto_section *section)
{
	struct pto_device *pdev = section->pdev;

	if (!pdev)
		return;
	section->pdev = NULL;
	__acquire(&pdev->srcu);
	srcu_read_unlock(&pdev->srcu, section->srcu);
}

/** pto_device_start_work() - queue the work, which has a reference to the device until it ran */
void pto_device_start_work(struct pto_device *pdev)
{
	kref_get(&pdev->ref);
	if (!queue_work(pto_wq, &pdev->work))
		/* The caller has a reference, too, so this is not the last one. */
		refcount_dec(&pdev->ref.refcount);
}

/**
 * pto_device_fail() - take a device out of service
 * @pdev: the device
 * @why: the reason, for the log; NULL if the home has called pto_device_gone()
 *
 * Does not sleep. The device's work wakes all threads that wait for the device.
 */
void pto_device_fail(struct pto_device *pdev, const char *why)
{
	if (atomic_xchg(&pdev->gone, 1))
		return;
	if (why)
		pr_warn("pto%u: %s: device taken out of service\n", pdev->index, why);
	pto_device_start_work(pdev);
}

/**
 * pto_device_adopt() - leave an admin command that was not answered in time to the device's work
 * @pdev: the device
 * @orphan: the command; its reply was passed to pto_device_ask() or pto_queue_post(). Owned by
 *	the device until @orphan->finish is called
 */
void pto_device_adopt(struct pto_device *pdev, struct pto_orphan *orphan)
{
	spin_lock(&pdev->orphan_lock);
	list_add_tail(&orphan->link, &pdev->orphans);
	spin_unlock(&pdev->orphan_lock);
	pto_device_start_work(pdev);
}

/** pto_device_answered() - start the device's work if a completed admin command may be an orphan */
void pto_device_answered(struct pto_device *pdev)
{
	/* An orphan that comes meanwhile starts the work itself. */
	if (!list_empty(&pdev->orphans))
		pto_device_start_work(pdev);
}

/* Has the heartbeat stood still for too long? */
static bool pto_device_stopped(struct pto_device *pdev)
{
	u64 bound = (u64)READ_ONCE(pto_heartbeat_ms) * NSEC_PER_MSEC;
	u32 beat = READ_ONCE(pdev->ident_page->heartbeat);
	u64 now = ktime_get_ns();
	bool watched = now - READ_ONCE(pdev->look_ns) < PTO_WATCH_NS;

	WRITE_ONCE(pdev->look_ns, now);
	if (!watched || beat != READ_ONCE(pdev->beat)) {
		WRITE_ONCE(pdev->beat, beat);
		WRITE_ONCE(pdev->beat_ns, now);
		return false;
	}
	return bound && now - READ_ONCE(pdev->beat_ns) >= bound;
}

/** pto_device_check() - fail the device if it reports a failure or has stopped; in a section */
void pto_device_check(struct pto_device *pdev)
{
	if (READ_ONCE(pdev->ident_page->state) != PTO_DEV_STATE_READY)
		pto_device_fail(pdev, "it reports a failure");
	else if (pto_device_stopped(pdev))
		pto_device_fail(pdev, "its heartbeat has stopped");
}
