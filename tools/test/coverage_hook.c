// SPDX-License-Identifier: MIT
/*
 * Linked into every program and library that is built for coverage: tells coverage_exit.c how
 * its counters are written.
 */
#include <dlfcn.h>
#include <stddef.h>

void __gcov_dump(void);

__attribute__((constructor)) static void announce(void)
{
	void *sym = dlsym(RTLD_DEFAULT, "coverage_register");
	void (*announce_to)(void (*dump)(void));

	if (!sym)
		return;
	__builtin_memcpy(&announce_to, &sym, sizeof(announce_to));
	announce_to(__gcov_dump);
}
