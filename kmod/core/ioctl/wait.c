// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_WAIT: wait for a run, and read its result.
 */
#include <linux/string.h>

#include "base/call.h"
#include "base/timens.h"
#include "context/ctx.h"
#include "device/device.h"
#include "device/queue.h"
#include "device/runs.h"
#include "ioctl/ioctl.h"
#include "ioctl/wait.h"
#include "object/stream.h"

/**
 * struct pto_wanted - a result that a thread waits for
 * @seq: the run's number in its stream
 * @run: copy of its record when it has ended
 * @stale: it has ended, but its record is no longer kept
 * @report: the device's explanation if the run failed and there is one; else empty
 */
struct pto_wanted {
	u64 seq;
	struct pto_run_record run;
	bool stale;
	struct pto_run_report report;
};

static void pto_wait_no_report(struct pto_run_report *report)
{
	report->task = ~0ULL;
	report->func_id = ~0U;
	report->core = ~0U;
	report->text[0] = '\0';
}

/** pto_wait_ended() - condition for waits: has the run with the number at @seq ended? */
bool pto_wait_ended(struct pto_queue *q, void *seq)
{
	return q->runs->completed >= *(u64 *)seq;
}

/* Like pto_wait_ended(), but also copies the result while the lock is held. */
static bool pto_wait_fetch(struct pto_queue *q, void *arg)
{
	const struct pto_runs *r = q->runs;
	struct pto_wanted *wanted = arg;
	u64 seq = wanted->seq;

	if (r->completed < seq)
		return false;
	wanted->stale = r->completed - seq > q->mask;
	if (wanted->stale)
		return true;
	wanted->run = r->records[(seq - 1) & r->mask];
	pto_wait_no_report(&wanted->report);
	if (unlikely(wanted->run.status)) {
		const struct pto_run_report *report = &r->reports[seq % PTO_DEV_REPORTS];

		if (report->seq == seq)
			wanted->report = *report;
	}
	return true;
}

static int pto_wait_run(struct pto_stream *s, u64 timeout_ns, struct pto_wanted *wanted)
{
	struct pto_wait_how how = {
		.deadline_ns = pto_time_from_caller(timeout_ns),
		.state = TASK_INTERRUPTIBLE,
	};
	int err = -ENOENT;

	if (likely(wanted->seq && wanted->seq <= READ_ONCE(s->runs.submitted)))
		err = pto_queue_wait(&s->queue, pto_wait_fetch, wanted, &how);
	return !err && wanted->stale ? -ESTALE : err;
}

static void pto_wait_mark_read(struct pto_stream *s, u64 seq)
{
	s64 old = atomic64_read(&s->runs.read);

	while (old < (s64)seq) {
		s64 seen = atomic64_cmpxchg(&s->runs.read, old, seq);

		if (seen == old)
			break;
		old = seen;
	}
}

static void pto_wait_fill(struct pto_ioc_wait *arg, const struct pto_wanted *wanted)
{
	const struct pto_run_record *run = &wanted->run;
	s64 ahead = pto_time_offset();

	arg->status = run->status;
	arg->code = lower_32_bits(run->detail);
	arg->subcode = upper_32_bits(run->detail);
	arg->user_data = run->user_data;
	arg->submit_ns = pto_time_to_caller(run->submit_ns, ahead);
	arg->start_ns = pto_time_to_caller(run->start_ns, ahead);
	arg->end_ns = pto_time_to_caller(run->end_ns, ahead);
	arg->task = wanted->report.task;
	arg->func_id = wanted->report.func_id;
	arg->core = wanted->report.core;
}

/** pto_wait_check() - check the flags and padding of a struct pto_ioc_wait */
int pto_wait_check(const struct pto_call *call)
{
	const struct pto_ioc_wait *arg = call->arg;

	if (unlikely(arg->flags))
		return -EOPNOTSUPP;
	return unlikely(arg->pad || arg->pad2) ? -EINVAL : 0;
}

/**
 * pto_wait_for() - wait for a run, and copy its result to the caller
 * @call: a struct pto_ioc_wait that has been checked, with the run's id
 * @s: the run's stream
 *
 * Return: 0, the error of the wait, or -EFAULT if the result cannot be copied.
 */
int pto_wait_for(struct pto_call *call, struct pto_stream *s)
{
	struct pto_ioc_wait *arg = call->arg;
	struct pto_wanted wanted;
	int err;

	wanted.seq = arg->run & PTO_RUN_SEQ_MASK;
	wanted.stale = false;
	err = pto_wait_run(s, arg->timeout_ns, &wanted);
	if (unlikely(err))
		return err;
	pto_wait_fill(arg, &wanted);
	if (unlikely(arg->status))
		err = pto_call_log(arg->log_ptr, arg->log_size, wanted.report.text);
	if (likely(!err))
		err = pto_call_reply(call);
	if (likely(!err))
		pto_wait_mark_read(s, wanted.seq);
	return err;
}

/** pto_ioctl_wait() - PTO_WAIT */
int pto_ioctl_wait(struct pto_call *call)
{
	const struct pto_ioc_wait *arg = call->arg;
	struct pto_stream *s;
	int err;

	err = pto_wait_check(call);
	if (unlikely(err))
		return err;
	s = pto_stream_get(&call->ctx->streams, arg->run >> PTO_RUN_STREAM_SHIFT);
	if (unlikely(!s))
		return -ENOENT;
	err = pto_wait_for(call, s);
	pto_stream_put(s);
	return err;
}
