// SPDX-License-Identifier: MIT
/*
 * Runs: submit, wait, and both at once.
 *
 * The warm path is a repeated pto_run(). It allocates nothing, and its only system call is one
 * ioctl, which submits and waits (two ioctls with a driver that lacks PTO_FEATURE_RUN_WAIT). The
 * ioctl's arguments are on the stack, handles come from the stream's pool, and the run's arguments
 * are written to memory that is mapped already.
 *
 * Runs of a stream are reaped in order: waiting for one reads the results of all before it. The
 * number of runs in flight is at most the number of results that the driver keeps, so no result is
 * lost.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pto_private.h"

#define HOLD_NS	10000000u	/* how long a call waits with the lock at most */

/* --- results ---------------------------------------------------------------- */

/* Bytes of a result before its text, which is written only when there is one to give. */
#define RESULT_HEAD	offsetof(struct pto_result, text)

static void begin_result(struct pto_result *own)
{
	memset(own, 0, RESULT_HEAD);
	pto_text_begin();
}

/* What a call ends with. @own has no text yet. */
static int give_result(struct pto_result *result, size_t size, struct pto_result *own, int rc)
{
	if (!result)
		return rc;
	if (!rc && size == sizeof(*result)) {
		memcpy(result, own, RESULT_HEAD);
		result->text[0] = '\0';
		return 0;
	}
	memset(own->text, 0, sizeof(own->text));
	pto_text_end(own->text, rc);
	pto_give(result, size, own, sizeof(*own));
	return rc;
}

/* --- waiting ---------------------------------------------------------------- */

static void copy_outputs(const struct pto_run_handle *run)
{
	for (uint32_t i = 0; i < run->output_count; i++)
		if (run->outputs[i].bytes)
			memcpy(run->outputs[i].host, run->outputs[i].staged, run->outputs[i].bytes);
}

/* Take the oldest run, which has ended, off the list. A failed run does not change its outputs. */
static void finish_oldest(struct pto_stream *stream)
{
	struct pto_run_handle *run = stream->oldest;

	stream->oldest = run->next;
	if (!stream->oldest)
		stream->newest = NULL;
	stream->flying--;
	if (!run->result.status)
		copy_outputs(run);
	pto_stage_release(&run->chunk);
	pto_stage_release(&run->graph);
	if (run->detached)
		pto_run_put(run);
	else
		run->state = PTO_RUN_ENDED;
}

/* @rc is the error of the wait. It is final: the driver has lost the run. */
static void keep_result(struct pto_run_handle *run, int rc, const struct pto_ioc_wait *wait,
			const char *log)
{
	struct pto_result *result = &run->result;

	if (rc) {
		result->status = rc;
		return;
	}
	result->status = wait->status;
	result->code = wait->code;
	result->subcode = wait->subcode;
	result->submit_ns = wait->submit_ns;
	result->start_ns = wait->start_ns;
	result->end_ns = wait->end_ns;
	result->task = wait->task;
	result->func_id = wait->func_id;
	result->core = wait->core;
	if (wait->status)
		snprintf(run->log, sizeof(run->log), "%s", log);
}

static void answer_init(struct pto_answer *answer, uint64_t deadline)
{
	answer->log[0] = '\0';
	answer->wait = (struct pto_ioc_wait) {
		.size = sizeof(answer->wait),
		.timeout_ns = deadline,
		.log_ptr = (uintptr_t)answer->log,
		.log_size = sizeof(answer->log),
	};
}

/*
 * Process the end of a wait for the oldest run, which returned @rc. Return: 0 if the run has
 * ended; -ETIMEDOUT or -EINTR.
 */
static int take_answer(struct pto_stream *stream, int rc, const struct pto_answer *answer)
{
	if (rc == -ETIMEDOUT || rc == -EINTR)
		return rc;
	keep_result(stream->oldest, rc, &answer->wait, answer->log);
	if (!rc)
		stream->result_ns = answer->wait.end_ns;
	finish_oldest(stream);
	return 0;
}

/* Wait for the oldest run once. Return: -EINTR on a signal. */
static int reap_once(struct pto_stream *stream, uint64_t deadline)
{
	struct pto_answer answer;

	answer_init(&answer, deadline);
	answer.wait.run = stream->oldest->result.id;
	return take_answer(stream, pto_ioctl_once(stream->ctx, PTO_WAIT, &answer.wait), &answer);
}

