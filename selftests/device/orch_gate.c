// SPDX-License-Identifier: GPL-2.0
/*
 * Waits until u32 element 0 of tensor 0 is not zero (the application opens this gate), then
 * adds one to element 1. If there is an element 2, it adds one to that when it begins. With
 * three more tensors it then submits one AIV task of func_id 0 on them, as orch_vec does.
 */
#include <unistd.h>

#include <pto/orch.h>

/* Longer than any test is patient: 100 us each. */
#define MAX_POLLS 3000000

static int wait_for_gate(struct pto_rt *rt, const uint32_t *gate)
{
	int i;

	for (i = 0; i < MAX_POLLS && !pto_is_fatal(rt); i++) {
		if (__atomic_load_n(gate, __ATOMIC_ACQUIRE))
			return 1;
		usleep(100);
	}
	return 0;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t *gate = pto_tensor_data(pto_orch_tensor(args, 0));
	struct pto_task_args task;

	if (pto_orch_tensor(args, 0)->extent > 2)
		__atomic_add_fetch(&gate[2], 1, __ATOMIC_RELEASE);
	if (!wait_for_gate(rt, gate)) {
		pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "the gate was not opened");
		return;
	}
	__atomic_add_fetch(&gate[1], 1, __ATOMIC_RELEASE);
	if (args->tensor_count != 4)
		return;
	pto_task_args_init(&task);
	pto_add_input(&task, pto_orch_tensor(args, 1));
	pto_add_input(&task, pto_orch_tensor(args, 2));
	pto_add_output_existing(&task, pto_orch_tensor(args, 3));
	pto_submit_aiv(rt, 0, &task);
}
