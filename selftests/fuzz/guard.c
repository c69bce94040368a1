// SPDX-License-Identifier: GPL-2.0
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guard.h"

static unsigned long live;

static void *checked(void *p)
{
	if (p && p != MAP_FAILED)
		return p;
	printf("Bail out! no memory\n");
	exit(1);
}

unsigned long guard_live(void)
{
	return live;
}

#ifdef __SANITIZE_ADDRESS__

void *guard_new(size_t bytes, size_t align)
{
	live++;
	return checked(malloc(bytes));
}

void guard_free(void *p)
{
	live -= !!p;
	free(p);
}

#else

/* How long a mapping is stands in its first page. The memory begins in the second. */
struct guard {
	size_t bytes;
};

void *guard_new(size_t bytes, size_t align)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t room = bytes ? (bytes + page - 1) & ~(page - 1) : page;
	char *at = checked(mmap(NULL, room + 2 * page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uintptr_t end = (uintptr_t)at + page + room;

	((struct guard *)at)->bytes = room + 2 * page;
	if (mprotect((void *)end, page, PROT_NONE))
		checked(NULL);
	live++;
	return (void *)((end - bytes) & ~(uintptr_t)(align - 1));
}

void guard_free(void *p)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *at;

	if (!p)
		return;
	at = (char *)((uintptr_t)p & ~(uintptr_t)(page - 1)) - page;
	munmap(at, ((struct guard *)at)->bytes);
	live--;
}

#endif
