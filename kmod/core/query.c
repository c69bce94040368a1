// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_QUERY: the device's properties, counters of the context, resources in use.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "call.h"
#include "ctx.h"
#include "device.h"
#include "image.h"
#include "ioctl.h"
#include "queue.h"
#include "reclaim.h"
#include "stream.h"

static void pto_query_device(struct pto_ctx *ctx, struct pto_device_info *info)
{
	struct pto_device *pdev = ctx->pdev;
	const struct pto_dev_ident *id = &pdev->ident;

	*info = (struct pto_device_info){
		.size = sizeof(*info),
		.arch = id->arch,
		.features = PTO_FEATURE_RUN_WAIT |
			    (id->features & (PTO_FEATURE_UNIFIED | PTO_FEATURE_ISOLATED |
					     PTO_FEATURE_SIMULATED | PTO_FEATURE_HOST_GRAPH)),
		.index = pdev->index,
		.cluster_count = id->cluster_count,
		.aic_count = id->aic_count,
		.aiv_count = id->aiv_count,
		.aicpu_threads = id->aicpu_threads,
		.worker_threads = id->worker_threads,
		.max_contexts = id->max_contexts,
		.max_streams = min_t(u32, PTO_MAX_STREAMS, id->queue_count - 2),
		.stream_depth = id->queue_depth,
		.max_callables = PTO_MAX_CALLABLES,
		.max_func_id = PTO_MAX_FUNC_ID,
		.max_arenas = PTO_MAX_ARENAS,
		.page_size = PAGE_SIZE,
		.memory_size = pdev->heap_size,
		.memory_base = id->memory_base,
		.max_image_size = PTO_MAX_IMAGE_SIZE,
		.default_timeout_ns = id->default_timeout_ns,
		.default_heap = pdev->heap,
		.default_task_window = pdev->task_window,
		.default_dep_pool = pdev->dep_pool,
	};
	memcpy(info->arch_name, id->arch == PTO_ARCH_A5 ? "a5" : "a2a3",
	       id->arch == PTO_ARCH_A5 ? 2 : 4);
	memcpy(info->name, id->name, sizeof(info->name));
}

/* Add the counters of the existing streams. The queue's lock keeps those of a stream consistent. */
static void pto_query_streams(struct pto_ctx *ctx, struct pto_context_stats *stats)
{
	struct pto_stream *s;

	spin_lock(&ctx->client.lock);
	stats->arena_hits = atomic64_read(&ctx->count.arena_hits);
	stats->runs_submitted = atomic64_read(&ctx->count.runs_submitted);
	stats->runs_completed = atomic64_read(&ctx->count.runs_completed);
	stats->runs_failed = atomic64_read(&ctx->count.runs_failed);
	list_for_each_entry(s, &ctx->client.queues, queue.link) {
		spin_lock(&s->queue.lock);
		stats->arena_hits += s->runs.arena_hits;
		stats->runs_submitted += s->runs.submitted;
		stats->runs_completed += s->runs.completed;
		stats->runs_failed += s->runs.failed;
		spin_unlock(&s->queue.lock);
	}
	spin_unlock(&ctx->client.lock);
}

static u32 pto_query_state(struct pto_ctx *ctx)
{
	if (pto_device_is_gone(ctx->pdev))
		return PTO_CTX_GONE;
	return READ_ONCE(ctx->client.lost) ? PTO_CTX_LOST : PTO_CTX_OK;
}

/*
 * Take completions, so that runs which have ended count as completed. Sends nothing to the device.
 * Return: the control queue's progress, 0 if the device is gone.
 */
static u32 pto_query_reap(struct pto_ctx *ctx)
{
	struct pto_section section;
	u32 progress;

	if (!pto_section_enter(&section, ctx->pdev))
		return 0;
	pto_reclaim_reap(ctx);
	progress = READ_ONCE(ctx->control.head->progress);
	pto_section_leave(&section);
	return progress;
}

