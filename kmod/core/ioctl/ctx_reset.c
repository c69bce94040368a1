// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_CTX_RESET.
 */
#include <linux/errno.h>

#include "base/call.h"
#include "context/ctx.h"
#include "ioctl/ioctl.h"

/** pto_ioctl_ctx_reset() - PTO_CTX_RESET */
int pto_ioctl_ctx_reset(struct pto_call *call)
{
	const struct pto_ioc_ctx_reset *arg = call->arg;

	return arg->flags ? -EOPNOTSUPP : pto_ctx_reset(call->ctx);
}
