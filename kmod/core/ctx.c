// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Contexts: open, changes of the configuration, reset, close.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "arena.h"
#include "bo.h"
#include "call.h"
#include "callable.h"
#include "ctx.h"
#include "device.h"
#include "image.h"
#include "ioctl.h"
#include "mem.h"
#include "queue.h"
#include "reclaim.h"
#include "stream.h"

/* How long closing waits for the device to destroy the hardware context. */
#define PTO_END_NS (1 * (u64)NSEC_PER_SEC)

/* Timeout of control queue commands; extended while runs are in flight, see pto_ctx_call(). */
#define PTO_CONTROL_NS (30 * (u64)NSEC_PER_SEC)

/**
 * pto_ctx_begin() - begin to change the context's configuration
 * @ctx: the context
 *
 * On success the caller must call pto_ctx_end(). The claim is not a mutex, because its owner waits
 * for the device: the owner and the waiters must be freezable, which a wait for a mutex is not.
 *
 * Return: 0; -EINTR when the thread is being killed, -ENODEV.
 */
int pto_ctx_begin(struct pto_ctx *ctx)
{
	if (wait_on_bit_lock(&ctx->claim, PTO_CTX_CLAIMED, TASK_KILLABLE | TASK_FREEZABLE))
		return -EINTR;
	if (pto_device_is_gone(ctx->pdev)) {
		pto_ctx_end(ctx);
		return -ENODEV;
	}
	ctx->missing = 0;
	return 0;
}

/** pto_ctx_begin_hw() - like pto_ctx_begin(), but -EIO if the context is lost */
int pto_ctx_begin_hw(struct pto_ctx *ctx)
{
	int err = pto_ctx_begin(ctx);

	if (!err && READ_ONCE(ctx->client.lost)) {
		pto_ctx_end(ctx);
		err = -EIO;
	}
	return err;
}

/** pto_ctx_end() - end the change that pto_ctx_begin() or pto_ctx_begin_hw() began */
void pto_ctx_end(struct pto_ctx *ctx)
{
	clear_and_wake_up_bit(PTO_CTX_CLAIMED, &ctx->claim);
}

/** pto_ctx_lose() - mark the context as lost: it needs PTO_CTX_RESET */
void pto_ctx_lose(struct pto_ctx *ctx)
{
	WRITE_ONCE(ctx->client.lost, true);
	wake_up_all(&ctx->client.wq);
}

/*
 * Describe the device's memory. How much of it is in use tells what other contexts do, so only who
 * may use PTO_QUERY_USAGE learns that.
 */
static void pto_ctx_explain_memory(struct pto_device *pdev, char *text, size_t size)
{
	if (perfmon_capable())
		snprintf(text, size, "%llu of the device's %llu bytes of memory are in use",
			 (unsigned long long)atomic64_read(&pdev->memory_used),
			 (unsigned long long)pdev->heap_size);
	else
		snprintf(text, size, "the device has %llu bytes of memory for all contexts",
			 (unsigned long long)pdev->heap_size);
}

/**
 * pto_ctx_explain() - explain an ENOMEM
 * @ctx: the context; between pto_ctx_begin() and pto_ctx_end()
 * @what: the object that does not fit
 * @report: its text is filled in
 */
void pto_ctx_explain(struct pto_ctx *ctx, const char *what, struct pto_dev_report *report)
{
	char *text = (char *)report->text;
	char memory[96];

	pto_ctx_explain_memory(ctx->pdev, memory, sizeof(memory));
	if (ctx->missing)
		snprintf(text, sizeof(report->text),
			 "no room for %s: at least %llu bytes are needed, and %s",
			 what, (unsigned long long)ctx->missing, memory);
	else
		snprintf(text, sizeof(report->text),
			 "no memory of the host for %s, or the device lacks some of its own; %s",
			 what, memory);
}

