// SPDX-License-Identifier: MIT
/*
 * Copying of structs between a program and this library, which may know longer or shorter
 * versions of them. Fields are only appended; 0 in a new field means the earlier behaviour.
 */
#include <string.h>

#include "pto_private.h"

#define SIZE_MAX_IN	4096u	/* no version is that large: a larger struct is refused at once */

void pto_give(void *to, size_t to_size, const void *from, size_t from_size)
{
	size_t both = to_size < from_size ? to_size : from_size;

	if (!to)
		return;
	memcpy(to, from, both);
	memset((char *)to + both, 0, to_size - both);
}

int pto_take(void *to, size_t to_size, const void *from, size_t from_size, size_t least)
{
	const unsigned char *bytes = from;

	if (from_size < least)
		return -EINVAL;
	if (from_size > SIZE_MAX_IN)
		return -E2BIG;
	for (size_t i = to_size; i < from_size; i++)
		if (bytes[i])
			return -E2BIG;
	memset(to, 0, to_size);
	memcpy(to, from, to_size < from_size ? to_size : from_size);
	return 0;
}
