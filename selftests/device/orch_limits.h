/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ORCH_LIMITS_H
#define ORCH_LIMITS_H

/* What orch_limits shall have scalar 1 of: scalar 0. */
enum {
	LIMIT_BLOCKS,		/* blocks of a task */
	LIMIT_SYNC_START,	/* blocks of a task that start together */
	LIMIT_TENSORS,		/* tensors of a task */
	LIMIT_SCALARS,		/* scalars of a task */
	LIMIT_ADDED_DEPS,	/* pto_add_dep() calls of a task */
	LIMIT_SCOPES,		/* open scopes, the entry's included */
	LIMIT_OUTPUTS,		/* tasks with outputs in one scope */
	LIMIT_CONDITIONS,	/* pto_async_expect() calls of a task */
};

#endif /* ORCH_LIMITS_H */
