// SPDX-License-Identifier: MIT
/*
 * Fatal errors of a run. The first one is kept.
 *
 * Its text has only what cannot be derived otherwise, such as figures. Name and hint follow from
 * the code, and the place has its own fields. libpto combines all of it (failure.c).
 */
#include "runtime.h"

struct fatal_info {
	uint32_t code;
	uint32_t subcode;
	const char *name;
	const char *hint;
};

static const struct fatal_info infos[] = {
	{ PTO_FATAL_SCOPE_DEADLOCK, 0, "SCOPE_DEADLOCK",
	  "use inner scopes or a larger task window" },
	{ PTO_FATAL_HEAP_RING_DEADLOCK, 0, "HEAP_RING_DEADLOCK",
	  "use inner scopes or a larger heap" },
	{ PTO_FATAL_FLOW_CONTROL_DEADLOCK, 0, "FLOW_CONTROL_DEADLOCK",
	  "nest fewer scopes or use a larger task window" },
	{ PTO_FATAL_DEP_POOL_OVERFLOW, 0, "DEP_POOL_OVERFLOW",
	  "use fewer dependencies per task or a larger pool" },
	{ PTO_FATAL_INVALID_ARGS, 0, "INVALID_ARGS",
	  "correct the call; pto/orch.h says what each one accepts" },
	{ PTO_FATAL_REQUIRE_SYNC_START_INVALID, 0, "REQUIRE_SYNC_START_INVALID",
	  "use fewer blocks" },
	{ PTO_FATAL_TENSOR_WAIT_TIMEOUT, 0, "TENSOR_WAIT_TIMEOUT",
	  "the task that writes the element waits for what does not come" },
	{ PTO_FATAL_EXPLICIT, 0, "EXPLICIT_ORCH_FATAL",
	  "the orchestration itself has given up; its text says why" },
	{ PTO_FATAL_SCOPE_TASKS_OVERFLOW, 0, "SCOPE_TASKS_OVERFLOW",
	  "end scopes before beginning others" },
	{ PTO_FATAL_TENSORMAP_OVERFLOW, 0, "TENSORMAP_OVERFLOW",
	  "use fewer tensors or a larger task window" },
	{ PTO_FATAL_SCHEDULER_TIMEOUT, PTO_STALL_DEPS, "SCHEDULER_TIMEOUT",
	  "who raises the counter does not, or the bound is short" },
	{ PTO_FATAL_SCHEDULER_TIMEOUT, PTO_STALL_ORCH, "SCHEDULER_TIMEOUT",
	  "the orchestration hangs, or the bound is short" },
	{ PTO_FATAL_SCHEDULER_TIMEOUT, PTO_STALL_READY, "SCHEDULER_TIMEOUT",
	  "the device's threads get no processor, or the bound is short" },
	{ PTO_FATAL_SCHEDULER_TIMEOUT, 0, "SCHEDULER_TIMEOUT",
	  "a kernel hangs, or the bound is short" },
	{ PTO_FATAL_ASYNC_COMPLETION_INVALID, 0, "ASYNC_COMPLETION_INVALID",
	  "a condition needs an aligned counter and is for a running kernel to register" },
	{ PTO_FATAL_ASYNC_WAIT_OVERFLOW, 0, "ASYNC_WAIT_OVERFLOW",
	  "use fewer conditions per task" },
	{ PTO_FATAL_ASYNC_REGISTRATION_FAILED, 0, "ASYNC_REGISTRATION_FAILED",
	  "let fewer tasks wait for counters at a time" },
	{ PTO_FATAL_READY_QUEUE_OVERFLOW, 0, "READY_QUEUE_OVERFLOW",
	  "let fewer tasks become ready at a time" },
};

static const struct fatal_info *find(uint32_t code, uint32_t subcode)
{
	static const struct fatal_info unknown = { .name = "UNKNOWN", .hint = "" };
	size_t i;

	for (i = 0; i < sizeof(infos) / sizeof(infos[0]); i++)
		if (infos[i].code == code && (!infos[i].subcode || infos[i].subcode == subcode))
			return &infos[i];
	return &unknown;
}

/** pto_rt_fatal_name() - name of a PTO_FATAL_* code */
const char *pto_rt_fatal_name(uint32_t code)
{
	return code ? find(code, 0)->name : "NONE";
}

/** pto_rt_fatal_hint() - what to do about a PTO_FATAL_* code; empty if nothing is known */
const char *pto_rt_fatal_hint(uint32_t code, uint32_t subcode)
{
	return find(code, subcode)->hint;
}

/** pto_rt_graph_hint() - the same for a graph on the host: all of it is held, scopes or not */
const char *pto_rt_graph_hint(uint32_t code, uint32_t subcode)
{
	switch (code) {
	case PTO_FATAL_SCOPE_DEADLOCK:
	case PTO_FATAL_FLOW_CONTROL_DEADLOCK:
		return "use a larger task window or several runs";
	case PTO_FATAL_HEAP_RING_DEADLOCK:
		return "use a larger heap or several runs";
	default:
		return find(code, subcode)->hint;
	}
}

/* Append to the text, which is truncated if it gets too long. */
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

/* Bytes from the oldest to the youngest block of a ring's heap, including skipped ones. */
static uint64_t heap_used(const struct pto_ring *ring)
{
	if (!ring->heap_blocks)
		return 0;
	if (ring->heap_head > ring->heap_tail)
		return ring->heap_head - ring->heap_tail;
	return ring->layout->heap_size - ring->heap_tail + ring->heap_head;
}

