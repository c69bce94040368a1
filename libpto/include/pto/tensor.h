/* SPDX-License-Identifier: MIT */
/*
 * The tensor descriptor that applications, orchestrations and kernels share, and the
 * operations on it. Layout and numbers are an ABI, bit for bit: those of tensor.h and
 * data_type.h of the seed runtime (see pto/kernel.h).
 */
#ifndef PTO_TENSOR_H
#define PTO_TENSOR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/pto.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PTO_MAX_TENSOR_DIMS	5
#define PTO_NO_TASK		UINT64_MAX

/* Data types. */
#define PTO_DTYPE_FLOAT32	0
#define PTO_DTYPE_FLOAT16	1
#define PTO_DTYPE_INT32		2
#define PTO_DTYPE_INT16		3
#define PTO_DTYPE_INT8		4
#define PTO_DTYPE_UINT8		5
#define PTO_DTYPE_BFLOAT16	6
#define PTO_DTYPE_INT64		7
#define PTO_DTYPE_UINT64	8
#define PTO_DTYPE_UINT16	9
#define PTO_DTYPE_UINT32	10
#define PTO_DTYPE_BOOL		11
#define PTO_DTYPE_FP8E4M3FN	12
#define PTO_DTYPE_FP8E8M0	13
#define PTO_DTYPE_FP4E2M1	14
#define PTO_DTYPE_COUNT		15

/* Address spaces. */
#define PTO_SPACE_HOST		0
#define PTO_SPACE_DEVICE	1

/**
 * struct pto_tensor - a strided view of a buffer
 * @addr: first byte of the buffer (not of the view)
 * @size: bytes of the buffer
 * @owner_task: task that produced the buffer, or PTO_NO_TASK
 * @start_offset: first element of the view, in elements from @addr
 * @version: version of an external buffer's content: a write of a higher version does not
 *	cover accesses of a lower one (see Documentation/dependencies.rst)
 * @ndims: dimensions in use
 * @dtype: PTO_DTYPE_*
 * @manual_dep: 1: overlap dependencies are not tracked for it
 * @is_contiguous: 1: row-major without gaps
 * @address_space: PTO_SPACE_*
 * @shapes: elements per dimension
 * @extent: elements from the first to the last one, 1 + sum((shape - 1) * stride); 0 for
 *	an empty tensor
 * @strides: elements from one index to the next, per dimension; > 0
 * @pad: 0
 */
struct pto_tensor {
	uint64_t addr;
	uint64_t size;
	uint64_t owner_task;
	uint64_t start_offset;
	int32_t version;
	uint32_t ndims;
	uint8_t dtype;
	uint8_t manual_dep;
	uint8_t is_contiguous;
	uint8_t address_space;
	uint32_t shapes[PTO_MAX_TENSOR_DIMS];
	uint64_t extent;
	uint32_t strides[PTO_MAX_TENSOR_DIMS];
	uint8_t pad[36];
} __attribute__((aligned(64)));

PTO_ABI_SIZE(pto_tensor, 128);
PTO_ABI_OFFSET(pto_tensor, addr, 0);
PTO_ABI_OFFSET(pto_tensor, size, 8);
PTO_ABI_OFFSET(pto_tensor, owner_task, 16);
PTO_ABI_OFFSET(pto_tensor, start_offset, 24);
PTO_ABI_OFFSET(pto_tensor, version, 32);
PTO_ABI_OFFSET(pto_tensor, ndims, 36);
PTO_ABI_OFFSET(pto_tensor, dtype, 40);
PTO_ABI_OFFSET(pto_tensor, manual_dep, 41);
PTO_ABI_OFFSET(pto_tensor, is_contiguous, 42);
PTO_ABI_OFFSET(pto_tensor, address_space, 43);
PTO_ABI_OFFSET(pto_tensor, shapes, 44);
PTO_ABI_OFFSET(pto_tensor, extent, 64);
PTO_ABI_OFFSET(pto_tensor, strides, 72);
PTO_ABI_OFFSET(pto_tensor, pad, 92);

/*
 * The functions below work on descriptors only and never touch the memory behind them.
 * Those that return int return 0 or a negative errno, and do not change their output on
 * failure. @out may be the same tensor as the input.
 */

/** pto_dtype_bits() - bits of one element. Return: 0 for an unknown type */
static inline uint32_t pto_dtype_bits(uint8_t dtype)
{
	static const uint8_t bits[PTO_DTYPE_COUNT] = {
		32, 16, 32, 16, 8, 8, 16, 64, 64, 16, 32, 8, 8, 8, 4,
	};

	return dtype < PTO_DTYPE_COUNT ? bits[dtype] : 0;
}

