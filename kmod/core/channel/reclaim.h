/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Deferred freeing of objects that runs may still be using. For objects and contexts.
 */
#ifndef PTO_CORE_RECLAIM_H
#define PTO_CORE_RECLAIM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

#include "channel/channel.h"

#define PTO_DEFERRED_COMMANDS 2

/**
 * struct pto_deferred_ops - how an object is freed
 * @commands: fill in the commands that take it from the hardware context; returns their number
 * @release: free it; the hardware context does not have it any more
 */
struct pto_deferred_ops {
	unsigned int (*commands)(struct pto_deferred *d, union pto_command *cmd);
	void (*release)(struct pto_deferred *d);
};

void pto_defer(struct pto_channel *ch, struct pto_deferred *d, const struct pto_deferred_ops *ops);
void pto_reclaim_init(struct pto_channel *ch);
void pto_reclaim_start(struct pto_channel *ch);
void pto_reclaim_reap(struct pto_channel *ch);
bool pto_reclaim_settle(struct pto_channel *ch, int before);
int pto_reclaim_alloc(struct pto_channel *ch, u64 length, struct pto_mem *mem);
int pto_reclaim_command(struct pto_channel *ch, union pto_command *cmd, struct pto_reply *reply);
int pto_reclaim_give(struct pto_channel *ch, union pto_command *cmd, struct pto_deferred *d);
bool pto_reclaim_given(struct pto_channel *ch, const struct pto_deferred *d);
void pto_reclaim_all(struct pto_channel *ch);

/* Are there deferred objects? Asked after completions were taken, which may let some go. */
static inline bool pto_reclaim_pending(struct pto_channel *ch)
{
	return unlikely(atomic_read(&ch->client.pending));
}

/* Called before an allocation or command that may fail for want of what is being freed. */
static inline int pto_reclaim_mark(struct pto_channel *ch)
{
	return atomic_read(&ch->reclaim.freed);
}

#endif /* PTO_CORE_RECLAIM_H */
