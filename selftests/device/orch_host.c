// SPDX-License-Identifier: GPL-2.0
/*
 * What orchestrations of kind HOST_GRAPH may do and may not; scalar 0 says what (orch_host.h).
 * Loads and unloads are counted in the environment of the process.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <pto/orch.h>
#include "orch_host.h"

static void count(const char *name)
{
	const char *old = getenv(name);
	char text[16];

	snprintf(text, sizeof(text), "%d", old ? atoi(old) + 1 : 1);
	setenv(name, text, 1);
}

__attribute__((constructor)) static void loaded(void)
{
	count(HOST_LOADS);
}

__attribute__((destructor)) static void unloaded(void)
{
	count(HOST_UNLOADS);
}

/* b = a + a, in memory that the runtime allocates. */
static struct pto_task submit_double(struct pto_rt *rt, const struct pto_tensor *a)
{
	struct pto_create_info info = pto_create(PTO_DTYPE_FLOAT32, 1, a->shapes);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, a);
	pto_add_input(&task, a);
	pto_add_output(&task, &info);
	return pto_submit_aiv(rt, 0, &task);
}

/* f = 2a + b, in two scopes. */
static void graph(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task twice = submit_double(rt, pto_orch_tensor(args, 0));
	struct pto_task_args task;

	PTO_SCOPE(rt) {
		pto_task_args_init(&task);
		pto_add_input(&task, pto_task_output(&twice, 0));
		pto_add_input(&task, pto_orch_tensor(args, 1));
		pto_add_output_existing(&task, pto_orch_tensor(args, 2));
		pto_submit_aiv(rt, 0, &task);
	}
}

/* f = a + 42, where 42 is nothing but an initial value. */
static void initial(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create(PTO_DTYPE_FLOAT32, 1,
						 pto_orch_tensor(args, 0)->shapes);
	struct pto_task_args task;
	struct pto_task fill;

	pto_create_set_f32(&info, 42);
	fill = pto_alloc_tensors(rt, &info, 1);
	pto_task_args_init(&task);
	pto_add_input(&task, pto_orch_tensor(args, 0));
	pto_add_input(&task, pto_task_output(&fill, 0));
	pto_add_output_existing(&task, pto_orch_tensor(args, 2));
	pto_submit_aiv(rt, 0, &task);
}

/* An element of the last tensor becomes the first one of the first, plus scalar 1. */
static void elements(struct pto_rt *rt, const struct pto_orch_args *args)
{
	float value = pto_get_f32(rt, pto_orch_tensor(args, 0), 0);

	pto_set_f32(rt, pto_orch_tensor(args, args->tensor_count - 1), 0,
		    value + (float)pto_orch_scalar(args, 1));
}

/* Two words of the process whose pointer is scalar 1: it has begun, it may end. */
static void wait_for_gate(const struct pto_orch_args *args)
{
	int *words = (int *)(uintptr_t)pto_orch_scalar(args, 1);

	__atomic_store_n(&words[0], 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&words[1], __ATOMIC_ACQUIRE))
		sched_yield();
}

/* As many dummies as scalar 1 says, each with scalar 2 bytes of output. */
static void many(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT8,
						    (uint32_t)pto_orch_scalar(args, 2));
	struct pto_task_args task;
	uint64_t i;

	for (i = 0; i < pto_orch_scalar(args, 1) && !pto_is_fatal(rt); i++) {
		pto_scope_begin(rt, PTO_SCOPE_AUTO);
		pto_task_args_init(&task);
		if (info.shapes[0])
			pto_add_output(&task, &info);
		pto_submit_dummy(rt, &task);
		pto_scope_end(rt);
	}
}

/* The same in one scope. */
static void scoped(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;
	uint64_t i;

	PTO_SCOPE(rt) {
		for (i = 0; i < pto_orch_scalar(args, 1) && !pto_is_fatal(rt); i++) {
			pto_task_args_init(&task);
			pto_submit_dummy(rt, &task);
		}
	}
}

