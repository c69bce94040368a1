// SPDX-License-Identifier: GPL-2.0
/*
 * Orchestrations of kind HOST_GRAPH on a driver of the test's making: how they are loaded, what
 * they may look at, and that a graph depends on nothing but its run.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <pto/pto.h>

#include "../device/orch_host.h"
#include "pttest.h"
#include "fence.h"
#include "rehearsal.h"

#define COUNT	100u
#define PAGE	4096u
#define BYTES	(1u << 20)

/* --- what the library calls ------------------------------------------------------------ */

static int seals;		/* of the object that was loaded last */
static size_t write_most;	/* bytes that a write() takes; 0: all */

__attribute__((visibility("default"))) void *dlopen(const char *path, int flags)
{
	static void *(*next)(const char *path, int flags);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (!next)
		next = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
	seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
	if (fd >= 0)
		close(fd);
	return next(path, flags);
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t size)
{
	static ssize_t (*next)(int fd, const void *data, size_t size);

	if (!next)
		next = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
	return next(fd, data, write_most && size > write_most ? write_most : size);
}

/* --- a context ------------------------------------------------------------------------- */

FIXTURE(graphs) {
	struct pto_context *ctx;
	struct pto_callable *callable;
	struct pto_args *args;
	struct pto_result result;
};

static char graph[BYTES];	/* of the latest run */
static uint32_t graph_size;
static float a[COUNT], b[COUNT], f[COUNT];

static void take_graph(const struct pto_run_entry *entry)
{
	const void *bytes = rehearsal_memory(entry->graph_bo, entry->graph_offset,
					     entry->graph_size);

	graph_size = bytes && entry->graph_size <= BYTES ? entry->graph_size : 0;
	memcpy(graph, bytes, graph_size);
}

FIXTURE_SETUP(graphs)
{
	seals = 0;
	write_most = 0;
	rehearsal_begin();
	rehearsal.on_run = take_graph;
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_host"), &self->callable));
	ASSERT_EQ(0, pto_callable_add_kernel(self->callable, 0, PTO_CORE_AIV,
					     pt_object("kernel_add")));
	ASSERT_EQ(0, pto_callable_set_kind(self->callable, PTO_KIND_HOST_GRAPH));
	fence_begin();
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	fence_end();
	self->args = pto_args_new();
}

FIXTURE_TEARDOWN(graphs)
{
	pto_args_free(self->args);
	pto_callable_free(self->callable);
	pto_close(self->ctx);
}

static void set_args(FIXTURE_DATA(graphs) *self, uint64_t what, uint64_t one, uint64_t two)
{
	uint32_t shape[1] = { COUNT };

	pto_args_clear(self->args);
	pto_args_add_host(self->args, PTO_IN, a, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(self->args, PTO_IN, b, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(self->args, PTO_OUT, f, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_scalar(self->args, what);
	pto_args_add_scalar(self->args, one);
	pto_args_add_scalar(self->args, two);
}

static int run(FIXTURE_DATA(graphs) *self, uint64_t what, uint64_t one, uint64_t two)
{
	set_args(self, what, one, two);
	return pto_run(self->ctx, 0, self->args, NULL, &self->result);
}

/* --- loading ----------------------------------------------------------------------------- */

TEST_F(graphs, object_cannot_be_changed)
{
	EXPECT_EQ(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW,
		  seals & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
}

TEST_F(graphs, object_is_written_piece_by_piece)
{
	write_most = 1000;
	EXPECT_EQ(0, pto_prepare(self->ctx, 1, self->callable));
	write_most = 0;
	EXPECT_EQ(0, run(self, HOST_GRAPH, 0, 0));
}

/* Only what the object itself defines. */
TEST_F(graphs, symbols_of_libraries_are_none)
{
	static const char *const entry = "aicpu_orchestration_entry";

	EXPECT_EQ(0, pto_callable_set_symbols(self->callable, "setenv", NULL));
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx, 1, self->callable));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "its entry \"setenv\""));
	EXPECT_EQ(0, pto_callable_set_symbols(self->callable, entry, "setenv"));
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx, 1, self->callable));
	EXPECT_EQ(0, pto_callable_set_symbols(self->callable, entry, "nowhere"));
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx, 1, self->callable));
	EXPECT_EQ(0, pto_callable_set_symbols(self->callable, NULL, "nowhere"));
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx, 1, self->callable));
	EXPECT_EQ(0, pto_callable_set_symbols(self->callable, entry, NULL));
	EXPECT_EQ(0, pto_prepare(self->ctx, 1, self->callable));
}

