// SPDX-License-Identifier: GPL-2.0
/* A kernel that needs what nobody has. */
#include <pto/kernel.h>

void nobody_has_this(void);

void kernel_entry(int64_t *args)
{
	nobody_has_this();
}
