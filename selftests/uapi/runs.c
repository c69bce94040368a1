// SPDX-License-Identifier: GPL-2.0
/* What the fields of the stream, run and wait ioctls may say, and when they fail. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "table.h"

/* --- streams -------------------------------------------------------------------- */

static void stream_ids(struct env *env)
{
	static const uint32_t ids[] = { 0, NO_SUCH_ID, UINT32_MAX };
	struct pto_ioc_stream_destroy destroy = {
		.size = sizeof(destroy), .id = PTO_STREAM_DEFAULT,
	};
	size_t i;

	row_call(env, -EINVAL, PTO_STREAM_DESTROY, &destroy, "STREAM_DESTROY of the default");
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct pto_ioc_stream_wait wait = { .size = sizeof(wait), .id = ids[i] };

		destroy.id = ids[i];
		row_call(env, -ENOENT, PTO_STREAM_DESTROY, &destroy, "STREAM_DESTROY of 0x%x",
			 ids[i]);
		row_call(env, -ENOENT, PTO_STREAM_WAIT, &wait, "STREAM_WAIT of 0x%x", ids[i]);
	}
}

static void stream_limit(struct env *env)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	uint32_t ids[1024];
	unsigned int count = 0;
	int err = 0;

	while (count < 1024) {
		err = pt_stream_create(env->fd, &ids[count]);
		if (err)
			break;
		count++;
	}
	row(-ENOSPC, err, "STREAM_CREATE until the limit");
	row_true(count == env->info.max_streams - 1, "STREAM_CREATE reaches max_streams");
	row_call(env, -ENOSPC, PTO_STREAM_CREATE, &create, "STREAM_CREATE past the limit");
	while (count--)
		pt_stream_destroy(env->fd, ids[count]);
	row_call(env, 0, PTO_STREAM_CREATE, &create, "STREAM_CREATE after the limit");
	row(0, pt_stream_destroy(env->fd, create.id), "STREAM_DESTROY");
	row(-ENOENT, pt_stream_destroy(env->fd, create.id), "STREAM_DESTROY twice");
}

static void stream_busy(struct env *env)
{
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	struct pto_ioc_stream_wait wait = { .size = sizeof(wait) };
	uint64_t id;

	row(0, pt_stream_create(env->fd, &destroy.id), "STREAM_CREATE for a run");
	wait.id = destroy.id;
	gate_close(env);
	row(0, gate_submit(env, destroy.id, &id), "RUN on a stream");
	row_call(env, -EBUSY, PTO_STREAM_DESTROY, &destroy, "STREAM_DESTROY with a run in flight");
	row_call(env, -ETIMEDOUT, PTO_STREAM_WAIT, &wait, "STREAM_WAIT without time");
	wait.timeout_ns = pt_now() - 1;
	row_call(env, -ETIMEDOUT, PTO_STREAM_WAIT, &wait, "STREAM_WAIT until the past");
	gate_open(env, id);
	wait.timeout_ns = pt_deadline();
	row_call(env, 0, PTO_STREAM_WAIT, &wait, "STREAM_WAIT until the run has ended");
	row_call(env, 0, PTO_STREAM_DESTROY, &destroy, "STREAM_DESTROY when idle");
}

/* --- run and wait --------------------------------------------------------------- */

static void run_row(struct env *env, int want, struct pto_ioc_run run, const char *name)
{
	run.size = sizeof(run);
	if (!row_call(env, want, PTO_RUN, &run, "RUN %s", name))
		pt_finish(env->fd, run.first_id + run.accepted - 1);
}

static void entry_row(struct env *env, int want, struct pto_run_entry entry, const char *name)
{
	struct pto_ioc_run run = {
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};

	run_row(env, want, run, name);
}

static void run_values(struct env *env)
{
	struct pto_run_entry entry = { .cid = env->cid };
#define RUN(...) ((struct pto_ioc_run) { .stream = PTO_STREAM_DEFAULT, .count = 1, \
	.stride = sizeof(entry), .entries_ptr = (uintptr_t)&entry, __VA_ARGS__ })
	run_row(env, 0, RUN(.accepted = 77), "one");
	run_row(env, -ENOENT, RUN(.stream = 0), "on stream 0");
	run_row(env, -ENOENT, RUN(.stream = NO_SUCH_ID), "on no stream");
	run_row(env, -EINVAL, RUN(.count = 0), "none");
	run_row(env, -EINVAL, RUN(.count = env->info.stream_depth + 1), "more than the depth");
	run_row(env, -EINVAL, RUN(.count = UINT32_MAX), "~0");
	run_row(env, 0, RUN(.stride = 48), "with the stride of the first version");
	run_row(env, -EINVAL, RUN(.stride = 40), "with a stride too short");
	run_row(env, -EINVAL, RUN(.stride = 0), "with stride 0");
	run_row(env, -EFAULT, RUN(.entries_ptr = 0), "from NULL");
	run_row(env, -EFAULT, RUN(.entries_ptr = KERNEL_POINTER), "from kernel memory");
