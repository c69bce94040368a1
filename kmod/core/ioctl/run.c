// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_RUN. This is the warm path: no allocation, one spinlock, and only stores to shared memory
 * while the device is awake. If the caller also waits, the results of the submission are copied to
 * it before the wait, while the device is already working.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "base/call.h"
#include "context/ctx.h"
#include "device/device.h"
#include "device/mem.h"
#include "device/queue.h"
#include "ioctl/ioctl.h"
#include "ioctl/wait.h"
#include "object/arena.h"
#include "object/bo.h"
#include "object/callable.h"
#include "object/stream.h"

/* Size of the first version of an entry. */
#define PTO_RUN_ENTRY_MIN offsetofend(struct pto_run_entry, user_data)
#define PTO_RUN_CHUNK 6		/* entries copied at a time; they take half a KiB of stack */

/* Device address of a part of a buffer, 0 for none. */
static int pto_run_addr(struct pto_ctx *ctx, u32 id, u64 offset, u32 size, u64 *addr)
{
	struct pto_bo *bo;
	u64 end;

	*addr = 0;
	if (!id)
		return size || offset ? -EINVAL : 0;
	if (!size || !IS_ALIGNED(offset, 64))
		return -EINVAL;
	bo = pto_bo_peek(&ctx->bos, id);
	if (!bo)
		return -ENOENT;
	if (check_add_overflow(offset, (u64)size, &end))
		return -EOVERFLOW;
	if (end > bo->length)
		return -EINVAL;
	*addr = bo->addr + offset;
	return 0;
}

/* Device addresses of the arguments and the graph. PTO_KIND_HOST_GRAPH alone needs a graph. */
static int pto_run_addrs(struct pto_ctx *ctx, struct pto_callable *cal,
			 const struct pto_run_entry *entry, u64 *args, u64 *graph)
{
	int err;

	err = pto_run_addr(ctx, entry->args_bo, entry->args_offset, entry->args_size, args);
	if (unlikely(err))
		return err;
	err = pto_run_addr(ctx, entry->graph_bo, entry->graph_offset, entry->graph_size, graph);
	if (unlikely(err))
		return err;
	return !*graph == (cal->kind == PTO_KIND_HOST_GRAPH) ? -EINVAL : 0;
}

/* Convert a bound to milliseconds, rounded up, at most U32_MAX. */
static u32 pto_run_ms(u64 ns)
{
	if (likely(!ns))
		return 0;
	return min_t(u64, div_u64(ns - 1, NSEC_PER_MSEC) + 1, U32_MAX);
}

static u32 pto_arena_next_epoch(struct pto_arena *arena)
{
	u32 epoch = atomic_inc_return(&arena->epoch);

	if (unlikely(!epoch))
		epoch = atomic_inc_return(&arena->epoch);
	return epoch;
}

static void pto_run_record(struct pto_stream *s, const struct pto_run_entry *entry,
			   struct pto_arena *arena, u64 now)
{
	struct pto_run_record *run = &s->runs.records[s->runs.submitted & s->runs.mask];
	u64 seq = atomic64_inc_return(&s->table->ch->run_seq);

	run->user_data = entry->user_data;
	run->submit_ns = now;
	run->ctx_seq = seq;
	run->arena = arena->id;
	WRITE_ONCE(arena->last_run, seq);
	s->runs.arena_hits++;
	WRITE_ONCE(s->runs.submitted, s->runs.submitted + 1);
}

/*
 * Queue one run. The queue's lock is held, so objects found here stay until the run has ended: see
 * reclaim.c. -ENXIO: there is no default arena yet.
 */
