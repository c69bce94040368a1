/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The runs of a queue: those in flight, and the results of the most recent ones. For the whole
 * core.
 */
#ifndef PTO_CORE_RUNS_H
#define PTO_CORE_RUNS_H

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/pto_device.h>

/**
 * struct pto_run_record - a run, from submission until its record is reused
 * @user_data: the application's
 * @submit_ns: when it was submitted
 * @start_ns: when the device began it
 * @end_ns: when the device finished it
 * @ctx_seq: its number in the context
 * @detail: fatal code, sub-class << 32
 * @status: 0 or -errno
 * @arena: id of the arena that it uses
 * @pad: fills the cache line
 */
struct pto_run_record {
	u64 user_data;
	u64 submit_ns;
	u64 start_ns;
	u64 end_ns;
	u64 ctx_seq;
	u64 detail;
	s32 status;
	u32 arena;
	u32 pad[2];
};

/**
 * struct pto_run_report - the device's explanation of a failed run
 * @seq: number of the run in its stream; 0 if there is no report
 * @task: task concerned, ~0 if none
 * @func_id: function concerned, ~0 if none
 * @core: core concerned, ~0 if none
 * @text: the explanation
 */
struct pto_run_report {
	u64 seq;
	u64 task;
	u32 func_id;
	u32 core;
	u8 text[sizeof(((struct pto_dev_report *)NULL)->text)];
};

/**
 * struct pto_runs - the runs of a queue
 * @submitted: runs accepted
 * @completed: runs that have ended; also read without the lock
 * @failed: runs that have ended with a status other than 0
 * @arena_hits: runs whose arena existed already
 * @read: number of the latest run whose result was read
 * @records: ring of 2 * queue_depth records: queue_depth for runs in flight, queue_depth for
 *	results
 * @mask: 2 * queue_depth - 1
 * @reports: reports of the latest failures, at sequence number % PTO_DEV_REPORTS
 *
 * The queue's lock protects all members without an atomic type.
 */
struct pto_runs {
	u64 submitted;
	u64 completed;
	u64 failed;
	u64 arena_hits;
	atomic64_t read;
	struct pto_run_record *records;
	u32 mask;
	struct pto_run_report *reports;
};

int pto_runs_init(struct pto_runs *r, u32 queue_depth);
void pto_runs_exit(struct pto_runs *r);
void pto_runs_complete(struct pto_runs *r, const struct pto_dev_cqe *cqe,
		       const struct pto_dev_report *report);
bool pto_runs_use(const struct pto_runs *r, u32 arena);
int pto_status_errno(u32 status);

/* The number, in the context, of the oldest run in flight; U64_MAX if there is none. */
static inline u64 pto_runs_oldest(const struct pto_runs *r)
{
	return r->submitted != r->completed ? r->records[r->completed & r->mask].ctx_seq : U64_MAX;
}

#endif /* PTO_CORE_RUNS_H */
