// SPDX-License-Identifier: GPL-2.0
/*
 * Arguments of a task that copy what others borrow: what they were made of is gone when the task
 * is submitted. AddressSanitizer sees who looks at a variable of a block that has ended; without
 * it the variables are overwritten in time.
 */
#include <pto/kernel.h>
#include <sim/device/engine.h>

#include "harness.h"
#include "engine_fixture.h"

enum { FUNC_ADD, FUNC_COUNT };

#define LENGTH	8u
#define HALF	(LENGTH / 2)

/* Adds the scalar and the elements of the first tensor to those of all others. */
static void kernel_add(int64_t *args)
{
	const uint32_t *from = pto_arg_data(args, 0);
	uint32_t count = (uint32_t)pto_arg_u64(args, 3);

	for (uint32_t t = 1; t < count; t++) {
		uint32_t *to = pto_arg_data(args, t);

		for (uint32_t i = 0; i < HALF; i++)
			to[i] += from[i] + (uint32_t)pto_arg_u64(args, 4);
	}
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_ADD] = { kernel_add, PTO_CORE_AIV },
};

static uint32_t source[LENGTH], target[LENGTH], other[LENGTH], condition[2];

FIXTURE(owned)
{
	struct machine machine;
};

FIXTURE_SETUP(owned)
{
	for (uint32_t i = 0; i < LENGTH; i++) {
		source[i] = i;
		target[i] = 100 * i;
		other[i] = 1000 * i;
	}
	condition[0] = 0;
	condition[1] = 1;
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A2A3, 2, kernels, FUNC_COUNT));
}

FIXTURE_TEARDOWN(owned)
{
	machine_stop(&self->machine);
}

static struct pto_tensor line(uint32_t *data, uint32_t count)
{
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)data, PTO_DTYPE_UINT32, 1, &count, 0, 0);
	return t;
}

/* Overwrites what the arguments were made of: the compiler has to assume that somebody reads it. */
static void gone(void *variable, size_t bytes)
{
	memset(variable, 0x5a, bytes);
	__asm__ volatile("" : : "r"(variable) : "memory");
}

/* Tensors 0 to 2 and the scalars of kernel_add(), with everything from variables that are gone */
static void fill(struct pto_owned_args *own, uint32_t first)
{
	pto_owned_init(own);
	{
		struct pto_tensor view = line(source, LENGTH);

		view = pto_view_1d(&view, first, HALF);
		pto_owned_input(own, &view);
		gone(&view, sizeof(view));
	}
	{
		struct pto_tensor view = line(target, LENGTH);

		view = pto_view_1d(&view, first, HALF);
		pto_owned_inout(own, &view);
		gone(&view, sizeof(view));
	}
	{
		struct pto_tensor view = line(other, LENGTH);

		view = pto_view_1d(&view, first, HALF);
		pto_owned_output_existing(own, &view);
		gone(&view, sizeof(view));
	}
	pto_add_scalar(&own->args, 3);
	pto_add_scalar(&own->args, 5);
}

static void inner_blocks(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_owned_args own;

	fill(&own, HALF);
	pto_submit_aiv(rt, FUNC_ADD, pto_owned_task_args(&own));
}

TEST_F(owned, made_in_inner_blocks)
{
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, inner_blocks));
	for (uint32_t i = 0; i < LENGTH; i++) {
		EXPECT_EQ(100 * i + (i < HALF ? 0 : i + 5), target[i]);
		EXPECT_EQ(1000 * i + (i < HALF ? 0 : i + 5), other[i]);
	}
}

static struct pto_owned_args by_value(uint32_t first)
{
	struct pto_owned_args own;

	fill(&own, first);
	return own;
}

/* Where the arguments were filled is overwritten, too. */
static void moved(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_owned_args first = by_value(0), copy = first, second;

	gone(&first, sizeof(first));
	pto_submit_aiv(rt, FUNC_ADD, pto_owned_task_args(&copy));
	second = by_value(HALF);
	pto_submit_aiv(rt, FUNC_ADD, pto_owned_task_args(&second));
}

