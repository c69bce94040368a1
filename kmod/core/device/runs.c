// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The runs of a queue: those in flight, and the results of the most recent ones.
 */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "device/runs.h"

/** pto_runs_init() - allocate the records for a queue; 0 or -ENOMEM. @r is zero */
int pto_runs_init(struct pto_runs *r, u32 queue_depth)
{
	u32 records = 2 * queue_depth;

	r->records = kvcalloc(records, sizeof(*r->records), GFP_KERNEL_ACCOUNT);
	r->reports = kvcalloc(PTO_DEV_REPORTS, sizeof(*r->reports), GFP_KERNEL_ACCOUNT);
	if (!r->records || !r->reports) {
		pto_runs_exit(r);
		return -ENOMEM;
	}
	r->mask = records - 1;
	return 0;
}

/** pto_runs_exit() - free the records */
void pto_runs_exit(struct pto_runs *r)
{
	kvfree(r->reports);
	kvfree(r->records);
}

/**
 * pto_runs_complete() - record the end of the oldest run in flight
 * @r: the runs; the queue's lock is held
 * @cqe: the completion
 * @report: why it failed, or NULL
 */
void pto_runs_complete(struct pto_runs *r, const struct pto_dev_cqe *cqe,
		       const struct pto_dev_report *report)
{
	struct pto_run_record *run = &r->records[r->completed & r->mask];
	u64 seq = r->completed + 1;

	run->status = pto_status_errno(cqe->status);
	run->start_ns = cqe->start_ns;
	run->end_ns = cqe->end_ns;
	run->detail = 0;
	if (unlikely(cqe->status != PTO_DEV_OK)) {
		r->failed++;
		if (cqe->status == PTO_DEV_PROGRAM || cqe->status == PTO_DEV_TIMEOUT)
			run->detail = cqe->detail;
	}
	if (unlikely(report)) {
		struct pto_run_report *copy = &r->reports[seq % PTO_DEV_REPORTS];

		copy->seq = seq;
		copy->task = report->task;
		copy->func_id = report->func_id;
		copy->core = report->core;
		memcpy(copy->text, report->text, sizeof(copy->text));
	}
	WRITE_ONCE(r->completed, seq);
}

/** pto_runs_use() - does a run in flight use the arena? The queue's lock is held */
bool pto_runs_use(const struct pto_runs *r, u32 arena)
{
	u64 n;

	for (n = r->completed; n != r->submitted; n++) {
		if (r->records[n & r->mask].arena == arena)
			return true;
	}
	return false;
}

/** pto_status_errno() - convert the status of a completion to an errno */
int pto_status_errno(u32 status)
{
	switch (status) {
	case PTO_DEV_OK:
		return 0;
	case PTO_DEV_INVALID:
		return -EINVAL;
	case PTO_DEV_NOEXEC:
		return -ENOEXEC;
	case PTO_DEV_NOMEM:
		return -ENOMEM;
	case PTO_DEV_NOSPACE:
		return -ENOSPC;
	case PTO_DEV_TIMEOUT:
		return -ETIMEDOUT;
	case PTO_DEV_ABORTED:
		return -ECANCELED;
	case PTO_DEV_PROGRAM:
		return -EREMOTEIO;
	case PTO_DEV_UNSUPPORTED:
		return -EOPNOTSUPP;
	default:
		/* PTO_DEV_FAULT, and invalid values */
		return -EIO;
	}
}
