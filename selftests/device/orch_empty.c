// SPDX-License-Identifier: GPL-2.0
/* Does nothing. */
#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
}
