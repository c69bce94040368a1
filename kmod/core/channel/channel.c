// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The channel to a hardware context: changes of its configuration, and commands.
 */
#include <linux/capability.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "channel/channel.h"
#include "device/device.h"
#include "device/mem.h"
#include "device/queue.h"
#include "device/runs.h"

/* Timeout of control queue commands; extended while runs are in flight, see pto_channel_call(). */
#define PTO_CONTROL_NS (30 * (u64)NSEC_PER_SEC)

/**
 * pto_channel_begin() - begin to change the context's configuration
 * @ch: the channel
 *
 * On success the caller must call pto_channel_end(). The claim is not a mutex, because its owner
 * waits for the device: the owner and the waiters must be freezable, which a wait for a mutex is
 * not.
 *
 * Return: 0; -EINTR when the thread is being killed, -ENODEV.
 */
int pto_channel_begin(struct pto_channel *ch)
{
	if (wait_on_bit_lock(&ch->claim, PTO_CHANNEL_CLAIMED, TASK_KILLABLE | TASK_FREEZABLE))
		return -EINTR;
	if (pto_device_is_gone(ch->pdev)) {
		pto_channel_end(ch);
		return -ENODEV;
	}
	ch->missing = 0;
	return 0;
}

/** pto_channel_begin_hw() - like pto_channel_begin(), but -EIO if the context is lost */
int pto_channel_begin_hw(struct pto_channel *ch)
{
	int err = pto_channel_begin(ch);

	if (!err && READ_ONCE(ch->client.lost)) {
		pto_channel_end(ch);
		err = -EIO;
	}
	return err;
}

/** pto_channel_end() - end the change that pto_channel_begin() or pto_channel_begin_hw() began */
void pto_channel_end(struct pto_channel *ch)
{
	clear_and_wake_up_bit(PTO_CHANNEL_CLAIMED, &ch->claim);
}

/** pto_channel_lose() - mark the context as lost: it needs PTO_CTX_RESET */
void pto_channel_lose(struct pto_channel *ch)
{
	WRITE_ONCE(ch->client.lost, true);
	wake_up_all(&ch->client.wq);
}

/*
 * Describe the device's memory. How much of it is in use tells what other contexts do, so only who
 * may use PTO_QUERY_USAGE learns that.
 */
static void pto_channel_explain_memory(struct pto_device *pdev, char *text, size_t size)
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
 * pto_channel_explain() - explain an ENOMEM
 * @ch: the channel; between pto_channel_begin() and pto_channel_end()
 * @what: the object that does not fit
 * @report: its text is filled in
 */
void pto_channel_explain(struct pto_channel *ch, const char *what, struct pto_dev_report *report)
{
	char *text = (char *)report->text;
	char memory[96];

	pto_channel_explain_memory(ch->pdev, memory, sizeof(memory));
	if (ch->missing)
		snprintf(text, sizeof(report->text),
			 "no room for %s: at least %llu bytes are needed, and %s",
			 what, (unsigned long long)ch->missing, memory);
	else
		snprintf(text, sizeof(report->text),
			 "no memory of the host for %s, or the device lacks some of its own; %s",
			 what, memory);
}

/** pto_channel_free_mem() - free memory that the hardware context had, if @mem has any */
void pto_channel_free_mem(struct pto_channel *ch, struct pto_mem *mem)
{
	if (READ_ONCE(ch->leaking))
		pto_mem_leak(ch->pdev, mem);
	else
		pto_mem_free(ch->pdev, mem);
}

/* @done: returns whether the completion has arrived; pto_queue_forget() also detaches @reply. */
static int pto_channel_call(struct pto_channel *ch, union pto_command *cmd, struct pto_reply *reply,
			    bool (*done)(struct pto_queue *q, struct pto_reply *reply))
{
	struct pto_wait_how how = {
		.deadline_ns = ktime_get_ns() + PTO_CONTROL_NS,
		.state = TASK_KILLABLE,
		.patience_ns = PTO_CONTROL_NS,
	};
	int err;

	cmd->any.ctx = ch->hw_id;
	atomic64_inc(&ch->count.device_commands);
	err = pto_queue_ask(&ch->control, cmd, reply, &how);
	/* A completion that arrived after the end of the wait counts, whatever ended the wait. */
	if (done(&ch->control, reply))
		err = pto_status_errno(reply->status);
	else if (err == -ETIMEDOUT)
		pto_channel_lose(ch);
	if (err && err != -ENODEV && err != -ERESTARTSYS && READ_ONCE(ch->client.lost))
		err = -EIO;
	return err;
}

/**
 * pto_channel_command() - have a command of the control queue executed
 * @ch: the channel; between pto_channel_begin() and pto_channel_end()
 * @cmd: the command, except for its ctx
 * @reply: its completion, if @reply->done afterwards
 *
 * The device executes it beside the context's runs, and after the commands that came before it.
 * If the waiter is killed, the command may still be executed later. The caller then undoes it by
 * another command, which the queue executes afterwards.
 *
 * Return: 0, the device's error, -EIO if the context is lost, -ERESTARTSYS, -ENODEV.
 */
int pto_channel_command(struct pto_channel *ch, union pto_command *cmd, struct pto_reply *reply)
{
	return pto_channel_call(ch, cmd, reply, pto_queue_forget);
}

/** pto_channel_give() - like pto_channel_command(), but @reply stays in the queue until done */
int pto_channel_give(struct pto_channel *ch, union pto_command *cmd, struct pto_reply *reply)
{
	return pto_channel_call(ch, cmd, reply, pto_queue_answered);
}

/**
 * pto_channel_admin() - have an admin command executed for the context; see pto_device_call()
 * @ch: the channel
 * @cmd: the command
 * @reply: its completion, if @reply->done afterwards
 *
 * Without a completion the device may still execute the command later. So the context is marked
 * as lost; the end of the hardware context undoes the command.
 */
int pto_channel_admin(struct pto_channel *ch, const union pto_command *cmd, struct pto_reply *reply)
{
	int err;

	atomic64_inc(&ch->count.device_commands);
	err = pto_device_call(ch->pdev, cmd, reply);
	if (err && !reply->done)
		pto_channel_lose(ch);
	return err;
}
