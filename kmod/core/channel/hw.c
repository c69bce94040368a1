// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Begin and end of hardware contexts.
 */
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/sched.h>

#include "channel/channel.h"
#include "channel/hw.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/queue.h"

static bool pto_hw_find_id(struct pto_channel *ch)
{
	struct pto_device *pdev = ch->pdev;
	unsigned long n;

	mutex_lock(&pdev->mutex);
	n = find_first_zero_bit(pdev->ctx_ids, pdev->ident.max_contexts);
	if (n < pdev->ident.max_contexts) {
		__set_bit(n, pdev->ctx_ids);
		ch->hw_id = n + 1;
	}
	mutex_unlock(&pdev->mutex);
	return ch->hw_id;
}

/* Reserve a number; wait for closed contexts that have not ended yet, if all are in use. */
static int pto_hw_take_id(struct pto_channel *ch)
{
	u64 deadline = ktime_get_ns() + (u64)READ_ONCE(pto_admin_ms) * NSEC_PER_MSEC;
	u32 ended;
	int err;

	do {
		ended = atomic_read(&ch->pdev->ended);
		if (pto_hw_find_id(ch))
			return 0;
		err = pto_device_await_end(ch->pdev, ended, deadline);
	} while (!err);
	return err == -ETIMEDOUT ? -ENOSPC : err;
}

static void pto_hw_drop_id(struct pto_channel *ch)
{
	struct pto_device *pdev = ch->pdev;

	if (!ch->hw_id || ch->leaking)
		return;
	mutex_lock(&pdev->mutex);
	__clear_bit(ch->hw_id - 1, pdev->ctx_ids);
	mutex_unlock(&pdev->mutex);
}

static int pto_hw_open_control(struct pto_channel *ch)
{
	u32 index;
	int err;

	err = pto_device_get_queue(ch->pdev, &index);
	if (err)
		return err;
	ch->control.client = &ch->client;
	ch->control.wq = &ch->client.wq;
	err = pto_queue_open(&ch->control, ch->pdev, index);
	if (err) {
		pto_device_put_queue(ch->pdev, index);
		return err;
	}
	atomic_inc(&ch->pdev->stream_count);
	atomic_inc(&ch->count.streams_live);
	atomic64_inc(&ch->count.streams_created);
	return 0;
}

static void pto_hw_close_control(struct pto_channel *ch)
{
	if (!ch->control.head)
		return;
	pto_queue_close(&ch->control);
	if (!ch->leaking)
		pto_device_put_queue(ch->pdev, ch->control.index);
	atomic_dec(&ch->pdev->stream_count);
}

/** pto_hw_disarm() - after this no interrupt looks at the hardware context */
void pto_hw_disarm(struct pto_channel *ch)
{
	struct pto_queue *q;

	list_for_each_entry(q, &ch->client.queues, link)
		pto_queue_disarm(q);
	if (ch->control.head)
		pto_queue_disarm(&ch->control);
}

/** pto_hw_create() - create the hardware context. Return: 0 or an error; it may exist then */
int pto_hw_create(struct pto_channel *ch)
{
	union pto_command cmd = { .queue = {
		.opcode = PTO_DEV_CTX_CREATE,
		.ctx = ch->hw_id,
		.queue = ch->control.index,
	} };
	int err;

	pto_queue_reset(&ch->control);
	ch->created.report = NULL;
	atomic64_inc(&ch->count.device_commands);
	err = pto_device_ask(ch->pdev, &cmd, &ch->created);
	/* It exists unless the device refused the command. Without a completion it may exist. */
	if (ch->created.posted && !pto_queue_refused(&ch->pdev->admin, &ch->created))
		WRITE_ONCE(ch->hw, PTO_HW_ALIVE);
	if (err == -EINVAL || err == -ENOEXEC || err == -EREMOTEIO || err == -EOPNOTSUPP ||
	    err == -ECANCELED)
		err = -EIO;
	return err;
}

/**
 * pto_hw_kill() - post the commands that end the hardware context, in whatever state it is
 * @ch: the channel
 *
 * The admin queue executes its commands in order, so an outstanding CTX_CREATE comes first.
 */
int pto_hw_kill(struct pto_channel *ch)
{
	union pto_command cmd[2] = {
		{ .any = { .opcode = PTO_DEV_ABORT, .ctx = ch->hw_id } },
		{ .any = { .opcode = PTO_DEV_CTX_DESTROY, .ctx = ch->hw_id } },
	};
	bool idle = !pto_client_busy(&ch->client) && !pto_queue_in_flight(&ch->control);
	int err;

	ch->ended.reply.posted = false;
	ch->ended.reply.done = false;
	ch->ended.reply.report = NULL;
	err = pto_queue_post(&ch->pdev->admin, cmd + idle, 2 - idle, &ch->ended.reply);
	if (!err) {
		atomic64_add(2 - idle, &ch->count.device_commands);
		WRITE_ONCE(ch->hw, PTO_HW_ENDING);
	}
	return err;
}

/** pto_hw_ended() - the completion of CTX_DESTROY has arrived */
void pto_hw_ended(struct pto_channel *ch)
{
	struct pto_queue *admin = &ch->pdev->admin;
	bool made;

	pto_queue_forget(admin, &ch->created);
	made = ch->created.done && ch->created.status == PTO_DEV_OK;
	if (made && ch->ended.reply.status != PTO_DEV_OK)
		WRITE_ONCE(ch->leaking, true);
	WRITE_ONCE(ch->hw, PTO_HW_NONE);
}

/**
 * pto_hw_destroy() - end the hardware context, if there is one
 * @ch: the channel
 * @bound_ns: how long to wait
 * @state: TASK_* in which to sleep
 *
 * Return: 0; -ETIMEDOUT, -EAGAIN (the admin queue is full) or
 * -ERESTARTSYS if the device has not done so yet, -ENODEV.
 */
int pto_hw_destroy(struct pto_channel *ch, u64 bound_ns, unsigned int state)
{
	struct pto_wait_how how = {
		.deadline_ns = ktime_get_ns() + bound_ns,
		.state = state,
	};
	int err = 0;

	if (ch->hw == PTO_HW_NONE)
		return 0;
	if (ch->hw == PTO_HW_ALIVE)
		err = pto_hw_kill(ch);
	if (!err)
		err = pto_queue_wait(&ch->pdev->admin, pto_queue_replied, &ch->ended.reply,
				     &how);
	if (!err)
		pto_hw_ended(ch);
	return err;
}

/**
 * pto_hw_init() - initialise a channel without a hardware context
 * @ch: the channel, zeroed
 * @pdev: the device; a reference is taken
 * @ended: see struct pto_orphan.finish; for a hardware context that does not end in time
 */
void pto_hw_init(struct pto_channel *ch, struct pto_device *pdev,
		 void (*ended)(struct pto_orphan *orphan))
{
	ch->pdev = pto_device_get(pdev);
	INIT_LIST_HEAD(&ch->ended.link);
	ch->ended.finish = ended;
	pto_reclaim_init(ch);
}

/** pto_hw_setup() - get a number and a control queue, and create the hardware context */
int pto_hw_setup(struct pto_channel *ch)
{
	int err;

	err = pto_hw_take_id(ch);
	if (!err)
		err = pto_hw_open_control(ch);
	return err ? err : pto_hw_create(ch);
}

/** pto_hw_release() - give back number and control queue; the hardware context has ended */
void pto_hw_release(struct pto_channel *ch)
{
	pto_hw_close_control(ch);
	pto_hw_drop_id(ch);
}
