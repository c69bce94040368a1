// SPDX-License-Identifier: MIT
/*
 * Structs that cross the border between a program and this library, which may know shorter or
 * longer forms of them. Fields are only appended, and 0 in a field is what was before there was one.
 */
#include <string.h>

#include "pto_private.h"

#define SIZE_MAX_IN	4096u	/* no version of a struct is that large: do not look for zeros there */

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
