// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_STREAM_*: create and destroy streams, and wait for all runs of one.
 */
#include <linux/err.h>
#include <linux/sched.h>

#include "base/call.h"
#include "base/timens.h"
#include "context/ctx.h"
#include "device/queue.h"
#include "ioctl/ioctl.h"
#include "ioctl/wait.h"
#include "object/stream.h"

/** pto_ioctl_stream_create() - PTO_STREAM_CREATE */
int pto_ioctl_stream_create(struct pto_call *call)
{
	struct pto_ioc_stream_create *arg = call->arg;
	struct pto_stream *s;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad)
		return -EINVAL;
	s = pto_stream_make(&call->ctx->streams);
	if (IS_ERR(s))
		return PTR_ERR(s);
	arg->id = s->id;
	err = pto_call_reply(call);
	if (!err)
		err = pto_stream_publish(s);
	if (err)
		pto_stream_abandon(s);
	return err;
}

/** pto_ioctl_stream_destroy() - PTO_STREAM_DESTROY */
int pto_ioctl_stream_destroy(struct pto_call *call)
{
	struct pto_ioc_stream_destroy *arg = call->arg;

	if (arg->id == PTO_STREAM_DEFAULT)
		return -EINVAL;
	return pto_stream_remove(&call->ctx->streams, arg->id);
}

/** pto_ioctl_stream_wait() - PTO_STREAM_WAIT */
int pto_ioctl_stream_wait(struct pto_call *call)
{
	struct pto_ioc_stream_wait *arg = call->arg;
	struct pto_wait_how how = {
		.deadline_ns = pto_time_from_caller(arg->timeout_ns),
		.state = TASK_INTERRUPTIBLE,
	};
	struct pto_stream *s;
	u64 last;
	int err;

	s = pto_stream_get(&call->ctx->streams, arg->id);
	if (!s)
		return -ENOENT;
	last = READ_ONCE(s->runs.submitted);
	err = pto_queue_wait(&s->queue, pto_wait_ended, &last, &how);
	pto_stream_put(s);
	return err;
}
