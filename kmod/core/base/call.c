// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The common part of all ioctls: sizes, copies in and out.
 */
#include <linux/mm.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "base/call.h"

/* A larger struct must be zero behind the driver's. */
static __always_inline int pto_call_copy(struct pto_call *call, void *buffer, u32 size,
					 u32 min_size)
{
	int err;

	if (unlikely(get_user(call->user_size, (u32 __user *)call->user)))
		return -EFAULT;
	if (unlikely(call->user_size < min_size))
		return -EINVAL;
	/* No version of the struct is that large; do not check so much memory for zeros. */
	if (unlikely(call->user_size > PAGE_SIZE))
		return -E2BIG;
	/* A copy of constant size is faster. */
	if (__builtin_constant_p(size) && likely(call->user_size == size))
		err = copy_from_user(buffer, call->user, size) ? -EFAULT : 0;
	else
		err = copy_struct_from_user(buffer, size, call->user, call->user_size);
	if (unlikely(err))
		return err;
	call->arg = buffer;
	call->size = size;
	/* The caller may have changed the size between the two copies. */
	*(u32 *)buffer = call->user_size;
	return 0;
}

/**
 * pto_call_fetch() - fetch the caller's struct
 * @call: the call; @call->ctx and @call->user are set
 * @buffer: for the driver's copy of the struct
 * @size: bytes of the driver's struct
 * @min_size: size of the struct's first version
 *
 * Return: 0; -EFAULT; -EINVAL if the caller's struct is too small; -E2BIG if it has something
 * behind the driver's.
 */
int pto_call_fetch(struct pto_call *call, void *buffer, u32 size, u32 min_size)
{
	return pto_call_copy(call, buffer, size, min_size);
}

/* Size of the first version of struct pto_ioc_wait. */
#define PTO_WAIT_MIN offsetofend(struct pto_ioc_wait, pad2)

/** pto_call_fetch_wait() - fetch a struct pto_ioc_wait for an ioctl that waits like PTO_WAIT */
int pto_call_fetch_wait(struct pto_call *call, struct pto_ioc_wait *arg)
{
	return pto_call_copy(call, arg, sizeof(*arg), PTO_WAIT_MIN);
}

/** pto_call_reply() - copy the struct to the caller, up to the size of the caller's struct */
int pto_call_reply(struct pto_call *call)
{
	u32 bytes = min(call->user_size, call->size);

	return copy_to_user(call->user, call->arg, bytes) ? -EFAULT : 0;
}

/**
 * pto_call_log() - copy an explanation to the caller
 * @log_ptr: the caller's buffer; 0 for none
 * @log_size: bytes of the buffer
 * @text: the explanation, NUL terminated
 */
int pto_call_log(u64 log_ptr, u32 log_size, const u8 *text)
{
	size_t length = strlen((const char *)text);
	char __user *log = u64_to_user_ptr(log_ptr);
	u32 bytes;

	if (!log_ptr || !log_size)
		return 0;
	bytes = min_t(size_t, length, log_size - 1);
	if (copy_to_user(log, text, bytes) || put_user('\0', log + bytes))
		return -EFAULT;
	return 0;
}