/* A task that depends on as many dummies as scalar 1 says. */
static void fan_in(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t n = (uint32_t)pto_orch_scalar(args, 1), i;
	uint64_t *ids = calloc(n, sizeof(*ids));
	struct pto_task_args task;

	for (i = 0; i < n; i++) {
		pto_task_args_init(&task);
		ids[i] = pto_submit_dummy(rt, &task).id;
	}
	pto_task_args_init(&task);
	pto_set_dependencies(&task, ids, n);
	pto_add_input(&task, pto_orch_tensor(args, 0));
	pto_add_input(&task, pto_orch_tensor(args, 1));
	pto_add_output_existing(&task, pto_orch_tensor(args, 2));
	pto_submit_aiv(rt, 0, &task);
	free(ids);
}

static void produced(struct pto_rt *rt, const struct pto_orch_args *args, int set)
{
	graph(rt, args);
	if (set)
		pto_set_f32(rt, pto_orch_tensor(args, 0), 0, 1);
	else
		pto_get_f32(rt, pto_orch_tensor(args, 2), 0);
}

static void allocated(struct pto_rt *rt)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_FLOAT32, 4);
	struct pto_task task = pto_alloc_tensors(rt, &info, 1);

	pto_set_f32(rt, pto_task_output(&task, 0), 0, 1);
}

static void submit_with(struct pto_rt *rt, const struct pto_orch_args *args,
			const struct pto_tensor *t)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, pto_orch_tensor(args, 0));
	pto_add_input(&task, t);
	pto_add_output_existing(&task, pto_orch_tensor(args, 2));
	pto_submit_aiv(rt, 0, &task);
}

/* A task that runs if an integer is not 1. */
static void submit_if(struct pto_rt *rt, const struct pto_orch_args *args,
		      const struct pto_tensor *t)
{
	struct pto_task_args task;
	uint32_t index = 0;

	pto_task_args_init(&task);
	pto_add_input(&task, pto_orch_tensor(args, 0));
	pto_add_input(&task, pto_orch_tensor(args, 1));
	pto_add_output_existing(&task, pto_orch_tensor(args, 2));
	pto_set_predicate(&task, t, 1, &index, PTO_PREDICATE_NE, 1);
	pto_submit_aiv(rt, 0, &task);
}

static struct pto_tensor external(uint64_t addr, uint8_t dtype)
{
	uint32_t shape = 4;
	struct pto_tensor t;

	pto_external(&t, addr, dtype, 1, &shape, 0, 0);
	return t;
}

static void unseen(struct pto_rt *rt, const struct pto_orch_args *args, uint64_t how)
{
	struct pto_tensor t = external(HOST_NOBODYS, PTO_DTYPE_FLOAT32);

	if (how == HOST_UNSEEN) {
		pto_get_f32(rt, &t, 0);
	} else if (how == HOST_UNSEEN_SET) {
		pto_set_f32(rt, &t, 0, 1);
	} else if (how == HOST_UNSEEN_TASK) {
		submit_with(rt, args, &t);
	} else {
		t = external(HOST_NOBODYS, PTO_DTYPE_UINT32);
		submit_if(rt, args, &t);
	}
}

/* Of a tensor that a task owns the program has changed the address, or the size. */
static void owned(struct pto_rt *rt, const struct pto_orch_args *args, uint64_t how)
{
	struct pto_create_info info = pto_create_1d(how == HOST_OWNED_PREDICATE ?
						    PTO_DTYPE_UINT32 : PTO_DTYPE_FLOAT32, 4);
	struct pto_task task = pto_alloc_tensors(rt, &info, 1);
	struct pto_tensor t = *pto_task_output(&task, 0);

	if (how == HOST_OWNED_LARGE)
		t.size = 1ULL << 40;
	else
		t.addr = HOST_NOBODYS;
	if (how == HOST_OWNED)
		pto_get_f32(rt, &t, 0);
	else if (how == HOST_OWNED_SET)
		pto_set_f32(rt, &t, 0, 1);
	else if (how == HOST_OWNED_PREDICATE)
		submit_if(rt, args, &t);
	else
		submit_with(rt, args, &t);
}