/*
 * The same without the lock while nothing comes, so that others submit and wait meanwhile. If one
 * of them has taken the result, that is as good.
 */
static int reap_open_once(struct pto_stream *stream, uint64_t deadline)
{
	const uint64_t id = stream->oldest->result.id;
	struct pto_answer answer;
	int rc;

	answer_init(&answer, deadline);
	answer.wait.run = id;
	pthread_mutex_unlock(&stream->lock);
	rc = pto_ioctl_once(stream->ctx, PTO_WAIT, &answer.wait);
	pthread_mutex_lock(&stream->lock);
	if (!stream->oldest || stream->oldest->result.id != id)
		return 0;
	return take_answer(stream, rc, &answer);
}

/* A signal does not end it. */
static int reap_with(pto_reap_fn once, struct pto_stream *stream, uint64_t deadline)
{
	int rc;

	do {
		rc = once(stream, deadline);
	} while (rc == -EINTR);
	return rc;
}

int pto_reap(struct pto_stream *stream, uint64_t deadline)
{
	return reap_with(reap_once, stream, deadline);
}

int pto_reap_open(struct pto_stream *stream, uint64_t deadline)
{
	return reap_with(reap_open_once, stream, deadline);
}

static int take_result(struct pto_run_handle *run, struct pto_result *result)
{
	int rc = run->result.status;

	memcpy(result, &run->result, RESULT_HEAD);
	if (rc)
		pto_fail_run(run->stream->ctx, run);
	pto_run_put(run);
	return rc;
}

/* The caller is a user of the stream, or has its lock: so it stays, unless this fails. */
static int check_stream(const struct pto_stream *stream)
{
	int rc;

	if (!pto_lives(&stream->state, PTO_TYPE_STREAM))
		return pto_fail_freed(stream->serial, "stream");
	rc = pto_closing(stream->ctx);
	return rc ? rc : pto_check(stream->ctx);
}

/* Sequentially consistent: either this sees that the stream goes, or that sees the user. */
static int use_stream(struct pto_stream *stream)
{
	int rc;

	__atomic_fetch_add(&stream->users, 1, __ATOMIC_SEQ_CST);
	rc = check_stream(stream);
	if (rc)
		__atomic_fetch_sub(&stream->users, 1, __ATOMIC_RELEASE);
	return rc;
}

static void leave_stream(struct pto_stream *stream)
{
	__atomic_fetch_sub(&stream->users, 1, __ATOMIC_RELEASE);
}

/*
 * Lock a stream. Whoever frees it tries the lock before, so a thread that has the lock need not
 * count as a user. A thread that waits for the lock does.
 */
static int enter_stream(struct pto_stream *stream)
{
	int rc;

	if (!stream)
		return pto_fail_nowhere(-EINVAL, "no stream");
	if (pthread_mutex_trylock(&stream->lock)) {
		rc = use_stream(stream);
		if (rc)
			return rc;
		pthread_mutex_lock(&stream->lock);
		leave_stream(stream);
	}
	rc = check_stream(stream);
	if (rc)
		pthread_mutex_unlock(&stream->lock);
	return rc;
}

/* The caller sees ETIME for a time-out of the wait, and ETIMEDOUT for one of the run. */
static int timed_out(int rc)
{
	return rc == -ETIMEDOUT ? -ETIME : rc;
}

/* Wait for the lock until @deadline. */
static int lock_stream(struct pto_stream *stream, uint64_t deadline)
{
	struct timespec ts = {
		.tv_sec = deadline / 1000000000u,
		.tv_nsec = deadline % 1000000000u,
	};

	if (deadline == PTO_WAIT_FOREVER)
		return -pthread_mutex_lock(&stream->lock);
	if (!pthread_mutex_trylock(&stream->lock))
		return 0;
	if (!pthread_mutex_clocklock(&stream->lock, CLOCK_MONOTONIC, &ts))
		return 0;
	return pto_fail(stream->ctx, -ETIME, "another thread uses stream %u", stream->id);
}

static int used_up(const struct pto_context *ctx)
{
	return pto_fail(ctx, -EBADF, "the run handle has been waited for already");
}