#undef RUN
}

static void run_entries(struct env *env)
{
	static const int bad_cids[] = { -2, -1, 64, INT_MAX, INT_MIN };
	struct pto_run_entry entry;
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(bad_cids) / sizeof(bad_cids[0]); i++) {
		snprintf(name, sizeof(name), "cid %d", bad_cids[i]);
		entry_row(env, -EINVAL, (struct pto_run_entry) { .cid = bad_cids[i] }, name);
	}
#define ENTRY(...) ((struct pto_run_entry) { .cid = env->cid, __VA_ARGS__ })
	entry = ENTRY(.generation = env->generation);
	entry_row(env, 0, entry, "this generation");
	entry_row(env, -ENOENT, ENTRY(.generation = env->generation + 1), "another generation");
	entry = (struct pto_run_entry) { .cid = 63 };
	entry_row(env, -ENOENT, entry, "an empty cid");
	entry_row(env, -EOPNOTSUPP, ENTRY(.flags = 1), "entry flag 0");
	entry_row(env, -EOPNOTSUPP, ENTRY(.flags = 1U << 31), "entry flag 31");
	entry_row(env, 0, ENTRY(.timeout_ns = UINT64_MAX, .sched_timeout_ns = UINT64_MAX,
				.op_timeout_ns = UINT64_MAX), "endless bounds");
	entry_row(env, -EINVAL, ENTRY(.graph_bo = env->bo.id, .graph_size = 64),
		  "a graph for a callable that takes none");
	entry_row(env, -EINVAL, ENTRY(.graph_offset = 64), "a graph's offset alone");
	entry_row(env, -EINVAL, ENTRY(.graph_size = 64), "a graph's size alone");
	entry_row(env, -ENOENT, ENTRY(.graph_bo = NO_SUCH_ID, .graph_size = 64),
		  "no graph buffer");
	entry_row(env, -EINVAL, ENTRY(.graph_bo = env->bo.id), "a graph of 0 bytes");
	entry_row(env, -EINVAL, ENTRY(.graph_bo = env->bo.id, .graph_offset = 32,
				      .graph_size = 64), "graph misaligned");
	entry_row(env, -EINVAL, ENTRY(.graph_bo = env->bo.id, .graph_offset = env->bo.bytes - 64,
				      .graph_size = 128), "graph over the end");
	entry_row(env, -EOVERFLOW, ENTRY(.graph_bo = env->bo.id, .graph_offset = UINT64_MAX - 63,
					 .graph_size = 64), "graph overflow");
	entry_row(env, -ENOENT, ENTRY(.args_bo = NO_SUCH_ID, .args_size = 64), "no args buffer");
	entry_row(env, -EINVAL, ENTRY(.args_size = 64), "args without a buffer");
	entry_row(env, -EINVAL, ENTRY(.args_bo = env->bo.id, .args_offset = 32, .args_size = 64),
		  "args misaligned");
	entry_row(env, -EINVAL, ENTRY(.args_bo = env->bo.id, .args_offset = env->bo.bytes,
				      .args_size = 64), "args past the end");
	entry_row(env, -EINVAL, ENTRY(.args_bo = env->bo.id, .args_offset = env->bo.bytes - 64,
				      .args_size = 128), "args over the end");
	entry_row(env, -EOVERFLOW, ENTRY(.args_bo = env->bo.id, .args_offset = UINT64_MAX - 63,
					 .args_size = 64), "args overflow");
	entry_row(env, -ENOENT, ENTRY(.arena = NO_SUCH_ID), "no arena");
#undef ENTRY
}

/* How a run of @cid ends whose graph is at the beginning of env->bo. */
static int graph_end(struct env *env, int cid, uint32_t size)
{
	struct pto_run_entry entry = { .cid = cid, .graph_bo = env->bo.id, .graph_size = size };
	uint64_t id;
	int err = pt_submit_entry(env->fd, PTO_STREAM_DEFAULT, &entry, &id);

	return err ? err : pt_finish(env->fd, id);
}

