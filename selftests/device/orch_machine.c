// SPDX-License-Identifier: GPL-2.0
/* Writes what it sees of the machine to a u32[4]: architecture, clusters, AIC and AIV cores. */
#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *out = pto_orch_tensor(args, 0);

	pto_set_u32(rt, out, 0, rt->ops->query(rt, PTO_RT_ARCH));
	pto_set_u32(rt, out, 1, pto_available_clusters(rt));
	pto_set_u32(rt, out, 2, pto_available_aic(rt));
	pto_set_u32(rt, out, 3, pto_available_aiv(rt));
}