/* The handle may be used up whenever another thread has had the lock. */
static int wait_locked(const struct pto_run_handle *handle, struct pto_run_handle *run,
		       uint64_t deadline, struct pto_result *result)
{
	struct pto_context *ctx = run->stream->ctx;
	int rc = 0;

	if (!pto_handle_is(handle, run))
		return used_up(ctx);
	while (!rc && run->state == PTO_RUN_FLYING) {
		rc = reap_open_once(run->stream, deadline);
		if (!pto_handle_is(handle, run))
			return used_up(ctx);
	}
	rc = timed_out(rc);
	if (rc)
		return pto_fail(ctx, rc, "run of cid %d has not ended yet: %s", run->cid,
				pto_errno_name(rc));
	rc = pto_closing(ctx);
	return rc ? rc : take_result(run, result);
}

/* The caller holds the handle: the run, its stream and its context are not freed. */
static int wait_held(const struct pto_run_handle *handle, struct pto_run_handle *run,
		     uint64_t timeout_ns, struct pto_result *result)
{
	struct pto_stream *stream = run->stream;
	uint64_t deadline = pto_deadline(timeout_ns);
	int rc = check_stream(stream);

	if (!rc)
		rc = lock_stream(stream, deadline);
	if (rc)
		return rc;
	rc = wait_locked(handle, run, deadline, result);
	pthread_mutex_unlock(&stream->lock);
	return rc;
}

static int wait_handle(struct pto_run_handle *handle, uint64_t timeout_ns,
		       struct pto_result *result)
{
	struct pto_run_handle *run;
	uint32_t slot;
	int rc;

	if (!handle)
		return pto_fail_nowhere(-EINVAL, "no run handle");
	run = pto_handle_hold(handle);
	if (!run)
		return pto_fail_nowhere(-EBADF,
					"the run handle has been waited for already, or its stream or context is no more");
	slot = run->slot;
	rc = wait_held(handle, run, timeout_ns, result);
	pto_handle_let_go(slot);
	return rc;
}

PTO_API int pto_wait_sized(struct pto_run_handle *handle, uint64_t timeout_ns,
			   struct pto_result *result, size_t size)
{
	struct pto_result own;

	begin_result(&own);
	return give_result(result, size, &own, wait_handle(handle, timeout_ns, &own));
}

/* Runs that others submit meanwhile come after those that this is for. */
int pto_stream_finish(struct pto_stream *stream, uint64_t timeout_ns)
{
	uint64_t deadline = pto_deadline(timeout_ns);
	int rc = lock_stream(stream, deadline);
	uint64_t last;

	if (rc)
		return rc;
	last = stream->newest ? stream->newest->result.id : 0;
	while (!rc && stream->oldest && stream->oldest->result.id <= last)
		rc = pto_reap_open(stream, deadline);
	pthread_mutex_unlock(&stream->lock);
	rc = timed_out(rc);
	if (rc)
		return pto_fail(stream->ctx, rc, "stream %u has runs in flight: %s", stream->id,
				pto_errno_name(rc));
	return pto_closing(stream->ctx);
}

PTO_API int pto_stream_wait(struct pto_stream *stream, uint64_t timeout_ns)
{
	int rc;

	if (!stream)
		return pto_fail_nowhere(-EINVAL, "no stream");
	rc = use_stream(stream);
	if (rc)
		return rc;
	rc = pto_stream_finish(stream, timeout_ns);
	leave_stream(stream);
	return rc;
}

/* --- submitting ---------------------------------------------------------------- */

/* Size of the first version. */
#define OPTIONS_MIN	(offsetof(struct pto_run_options, user_data) + sizeof(uint64_t))

/* Read the caller's options to @out and its ring sizes to @rings */
static int read_options(struct pto_context *ctx, const struct pto_run_options *in,
			struct pto_run_options *out, struct pto_ring_config *rings)
{
	int rc;

	*out = (struct pto_run_options)PTO_RUN_OPTIONS_INIT;
	if (!in)
		return 0;
	rc = pto_take(out, sizeof(*out), in, in->size, OPTIONS_MIN);
	if (rc == -EINVAL)
		return pto_fail(ctx, rc, "pto_run_options.size is %u; %zu is the least", in->size,
				OPTIONS_MIN);
	if (rc)
		return pto_fail(ctx, rc,
				"pto_run_options has fields that this library does not know");
	if (!out->rings)
		return 0;
	rc = pto_take_rings(ctx, out->rings, out->rings_size, rings);
	out->rings = rings;
	return rc;
}

