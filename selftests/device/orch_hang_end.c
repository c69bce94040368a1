// SPDX-License-Identifier: GPL-2.0
/* An orchestration whose destructor never returns. */
#include <unistd.h>

#include <pto/orch.h>

__attribute__((destructor)) static void end(void)
{
	for (;;)
		pause();
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	(void)rt;
	(void)args;
}
