// SPDX-License-Identifier: GPL-2.0
/*
 * Serial equivalence, by property: random programs, on several numbers of threads, leave what
 * executing their tasks one after the other in the order of submission leaves.
 *
 *	random_graph [COUNT [SEED [OPS]]]
 *
 * executes COUNT programs from SEED on. A failure names the seed and the smallest number
 * of operations with which it fails: "random_graph 1 SEED OPS" repeats it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <sim/device/engine.h>

#include "program.h"

#define DEFAULT_COUNT	2000
#define RUNS		3	/* of each program in one arena, with different engines */

static const uint32_t workers[] = { 1, 2, 5 };

#define ENGINES (sizeof(workers) / sizeof(workers[0]))

struct bench {
	struct pto_engine *engine[ENGINES];
	struct pto_engine_kernel kernels[PARTS * (MAX_ARGS + 1)];
	struct program program;
	struct execution expected;
	struct execution actual;
	uint32_t epoch;
};

static struct execution *current;

static void entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	execute_program(rt, current);
}

static void *checked(void *p, const char *what)
{
	if (p && p != MAP_FAILED)
		return p;
	printf("Bail out! %s\n", what);
	exit(1);
}

static void bench_init(struct bench *b)
{
	uint32_t i, k;

	for (i = 0; i < ENGINES; i++) {
		struct pto_engine_config config = {
			.arch = PTO_ARCH_A2A3, .cluster_count = 24, .aicpu_threads = 4,
			.workers = workers[i], .default_timeout_ns = 20000000000ULL,
		};

		if (pto_engine_create(&config, &b->engine[i]))
			checked(NULL, "cannot make an engine");
	}
	for (i = 0; i < PARTS; i++) {
		for (k = 0; k <= MAX_ARGS; k++) {
			b->kernels[FUNC_ID(i, k)].fn = kernels[i][k];
			b->kernels[FUNC_ID(i, k)].core_type = i ? PTO_CORE_AIV : PTO_CORE_AIC;
		}
	}
	for (i = 0; i < MAX_EXTERNALS; i++) {
		b->expected.external[i] = checked(malloc(EXTERNAL_BYTES), "no memory");
		b->actual.external[i] = checked(malloc(EXTERNAL_BYTES), "no memory");
	}
}

static void bench_free(struct bench *b)
{
	uint32_t i;

	for (i = 0; i < ENGINES; i++)
		pto_engine_destroy(b->engine[i]);
	for (i = 0; i < MAX_EXTERNALS; i++) {
		free(b->expected.external[i]);
		free(b->actual.external[i]);
	}
}

static void *make_arena(struct bench *b, uint64_t *size)
{
	struct pto_dev_arena_plan *plan = &b->program.rings;
	void *image, *arena;

	if (pto_arena_plan(plan))
		checked(NULL, "no plan");
	image = checked(malloc(plan->image_size), "no memory");
	pto_arena_build(plan, image);
	*size = plan->arena_size;
	arena = checked(mmap(NULL, *size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), "no arena");
	if (pto_arena_bind(arena, *size, image, plan->image_size))
		checked(NULL, "cannot bind an arena");
	free(image);
	return arena;
}

static bool compare(const struct bench *b, char *why, size_t size)
{
	uint32_t i, k;

	if (b->actual.get_count != b->expected.get_count) {
		snprintf(why, size, "%u values read, not %u", b->actual.get_count,
			 b->expected.get_count);
		return false;
	}
	for (i = 0; i < b->actual.get_count; i++) {
		if (b->actual.get[i] == b->expected.get[i])
			continue;
		snprintf(why, size, "value %u read is wrong", i);
		return false;
	}
	for (i = 0; i < b->program.external_count; i++) {
		for (k = 0; k < EXTERNAL_BYTES; k++) {
			if (b->actual.external[i][k] == b->expected.external[i][k])
				continue;
			snprintf(why, size, "byte %u of buffer %u is wrong", k, i);
			return false;
		}
	}
	return true;
}

static bool run_once(struct bench *b, uint32_t engine, void *arena, char *why, size_t size)
{
	struct pto_engine_callable callable = {
		.entry = entry,
		.kernels = b->kernels,
		.kernel_count = PARTS * (MAX_ARGS + 1),
	};
	struct pto_engine_run run = { .callable = &callable, .arena = arena, .epoch = ++b->epoch };
	struct pto_dev_report report;
	uint32_t status;

	execution_reset(&b->actual, &b->program);
	current = &b->actual;
	status = pto_engine_run(b->engine[engine], &run, &report);
	if (status != PTO_DEV_OK) {
		snprintf(why, size, "status %u: %s", status, (char *)report.text);
		return false;
	}
	return compare(b, why, size);
}

static bool try_program(struct bench *b, uint64_t seed, uint32_t ops, char *why, size_t size)
{
	uint64_t arena_size;
	bool good = true;
	void *arena;
	uint32_t i;

	generate(&b->program, seed, ops);
	execution_reset(&b->expected, &b->program);
	oracle_execute(&b->expected);
	arena = make_arena(b, &arena_size);
	for (i = 0; i < RUNS && good; i++)
		good = run_once(b, (uint32_t)(seed + i) % ENGINES, arena, why, size);
	munmap(arena, arena_size);
	return good;
}

/* The shortest beginning of the program that still fails, each tried several times. */
static uint32_t minimise(struct bench *b, uint64_t seed, uint32_t ops)
{
	char why[256];
	uint32_t i;

	for (; ops > 1; ops--) {
		for (i = 0; i < 20; i++)
			if (!try_program(b, seed, ops - 1, why, sizeof(why)))
				break;
		if (i == 20)
			break;
	}
	return ops;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : DEFAULT_COUNT;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	uint32_t ops = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : MAX_OPS;
	static struct bench b;
	uint64_t tasks = 0;
	char why[256];
	uint64_t i;
	uint32_t k;

	printf("TAP version 13\n1..1\n");
	if (getenv("PTO_SELFTEST") && !strcmp(getenv("PTO_SELFTEST"), "kernel")) {
		printf("ok 1 serial_equivalence # SKIP no kernel takes part in it\n");
		return 4;
	}
	bench_init(&b);
	for (i = 0; i < count; i++) {
		if (!try_program(&b, seed + i, ops, why, sizeof(why))) {
			printf("# seed %llu: %s\n", (unsigned long long)(seed + i), why);
			printf("# repeat: random_graph 1 %llu %u\n", (unsigned long long)(seed + i),
			       argc > 3 ? ops : minimise(&b, seed + i, b.program.op_count));
			printf("not ok 1 serial_equivalence\n");
			return 1;
		}
		for (k = 0; k < b.program.op_count; k++)
			tasks += b.program.op[k].kind == OP_SUBMIT;
	}
	bench_free(&b);
	printf("# %llu programs from seed %llu, %llu tasks, %u runs each\n",
	       (unsigned long long)count, (unsigned long long)seed, (unsigned long long)tasks,
	       RUNS);
	printf("ok 1 serial_equivalence\n");
	return 0;
}
