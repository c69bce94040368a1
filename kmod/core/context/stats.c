// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Contexts: counters.
 */
#include "channel/reclaim.h"
#include "context/ctx.h"
#include "device/device.h"
#include "device/queue.h"
#include "device/runs.h"

/* Add the counters of the existing streams. The queue's lock keeps those of a stream consistent. */
static void pto_ctx_count_runs(struct pto_ctx *ctx, struct pto_context_stats *stats)
{
	struct pto_queue *q;

	spin_lock(&ctx->ch.client.lock);
	stats->arena_hits = atomic64_read(&ctx->ch.count.arena_hits);
	stats->runs_submitted = atomic64_read(&ctx->ch.count.runs_submitted);
	stats->runs_completed = atomic64_read(&ctx->ch.count.runs_completed);
	stats->runs_failed = atomic64_read(&ctx->ch.count.runs_failed);
	list_for_each_entry(q, &ctx->ch.client.queues, link) {
		spin_lock(&q->lock);
		stats->arena_hits += q->runs->arena_hits;
		stats->runs_submitted += q->runs->submitted;
		stats->runs_completed += q->runs->completed;
		stats->runs_failed += q->runs->failed;
		spin_unlock(&q->lock);
	}
	spin_unlock(&ctx->ch.client.lock);
}

static u32 pto_ctx_state(struct pto_ctx *ctx)
{
	if (pto_device_is_gone(ctx->ch.pdev))
		return PTO_CTX_GONE;
	return READ_ONCE(ctx->ch.client.lost) ? PTO_CTX_LOST : PTO_CTX_OK;
}

/**
 * pto_ctx_reap() - take completions, so that runs which have ended count as completed
 * @ctx: the context
 *
 * Sends nothing to the device.
 *
 * Return: the control queue's progress, 0 if the device is gone.
 */
u32 pto_ctx_reap(struct pto_ctx *ctx)
{
	struct pto_section section;
	u32 progress;

	if (!pto_section_enter(&section, ctx->ch.pdev))
		return 0;
	pto_reclaim_reap(&ctx->ch);
	progress = READ_ONCE(ctx->ch.control.head->progress);
	pto_section_leave(&section);
	return progress;
}

void pto_ctx_stats(struct pto_ctx *ctx, struct pto_context_stats *stats)
{
	struct pto_counters *count = &ctx->ch.count;
	u32 progress = pto_ctx_reap(ctx);

	*stats = (struct pto_context_stats){
		.size = sizeof(*stats),
		.state = pto_ctx_state(ctx),
		.streams_created = atomic64_read(&count->streams_created),
		.streams_live = atomic_read(&count->streams_live),
		.callables_live = atomic_read(&count->callables_live),
		.bo_live = atomic_read(&count->bo_live),
		.bo_bytes = atomic64_read(&count->bo_bytes),
		.images_live = atomic_read(&count->images_live),
		.prepares = atomic64_read(&count->prepares),
		.unprepares = atomic64_read(&count->unprepares),
		.aicpu_dlopen_count = atomic64_read(&count->aicpu_dlopens),
		.kernel_load_count = atomic64_read(&count->kernel_loads),
		.image_uploads = atomic64_read(&count->image_uploads),
		.image_upload_bytes = atomic64_read(&count->image_upload_bytes),
		.image_dedup_hits = atomic64_read(&count->image_dedup_hits),
		.arena_misses = atomic64_read(&count->arena_misses),
		.arena_builds = atomic64_read(&count->arena_builds),
		.arena_rebinds = atomic64_read(&count->arena_rebinds),
		.resets = atomic64_read(&count->resets),
		.host_dlopen_count = atomic64_read(&count->host_dlopens),
		.progress = progress,
	};
	pto_ctx_count_runs(ctx, stats);
}
