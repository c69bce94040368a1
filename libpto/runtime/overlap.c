// SPDX-License-Identifier: MIT
/*
 * Overlap of two regions of a buffer.
 *
 * The result is exact for boxes of one grid and for contiguous regions, else conservative.
 * Divisions are done once, when a region is described, and not for each comparison.
 */
#include "runtime.h"

/** pto_tensor_begin() - byte of the buffer that holds the first element */
uint64_t pto_tensor_begin(const struct pto_tensor *t)
{
	uint32_t bytes = pto_dtype_size(t->dtype);

	return bytes ? t->start_offset * bytes : t->start_offset / 2;
}

/** pto_tensor_end() - byte behind the one that holds the last element */
uint64_t pto_tensor_end(const struct pto_tensor *t)
{
	uint32_t bytes = pto_dtype_size(t->dtype);
	uint64_t index = t->start_offset + t->extent;

	return bytes ? index * bytes : index / 2 + (index & 1);
}

/*
 * Split the first element's offset into an index per dimension, strides descending. The result is
 * valid only if every stride is a multiple of the next one and the box does not run over the end
 * of its row, so that indices and offsets correspond one to one. Otherwise, and for indices of
 * more than 32 bits, returns false.
 */
static bool split_start(struct pto_region *r, uint64_t start)
{
	uint64_t index;
	uint32_t i;

	for (i = 0; i < r->ndims; i++) {
		index = start;
		if (r->strides[i] == 1) {
			start = 0;
		} else {
			index = start / r->strides[i];
			start -= index * r->strides[i];
		}
		if (index > UINT32_MAX)
			return false;
		r->index[i] = (uint32_t)index;
		if (i && (r->strides[i - 1] % r->strides[i] ||
			  index + r->shapes[i] > r->strides[i - 1] / r->strides[i]))
			return false;
	}
	r->rest = (uint32_t)start;
	return true;
}

/** pto_region_describe() - fill in the fields of @r that describe @t, which is not empty */
void pto_region_describe(struct pto_region *r, const struct pto_tensor *t)
{
	r->addr = t->addr;
	r->begin = pto_tensor_begin(t);
	r->end = pto_tensor_end(t);
	r->dtype = t->dtype;
	r->ndims = (uint8_t)t->ndims;
	r->is_contiguous = t->is_contiguous;
	__builtin_memcpy(r->shapes, t->shapes, sizeof(r->shapes));
	__builtin_memcpy(r->strides, t->strides, sizeof(r->strides));
	/* Elements of 4 bits share bytes: their boxes touch each other. */
	r->is_box = pto_dtype_size(t->dtype) && split_start(r, t->start_offset);
}

/** pto_region_is() - does @t, whose first byte is @begin and end @end, select the region @r? */
bool pto_region_is(const struct pto_region *r, const struct pto_tensor *t, uint64_t begin,
		   uint64_t end)
{
	uint32_t i;

	if (r->addr != t->addr || r->begin != begin || r->end != end || r->dtype != t->dtype ||
	    r->ndims != t->ndims)
		return false;
	for (i = 0; i < r->ndims; i++)
		if (r->shapes[i] != t->shapes[i] || r->strides[i] != t->strides[i])
			return false;
	return true;
}

static bool same_grid(const struct pto_region *a, const struct pto_region *b)
{
	uint32_t i;

	if (a->dtype != b->dtype || a->ndims != b->ndims)
		return false;
	for (i = 0; i < a->ndims; i++)
		if (a->strides[i] != b->strides[i])
			return false;
	return true;
}

/* Elements of 4 bits may begin in one byte and end in different ones. */
static bool same_box(const struct pto_region *a, const struct pto_region *b)
{
	uint32_t i;

	if (a->begin != b->begin || a->end != b->end)
		return false;
	for (i = 0; i < a->ndims; i++)
		if (a->shapes[i] != b->shapes[i])
			return false;
	return true;
}

/*
 * Compare two boxes of one grid. With different rests they have no common element, because the
 * last stride divides all others.
 */
static int box_overlap(const struct pto_region *later, const struct pto_region *earlier)
{
	bool covered = true;
	uint32_t i;

	if (later->rest != earlier->rest)
		return PTO_OVERLAP_NONE;
	for (i = 0; i < later->ndims; i++) {
		uint64_t a = later->index[i], a_end = a + later->shapes[i];
		uint64_t b = earlier->index[i], b_end = b + earlier->shapes[i];

		if (a >= b_end || b >= a_end)
			return PTO_OVERLAP_NONE;
		if (a > b || a_end < b_end)
			covered = false;
	}
	return covered ? PTO_OVERLAP_COVERED : PTO_OVERLAP_PARTIAL;
}

/**
 * pto_region_overlap() - how does a later access relate to an earlier one?
 * @later: region of the later one
 * @earlier: region of the earlier one
 *
 * Whether it is PTO_OVERLAP_NONE does not depend on which one is later.
 */
int pto_region_overlap(const struct pto_region *later, const struct pto_region *earlier)
{
	if (later->addr != earlier->addr || later->begin >= earlier->end ||
	    earlier->begin >= later->end)
		return PTO_OVERLAP_NONE;
	if (same_grid(later, earlier)) {
		if (same_box(later, earlier))
			return PTO_OVERLAP_COVERED;
		if (later->is_box && earlier->is_box)
			return box_overlap(later, earlier);
	}
	if (pto_dtype_size(later->dtype) && later->is_contiguous &&
	    later->begin <= earlier->begin && later->end >= earlier->end)
		return PTO_OVERLAP_COVERED;
	return PTO_OVERLAP_PARTIAL;
}
