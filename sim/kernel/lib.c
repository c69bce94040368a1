// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/bitmap.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/time_namespace.h>

#include "sim_kernel.h"

int sim_log_level = 4;
s64 sim_time_offset;
u32 sim_user;
bool sim_perfmon = true;

void sim_printk(int level, const char *fmt, ...)
{
	int saved = errno;
	char line[512];
	va_list ap;
	int n;

	if (level > sim_log_level)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0) {
		size_t bytes = min_t(size_t, (size_t)n, sizeof(line) - 1);

		/* One write(), not through the application's stdio buffers. Errors are ignored. */
		if (write(STDERR_FILENO, line, bytes) < 0)
			errno = saved;
	}
	errno = saved;
}

void *memchr_inv(const void *start, int c, size_t bytes)
{
	const unsigned char *p = start;

	for (; bytes; p++, bytes--) {
		if (*p != (unsigned char)c)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

ssize_t strscpy(char *dest, const char *src, size_t count)
{
	size_t length = strnlen(src, count);

	if (!count)
		return -E2BIG;
	if (length == count) {
		memcpy(dest, src, count - 1);
		dest[count - 1] = '\0';
		return -E2BIG;
	}
	memcpy(dest, src, length + 1);
	return (ssize_t)length;
}

/* First bit that differs from the pattern (all zero or all one) at or after from. */
static unsigned long next_bit(const unsigned long *map, unsigned long bits, unsigned long from,
			      unsigned long pattern)
{
	while (from < bits) {
		unsigned long word = (map[from / BITS_PER_LONG] ^ pattern) >>
				     (from % BITS_PER_LONG);

		if (word) {
			from += (unsigned long)__builtin_ctzl(word);
			break;
		}
		from = (from / BITS_PER_LONG + 1) * BITS_PER_LONG;
	}
	return min(from, bits);
}

unsigned long find_next_zero_bit(const unsigned long *map, unsigned long bits,
				 unsigned long from)
{
	return next_bit(map, bits, from, ~0UL);
}

unsigned long find_next_bit(const unsigned long *map, unsigned long bits, unsigned long from)
{
	return next_bit(map, bits, from, 0);
}

static void fill(unsigned long *map, unsigned int start, unsigned int count, bool value)
{
	while (count) {
		unsigned int shift = start % BITS_PER_LONG;
		unsigned int n = min_t(unsigned int, count, BITS_PER_LONG - shift);
		unsigned long mask = (~0UL >> (BITS_PER_LONG - n)) << shift;

		if (value)
			map[start / BITS_PER_LONG] |= mask;
		else
			map[start / BITS_PER_LONG] &= ~mask;
		start += n;
		count -= n;
	}
}

void bitmap_set(unsigned long *map, unsigned int start, unsigned int count)
{
	fill(map, start, count, true);
}

void bitmap_clear(unsigned long *map, unsigned int start, unsigned int count)
{
	fill(map, start, count, false);
}