/**
 * pto_dtype_size() - bytes of one element
 *
 * Return: 0 for an unknown type and for PTO_DTYPE_FP4E2M1, two elements of which share a
 * byte; see pto_dtype_bytes().
 */
static inline uint32_t pto_dtype_size(uint8_t dtype)
{
	return pto_dtype_bits(dtype) / 8;
}

/**
 * pto_dtype_bytes() - bytes that a number of consecutive elements takes
 * @dtype: PTO_DTYPE_*
 * @count: elements
 * @bytes: the result; an odd number of 4-bit elements is rounded up
 *
 * Return: 0; -EINVAL for an unknown type, -EOVERFLOW.
 */
static inline int pto_dtype_bytes(uint8_t dtype, uint64_t count, uint64_t *bytes)
{
	uint32_t bits = pto_dtype_bits(dtype);
	uint64_t size;

	if (!bits)
		return -EINVAL;
	if (bits == 4) {
		*bytes = count / 2 + (count & 1);
		return 0;
	}
	if (__builtin_mul_overflow(count, (uint64_t)(bits / 8), &size))
		return -EOVERFLOW;
	*bytes = size;
	return 0;
}

/**
 * pto_tensor_elements() - number of elements of a tensor
 * @t: the tensor
 * @count: the result
 *
 * Return: 0; -EINVAL for a bad number of dimensions, -EOVERFLOW.
 */
static inline int pto_tensor_elements(const struct pto_tensor *t, uint64_t *count)
{
	uint64_t product = 1;
	uint32_t i;

	if (t->ndims < 1 || t->ndims > PTO_MAX_TENSOR_DIMS)
		return -EINVAL;
	for (i = 0; i < t->ndims; i++) {
		if (t->shapes[i] == 0) {
			*count = 0;
			return 0;
		}
	}
	for (i = 0; i < t->ndims; i++)
		if (__builtin_mul_overflow(product, (uint64_t)t->shapes[i], &product))
			return -EOVERFLOW;
	*count = product;
	return 0;
}

/**
 * pto_tensor_extent() - compute extent from shapes and strides
 * @t: the tensor; its cached extent is not used
 * @extent: the result; 0 for an empty tensor
 *
 * Return: 0; -EINVAL for a bad number of dimensions or a stride of 0, -EOVERFLOW.
 */
static inline int pto_tensor_extent(const struct pto_tensor *t, uint64_t *extent)
{
	uint64_t sum = 1;
	int empty = 0;
	uint32_t i;

	if (t->ndims < 1 || t->ndims > PTO_MAX_TENSOR_DIMS)
		return -EINVAL;
	for (i = 0; i < t->ndims; i++) {
		if (t->strides[i] == 0)
			return -EINVAL;
		if (t->shapes[i] == 0)
			empty = 1;
	}
	for (i = 0; i < t->ndims && !empty; i++)
		if (__builtin_add_overflow(sum, (uint64_t)(t->shapes[i] - 1) * t->strides[i], &sum))
			return -EOVERFLOW;
	*extent = empty ? 0 : sum;
	return 0;
}

/**
 * pto_tensor_contiguous() - compute is_contiguous from shapes and strides
 *
 * The stride of a dimension with one element does not matter; an empty tensor is
 * contiguous.
 */
static inline int pto_tensor_contiguous(const struct pto_tensor *t)
{
	uint64_t expect = 1;
	int dense = 1;
	uint32_t i;

	for (i = t->ndims; i-- > 0;) {
		if (t->shapes[i] == 0)
			return 1;
		if (t->shapes[i] == 1 || !dense)
			continue;
		if (t->strides[i] != expect)
			dense = 0;
		expect *= t->shapes[i];
		if (expect > UINT32_MAX)
			expect = 0;
	}
	return dense;
}

/**
 * pto_tensor_check() - is a descriptor valid?
 *
 * Checks that dimensions, type, strides and flags are in range, that the cached extent and
 * contiguity are right, and that the view lies within its buffer. The address is not checked.
 * Return: 0; -EINVAL if not, -EOVERFLOW if its sizes exceed 64 bits.
 */
static inline int pto_tensor_check(const struct pto_tensor *t)
{
	uint64_t extent, end, bytes;
	int ret;

	if (t->dtype >= PTO_DTYPE_COUNT || t->manual_dep > 1 || t->is_contiguous > 1 ||
	    t->address_space > PTO_SPACE_DEVICE)
		return -EINVAL;
	ret = pto_tensor_extent(t, &extent);
	if (ret)
		return ret;
	if (extent != t->extent || t->is_contiguous != pto_tensor_contiguous(t))
		return -EINVAL;
	if (__builtin_add_overflow(t->start_offset, extent, &end))
		return -EOVERFLOW;
	ret = pto_dtype_bytes(t->dtype, end, &bytes);
	if (ret)
		return ret;
	return bytes <= t->size ? 0 : -EINVAL;
}

