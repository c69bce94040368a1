// SPDX-License-Identifier: GPL-2.0
/* Writes to the address in scalar 0, which is nobody's. */
#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	*(volatile uint32_t *)(uintptr_t)pto_orch_scalar(args, 0) = 0xdead;
}
