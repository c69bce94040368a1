// SPDX-License-Identifier: MIT
/* hello: the smallest orchestration. No arguments, no kernels, no tasks. */
#include <pto/orch.h>

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 0 };

	(void)args;
	return config;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	(void)args;
	pto_log(rt, PTO_LOG_INFO, "hello from %u clusters", pto_available_clusters(rt));
}
