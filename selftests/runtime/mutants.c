// SPDX-License-Identifier: GPL-2.0
/*
 * Can the check of serial equivalence fail? Each test disables one rule of the runtime: then
 * random_graph's programs must show it, as many of them as make test executes.
 *
 * The runtime here is the real one. The linker hands the calls between its files to the
 * wrappers below (--wrap), which do what they are told to do wrong.
 */
#include <stdlib.h>

#include "harness.h"
#include "minimise.h"

#include <libpto/runtime/runtime.h>

#define PROGRAMS 2000

enum mutation {
	NO_EXPLICIT,		/* rule 1: explicit dependencies */
	NO_OWNERS,		/* rule 2 */
	NO_RETAIN,		/* a task keeps nothing of those that it depends on */
	NO_RAW,			/* rule 3: what INPUT waits for */
	NO_WAW,			/* rule 3: what OUTPUT_EXISTING waits for */
	NO_READERS,		/* rule 3: readers are not found */
	NO_WRITERS,		/* rule 3: writers are not found */
	NO_PARTIAL,		/* only equal regions and those within each other overlap */
	COVER_ALL,		/* what overlaps is forgotten as if it were covered */
	NO_PREDICATE_INPUT,	/* rule 6 */
	ALWAYS_TRUE,		/* predicates hold */
	GET_EARLY,		/* pto_get_element() does not wait for writers */
	SET_EARLY,		/* pto_set_element() does not wait for readers */
	NONE,
};

static enum mutation mutation = NONE;

/* --- wrong in one way ----------------------------------------------------- */

void __real_pto_map_insert(struct pto_runtime *rt, struct pto_slot *slot, uint32_t index,
			   uint32_t kind, int32_t version);
void __wrap_pto_map_insert(struct pto_runtime *rt, struct pto_slot *slot, uint32_t index,
			   uint32_t kind, int32_t version)
{
	if ((mutation == NO_READERS && kind == PTO_MAP_READER) ||
	    (mutation == NO_WRITERS && kind == PTO_MAP_WRITER))
		return;
	__real_pto_map_insert(rt, slot, index, kind, version);
}

int __real_pto_region_overlap(const struct pto_region *later, const struct pto_region *earlier);
int __wrap_pto_region_overlap(const struct pto_region *later, const struct pto_region *earlier)
{
	int overlap = __real_pto_region_overlap(later, earlier);

	if (overlap == PTO_OVERLAP_PARTIAL && mutation == NO_PARTIAL)
		return PTO_OVERLAP_NONE;
	if (overlap == PTO_OVERLAP_PARTIAL && mutation == COVER_ALL)
		return PTO_OVERLAP_COVERED;
	return overlap;
}

bool __real_pto_predicate_holds(const struct pto_slot *slot);
bool __wrap_pto_predicate_holds(const struct pto_slot *slot)
{
	return mutation == ALWAYS_TRUE || __real_pto_predicate_holds(slot);
}

bool __real_pto_deps_wait(struct pto_runtime *rt, const struct pto_tensor *t, bool write);
bool __wrap_pto_deps_wait(struct pto_runtime *rt, const struct pto_tensor *t, bool write)
{
	struct pto_tensor other = *t;

	if (mutation == GET_EARLY && !write)
		other.manual_dep = 1;
	return __real_pto_deps_wait(rt, &other, write && mutation != SET_EARLY);
}

/* The arguments as the rules see them; the task itself has been filled in before. */
static void mutate_args(struct pto_task_args *args, struct pto_tensor *tensors)
{
	uint8_t blind = mutation == NO_RAW ? PTO_ARG_INPUT : PTO_ARG_OUTPUT_EXISTING;
	uint32_t i;

	if (mutation == NO_EXPLICIT) {
		args->dep_count = 0;
		args->own_dep_count = 0;
	}
	if (mutation == NO_PREDICATE_INPUT)
		args->flags &= ~PTO_TASK_PREDICATE;
	for (i = 0; i < args->tensor_count; i++) {
		if (args->types[i] == PTO_ARG_OUTPUT)
			continue;
		tensors[i] = *(const struct pto_tensor *)args->tensors[i];
		args->tensors[i] = &tensors[i];
		if (mutation == NO_OWNERS)
			tensors[i].owner_task = PTO_NO_TASK;
		if ((mutation == NO_RAW || mutation == NO_WAW) && args->types[i] == blind)
			args->types[i] = PTO_ARG_NO_DEP;
	}
}

