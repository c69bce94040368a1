// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
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

static void usage_choices(const struct example_choice *choice)
{
	char option[32];

	for (; choice && choice->name; choice++) {
		snprintf(option, sizeof(option), "%s=WORD", choice->name);
		printf("  -%c, --%-13s%s: ", choice->letter, option, choice->about);
		for (unsigned int i = 0; choice->words[i]; i++)
			printf("%s%s%s", i ? ", " : "", choice->words[i], i ? "" : " (default)");
		putchar('\n');
	}
}

static void usage(const struct example *ex)
{
	printf("Usage: %s [OPTION...]\n%s\n\n"
	       "  -d, --device=PATH  device node (default: $PTO_DEVICE, else /dev/pto0)\n"
	       "  -n, --runs=N       repetitions (default %lu)\n",
	       ex->name, ex->about, ex->repetitions);
	if (ex->size)
		printf("  -s, --size=N       %s, %lu to %lu (default %lu)\n", ex->size_what,
		       ex->min_size, ex->max_size, ex->size);
	usage_choices(ex->choices);
	printf("  -k, --kind=KIND    where the orchestration runs: device (default) or host\n"
	       "  -S, --seed=N       of the random inputs (default %lu)\n"
	       "  -h, --help         this text\n\n"
	       "Without a device, run it on the simulator: LD_PRELOAD=libptosim.so %s\n"
	       "Exit status: 0 every element was right, 1 not, 2 wrong usage.\n",
	       ex->seed, ex->name);
}

static unsigned long number(struct example *ex, char option, const char *text, unsigned long min,
			    unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < min || value > max) {
		fprintf(stderr, "%s: -%c takes a number from %lu to %lu, not \"%s\"\n", ex->name,
			option, min, max, text);
		exit(2);
	}
	return value;
}

static bool parse_choice(const struct example *ex, int letter, const char *word)
{
	struct example_choice *choice = ex->choices;

	while (choice && choice->name && choice->letter != letter)
		choice++;
	if (!choice || !choice->name)
		return false;
	for (unsigned int i = 0; choice->words[i]; i++) {
		if (!strcmp(choice->words[i], word)) {
			choice->chosen = i;
			return true;
		}
	}
	fprintf(stderr, "%s: -%c does not take \"%s\", see --help\n", ex->name, letter, word);
	exit(2);
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

/* Returns: whether there is such an option */
static bool parse_option(struct example *ex, int letter)
{
	if (letter == 'd')
		ex->device = optarg;
	else if (letter == 'n')
		ex->repetitions = number(ex, letter, optarg, 1, UINT32_MAX);
	else if (letter == 's' && ex->size)
		ex->size = number(ex, letter, optarg, ex->min_size, ex->max_size);
	else if (letter == 'k')
		ex->kind = parse_kind(ex, optarg);
	else if (letter == 'S')
		ex->seed = number(ex, letter, optarg, 0, ULONG_MAX);
	else
		return parse_choice(ex, letter, optarg);
	return true;
}

/* The common options and the example's own, in the two forms that getopt_long() wants. */
#define MAX_OPTIONS 16

static void list_options(const struct example *ex, struct option *longs, char *shorts)
{
	static const struct option common[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "runs", required_argument, NULL, 'n' },
		{ "kind", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
	};
	unsigned int count = sizeof(common) / sizeof(common[0]);

	memcpy(longs, common, sizeof(common));
	if (ex->size)
		longs[count++] = (struct option) { "size", required_argument, NULL, 's' };
	for (const struct example_choice *c = ex->choices; c && c->name; c++)
		longs[count++] = (struct option) { c->name, required_argument, NULL, c->letter };
	longs[count] = (struct option) { 0 };
	for (unsigned int i = 0; i < count; i++) {
		*shorts++ = longs[i].val;
		if (longs[i].has_arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static void parse_options(struct example *ex, int argc, char **argv)
{
	struct option longs[MAX_OPTIONS];
	char shorts[2 * MAX_OPTIONS];
	int c;

	list_options(ex, longs, shorts);
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'h') {
			usage(ex);
			exit(0);
		}
		if (c == '?' || !parse_option(ex, c)) {
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
	if (!ex->size_what)
		ex->size_what = "elements";
	if (!ex->max_size)
		ex->max_size = UINT32_MAX;
	parse_options(ex, argc, argv);
	ex->random = ex->seed;
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

void example_tensor(struct example *ex, struct pto_args *args, int direction, void *data,
		    uint8_t dtype, uint32_t ndims, const uint32_t *shape)
{
	int rc = pto_args_add_host(args, direction, data, dtype, ndims, shape);

	if (rc)
		example_fail(ex, "tensor of %u dimensions, first %u: %s", ndims, shape[0],
			     strerror(-rc));
}

void example_host(struct example *ex, struct pto_args *args, int direction, float *data,
		  size_t elements)
{
	uint32_t shape[] = { elements };

	example_tensor(ex, args, direction, data, PTO_DTYPE_FLOAT32, 1, shape);
}

struct pto_args *example_args(struct example *ex)
{
	struct pto_args *args = pto_args_new();

	if (!args)
		example_fail(ex, "no memory for arguments");
	return args;
}

void example_run(struct example *ex, int cid, const struct pto_args *args)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.rings = ex->rings;
	if (pto_run(ex->ctx, cid, args, &options, NULL))
		example_fail(ex, "%s", pto_context_error(ex->ctx));
}

void *example_alloc(struct example *ex, size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		example_fail(ex, "no memory for %zu elements", count);
	return memory;
}

/* splitmix64 */
static uint64_t next_random(struct example *ex)
{
	uint64_t x = ex->random += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

float example_uniform(struct example *ex, float low, float high)
{
	return low + (float)(next_random(ex) >> 40) * ((high - low) / (1 << 24));
}

uint32_t example_below(struct example *ex, uint32_t limit)
{
	return (next_random(ex) >> 32) * limit >> 32;
}

void example_random(struct example *ex, float *data, size_t elements)
{
	for (size_t i = 0; i < elements; i++)
		data[i] = example_uniform(ex, -8, 8);
}

bool example_check(struct example *ex, const char *what, const float *got, const float *want,
		   size_t elements)
{
	for (size_t i = 0; i < elements; i++) {
		if (got[i] == want[i])
			continue;
		fflush(stdout);
		fprintf(stderr, "%s: %s[%zu] is %.9g and should be %.9g (seed %lu)\n", ex->name,
			what, i, got[i], want[i], ex->seed);
		return false;
	}
	return true;
}

double example_near(struct example *ex, const char *what, const float *got, const double *want,
		    size_t elements, double tolerance, const double *extra)
{
	double largest = 0;

	for (size_t i = 0; i < elements; i++) {
		double allowed = tolerance + tolerance * fabs(want[i]) + (extra ? extra[i] : 0);
		double off = fabs(got[i] - want[i]);

		if (off <= allowed) {	/* not so for a NaN */
			largest = fmax(largest, off);
			continue;
		}
		fflush(stdout);
		fprintf(stderr, "%s: %s[%zu] is %.9g and should be %.9g, give or take %g (seed %lu)\n",
			ex->name, what, i, got[i], want[i], allowed, ex->seed);
		return -1;
	}
	return largest;
}

struct pto_context_stats example_stats(struct example *ex)
{
	struct pto_context_stats stats;

	if (pto_query_stats(ex->ctx, &stats))
		example_fail(ex, "%s", pto_context_error(ex->ctx));
	return stats;
}

uint64_t example_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}
