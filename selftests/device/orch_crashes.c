// SPDX-License-Identifier: GPL-2.0
/*
 * Crashes: scalar 0 says where, and scalar 1 how. Constructors and destructors do if CRASH_WHERE
 * says so.
 */
#include <pto/orch.h>

#define CRASH_HERE
#include "crash.h"

static void crash_if(enum crash_where where)
{
	const char *said = getenv(CRASH_WHERE);

	if (said && atoi(said) == (int)where)
		crash(BY_ADDRESS);
}

__attribute__((constructor)) static void begin(void)
{
	crash_if(IN_CONSTRUCTOR);
}

__attribute__((destructor)) static void end(void)
{
	crash_if(IN_DESTRUCTOR);
}

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
