// SPDX-License-Identifier: MIT
/*
 * Runs of kind HOST_GRAPH: the thread that submits executes the orchestration, and the tasks that
 * the orchestration submits become the run's graph.
 *
 * A stream has one builder, which is created for its first such run and kept. Its memory only
 * grows. It has an arena for the task runtime, which is reserved and touched only as far as graphs
 * need it, and the graph itself, which is copied to staging memory when its size is known. So a
 * run whose graph is not larger than an earlier one allocates nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pto_private.h"
#include "runtime/fpstate.h"
#include "runtime/runtime.h"

/**
 * struct pto_builder - builds the graphs of a stream's runs; guarded by the stream's lock
 * @rt: the task runtime; first member, see builder_of()
 * @sched: required by @rt; no task is ever published to it
 * @graph: the graph that is being built
 * @stream: the stream
 * @arena: memory of the runtime, or NULL
 * @arena_size: bytes of it
 * @window: tasks that it has room for
 * @epoch: counts the graphs, never 0
 * @orch: orchestration of the current run
 * @run: the current run
 */
struct pto_builder {
	struct pto_runtime rt;
	struct pto_sched sched;
	struct pto_graph graph;
	struct pto_stream *stream;
	void *arena;
	uint64_t arena_size;
	uint64_t window;
	uint32_t epoch;
	const struct pto_host_orch *orch;
	const struct pto_run_handle *run;
};

static struct pto_builder *builder_of(struct pto_runtime *rt)
{
	return (struct pto_builder *)rt;
}

/* --- the runtime's environment ------------------------------------------------------ */

static int env_kernel_type(struct pto_runtime *rt, uint32_t func_id)
{
	return func_id < PTO_MAX_FUNC_ID ? builder_of(rt)->orch->core_types[func_id] : -1;
}

static bool env_room(struct pto_runtime *rt, uint64_t bytes)
{
	struct pto_graph *graph = &builder_of(rt)->graph;
	uint64_t room = graph->room ? graph->room : 4096;
	void *data;

	while (room < bytes)
		room *= 2;
	data = realloc(graph->data, room);
	if (!data)
		return false;
	graph->data = data;
	graph->room = room;
	return true;
}

/* Wait for the runs that may still write to the buffer, and return its memory. */
static void *buffer_view(struct pto_stream *stream, uint64_t addr, uint64_t bytes)
{
	struct pto_context *ctx = stream->ctx;
	struct pto_buffer *buf;
	char *map;

	while (stream->oldest)
		if (pto_reap(stream, PTO_WAIT_FOREVER))
			return NULL;
	pthread_mutex_lock(&ctx->lock);
	for (buf = ctx->buffers; buf; buf = buf->next)
		if (addr >= buf->device_addr && addr - buf->device_addr < buf->size &&
		    bytes <= buf->size - (addr - buf->device_addr))
			break;
	pthread_mutex_unlock(&ctx->lock);
	map = buf ? pto_buffer_map(buf) : NULL;
	return map ? map + (addr - buf->device_addr) : NULL;
}

/* The run's own staged tensors, else a buffer. */
static void *env_host_view(struct pto_runtime *rt, uint64_t addr, uint64_t bytes)
{
	const struct pto_chunk *chunk = &builder_of(rt)->run->chunk;
	const struct pto_buffer *buf = chunk->segment ? chunk->segment->buffer : NULL;

	if (buf && addr >= buf->device_addr + chunk->start &&
	    addr + bytes <= buf->device_addr + chunk->end)
		return (char *)buf->map + (addr - buf->device_addr);
	return buffer_view(builder_of(rt)->stream, addr, bytes);
}

/* Like the log of the software device. */
static void log_to_stderr(uint32_t level, const char *from, const char *text)
{
	static const char * const names[] = { "error", "warn", "info", "debug" };
	const char *wanted = getenv("PTO_LOG");
	uint32_t limit = PTO_LOG_WARN;

	for (uint32_t i = 0; wanted && i < 4; i++)
		if (!strcmp(wanted, names[i]))
			limit = i;
	if (level <= limit && level < 4 && !(wanted && !strcmp(wanted, "none")))
		fprintf(stderr, "pto: %s: %s: %s\n", from, names[level], text);
}

void pto_log_line(struct pto_context *ctx, uint32_t level, const char *from, const char *text)
{
	pto_log_fn log;
	void *arg;

	pthread_mutex_lock(&ctx->lock);
	log = ctx->log;
	arg = ctx->log_arg;
	pthread_mutex_unlock(&ctx->lock);
	if (log)
		log(level, text, arg);
	else
		log_to_stderr(level, from, text);
}

static void env_log(struct pto_runtime *rt, uint32_t level, const char *text)
{
	pto_log_line(builder_of(rt)->stream->ctx, level, "program", text);
}

static const struct pto_rt_env builder_env = {
	.kernel_type = env_kernel_type,
	.format = vsnprintf,
	.log = env_log,
	.room = env_room,
	.host_view = env_host_view,
};

/* --- builders ----------------------------------------------------------------------- */

