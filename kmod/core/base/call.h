/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What ioctls have in common: the caller's struct, replies. For those who execute ioctls.
 */
#ifndef PTO_CORE_CALL_H
#define PTO_CORE_CALL_H

#include <linux/types.h>

#include "pto_core.h"

/**
 * struct pto_call - an ioctl in execution
 * @ctx: the context
 * @user: the caller's struct
 * @user_size: bytes of it, read once
 * @size: bytes of the driver's struct
 * @arg: the driver's copy of it
 */
struct pto_call {
	struct pto_ctx *ctx;
	void __user *user;
	u32 user_size;
	u32 size;
	void *arg;
};

int pto_call_fetch(struct pto_call *call, void *buffer, u32 size, u32 min_size);
int pto_call_fetch_wait(struct pto_call *call, struct pto_ioc_wait *arg);
int pto_call_reply(struct pto_call *call);
int pto_call_log(u64 log_ptr, u32 log_size, const u8 *text);

#endif /* PTO_CORE_CALL_H */
