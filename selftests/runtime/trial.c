// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hosted.h"
#include "later.h"
#include "shuffle.h"
#include "trial.h"

#define ARCHS		2
#define TIMEOUT_NS	20000000000ULL

/**
 * struct trial - where programs are executed
 * @engine: by architecture and number of workers; made when they are needed first
 * @shuffle: the runtime without threads
 * @kernels: kernels by func_id
 * @host: builds graphs; of the current program
 * @arena: of the current program
 * @arena_size: its size
 * @epoch: counts runs
 * @expected: the oracle's execution
 * @actual: the runtime's
 */
struct trial {
	struct pto_engine *engine[ARCHS][MAX_WORKERS];
	struct shuffle *shuffle;
	struct pto_engine_kernel kernels[PROGRAM_FUNCS];
	struct hosted host;
	void *arena;
	uint64_t arena_size;
	uint32_t epoch;
	struct execution expected;
	struct execution actual;
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

struct trial *trial_create(void)
{
	struct trial *t = checked(calloc(1, sizeof(*t)), "no memory");
	uint32_t i, k;

	for (i = 0; i < PARTS; i++) {
		for (k = 0; k <= MAX_ARGS; k++) {
			t->kernels[FUNC_ID(i, k)].fn = kernels[i][k];
			t->kernels[FUNC_ID(i, k)].core_type = i ? PTO_CORE_AIV : PTO_CORE_AIC;
		}
	}
	t->shuffle = shuffle_create();
	execution_init(&t->expected);
	execution_init(&t->actual);
	return t;
}

void trial_destroy(struct trial *t)
{
	uint32_t i, k;

	for (i = 0; i < ARCHS; i++)
		for (k = 0; k < MAX_WORKERS; k++)
			pto_engine_destroy(t->engine[i][k]);
	shuffle_destroy(t->shuffle);
	execution_free(&t->expected);
	execution_free(&t->actual);
	free(t);
}

/* --- a program ----------------------------------------------------------- */

static struct pto_engine *engine_for(struct trial *t, const struct program *program)
{
	bool a5 = program->arch == PTO_ARCH_A5;
	struct pto_engine **engine = &t->engine[a5][program->workers - 1];
	struct pto_engine_config config = {
		.arch = program->arch, .cluster_count = a5 ? 36 : 24,
		.aicpu_threads = a5 ? 5 : 4, .workers = program->workers,
		.default_timeout_ns = TIMEOUT_NS, .enough = program->workers % 2,
	};

	if (!*engine && pto_engine_create(&config, engine))
		checked(NULL, "cannot make an engine");
	return *engine;
}

static void make_arena(struct trial *t, struct pto_dev_arena_plan plan)
{
	void *image;

	if (pto_arena_plan(&plan))
		checked(NULL, "no plan");
	image = checked(malloc(plan.image_size), "no memory");
	pto_arena_build(&plan, image);
	t->arena_size = plan.arena_size;
	t->arena = checked(mmap(NULL, t->arena_size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), "no arena");
	if (pto_arena_bind(t->arena, t->arena_size, image, plan.image_size))
		checked(NULL, "cannot bind an arena");
	free(image);
}

__attribute__((format(printf, 3, 4)))
static void fail(struct verdict *v, bool shuffled, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
	v->good = false;
	v->shuffled = shuffled;
}

/* The graph of a program whose orchestration runs on the host, for each execution anew. */
static bool build_graph(struct trial *t, struct pto_engine_run *run, struct verdict *v)
{
	if (!hosted_build(&t->host, entry, NULL)) {
		fail(v, true, "on the host: %s", t->host.rt.fatal_text);
		return false;
	}
	run->graph = t->host.graph.data;
	run->graph_size = t->host.graph.size;
	return true;
}

/* Executes the program once. @order: PTO_NO_TASK for an engine, else in that order */
static void run_once(struct trial *t, const struct program *program, uint64_t order,
		     struct verdict *v)
{
	bool shuffled = order != PTO_NO_TASK;
	bool host = program->kind == KIND_HOST;
	struct pto_engine_callable callable = {
		.entry = host ? NULL : entry, .kernels = t->kernels, .kernel_count = PROGRAM_FUNCS,
	};
	struct pto_engine_run run = {
		.callable = &callable, .arena = t->arena, .epoch = ++t->epoch,
	};
	struct pto_dev_report report = { 0 };
	const char *text;
	char why[200];

	execution_reset(&t->actual, program);
	current = &t->actual;
	if (host && !build_graph(t, &run, v))
		return;
	if (shuffled) {
		text = shuffle_run(t->shuffle, &run, program->arch, order);
		if (text)
			fail(v, true, "order %llu: %s", (unsigned long long)order, text);
	} else if (pto_engine_run(engine_for(t, program), &run, &report) != PTO_DEV_OK) {
		fail(v, false, "%u workers: %s", program->workers, (char *)report.text);
	}
	later_wait();
	if (v->good && !execution_same(&t->actual, &t->expected, why, sizeof(why)))
		fail(v, shuffled, "%s %llu: %s", shuffled ? "order" : "workers:",
		     (unsigned long long)(shuffled ? order : program->workers), why);
}

/** trial_run() - execute a program several times in one arena, until it fails */
struct verdict trial_run(struct trial *t, const struct program *program, uint32_t shuffles,
			 uint32_t threaded)
{
	struct verdict v = { .good = true };
	uint32_t i;

	execution_reset(&t->expected, program);
	oracle_execute(&t->expected);
	make_arena(t, program->rings);
	if (program->kind == KIND_HOST &&
	    hosted_init(&t->host, &program->rings, t->kernels, PROGRAM_FUNCS))
		checked(NULL, "cannot build graphs");
	for (i = 0; i < shuffles && v.good; i++)
		run_once(t, program, mix(program->seed) % 1000000 + i, &v);
	for (i = 0; i < threaded && v.good; i++)
		run_once(t, program, PTO_NO_TASK, &v);
	if (program->kind == KIND_HOST)
		hosted_free(&t->host);
	munmap(t->arena, t->arena_size);
	return v;
}
