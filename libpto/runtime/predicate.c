// SPDX-License-Identifier: MIT
/*
 * Predicates: an element of an integer type is compared with a value. A predicate is checked when
 * the task is submitted, and evaluated when it is dispatched.
 */
#include "runtime.h"

__attribute__((format(printf, 2, 3)))
static bool bad(struct pto_runtime *rt, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	rt->env->format(text, sizeof(text), fmt, ap);
	va_end(ap);
	pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK, "submit: predicate: %s", text);
	return false;
}

/* Range of an integer type; the values of UINT64 are all bit patterns of an int64_t. */
static bool range(uint8_t dtype, int64_t *low, int64_t *high)
{
	uint32_t bits = pto_dtype_size(dtype) * 8;

	switch (dtype) {
	case PTO_DTYPE_BOOL:
		*low = 0;
		*high = 1;
		return true;
	case PTO_DTYPE_INT8:
	case PTO_DTYPE_INT16:
	case PTO_DTYPE_INT32:
		*high = (INT64_C(1) << (bits - 1)) - 1;
		*low = -*high - 1;
		return true;
	case PTO_DTYPE_UINT8:
	case PTO_DTYPE_UINT16:
	case PTO_DTYPE_UINT32:
		*low = 0;
		*high = (INT64_C(1) << bits) - 1;
		return true;
	case PTO_DTYPE_INT64:
	case PTO_DTYPE_UINT64:
		*low = INT64_MIN;
		*high = INT64_MAX;
		return true;
	default:
		return false;
	}
}

/** pto_predicate_check() - check the predicate of a submit */
bool pto_predicate_check(struct pto_runtime *rt, const struct pto_task_args *args)
{
	const struct pto_tensor *t = args->predicate;
	int64_t low, high;
	uint64_t offset;

	if (!t || pto_tensor_check(t) || !t->addr || t->address_space != PTO_SPACE_DEVICE)
		return bad(rt, "the tensor is not valid, or not in device memory");
	if (!pto_rt_covers(rt, t, false))
		return bad(rt, "its buffer at 0x%llx, %llu bytes, is not memory of this context",
			   (unsigned long long)t->addr, (unsigned long long)t->size);
	if (!range(t->dtype, &low, &high))
		return bad(rt, "data type %u of the tensor is no integer type", t->dtype);
	if (args->predicate_value < low || args->predicate_value > high)
		return bad(rt, "%lld is no value of the tensor's data type %u",
			   (long long)args->predicate_value, t->dtype);
	if (pto_tensor_offset(t, args->predicate_ndims, args->predicate_index, &offset))
		return bad(rt, "%u indices, first %u, are out of the tensor",
			   args->predicate_ndims, args->predicate_index[0]);
	if (args->predicate_op > PTO_PREDICATE_GE)
		return bad(rt, "unknown comparison %u", args->predicate_op);
	return true;
}

/** pto_predicate_set() - copy the checked predicate of a submit to @slot */
void pto_predicate_set(struct pto_slot *slot, const struct pto_task_args *args)
{
	const struct pto_tensor *t = args->predicate;
	const void *element = pto_tensor_element(t, args->predicate_ndims, args->predicate_index);

	slot->flags |= PTO_SLOT_PREDICATE;
	slot->predicate = (uint64_t)(uintptr_t)element;
	slot->predicate_value = args->predicate_value;
	slot->predicate_op = (uint8_t)args->predicate_op;
	slot->predicate_dtype = t->dtype;
}

/* The element as a 64-bit number; those of UINT64 as bits. */
static int64_t load(const struct pto_slot *slot)
{
	const void *p = (const void *)(uintptr_t)slot->predicate;

	switch (slot->predicate_dtype) {
	case PTO_DTYPE_INT8:
		return __atomic_load_n((const int8_t *)p, __ATOMIC_RELAXED);
	case PTO_DTYPE_INT16:
		return __atomic_load_n((const int16_t *)p, __ATOMIC_RELAXED);
	case PTO_DTYPE_INT32:
		return __atomic_load_n((const int32_t *)p, __ATOMIC_RELAXED);
	case PTO_DTYPE_UINT16:
		return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
	case PTO_DTYPE_UINT32:
		return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
	case PTO_DTYPE_INT64:
	case PTO_DTYPE_UINT64:
		return __atomic_load_n((const int64_t *)p, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
	}
}

/** pto_predicate_holds() - evaluate the predicate of @slot, whose producers have completed */
bool pto_predicate_holds(const struct pto_slot *slot)
{
	int64_t element = load(slot);
	int64_t value = slot->predicate_value;
	bool less = element < value;

	if (slot->predicate_dtype == PTO_DTYPE_UINT64)
		less = (uint64_t)element < (uint64_t)value;
	switch (slot->predicate_op) {
	case PTO_PREDICATE_EQ:
		return element == value;
	case PTO_PREDICATE_NE:
		return element != value;
	case PTO_PREDICATE_LT:
		return less;
	case PTO_PREDICATE_LE:
		return less || element == value;
	case PTO_PREDICATE_GT:
		return !less && element != value;
	default:
		return !less;
	}
}