static void run_graphs(struct env *env)
{
	struct pto_dev_graph *graph = env->bo.map;
	struct pto_ioc_prepare prepare = {
		.size = sizeof(prepare), .cid = -1, .kind = PTO_KIND_HOST_GRAPH,
	};

	if (row_call(env, 0, PTO_PREPARE, &prepare, "PREPARE a host graph to run"))
		return;
	entry_row(env, -EINVAL, (struct pto_run_entry) { .cid = prepare.cid },
		  "a host graph without a graph");
	entry_row(env, -EINVAL, (struct pto_run_entry) {
			.cid = prepare.cid, .args_bo = env->bo.id, .args_size = 64,
		  }, "a host graph with arguments alone");
	*graph = (struct pto_dev_graph) {
		.magic = PTO_DEV_GRAPH_MAGIC,
		.version = PTO_DEV_GRAPH_VERSION,
		.size = sizeof(*graph),
	};
	row(0, graph_end(env, prepare.cid, sizeof(*graph)), "RUN a graph without tasks");
	row(-EREMOTEIO, graph_end(env, prepare.cid, sizeof(*graph) - 1), "RUN a cut graph");
	graph->task_count = 1;
	row(-EREMOTEIO, graph_end(env, prepare.cid, sizeof(*graph)), "RUN a graph without its task");
	graph->magic++;
	row(-EREMOTEIO, graph_end(env, prepare.cid, sizeof(*graph)), "RUN what is no graph");
	memset(graph, 0, sizeof(*graph));
	pt_unprepare(env->fd, prepare.cid);
}

static void run_arrays(struct env *env)
{
	struct {
		struct pto_run_entry entry;
		uint64_t tail[2];
	} longer[3] = {};
	struct pto_ioc_run run = {
		.stream = PTO_STREAM_DEFAULT,
		.count = 3,
		.stride = sizeof(longer[0]),
		.entries_ptr = (uintptr_t)longer,
	};
	int page = sysconf(_SC_PAGESIZE);
	struct edge edge;
	int i;

	for (i = 0; i < 3; i++)
		longer[i].entry.cid = env->cid;
	run_row(env, 0, run, "three with a longer stride");
	longer[0].tail[1] = 1ULL << 63;
	run_row(env, -E2BIG, run, "with a longer stride, garbage");

	edge_new(&edge);
	run.stride = page;
	run.count = EDGE_BYTES / page;
	run.entries_ptr = (uintptr_t)edge.start;
	for (i = 0; i < EDGE_BYTES / page; i++)
		memcpy(edge.start + i * page, &longer[1], sizeof(struct pto_run_entry));
	run_row(env, 0, run, "of a page each");
	run.stride = page + 1;
	run.count = 1;
	run_row(env, -E2BIG, run, "one byte longer than a page");
	run.stride = 1U << 30;
	run.count = env->info.stream_depth;
	run_row(env, -E2BIG, run, "of 1 GiB each");
	run.stride = UINT32_MAX;
	run_row(env, -E2BIG, run, "of 4 GiB each");
	run.stride = sizeof(struct pto_run_entry);
	run.count = 1;
	run.entries_ptr = (uintptr_t)edge.end - sizeof(struct pto_run_entry);
	memcpy(edge.end - sizeof(struct pto_run_entry), &longer[1], sizeof(struct pto_run_entry));
	run_row(env, 0, run, "up to the end of a page");
	run.entries_ptr++;
	run_row(env, -EFAULT, run, "over the end of a page");
	edge_free(&edge);
}

/* The first entries are good, then comes a bad one: those before it are accepted. */
static void run_partly(struct env *env)
{
	struct pto_run_entry entries[3] = { { .cid = env->cid }, { .cid = env->cid },
					    { .cid = 63 } };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = PTO_STREAM_DEFAULT,
		.count = 3,
		.stride = sizeof(entries[0]),
		.entries_ptr = (uintptr_t)entries,
	};

	row_call(env, 0, PTO_RUN, &run, "RUN two good and a bad one");
	row_true(run.accepted == 2, "RUN accepts two of three");
	row(0, pt_finish(env->fd, run.first_id + 1), "WAIT for the second of two");
}

static void run_depth(struct env *env)
{
	struct pto_run_entry entry = { .cid = env->cid };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	uint64_t first, last;
	uint32_t count = 1;
	int err;

	gate_close(env);
	row(0, gate_submit(env, PTO_STREAM_DEFAULT, &first), "RUN at the gate");
	last = first;
	for (;;) {
		err = pt_submit(env->fd, PTO_STREAM_DEFAULT, env->cid, NULL, 0, &last);
		if (err || count > env->info.stream_depth)
			break;
		count++;
	}
	row(-EAGAIN, err, "RUN until the stream is full");
	row_true(count == env->info.stream_depth, "RUN reaches stream_depth");
	row_call(env, -EAGAIN, PTO_RUN, &run, "RUN on a full stream");
	gate_open(env, last);
	row_call(env, 0, PTO_RUN, &run, "RUN when the stream has room");
	pt_finish(env->fd, run.first_id);
	row(-ESTALE, pt_wait(env->fd, first, NULL), "WAIT for a result that is not kept");
}

