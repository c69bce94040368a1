// SPDX-License-Identifier: MIT
/*
 * User memory for files that do not see sim/kernel's headers.
 */
#include <linux/uaccess.h>

#include "preload.h"

int sim_copy_in(void *to, const void *from, size_t length)
{
	return copy_from_user(to, from, length) ? -EFAULT : 0;
}

int sim_copy_out(void *to, const void *from, size_t length)
{
	return copy_to_user(to, from, length) ? -EFAULT : 0;
}
