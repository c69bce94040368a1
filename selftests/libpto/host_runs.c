// SPDX-License-Identifier: GPL-2.0
/*
 * Runs of kind HOST_GRAPH: what they compute, what their orchestrations may see, and how those
 * fail. Every test runs on both architectures.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pto/pto.h>

#include "../device/orch_host.h"
#include "pttest.h"

#define COUNT 100
#define TRIES 10000	/* runs, within which memory has been unmapped; a few are enough */

FIXTURE(host) {
	int fd;	/* only says whether there is a device */
	struct pto_context *ctx;
	struct pto_callable *callable;
	struct pto_args *args;
	struct pto_result result;
	float a[COUNT];
	float b[COUNT];
	float f[COUNT];
};

FIXTURE_VARIANT(host) {
	uint32_t arch;
};

FIXTURE_VARIANT_ADD(host, a2a3) { .arch = PTO_ARCH_A2A3 };
FIXTURE_VARIANT_ADD(host, a5) { .arch = PTO_ARCH_A5 };

FIXTURE_SETUP(host)
{
	char path[32];
	int i;

	PT_FIND(self->fd, variant->arch, path);
	ASSERT_EQ(0, pto_open(path, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_host"), &self->callable));
	ASSERT_EQ(0, pto_callable_add_kernel(self->callable, 0, PTO_CORE_AIV,
					     pt_object("kernel_add")));
	ASSERT_EQ(0, pto_callable_set_kind(self->callable, PTO_KIND_HOST_GRAPH));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	self->args = pto_args_new();
	for (i = 0; i < COUNT; i++) {
		self->a[i] = i;
		self->b[i] = 3 * i;
	}
}

FIXTURE_TEARDOWN(host)
{
	if (self->fd < 0)
		return;
	pto_args_free(self->args);
	pto_callable_free(self->callable);
	pto_close(self->ctx);
}

static int counted(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

/* a, b and f in host memory, @what, and two more scalars. */
static void set_args(FIXTURE_DATA(host) *self, uint64_t what, uint64_t one, uint64_t two)
{
	uint32_t shape[1] = { COUNT };

	pto_args_clear(self->args);
	pto_args_add_host(self->args, PTO_IN, self->a, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(self->args, PTO_IN, self->b, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(self->args, PTO_OUT, self->f, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_scalar(self->args, what);
	pto_args_add_scalar(self->args, one);
	pto_args_add_scalar(self->args, two);
}

static int run(FIXTURE_DATA(host) *self, uint64_t what, uint64_t one, uint64_t two,
	       const struct pto_ring_config *rings)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.rings = rings;
	options.user_data = 99;
	set_args(self, what, one, two);
	memset(self->f, 0x55, sizeof(self->f));
	return pto_run(self->ctx, 0, self->args, &options, &self->result);
}

/* The run must fail in its orchestration, with this code and these words. */
static void expect_fatal(struct __test_metadata *_metadata, FIXTURE_DATA(host) *self, int rc,
			 uint32_t code, const char *words)
{
	const char *text = pto_context_error(self->ctx), *hint;
	float untouched;

	memset(&untouched, 0x55, sizeof(untouched));
	EXPECT_EQ(-EREMOTEIO, rc);
	EXPECT_EQ(-EREMOTEIO, self->result.status);
	EXPECT_EQ(code, self->result.code) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(PTO_RUN_NOT_SUBMITTED, self->result.id);
	EXPECT_EQ(99, self->result.user_data);
	EXPECT_TRUE(!!strstr(text, pto_fatal_name(code)));
	EXPECT_TRUE(!!strstr(text, words)) {
		TH_LOG("%s", text);
	}
	hint = strstr(text, "; hint: ");
	ASSERT_NE(NULL, hint);
	/* A graph holds all its tasks and outputs, in whatever scopes. */
	if (code <= PTO_FATAL_DEP_POOL_OVERFLOW)
		EXPECT_EQ(NULL, strstr(hint, "scope")) {
			TH_LOG("%s", hint);
		}
	EXPECT_EQ(0, memcmp(&untouched, &self->f[0], sizeof(untouched)));
	/* The next run is as good as the first. */
	ASSERT_EQ(0, run(self, HOST_GRAPH, 0, 0, NULL));
	EXPECT_NE(PTO_RUN_NOT_SUBMITTED, self->result.id);
	EXPECT_EQ(5 * 7, self->f[7]);
}

PT_TEST_F(host, results)
{
	int i;

	ASSERT_EQ(0, run(self, HOST_GRAPH, 0, 0, NULL));
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(5 * i, self->f[i]);
	ASSERT_EQ(0, run(self, HOST_INITIAL, 0, 0, NULL));
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(i + 42, self->f[i]);
	ASSERT_EQ(0, run(self, HOST_FAN_IN, 200, 0, NULL));
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(4 * i, self->f[i]);
	EXPECT_EQ(0, run(self, HOST_MANY, 0, 0, NULL));
	EXPECT_EQ(0, self->f[0]);
}

PT_TEST_F(host, no_arguments)
{
	static const struct pto_run_options none = PTO_RUN_OPTIONS_INIT;

	struct pto_callable *empty;

	EXPECT_EQ(0, pto_callable_load(pt_object("orch_empty"), &empty));
	EXPECT_EQ(0, pto_callable_set_kind(empty, PTO_KIND_HOST_GRAPH));
	ASSERT_EQ(0, pto_prepare(self->ctx, 1, empty));
	pto_callable_free(empty);
	EXPECT_EQ(0, pto_run(self->ctx, 1, NULL, &none, &self->result));
	EXPECT_NE(0, self->result.end_ns);
}

/* --- elements ---------------------------------------------------------------------- */

PT_TEST_F(host, elements_of_host_tensors)
{
	self->a[0] = 5;
	ASSERT_EQ(0, run(self, HOST_ELEMENTS, 3, 0, NULL));
	EXPECT_EQ(8, self->f[0]);
	EXPECT_EQ(5, self->a[0]);
}

/* Memory of a buffer, first to be seen by the orchestration itself. */
PT_TEST_F(host, elements_of_buffers_follow_earlier_runs)
{
	struct pto_run_handle *handle[3];
	struct pto_buffer *buf;
	struct pto_tensor t;
	uint32_t shape[1] = { COUNT };
	float value = 1;
	int i;

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, COUNT * sizeof(float), PTO_PLACE_DEVICE, &buf));
	ASSERT_EQ(0, pto_buffer_write(buf, 0, &value, sizeof(value)));
	ASSERT_EQ(0, pto_tensor_make(&t, pto_buffer_device_addr(buf), PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_device(self->args, &t));
	ASSERT_EQ(0, pto_args_add_device(self->args, &t));
	ASSERT_EQ(0, pto_args_add_device(self->args, &t));
	/* In place: the buffer is 2a + a; then its first element is read and written here. */
	ASSERT_EQ(0, pto_args_add_scalar(self->args, HOST_GRAPH));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), 0, self->args, NULL,
					&handle[i]));
	pto_args_clear(self->args);
	ASSERT_EQ(0, pto_args_add_device(self->args, &t));
	ASSERT_EQ(0, pto_args_add_scalar(self->args, HOST_ELEMENTS));
	ASSERT_EQ(0, pto_args_add_scalar(self->args, 100));
	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), 0, self->args, NULL, &handle[2]));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pto_wait(handle[i], PTO_FOREVER, NULL));
	ASSERT_EQ(0, pto_buffer_read(buf, 0, &value, sizeof(value)));
	EXPECT_EQ(109, value);
	pto_buffer_free(buf);
}

