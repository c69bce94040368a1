// SPDX-License-Identifier: GPL-2.0
/*
 * Appends scalar 0 to the u32 log in tensor 0: element 0 counts the entries that follow it.
 * The log shows in which order runs were executed.
 */
#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *log = pto_orch_tensor(args, 0);
	uint32_t count = pto_get_u32(rt, log, 0);

	pto_set_u32(rt, log, 1 + count, pto_orch_scalar(args, 0));
	pto_set_u32(rt, log, 0, count + 1);
}
