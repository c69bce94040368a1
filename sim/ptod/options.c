// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pto.h>
#include <pto/version.h>
#include "options.h"

static const char usage[] =
	"Usage: ptod [OPTION]...\n"
	"A PTO accelerator in software: makes a /dev/ptoN and answers for it until it ends.\n"
	"\n"
	"  -a, --arch=NAME       architecture: a2a3 (default) or a5\n"
	"  -m, --memory=SIZE     device memory, with K, M, G or T (default 128G; only what is\n"
	"                        used takes memory of the machine)\n"
	"  -w, --workers=N       threads that execute kernels, per context (default: processors)\n"
	"  -c, --contexts=N      contexts that can be open at once (default 64)\n"
	"  -t, --timeout-ms=N    how long nothing may move in a run that gives no bound\n"
	"                        (default 50000)\n"
	"      --control=PATH    control node of the driver (default /dev/pto-control)\n"
	"  -p, --print           print the name of the device's node when it is there\n"
	"      --ready-fd=FD     write it to descriptor FD, and close that\n"
	"  -h, --help            print this\n"
	"  -V, --version         print the version\n"
	"\n"
	"It stays in the foreground. SIGTERM or SIGINT ends it, and the device with it.\n";

#define OPT_CONTROL	256
#define OPT_READY_FD	257

static const struct option long_options[] = {
	{ "arch", required_argument, NULL, 'a' },
	{ "memory", required_argument, NULL, 'm' },
	{ "workers", required_argument, NULL, 'w' },
	{ "contexts", required_argument, NULL, 'c' },
	{ "timeout-ms", required_argument, NULL, 't' },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "print", no_argument, NULL, 'p' },
	{ "ready-fd", required_argument, NULL, OPT_READY_FD },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* Parse a number in [low, high]; print an error for anything else. */
static bool parse_number(const char *what, const char *text, uint64_t low, uint64_t high,
			 uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (!errno && end != text && !*end && *text != '-' && *value >= low && *value <= high)
		return true;
	fprintf(stderr, "ptod: --%s: '%s' is not a number from %llu to %llu\n", what, text,
		(unsigned long long)low, (unsigned long long)high);
	return false;
}

/* Parse a size such as 512M. */
static bool parse_size(const char *text, uint64_t *value)
{
	static const char units[] = "KMGT";
	const char *unit = NULL;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (*end && !end[1])
		unit = strchr(units, *end);
	if (!errno && end != text && *text != '-' && *value && (!*end || unit)) {
		uint64_t factor = unit ? 1ULL << (10 * (unit - units + 1)) : 1;

		if (!__builtin_mul_overflow(*value, factor, value) && *value <= LONG_MAX)
			return true;
	}
	fprintf(stderr, "ptod: --memory: '%s' is not a size such as 512M or 16G\n", text);
	return false;
}

static bool parse_arch(const char *text, uint32_t *arch)
{
	*arch = 0;
	if (!strcmp(text, "a2a3"))
		*arch = PTO_ARCH_A2A3;
	else if (!strcmp(text, "a5"))
		*arch = PTO_ARCH_A5;
	else
		fprintf(stderr, "ptod: --arch: '%s' is neither a2a3 nor a5\n", text);
	return *arch != 0;
}

/* Parse the number of an open descriptor, and set FD_CLOEXEC, so that no child inherits it. */
static bool parse_fd(const char *text, int *fd)
{
	uint64_t value;

	if (!parse_number("ready-fd", text, 0, INT_MAX, &value))
		return false;
	*fd = (int)value;
	if (fcntl(*fd, F_SETFD, FD_CLOEXEC) == 0)
		return true;
	fprintf(stderr, "ptod: --ready-fd: descriptor %d is not open\n", *fd);
	return false;
}

static bool parse_option(int option, const char *text, struct options *o)
{
	uint64_t n;

	switch (option) {
	case 'a':
		return parse_arch(text, &o->device.arch);
	case 'm':
		return parse_size(text, &o->device.memory_size);
	case 'w':
		if (!parse_number("workers", text, 1, 1024, &n))
			return false;
		o->device.workers = (uint32_t)n;
		return true;
	case 'c':
		if (!parse_number("contexts", text, 1, 1024, &n))
			return false;
		o->device.max_contexts = (uint32_t)n;
		return true;
	case 't':
		if (!parse_number("timeout-ms", text, 1, 1ULL << 40, &n))
			return false;
		o->device.default_timeout_ns = n * 1000000;
		return true;
	case OPT_CONTROL:
		o->control = text;
		return true;
	case 'p':
		o->print = true;
		return true;
	case OPT_READY_FD:
		return parse_fd(text, &o->ready_fd);
	default:
		fputs("Try 'ptod --help'.\n", stderr);
		return false;
	}
}

int options_parse(int argc, char **argv, struct options *o)
{
	int option;

	*o = (struct options){
		.device = { .arch = PTO_ARCH_A2A3, .isolate = true, .name = "ptod" },
		.control = "/dev/pto-control",
		.ready_fd = -1,
	};
	while ((option = getopt_long(argc, argv, "a:m:w:c:t:phV", long_options, NULL)) >= 0) {
		if (option == 'h')
			return fputs(usage, stdout) < 0;
		if (option == 'V')
			return puts("ptod " PTO_VERSION) < 0;
		if (!parse_option(option, optarg, o))
			return 2;
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "ptod: unexpected argument '%s'\nTry 'ptod --help'.\n", argv[optind]);
	return 2;
}
