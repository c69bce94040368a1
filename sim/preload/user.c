// SPDX-License-Identifier: MIT
/*
 * Access to user memory, for files that do not include sim/kernel's headers.
 */
#include <linux/uaccess.h>

#include "preload.h"

int sim_copy_in(void *to, const void *from, size_t length)
{
	return copy_from_user(to, from, length) ? -EFAULT : 0;
}

/*
 * For a string of unknown length: the bytes behind it in its page are readable, but for
 * AddressSanitizer they are out of bounds. It checks memcpy(), so a string on the stack is
 * copied by a loop.
 */
__attribute__((no_sanitize("address")))
int sim_copy_in_page(char *to, const char *from, size_t length)
{
	const volatile char *byte = from;
	size_t i;

	/* A thread's first copy determines where its stack is; sim_on_stack() needs that. */
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