static int read_timeouts(struct pto_context *ctx, const struct pto_run_options *options,
			 struct pto_timeouts *timeouts)
{
	const struct pto_timeouts own = {
		.sched = options->sched_timeout_ns,
		.op = options->op_timeout_ns,
		.stream = options->timeout_ns,
	};
	char text[300];
	int rc;

	rc = pto_timeouts_resolve(ctx, &own, timeouts, text, sizeof(text));
	return rc ? pto_fail(ctx, rc, "%s", text) : 0;
}

static int submit_failed(struct pto_context *ctx, int rc, int cid)
{
	if (rc == -ENOENT)
		return pto_fail(ctx, rc, "cid %d is not prepared", cid);
	if (rc == -EINVAL && (cid < 0 || cid >= PTO_MAX_CALLABLES))
		return pto_fail(ctx, rc, "cid %d is not in 0 to %d", cid, PTO_MAX_CALLABLES - 1);
	if (rc == -EIO)
		return pto_fail(ctx, rc,
				"run of cid %d: the context has lost its device state; see pto_reset()",
				cid);
	if (rc == -ENODEV)
		return pto_fail(ctx, rc, "run of cid %d: %s is gone", cid, ctx->path);
	if (rc == -ENOMEM)
		return pto_fail_room(ctx, "the arena of a run with the default ring sizes", 0);
	return pto_fail(ctx, rc, "submitting a run of cid %d: %s", cid, pto_errno_name(rc));
}

/* Allocate staging memory; wait for older runs if necessary. */
static int stage(struct pto_stream *stream, struct pto_staging *staging, uint64_t bytes,
		 struct pto_chunk *chunk)
{
	int rc;

	while ((rc = pto_stage_alloc(staging, bytes, chunk)) == -EAGAIN) {
		rc = pto_reap_answer(stream, pto_reap);
		if (rc)
			return rc;
	}
	return rc;
}

/* Make room for one more run in the driver's queue and in the staging memory. */
static int make_room(struct pto_stream *stream, uint64_t bytes, struct pto_chunk *chunk)
{
	int rc;

	while (stream->flying >= stream->ctx->info.stream_depth) {
		rc = pto_reap_answer(stream, pto_reap);
		if (rc)
			return rc;
	}
	return stage(stream, &stream->staging, bytes, chunk);
}

/*
 * The argument of the wait in the ioctl that submits @run. NULL if older runs are in flight,
 * because their results have to be read first. The caller holds the lock, so the wait is short.
 */
static struct pto_answer *answer_at_once(const struct pto_run_handle *run)
{
	struct pto_stream *stream = run->stream;
	uint64_t deadline, hold;

	if (!stream->answer || stream->oldest ||
	    !(stream->ctx->info.features & PTO_FEATURE_RUN_WAIT))
		return NULL;
	hold = pto_now() + HOLD_NS;
	deadline = pto_answer_deadline(run);
	answer_init(stream->answer, deadline < hold ? deadline : hold);
	return stream->answer;
}

/* The stream may be full of runs that were submitted without this library; then wait. */
static int send_run(struct pto_run_handle *run, struct pto_run_entry *entry, uint64_t *id)
{
	struct pto_stream *stream = run->stream;
	struct pto_answer *answer = answer_at_once(run);
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = stream->id,
		.count = 1,
		.stride = sizeof(*entry),
		.entries_ptr = (uintptr_t)entry,
		.wait_ptr = answer ? (uintptr_t)&answer->wait : 0,
	};
	int rc;

	while ((rc = pto_ioctl(stream->ctx, PTO_RUN, &arg)) == -EAGAIN && stream->oldest) {
		rc = pto_reap_answer(stream, pto_reap);
		if (rc)
			return rc;
	}
	*id = arg.first_id;
	if (answer && !rc)
		answer->rc = arg.wait_error;
	return rc;
}

/*
 * ENOENT has two possible reasons: the driver has evicted the arena, or the cid is not prepared.
 * The arena is then asked for again. If its id is another one, the arena had been evicted, and the
 * run is tried again. Other threads may evict it any number of times.
 */
static int send_in_arena(struct pto_run_handle *run, const struct pto_ring_config *rings,
			 struct pto_run_entry *entry, uint64_t *id)
{
	struct pto_context *ctx = run->stream->ctx;
	uint32_t tried;
	int rc, err;