PT_TEST_F(host, elements_that_tasks_use)
{
	expect_fatal(_metadata, self, run(self, HOST_PRODUCED, 0, 0, NULL),
		     PTO_FATAL_INVALID_ARGS, "cannot get an element that this task of the graph");
	expect_fatal(_metadata, self, run(self, HOST_USED, 0, 0, NULL),
		     PTO_FATAL_INVALID_ARGS, "cannot set an element that this task of the graph");
}

PT_TEST_F(host, elements_that_the_host_does_not_see)
{
	expect_fatal(_metadata, self, run(self, HOST_ALLOCATED, 0, 0, NULL),
		     PTO_FATAL_INVALID_ARGS, "exists on the device only");
	expect_fatal(_metadata, self, run(self, HOST_UNSEEN, 0, 0, NULL),
		     PTO_FATAL_INVALID_ARGS, "does not see address 0x1000");
}

/* --- memory that is nobody's ------------------------------------------------------------ */

/* Both kinds of callable, with another kernel. */
static int prepare_kind(FIXTURE_DATA(host) *self, uint32_t kind)
{
	if (pto_unprepare(self->ctx, 0) || pto_callable_set_kind(self->callable, kind))
		return -1;
	if (kind == PTO_KIND_DEVICE_ORCH &&
	    pto_callable_add_kernel(self->callable, 1, PTO_CORE_AIV, pt_object("kernel_word")))
		return -1;
	return pto_prepare(self->ctx, 0, self->callable);
}