static struct pto_callable *other;
static struct pto_context *context;

/* While one thread empties a cid another one has already emptied it and filled it again. */
static int refill(unsigned long nr, void *arg)
{
	struct pto_ioc_unprepare again = { .size = sizeof(again) };

	if (nr != PTO_UNPREPARE || !other)
		return 0;
	rehearsal.refuse = NULL;
	ioctl(pto_context_fd(context), PTO_UNPREPARE, &again);
	pto_prepare(context, 0, other);
	return 0;
}

static int counted(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

TEST_F(graphs, refilled_while_it_is_emptied)
{
	int loads = counted(HOST_LOADS), unloads = counted(HOST_UNLOADS);

	other = self->callable;
	context = self->ctx;
	rehearsal.refuse = refill;
	fence_begin();
	EXPECT_EQ(0, pto_unprepare(self->ctx, 0));
	fence_end();
	/* The old one is gone, and the new one is there. */
	EXPECT_EQ(loads + 1, counted(HOST_LOADS));
	EXPECT_EQ(unloads + 1, counted(HOST_UNLOADS));
	EXPECT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	EXPECT_EQ(loads + 2, counted(HOST_LOADS));
	EXPECT_EQ(unloads + 2, counted(HOST_UNLOADS));
	EXPECT_EQ(0, run(self, HOST_GRAPH, 0, 0));
}

/* --- what it may look at ------------------------------------------------------------------- */

static struct pto_tensor one_float(uint64_t addr)
{
	return pt_tensor(addr, PTO_DTYPE_FLOAT32, sizeof(float), 1);
}

/* An element that is not in the buffer with all of its bytes is nowhere. */
TEST_F(graphs, elements_at_the_edges_of_buffers)
{
	struct pto_buffer *buffer;
	struct pto_tensor t;
	float *map;
	uint64_t at;

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, PAGE, PTO_PLACE_DEVICE, &buffer));
	map = pto_buffer_map(buffer);
	map[0] = 7;
	map[PAGE / sizeof(float) - 1] = 9;
	at = pto_buffer_device_addr(buffer);
	t = one_float(at);
	pto_args_add_device(self->args, &t);
	pto_args_add_scalar(self->args, HOST_ELEMENTS);
	pto_args_add_scalar(self->args, 1);
	EXPECT_EQ(0, pto_run(self->ctx, 0, self->args, NULL, NULL));
	EXPECT_EQ(8, map[0]);
	t = one_float(at + PAGE - sizeof(float));
	pto_args_clear(self->args);
	pto_args_add_device(self->args, &t);
	pto_args_add_scalar(self->args, HOST_ELEMENTS);
	pto_args_add_scalar(self->args, 1);
	EXPECT_EQ(0, pto_run(self->ctx, 0, self->args, NULL, NULL));
	EXPECT_EQ(10, map[PAGE / sizeof(float) - 1]);
	t = one_float(at + PAGE - 2);
	pto_args_clear(self->args);
	pto_args_add_device(self->args, &t);
	pto_args_add_scalar(self->args, HOST_ELEMENTS);
	pto_args_add_scalar(self->args, 1);
	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, 0, self->args, NULL, &self->result));
	EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->result.code);
}

TEST_F(graphs, tensors_of_other_runs)
{
	struct pto_tensor t = one_float(REHEARSED_BASE);

	t.owner_task = 5;
	set_args(self, HOST_GRAPH, 0, 0);
	ASSERT_EQ(0, pto_args_add_device(self->args, &t));
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, 0, self->args, NULL, &self->result));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "belongs to a task of another run"));
	EXPECT_EQ(PTO_RUN_NOT_SUBMITTED, self->result.id);
}

/* Nothing is looked up where nothing can be. */
TEST_F(graphs, functions_that_are_not_there)
{
	static const uint32_t ids[] = { 1, 2, PTO_MAX_FUNC_ID - 1, PTO_MAX_FUNC_ID, 5000, 1 << 20 };
	size_t i;

	EXPECT_EQ(0, run(self, HOST_FUNC, 0, 0));
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		fence_begin();
		EXPECT_EQ(-EREMOTEIO, run(self, HOST_FUNC, ids[i], 0));
		fence_end();
		EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->result.code);
	}
}

/* --- graphs ---------------------------------------------------------------------------------- */

