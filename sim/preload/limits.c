// SPDX-License-Identifier: MIT
/*
 * Limits of the process (setrlimit(2)) that are too small for the simulator. The driver needs none
 * of what they limit, so a program does not expect such errors: the line on standard error says
 * which limit it is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "preload.h"
#include "raw.h"

/* Which limits may be behind an error */
static const struct limit {
	int error;
	int resource;
	const char *name;
	const char *unit;
} limits[] = {
	{ EMFILE, RLIMIT_NOFILE, "RLIMIT_NOFILE", "descriptors" },
	{ EFBIG, RLIMIT_FSIZE, "RLIMIT_FSIZE", "bytes" },
	{ ENOMEM, RLIMIT_AS, "RLIMIT_AS", "bytes" },
	{ ENOMEM, RLIMIT_DATA, "RLIMIT_DATA", "bytes" },
	{ EAGAIN, RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", "bytes" },
	{ EAGAIN, RLIMIT_AS, "RLIMIT_AS", "bytes" },
	{ EAGAIN, RLIMIT_DATA, "RLIMIT_DATA", "bytes" },
	{ EAGAIN, RLIMIT_NPROC, "RLIMIT_NPROC", "processes and threads" },
};

/* Return: is there such a limit? */
static bool current(const struct limit *which, uint64_t *value)
{
	struct rlimit limit;

	if (sim_raw(SYS_prlimit64, 0, which->resource, NULL, &limit) ||
	    limit.rlim_cur == RLIM_INFINITY)
		return false;
	*value = limit.rlim_cur;
	return true;
}

void sim_limits_explain(unsigned int index, int error)
{
	static _Atomic unsigned int explained;
	uint64_t value;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].error != error || !current(&limits[i], &value) ||
		    atomic_fetch_or(&explained, 1u << i) & 1u << i)
			continue;
		sim_say("pto%u cannot be opened: %s. %s is %llu %s", index, strerrordesc_np(error),
			limits[i].name, (unsigned long long)value, limits[i].unit);
	}
}

void sim_limits_memory(unsigned int index, uint64_t has, uint64_t wanted)
{
	char reason[64] = "";
	uint64_t value;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if ((limits[i].resource == RLIMIT_AS || limits[i].resource == RLIMIT_FSIZE) &&
		    current(&limits[i], &value) && value < wanted) {
			snprintf(reason, sizeof(reason), ": %s is %llu bytes", limits[i].name,
				 (unsigned long long)value);
			break;
		}
	sim_say("pto%u has %llu MiB of memory, since %llu MiB cannot be mapped%s", index,
		(unsigned long long)has >> 20, (unsigned long long)wanted >> 20, reason);
}