/* The run fails because of this address, and the next one is as good as the first. */
static void expect_nobodys(struct __test_metadata *_metadata, FIXTURE_DATA(host) *self, int rc,
			   uint32_t code, const char *what, uint64_t addr)
{
	const char *text = pto_context_error(self->ctx);
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "0x%llx", (unsigned long long)addr);
	EXPECT_EQ(-EREMOTEIO, rc) {
		TH_LOG("%s: %s", what, text);
	}
	EXPECT_EQ(code, self->result.code) {
		TH_LOG("%s: %s", what, text);
	}
	EXPECT_TRUE(!!strstr(text, wanted)) {
		TH_LOG("%s: %s", what, text);
	}
	EXPECT_EQ(0, run(self, HOST_GRAPH, 0, 0, NULL));
	EXPECT_EQ(5 * 7, self->f[7]);
}

/* One rule for both kinds: memory that is not the context's is an invalid argument. */
PT_TEST_F(host, memory_that_is_nobodys)
{
	static const struct {
		uint32_t how;
		const char *what;
	} accesses[] = {
		{ HOST_UNSEEN, "an element" },
		{ HOST_UNSEEN_SET, "an element that is set" },
		{ HOST_UNSEEN_TASK, "an argument" },
		{ HOST_UNSEEN_PREDICATE, "a predicate" },
		{ HOST_OWNED, "an element of a task" },
		{ HOST_OWNED_SET, "an element of a task that is set" },
		{ HOST_OWNED_TASK, "an argument of a task" },
		{ HOST_OWNED_PREDICATE, "a predicate of a task" },
	};
	uint32_t kind, i;

	for (kind = PTO_KIND_DEVICE_ORCH; kind <= PTO_KIND_HOST_GRAPH; kind++) {
		ASSERT_EQ(0, prepare_kind(self, kind));
		for (i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
			expect_nobodys(_metadata, self, run(self, accesses[i].how, 0, 0, NULL),
				       PTO_FATAL_INVALID_ARGS, accesses[i].what, HOST_NOBODYS);
		EXPECT_EQ(-EREMOTEIO, run(self, HOST_OWNED_LARGE, 0, 0, NULL));
		EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->result.code);
		EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "1099511627776 bytes")) {
			TH_LOG("%s", pto_context_error(self->ctx));
		}
	}
}

static const char * const calls[] = {
	[WORD_EXPECT] = "a counter", [WORD_WAIT] = "pto_wait_ge()", [WORD_NOTIFY] = "pto_notify()",
};