void pto_ctx_stats(struct pto_ctx *ctx, struct pto_context_stats *stats)
{
	struct pto_counters *count = &ctx->count;
	u32 progress = pto_query_reap(ctx);

	*stats = (struct pto_context_stats){
		.size = sizeof(*stats),
		.state = pto_query_state(ctx),
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
	pto_query_streams(ctx, stats);
}

static void pto_query_usage(struct pto_ctx *ctx, struct pto_device_usage *usage)
{
	struct pto_device *pdev = ctx->pdev;

	pto_query_reap(ctx);
	*usage = (struct pto_device_usage){
		.size = sizeof(*usage),
		.contexts = atomic_read(&pdev->context_count),
		.memory_size = pdev->heap_size,
		.memory_used = atomic64_read(&pdev->memory_used),
		.images = atomic64_read(&pdev->image_count),
		.image_bytes = atomic64_read(&pdev->image_bytes),
		.arena_images = atomic64_read(&pdev->arena_image_count),
		.arena_image_bytes = atomic64_read(&pdev->arena_image_bytes),
		.streams = atomic_read(&pdev->stream_count),
		.contexts_opened = atomic64_read(&pdev->contexts_opened),
	};
}

static u64 pto_queue_doorbells(struct pto_queue *q)
{
	u64 doorbells;

	spin_lock(&q->lock);
	doorbells = q->doorbells;
	spin_unlock(&q->lock);
	return doorbells;
}

/* What the device has said about its costs when the context was created; nothing if it is gone. */
static void pto_query_costs(struct pto_ctx *ctx, struct pto_debug_stats *stats)
{
	const struct pto_dev_costs *costs;
	struct pto_section section;

	if (!pto_section_enter(&section, ctx->pdev))
		return;
	costs = &ctx->control.head->costs;
	stats->hand_over_ns = READ_ONCE(costs->hand_over_ns);
	stats->hand_over_tensor_ns = READ_ONCE(costs->tensor_ns);
	stats->catch_up_ns = READ_ONCE(costs->catch_up_ns);
	stats->max_debt_ns = READ_ONCE(costs->max_debt_ns);
	stats->hand_overs = READ_ONCE(costs->hand_overs);
	pto_section_leave(&section);
}

/* Not part of the stable interface. Takes no completions, as that could change the counters. */
static void pto_query_debug(struct pto_ctx *ctx, struct pto_debug_stats *stats)
{
	struct pto_stream *s;

	*stats = (struct pto_debug_stats){
		.size = sizeof(*stats),
		.interrupts = atomic64_read(&ctx->client.interrupts),
		.device_commands = atomic64_read(&ctx->count.device_commands),
	};
	spin_lock(&ctx->client.lock);
	stats->doorbells = atomic64_read(&ctx->count.doorbells);
	list_for_each_entry(s, &ctx->client.queues, queue.link)
		stats->doorbells += pto_queue_doorbells(&s->queue);
	stats->doorbells += pto_queue_doorbells(&ctx->control);
	spin_unlock(&ctx->client.lock);
	pto_query_costs(ctx, stats);
}

/* The driver has the context's counters, so they can be read even when the device is gone. */
static bool pto_query_needs_device(u32 item)
{
	return item != PTO_QUERY_CONTEXT && item != PTO_QUERY_DEBUG;
}

/**
 * pto_ioctl_query() - PTO_QUERY
 * @call: the call
 */
int pto_ioctl_query(struct pto_call *call)
{
	union {
		u32 size;
		struct pto_device_info device;
		struct pto_context_stats context;
		struct pto_device_usage usage;
		struct pto_debug_stats debug;
	} answer;
	struct pto_ioc_query *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	u32 bytes;

	if (arg->pad)
		return -EINVAL;
	if (pto_query_needs_device(arg->item) && pto_device_is_gone(ctx->pdev))
		return -ENODEV;
	/* It tells what other contexts do. */
	if (arg->item == PTO_QUERY_USAGE && !perfmon_capable())
		return -EPERM;
	switch (arg->item) {
	case PTO_QUERY_DEVICE:
		pto_query_device(ctx, &answer.device);
		break;
	case PTO_QUERY_CONTEXT:
		pto_ctx_stats(ctx, &answer.context);
		break;
	case PTO_QUERY_USAGE:
		pto_query_usage(ctx, &answer.usage);
		break;
	case PTO_QUERY_DEBUG:
		pto_query_debug(ctx, &answer.debug);
		break;
	default:
		return -EOPNOTSUPP;
	}
	bytes = answer.size;
	answer.size = min(bytes, arg->data_size);
	if (arg->data_ptr &&
	    copy_to_user(u64_to_user_ptr(arg->data_ptr), &answer, answer.size))
		return -EFAULT;
	arg->data_size = bytes;
	return pto_call_reply(call);
}
