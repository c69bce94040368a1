// SPDX-License-Identifier: MIT
/*
 * Preloaded when coverage is measured: a process that ends with _exit() writes its counters
 * too.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_OBJECTS 64

void coverage_register(void (*dump)(void));

static void (*dumps[MAX_OBJECTS])(void);
static atomic_uint count;

/* An object registers when it is loaded, and is not unloaded. */
void coverage_register(void (*dump)(void))
{
	unsigned int i = atomic_fetch_add(&count, 1);

	if (i >= MAX_OBJECTS)
		abort();
	dumps[i] = dump;
}

void _exit(int status)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		dumps[i]();
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}