static int pto_run_one(struct pto_ctx *ctx, struct pto_stream *s,
		       const struct pto_run_entry *entry, u64 now)
{
	struct pto_dev_cmd_run *cmd;
	struct pto_callable *cal;
	struct pto_arena *arena;
	u64 args_addr, graph_addr;
	int err;

	if (unlikely(entry->flags))
		return -EOPNOTSUPP;
	if (unlikely(entry->cid < 0 || entry->cid >= PTO_MAX_CALLABLES))
		return -EINVAL;
	cal = pto_callable_peek(&ctx->callables, entry->cid, entry->generation);
	if (unlikely(!cal))
		return -ENOENT;
	err = pto_run_addrs(ctx, cal, entry, &args_addr, &graph_addr);
	if (unlikely(err))
		return err;
	arena = pto_arena_find(&ctx->arenas, entry->arena);
	if (unlikely(!arena))
		return entry->arena ? -ENOENT : -ENXIO;
	cmd = (struct pto_dev_cmd_run *)pto_queue_slot(&s->queue);
	if (unlikely(!cmd))
		return -EAGAIN;
	*cmd = (struct pto_dev_cmd_run){
		.opcode = PTO_DEV_RUN,
		.id = s->queue.sq_tail,
		.ctx = ctx->ch.hw_id,
		.handle = cal->handle,
		.args_addr = args_addr,
		.args_size = entry->args_size,
		.epoch = pto_arena_next_epoch(arena),
		.arena_addr = pto_mem_addr(ctx->ch.pdev, &arena->mem),
		.graph_addr = graph_addr,
		.graph_size = entry->graph_size,
		.timeout_ms = pto_run_ms(entry->timeout_ns),
		.sched_timeout_ms = pto_run_ms(entry->sched_timeout_ns),
		.op_timeout_ms = pto_run_ms(entry->op_timeout_ns),
	};
	pto_run_record(s, entry, arena, now);
	pto_queue_publish(&s->queue);
	return 0;
}

/* Queue runs until the first error, which goes to *err. Return: the number of queued runs. */
static u32 pto_run_some(struct pto_ctx *ctx, struct pto_stream *s,
			const struct pto_run_entry *entries, u32 count, u64 *first, int *err)
{
	struct pto_queue *q = &s->queue;
	u64 now = ktime_get_ns();
	unsigned int taken = 0;
	u32 done = 0;

	*err = 0;
	spin_lock(&q->lock);
	if (unlikely(q->sq_tail - q->cq_head + count > q->mask + 1))
		taken = pto_queue_reap(q);
	/* If the context is not lost, the queue is stopped because the stream was destroyed. */
	if (unlikely(READ_ONCE(ctx->ch.client.lost)))
		*err = -EIO;
	else if (unlikely(q->stopped))
		*err = -ENOENT;
	*first = s->runs.submitted + 1;
	while (!*err && done < count) {
		*err = pto_run_one(ctx, s, &entries[done], now);
		done += !*err;
	}
	if (done) {
		pto_queue_kick(q);
		/* The kick was a full barrier: see pto_ctx_poll(). */
		if (unlikely(READ_ONCE(ctx->ch.client.poll_armed))) {
			pto_queue_arm(q);
			/* Completions before pto_queue_arm() cause no interrupt. */
			taken += pto_queue_reap(q);
		}
	}
	spin_unlock(&q->lock);
	pto_queue_wake(q, taken);
	return done;
}

static int pto_run_fetch(const struct pto_ioc_run *arg, u32 from, u32 count,
			 struct pto_run_entry *entries)
{
	u64 ptr;
	u32 i;
	int err;

