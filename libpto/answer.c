// SPDX-License-Identifier: MIT
/*
 * Waiting for a device that may have stopped answering.
 *
 * A device ends each run itself: when it exceeds its bound, or when it makes no progress. If a
 * result is still missing later, and there is no progress meanwhile, the device has stalled. Then
 * a synchronous call fails instead of waiting for ever.
 *
 * Deadlines use the time of the latest result as the current time, not the clock. If that is long
 * ago, the deadline is too early, and the wait is repeated.
 */
#include "pto_private.h"

#define DEFAULT_SCHED_NS	10000000000ull
#define DEFAULT_STREAM_NS	50000000000ull	/* for devices that report no default */
#define GRACE_NS		5000000000ull	/* for the device to end a run */

/* Other runs of the context may come first, so the longest scheduler time-out of all counts. */
void pto_answer_expect(struct pto_run_handle *run, const struct pto_timeouts *timeouts)
{
	struct pto_context *ctx = run->stream->ctx;
	uint64_t sched = timeouts->sched ? timeouts->sched : DEFAULT_SCHED_NS;
	uint64_t seen = __atomic_load_n(&ctx->longest_sched, __ATOMIC_RELAXED);

	while (seen < sched &&
	       !__atomic_compare_exchange_n(&ctx->longest_sched, &seen, sched, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	run->bound_ns = timeouts->stream ? timeouts->stream : ctx->info.default_timeout_ns;
	if (!run->bound_ns)
		run->bound_ns = DEFAULT_STREAM_NS;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > PTO_WAIT_FOREVER - b ? PTO_WAIT_FOREVER : a + b;
}

static uint64_t patience_with(const struct pto_run_handle *run)
{
	struct pto_context *ctx = run->stream->ctx;
	uint64_t sched = __atomic_load_n(&ctx->longest_sched, __ATOMIC_RELAXED);

	return add(run->bound_ns > sched ? run->bound_ns : sched, GRACE_NS);
}

uint64_t pto_answer_deadline(const struct pto_run_handle *run)
{
	return add(run->stream->result_ns, patience_with(run));
}

/* Has a run of the context made progress since *@progress was read? Updates *@progress. */
static bool moves(const struct pto_context *ctx, uint64_t *progress)
{
	struct pto_context_stats stats;
	uint64_t before = *progress;

	if (pto_query_fd(ctx->fd, PTO_QUERY_CONTEXT, &stats, sizeof(stats)))
		return false;
	*progress = stats.progress;
	return before != *progress;
}

int pto_reap_answer(struct pto_stream *stream, pto_reap_fn reap)
{
	const struct pto_run_handle *run = stream->oldest;
	struct pto_context *ctx = stream->ctx;
	int cid = run->cid;
	uint64_t patience = patience_with(run);
	uint64_t progress = UINT64_MAX;	/* differs from any value of a device */
	int rc;

	rc = reap(stream, pto_answer_deadline(run));
	while (rc == -ETIMEDOUT && moves(ctx, &progress))
		rc = reap(stream, pto_deadline(patience));
	if (rc == -ETIMEDOUT)
		rc = pto_fail(ctx, -ETIME,
			      "run of cid %d: the device has not answered for %llu ms, and nothing moves in the context; see pto_reset()",
			      cid, (unsigned long long)(patience / 1000000));
	return rc;
}