/** pto_ctx_free_mem() - free memory that the hardware context had, if @mem has any */
void pto_ctx_free_mem(struct pto_ctx *ctx, struct pto_mem *mem)
{
	if (READ_ONCE(ctx->leaking))
		pto_mem_leak(ctx->pdev, mem);
	else
		pto_mem_free(ctx->pdev, mem);
}

/* @done: returns whether the completion has arrived; pto_queue_forget() also detaches @reply. */
static int pto_ctx_call(struct pto_ctx *ctx, union pto_command *cmd, struct pto_reply *reply,
			bool (*done)(struct pto_queue *q, struct pto_reply *reply))
{
	struct pto_wait_how how = {
		.deadline_ns = ktime_get_ns() + PTO_CONTROL_NS,
		.state = TASK_KILLABLE,
		.patience_ns = PTO_CONTROL_NS,
	};
	int err;

	cmd->any.ctx = ctx->hw_id;
	atomic64_inc(&ctx->count.device_commands);
	err = pto_queue_ask(&ctx->control, cmd, reply, &how);
	/* A completion that arrived after the end of the wait counts, whatever ended the wait. */
	if (done(&ctx->control, reply))
		err = pto_status_errno(reply->status);
	else if (err == -ETIMEDOUT)
		pto_ctx_lose(ctx);
	if (err && err != -ENODEV && err != -ERESTARTSYS && READ_ONCE(ctx->client.lost))
		err = -EIO;
	return err;
}

/**
 * pto_ctx_command() - have a command of the control queue executed
 * @ctx: the context; between pto_ctx_begin() and pto_ctx_end()
 * @cmd: the command, except for its ctx
 * @reply: its completion, if @reply->done afterwards
 *
 * The device executes it beside the context's runs, and after the commands that came before it.
 * If the waiter is killed, the command may still be executed later. The caller then undoes it by
 * another command, which the queue executes afterwards.
 *
 * Return: 0, the device's error, -EIO if the context is lost, -ERESTARTSYS, -ENODEV.
 */
int pto_ctx_command(struct pto_ctx *ctx, union pto_command *cmd, struct pto_reply *reply)
{
	return pto_ctx_call(ctx, cmd, reply, pto_queue_forget);
}

/** pto_ctx_give() - like pto_ctx_command(), but @reply stays in the queue until it is done */
int pto_ctx_give(struct pto_ctx *ctx, union pto_command *cmd, struct pto_reply *reply)
{
	return pto_ctx_call(ctx, cmd, reply, pto_queue_answered);
}

/**
 * pto_ctx_admin() - have an admin command executed for the context; see pto_device_call()
 * @ctx: the context
 * @cmd: the command
 * @reply: its completion, if @reply->done afterwards
 *
 * Without a completion the device may still execute the command later. So the context is marked
 * as lost; the end of the hardware context undoes the command.
 */
int pto_ctx_admin(struct pto_ctx *ctx, const union pto_command *cmd, struct pto_reply *reply)
{
	int err;

	atomic64_inc(&ctx->count.device_commands);
	err = pto_device_call(ctx->pdev, cmd, reply);
	if (err && !reply->done)
		pto_ctx_lose(ctx);
	return err;
}

static bool pto_ctx_find_id(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;
	unsigned long n;

	mutex_lock(&pdev->mutex);
	n = find_first_zero_bit(pdev->ctx_ids, pdev->ident.max_contexts);
	if (n < pdev->ident.max_contexts) {
		__set_bit(n, pdev->ctx_ids);
		ctx->hw_id = n + 1;
	}
	mutex_unlock(&pdev->mutex);
	return ctx->hw_id;
}

/* Reserve a number; wait for closed contexts that have not ended yet, if all are in use. */
static int pto_ctx_take_id(struct pto_ctx *ctx)
{
	u64 deadline = ktime_get_ns() + (u64)READ_ONCE(pto_admin_ms) * NSEC_PER_MSEC;
	u32 ended;
	int err;

	do {
		ended = atomic_read(&ctx->pdev->ended);
		if (pto_ctx_find_id(ctx))
			return 0;
		err = pto_device_await_end(ctx->pdev, ended, deadline);
	} while (!err);
	return err == -ETIMEDOUT ? -ENOSPC : err;
}