TEST_F(owned, moved)
{
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, moved));
	for (uint32_t i = 0; i < LENGTH; i++) {
		EXPECT_EQ(100 * i + i + 5, target[i]);
		EXPECT_EQ(1000 * i + i + 5, other[i]);
	}
}

/* Outputs, tensors that order nothing, and ones that are borrowed beside copies */
static void all_types(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor borrowed = line(target, HALF);
	struct pto_owned_args own;
	struct pto_task made;
	uint64_t ids[2];

	pto_owned_init(&own);
	{
		struct pto_tensor t = line(source, HALF);
		struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT32, HALF);

		pto_create_set_value(&info, 7);
		pto_owned_no_dep(&own, &t);
		pto_owned_output(&own, &info);
		gone(&t, sizeof(t));
		gone(&info, sizeof(info));
	}
	pto_add_inout(&own.args, &borrowed);
	pto_add_scalar(&own.args, 3);
	pto_add_scalar(&own.args, 0);
	made = pto_submit_aiv(rt, FUNC_ADD, pto_owned_task_args(&own));
	ids[0] = PTO_NO_TASK;
	ids[1] = made.id;

	pto_owned_init(&own);
	{
		struct pto_tensor output = *pto_task_output(&made, 0), to = line(other, HALF);

		pto_owned_no_dep(&own, &output);
		pto_owned_no_dep(&own, &to);
		pto_owned_dependencies(&own, ids, 2);
		gone(&output, sizeof(output));
		gone(&to, sizeof(to));
		gone(ids, sizeof(ids));
	}
	pto_submit_dummy(rt, pto_owned_task_args(&own));
	if (own.args.own_dep_count != 1)
		pto_report_fatal(rt, 0, "%u dependencies", own.args.own_dep_count);
}

TEST_F(owned, all_types)
{
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, all_types)) {
		TH_LOG("%s", self->machine.report.text);
	}
	for (uint32_t i = 0; i < HALF; i++)
		EXPECT_EQ(100 * i + i, target[i]);
}

/* Of two tasks, the one whose element is set runs. */
static void predicates(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct pto_owned_args own;

		fill(&own, i * HALF);
		{
			struct pto_tensor flags = line(condition, 2);

			pto_owned_predicate(&own, &flags, 1, &i, PTO_PREDICATE_NE, 0);
			gone(&flags, sizeof(flags));
		}
		pto_submit_aiv(rt, FUNC_ADD, pto_owned_task_args(&own));
	}
}

TEST_F(owned, predicates)
{
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, predicates));
	for (uint32_t i = 0; i < LENGTH; i++)
		EXPECT_EQ(100 * i + (i < HALF ? 0 : i + 5), target[i]);
}

/* What is wrong is reported at the submit, as without copies. */
static struct pto_owned_args wrong;

static void submit_wrong(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_submit_aiv(rt, FUNC_ADD, pto_owned_task_args(&wrong));
}

TEST_F(owned, misuse)
{
	struct pto_tensor t = line(source, 1), none = pto_view_1d(&t, 0, 2);
	uint64_t ids[PTO_TASK_OWN_DEPS + 1] = { 0 };
	int row;

	for (row = 0; row < 6; row++) {
		pto_owned_init(&wrong);
		if (row == 0)
			pto_owned_input(&wrong, NULL);
		else if (row == 1)
			pto_owned_dependencies(&wrong, NULL, 1);
		else if (row == 2)
			pto_owned_dependencies(&wrong, ids, PTO_TASK_OWN_DEPS + 1);
		else if (row == 3)
			pto_owned_predicate(&wrong, NULL, 0, NULL, PTO_PREDICATE_EQ, 0);
		else if (row == 4)
			pto_owned_inout(&wrong, &none);
		for (int i = 0; row == 5 && i <= PTO_TASK_MAX_TENSORS; i++)
			pto_owned_no_dep(&wrong, &t);
		EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, submit_wrong)) {
			TH_LOG("row %d", row);
		}
		EXPECT_EQ(PTO_FATAL_INVALID_ARGS, self->machine.report.code);
	}
}

TEST_HARNESS_MAIN
