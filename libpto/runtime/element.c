// SPDX-License-Identifier: MIT
/*
 * Elements that the orchestration reads and writes itself.
 */
#include <errno.h>

#include "runtime.h"

/* Make @view select the one element of @t. Return: its address; NULL after an error. */
static void *locate(struct pto_runtime *rt, const struct pto_tensor *t, uint32_t ndims,
		    const uint32_t *index, size_t bytes, bool write,
		    struct pto_tensor *view)
{
	uint64_t offset;
	uint32_t i;

	if (!t || !index || pto_tensor_check(t) || !t->addr) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "element access: the tensor is not valid");
		return NULL;
	}
	if (!pto_rt_covers(rt, t, write)) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "element access: the buffer at 0x%llx, %llu bytes, is not memory of this context%s",
			     (unsigned long long)t->addr, (unsigned long long)t->size,
			     write ? " that it may write" : "");
		return NULL;
	}
	if (bytes != pto_dtype_size(t->dtype)) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, t->owner_task,
			     "element access: %llu bytes, but data type %u has %u",
			     (unsigned long long)bytes, t->dtype, pto_dtype_size(t->dtype));
		return NULL;
	}
	if (pto_tensor_offset(t, ndims, index, &offset)) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, t->owner_task,
			     "element access: %u indices, first %u, are out of a tensor of %u dimensions, first %u",
			     ndims, ndims ? index[0] : 0, t->ndims, t->shapes[0]);
		return NULL;
	}
	*view = *t;
	for (i = 0; i < t->ndims; i++)
		view->shapes[i] = 1;
	view->start_offset = offset;
	view->extent = 1;
	view->is_contiguous = 1;
	return pto_tensor_data(view);
}

/** pto_rt_get() - see pto_get_element() */
int pto_rt_get(struct pto_rt *handle, const struct pto_tensor *t, uint32_t ndims,
	       const uint32_t *index, void *value, size_t bytes)
{
	struct pto_runtime *rt = pto_runtime_of(handle);
	struct pto_tensor view;
	void *element;

	__builtin_memset(value, 0, bytes);
	if (pto_rt_fatal_code(rt))
		return -EINVAL;
	element = locate(rt, t, ndims, index, bytes, false, &view);
	if (!element || !pto_deps_wait(rt, &view, false))
		return -EINVAL;
	if (rt->graph)
		element = pto_graph_view(rt, (uintptr_t)element, bytes);
	if (!element)
		return -EINVAL;
	__builtin_memcpy(value, element, bytes);
	return 0;
}

/** pto_rt_set() - see pto_set_element() */
int pto_rt_set(struct pto_rt *handle, const struct pto_tensor *t, uint32_t ndims,
	       const uint32_t *index, const void *value, size_t bytes)
{
	struct pto_runtime *rt = pto_runtime_of(handle);
	struct pto_tensor view;
	void *element;

	if (pto_rt_fatal_code(rt))
		return -EINVAL;
	element = locate(rt, t, ndims, index, bytes, true, &view);
	if (!element || !pto_deps_wait(rt, &view, true))
		return -EINVAL;
	if (rt->graph)
		element = pto_graph_view(rt, (uintptr_t)element, bytes);
	if (!element)
		return -EINVAL;
	__builtin_memcpy(element, value, bytes);
	return 0;
}
