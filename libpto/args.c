// SPDX-License-Identifier: MIT
/*
 * Argument lists. Adding a tensor determines its place in the staging memory, so that a submit
 * only has to copy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pto_private.h"

PTO_API struct pto_args *pto_args_new(void)
{
	PTO_KEEP_ERRNO;
	struct pto_args *args = calloc(1, sizeof(*args));

	if (args)
		args->state = PTO_LIVE(PTO_TYPE_ARGS);
	return args;
}

/* 0, -EINVAL without a list, -EBADF with one that has been freed */
static int check_list(const struct pto_args *args)
{
	if (!args)
		return -EINVAL;
	return pto_lives(&args->state, PTO_TYPE_ARGS) ? 0 : -EBADF;
}

PTO_API void pto_args_free(struct pto_args *args)
{
	if (!args || !pto_end_life(&args->state, PTO_TYPE_ARGS))
		return;
	free(args->tensors);
	free(args->slots);
	pto_retire(args, PTO_TYPE_ARGS);
}

PTO_API void pto_args_clear(struct pto_args *args)
{
	if (check_list(args))
		return;
	args->tensor_count = 0;
	args->slot_count = 0;
	args->scalar_count = 0;
	args->output_count = 0;
	args->data_bytes = 0;
	args->error = 0;
	args->reason[0] = '\0';
}

/* Note why something could not be added, unless something before it could not. Return: @rc */
static int PTO_PRINTF(3, 4) wrong(struct pto_args *args, int rc, const char *fmt, ...)
{
	va_list ap;

	if (args->error)
		return rc;
	args->error = rc;
	va_start(ap, fmt);
	vsnprintf(args->reason, sizeof(args->reason), fmt, ap);
	va_end(ap);
	return rc;
}

PTO_API const char *pto_args_error(const struct pto_args *args)
{
	if (args && check_list(args))
		return "the argument list has been freed";
	return args && args->error ? args->reason : "no failure";
}

/* Room for one more tensor and one more slot. Tensors are aligned to a cache line. */
static int make_room(struct pto_args *args)
{
	uint32_t room = args->tensor_room ? 2 * args->tensor_room : 8;
	struct pto_arg_tensor *tensors;
	struct pto_arg_slot *slots;

	if (args->tensor_count == PTO_RUN_MAX_TENSORS)
		return wrong(args, -ENOSPC, "a run takes %u tensors at most", PTO_RUN_MAX_TENSORS);
	if (args->tensor_count < args->tensor_room)
		return 0;
	slots = realloc(args->slots, room * sizeof(*slots));
	if (!slots)
		return wrong(args, -ENOMEM, "out of memory for %u tensors", room);
	args->slots = slots;
	tensors = aligned_alloc(_Alignof(struct pto_arg_tensor), room * sizeof(*tensors));
	if (!tensors)
		return wrong(args, -ENOMEM, "out of memory for %u tensors", room);
	if (args->tensors)
		memcpy(tensors, args->tensors, args->tensor_count * sizeof(*tensors));
	free(args->tensors);
	args->tensors = tensors;
	args->tensor_room = room;
	return 0;
}

/*
 * Looks for a slot with the same memory. The same memory is staged once, so that both tensors have
 * the same device address. Memory that overlaps in part only is staged twice, so this is an error
 * if one of the two tensors is written.
 */
static int find_slot(const struct pto_args *args, const void *data, uint64_t bytes, int direction,
		     uint32_t *slot)
{
	uintptr_t start = (uintptr_t)data, end = start + bytes;

	*slot = PTO_NO_SLOT;
	for (uint32_t i = 0; bytes && i < args->slot_count; i++) {
		const struct pto_arg_slot *other = &args->slots[i];
		uintptr_t other_start = (uintptr_t)other->host;
		uintptr_t other_end = other_start + other->bytes;

		if (start == other_start && bytes == other->bytes)
			*slot = i;
		else if (start < other_end && other_start < end &&
			 (direction != PTO_IN || other->direction != PTO_IN))
			return -EINVAL;
	}
	return 0;
}

static uint64_t align_data(uint64_t bytes)
{
	return (bytes + PTO_STAGE_DATA_ALIGN - 1) & ~(uint64_t)(PTO_STAGE_DATA_ALIGN - 1);
}

