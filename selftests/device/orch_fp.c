// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever is called here changes the floating-point control words, and counts if they were not the
 * default ones: tensor 0 becomes the count. Tasks of func_id 0 add theirs to tensor 1. If scalar 0
 * says so, their sum is waited for.
 */
#include <pto/orch.h>

#include "fp.h"

static int wrong;

__attribute__((constructor)) static void begin(void)
{
	wrong += fp_spoil();
}

__attribute__((destructor)) static void end(void)
{
	fp_set(FP_SPOILT);
}

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 3 };

	wrong += fp_spoil();
	return config;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;
	int i;

	wrong += fp_spoil();
	for (i = 0; i < 8; i++) {
		pto_task_args_init(&task);
		pto_add_inout(&task, pto_orch_tensor(args, 1));
		pto_submit_aiv(rt, 0, &task);
	}
	if (pto_orch_scalar(args, 0))
		pto_get_f32(rt, pto_orch_tensor(args, 1), 0);
	/* What is executed meanwhile leaves the words alone. */
	wrong += fp_get() != FP_SPOILT;
	pto_set_f32(rt, pto_orch_tensor(args, 0), 0, (float)wrong);
}
