// SPDX-License-Identifier: MIT
/*
 * Arguments of a run. They lie in a buffer that the application can write at any time, so they are
 * copied once. The copy is checked, and the engine gets the copy.
 */
#include <string.h>

#include <pto/tensor.h>
#include "internal.h"

/* Check the counts. Return: size of the arguments, 0 if they are invalid */
static uint64_t args_check_header(const struct pto_dev_cmd_run *cmd,
				  const struct pto_run_args *args, struct outcome *out)
{
	uint64_t need;

	if (args->tensor_count > PTO_RUN_MAX_TENSORS || args->scalar_count > PTO_RUN_MAX_SCALARS) {
		outcome_fail(out, PTO_DEV_INVALID,
			     "arguments: %u tensors and %u scalars, the limits are %u and %u",
			     args->tensor_count, args->scalar_count, PTO_RUN_MAX_TENSORS,
			     PTO_RUN_MAX_SCALARS);
		return 0;
	}
	need = PTO_RUN_ARGS_SIZE(args->tensor_count, args->scalar_count);
	if (need == cmd->args_size)
		return need;
	outcome_fail(out, PTO_DEV_INVALID,
		     "arguments: %u tensors and %u scalars are %llu bytes, given are %u",
		     args->tensor_count, args->scalar_count, (unsigned long long)need,
		     cmd->args_size);
	return 0;
}

/* Explain why pto_tensor_check() has failed. */
static void tensor_explain(const struct pto_tensor *t, uint32_t i, struct outcome *out)
{
	uint64_t extent;

	if (t->dtype >= PTO_DTYPE_COUNT)
		outcome_fail(out, PTO_DEV_INVALID, "tensor %u: unknown data type %u", i, t->dtype);
	else if (t->ndims < 1 || t->ndims > PTO_MAX_TENSOR_DIMS)
		outcome_fail(out, PTO_DEV_INVALID, "tensor %u: %u dimensions, possible are 1 to %u",
			     i, t->ndims, PTO_MAX_TENSOR_DIMS);
	else if (t->manual_dep > 1 || t->is_contiguous > 1 || t->address_space > PTO_SPACE_DEVICE)
		outcome_fail(out, PTO_DEV_INVALID, "tensor %u: a flag is neither 0 nor 1", i);
	else if (pto_tensor_extent(t, &extent))
		outcome_fail(out, PTO_DEV_INVALID, "tensor %u: a stride is 0, or its extent "
			     "exceeds 64 bits", i);
	else if (extent != t->extent)
		outcome_fail(out, PTO_DEV_INVALID,
			     "tensor %u: extent is %llu elements, its shape makes %llu", i,
			     (unsigned long long)t->extent, (unsigned long long)extent);
	else if (t->is_contiguous != pto_tensor_contiguous(t))
		outcome_fail(out, PTO_DEV_INVALID, "tensor %u: is_contiguous is %u, its strides "
			     "say otherwise", i, t->is_contiguous);
	else
		outcome_fail(out, PTO_DEV_INVALID,
			     "tensor %u: elements %llu to %llu are beyond its buffer of %llu bytes",
			     i, (unsigned long long)t->start_offset,
			     (unsigned long long)(t->start_offset + extent),
			     (unsigned long long)t->size);
}

static bool tensor_check(struct context *ctx, const struct pto_tensor *t, uint32_t i,
			 struct outcome *out)
{
	if (pto_tensor_check(t)) {
		tensor_explain(t, i, out);
		return false;
	}
	if (context_covers(ctx, t->addr, t->size, PTO_DEV_PROT_READ))
		return true;
	outcome_fail(out, PTO_DEV_INVALID,
		     "tensor %u: its buffer at 0x%llx, %llu bytes, is not memory of this context",
		     i, (unsigned long long)t->addr, (unsigned long long)t->size);
	return false;
}

/**
 * args_fetch() - copy the arguments of a run, and check them
 * @ctx: the context; the copy is ctx->args
 * @cmd: the run
 * @out: fails with PTO_DEV_INVALID
 *
 * Return: the copy, or NULL if the run has no arguments or they are invalid.
 */
const struct pto_run_args *args_fetch(struct context *ctx, const struct pto_dev_cmd_run *cmd,
				      struct outcome *out)
{
	const struct pto_tensor *tensors = (const void *)((const char *)ctx->args + 64);
	const char *from = (const char *)(uintptr_t)cmd->args_addr;
	struct pto_run_args *args = ctx->args;
	uint64_t size;
	uint32_t i;

	if (!cmd->args_addr && !cmd->args_size)
		return NULL;
	if (cmd->args_size < sizeof(*args) || cmd->args_addr % 64 ||
	    !context_covers(ctx, cmd->args_addr, cmd->args_size, PTO_DEV_PROT_READ)) {
		outcome_fail(out, PTO_DEV_INVALID,
			     "arguments: none can be at address 0x%llx, size %u",
			     (unsigned long long)cmd->args_addr, cmd->args_size);
		return NULL;
	}
	memcpy(args, from, sizeof(*args));
	size = args_check_header(cmd, args, out);
	if (!size)
		return NULL;
	memcpy(args + 1, from + sizeof(*args), size - sizeof(*args));
	for (i = 0; i < args->tensor_count; i++)
		if (!tensor_check(ctx, &tensors[i], i, out))
			return NULL;
	return args;
}
