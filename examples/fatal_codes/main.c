// SPDX-License-Identifier: MIT
/*
 * fatal_codes: provokes every error with which a program can end its run; see orch.c. An error of
 * a program ends its run, with a code, a name and a text that says what to do. The device, the
 * context and the callable stay usable, which a good run shows each time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/example.h"
#include "cases.h"

#define MS 1000000ull
#define ELEMENTS 100000

/* Not a code: where the orchestration runs there, nothing fails, or this program hangs. */
#define NOT_THERE UINT32_MAX

enum { SPEED_FAST, SPEED_ALL };

/**
 * struct failure - what a case is run with, and how it has to end
 * @about: what is wrong
 * @number: what the orchestration is asked to do
 * @code: PTO_FATAL_*
 * @host_code: the same if the orchestration runs on the host
 * @says: what the text has to say, besides the name
 * @window: slots of each ring, 0 for the default
 * @heap: bytes of each ring, 0 for the default
 * @dep_pool: dependencies of each ring, 0 for the default
 * @sched_ms: how long nothing may move, 0 for the default
 * @op_ms: how long a kernel may run, 0 for the default
 * @slow: takes many seconds
 */
struct failure {
	const char *about;
	enum fatal_case number;
	uint32_t code;
	uint32_t host_code;
	const char *says;
	uint64_t window;
	uint64_t heap;
	uint64_t dep_pool;
	uint64_t sched_ms;
	uint64_t op_ms;
	bool slow;
};