static void pto_ctx_drop_id(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;

	if (!ctx->hw_id || ctx->leaking)
		return;
	mutex_lock(&pdev->mutex);
	__clear_bit(ctx->hw_id - 1, pdev->ctx_ids);
	mutex_unlock(&pdev->mutex);
}

static int pto_ctx_open_control(struct pto_ctx *ctx)
{
	u32 index;
	int err;

	err = pto_device_get_queue(ctx->pdev, &index);
	if (err)
		return err;
	ctx->control.client = &ctx->client;
	ctx->control.wq = &ctx->client.wq;
	err = pto_queue_open(&ctx->control, ctx->pdev, index);
	if (err) {
		pto_device_put_queue(ctx->pdev, index);
		return err;
	}
	atomic_inc(&ctx->pdev->stream_count);
	atomic_inc(&ctx->count.streams_live);
	atomic64_inc(&ctx->count.streams_created);
	return 0;
}

static void pto_ctx_close_control(struct pto_ctx *ctx)
{
	if (!ctx->control.head)
		return;
	pto_queue_close(&ctx->control);
	if (!ctx->leaking)
		pto_device_put_queue(ctx->pdev, ctx->control.index);
	atomic_dec(&ctx->pdev->stream_count);
}

static void pto_ctx_bury(struct pto_orphan *orphan);

static struct pto_ctx *pto_ctx_alloc(struct pto_device *pdev)
{
	struct pto_ctx *ctx = kvzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);

	if (!ctx)
		return NULL;
	ctx->pdev = pto_device_get(pdev);
	ctx->user = current_euid();
	ctx->next_arena = 1;
	ctx->next_stream = PTO_STREAM_DEFAULT;
	INIT_LIST_HEAD(&ctx->bo_list);
	INIT_LIST_HEAD(&ctx->loaded);
	INIT_LIST_HEAD(&ctx->ended.link);
	ctx->ended.finish = pto_ctx_bury;
	xa_init_flags(&ctx->stream_ids, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->bos, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->bo_at, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->images, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	pto_reclaim_init(ctx);
	return ctx;
}

/* The hardware context has ended, or the device is gone; there are no other users. */
static void pto_ctx_free(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;
	struct pto_stream *s, *next;

	if (ctx->control.head)
		pto_queue_stop(&ctx->control);
	pto_reclaim_all(ctx);
	pto_callable_close(ctx);
	pto_arena_close(ctx);
	pto_image_close(ctx);
	pto_bo_close(ctx);
	list_for_each_entry_safe(s, next, &ctx->client.queues, queue.link)
		pto_stream_unbind(s);
	pto_ctx_close_control(ctx);
	pto_ctx_drop_id(ctx);
	xa_destroy(&ctx->stream_ids);
	kvfree(ctx);
	pto_device_put(pdev);
}

/* After this no interrupt looks at the context. */
static void pto_ctx_disarm(struct pto_ctx *ctx)
{
	struct pto_stream *s;

	list_for_each_entry(s, &ctx->client.queues, queue.link)
		pto_queue_disarm(&s->queue);
	if (ctx->control.head)
		pto_queue_disarm(&ctx->control);
}

/* Free the context. The hardware context has ended, or the device is gone. */
static void pto_ctx_finish(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;

	cancel_work_sync(&ctx->client.work);
	pto_ctx_disarm(ctx);
	/* A thread that wakes this context holds the mutex meanwhile. */
	mutex_lock(&pdev->wake_mutex);
	list_del(&ctx->client.link);
	mutex_unlock(&pdev->wake_mutex);
	cancel_work_sync(&ctx->client.work);
	pto_queue_forget(&pdev->admin, &ctx->created);
	pto_queue_forget(&pdev->admin, &ctx->ended.reply);
	pto_ctx_free(ctx);
}

