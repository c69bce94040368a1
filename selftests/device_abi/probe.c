// SPDX-License-Identifier: GPL-2.0
/*
 * An orchestration that does on request what programs of all sorts do to a device. Scalar 0
 * says what (see rig.h), the others are its operands; tensor 0, if there is one, takes a
 * 64-bit result.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <pto/orch.h>
#include "rig.h"

static uint64_t calls;

static uint64_t probe_deep(uint64_t depth)
{
	volatile char room[4096];

	room[0] = (char)depth;
	return depth ? probe_deep(depth - 1) + (uint64_t)room[0] : 0;
}

static void probe_result(const struct pto_orch_args *args, uint64_t value)
{
	const struct pto_tensor *t = pto_orch_tensor(args, 0);

	if (t)
		__atomic_store_n((uint64_t *)(uintptr_t)t->addr, value, __ATOMIC_RELEASE);
}

static void probe_spin(struct pto_rt *rt, const struct pto_orch_args *args)
{
	probe_result(args, PROBE_STARTED);
	while (!pto_is_fatal(rt))
		usleep(100);
}

static void probe_hang(const struct pto_orch_args *args)
{
	probe_result(args, PROBE_STARTED);
	for (;;)
		pause();
}

static void probe_deaf(const struct pto_orch_args *args)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	probe_hang(args);
}

static void probe_late(const struct pto_orch_args *args)
{
	const struct pto_tensor *t = pto_orch_tensor(args, 0);
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	probe_result(args, PROBE_STARTED);
	while (__atomic_load_n((uint64_t *)(uintptr_t)t->addr, __ATOMIC_ACQUIRE) !=
	       pto_orch_scalar(args, 1))
		usleep(1000);
}

static void probe_task(struct pto_rt *rt, const struct pto_orch_args *args, uint32_t blocks)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, pto_orch_tensor(args, 0));
	pto_add_scalar(&task, pto_orch_scalar(args, 1));
	pto_set_block_num(&task, blocks);
	pto_submit_aiv(rt, 5, &task);
}

/* Two tasks: one alone is nothing to wake a worker for. */
static void probe_fail(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *t = pto_orch_tensor(args, 0);
	const struct pto_tensor own = *t;
	struct pto_task_args task;
	int i;

	for (i = 0; i < 2; i++) {
		pto_task_args_init(&task);
		pto_add_no_dep(&task, &own);
		pto_add_scalar(&task, pto_orch_scalar(args, 1));
		pto_set_block_num(&task, 2);
		pto_submit_aiv(rt, 5, &task);
	}
	while (__atomic_load_n((uint64_t *)(uintptr_t)t->addr, __ATOMIC_ACQUIRE) != PROBE_STARTED)
		usleep(100);
	pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "enough");
}

static void probe_walk(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *t = pto_orch_tensor(args, 0);
	const struct pto_tensor own = *t;
	struct pto_task_args task;

	probe_result(args, PROBE_STARTED);
	while (__atomic_load_n((uint64_t *)(uintptr_t)t->addr, __ATOMIC_ACQUIRE) !=
	       pto_orch_scalar(args, 1)) {
		pto_scope_begin(rt, PTO_SCOPE_AUTO);
		pto_task_args_init(&task);
		pto_add_no_dep(&task, &own);
		pto_add_scalar(&task, KERNEL_NOTHING);
		pto_submit_aiv(rt, 5, &task);
		pto_scope_end(rt);
		usleep(20000);
	}
}

static void probe_write(const struct pto_orch_args *args)
{
	*(volatile uint64_t *)(uintptr_t)pto_orch_scalar(args, 1) = pto_orch_scalar(args, 2);
}

static void probe_element(struct pto_rt *rt, const struct pto_orch_args *args, bool set)
{
	uint32_t one = 1;
	struct pto_tensor t;

	pto_external(&t, pto_orch_scalar(args, 1), PTO_DTYPE_UINT64, 1, &one, 0, 0);
	probe_result(args, pto_get_u64(rt, &t, 0));
	if (set)
		pto_set_u64(rt, &t, 0, pto_orch_scalar(args, 2));
}

static void probe_word(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, pto_orch_tensor(args, 0));
	pto_add_scalar(&task, KERNEL_WORD);
	pto_add_scalar(&task, pto_orch_scalar(args, 1));
	pto_submit_aiv(rt, 5, &task);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint64_t *word = (uint64_t *)(uintptr_t)pto_orch_scalar(args, 1);

	switch (pto_orch_scalar(args, 0)) {
	case PROBE_COUNT:
		probe_result(args, ++calls);
		break;
	case PROBE_ECHO:
		probe_result(args, pto_orch_scalar(args, 1));
		break;
	case PROBE_READ:
		probe_result(args, *(volatile uint64_t *)word);
		break;
	case PROBE_WRITE:
		probe_write(args);
		break;
	case PROBE_WRITE_EXIT:
		probe_write(args);
		_exit(0);
	case PROBE_WRITE_DEAF:
		probe_write(args);
		probe_deaf(args);
		break;
	case PROBE_SPIN:
		probe_spin(rt, args);
		break;
	case PROBE_HANG:
		probe_hang(args);
		break;
	case PROBE_DEAF:
		probe_deaf(args);
		break;
	case PROBE_LATE:
		probe_late(args);
		break;
	case PROBE_EXIT:
		_exit((int)pto_orch_scalar(args, 1));
	case PROBE_ABORT:
		abort();
	case PROBE_OVERFLOW:
		probe_result(args, probe_deep(UINT64_MAX));
		break;
	case PROBE_TASK:
		probe_task(rt, args, 1);
		break;
	case PROBE_BLOCKS:
		probe_task(rt, args, 32);
		break;
	case PROBE_FAIL:
		probe_fail(rt, args);
		break;
	case PROBE_WALK:
		probe_walk(rt, args);
		break;
	case PROBE_GET:
	case PROBE_SET:
		probe_element(rt, args, pto_orch_scalar(args, 0) == PROBE_SET);
		break;
	case PROBE_WORD:
		probe_word(rt, args);
		break;
	case PROBE_PID:
		probe_result(args, (uint64_t)getpid());
		break;
	}
}