/* Words that a kernel names are the context's, or static data of the callable. */
PT_TEST_F(host, words_that_are_nobodys)
{
	static uint32_t own;
	const uint64_t nobodys[] = { HOST_NOBODYS, (uintptr_t)&own };
	uint32_t kind, call, value, i;

	for (kind = PTO_KIND_DEVICE_ORCH; kind <= PTO_KIND_HOST_GRAPH; kind++) {
		ASSERT_EQ(0, prepare_kind(self, kind));
		for (call = WORD_EXPECT; call <= WORD_NOTIFY; call++) {
			for (i = 0; i < 2; i++)
				expect_nobodys(_metadata, self,
					       run(self, HOST_WORD, call, nobodys[i], NULL),
					       call ? PTO_FATAL_INVALID_ARGS :
						      PTO_FATAL_ASYNC_COMPLETION_INVALID,
					       calls[call], nobodys[i]);
			for (i = WORD_STATIC; i <= WORD_TENSOR; i++) {
				EXPECT_EQ(0, run(self, HOST_WORD, call, i, NULL)) {
					TH_LOG("%s: %s", calls[call],
					       pto_context_error(self->ctx));
				}
				memcpy(&value, &self->f[0], sizeof(value));
				EXPECT_EQ(1, value);
			}
			/* The orchestration of a host graph is not on the device. */
			EXPECT_EQ(kind == PTO_KIND_HOST_GRAPH ? -EREMOTEIO : 0,
				  run(self, HOST_WORD, call, WORD_ORCH, NULL));
		}
	}
	EXPECT_EQ(0, own);
}

/* What was the context's in one run need not be so in the next. */
PT_TEST_F(host, memory_that_was_the_contexts)
{
	static const uint32_t how[] = { HOST_AT, HOST_AT_TASK, HOST_AT_PREDICATE };
	static const char * const names[] = { "an element", "an argument", "a predicate" };
	uint32_t kind, first, i;
	struct pto_buffer *buf;
	uint64_t addr;

	for (kind = PTO_KIND_DEVICE_ORCH; kind <= PTO_KIND_HOST_GRAPH; kind++) {
		ASSERT_EQ(0, prepare_kind(self, kind));
		ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 1 << 20, PTO_PLACE_DEVICE, &buf));
		addr = pto_buffer_device_addr(buf);
		for (i = 0; i < sizeof(how) / sizeof(how[0]); i++)
			EXPECT_EQ(0, run(self, how[i], addr, 0, NULL));
		for (i = WORD_EXPECT; i <= WORD_NOTIFY; i++)
			EXPECT_EQ(0, run(self, HOST_WORD, i, addr, NULL));
		/* The last that the device has looked at */
		EXPECT_EQ(0, run(self, HOST_AT, addr, 0, NULL));
		pto_buffer_free(buf);
		/* A free does not wait for the device, which unmaps the memory after the runs. */
		first = kind == PTO_KIND_DEVICE_ORCH ? HOST_AT : HOST_AT_TASK;
		for (i = 0; i < TRIES && !run(self, first, addr, 0, NULL); i++)
			sched_yield();
		for (i = 0; i < sizeof(how) / sizeof(how[0]); i++)
			expect_nobodys(_metadata, self, run(self, how[i], addr, 0, NULL),
				       PTO_FATAL_INVALID_ARGS, names[how[i] - HOST_AT], addr);
		for (i = WORD_EXPECT; i <= WORD_NOTIFY; i++)
			expect_nobodys(_metadata, self, run(self, HOST_WORD, i, addr, NULL),
				       i ? PTO_FATAL_INVALID_ARGS :
					   PTO_FATAL_ASYNC_COMPLETION_INVALID, calls[i], addr);
	}
}

/* --- graphs that do not fit ----------------------------------------------------------- */

