// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "example.h"

void example_fail(struct example *ex, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", ex->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	pto_close(ex->ctx);
	exit(1);
}

static void usage(const struct example *ex)
{
	printf("Usage: %s [OPTION...]\n%s\n\n"
	       "  -d, --device=PATH  device node (default: $PTO_DEVICE, else /dev/pto0)\n"
	       "  -n, --runs=N       repetitions (default %lu)\n",
	       ex->name, ex->about, ex->repetitions);
	if (ex->size)
		printf("  -s, --size=N       elements, at least %lu (default %lu)\n", ex->min_size,
		       ex->size);
	printf("  -k, --kind=KIND    where the orchestration runs: device (default) or host\n"
	       "  -S, --seed=N       of the random inputs (default %lu)\n"
	       "  -h, --help         this text\n\n"
	       "Without a device, run it on the simulator: LD_PRELOAD=libptosim.so %s\n"
	       "Exit status: 0 every element was right, 1 not, 2 wrong usage.\n",
	       ex->seed, ex->name);
}

static unsigned long number(struct example *ex, char option, const char *text, unsigned long min)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < min || value > UINT32_MAX) {
		fprintf(stderr, "%s: -%c takes a number from %lu to %u, not \"%s\"\n", ex->name,
			option, min, UINT32_MAX, text);
		exit(2);
	}
	return value;
}

static uint32_t parse_kind(const struct example *ex, const char *text)
{
	if (!strcmp(text, "device"))
		return PTO_KIND_DEVICE_ORCH;
	if (!strcmp(text, "host"))
		return PTO_KIND_HOST_GRAPH;
	fprintf(stderr, "%s: -k takes \"device\" or \"host\", not \"%s\"\n", ex->name, text);
	exit(2);
}

static void parse_options(struct example *ex, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "runs", required_argument, NULL, 'n' },
		{ "size", required_argument, NULL, 's' },
		{ "kind", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "d:n:s:k:S:h", longs, NULL)) != -1) {
		if (c == 'd') {
			ex->device = optarg;
		} else if (c == 'n') {
			ex->repetitions = number(ex, c, optarg, 1);
		} else if (c == 's' && ex->size) {
			ex->size = number(ex, c, optarg, ex->min_size);
		} else if (c == 'k') {
			ex->kind = parse_kind(ex, optarg);
		} else if (c == 'S') {
			ex->seed = number(ex, c, optarg, 0);
		} else if (c == 'h') {
			usage(ex);
			exit(0);
		} else {
			fprintf(stderr, "Try '%s --help'.\n", ex->name);
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument: %s\n", ex->name, argv[optind]);
		exit(2);
	}
}

void example_start(struct example *ex, int argc, char **argv)
{
	ex->seed = 1;
	ex->kind = PTO_KIND_DEVICE_ORCH;
	parse_options(ex, argc, argv);
	if (pto_open(ex->device, &ex->ctx))
		example_fail(ex, "%s", pto_open_error());
}

/* Next to the program, wherever it was started from. */
void example_path(struct example *ex, const char *object, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		example_fail(ex, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	if ((size_t)snprintf(path, size, "%s/%s", self, object) >= size)
		example_fail(ex, "%s/%s: path too long", self, object);
}

struct pto_callable *example_load(struct example *ex, const char *object)
{
	struct pto_callable *callable;
	char path[PATH_MAX];

	example_path(ex, object, path, sizeof(path));
	if (pto_callable_load(path, &callable) || pto_callable_set_kind(callable, ex->kind))
		example_fail(ex, "%s", pto_callable_error());
	return callable;
}

void example_kernel(struct example *ex, struct pto_callable *callable, uint32_t func_id,
		    uint32_t core_type, const char *object)
{
	char path[PATH_MAX];

	example_path(ex, object, path, sizeof(path));
	if (pto_callable_add_kernel(callable, func_id, core_type, path))
		example_fail(ex, "%s", pto_callable_error());
}

int example_register(struct example *ex, const struct pto_callable *callable)
{
	int cid = pto_register(ex->ctx, callable);

	if (cid < 0)
		example_fail(ex, "%s", pto_context_error(ex->ctx));
	return cid;
}

void example_host(struct example *ex, struct pto_args *args, int direction, float *data,
		  size_t elements)
{
	uint32_t shape[] = { elements };
	int rc = pto_args_add_host(args, direction, data, PTO_DTYPE_FLOAT32, 1, shape);

	if (rc)
		example_fail(ex, "tensor of %zu elements: %s", elements, strerror(-rc));
}

void example_run(struct example *ex, int cid, const struct pto_args *args)
{
	if (pto_run(ex->ctx, cid, args, NULL, NULL))
		example_fail(ex, "%s", pto_context_error(ex->ctx));
}

void *example_alloc(struct example *ex, size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		example_fail(ex, "no memory for %zu elements", count);
	return memory;
}

/* xorshift64*; the state is kept in the seed. */
static uint64_t next_random(struct example *ex)
{
	uint64_t x = ex->seed ? ex->seed : 88172645463325252ull;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	ex->seed = x;
	return x * 2685821657736338717ull;
}

void example_random(struct example *ex, float *data, size_t elements)
{
	for (size_t i = 0; i < elements; i++)
		data[i] = (float)(next_random(ex) >> 40) * (16.0f / (1 << 24)) - 8.0f;
}

bool example_check(struct example *ex, const char *what, const float *got, const float *want,
		   size_t elements)
{
	for (size_t i = 0; i < elements; i++) {
		if (got[i] == want[i])
			continue;
		fflush(stdout);
		fprintf(stderr, "%s: %s[%zu] is %.9g and should be %.9g\n", ex->name, what, i,
			got[i], want[i]);
		return false;
	}
	return true;
}

uint64_t example_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}
