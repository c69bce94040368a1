// SPDX-License-Identifier: GPL-2.0
/*
 * Predicates: every comparison with every type, the order of what writes the element and
 * what it decides about, and what is left behind by a task that did not run.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <pto/kernel.h>
#include <sim/device/engine.h>

#include "harness.h"
#include "engine_fixture.h"

enum { FUNC_SET, FUNC_COUNT };

/* Writes the scalar into the first tensor. */
static void kernel_set(int64_t *args)
{
	*(uint32_t *)pto_arg_data(args, 0) = (uint32_t)pto_arg_u64(args, 1);
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_SET] = { kernel_set, PTO_CORE_AIV },
};

FIXTURE(predicates)
{
	struct machine machine;
};

FIXTURE_SETUP(predicates)
{
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A5, 2, kernels, FUNC_COUNT));
}

FIXTURE_TEARDOWN(predicates)
{
	machine_stop(&self->machine);
}

static struct pto_tensor scalar(void *p, uint8_t dtype)
{
	uint32_t one = 1;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)p, dtype, 1, &one, 0, 0);
	return t;
}

/* --- comparisons --------------------------------------------------------- */

/* An element of a type, and what is less than it, itself and greater. */
static const struct {
	uint8_t dtype;
	uint64_t element;
	int64_t less, same, greater;
} types[] = {
	{ PTO_DTYPE_BOOL, 1, 0, 1, 1 },
	{ PTO_DTYPE_INT8, 0xff, -128, -1, 127 },
	{ PTO_DTYPE_UINT8, 0xfe, 127, 254, 255 },
	{ PTO_DTYPE_INT16, 0xffff, INT16_MIN, -1, INT16_MAX },
	{ PTO_DTYPE_UINT16, 0xfffe, 0, UINT16_MAX - 1, UINT16_MAX },
	{ PTO_DTYPE_INT32, 0xffffffff, INT32_MIN, -1, INT32_MAX },
	{ PTO_DTYPE_UINT32, 0xfffffffe, INT32_MAX, UINT32_MAX - 1LL, UINT32_MAX },
	{ PTO_DTYPE_INT64, UINT64_MAX, INT64_MIN, -1, INT64_MAX },
	{ PTO_DTYPE_UINT64, UINT64_MAX - 1, INT64_MAX, -2, -1 },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static uint64_t element __attribute__((aligned(64)));
static uint32_t result[TYPES][6][3];

static void submit_set(struct pto_rt *rt, uint32_t *to, uint32_t value,
		       const struct pto_tensor *t, uint32_t op, int64_t limit)
{
	struct pto_tensor out = scalar(to, PTO_DTYPE_UINT32);
	struct pto_task_args task;
	uint32_t index = 0;

	pto_task_args_init(&task);
	pto_add_inout(&task, &out);
	pto_add_scalar(&task, value);
	pto_set_predicate(&task, t, 1, &index, op, limit);
	pto_submit_aiv(rt, FUNC_SET, &task);
}

static void entry_compare(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (size_t i = 0; i < TYPES; i++) {
		struct pto_tensor t = scalar(&element, types[i].dtype);
		struct pto_tensor all = scalar(&element, PTO_DTYPE_UINT64);

		/* Waits for those that read the value before. */
		pto_set_u64(rt, &all, 0, types[i].element);
		for (uint32_t op = 0; op < 6; op++) {
			submit_set(rt, &result[i][op][0], 1, &t, op, types[i].less);
			submit_set(rt, &result[i][op][1], 1, &t, op, types[i].same);
			submit_set(rt, &result[i][op][2], 1, &t, op, types[i].greater);
		}
	}
}

TEST_F(predicates, compare)
{
	/* Element against something less, the same, something greater. */
	static const uint32_t expected[6][3] = {
		[PTO_PREDICATE_EQ] = { 0, 1, 0 }, [PTO_PREDICATE_NE] = { 1, 0, 1 },
		[PTO_PREDICATE_LT] = { 0, 0, 1 }, [PTO_PREDICATE_LE] = { 0, 1, 1 },
		[PTO_PREDICATE_GT] = { 1, 0, 0 }, [PTO_PREDICATE_GE] = { 1, 1, 0 },
	};

	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_compare));
	for (size_t i = 0; i < TYPES; i++)
		for (int op = 0; op < 6; op++)
			for (int k = 0; k < 3; k++) {
				int column = types[i].greater == types[i].same && k == 2 ? 1 : k;

				EXPECT_EQ(expected[op][column], result[i][op][k]) {
					TH_LOG("type %u, op %d, column %d", types[i].dtype, op, k);
				}
			}
}

/* --- order --------------------------------------------------------------- */

#define ROUNDS 500

static uint32_t flag, counter, outcome[ROUNDS];

/*
 * A writer of the element, a task that depends on its value, a writer again: the one in
 * between sees what serial execution would show it. Nothing but the predicate ties them.
 */
static void entry_order(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = scalar(&flag, PTO_DTYPE_UINT32);
	struct pto_task_args task;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		pto_task_args_init(&task);
		pto_add_output_existing(&task, &t);
		pto_add_scalar(&task, i % 3);
		pto_submit_aiv(rt, FUNC_SET, &task);
		submit_set(rt, &outcome[i], 1, &t, PTO_PREDICATE_EQ, 1);
	}
}

TEST_F(predicates, order)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_order));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(i % 3 == 1, outcome[i]) {
			TH_LOG("round %u", i);
		}
	}
}

/* --- what is left behind -------------------------------------------------- */

static uint32_t initial, after;

static void entry_skipped(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT32, 4);
	struct pto_tensor t = scalar(&flag, PTO_DTYPE_UINT32);
	struct pto_tensor c = scalar(&counter, PTO_DTYPE_UINT32);
	struct pto_task_args task;
	struct pto_task skipped;
	uint32_t zero = 0;

	flag = 0;
	counter = 0;
	pto_create_set_value(&info, 77);
	pto_task_args_init(&task);
	pto_add_output(&task, &info);
	pto_add_scalar(&task, 5);
	pto_set_predicate(&task, &t, 1, &zero, PTO_PREDICATE_NE, 0);
	pto_set_block_num(&task, 50);
	skipped = pto_submit_mixed(rt, PTO_FUNC_NONE, FUNC_SET, FUNC_SET, &task);
	/* Who waits for it goes on. */
	pto_task_args_init(&task);
	pto_add_output_existing(&task, &c);
	pto_add_scalar(&task, 9);
	pto_add_dep(&task, skipped.id);
	pto_submit_aiv(rt, FUNC_SET, &task);
	initial = pto_get_u32(rt, pto_task_output(&skipped, 0), 0);
	after = pto_get_u32(rt, &c, 0);
}

TEST_F(predicates, skipped)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_skipped));
	EXPECT_EQ(77, initial);
	EXPECT_EQ(9, after);
}

TEST_HARNESS_MAIN
