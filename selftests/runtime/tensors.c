// SPDX-License-Identifier: GPL-2.0
/*
 * Tensor descriptors: what every operation makes of good values, and that it refuses bad ones
 * without touching its output.
 */
#include <pto/orch.h>

#include "harness.h"

#define ADDR 0x10000

FIXTURE(tensors)
{
	struct pto_tensor t;		/* FLOAT32 [4][6][8] at ADDR */
	struct pto_tensor out;
	struct pto_tensor untouched;
};

FIXTURE_SETUP(tensors)
{
	const uint32_t shapes[] = { 4, 6, 8 };

	ASSERT_EQ(0, pto_tensor_make(&self->t, ADDR, PTO_DTYPE_FLOAT32, 3, shapes));
	memset(&self->untouched, 0x5a, sizeof(self->untouched));
	self->out = self->untouched;
}

FIXTURE_TEARDOWN(tensors)
{
}

/* The operation was refused, and has left its output alone. */
#define EXPECT_REFUSED(error, call) do { \
	self->out = self->untouched; \
	EXPECT_EQ(error, call); \
	EXPECT_EQ(0, memcmp(&self->out, &self->untouched, sizeof(self->out))); \
} while (0)

static bool has(const struct pto_tensor *t, uint64_t start, uint64_t extent, uint32_t ndims,
		const uint32_t *shapes, const uint32_t *strides)
{
	return !pto_tensor_check(t) && t->start_offset == start && t->extent == extent &&
	       t->ndims == ndims && !memcmp(t->shapes, shapes, ndims * sizeof(*shapes)) &&
	       !memcmp(t->strides, strides, ndims * sizeof(*strides));
}

#define U32(...) ((const uint32_t[]){ __VA_ARGS__ })

TEST_F(tensors, make)
{
	const uint32_t huge[] = { 2, 1u << 31, 4 };
	const uint32_t wide[] = { UINT32_MAX, UINT32_MAX };
	const uint32_t five[] = { 2, 3, 4, 5, 6 };

	EXPECT_TRUE(has(&self->t, 0, 192, 3, U32(4, 6, 8), U32(48, 8, 1)));
	EXPECT_EQ(192 * 4, self->t.size);
	EXPECT_EQ(1, self->t.is_contiguous);
	EXPECT_EQ(PTO_NO_TASK, self->t.owner_task);
	EXPECT_EQ(0, pto_tensor_make(&self->out, ADDR, PTO_DTYPE_UINT8, 5, five));
	EXPECT_EQ(720, self->out.size);
	EXPECT_EQ(0, pto_tensor_make(&self->out, ADDR, PTO_DTYPE_FP4E2M1, 1, U32(7)));
	EXPECT_EQ(4, self->out.size);
	EXPECT_EQ(0, pto_tensor_make(&self->out, ADDR, PTO_DTYPE_INT16, 2, U32(0, 5)));
	EXPECT_TRUE(has(&self->out, 0, 0, 2, U32(0, 5), U32(5, 1)));
	EXPECT_EQ(0, pto_tensor_make(&self->out, ADDR, PTO_DTYPE_UINT8, 2, wide));
	EXPECT_REFUSED(-EINVAL, pto_tensor_make(&self->out, 0, PTO_DTYPE_UINT8, 0, five));
	EXPECT_REFUSED(-EINVAL, pto_tensor_make(&self->out, 0, PTO_DTYPE_UINT8, 6, five));
	EXPECT_REFUSED(-EINVAL, pto_tensor_make(&self->out, 0, PTO_DTYPE_UINT8, 1, NULL));
	EXPECT_REFUSED(-EINVAL, pto_tensor_make(&self->out, 0, PTO_DTYPE_COUNT, 1, five));
	EXPECT_REFUSED(-EOVERFLOW, pto_tensor_make(&self->out, 0, PTO_DTYPE_UINT8, 3, huge));
	EXPECT_REFUSED(-EOVERFLOW, pto_tensor_make(&self->out, 0, PTO_DTYPE_UINT64, 2, wide));
}

