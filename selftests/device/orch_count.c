// SPDX-License-Identifier: GPL-2.0
/*
 * Counts its own runs in static data, and writes the count to u32 element 0 of tensor 0. So
 * each load of this object has a count of its own.
 */
#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	static uint32_t runs;

	pto_set_u32(rt, pto_orch_tensor(args, 0), 0, ++runs);
}