static int make_arena(struct pto_builder *b, const struct pto_graph_limits *limits)
{
	struct pto_dev_arena_plan plan;
	struct pto_arena image;
	void *arena;
	int rc;

	pto_graph_plan(limits, &plan);
	rc = pto_arena_plan(&plan);
	if (rc)
		return rc;
	arena = mmap(NULL, plan.arena_size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		return -ENOMEM;
	pto_arena_build(&plan, &image);
	rc = pto_arena_bind(arena, plan.arena_size, &image, sizeof(image));
	if (rc) {
		munmap(arena, plan.arena_size);
		return rc;
	}
	if (b->arena)
		munmap(b->arena, b->arena_size);
	b->arena = arena;
	b->arena_size = plan.arena_size;
	b->window = limits->window;
	b->epoch = 0;
	return 0;
}

/* The stream's builder, with an arena for graphs within @limits; NULL without memory. */
static struct pto_builder *get_builder(struct pto_stream *stream,
				       const struct pto_graph_limits *limits)
{
	struct pto_builder *b = stream->builder;

	if (!b) {
		b = aligned_alloc(_Alignof(struct pto_builder), sizeof(*b));
		if (!b)
			return NULL;
		memset(b, 0, sizeof(*b));
		b->stream = stream;
		pto_sched_init(&b->sched, NULL, 0, UINT32_MAX);
		pto_runtime_init(&b->rt, &builder_env, &b->sched, stream->ctx->info.arch,
				 stream->ctx->info.cluster_count);
		stream->builder = b;
	}
	if (b->window < limits->window && make_arena(b, limits))
		return NULL;
	return b;
}

void pto_graph_drop(struct pto_stream *stream)
{
	struct pto_builder *b = stream->builder;

	if (!b)
		return;
	if (b->arena)
		munmap(b->arena, b->arena_size);
	free(b->graph.data);
	free(b);
	stream->builder = NULL;
}

/* --- a run --------------------------------------------------------------------------- */

/* The arguments of the entry: the block that has been staged. */
static struct pto_orch_args view_args(const struct pto_run_handle *run)
{
	struct pto_orch_args view = { .size = sizeof(view) };
	const struct pto_run_args *block;

	if (!run->chunk.segment)
		return view;
	block = (const struct pto_run_args *)((const char *)run->chunk.segment->buffer->map +
					      run->chunk.start);
	view.tensor_count = block->tensor_count;
	view.scalar_count = block->scalar_count;
	view.tensors = (const struct pto_tensor *)(block + 1);
	view.scalars = (const uint64_t *)(view.tensors + view.tensor_count);
	return view;
}

/* End the run with a result like that of the device. Return: 1 */
static int end_run(struct pto_run_handle *run, int status, const struct pto_runtime *rt)
{
	run->result.id = PTO_RUN_NOT_SUBMITTED;
	run->result.status = status;
	run->result.end_ns = pto_now();
	if (rt) {
		run->result.code = pto_rt_fatal_code((struct pto_runtime *)rt);
		run->result.subcode = rt->fatal_subcode;
		run->result.task = rt->fatal_task;
		run->result.func_id = rt->fatal_func;
		snprintf(run->log, sizeof(run->log), "%s", rt->fatal_text);
	}
	return 1;
}

/* The device checks the same before it calls an entry. */
static int check_args(struct pto_run_handle *run, const struct pto_host_orch *orch,
		      const struct pto_orch_args *args)
{
	uint32_t expected;

	for (uint32_t i = 0; i < args->tensor_count; i++) {
		if (args->tensors[i].owner_task == PTO_NO_TASK)
			continue;
		snprintf(run->log, sizeof(run->log),
			 "tensor argument %u belongs to a task of another run", i);
		return end_run(run, -EINVAL, NULL);
	}
	if (!orch->config)
		return 0;
	expected = orch->config(args).expected_arg_count;
	pto_fpstate_reset();
	if (expected == args->tensor_count + args->scalar_count)
		return 0;
	snprintf(run->log, sizeof(run->log),
		 "the orchestration expects %u arguments, the run has %u tensors and %u scalars",
		 expected, args->tensor_count, args->scalar_count);
	return end_run(run, -EINVAL, NULL);
}

/* Call the orchestration, whose lock is held. */
static int build(struct pto_builder *b, struct pto_run_handle *run, struct pto_host_orch *orch,
		 const struct pto_orch_args *args, const struct pto_graph_limits *limits)
{
	int rc = check_args(run, orch, args);

	if (rc)
		return rc;
	b->orch = orch;
	b->run = run;
	b->epoch += b->epoch == UINT32_MAX ? 2 : 1;
	pto_graph_begin(&b->rt, &b->graph, b->arena, limits, b->epoch);
	orch->entry(&b->rt.rt, args);
	if (!pto_graph_end(&b->rt))
		return end_run(run, -EREMOTEIO, &b->rt);
	return 0;
}

int pto_graph_build(struct pto_run_handle *run, struct pto_host_orch *orch,
		    const struct pto_ring_config *rings)
{
	const struct pto_graph_limits limits = {
		.window = rings->task_window[0],
		.heap = rings->heap[0],
		.dep_pool = rings->dep_pool[0],
	};
	struct pto_orch_args args = view_args(run);
	struct pto_builder *b = get_builder(run->stream, &limits);
	struct pto_fpstate words;
	int rc;

	if (!b)
		return pto_fail(run->stream->ctx, -ENOMEM,
				"out of memory for graphs of up to %llu tasks",
				(unsigned long long)limits.window);
	pto_thread_tidy();
	pthread_mutex_lock(&orch->lock);
	pto_fpstate_begin(&words);
	__atomic_store_n(&run->stream->building, run->cid + 1, __ATOMIC_RELAXED);
	pto_host_code(orch->label);
	rc = build(b, run, orch, &args, &limits);
	pto_host_code(NULL);
	__atomic_store_n(&run->stream->building, 0, __ATOMIC_RELAXED);
	pto_fpstate_set(&words);
	pthread_mutex_unlock(&orch->lock);
	return rc;
}

uint64_t pto_graph_bytes(const struct pto_stream *stream)
{
	return stream->builder->graph.size;
}

void pto_graph_copy(const struct pto_stream *stream, void *to)
{
	memcpy(to, stream->builder->graph.data, stream->builder->graph.size);
}
