// SPDX-License-Identifier: GPL-2.0
/* Ends its run with an error. */
#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "failed as it was told to");
}
