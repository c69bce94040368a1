// SPDX-License-Identifier: GPL-2.0
/* Runs that wait until the test lets them go on. */
#include "ptotest.h"

int pt_gate_new(int fd, const struct pt_vec *vec, struct pt_gate *gate)
{
	static const struct pt_callable callable = {
		.orch = "orch_gate",
		.kernels = { { 0, PTO_CORE_AIV, "kernel_add" } },
	};
	struct pto_tensor tensors[4];
	uint64_t step = vec ? vec->count * sizeof(float) : 0;
	int count = vec ? 4 : 1;
	int err, i;

	err = pt_buf_new(fd, 3 * sizeof(uint32_t), &gate->words);
	if (err)
		return err;
	err = pt_buf_new(fd, PTO_RUN_ARGS_SIZE(4, 0), &gate->args);
	if (err)
		goto err_words;
	tensors[0] = pt_tensor(gate->words.addr, PTO_DTYPE_UINT32, sizeof(uint32_t), 3);
	for (i = 1; i < count; i++)
		tensors[i] = pt_tensor(vec->data.addr + (i - 1) * step, PTO_DTYPE_FLOAT32,
				       sizeof(float), vec->count);
	gate->args_bytes = pt_args_write(gate->args.map, count, tensors, 0, NULL);
	gate->cid = pt_prepare(fd, -1, &callable, NULL);
	if (gate->cid >= 0)
		return 0;
	err = gate->cid;
	pt_buf_free(fd, &gate->args);
err_words:
	pt_buf_free(fd, &gate->words);
	return err;
}

void pt_gate_free(int fd, struct pt_gate *gate)
{
	pt_unprepare(fd, gate->cid);
	pt_buf_free(fd, &gate->args);
	pt_buf_free(fd, &gate->words);
}

int pt_gate_submit(int fd, const struct pt_gate *gate, uint32_t stream, uint64_t *id)
{
	return pt_submit(fd, stream, gate->cid, &gate->args, gate->args_bytes, id);
}

void pt_gate_set(struct pt_gate *gate, bool open)
{
	__atomic_store_n((uint32_t *)gate->words.map, open, __ATOMIC_RELEASE);
}

uint32_t pt_gate_passed(const struct pt_gate *gate)
{
	return __atomic_load_n((uint32_t *)gate->words.map + 1, __ATOMIC_ACQUIRE);
}

uint32_t pt_gate_begun(const struct pt_gate *gate)
{
	return __atomic_load_n((uint32_t *)gate->words.map + 2, __ATOMIC_ACQUIRE);
}