/* Append the fill level of a ring. Its heap is mentioned only if it has blocks. */
static size_t append_ring(struct pto_runtime *rt, size_t at, uint32_t index)
{
	const struct pto_ring *ring = &rt->ring[index];

	at = append(rt, at, "; ring %u: %llu/%llu tasks", index,
		    (unsigned long long)(ring->head - ring->tail),
		    (unsigned long long)ring->layout->window);
	if (ring->heap_blocks)
		at = append(rt, at, ", %llu/%llu KiB",
			    (unsigned long long)((heap_used(ring) + 1023) / 1024),
			    (unsigned long long)(ring->layout->heap_size / 1024));
	return at;
}

/* Append the fill levels of the run's rings, as far as they fit into the text. */
static void append_rings(struct pto_runtime *rt)
{
	size_t start = __builtin_strlen(rt->fatal_text);
	bool any = false;
	uint32_t i;
	size_t at;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		if (!rt->ring[i].layout)
			continue;
		any = true;
		at = append_ring(rt, start, i);
		if (at + 1 >= sizeof(rt->fatal_text)) {
			rt->fatal_text[start] = '\0';
			return;
		}
		start = at;
	}
	if (!any)
		append(rt, start, "; no ring in use");
}

/**
 * pto_rt_open() - accept errors for a run that begins
 *
 * Called by the orchestrator, as the last step of starting the run.
 */
void pto_rt_open(struct pto_runtime *rt)
{
	uint32_t claim = atomic_load_explicit(&rt->fatal_claim, memory_order_relaxed);

	/* Release: a thread that aborts the run may then access the memory with which it began. */
	atomic_store_explicit(&rt->fatal, 0, memory_order_release);
	atomic_store_explicit(&rt->fatal_claim, (claim | PTO_CLAIM_MASK) + 1,
			      memory_order_release);
}

/**
 * pto_rt_close() - accept no more errors for a run that has ended
 *
 * Called by the orchestrator, when all tasks have ended. If another thread is reporting an error,
 * waits until it has written the text. Appends the fill levels of the rings to the text, because
 * only the orchestrator may read them.
 * Return: as pto_rt_fatal_code().
 */
uint32_t pto_rt_close(struct pto_runtime *rt)
{
	uint32_t claim = atomic_load_explicit(&rt->fatal_claim, memory_order_relaxed);
	uint32_t closed = (claim & ~PTO_CLAIM_MASK) | PTO_CLAIM_CLOSED;
	uint32_t code;

	claim = atomic_exchange_explicit(&rt->fatal_claim, closed, memory_order_acq_rel);
	code = pto_rt_fatal_code(rt);
	while (claim & PTO_CLAIM_CLAIMED && !code) {
		rt->env->pause();
		code = pto_rt_fatal_code(rt);
	}
	if (code && code != PTO_RT_ABORTED)
		append_rings(rt);
	return code;
}

/* Claim the error. Return: true if the caller is the one who writes it. */
static bool claim_error(struct pto_runtime *rt, const struct pto_fatal_at *at)
{
	uint32_t claim = atomic_load_explicit(&rt->fatal_claim, memory_order_acquire);

	if (at->claim != PTO_CLAIM_CLOSED)
		claim = at->claim;
	return (claim & PTO_CLAIM_MASK) == PTO_CLAIM_OPEN &&
	       atomic_compare_exchange_strong_explicit(&rt->fatal_claim, &claim,
						       claim | PTO_CLAIM_CLAIMED,
						       memory_order_acq_rel, memory_order_acquire);
}

__attribute__((format(printf, 4, 0)))
static bool vfatal_at(struct pto_runtime *rt, uint32_t code, const struct pto_fatal_at *at,
		      const char *fmt, va_list ap)
{
	uint32_t expected = 0;

	if (!claim_error(rt, at))
		return false;
	rt->fatal_subcode = at->subcode;
	rt->fatal_task = at->task;
	rt->fatal_func = at->func;
	rt->fatal_core = at->core;
	rt->fatal_text[0] = '\0';
	vappend(rt, 0, fmt, ap);
	return atomic_compare_exchange_strong_explicit(&rt->fatal, &expected, code,
						       memory_order_acq_rel, memory_order_acquire);
}

/**
 * pto_rt_fatal_at() - fail the run
 * @rt: the run
 * @code: PTO_FATAL_*
 * @at: where it happened
 * @fmt: what happened
 *
 * Any thread. Return: true if this is the first error, which is kept.
 */
bool pto_rt_fatal_at(struct pto_runtime *rt, uint32_t code, const struct pto_fatal_at *at,
		     const char *fmt, ...)
{
	va_list ap;
	bool first;

	va_start(ap, fmt);
	first = vfatal_at(rt, code, at, fmt, ap);
	va_end(ap);
	return first;
}

/** pto_rt_vfatal() - pto_rt_fatal_at() without a kernel */
bool pto_rt_vfatal(struct pto_runtime *rt, uint32_t code, uint32_t subcode, uint64_t task,
		   const char *fmt, va_list ap)
{
	const struct pto_fatal_at at = {
		.subcode = subcode, .func = UINT32_MAX, .core = UINT32_MAX,
		.claim = PTO_CLAIM_CLOSED, .task = task,
	};

	return vfatal_at(rt, code, &at, fmt, ap);
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
