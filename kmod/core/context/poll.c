// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Contexts: polling.
 */
#include <linux/poll.h>

#include "context/ctx.h"
#include "device/device.h"
#include "device/queue.h"
#include "device/runs.h"

wait_queue_head_t *pto_ctx_waitqueue(struct pto_ctx *ctx)
{
	return &ctx->ch.client.wq;
}

/* Request an interrupt, and take completions. Return: true if there is an unread result. */
static bool pto_stream_poll(struct pto_queue *q, unsigned int *taken)
{
	bool readable;

	spin_lock(&q->lock);
	if (q->runs->submitted != q->runs->completed)
		pto_queue_arm(q);
	*taken += pto_queue_reap(q);
	readable = q->runs->completed > (u64)atomic64_read(&q->runs->read);
	spin_unlock(&q->lock);
	return readable;
}

__poll_t pto_ctx_poll(struct pto_ctx *ctx)
{
	struct pto_section section;
	struct pto_queue *q;
	unsigned int taken = 0;
	__poll_t mask = 0;

	if (!pto_section_enter(&section, ctx->ch.pdev))
		return EPOLLERR | EPOLLHUP;
	/* The caller is in the wait queue before the flag is set: see pto_client_polled(). */
	smp_mb();
	WRITE_ONCE(ctx->ch.client.poll_armed, true);
	spin_lock(&ctx->ch.client.lock);
	list_for_each_entry(q, &ctx->ch.client.queues, link) {
		if (pto_stream_poll(q, &taken))
			mask |= EPOLLIN | EPOLLRDNORM;
	}
	spin_unlock(&ctx->ch.client.lock);
	if (READ_ONCE(ctx->ch.client.lost))
		mask |= EPOLLERR;
	pto_queue_wake(&ctx->ch.control, taken);
	pto_section_leave(&section);
	return mask;
}
