// SPDX-License-Identifier: GPL-2.0
/*
 * How regions lie to each other, over all pairs and triples of small ones: what counts as
 * apart shares no byte, and who shares one with a covered region overlaps what covers it.
 */
#include <libpto/runtime/runtime.h>

#include "harness.h"

#define MAX_REGIONS	600
#define BUFFER		12	/* bytes */

static struct pto_tensor tensors[MAX_REGIONS];
static struct pto_region regions[MAX_REGIONS];
static uint32_t count;

static void add(uint8_t dtype, uint64_t offset, uint32_t ndims, const uint32_t *shapes,
		const uint32_t *strides)
{
	struct pto_tensor *t = &tensors[count];
	uint32_t i;

	memset(t, 0, sizeof(*t));
	*t = (struct pto_tensor){
		.addr = 4096, .size = BUFFER, .owner_task = PTO_NO_TASK, .dtype = dtype,
		.ndims = ndims, .start_offset = offset, .address_space = PTO_SPACE_DEVICE,
	};
	for (i = 0; i < ndims; i++) {
		t->shapes[i] = shapes[i];
		t->strides[i] = strides[i];
	}
	if (pto_tensor_extent(t, &t->extent))
		return;
	t->is_contiguous = (uint8_t)pto_tensor_contiguous(t);
	if (!pto_tensor_check(t))
		pto_region_describe(&regions[count++], t);
}

static void add_all(uint8_t dtype)
{
	uint32_t shapes[2], strides[2];
	uint64_t offset;

	for (offset = 0; offset < 5; offset++) {
		for (shapes[0] = 1; shapes[0] <= 4; shapes[0]++)
			for (strides[0] = 1; strides[0] <= 3; strides[0]++)
				add(dtype, offset, 1, shapes, strides);
		for (shapes[0] = 1; shapes[0] <= 2; shapes[0]++) {
			for (shapes[1] = 1; shapes[1] <= 3; shapes[1]++) {
				strides[0] = 4;
				strides[1] = 1;
				add(dtype, offset, 2, shapes, strides);
				strides[1] = 2;
				add(dtype, offset, 2, shapes, strides);
			}
		}
	}
}

/* The bytes of the buffer that a tensor's elements touch, as a mask. */
static uint64_t bytes_of(const struct pto_tensor *t)
{
	uint32_t index[PTO_MAX_TENSOR_DIMS] = { 0 };
	uint32_t bits = pto_dtype_bits(t->dtype);
	uint64_t mask = 0, offset = 0, bit;
	uint32_t i;

	for (;;) {
		pto_tensor_offset(t, t->ndims, index, &offset);
		for (bit = offset * bits; bit < (offset + 1) * bits; bit++)
			mask |= 1ULL << bit / 8;
		for (i = t->ndims; i-- > 0;) {
			if (++index[i] < t->shapes[i])
				break;
			index[i] = 0;
		}
		if (i == UINT32_MAX)
			return mask;
	}
}

TEST(all_small_regions)
{
	static uint64_t mask[MAX_REGIONS];
	static uint8_t overlap[MAX_REGIONS][MAX_REGIONS];
	uint32_t a, b, c, apart = 0, covered = 0, wrong = 0;

	add_all(PTO_DTYPE_UINT8);
	add_all(PTO_DTYPE_INT16);
	add_all(PTO_DTYPE_FP4E2M1);
	for (a = 0; a < count; a++)
		mask[a] = bytes_of(&tensors[a]);
	for (a = 0; a < count; a++) {
		for (b = 0; b < count; b++) {
			overlap[a][b] = (uint8_t)pto_region_overlap(&regions[a], &regions[b]);
			apart += overlap[a][b] == PTO_OVERLAP_NONE;
			covered += overlap[a][b] == PTO_OVERLAP_COVERED;
			wrong += overlap[a][b] == PTO_OVERLAP_NONE && mask[a] & mask[b];
		}
	}
	EXPECT_EQ(0, wrong);
	for (a = 0; a < count; a++)
		for (b = 0; b < count; b++)
			for (c = 0; c < count && overlap[a][b] == PTO_OVERLAP_COVERED; c++)
				wrong += mask[c] & mask[b] && overlap[c][a] == PTO_OVERLAP_NONE;
	EXPECT_EQ(0, wrong);
	/* All of it happens. */
	EXPECT_LT(100, count);
	EXPECT_LT(count, covered);
	EXPECT_LT(count, apart);
}

TEST_HARNESS_MAIN
