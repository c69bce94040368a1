// SPDX-License-Identifier: MIT
/*
 * Contexts that have crashed or been aborted. Until the driver destroys such a context, the admin
 * completes all its outstanding and later commands with the reason.
 */
#include <string.h>

#include "internal.h"

/*
 * Set a queue back to the command that was executing, if there was one. If the context was a
 * process, the slot may hold arbitrary values; then the published index counts, if it is
 * plausible. A queue without plausible indices is not served.
 */
static void bury_queue(struct ptodev *dev, struct queue_slot *slot, uint32_t index)
{
	struct pto_dev_queue *pair = ptodev_pair(dev, index);
	uint32_t published = __atomic_load_n(&pair->cq_tail, __ATOMIC_ACQUIRE);
	uint32_t tail = __atomic_load_n(&pair->sq_tail, __ATOMIC_ACQUIRE);

	if (published - slot->done == 1 || tail - slot->done > QUEUE_DEPTH)
		slot->done = published;
	slot->index = index;
	slot->head = slot->done;
}

/* Complete the command that was executing with PTO_DEV_TIMEOUT. */
static void bury_run(struct ptodev *dev, struct ctx_home *home, uint32_t i)
{
	struct ctx_page *page = ptodev_page(dev, home->page);
	struct pto_dev_cmd cmd;
	struct outcome out;
	struct queue q;
	uint32_t index;

	queue_attach(&q, ptodev_pair(dev, home->queues[i]), &page->slots[i]);
	if (!queue_fetch(&q, &cmd, &index))
		return;
	outcome_init(&out);
	out.status = PTO_DEV_TIMEOUT;
	out.detail = home->why.code;
	out.report = home->why;
	if (queue_complete(&q, &out))
		ptodev_interrupt(dev);
}

/**
 * context_bury() - let the admin complete the commands of a context from now on
 * @dev: the device
 * @id: a context that is LIFE_ALIVE, but will not access its queues any more
 * @status: PTO_DEV_FAULT or PTO_DEV_ABORTED; PTO_DEV_TIMEOUT: what the thread home->overdue was
 *	executing has timed out, and all other commands end with a fault
 * @why: report of each command
 */
void context_bury(struct ptodev *dev, uint32_t id, uint32_t status,
		  const struct pto_dev_report *why)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	uint32_t i;

	home->life = LIFE_DEAD;
	home->status = status == PTO_DEV_TIMEOUT ? PTO_DEV_FAULT : status;
	home->why = *why;
	dev->dead++;
	for (i = 0; i < CTX_QUEUES; i++) {
		if (!home->queues[i])
			continue;
		atomic_store(&dev->shared->owner[home->queues[i]], 0);
		bury_queue(dev, &page->slots[i], home->queues[i]);
		if (page->current[home->overdue] == i + 1 && status == PTO_DEV_TIMEOUT)
			bury_run(dev, home, i);
	}
	memset(page->current, 0, sizeof(page->current));
	context_serve_dead(dev, id);
}

static bool queue_serve_dead(struct ptodev *dev, const struct ctx_home *home, struct queue *q)
{
	bool interrupt = false;
	bool any = false;
	struct pto_dev_cmd cmd;
	struct outcome out;
	uint32_t index;

	while (queue_fetch(q, &cmd, &index)) {
		outcome_init(&out);
		out.status = home->status;
		out.report = home->why;
		interrupt |= queue_complete(q, &out);
		any = true;
	}
	if (interrupt)
		ptodev_interrupt(dev);
	return any;
}

/* Complete the commands in the queues of a dead context. Return: true if there were any */
bool context_serve_dead(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	bool any = false;
	struct queue q;
	uint32_t i;

	for (i = 0; i < CTX_QUEUES; i++) {
		if (!home->queues[i])
			continue;
		queue_attach(&q, ptodev_pair(dev, home->queues[i]), &page->slots[i]);
		any |= queue_serve_dead(dev, home, &q);
	}
	return any;
}

/* Request doorbells for the queues of a dead context, or not. Return: true if there is work */
bool context_arm_dead(struct ptodev *dev, uint32_t id, bool armed)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	bool pending = false;
	struct queue q;
	uint32_t i;

	for (i = 0; i < CTX_QUEUES; i++) {
		if (!home->queues[i])
			continue;
		queue_attach(&q, ptodev_pair(dev, home->queues[i]), &page->slots[i]);
		queue_arm(&q, armed);
		pending |= queue_pending(&q);
	}
	return pending;
}
