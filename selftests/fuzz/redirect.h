/* SPDX-License-Identifier: GPL-2.0 */
/* Included before a reader that is tested: the memory it allocates is guarded. */
#ifndef PTO_TEST_REDIRECT_H
#define PTO_TEST_REDIRECT_H

#include <stdlib.h>

#include "guard.h"

#define malloc(bytes) guard_new(bytes, 8)
#define free(p) guard_free(p)

#endif /* PTO_TEST_REDIRECT_H */
