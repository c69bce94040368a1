// SPDX-License-Identifier: MIT
/* An orchestration that submits nothing: what remains is the cost of running by cid. */
#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	(void)rt;
	(void)args;
}
