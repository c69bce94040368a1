// SPDX-License-Identifier: MIT
/*
 * Scopes, and the beginning of a run.
 *
 * The depth of a scope selects the ring of its tasks; the deepest scopes share the last ring.
 * Ending a scope costs nothing per task: whether a task's scope is still open follows from the
 * depth and the task's number in the ring, see pto_scope_holds().
 */
#include "runtime.h"

/* --- the program's calls ------------------------------------------------- */

static void op_scope_begin(struct pto_rt *rt, uint32_t mode)
{
	pto_rt_cross(pto_runtime_of(rt));
	pto_rt_scope_begin(rt, mode);
	pto_rt_cross(pto_runtime_of(rt));
}

static void op_scope_end(struct pto_rt *rt)
{
	pto_rt_cross(pto_runtime_of(rt));
	pto_rt_scope_end(rt);
	pto_rt_cross(pto_runtime_of(rt));
}

static int op_get(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims,
		  const uint32_t *index, void *value, size_t bytes)
{
	int ret;

	pto_rt_cross(pto_runtime_of(rt));
	ret = pto_rt_get(rt, t, ndims, index, value, bytes);
	pto_rt_cross(pto_runtime_of(rt));
	return ret;
}

static int op_set(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims,
		  const uint32_t *index, const void *value, size_t bytes)
{
	int ret;

	pto_rt_cross(pto_runtime_of(rt));
	ret = pto_rt_set(rt, t, ndims, index, value, bytes);
	pto_rt_cross(pto_runtime_of(rt));
	return ret;
}

static int op_is_fatal(struct pto_rt *rt)
{
	return pto_rt_fatal_code(pto_runtime_of(rt)) != 0;
}

static void op_report_fatal(struct pto_rt *rt, uint32_t code, const char *fmt, va_list ap)
{
	pto_rt_cross(pto_runtime_of(rt));
	pto_rt_vfatal(pto_runtime_of(rt), code ? code : PTO_FATAL_EXPLICIT, 0, PTO_NO_TASK, fmt,
		      ap);
	pto_rt_cross(pto_runtime_of(rt));
}

static void op_log(struct pto_rt *handle, uint32_t level, const char *fmt, va_list ap)
{
	struct pto_runtime *rt = pto_runtime_of(handle);
	char text[256];

	pto_rt_cross(rt);
	rt->env->format(text, sizeof(text), fmt, ap);
	rt->env->log(rt, level, text);
	pto_rt_cross(rt);
}

static uint32_t op_query(struct pto_rt *handle, uint32_t item)
{
	const struct pto_runtime *rt = pto_runtime_of(handle);

	switch (item) {
	case PTO_RT_CLUSTERS:
	case PTO_RT_AIC:
		return rt->clusters;
	case PTO_RT_AIV:
		return rt->clusters * 2;
	case PTO_RT_ARCH:
		return rt->arch;
	default:
		return 0;
	}
}

static const struct pto_rt_ops runtime_ops = {
	.version = PTO_RT_OPS_VERSION,
	.size = sizeof(runtime_ops),
	.submit = pto_rt_submit,
	.alloc = pto_rt_alloc,
	.scope_begin = op_scope_begin,
	.scope_end = op_scope_end,
	.get = op_get,
	.set = op_set,
	.is_fatal = op_is_fatal,
	.report_fatal = op_report_fatal,
	.log = op_log,
	.query = op_query,
};

/* --- runs ---------------------------------------------------------------- */

/** pto_runtime_init() - prepare @rt for runs on @sched */
void pto_runtime_init(struct pto_runtime *rt, const struct pto_rt_env *env,
		      struct pto_sched *sched, uint32_t arch, uint32_t clusters)
{
	__builtin_memset(rt, 0, sizeof(*rt));
	rt->rt.ops = &runtime_ops;
	rt->env = env;
	rt->sched = sched;
	rt->arch = arch;
	rt->clusters = clusters;
	atomic_init(&rt->fatal_claim, PTO_CLAIM_CLOSED);
}

/**
 * pto_runtime_start() - begin a run
 * @rt: the runtime, between runs
 * @arena: a bound arena
 * @epoch: as in struct pto_dev_cmd_run
 */
void pto_runtime_start(struct pto_runtime *rt, void *arena, uint32_t epoch)
{
	uint32_t i;

	rt->arena = arena;
	rt->base = arena;
	rt->graph = NULL;
	rt->replays = false;
	pto_sched_begin(rt->sched, arena);
	rt->depth = 0;
	rt->skipped_scopes = 0;
	rt->stamp = 0;
	atomic_store_explicit(&rt->awaited, PTO_NO_TASK, memory_order_relaxed);
	rt->map.buckets = NULL;
	rt->map.epoch = epoch;
	for (i = 0; i < PTO_RING_DEPTHS; i++)
		rt->ring[i].layout = NULL;
	rt->scope[0] = (struct pto_scope){ .mode = PTO_SCOPE_AUTO };
	pto_rt_open(rt);
}

/* --- scopes -------------------------------------------------------------- */

/** pto_rt_scope_begin() - see pto_scope_begin() */
void pto_rt_scope_begin(struct pto_rt *handle, uint32_t mode)
{
	struct pto_runtime *rt = pto_runtime_of(handle);
	uint32_t depth = rt->depth + 1;
	struct pto_ring *ring;

	if (pto_rt_fatal_code(rt)) {
		rt->skipped_scopes++;
		return;
	}
	if (mode > PTO_SCOPE_MANUAL) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK, "no scope mode %u", mode);
	} else if (mode == PTO_SCOPE_AUTO && rt->scope[rt->depth].mode == PTO_SCOPE_MANUAL) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "an AUTO scope within a MANUAL one, at depth %u", depth);
	} else if (depth >= PTO_MAX_SCOPE_DEPTH) {
		pto_rt_fatal(rt, PTO_FATAL_SCOPE_TASKS_OVERFLOW, 0, PTO_NO_TASK,
			     "more than %u open scopes", PTO_MAX_SCOPE_DEPTH);
	} else {
		ring = pto_ring_get(rt, pto_ring_index(rt, depth));
		rt->scope[depth] = (struct pto_scope){
			.ring = ring, .start = ring->head, .mode = mode,
		};
		rt->depth = depth;
		return;
	}
	rt->skipped_scopes++;
}

/** pto_rt_scope_end() - see pto_scope_end() */
void pto_rt_scope_end(struct pto_rt *handle)
{
	struct pto_runtime *rt = pto_runtime_of(handle);

	if (rt->skipped_scopes)
		rt->skipped_scopes--;
	else if (rt->depth)
		rt->depth--;
	else
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "a scope is ended that was not begun");
}