static void wait_row(struct env *env, int want, uint64_t run, uint64_t timeout, const char *name)
{
	struct pto_ioc_wait wait = { .size = sizeof(wait), .run = run, .timeout_ns = timeout };

	row_call(env, want, PTO_WAIT, &wait, "WAIT %s", name);
}

static void wait_rows(struct env *env)
{
	uint64_t id;

	wait_row(env, -ENOENT, 0, 0, "for run 0");
	wait_row(env, -ENOENT, UINT64_MAX, 0, "for run ~0");
	wait_row(env, -ENOENT, (uint64_t)PTO_STREAM_DEFAULT << 48, 0, "for the run before the first");
	gate_close(env);
	row(0, gate_submit(env, PTO_STREAM_DEFAULT, &id), "RUN to wait for");
	wait_row(env, -ENOENT, id + 1, 0, "for a run that is not yet");
	wait_row(env, -ETIMEDOUT, id, 0, "without time");
	wait_row(env, -ETIMEDOUT, id, pt_now() - 1, "until the past");
	wait_row(env, -ETIMEDOUT, id, pt_now() + 1000000, "for a millisecond");
	gate_open(env, id);
	wait_row(env, 0, id, PTO_WAIT_FOREVER, "for ever");
	wait_row(env, 0, id, 0, "without time for what has ended");
}

static void wait_results(struct env *env)
{
	struct pto_run_entry entry = { .cid = env->cid, .user_data = 0x123456789abcdef0ULL };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	struct pto_ioc_wait wait = { .size = sizeof(wait), .timeout_ns = pt_deadline() };

	row_call(env, 0, PTO_RUN, &run, "RUN with user data");
	wait.run = run.first_id;
	memset(&wait.status, 0xff, offsetof(struct pto_ioc_wait, pad) -
	       offsetof(struct pto_ioc_wait, status));
	row_call(env, 0, PTO_WAIT, &wait, "WAIT for it");
	row_true(wait.status == 0 && wait.code == 0 && wait.subcode == 0, "WAIT tells success");
	row_true(wait.user_data == entry.user_data, "WAIT hands the user data back");
	row_true(wait.submit_ns && wait.submit_ns <= wait.start_ns &&
		 wait.start_ns <= wait.end_ns && wait.end_ns <= pt_now(), "WAIT tells the times");
}

/* --- signals -------------------------------------------------------------------- */

/* A signal may come before the wait has begun, so they come until one has ended it. */
static void signal_rows(struct env *env)
{
	struct pto_ioc_stream_wait stream = { .size = sizeof(stream), .id = PTO_STREAM_DEFAULT,
					  .timeout_ns = PTO_WAIT_FOREVER };
	struct rain rain;
	uint64_t id;

	gate_close(env);
	row(0, gate_submit(env, PTO_STREAM_DEFAULT, &id), "RUN to be interrupted at");
	rain_begin(&rain, 0);
	wait_row(env, -EINTR, id, PTO_WAIT_FOREVER, "with a signal");
	row_call(env, -EINTR, PTO_STREAM_WAIT, &stream, "STREAM_WAIT with a signal");
	rain_end(&rain);
	gate_open(env, id);
}

/* --- contexts ------------------------------------------------------------------- */

static void context_limit(struct env *env)
{
	int fds[1024], count = 0, err = 0;
	char path[32];

	pt_device_path(env->info.arch, path, sizeof(path));
	while (count < 1024) {
		fds[count] = pt_open_path(path);
		if (fds[count] < 0) {
			err = fds[count];
			break;
		}
		count++;
	}
	row(-ENOSPC, err, "open until the limit");
	row_true(count == (int)env->info.max_contexts - 1, "open reaches max_contexts");
	while (count--)
		close(fds[count]);
}

void rows_of_runs(struct env *env)
{
	stream_ids(env);
	stream_limit(env);
	stream_busy(env);
	run_values(env);
	run_entries(env);
	run_graphs(env);
	run_arrays(env);
	run_partly(env);
	run_depth(env);
	wait_rows(env);
	wait_results(env);
	signal_rows(env);
	context_limit(env);
}
