// SPDX-License-Identifier: MIT
/*
 * What the simulator needs of the process and does not get: its own calls that are refused, and
 * limits (setrlimit(2)) that are too small. The driver needs none of that, so a program does not
 * expect such errors: the line on standard error says which call or limit it is.
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

/* Say which limits there are that @error may come from. Return: is there one? */
static bool explain_limits(unsigned int index, const char *what, int error)
{
	static _Atomic unsigned int explained;
	uint64_t value;
	bool any = false;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].error != error || !current(&limits[i], &value))
			continue;
		any = true;
		if (!(atomic_fetch_or(&explained, 1u << i) & 1u << i))
			sim_say("pto%u cannot be opened: %s. %s is %llu %s", index, what,
				limits[i].name, (unsigned long long)value, limits[i].unit);
	}
	return any;
}

static const char *remedy(int error)
{
	if (error == EPERM || error == EACCES || error == ENOSYS)
		return "; a seccomp filter, a security module or the kernel refuses it";
	return "";
}

void sim_limits_explain(unsigned int index, int error, const struct refusal *why)
{
	static const char *_Atomic explained;
	char what[96];

	if (why->call)
		error = why->error;
	snprintf(what, sizeof(what), "%s%s%s", why->call ?: "", why->call ? ": " : "",
		 strerrordesc_np(error) ?: "unknown error");
	if (explain_limits(index, what, error) || !why->call ||
	    atomic_exchange(&explained, why->call) == why->call)
		return;
	sim_say("pto%u cannot be opened: %s%s", index, what, remedy(error));
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
