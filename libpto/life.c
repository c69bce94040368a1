// SPDX-License-Identifier: MIT
/*
 * Objects that the application has freed. Their memory is kept for a while, so that a call that
 * uses one of them by mistake finds it marked as freed.
 *
 * There is one ring of such objects for each type of object in the process. A new one replaces the
 * oldest, whose memory is then freed. The rings are changed by atomic operations only, as a lock
 * could stay locked in a forked child.
 */
#include <stdlib.h>

#include "pto_private.h"

static struct {
	void *objects[PTO_FREED_KEPT];	/* atomic */
	uint32_t next;			/* atomic */
} freed[PTO_TYPES];

void pto_retire(void *object, enum pto_type type)
{
	uint32_t i = __atomic_fetch_add(&freed[type].next, 1, __ATOMIC_RELAXED) % PTO_FREED_KEPT;

	free(__atomic_exchange_n(&freed[type].objects[i], object, __ATOMIC_ACQ_REL));
}