	if (check_add_overflow(arg->entries_ptr, (u64)from * arg->stride, &ptr))
		return -EFAULT;
	/* A copy of constant size is faster. */
	if (likely(arg->stride == sizeof(*entries) && count == 1))
		return copy_from_user(entries, u64_to_user_ptr(ptr), sizeof(*entries)) ?
			-EFAULT : 0;
	if (likely(arg->stride == sizeof(*entries)))
		return copy_from_user(entries, u64_to_user_ptr(ptr), count * sizeof(*entries)) ?
			-EFAULT : 0;
	for (i = 0; i < count; i++) {
		err = copy_struct_from_user(&entries[i], sizeof(entries[i]),
					    u64_to_user_ptr(ptr + (u64)i * arg->stride),
					    arg->stride);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static int pto_run_make_arena(struct pto_ctx *ctx)
{
	int err;

	err = pto_channel_begin_hw(&ctx->ch);
	if (err)
		return err;
	err = pto_arena_default(&ctx->arenas, false);
	pto_channel_end(&ctx->ch);
	return err;
}

/* Queue one chunk of the caller's array, and create the default arena if needed. */
static u32 pto_run_chunk(struct pto_ctx *ctx, struct pto_stream *s,
			 const struct pto_run_entry *entries, u32 count, u64 *first, int *err)
{
	struct pto_section section;
	u64 again;
	u32 done;

	if (!pto_section_enter(&section, ctx->ch.pdev)) {
		*err = -ENODEV;
		return 0;
	}
	done = pto_run_some(ctx, s, entries, count, first, err);
	pto_section_leave(&section);
	while (unlikely(*err == -ENXIO)) {
		*err = pto_run_make_arena(ctx);
		if (*err)
			break;
		if (!pto_section_enter(&section, ctx->ch.pdev)) {
			*err = -ENODEV;
			break;
		}
		done += pto_run_some(ctx, s, entries + done, count - done, done ? &again : first,
				     err);
		pto_section_leave(&section);
	}
	return done;
}

static int pto_run_check(const struct pto_call *call)
{
	const struct pto_ioc_run *arg = call->arg;

	if (unlikely(arg->flags))
		return -EOPNOTSUPP;
	if (unlikely(!arg->count || arg->count > call->ctx->ch.pdev->ident.queue_depth ||
		     arg->stride < PTO_RUN_ENTRY_MIN || arg->pad))
		return -EINVAL;
	if (unlikely(arg->stride > PAGE_SIZE))
		return -E2BIG;
	/* A submission cannot be undone, so check first that the argument can be written. */
	return put_user(call->user_size, (u32 __user *)call->user);
}

/* Fetch the argument of the wait, and check it as PTO_WAIT does. */
static int pto_run_check_wait(const struct pto_call *call, struct pto_call *wait,
			      struct pto_ioc_wait *arg)
{
	int err;

	if (unlikely(call->user_size < offsetofend(struct pto_ioc_run, wait_error)))
		return -EINVAL;
	err = pto_call_fetch_wait(wait, arg);
	if (unlikely(err))
		return err;
	err = pto_wait_check(wait);
	if (unlikely(err))
		return err;
	return put_user(wait->user_size, (u32 __user *)wait->user);
}

/* Queue the caller's array. Return: 0 if any run was accepted; they are copied to the caller. */
static int pto_run_submit(struct pto_call *call, struct pto_stream *s)
{
	struct pto_run_entry entries[PTO_RUN_CHUNK];
	struct pto_ioc_run *arg = call->arg;
	u32 accepted = 0;
	u64 first = 0, chunk_first;
	int err = 0;

	while (accepted < arg->count) {
		u32 count = min_t(u32, arg->count - accepted, PTO_RUN_CHUNK);
		u32 done;

		err = pto_run_fetch(arg, accepted, count, entries);
		if (unlikely(err))
			break;
		done = pto_run_chunk(call->ctx, s, entries, count, &chunk_first, &err);
		if (!accepted && done)
			first = (u64)s->id << PTO_RUN_STREAM_SHIFT | chunk_first;
		accepted += done;
		if (!err && accepted < arg->count && fatal_signal_pending(current))
			err = -EINTR;
		if (unlikely(err))
			break;
	}
	if (unlikely(!accepted))
		return err;
	arg->accepted = accepted;
	arg->first_id = first;
	return pto_call_reply(call);
}

/* Wait for the last accepted run. Return: as PTO_WAIT, but -EINTR instead of a restart. */
static int pto_run_wait(const struct pto_ioc_run *run, struct pto_call *wait, struct pto_stream *s)
{
	struct pto_ioc_wait __user *user = wait->user;
	struct pto_ioc_wait *arg = wait->arg;
	int err;

	arg->run = run->first_id + run->accepted - 1;
	if (unlikely(put_user(arg->run, &user->run)))
		return -EFAULT;
	err = pto_wait_for(wait, s);
	/* A restarted call would submit again. */
	return unlikely(err == -ERESTARTSYS) ? -EINTR : err;
}

static int pto_run_and_wait(struct pto_call *call, struct pto_stream *s)
{
	struct pto_ioc_run __user *user = call->user;
	struct pto_ioc_run *arg = call->arg;
	struct pto_ioc_wait wait_arg;
	struct pto_call wait = { .ctx = call->ctx, .user = u64_to_user_ptr(arg->wait_ptr) };
	int err;

	err = pto_run_check_wait(call, &wait, &wait_arg);
	if (unlikely(err))
		return err;
	arg->wait_error = -EINPROGRESS;
	err = pto_run_submit(call, s);
	if (unlikely(err))
		return err;
	err = pto_run_wait(arg, &wait, s);
	/* The caller already has the accepted runs, so a failed copy must not fail the call. */
	(void)put_user(err, &user->wait_error);
	return 0;
}

/** pto_ioctl_run() - PTO_RUN */
int pto_ioctl_run(struct pto_call *call)
{
	struct pto_ioc_run *arg = call->arg;
	struct pto_stream *s;
	int err;

	err = pto_run_check(call);
	if (unlikely(err))
		return err;
	s = pto_stream_get(&call->ctx->streams, arg->stream);
	if (unlikely(!s))
		return -ENOENT;
	arg->wait_error = 0;
	err = arg->wait_ptr ? pto_run_and_wait(call, s) : pto_run_submit(call, s);
	pto_stream_put(s);
	return err;
}