static void release_all(struct pto_runtime *rt, struct pto_slot *slot)
{
	struct pto_edge *e;
	uint32_t i;

	for (i = 0; i < slot->edge_count; i++) {
		e = pto_edge_at(rt->arena, slot, i);
		if (!e->producer)
			continue;
		((struct pto_slot *)(rt->base + e->producer))->retained--;
		e->producer = 0;
		slot->keeps--;
	}
}

bool __real_pto_deps_wire(struct pto_runtime *rt, struct pto_slot *slot,
			  const struct pto_task_args *args, uint32_t *unmet);
bool __wrap_pto_deps_wire(struct pto_runtime *rt, struct pto_slot *slot,
			  const struct pto_task_args *args, uint32_t *unmet)
{
	struct pto_tensor tensors[PTO_TASK_MAX_TENSORS];
	struct pto_task_args other = *args;

	mutate_args(&other, tensors);
	if (!__real_pto_deps_wire(rt, slot, &other, unmet))
		return false;
	if (mutation == NO_RETAIN)
		release_all(rt, slot);
	return true;
}

/* --- tests ---------------------------------------------------------------- */

static struct program program;

/* Return: programs until one shows what is wrong, 0 if none does; it is in @program */
static uint32_t programs_until_caught(struct trial *t, struct verdict *v, enum mutation m,
				      uint32_t threaded)
{
	uint32_t i;

	mutation = m;
	for (i = 1; i <= PROGRAMS; i++) {
		generate(&program, i, KIND_ANY);
		*v = trial_run(t, &program, SHUFFLES, threaded);
		if (!v->good)
			return i;
	}
	return 0;
}

static bool no_kernel_takes_part(void)
{
	const char *mode = getenv("PTO_SELFTEST");

	return mode && !strcmp(mode, "kernel");
}

#define CAUGHT(name, m) \
TEST(name) \
{ \
	struct trial *t = trial_create(); \
	struct verdict v; \
	uint32_t programs; \
\
	if (no_kernel_takes_part()) \
		SKIP(return, "it is for the simulator"); \
	programs = programs_until_caught(t, &v, m, THREADED); \
	trial_destroy(t); \
	TH_LOG("caught by program %u", programs); \
	EXPECT_NE(0, programs); \
}

CAUGHT(explicit_dependencies, NO_EXPLICIT)
CAUGHT(owners, NO_OWNERS)
CAUGHT(retain, NO_RETAIN)
CAUGHT(read_after_write, NO_RAW)
CAUGHT(write_after_write, NO_WAW)
CAUGHT(readers, NO_READERS)
CAUGHT(writers, NO_WRITERS)
CAUGHT(partial_overlap, NO_PARTIAL)
CAUGHT(covered, COVER_ALL)
CAUGHT(predicate_is_input, NO_PREDICATE_INPUT)
CAUGHT(predicate, ALWAYS_TRUE)
CAUGHT(get_waits, GET_EARLY)
CAUGHT(set_waits, SET_EARLY)

/*
 * What is left of a program is little, and still shows what is wrong. The program is one that fails
 * without threads: a race that some of its executions lose may not be lost again.
 */
TEST(minimised)
{
	struct trial *t = trial_create();
	uint32_t ops = 0, i;
	struct verdict v;

	if (no_kernel_takes_part())
		SKIP(return, "it is for the simulator");
	ASSERT_NE(0, programs_until_caught(t, &v, NO_READERS, 0));
	minimise(t, &program, &v);
	program_print(&program, stdout);
	for (i = 0; i < program.op_count; i++)
		ops += program.op[i].kind != OP_NONE;
	/* A reader, a writer, and at most what allocates or orders something for them. */
	EXPECT_GE(4, ops);
	EXPECT_FALSE(trial_run(t, &program, SHUFFLES, 0).good);
	mutation = NONE;
	EXPECT_TRUE(trial_run(t, &program, SHUFFLES, THREADED).good);
	trial_destroy(t);
}

TEST_HARNESS_MAIN
