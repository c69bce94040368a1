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

/*
 * For a string whose end is not known: what lies behind it in its page is readable, but
 * AddressSanitizer does not know that it may be read. It looks into memcpy().
 */
__attribute__((no_sanitize("address")))
int sim_copy_in_page(char *to, const char *from, size_t length)
{
	const volatile char *byte = from;
	size_t i;

	/* A thread's first copy finds out where its stack is. */
	if (sim_copy_in(to, from, 1))
		return -EFAULT;
	if (!sim_on_stack(from, length))
		return sim_copy_in(to, from, length);
	for (i = 0; i < length; i++)
		to[i] = byte[i];
	return 0;
}

int sim_copy_out(void *to, const void *from, size_t length)
{
	return copy_to_user(to, from, length) ? -EFAULT : 0;
}