TEST_F(tensors, view)
{
	EXPECT_EQ(0, pto_tensor_view(&self->t, U32(2, 3, 4), U32(1, 2, 3), &self->out));
	EXPECT_TRUE(has(&self->out, 48 + 16 + 3, 48 + 16 + 3 + 1, 3, U32(2, 3, 4), U32(48, 8, 1)));
	EXPECT_EQ(0, self->out.is_contiguous);
	EXPECT_EQ(0, pto_tensor_view(&self->t, U32(1, 6, 8), U32(3, 0, 0), &self->out));
	EXPECT_EQ(1, self->out.is_contiguous);
	EXPECT_EQ(0, pto_tensor_view(&self->out, U32(1, 1, 1), U32(0, 5, 7), &self->out));
	EXPECT_EQ(191, self->out.start_offset);
	/* Empty, also at the very end: it begins where the tensor does. */
	EXPECT_EQ(0, pto_tensor_view(&self->t, U32(0, 6, 8), U32(4, 0, 0), &self->out));
	EXPECT_TRUE(has(&self->out, 0, 0, 3, U32(0, 6, 8), U32(48, 8, 1)));
	EXPECT_REFUSED(-EINVAL, pto_tensor_view(&self->t, U32(4, 6, 8), U32(1, 0, 0), &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_view(&self->t, U32(0, 0, 0), U32(0, 0, 9), &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_view(&self->t, U32(1, 1, UINT32_MAX), U32(0, 0, 2),
						&self->out));
	self->t.ndims = 0;
	EXPECT_REFUSED(-EINVAL, pto_tensor_view(&self->t, U32(1, 1, 1), U32(0, 0, 0), &self->out));
	self->t.ndims = 6;
	EXPECT_REFUSED(-EINVAL, pto_tensor_view(&self->t, U32(1, 1, 1), U32(0, 0, 0), &self->out));
}

TEST_F(tensors, view_1d)
{
	struct pto_tensor line, view;

	ASSERT_EQ(0, pto_tensor_make(&line, ADDR, PTO_DTYPE_FLOAT32, 1, U32(10)));
	view = pto_view_1d(&line, 4, 3);
	EXPECT_TRUE(has(&view, 4, 3, 1, U32(3), U32(1)));
	view = pto_view_1d(&view, 1, 2);
	EXPECT_TRUE(has(&view, 5, 2, 1, U32(2), U32(1)));
	view = pto_view_1d(&line, 0, 10);
	EXPECT_EQ(0, memcmp(&view, &line, sizeof(line)));
	view = pto_view_1d(&line, 10, 0);
	EXPECT_TRUE(has(&view, 0, 0, 1, U32(0), U32(1)));
	view = pto_view_1d(&line, 8, 3);
	EXPECT_EQ(0, view.ndims);
	EXPECT_EQ(-EINVAL, pto_tensor_check(&view));
	view = pto_view_1d(&line, 11, 0);
	EXPECT_EQ(0, view.ndims);
	view = pto_view_1d(&line, 2, UINT32_MAX);
	EXPECT_EQ(0, view.ndims);
	view = pto_view_1d(&self->t, 0, 1);
	EXPECT_EQ(0, view.ndims);
	view = pto_view_1d(NULL, 0, 1);
	EXPECT_EQ(0, view.ndims);
}

TEST_F(tensors, permute)
{
	EXPECT_EQ(0, pto_tensor_permute(&self->t, U32(2, 0, 1), &self->out));
	EXPECT_TRUE(has(&self->out, 0, 192, 3, U32(8, 4, 6), U32(1, 48, 8)));
	EXPECT_EQ(0, self->out.is_contiguous);
	EXPECT_EQ(0, pto_tensor_permute(&self->out, U32(1, 2, 0), &self->out));
	EXPECT_EQ(0, memcmp(&self->out, &self->t, sizeof(self->t)));
	EXPECT_REFUSED(-EINVAL, pto_tensor_permute(&self->t, U32(0, 1, 3), &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_permute(&self->t, U32(0, 1, 1), &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_permute(&self->t, U32(UINT32_MAX, 1, 2), &self->out));
	self->t.ndims = 6;
	EXPECT_REFUSED(-EINVAL, pto_tensor_permute(&self->t, U32(0, 1, 2), &self->out));
}

TEST_F(tensors, transpose)
{
	EXPECT_EQ(0, pto_tensor_transpose(&self->t, 0, 2, &self->out));
	EXPECT_TRUE(has(&self->out, 0, 192, 3, U32(8, 6, 4), U32(1, 8, 48)));
	EXPECT_EQ(0, pto_tensor_transpose(&self->t, 1, 1, &self->out));
	EXPECT_EQ(0, memcmp(&self->out, &self->t, sizeof(self->t)));
	EXPECT_REFUSED(-EINVAL, pto_tensor_transpose(&self->t, 0, 3, &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_transpose(&self->t, 3, 0, &self->out));
	self->t.ndims = 6;
	EXPECT_REFUSED(-EINVAL, pto_tensor_transpose(&self->t, 0, 5, &self->out));
}

TEST_F(tensors, slice)
{
	struct pto_tensor wide;

	EXPECT_EQ(0, pto_tensor_slice(&self->t, 1, 1, 6, 2, &self->out));
	EXPECT_TRUE(has(&self->out, 8, 3 * 48 + 2 * 16 + 8, 3, U32(4, 3, 8), U32(48, 16, 1)));
	EXPECT_EQ(0, pto_tensor_slice(&self->t, 2, 7, 8, UINT32_MAX, &self->out));
	EXPECT_TRUE(has(&self->out, 7, 3 * 48 + 5 * 8 + 1, 3, U32(4, 6, 1), U32(48, 8, 1)));
	EXPECT_EQ(0, pto_tensor_slice(&self->t, 0, 4, 4, 1, &self->out));
	EXPECT_TRUE(has(&self->out, 0, 0, 3, U32(0, 6, 8), U32(48, 8, 1)));
	EXPECT_REFUSED(-EINVAL, pto_tensor_slice(&self->t, 3, 0, 1, 1, &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_slice(&self->t, 0, 0, 4, 0, &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_slice(&self->t, 0, 3, 2, 1, &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_slice(&self->t, 0, 0, 5, 1, &self->out));
	ASSERT_EQ(0, pto_tensor_make(&wide, 0, PTO_DTYPE_UINT8, 2, U32(4, 1u << 31)));
	EXPECT_REFUSED(-EOVERFLOW, pto_tensor_slice(&wide, 0, 0, 4, 2, &self->out));
}

TEST_F(tensors, reshape)
{
	struct pto_tensor view;

	EXPECT_EQ(0, pto_tensor_reshape(&self->t, 2, U32(3, 64), &self->out));
	EXPECT_TRUE(has(&self->out, 0, 192, 2, U32(3, 64), U32(64, 1)));
	ASSERT_EQ(0, pto_tensor_view(&self->t, U32(2, 6, 8), U32(1, 0, 0), &view));
	EXPECT_EQ(0, pto_tensor_reshape(&view, 1, U32(96), &self->out));
	EXPECT_TRUE(has(&self->out, 48, 96, 1, U32(96), U32(1)));
	EXPECT_EQ(self->t.size, self->out.size);
	EXPECT_REFUSED(-EINVAL, pto_tensor_reshape(&self->t, 1, U32(191), &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_reshape(&self->t, 0, U32(192), &self->out));
	EXPECT_REFUSED(-EINVAL, pto_tensor_reshape(&self->t, 6, U32(1, 1, 1, 1, 1, 192),
						   &self->out));
	ASSERT_EQ(0, pto_tensor_transpose(&self->t, 0, 1, &view));
	EXPECT_REFUSED(-EINVAL, pto_tensor_reshape(&view, 1, U32(192), &self->out));
	EXPECT_REFUSED(-EOVERFLOW, pto_tensor_reshape(&self->t, 3, U32(1, 1u << 31, 4),
						      &self->out));
}

TEST_F(tensors, elements)
{
	uint64_t offset = 7;

	ASSERT_EQ(0, pto_tensor_view(&self->t, U32(2, 2, 2), U32(1, 1, 1), &self->out));
	EXPECT_EQ(0, pto_tensor_offset(&self->out, 3, U32(1, 0, 1), &offset));
	EXPECT_EQ(48 + 8 + 1 + 48 + 1, offset);
	EXPECT_EQ(ADDR + 4 * offset,
		  (uintptr_t)pto_tensor_element(&self->out, 3, U32(1, 0, 1)));
	EXPECT_EQ(ADDR + 4 * (48 + 8 + 1), (uintptr_t)pto_tensor_data(&self->out));
	EXPECT_EQ(-EINVAL, pto_tensor_offset(&self->out, 2, U32(1, 0), &offset));
	EXPECT_EQ(-EINVAL, pto_tensor_offset(&self->out, 3, U32(0, 2, 0), &offset));
	EXPECT_EQ(48 + 8 + 1 + 48 + 1, offset);
	EXPECT_EQ(NULL, pto_tensor_element(&self->out, 3, U32(2, 0, 0)));
	ASSERT_EQ(0, pto_tensor_make(&self->out, ADDR, PTO_DTYPE_FP4E2M1, 1, U32(8)));
	EXPECT_EQ(NULL, pto_tensor_element(&self->out, 1, U32(0)));
	ASSERT_EQ(0, pto_tensor_view(&self->out, U32(2), U32(5), &self->out));
	EXPECT_EQ(ADDR + 2, (uintptr_t)pto_tensor_data(&self->out));
}

/* Every field that a descriptor can have wrong. */
TEST_F(tensors, check)
{
	struct pto_tensor *t = &self->out;
	int i;

	for (i = 0; i < 12; i++) {
		*t = self->t;
		EXPECT_EQ(0, pto_tensor_check(t));
		switch (i) {
		case 0:
			t->dtype = PTO_DTYPE_COUNT;
			break;
		case 1:
			t->manual_dep = 2;
			break;
		case 2:
			t->is_contiguous = 2;
			break;
		case 3:
			t->is_contiguous = 0;
			break;
		case 4:
			t->address_space = PTO_SPACE_DEVICE + 1;
			break;
		case 5:
			t->ndims = 0;
			break;
		case 6:
			t->ndims = PTO_MAX_TENSOR_DIMS + 1;
			break;
		case 7:
			t->strides[1] = 0;
			break;
		case 8:
			t->extent--;
			break;
		case 9:
			t->size--;
			break;
		case 10:
			t->start_offset = 1;
			break;
		default:
			t->shapes[0] = 5;
		}
		EXPECT_EQ(-EINVAL, pto_tensor_check(t)) {
			TH_LOG("case %d", i);
		}
	}
	*t = self->t;
	t->start_offset = UINT64_MAX;
	EXPECT_EQ(-EOVERFLOW, pto_tensor_check(t));
	t->start_offset = UINT64_MAX / 4;
	EXPECT_EQ(-EOVERFLOW, pto_tensor_check(t));
}

TEST_HARNESS_MAIN
