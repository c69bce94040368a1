// SPDX-License-Identifier: MIT
/*
 * Fatal errors of a run: the first one is kept, with its figures and a hint.
 */
#include "runtime.h"

struct fatal_info {
	uint32_t code;
	const char *name;
	const char *hint;
};

static const struct fatal_info infos[] = {
	{ PTO_FATAL_SCOPE_DEADLOCK, "SCOPE_DEADLOCK", "use inner scopes or a larger task window" },
	{ PTO_FATAL_HEAP_RING_DEADLOCK, "HEAP_RING_DEADLOCK", "use inner scopes or a larger heap" },
	{ PTO_FATAL_FLOW_CONTROL_DEADLOCK, "FLOW_CONTROL_DEADLOCK",
	  "nest fewer scopes or use a larger task window" },
	{ PTO_FATAL_DEP_POOL_OVERFLOW, "DEP_POOL_OVERFLOW",
	  "use fewer dependencies per task or a larger pool" },
	{ PTO_FATAL_INVALID_ARGS, "INVALID_ARGS", "" },
	{ PTO_FATAL_REQUIRE_SYNC_START_INVALID, "REQUIRE_SYNC_START_INVALID", "use fewer blocks" },
	{ PTO_FATAL_TENSOR_WAIT_TIMEOUT, "TENSOR_WAIT_TIMEOUT", "a kernel hangs" },
	{ PTO_FATAL_EXPLICIT, "EXPLICIT_ORCH_FATAL", "" },
	{ PTO_FATAL_SCOPE_TASKS_OVERFLOW, "SCOPE_TASKS_OVERFLOW", "use inner scopes" },
	{ PTO_FATAL_TENSORMAP_OVERFLOW, "TENSORMAP_OVERFLOW",
	  "use fewer tensors or a larger task window" },
	{ PTO_FATAL_SCHEDULER_TIMEOUT, "SCHEDULER_TIMEOUT",
	  "a kernel hangs, or the bound is short" },
	{ PTO_FATAL_ASYNC_COMPLETION_INVALID, "ASYNC_COMPLETION_INVALID", "" },
	{ PTO_FATAL_ASYNC_WAIT_OVERFLOW, "ASYNC_WAIT_OVERFLOW", "" },
	{ PTO_FATAL_ASYNC_REGISTRATION_FAILED, "ASYNC_REGISTRATION_FAILED", "" },
	{ PTO_FATAL_READY_QUEUE_OVERFLOW, "READY_QUEUE_OVERFLOW", "" },
};

static const struct fatal_info *find(uint32_t code)
{
	static const struct fatal_info unknown = { 0, "UNKNOWN", "" };
	size_t i;

	for (i = 0; i < sizeof(infos) / sizeof(infos[0]); i++)
		if (infos[i].code == code)
			return &infos[i];
	return &unknown;
}

/** pto_rt_fatal_name() - name of a PTO_FATAL_* code */
const char *pto_rt_fatal_name(uint32_t code)
{
	return find(code)->name;
}

/* Appends to the text; cuts it if it gets too long. */
__attribute__((format(printf, 3, 0)))
static size_t vappend(struct pto_runtime *rt, size_t at, const char *fmt, va_list ap)
{
	int n;

	if (at + 1 >= sizeof(rt->fatal_text))
		return at;
	n = rt->env->format(rt->fatal_text + at, sizeof(rt->fatal_text) - at, fmt, ap);
	at += n > 0 ? (size_t)n : 0;
	return at < sizeof(rt->fatal_text) ? at : sizeof(rt->fatal_text) - 1;
}

__attribute__((format(printf, 3, 4)))
static size_t append(struct pto_runtime *rt, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	at = vappend(rt, at, fmt, ap);
	va_end(ap);
	return at;
}

/**
 * pto_rt_vfatal() - fail the run
 * @rt: the run
 * @code: PTO_FATAL_*
 * @subcode: sub-class, or 0
 * @task: task concerned, or PTO_NO_TASK
 * @fmt: what happened
 * @ap: its arguments
 *
 * Any thread. Return: true if this is the first error, which is kept.
 */
bool pto_rt_vfatal(struct pto_runtime *rt, uint32_t code, uint32_t subcode, uint64_t task,
		   const char *fmt, va_list ap)
{
	const struct fatal_info *info = find(code);
	uint32_t expected = 0;
	size_t at;

	if (atomic_exchange_explicit(&rt->fatal_claim, 1, memory_order_acq_rel))
		return false;
	rt->fatal_subcode = subcode;
	rt->fatal_task = task;
	rt->fatal_func = UINT32_MAX;
	rt->fatal_text[0] = '\0';
	at = append(rt, 0, "%s: ", info->name);
	at = vappend(rt, at, fmt, ap);
	if (info->hint[0])
		append(rt, at, "; hint: %s", info->hint);
	return atomic_compare_exchange_strong_explicit(&rt->fatal, &expected, code,
						       memory_order_acq_rel, memory_order_acquire);
}

/** pto_rt_fatal() - pto_rt_vfatal() with arguments */
bool pto_rt_fatal(struct pto_runtime *rt, uint32_t code, uint32_t subcode, uint64_t task,
		  const char *fmt, ...)
{
	va_list ap;
	bool first;

	va_start(ap, fmt);
	first = pto_rt_vfatal(rt, code, subcode, task, fmt, ap);
	va_end(ap);
	return first;
}

/** pto_rt_abort() - end the run from outside; any thread, at any time */
void pto_rt_abort(struct pto_runtime *rt)
{
	uint32_t expected = 0;

	atomic_compare_exchange_strong_explicit(&rt->fatal, &expected, PTO_RT_ABORTED,
						memory_order_acq_rel, memory_order_acquire);
}