static const struct failure failures[] = {
	{
		.about = "a scope holds more tasks than its ring has slots",
		.number = CASE_LONG_SCOPE,
		.code = PTO_FATAL_SCOPE_DEADLOCK,
		.host_code = PTO_FATAL_SCOPE_DEADLOCK,
		.says = "one scope holds 3 tasks, window of 4",
		.window = 4,
	}, {
		.about = "an output is larger than the heap",
		.number = CASE_LARGE_OUTPUT,
		.code = PTO_FATAL_HEAP_RING_DEADLOCK,
		.host_code = PTO_FATAL_HEAP_RING_DEADLOCK,
		.says = "outputs of 32768 bytes in a heap of 1024",
		.heap = 1024,
	}, {
		.about = "nested scopes hold more tasks than the ring that they share has slots",
		.number = CASE_NESTED_SCOPES,
		.code = PTO_FATAL_FLOW_CONTROL_DEADLOCK,
		.host_code = PTO_FATAL_FLOW_CONTROL_DEADLOCK,
		.says = "window is full",
		.window = 4,
	}, {
		.about = "a task has more dependencies than the pool has room for",
		.number = CASE_MANY_DEPENDENCIES,
		.code = PTO_FATAL_DEP_POOL_OVERFLOW,
		.host_code = PTO_FATAL_DEP_POOL_OVERFLOW,
		.says = "a pool of 4",
		.dep_pool = 4,
	}, {
		.about = "a call gets a wrong argument",
		.number = CASE_NULL_DEPENDENCIES,
		.code = PTO_FATAL_INVALID_ARGS,
		.host_code = PTO_FATAL_INVALID_ARGS,
		.says = "NULL",
	}, {
		.about = "more blocks shall start together than there are cores",
		.number = CASE_WIDE_SYNC_START,
		.code = PTO_FATAL_REQUIRE_SYNC_START_INVALID,
		.host_code = PTO_FATAL_REQUIRE_SYNC_START_INVALID,
		.says = "1000 blocks",
	}, {
		.about = "an element is read that a task writes which waits for ever",
		.number = CASE_READ_OF_WAITING,
		.code = PTO_FATAL_TENSOR_WAIT_TIMEOUT,
		.host_code = PTO_FATAL_INVALID_ARGS,
		.says = "waited for an element",
		.sched_ms = 30000,
		.op_ms = 35000,
		.slow = true,
	}, {
		.about = "the program itself reports an error",
		.number = CASE_REPORTED,
		.code = PTO_FATAL_EXPLICIT,
		.host_code = PTO_FATAL_EXPLICIT,
		.says = "found 3 reasons to give up",
	}, {
		.about = "more scopes are open than there can be",
		.number = CASE_DEEP_SCOPES,
		.code = PTO_FATAL_SCOPE_TASKS_OVERFLOW,
		.host_code = PTO_FATAL_SCOPE_TASKS_OVERFLOW,
		.says = "64",
	}, {
		.about = "the tasks of a graph use more regions of memory than can be told apart",
		.number = CASE_MANY_REGIONS,
		.code = NOT_THERE,
		.host_code = PTO_FATAL_TENSORMAP_OVERFLOW,
		.says = "regions are accessed",
	}, {
		.about = "a kernel hangs",
		.number = CASE_HUNG_KERNEL,
		.code = PTO_FATAL_SCHEDULER_TIMEOUT,
		.host_code = PTO_FATAL_SCHEDULER_TIMEOUT,
		.says = "a kernel has been running for 800 ms",
		.sched_ms = 400,
		.op_ms = 800,
	}, {
		.about = "a task waits for a counter that nobody raises",
		.number = CASE_WAITING_TASK,
		.code = PTO_FATAL_SCHEDULER_TIMEOUT,
		.host_code = PTO_FATAL_SCHEDULER_TIMEOUT,
		.says = "one by this task: it is 0, not 1",
		.sched_ms = 400,
		.op_ms = 800,
	}, {
		.about = "the orchestration hangs",
		.number = CASE_HUNG_ORCHESTRATION,
		.code = PTO_FATAL_SCHEDULER_TIMEOUT,
		.host_code = NOT_THERE,
		.says = "the orchestration goes on",
		.sched_ms = 400,
		.op_ms = 800,
	}, {
		.about = "a kernel registers a counter that is not aligned",
		.number = CASE_WRONG_CONDITION,
		.code = PTO_FATAL_ASYNC_COMPLETION_INVALID,
		.host_code = PTO_FATAL_ASYNC_COMPLETION_INVALID,
		.says = "NULL or not aligned",
	}, {
		.about = "a task waits for more counters than a task can",
		.number = CASE_MANY_CONDITIONS,
		.code = PTO_FATAL_ASYNC_WAIT_OVERFLOW,
		.host_code = PTO_FATAL_ASYNC_WAIT_OVERFLOW,
		.says = "more than 64 conditions",
	}, {
		.about = "tasks wait for more counters than the device can watch",
		.number = CASE_MANY_WAITING_TASKS,
		.code = PTO_FATAL_ASYNC_REGISTRATION_FAILED,
		.host_code = PTO_FATAL_ASYNC_REGISTRATION_FAILED,
		.says = "4096 conditions are awaited",
		.sched_ms = 400,
		.op_ms = 800,
	},
};

#define FAILURES (sizeof(failures) / sizeof(failures[0]))

static int run_case(struct example *ex, int cid, enum fatal_case number, float *out,
		    const struct pto_run_options *options, struct pto_result *result)
{
	struct pto_args *args = example_args(ex);
	int rc;

	example_host(ex, args, PTO_OUT, out, ELEMENTS);
	pto_args_add_scalar(args, number);
	rc = pto_run(ex->ctx, cid, args, options, result);
	pto_args_free(args);
	return rc;
}

static bool run_good(struct example *ex, int cid)
{
	static float out[ELEMENTS], want[ELEMENTS];

	for (int i = 0; i < ELEMENTS; i++) {
		out[i] = 0;
		want[i] = 42;
	}
	if (run_case(ex, cid, CASE_GOOD, out, NULL, NULL))
		example_fail(ex, "the good run: %s", pto_context_error(ex->ctx));
	return example_check(ex, "out", out, want, ELEMENTS);
}

/* Is @part in @text, once? */
static bool has_once(const char *text, const char *part)
{
	const char *found = strstr(text, part);

	return found && !strstr(found + 1, part);
}

/* Does the text have a figure, under its name, once? Not if there is none. */
static bool has_figure(const char *text, const char *name, uint64_t value, uint64_t none)
{
	char figure[64];

	snprintf(figure, sizeof(figure), ", %s%llu", name, (unsigned long long)value);
	if (!strcmp(name, "task 0x"))
		snprintf(figure, sizeof(figure), ", %s%llx", name, (unsigned long long)value);
	return value == none ? !strstr(text, name) : has_once(text, figure) && has_once(text, name);
}

