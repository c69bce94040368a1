// SPDX-License-Identifier: GPL-2.0
/* Never returns, and heeds nobody. */
#include <unistd.h>

#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (;;)
		pause();
}