static int pto_ctx_create_hw(struct pto_ctx *ctx)
{
	union pto_command cmd = { .queue = {
		.opcode = PTO_DEV_CTX_CREATE,
		.ctx = ctx->hw_id,
		.queue = ctx->control.index,
	} };
	int err;

	pto_queue_reset(&ctx->control);
	ctx->created.report = NULL;
	atomic64_inc(&ctx->count.device_commands);
	err = pto_device_ask(ctx->pdev, &cmd, &ctx->created);
	/* It exists unless the device refused the command. Without a completion it may exist. */
	if (ctx->created.posted && !pto_queue_refused(&ctx->pdev->admin, &ctx->created))
		WRITE_ONCE(ctx->hw, PTO_HW_ALIVE);
	if (err == -EINVAL || err == -ENOEXEC || err == -EREMOTEIO || err == -EOPNOTSUPP ||
	    err == -ECANCELED)
		err = -EIO;
	return err;
}

/*
 * Post the commands that end the hardware context, in whatever state it is. The admin queue
 * executes its commands in order, so an outstanding CTX_CREATE comes first.
 */
static int pto_ctx_kill_hw(struct pto_ctx *ctx)
{
	union pto_command cmd[2] = {
		{ .any = { .opcode = PTO_DEV_ABORT, .ctx = ctx->hw_id } },
		{ .any = { .opcode = PTO_DEV_CTX_DESTROY, .ctx = ctx->hw_id } },
	};
	bool idle = !pto_client_busy(&ctx->client) && !pto_queue_in_flight(&ctx->control);
	int err;

	ctx->ended.reply.posted = false;
	ctx->ended.reply.done = false;
	ctx->ended.reply.report = NULL;
	err = pto_queue_post(&ctx->pdev->admin, cmd + idle, 2 - idle, &ctx->ended.reply);
	if (!err) {
		atomic64_add(2 - idle, &ctx->count.device_commands);
		WRITE_ONCE(ctx->hw, PTO_HW_ENDING);
	}
	return err;
}

/* The completion of CTX_DESTROY has arrived. */
static void pto_ctx_hw_ended(struct pto_ctx *ctx)
{
	struct pto_queue *admin = &ctx->pdev->admin;
	bool made;

	pto_queue_forget(admin, &ctx->created);
	made = ctx->created.done && ctx->created.status == PTO_DEV_OK;
	if (made && ctx->ended.reply.status != PTO_DEV_OK)
		WRITE_ONCE(ctx->leaking, true);
	WRITE_ONCE(ctx->hw, PTO_HW_NONE);
}

/*
 * End the hardware context. Return: 0; -ETIMEDOUT, -EAGAIN (the admin queue is full) or
 * -ERESTARTSYS if the device has not done so yet, -ENODEV.
 */
static int pto_ctx_destroy_hw(struct pto_ctx *ctx, u64 bound_ns, unsigned int state)
{
	struct pto_wait_how how = {
		.deadline_ns = ktime_get_ns() + bound_ns,
		.state = state,
	};
	int err = 0;

	if (ctx->hw == PTO_HW_NONE)
		return 0;
	if (ctx->hw == PTO_HW_ALIVE)
		err = pto_ctx_kill_hw(ctx);
	if (!err)
		err = pto_queue_wait(&ctx->pdev->admin, pto_queue_replied, &ctx->ended.reply,
				     &how);
	if (!err)
		pto_ctx_hw_ended(ctx);
	return err;
}

/*
 * Called by the device's work, when the device has answered, is gone, or has room for the
 * commands. The context is adopted again if the admin queue is full again.
 */
static void pto_ctx_bury(struct pto_orphan *orphan)
{
	struct pto_ctx *ctx = container_of(orphan, struct pto_ctx, ended);
	struct pto_device *pdev = ctx->pdev;

	if (ctx->hw == PTO_HW_ENDING && orphan->reply.done)
		pto_ctx_hw_ended(ctx);
	else if (ctx->hw == PTO_HW_ALIVE && !pto_device_is_gone(pdev))
		pto_ctx_kill_hw(ctx);
	if (ctx->hw == PTO_HW_NONE || pto_device_is_gone(pdev)) {
		pto_ctx_finish(ctx);
		pto_device_ended(pdev);
	} else {
		pto_device_adopt(pdev, orphan);
	}
}

