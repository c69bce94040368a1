// SPDX-License-Identifier: GPL-2.0
/* Crashes: scalar 0 says where, and scalar 1 how. */
#include <pto/orch.h>

#define CRASH_HERE
#include "crash.h"

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	if (pto_orch_scalar(args, 0) == IN_CONFIG)
		crash(pto_orch_scalar(args, 1));
	return (struct pto_orch_config) { .expected_arg_count = 2 };
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	if (pto_orch_scalar(args, 0) == IN_ORCHESTRATION)
		crash(pto_orch_scalar(args, 1));
	pto_task_args_init(&task);
	pto_add_scalar(&task, pto_orch_scalar(args, 1));
	pto_submit_aiv(rt, 5, &task);
}