/* What is at an address that the application knows. */
static void at(struct pto_rt *rt, const struct pto_orch_args *args, uint64_t how)
{
	struct pto_tensor t = external(pto_orch_scalar(args, 1), PTO_DTYPE_UINT32);

	if (how == HOST_AT)
		pto_get_u32(rt, &t, 0);
	else if (how == HOST_AT_TASK)
		submit_with(rt, args, &t);
	else
		submit_if(rt, args, &t);
}

static void word(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint64_t addr = pto_orch_scalar(args, 2);
	struct pto_task_args task;
	static uint32_t own;

	pto_task_args_init(&task);
	pto_add_inout(&task, pto_orch_tensor(args, 2));
	pto_add_scalar(&task, pto_orch_scalar(args, 1));
	pto_add_scalar(&task, addr == WORD_ORCH ? (uint64_t)(uintptr_t)&own : addr);
	pto_submit_aiv(rt, 1, &task);
}

/* A task of whatever func_id scalar 1 says. */
static void any_func(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_submit_aiv(rt, (int32_t)pto_orch_scalar(args, 1), &task);
}

static void log_all(struct pto_rt *rt)
{
	uint32_t level;

	for (level = 0; level <= PTO_LOG_DEBUG + 1; level++)
		pto_log(rt, level, "level %u", level);
}

/* A second thread would come in while this one gives its processor away. */
static void alone(struct pto_rt *rt)
{
	static int inside;
	int i;

	if (__atomic_add_fetch(&inside, 1, __ATOMIC_ACQ_REL) != 1)
		pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "not alone");
	for (i = 0; i < 200; i++)
		sched_yield();
	__atomic_sub_fetch(&inside, 1, __ATOMIC_ACQ_REL);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	switch (pto_orch_scalar(args, 0)) {
	case HOST_GRAPH:
		graph(rt, args);
		break;
	case HOST_INITIAL:
		initial(rt, args);
		break;
	case HOST_ELEMENTS:
		elements(rt, args);
		break;
	case HOST_GATE:
		wait_for_gate(args);
		break;
	case HOST_MANY:
		many(rt, args);
		break;
	case HOST_SCOPED:
		scoped(rt, args);
		break;
	case HOST_FAN_IN:
		fan_in(rt, args);
		break;
	case HOST_PRODUCED:
		produced(rt, args, 0);
		break;
	case HOST_USED:
		produced(rt, args, 1);
		break;
	case HOST_ALLOCATED:
		allocated(rt);
		break;
	case HOST_UNSEEN:
	case HOST_UNSEEN_SET:
	case HOST_UNSEEN_TASK:
	case HOST_UNSEEN_PREDICATE:
		unseen(rt, args, pto_orch_scalar(args, 0));
		break;
	case HOST_OWNED:
	case HOST_OWNED_SET:
	case HOST_OWNED_TASK:
	case HOST_OWNED_PREDICATE:
	case HOST_OWNED_LARGE:
		owned(rt, args, pto_orch_scalar(args, 0));
		break;
	case HOST_WORD:
		word(rt, args);
		break;
	case HOST_AT:
	case HOST_AT_TASK:
	case HOST_AT_PREDICATE:
		at(rt, args, pto_orch_scalar(args, 0));
		break;
	case HOST_OPEN_SCOPE:
		pto_scope_begin(rt, PTO_SCOPE_AUTO);
		break;
	case HOST_FATAL:
		pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "number %d", 4711);
		break;
	case HOST_FUNC:
		any_func(rt, args);
		break;
	case HOST_ALONE:
		alone(rt);
		break;
	case HOST_LOG:
		log_all(rt);
		break;
	}
}