/* Append a slot. An empty tensor gets one, too, because its address must be valid. */
static int append_slot(struct pto_args *args, void *data, uint64_t bytes, int direction)
{
	uint64_t room = align_data(bytes ? bytes : 1);

	if (room < bytes || args->data_bytes > UINT64_MAX / 2 - room)
		return -EOVERFLOW;
	args->slots[args->slot_count++] = (struct pto_arg_slot){
		.host = data,
		.bytes = bytes,
		.offset = args->data_bytes,
		.direction = direction,
	};
	args->data_bytes += room;
	if (direction != PTO_IN)
		args->output_count++;
	return 0;
}

PTO_API int pto_args_add_host(struct pto_args *args, int direction, void *data, uint8_t dtype,
			      uint32_t ndims, const uint32_t *shape)
{
	PTO_KEEP_ERRNO;
	struct pto_tensor desc;
	uint32_t slot;
	int rc = check_list(args);

	if (rc)
		return rc;
	if (direction != PTO_IN && direction != PTO_OUT && direction != PTO_INOUT)
		return wrong(args, -EINVAL, "tensor %u: %d is no direction", args->tensor_count,
			     direction);
	rc = pto_tensor_make(&desc, 0, dtype, ndims, shape);
	if (rc)
		return wrong(args, rc, "tensor %u: %s (data type %u, %u dimensions)",
			     args->tensor_count, rc == -EOVERFLOW ? "it is too large" :
			     "data type or number of dimensions is out of range", dtype, ndims);
	if (!data && desc.size)
		return wrong(args, -EINVAL, "tensor %u: no memory for its %llu bytes",
			     args->tensor_count, (unsigned long long)desc.size);
	if (desc.size > UINT64_MAX / 2 || (uintptr_t)data + desc.size < (uintptr_t)data)
		return wrong(args, -EOVERFLOW, "tensor %u: it is too large (%llu bytes)",
			     args->tensor_count, (unsigned long long)desc.size);
	rc = find_slot(args, data, desc.size, direction, &slot);
	if (rc)
		return wrong(args, rc,
			     "tensor %u: its memory overlaps that of another one in part, and one of them is written",
			     args->tensor_count);
	rc = make_room(args);
	if (rc)
		return rc;
	if (slot == PTO_NO_SLOT) {
		slot = args->slot_count;
		rc = append_slot(args, data, desc.size, direction);
		if (rc)
			return wrong(args, rc, "tensor %u: all tensors together are too large",
				     args->tensor_count);
	} else {
		struct pto_arg_slot *shared = &args->slots[slot];

		if (shared->direction == PTO_IN && direction != PTO_IN)
			args->output_count++;
		if (shared->direction != direction)
			shared->direction = PTO_INOUT;
	}
	args->tensors[args->tensor_count++] = (struct pto_arg_tensor){
		.desc = desc, .slot = slot,
	};
	return 0;
}

/* A descriptor is an ABI for kernels, too: its size never changes. */
#define TENSOR_MIN	sizeof(struct pto_tensor)

PTO_API int pto_args_add_device_sized(struct pto_args *args, const struct pto_tensor *tensor,
				      size_t size)
{
	PTO_KEEP_ERRNO;
	struct pto_tensor desc;
	int rc = check_list(args);

	if (rc)
		return rc;
	if (!tensor)
		return wrong(args, -EINVAL, "tensor %u: no descriptor", args->tensor_count);
	rc = pto_take(&desc, sizeof(desc), tensor, size, TENSOR_MIN);
	if (rc)
		return wrong(args, rc, "tensor %u: a descriptor of %zu bytes has %s",
			     args->tensor_count, size, rc == -E2BIG ?
			     "fields that this library does not know" : "fields too few");
	rc = pto_tensor_check(&desc);
	if (rc)
		return wrong(args, rc, "tensor %u: its descriptor is not sound: see pto_tensor_check()",
			     args->tensor_count);
	rc = make_room(args);
	if (rc)
		return rc;
	args->tensors[args->tensor_count++] = (struct pto_arg_tensor){
		.desc = desc, .slot = PTO_NO_SLOT,
	};
	return 0;
}

PTO_API int pto_args_add_scalar(struct pto_args *args, uint64_t value)
{
	int rc = check_list(args);

	if (rc)
		return rc;
	if (args->scalar_count == PTO_RUN_MAX_SCALARS)
		return wrong(args, -ENOSPC, "a run takes %u scalars at most", PTO_RUN_MAX_SCALARS);
	args->scalars[args->scalar_count++] = value;
	return 0;
}

PTO_API int pto_args_add_f32(struct pto_args *args, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return pto_args_add_scalar(args, bits);
}
