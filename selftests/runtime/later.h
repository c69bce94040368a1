/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An engine that works beside the cores, as a DMA engine does: what kernels leave to it is
 * done later, by a thread of its own.
 */
#ifndef PTO_TEST_LATER_H
#define PTO_TEST_LATER_H

#include <stddef.h>

/** later_post() - have @fn called with a copy of @size bytes at @data */
void later_post(void (*fn)(void *data), const void *data, size_t size);

/** later_wait() - wait until everything that was posted has been done */
void later_wait(void);

#endif /* PTO_TEST_LATER_H */