/* End a closed context now, or leave it to the device's work if the device is slow. */
static void pto_ctx_let_go(struct pto_ctx *ctx, unsigned int state)
{
	int err = pto_ctx_destroy_hw(ctx, PTO_END_NS, state);

	if (!err || err == -ENODEV) {
		pto_ctx_finish(ctx);
		return;
	}
	atomic_inc(&ctx->pdev->ending);
	pto_device_adopt(ctx->pdev, &ctx->ended);
}

static int pto_ctx_setup(struct pto_ctx *ctx)
{
	struct pto_stream *s;
	int err;

	err = pto_ctx_take_id(ctx);
	if (!err)
		err = pto_ctx_open_control(ctx);
	if (!err)
		err = pto_ctx_create_hw(ctx);
	if (err)
		return err;
	s = pto_stream_new(ctx);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ctx->default_stream = s;
	atomic64_inc(&ctx->count.streams_created);
	return 0;
}

struct pto_ctx *pto_ctx_open(struct pto_device *pdev)
{
	struct pto_ctx *ctx;
	int err;

	if (pto_device_is_gone(pdev))
		return ERR_PTR(-ENODEV);
	ctx = pto_ctx_alloc(pdev);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&pdev->wake_mutex);
	WRITE_ONCE(pdev->drop_idle, pto_arena_idle_drop);
	list_add(&ctx->client.link, &pdev->clients);
	mutex_unlock(&pdev->wake_mutex);
	err = pto_ctx_setup(ctx);
	if (err) {
		pto_ctx_let_go(ctx, TASK_KILLABLE);
		return ERR_PTR(err);
	}
	atomic_inc(&pdev->context_count);
	atomic64_inc(&pdev->contexts_opened);
	return ctx;
}

static bool pto_stream_idle(struct pto_queue *q, void *unused)
{
	return q->runs->completed == q->runs->submitted;
}

/* Is the process of the running thread being killed? */
static bool pto_ctx_killed(void)
{
	return fatal_signal_pending(current) ||
	       (current->flags & PF_EXITING && current->exit_code & 0x7f);
}

/*
 * Wait for the runs in flight, at most pto_close_ms. The context has no other users, so its list of
 * streams does not change.
 */
static void pto_ctx_drain(struct pto_ctx *ctx)
{
	struct pto_wait_how how = {
		.deadline_ns = ktime_get_ns() + (u64)READ_ONCE(pto_close_ms) * NSEC_PER_MSEC,
		.state = TASK_KILLABLE,
	};
	struct pto_stream *s;

	list_for_each_entry(s, &ctx->client.queues, queue.link) {
		if (pto_queue_wait(&s->queue, pto_stream_idle, NULL, &how))
			return;
	}
}

void pto_ctx_close(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;

	if (ctx->hw == PTO_HW_ALIVE && !READ_ONCE(ctx->client.lost) && !pto_ctx_killed())
		pto_ctx_drain(ctx);
	atomic_dec(&pdev->context_count);
	/* Not killable, so that device memory is free when a killed process has been reaped. */
	pto_ctx_let_go(ctx, TASK_UNINTERRUPTIBLE);
}

wait_queue_head_t *pto_ctx_waitqueue(struct pto_ctx *ctx)
{
	return &ctx->client.wq;
}

/* Request an interrupt, and take completions. Return: true if there is an unread result. */
static bool pto_stream_poll(struct pto_stream *s, unsigned int *taken)
{
	bool readable;

	spin_lock(&s->queue.lock);
	if (s->runs.submitted != s->runs.completed)
		pto_queue_arm(&s->queue);
	*taken += pto_queue_reap(&s->queue);
	readable = s->runs.completed > (u64)atomic64_read(&s->runs.read);
	spin_unlock(&s->queue.lock);
	return readable;
}

