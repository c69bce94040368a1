/* SPDX-License-Identifier: MIT */
/*
 * The tensor descriptor that applications, orchestrations and kernels share, and the
 * operations on it. Layout and numbers: seed runtime, tensor.h and data_type.h; they
 * are an ABI, bit for bit.
 */
#ifndef PTO_TENSOR_H
#define PTO_TENSOR_H

#include <stddef.h>
#include <stdint.h>

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
 * @version: orders uses of one external buffer; a reader of a higher version does not
 *	cover older entries
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

