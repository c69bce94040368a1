// SPDX-License-Identifier: GPL-2.0
/*
 * Has thread_local objects (threads.h); the words are at scalar 0. If scalar 1 says so, so many
 * tasks of func_id 0 get the words, too.
 */
#include <pto/orch.h>

#include "threads.h"

extern "C" void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	use_thread_local((int *)pto_orch_scalar(args, 0));
	for (uint64_t i = 0; i < pto_orch_scalar(args, 1); i++) {
		pto_task_args_init(&task);
		pto_add_scalar(&task, pto_orch_scalar(args, 0));
		pto_submit_aiv(rt, 0, &task);
	}
}