__poll_t pto_ctx_poll(struct pto_ctx *ctx)
{
	struct pto_section section;
	struct pto_stream *s;
	unsigned int taken = 0;
	__poll_t mask = 0;

	if (!pto_section_enter(&section, ctx->pdev))
		return EPOLLERR | EPOLLHUP;
	/* The caller is in the wait queue before the flag is set: see pto_client_polled(). */
	smp_mb();
	WRITE_ONCE(ctx->client.poll_armed, true);
	spin_lock(&ctx->client.lock);
	list_for_each_entry(s, &ctx->client.queues, queue.link) {
		if (pto_stream_poll(s, &taken))
			mask |= EPOLLIN | EPOLLRDNORM;
	}
	spin_unlock(&ctx->client.lock);
	if (READ_ONCE(ctx->client.lost))
		mask |= EPOLLERR;
	pto_queue_wake(&ctx->control, taken);
	pto_section_leave(&section);
	return mask;
}

static void pto_ctx_stop_streams(struct pto_ctx *ctx)
{
	struct pto_section section;
	struct pto_stream *s;

	if (!pto_section_enter(&section, ctx->pdev))
		return;
	spin_lock(&ctx->client.lock);
	list_for_each_entry(s, &ctx->client.queues, queue.link) {
		spin_lock(&s->queue.lock);
		pto_queue_reap(&s->queue);
		spin_unlock(&s->queue.lock);
		pto_queue_stop(&s->queue);
	}
	spin_unlock(&ctx->client.lock);
	pto_section_leave(&section);
}

static void pto_ctx_cancel_runs(struct pto_ctx *ctx)
{
	struct pto_stream *s;

	spin_lock(&ctx->client.lock);
	list_for_each_entry(s, &ctx->client.queues, queue.link)
		pto_stream_cancel(s);
	spin_unlock(&ctx->client.lock);
	wake_up_all(&ctx->client.wq);
}

/* Create a new hardware context with the state of the old one. */
static int pto_ctx_restore(struct pto_ctx *ctx)
{
	int err;

	err = pto_ctx_create_hw(ctx);
	if (!err)
		err = pto_stream_bind_all(ctx);
	if (!err)
		err = pto_bo_map_all(ctx);
	if (!err)
		err = pto_arena_bind_all(ctx);
	if (!err)
		err = pto_callable_load_all(ctx);
	return err;
}

/* This also frees the objects that were deferred while the context was lost. */
static int pto_ctx_renew(struct pto_ctx *ctx)
{
	int err;

	pto_ctx_stop_streams(ctx);
	err = pto_ctx_destroy_hw(ctx, (u64)READ_ONCE(pto_admin_ms) * NSEC_PER_MSEC, TASK_KILLABLE);
	if (err)
		return err == -EAGAIN ? -ETIMEDOUT : err;
	if (ctx->leaking)
		return -EIO;
	pto_ctx_cancel_runs(ctx);
	pto_reclaim_all(ctx);
	err = pto_ctx_restore(ctx);
	if (!err)
		WRITE_ONCE(ctx->client.lost, false);
	return err;
}

/** pto_ioctl_ctx_reset() - PTO_CTX_RESET */
int pto_ioctl_ctx_reset(struct pto_call *call)
{
	struct pto_ioc_ctx_reset *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	/* Stop submissions, and end the wait of a thread that holds the claim for a command. */
	pto_ctx_lose(ctx);
	pto_queue_stop(&ctx->control);
	err = pto_ctx_begin(ctx);
	if (err)
		return err;
	err = pto_ctx_renew(ctx);
	if (!err)
		atomic64_inc(&ctx->count.resets);
	pto_ctx_end(ctx);
	if (pto_reclaim_pending(ctx))
		pto_reclaim_start(ctx);
	return err;
}