PT_TEST_F(host, task_window)
{
	struct pto_ring_config rings = { .task_window = { 64 } };

	EXPECT_EQ(0, run(self, HOST_MANY, 63, 0, &rings));
	expect_fatal(_metadata, self, run(self, HOST_MANY, 64, 0, &rings),
		     PTO_FATAL_FLOW_CONTROL_DEADLOCK, "ring 0: 63/64 tasks");
	rings.task_window[0] = 4;
	EXPECT_EQ(0, run(self, HOST_MANY, 3, 0, &rings));
	/* A graph that is larger than those before. */
	rings.task_window[0] = 32768;
	EXPECT_EQ(0, run(self, HOST_MANY, 32767, 0, &rings));
	EXPECT_EQ(0, run(self, HOST_MANY, 16383, 0, NULL));
	expect_fatal(_metadata, self, run(self, HOST_MANY, 16384, 0, NULL),
		     PTO_FATAL_FLOW_CONTROL_DEADLOCK, "held by the graph");
	rings.task_window[0] = 5;
	EXPECT_EQ(-EINVAL, run(self, HOST_MANY, 1, 0, &rings));
	EXPECT_EQ(0, self->result.id);
}

PT_TEST_F(host, heap)
{
	struct pto_ring_config rings = { .heap = { 16384 } };

	EXPECT_EQ(0, run(self, HOST_MANY, 16, 1000, &rings));
	expect_fatal(_metadata, self, run(self, HOST_MANY, 17, 1000, &rings),
		     PTO_FATAL_HEAP_RING_DEADLOCK, "16/16 KiB");
	expect_fatal(_metadata, self, run(self, HOST_MANY, 1, 20000, &rings),
		     PTO_FATAL_HEAP_RING_DEADLOCK, "20480 bytes in a heap of 16384");
}

PT_TEST_F(host, dep_pool)
{
	struct pto_ring_config rings = { .dep_pool = { 4 } };

	EXPECT_EQ(0, run(self, HOST_FAN_IN, 68, 0, &rings));
	expect_fatal(_metadata, self, run(self, HOST_FAN_IN, 69, 0, &rings),
		     PTO_FATAL_DEP_POOL_OVERFLOW, "a pool of 4");
}

/* A scope that holds as many tasks as there are slots. */
PT_TEST_F(host, scope)
{
	struct pto_ring_config rings = { .task_window = { 64 } };

	expect_fatal(_metadata, self, run(self, HOST_SCOPED, 64, 0, &rings),
		     PTO_FATAL_SCOPE_DEADLOCK, "one scope holds 63 tasks, window of 64");
}

/* --- failures -------------------------------------------------------------------------- */

PT_TEST_F(host, fatal_errors)
{
	expect_fatal(_metadata, self, run(self, HOST_FATAL, 0, 0, NULL), PTO_FATAL_EXPLICIT,
		     "number 4711");
	expect_fatal(_metadata, self, run(self, HOST_OPEN_SCOPE, 0, 0, NULL),
		     PTO_FATAL_INVALID_ARGS, "1 open scopes");
}

/* The same through a handle; nobody has to wait for what ran before it. */
PT_TEST_F(host, fatal_error_of_a_submitted_run)
{
	struct pto_stream *stream = pto_default_stream(self->ctx);
	struct pto_run_handle *good, *bad;

	set_args(self, HOST_GRAPH, 0, 0);
	ASSERT_EQ(0, pto_submit(stream, 0, self->args, NULL, &good));
	set_args(self, HOST_FATAL, 0, 0);
	ASSERT_EQ(0, pto_submit(stream, 0, self->args, NULL, &bad));
	ASSERT_EQ(0, pto_submit(stream, 0, self->args, NULL, NULL));
	EXPECT_EQ(-EREMOTEIO, pto_wait(bad, 0, &self->result));
	EXPECT_EQ(PTO_FATAL_EXPLICIT, self->result.code);
	EXPECT_EQ(PTO_RUN_NOT_SUBMITTED, self->result.id);
	EXPECT_EQ(0, pto_wait(good, PTO_FOREVER, &self->result));
	EXPECT_EQ(5, self->f[1]);
}