	err = pto_rings_arena(ctx, rings, &entry->arena);
	if (err)
		return err;
	do {
		tried = entry->arena;
		rc = send_run(run, entry, id);
		if (rc != -ENOENT || !tried)
			break;
		pto_rings_forget(ctx, tried);
		err = pto_rings_arena(ctx, rings, &entry->arena);
		if (err)
			return err;
	} while (entry->arena != tried);
	return rc ? submit_failed(ctx, rc, entry->cid) : 0;
}

/*
 * Build the run's graph, and stage it. The arena comes first, so that the driver has accepted the
 * ring sizes. Return: 0; 1 if the orchestration failed; or a negative errno.
 */
static int add_graph(struct pto_run_handle *run, struct pto_host_orch *orch,
		     const struct pto_ring_config *rings, struct pto_run_entry *entry)
{
	struct pto_stream *stream = run->stream;
	struct pto_ring_config resolved;
	const struct pto_buffer *buffer;
	int rc;

	rc = pto_rings_arena(stream->ctx, rings, &entry->arena);
	if (rc)
		return rc;
	pto_rings_resolve(stream->ctx, rings, &resolved);
	rc = pto_graph_build(run, orch, &resolved);
	if (rc)
		return rc;
	rc = stage(stream, &stream->graphs, pto_graph_bytes(stream), &run->graph);
	if (rc)
		return rc;
	buffer = run->graph.segment->buffer;
	pto_graph_copy(stream, (char *)buffer->map + run->graph.start);
	entry->generation = orch->generation;
	entry->graph_bo = buffer->id;
	entry->graph_offset = run->graph.start;
	entry->graph_size = pto_graph_bytes(stream);
	return 0;
}

/* Set the arguments. Not used with a graph, whose tasks have theirs. */
static void add_args(const struct pto_run_handle *run, const struct pto_args *args,
		     struct pto_run_entry *entry)
{
	if (!run->chunk.segment)
		return;
	entry->args_bo = run->chunk.segment->buffer->id;
	entry->args_offset = run->chunk.start;
	entry->args_size = PTO_RUN_ARGS_SIZE(args->tensor_count, args->scalar_count);
}

/* Return: 0: the run is submitted; 1: its orchestration failed; or a negative errno. */
static int fly(struct pto_run_handle *run, const struct pto_args *args,
	       const struct pto_run_options *options, const struct pto_timeouts *timeouts,
	       struct pto_host_orch *orch)
{
	struct pto_stream *stream = run->stream;
	struct pto_run_entry entry = {
		.cid = run->cid,
		.timeout_ns = timeouts->stream,
		.user_data = options->user_data,
		.sched_timeout_ns = timeouts->sched,
		.op_timeout_ns = timeouts->op,
	};
	uint64_t id = 0;
	int rc = 0;

	run->result = (struct pto_result){
		.user_data = options->user_data,
		.task = UINT64_MAX,
		.func_id = UINT32_MAX,
		.core = UINT32_MAX,
	};
	run->graph.segment = NULL;
	rc = make_room(stream, pto_stage_size(args), &run->chunk);
	if (rc)
		return rc;
	pto_stage_fill(args, run);
	if (orch)
		rc = add_graph(run, orch, options->rings, &entry);
	else
		add_args(run, args, &entry);
	if (!rc)
		rc = send_in_arena(run, options->rings, &entry, &id);
	if (rc) {
		pto_stage_cancel(&run->graph);
		pto_stage_cancel(&run->chunk);
		return rc;
	}
	run->result.id = id;
	return 0;
}

static void append_flying(struct pto_stream *stream, struct pto_run_handle *run)
{
	run->state = PTO_RUN_FLYING;
	run->detached = false;
	if (stream->newest)
		stream->newest->next = run;
	else
		stream->oldest = run;
	stream->newest = run;
	stream->flying++;
}

