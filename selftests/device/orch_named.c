// SPDX-License-Identifier: GPL-2.0
/* An orchestration whose symbols do not have the default names. */
#include <pto/orch.h>

PTO_ORCH_EXPORT struct pto_orch_config named_config(const struct pto_orch_args *args);
PTO_ORCH_EXPORT void named_entry(struct pto_rt *rt, const struct pto_orch_args *args);

struct pto_orch_config named_config(const struct pto_orch_args *args)
{
	return (struct pto_orch_config) { .expected_arg_count = 1 };
}

void named_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_set_u32(rt, pto_orch_tensor(args, 0), 0, 4711);
}