PT_TEST_F(host, wrong_number_of_arguments)
{
	struct pto_callable *vec;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_vec"), &vec));
	ASSERT_EQ(0, pto_callable_set_kind(vec, PTO_KIND_HOST_GRAPH));
	ASSERT_EQ(0, pto_prepare(self->ctx, 1, vec));
	set_args(self, 0, 0, 0);
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, 1, self->args, NULL, &self->result));
	EXPECT_EQ(PTO_RUN_NOT_SUBMITTED, self->result.id);
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "expects 3 arguments"));
	pto_callable_free(vec);
}

/* orch_vec submits func_id 0, which this callable does not have. */
PT_TEST_F(host, missing_kernel)
{
	uint32_t shape[1] = { COUNT };
	struct pto_callable *vec;
	int i;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_vec"), &vec));
	ASSERT_EQ(0, pto_callable_set_kind(vec, PTO_KIND_HOST_GRAPH));
	ASSERT_EQ(0, pto_prepare(self->ctx, 1, vec));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pto_args_add_host(self->args, PTO_INOUT, self->f, PTO_DTYPE_FLOAT32,
					       1, shape));
	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, 1, self->args, NULL, &self->result));
	EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->result.code);
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "no kernel of func_id 0"));
	pto_callable_free(vec);
}

/* --- several at once --------------------------------------------------------------------- */

struct job {
	struct pto_context *ctx;
	struct pto_args *args;
	int rc;
};

static void *run_job(void *arg)
{
	struct job *job = arg;

	job->rc = pto_run(job->ctx, 0, job->args, NULL, NULL);
	return NULL;
}

/* The orchestration stays loaded as long as a thread executes it. */
PT_TEST_F(host, unprepare_while_the_orchestration_runs)
{
	struct job job = { .ctx = self->ctx, .args = self->args };
	int unloads = counted(HOST_UNLOADS);
	int words[2] = { 0 };
	pthread_t thread;

	ASSERT_EQ(0, pto_args_add_scalar(self->args, HOST_GATE));
	ASSERT_EQ(0, pto_args_add_scalar(self->args, (uintptr_t)words));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_job, &job));
	while (!__atomic_load_n(&words[0], __ATOMIC_ACQUIRE))
		pt_pause();
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	EXPECT_EQ(unloads, counted(HOST_UNLOADS));
	__atomic_store_n(&words[1], 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(unloads + 1, counted(HOST_UNLOADS));
	/* Its graph is not executed by what has moved in. */
	EXPECT_EQ(-ENOENT, job.rc);
	set_args(self, HOST_GRAPH, 0, 0);
	EXPECT_EQ(0, pto_run(self->ctx, 0, self->args, NULL, NULL));
}

#define RUNS 300

/* More runs in flight than fit, of graphs of changing size, on two streams. */
PT_TEST_F(host, many_runs_in_flight)
{
	struct pto_stream *stream[2] = { pto_default_stream(self->ctx) };
	struct pto_run_handle *handle[RUNS];
	int i;

	ASSERT_EQ(0, pto_stream_create(self->ctx, &stream[1]));
	for (i = 0; i < RUNS; i++) {
		set_args(self, i % 3 ? HOST_FAN_IN : HOST_GRAPH, i * 7 % 400 + 1, 0);
		ASSERT_EQ(0, pto_submit(stream[i % 2], 0, self->args, NULL, &handle[i])) {
			TH_LOG("%d: %s", i, pto_context_error(self->ctx));
		}
	}
	for (i = 0; i < RUNS; i++) {
		memset(self->f, 0, sizeof(self->f));
		ASSERT_EQ(0, pto_wait(handle[i], PTO_FOREVER, NULL));
	}
	EXPECT_EQ(0, pto_stream_destroy(stream[1]));
}

TEST_HARNESS_MAIN