/* The text says what went wrong and where, how full the rings are, and what to do: each once. */
static bool text_is_right(const struct failure *f, const struct pto_result *result,
			  const char *text)
{
	char hint[160], code[64];

	snprintf(code, sizeof(code), "code %u %s", result->code, pto_fatal_name(result->code));
	/* One for a graph that does not fit does not speak of scopes. */
	snprintf(hint, sizeof(hint), "; hint: %s", result->id == PTO_RUN_NOT_SUBMITTED &&
		 result->code <= PTO_FATAL_FLOW_CONTROL_DEADLOCK ? "use a larger " :
		 pto_fatal_hint(result->code, result->subcode));
	return has_once(text, code) && has_once(text, pto_fatal_name(result->code)) &&
	       has_once(text, f->says) && has_once(text, hint) && has_once(text, "hint") &&
	       has_figure(text, "sub-class S", result->subcode, 0) &&
	       has_figure(text, "task 0x", result->task, UINT64_MAX) &&
	       has_figure(text, "func_id ", result->func_id, UINT32_MAX) &&
	       has_figure(text, "core ", result->core, UINT32_MAX) &&
	       (has_once(text, "; no ring in use") || strstr(text, " tasks"));
}

static uint32_t expected(const struct example *ex, const struct failure *f)
{
	return ex->kind == PTO_KIND_HOST_GRAPH ? f->host_code : f->code;
}

static bool run_failure(struct example *ex, int cid, const struct failure *f)
{
	uint32_t want = expected(ex, f);
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_ring_config rings;
	static float out[ELEMENTS];
	struct pto_result result;
	const char *text;

	for (int i = 0; i < PTO_RING_DEPTHS; i++) {
		rings.task_window[i] = f->window;
		rings.heap[i] = f->heap;
		rings.dep_pool[i] = f->dep_pool;
	}
	options.rings = &rings;
	options.sched_timeout_ns = f->sched_ms * MS;
	options.op_timeout_ns = f->op_ms * MS;
	run_case(ex, cid, f->number, out, &options, &result);
	text = pto_context_error(ex->ctx);
	printf("%s\n  %s\n", f->about, text);
	if (result.code == want && text_is_right(f, &result, text))
		return true;
	fflush(stdout);
	fprintf(stderr, "fatal_codes: that should be code %u %s, with a text that says \"%s\"\n",
		want, pto_fatal_name(want), f->says);
	return false;
}

static bool applies(const struct example *ex, const struct failure *f, unsigned int speed)
{
	return expected(ex, f) != NOT_THERE && (!f->slow || speed == SPEED_ALL);
}

int main(int argc, char **argv)
{
	static const char * const speeds[] = { "fast", "all", NULL };
	struct example_choice choices[] = {
		{ 'c', "cases", "those that take no time, or all", speeds, 0 },
		{ 0 },
	};
	struct example ex = {
		.name = "fatal_codes",
		.about = "Provokes every error that a program can end its run with.",
		.repetitions = 1,
		.choices = choices,
	};
	struct pto_callable *callable;
	unsigned int count = 0;
	bool good;
	int cid;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_fill.so");
	example_kernel(&ex, callable, 1, PTO_CORE_AIC, "kernel_hang.so");
	example_kernel(&ex, callable, 2, PTO_CORE_AIV, "kernel_expect.so");
	cid = example_register(&ex, callable);
	good = run_good(&ex, cid);
	for (size_t i = 0; i < ex.repetitions * FAILURES && good; i++) {
		if (!applies(&ex, &failures[i % FAILURES], choices[0].chosen))
			continue;
		good = run_failure(&ex, cid, &failures[i % FAILURES]) && run_good(&ex, cid);
		count++;
	}
	if (good)
		printf("fatal_codes: %u errors as they should be, and a good run after each\n",
		       count);
	pto_callable_free(callable);
	pto_close(ex.ctx);
	return !good;
}
