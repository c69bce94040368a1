/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Execution of ioctls: their common state, and the function of each.
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

int pto_call_fetch_wait(struct pto_call *call, struct pto_ioc_wait *arg);
int pto_call_reply(struct pto_call *call);
int pto_call_log(u64 log_ptr, u32 log_size, const u8 *text);

/* One function for each ioctl, see the table in ioctl.c. */
int pto_ctx_reset(struct pto_call *call);
int pto_bo_create(struct pto_call *call);
int pto_bo_info(struct pto_call *call);
int pto_bo_destroy(struct pto_call *call);
int pto_bo_copy(struct pto_call *call);
int pto_image_create(struct pto_call *call);
int pto_image_destroy(struct pto_call *call);
int pto_prepare(struct pto_call *call);
int pto_unprepare(struct pto_call *call);
int pto_prewarm(struct pto_call *call);
int pto_stream_create(struct pto_call *call);
int pto_stream_destroy(struct pto_call *call);
int pto_stream_wait(struct pto_call *call);
int pto_run(struct pto_call *call);
int pto_wait(struct pto_call *call);
int pto_query(struct pto_call *call);

#endif /* PTO_CORE_CALL_H */