/**
 * pto_tensor_make() - describe a whole buffer: row-major, without gaps
 * @out: the descriptor
 * @addr: first byte of the buffer, as the device sees it
 * @dtype: PTO_DTYPE_*
 * @ndims: dimensions, 1 to PTO_MAX_TENSOR_DIMS
 * @shapes: elements in each; 0 is allowed
 *
 * The buffer's size is that of the tensor, its address space is PTO_SPACE_DEVICE.
 * Return: 0; -EINVAL, -EOVERFLOW if a stride exceeds 32 bits or the size 64 bits.
 */
static inline int pto_tensor_make(struct pto_tensor *out, uint64_t addr, uint8_t dtype,
				  uint32_t ndims, const uint32_t *shapes)
{
	struct pto_tensor t;
	uint64_t stride = 1;
	uint32_t i;
	int ret;

	if (ndims < 1 || ndims > PTO_MAX_TENSOR_DIMS || !shapes)
		return -EINVAL;
	__builtin_memset(&t, 0, sizeof(t));
	for (i = ndims; i-- > 0;) {
		if (stride > UINT32_MAX)
			return -EOVERFLOW;
		t.shapes[i] = shapes[i];
		t.strides[i] = (uint32_t)stride;
		stride *= shapes[i] ? shapes[i] : 1;
	}
	t.addr = addr;
	t.owner_task = PTO_NO_TASK;
	t.ndims = ndims;
	t.dtype = dtype;
	t.is_contiguous = 1;
	t.address_space = PTO_SPACE_DEVICE;
	ret = pto_tensor_extent(&t, &t.extent);
	if (!ret)
		ret = pto_dtype_bytes(dtype, t.extent, &t.size);
	if (ret)
		return ret;
	*out = t;
	return 0;
}

/* Set the cached fields of a changed view and copy it to @out. */
static inline int pto_tensor_finish_(struct pto_tensor *t, struct pto_tensor *out)
{
	int ret = pto_tensor_extent(t, &t->extent);

	if (ret)
		return ret;
	t->is_contiguous = (uint8_t)pto_tensor_contiguous(t);
	*out = *t;
	return 0;
}

/**
 * pto_tensor_view() - a box of a tensor
 * @t: the tensor
 * @shapes: elements of the box in each dimension; 0 is allowed
 * @offsets: first element in each dimension
 * @out: the view
 *
 * An empty view begins where @t begins. Return: 0; -EINVAL if the box leaves the tensor.
 */
static inline int pto_tensor_view(const struct pto_tensor *t, const uint32_t *shapes,
				  const uint32_t *offsets, struct pto_tensor *out)
{
	struct pto_tensor v = *t;
	int empty = 0;
	uint32_t i;

	if (t->ndims < 1 || t->ndims > PTO_MAX_TENSOR_DIMS)
		return -EINVAL;
	for (i = 0; i < t->ndims; i++) {
		if (offsets[i] > t->shapes[i] || shapes[i] > t->shapes[i] - offsets[i])
			return -EINVAL;
		v.start_offset += (uint64_t)offsets[i] * t->strides[i];
		v.shapes[i] = shapes[i];
		empty |= shapes[i] == 0;
	}
	if (empty)
		v.start_offset = t->start_offset;
	return pto_tensor_finish_(&v, out);
}

/**
 * pto_tensor_permute() - reorder the dimensions
 * @t: the tensor
 * @order: order[i] is the dimension of @t that becomes dimension i; each one once
 * @out: the view
 *
 * Return: 0; -EINVAL if @order is not a permutation.
 */
static inline int pto_tensor_permute(const struct pto_tensor *t, const uint32_t *order,
				     struct pto_tensor *out)
{
	struct pto_tensor v = *t;
	uint32_t seen = 0;
	uint32_t i;

	if (t->ndims < 1 || t->ndims > PTO_MAX_TENSOR_DIMS)
		return -EINVAL;
	for (i = 0; i < t->ndims; i++) {
		if (order[i] >= t->ndims || (seen & (1u << order[i])))
			return -EINVAL;
		seen |= 1u << order[i];
		v.shapes[i] = t->shapes[order[i]];
		v.strides[i] = t->strides[order[i]];
	}
	return pto_tensor_finish_(&v, out);
}

/** pto_tensor_transpose() - exchange two dimensions. Return: 0; -EINVAL */
static inline int pto_tensor_transpose(const struct pto_tensor *t, uint32_t dim0, uint32_t dim1,
				       struct pto_tensor *out)
{
	uint32_t order[PTO_MAX_TENSOR_DIMS] = { 0, 1, 2, 3, 4 };

