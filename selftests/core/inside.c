// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/kernel.h>

#include "arena.h"
#include "ctx.h"
#include "device.h"
#include "mem.h"

#include "inside.h"

void inside_age(struct pto_ctx *ctx)
{
	int i;

	for (i = 0; i < PTO_MAX_CALLABLES; i++)
		ctx->generations[i] = U32_MAX;
	for (i = 0; i < PTO_MAX_ARENAS; i++)
		if (ctx->arenas[i])
			atomic_set(&ctx->arenas[i]->epoch, -1);
	ctx->next_arena = U32_MAX;
}

int inside_has_memory(struct pto_device *pdev, uint64_t length)
{
	struct pto_mem mem = { 0 };
	int err = pto_mem_alloc(pdev, length, &mem);

	if (!err)
		pto_mem_free(pdev, &mem);
	return err;
}
