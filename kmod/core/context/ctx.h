/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Contexts: the state of an open file. For contexts and ioctls.
 */
#ifndef PTO_CORE_CTX_H
#define PTO_CORE_CTX_H

#include <linux/types.h>

#include "channel/channel.h"
#include "object/arena.h"
#include "object/bo.h"
#include "object/callable.h"
#include "object/image.h"
#include "object/stream.h"
#include "pto_core.h"

/**
 * struct pto_ctx - a context
 * @ch: its hardware context
 * @streams: its streams
 * @callables: its prepared callables
 * @arenas: its arenas
 * @bos: its buffers
 * @images: its images
 *
 * Lives from pto_ctx_open() to pto_ctx_close(), and longer if the device has not destroyed the
 * hardware context by then: it is the device's orphan then. It has no reference count. The open
 * file keeps it, and the core's caller does not call pto_ctx_close() before all other uses have
 * ended.
 */
struct pto_ctx {
	struct pto_channel ch;
	struct pto_stream_table streams;
	struct pto_callable_table callables;
	struct pto_arena_table arenas;
	struct pto_bo_table bos;
	struct pto_image_table images;
};

int pto_ctx_reset(struct pto_ctx *ctx);
u32 pto_ctx_reap(struct pto_ctx *ctx);

#endif /* PTO_CORE_CTX_H */
