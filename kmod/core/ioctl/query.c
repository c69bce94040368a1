// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_QUERY: the device's properties, counters of the context, resources in use.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "base/call.h"
#include "context/ctx.h"
#include "device/device.h"
#include "device/queue.h"
#include "ioctl/ioctl.h"
#include "object/arena.h"
#include "object/image.h"
#include "object/stream.h"

static void pto_query_device(struct pto_ctx *ctx, struct pto_device_info *info)
{
	struct pto_device *pdev = ctx->ch.pdev;
	const struct pto_dev_ident *id = &pdev->ident;

	*info = (struct pto_device_info){
		.size = sizeof(*info),
		.arch = id->arch,
		.features = PTO_FEATURE_RUN_WAIT |
			    (pdev->ops->export ? PTO_FEATURE_DMABUF : 0) |
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

static void pto_query_usage(struct pto_ctx *ctx, struct pto_device_usage *usage)
{
	struct pto_device *pdev = ctx->ch.pdev;

	pto_ctx_reap(ctx);
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

	if (!pto_section_enter(&section, ctx->ch.pdev))
		return;
	costs = &ctx->ch.control.head->costs;
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
	struct pto_queue *q;

	*stats = (struct pto_debug_stats){
		.size = sizeof(*stats),
		.interrupts = atomic64_read(&ctx->ch.client.interrupts),
		.device_commands = atomic64_read(&ctx->ch.count.device_commands),
	};
	spin_lock(&ctx->ch.client.lock);
	stats->doorbells = atomic64_read(&ctx->ch.count.doorbells);
	list_for_each_entry(q, &ctx->ch.client.queues, link)
		stats->doorbells += pto_queue_doorbells(q);
	stats->doorbells += pto_queue_doorbells(&ctx->ch.control);
	spin_unlock(&ctx->ch.client.lock);
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
	if (pto_query_needs_device(arg->item) && pto_device_is_gone(ctx->ch.pdev))
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