/* The stream's lock is held. */
static int submit(struct pto_stream *stream, int cid, const struct pto_args *args,
		  const struct pto_run_options *options, struct pto_run_handle **out)
{
	struct pto_context *ctx = stream->ctx;
	struct pto_run_options known;
	struct pto_ring_config rings;
	struct pto_timeouts timeouts;
	struct pto_run_handle *run;
	struct pto_host_orch *orch;
	int rc;

	if (args && !pto_lives(&args->state, PTO_TYPE_ARGS))
		return pto_fail_freed(ctx->serial, "argument list");
	if (args && args->error)
		return pto_fail(ctx, args->error, "arguments: %s", args->reason);
	rc = read_options(ctx, options, &known, &rings);
	if (!rc)
		rc = read_timeouts(ctx, &known, &timeouts);
	if (rc)
		return rc;
	run = pto_run_get(stream, args ? args->output_count : 0);
	if (!run)
		return pto_fail(ctx, -ENOMEM, "out of memory for a run handle");
	run->cid = cid;
	pto_answer_expect(run, &timeouts);
	orch = pto_host_get(ctx, cid);
	rc = fly(run, args, &known, &timeouts, orch);
	pto_host_put(ctx, orch);
	if (rc < 0) {
		pto_run_put(run);
		return rc;
	}
	if (rc)
		run->state = PTO_RUN_ENDED;
	else
		append_flying(stream, run);
	*out = run;
	return 0;
}

/* Give the application a handle, or give the run up if it wants none. */
static void hand_out(struct pto_run_handle *run, struct pto_run_handle **out)
{
	run->detached = !out;
	if (out)
		*out = pto_handle_of(run);
	else if (run->state == PTO_RUN_ENDED)
		pto_run_put(run);
}

PTO_API int pto_submit(struct pto_stream *stream, int cid, const struct pto_args *args,
		       const struct pto_run_options *options, struct pto_run_handle **out)
{
	PTO_KEEP_ERRNO;
	struct pto_run_handle *run;
	int rc = enter_stream(stream);
	int closing;

	if (rc)
		return rc;
	rc = submit(stream, cid, args, options, &run);
	closing = pto_closing(stream->ctx);
	if (!rc)
		hand_out(run, closing ? NULL : out);
	pthread_mutex_unlock(&stream->lock);
	return closing ? closing : rc;
}

/*
 * The run is still in flight. Do not wait for it, nor copy its outputs, whose memory may be freed.
 */
static void give_up(struct pto_run_handle *run, int rc, struct pto_result *result)
{
	run->detached = true;
	run->output_count = 0;
	memcpy(result, &run->result, RESULT_HEAD);
	result->status = rc;
}

/*
 * Wait for a run that has just been submitted; it may have ended in the same ioctl. If the lock is
 * dropped, the handle is held first (*@held), so that pto_close() knows of the caller.
 */
static int finish(struct pto_run_handle *run, const struct pto_answer *answer,
		  struct pto_result *result, bool *held)
{
	int rc = 0;

	if (run->state == PTO_RUN_FLYING)
		take_answer(run->stream, answer->rc, answer);
	if (run->state == PTO_RUN_FLYING)
		*held = pto_handle_hold(pto_handle_of(run));
	while (!rc && run->state == PTO_RUN_FLYING)
		rc = pto_reap_answer(run->stream, pto_reap_open);
	if (!rc)
		return take_result(run, result);
	give_up(run, rc, result);
	return rc;
}

/* Closing the context has ended the run. */
static int end_closing(struct pto_result *result)
{
	result->status = -ENODEV;
	return -ENODEV;
}

static int run_and_wait(struct pto_context *ctx, int cid, const struct pto_args *args,
			const struct pto_run_options *options, struct pto_result *result)
{
	struct pto_run_handle *run;
	struct pto_stream *stream;
	struct pto_answer answer;
	bool held = false;
	uint32_t slot = 0;
	int rc;

	if (!ctx)
		return pto_fail_nowhere(-EINVAL, "no context");
	if (!pto_lives(&ctx->state, PTO_TYPE_CONTEXT))
		return pto_fail_freed(ctx->serial, "context");
	stream = ctx->default_stream;
	rc = enter_stream(stream);
	if (rc)
		return rc;
	answer.rc = -ETIMEDOUT;
	stream->answer = &answer;
	rc = submit(stream, cid, args, options, &run);
	stream->answer = NULL;
	if (!rc) {
		slot = run->slot;
		rc = finish(run, &answer, result, &held);
	}
	if (rc && pto_closing(ctx))
		rc = end_closing(result);
	pthread_mutex_unlock(&stream->lock);
	if (held)
		pto_handle_let_go(slot);
	return rc;
}

PTO_API int pto_run_sized(struct pto_context *ctx, int cid, const struct pto_args *args,
			  const struct pto_run_options *options, struct pto_result *result,
			  size_t size)
{
	PTO_KEEP_ERRNO;
	struct pto_result own;

	begin_result(&own);
	return give_result(result, size, &own, run_and_wait(ctx, cid, args, options, &own));
}
