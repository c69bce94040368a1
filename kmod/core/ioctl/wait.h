/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Waiting for a run. For the other ioctls.
 */
#ifndef PTO_CORE_WAIT_H
#define PTO_CORE_WAIT_H

#include <linux/types.h>

struct pto_call;
struct pto_queue;
struct pto_stream;

#define PTO_RUN_STREAM_SHIFT	48
#define PTO_RUN_SEQ_MASK	((1ULL << PTO_RUN_STREAM_SHIFT) - 1)

int pto_wait_check(const struct pto_call *call);
int pto_wait_for(struct pto_call *call, struct pto_stream *s);
bool pto_wait_ended(struct pto_queue *q, void *seq);

#endif /* PTO_CORE_WAIT_H */
