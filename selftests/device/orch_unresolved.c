// SPDX-License-Identifier: GPL-2.0
/* An orchestration, and a kernel, that needs what nobody has. */
#include <pto/kernel.h>
#include <pto/orch.h>

void nobody_has_this(void);

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	nobody_has_this();
}

void kernel_entry(int64_t *args)
{
	nobody_has_this();
}