/* A graph is what its orchestration makes of it, whatever graphs were made before. */
TEST_F(graphs, do_not_depend_on_earlier_ones)
{
	static const struct {
		uint64_t what;
		uint64_t one;
		uint64_t two;
	} some[] = {
		{ HOST_GRAPH, 0, 0 }, { HOST_MANY, 30, 64 }, { HOST_FAN_IN, 20, 0 },
		{ HOST_INITIAL, 0, 0 }, { HOST_GRAPH, 0, 0 }, { HOST_MANY, 7, 0 },
		{ HOST_FAN_IN, 3, 0 },
	};
	static char first[BYTES];
	struct pto_context *fresh, *used = self->ctx;
	uint32_t first_size;
	size_t i, round;

	rehearsal.devices = 3;
	for (i = 0; i < ARRAY_SIZE(some); i++) {
		/* In a context that has made none, whose memory looks the same. */
		ASSERT_EQ(0, pto_open_index(1, &fresh));
		ASSERT_EQ(0, pto_prepare(fresh, 0, self->callable));
		self->ctx = fresh;
		ASSERT_EQ(0, run(self, some[i].what, some[i].one, some[i].two));
		pto_close(fresh);
		self->ctx = used;
		ASSERT_LT(0, graph_size);
		first_size = graph_size;
		memcpy(first, graph, graph_size);
		/* And in one that has made all the others. */
		for (round = 0; round < 2; round++) {
			ASSERT_EQ(0, run(self, some[(i + 3) % 7].what, some[(i + 3) % 7].one,
					 some[(i + 3) % 7].two));
			ASSERT_EQ(0, run(self, some[i].what, some[i].one, some[i].two));
			ASSERT_EQ(first_size, graph_size);
			ASSERT_EQ(0, memcmp(first, graph, graph_size)) {
				TH_LOG("graph %zu", i);
			}
		}
	}
}

static long pages(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	long size = -1;

	if (!statm || fscanf(statm, "%ld", &size) != 1)
		abort();
	fclose(statm);
	return size;
}

/* What graphs are made in is replaced for a larger task window, and given back. */
TEST_F(graphs, larger_windows)
{
	struct pto_ring_config rings = { .task_window = { 0 } };
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_context *ctx;
	long before = 0;
	int i;

	if (!fence_here())
		SKIP(return, "a sanitizer keeps what was freed");
	rehearsal.devices = 3;
	options.rings = &rings;
	set_args(self, HOST_MANY, 10, 0);
	for (i = 0; i < 24; i++) {
		if (i == 4)
			before = pages();
		ASSERT_EQ(0, pto_open_index(1, &ctx));
		ASSERT_EQ(0, pto_prepare(ctx, 0, self->callable));
		rings.task_window[0] = 1024;
		ASSERT_EQ(0, pto_run(ctx, 0, self->args, &options, NULL));
		rings.task_window[0] = 2048;
		ASSERT_EQ(0, pto_run(ctx, 0, self->args, &options, NULL));
		pto_close(ctx);
	}
	/* Room for 1024 tasks is more than a hundred pages. */
	EXPECT_LT(pages(), before + 20 * 100);
}

/* Of a run that its orchestration fails, and that nobody waits for, nothing is kept. */
TEST_F(graphs, failing_runs_without_a_handle)
{
	struct pto_stream *stream = pto_default_stream(self->ctx);
	long before = 0;
	int i;

	if (!fence_here())
		SKIP(return, "a sanitizer has the allocator");
	set_args(self, HOST_FATAL, 0, 0);
	fence_begin();
	for (i = 0; i < 40; i++) {
		if (i == 10)
			before = fence_live();
		ASSERT_EQ(0, pto_submit(stream, 0, self->args, NULL, NULL));
	}
	EXPECT_EQ(before, fence_live());
	fence_end();
}

static int refuse_runs(unsigned long nr, void *arg)
{
	return nr == PTO_RUN ? -EPERM : 0;
}

/* The room of a graph is used again when its run has ended, or could not be submitted. */
TEST_F(graphs, make_room)
{
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, run(self, HOST_MANY, 50, 64));
		if (i == 10)
			bytes = rehearsal.buffer_bytes;
	}
	EXPECT_EQ(bytes, rehearsal.buffer_bytes);
	rehearsal.refuse = refuse_runs;
	for (i = 0; i < 300; i++)
		ASSERT_EQ(-EPERM, run(self, HOST_MANY, 50, 64));
	rehearsal.refuse = NULL;
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, run(self, HOST_MANY, 50, 64));
	EXPECT_EQ(bytes, rehearsal.buffer_bytes);
}

TEST_HARNESS_MAIN