	if (t->ndims > PTO_MAX_TENSOR_DIMS || dim0 >= t->ndims || dim1 >= t->ndims)
		return -EINVAL;
	order[dim0] = dim1;
	order[dim1] = dim0;
	return pto_tensor_permute(t, order, out);
}

/**
 * pto_tensor_slice() - every step-th index of one dimension
 * @t: the tensor
 * @dim: dimension
 * @start: first index
 * @end: index after the last candidate, at least @start
 * @step: distance, at least 1
 * @out: the view
 *
 * An empty slice begins where @t begins. Return: 0; -EINVAL if a value is out of range,
 * -EOVERFLOW if the stride exceeds 32 bits.
 */
static inline int pto_tensor_slice(const struct pto_tensor *t, uint32_t dim, uint32_t start,
				   uint32_t end, uint32_t step, struct pto_tensor *out)
{
	struct pto_tensor v = *t;
	uint64_t stride;

	if (t->ndims > PTO_MAX_TENSOR_DIMS || dim >= t->ndims || step == 0 || start > end ||
	    end > t->shapes[dim])
		return -EINVAL;
	v.shapes[dim] = (end - start) / step + ((end - start) % step != 0);
	if (v.shapes[dim] > 1) {
		stride = (uint64_t)t->strides[dim] * step;
		if (stride > UINT32_MAX)
			return -EOVERFLOW;
		v.strides[dim] = (uint32_t)stride;
	}
	if (v.shapes[dim] > 0)
		v.start_offset += (uint64_t)start * t->strides[dim];
	return pto_tensor_finish_(&v, out);
}

/**
 * pto_tensor_reshape() - the same elements under another shape
 * @t: the tensor; it must be contiguous
 * @ndims: dimensions, 1 to PTO_MAX_TENSOR_DIMS
 * @shapes: elements in each; the product must be that of @t
 * @out: the view
 *
 * Return: 0; -EINVAL, -EOVERFLOW if a stride exceeds 32 bits.
 */
static inline int pto_tensor_reshape(const struct pto_tensor *t, uint32_t ndims,
				     const uint32_t *shapes, struct pto_tensor *out)
{
	struct pto_tensor v = *t;
	struct pto_tensor flat;
	uint64_t before, after;
	int ret;

	if (!pto_tensor_contiguous(t))
		return -EINVAL;
	ret = pto_tensor_elements(t, &before);
	if (!ret)
		ret = pto_tensor_make(&flat, t->addr, t->dtype, ndims, shapes);
	if (!ret)
		ret = pto_tensor_elements(&flat, &after);
	if (ret)
		return ret;
	if (before != after)
		return -EINVAL;
	v.ndims = ndims;
	__builtin_memcpy(v.shapes, flat.shapes, sizeof(v.shapes));
	__builtin_memcpy(v.strides, flat.strides, sizeof(v.strides));
	return pto_tensor_finish_(&v, out);
}

/**
 * pto_tensor_offset() - position of an element
 * @t: the tensor
 * @ndims: number of indices, that of @t
 * @index: index in each dimension
 * @offset: elements from the buffer's first one
 *
 * Return: 0; -EINVAL if an index is out of range.
 */
static inline int pto_tensor_offset(const struct pto_tensor *t, uint32_t ndims,
				    const uint32_t *index, uint64_t *offset)
{
	uint64_t sum = t->start_offset;
	uint32_t i;

	if (ndims != t->ndims || ndims < 1 || ndims > PTO_MAX_TENSOR_DIMS)
		return -EINVAL;
	for (i = 0; i < ndims; i++) {
		if (index[i] >= t->shapes[i])
			return -EINVAL;
		sum += (uint64_t)index[i] * t->strides[i];
	}
	*offset = sum;
	return 0;
}

/**
 * pto_tensor_element() - pointer to an element
 *
 * As pto_tensor_offset(). Return: NULL if an index is out of range, and for 4-bit types,
 * whose elements have no address.
 */
static inline void *pto_tensor_element(const struct pto_tensor *t, uint32_t ndims,
				       const uint32_t *index)
{
	uint32_t bytes = pto_dtype_size(t->dtype);
	uint64_t offset;

	if (!bytes || pto_tensor_offset(t, ndims, index, &offset))
		return NULL;
	return (void *)(uintptr_t)(t->addr + offset * bytes);
}

/**
 * pto_tensor_data() - pointer to the first element of the view
 *
 * For a 4-bit type the pointer is to the byte that holds the element.
 */
static inline void *pto_tensor_data(const struct pto_tensor *t)
{
	uint32_t bytes = pto_dtype_size(t->dtype);
	uint64_t offset = bytes ? t->start_offset * bytes : t->start_offset / 2;

	return (void *)(uintptr_t)(t->addr + offset);
}

#ifdef __cplusplus
}
#endif

#endif /* PTO_TENSOR_H */
