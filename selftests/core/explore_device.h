/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before everything else when the device's side of the queues is compiled for the
 * explorer: it uses the compiler's atomic operations besides those of C11.
 */
#ifndef EXPLORE_DEVICE_H
#define EXPLORE_DEVICE_H

#include "../runtime/explore.h"

#define __atomic_load_n(p, order)		atomic_load_explicit(p, order)
#define __atomic_store_n(p, value, order)	atomic_store_explicit(p, value, order)

#endif /* EXPLORE_DEVICE_H */
