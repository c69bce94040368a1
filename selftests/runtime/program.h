/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random orchestrations, as data: what the generator makes (generate.c, rules.c), what the
 * runtime and the serial oracle execute (execute.c, oracle.c), the kernels (kernels.c), and
 * what becomes of a program that fails (minimise.c, print.c).
 */
#ifndef PTO_TEST_PROGRAM_H
#define PTO_TEST_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/pto_device.h>
#include <pto/kernel.h>
#include <pto/orch.h>

#define MAX_OPS		400	/* operations of a program */
#define MAX_BASES	600	/* tensors of a program: external ones and allocated ones */
#define MAX_EXTERNALS	6
#define MAX_ARGS	12	/* tensors of a task */
#define MAX_DEPS	160	/* explicit dependencies of a task */
#define MAX_EXTRA_DEPS	100	/* of those, without a need */
#define MAX_BLOCKS	6
#define MAX_DEPTH	7	/* of scopes */
#define MAX_WORKERS	4
#define EXTERNAL_BYTES	1024
#define PARTS		3
#define MAX_UNITS	(PARTS * MAX_BLOCKS)

/*
 * Words of a task whose kernels meet: arrivals by block, and what each unit says. Then the
 * counters of those who write later.
 */
#define MEETING_WORDS	(MAX_BLOCKS + MAX_UNITS)
#define TASK_WORDS	(MEETING_WORDS + MAX_UNITS)

/* OP_NONE is an operation that the minimiser has taken out. */
enum op_kind { OP_NONE, OP_SUBMIT, OP_ALLOC, OP_GET, OP_SET, OP_BEGIN, OP_END };

enum program_kind { KIND_DEVICE, KIND_HOST, KIND_ANY };

/*
 * A tensor argument: a view of a base, or the description of a new base.
 * The view is kept as a descriptor; where it lies comes from the base when it runs.
 */
struct arg {
	uint8_t type;			/* PTO_ARG_* */
	uint32_t base;
	struct pto_tensor view;
	struct pto_create_info create;
};

/* Ways in which the kernels of a task are not plain. */
#define WAY_SYNC	1u	/* all blocks start together */
#define WAY_MEET	2u	/* units of a cohort wait for each other */
#define WAY_SPIN	4u	/* ... without the runtime's help */
#define WAY_LATER	8u	/* kernels return before their results are there */

/**
 * struct op - an operation
 * @kind: what it is
 * @mode: OP_BEGIN: PTO_SCOPE_*
 * @arg_count: OP_SUBMIT, OP_ALLOC: arguments; OP_GET and OP_SET use arg[0]
 * @arg: arguments
 * @parts: mask: 1 AIC, 2 AIV0, 4 AIV1; 0 is a dummy
 * @blocks: SPMD blocks
 * @ways: WAY_*
 * @words: WAY_MEET, WAY_LATER: first of its words
 * @salt: goes into what the kernels write
 * @conditional: it has a predicate
 * @condition: the predicate's tensor
 * @compare: PTO_PREDICATE_*
 * @value: what the element is compared with
 * @index: of the element: of the predicate, of OP_GET, of OP_SET
 * @dep_count: operations whose tasks this one depends on explicitly
 * @extra_count: how many of those it need not depend on; they come first
 * @dep: those operations
 */
struct op {
	enum op_kind kind;
	uint32_t mode;
	uint32_t arg_count;
	struct arg arg[MAX_ARGS];
	uint32_t parts;
	uint32_t blocks;
	uint32_t ways;
	uint32_t words;
	uint64_t salt;
	bool conditional;
	struct arg condition;
	uint32_t compare;
	int64_t value;
	uint32_t index[PTO_MAX_TENSOR_DIMS];
	uint32_t dep_count;
	uint32_t extra_count;
	uint32_t dep[MAX_DEPS];
};

/**
 * struct program - a program
 * @seed: its seed
 * @kind: where its orchestration runs
 * @arch: PTO_ARCH_*
 * @workers: threads that execute its kernels, besides the orchestrator
 * @op_count: operations
 * @external_count: tensors from outside; bases below this number
 * @external: their shapes
 * @word_count: words that its kernels meet at
 * @rings: ring sizes
 * @op: operations
 */
struct program {
	uint64_t seed;
	enum program_kind kind;
	uint32_t arch;
	uint32_t workers;
	uint32_t op_count;
	uint32_t external_count;
	struct pto_tensor external[MAX_EXTERNALS];
	uint32_t word_count;
	struct pto_dev_arena_plan rings;
	struct op op[MAX_OPS];
};

/* One execution of a program: its memory and what it observed. */
struct execution {
	const struct program *program;
	uint8_t *external[MAX_EXTERNALS];
	uint64_t task[MAX_OPS];
	struct pto_tensor base[MAX_BASES];
	uint64_t get[MAX_OPS];
	uint32_t get_count;
	uint64_t state;			/* of the values read; goes into later tasks */
	uint32_t words[MAX_OPS * TASK_WORDS];
};

/* generate.c */
void generate(struct program *program, uint64_t seed, enum program_kind kind);
uint64_t mix(uint64_t x);

/* execute.c: the entry of every program; arguments are its execution's */
void execute_program(struct pto_rt *rt, struct execution *ex);
void execution_init(struct execution *ex);
void execution_free(struct execution *ex);
void execution_reset(struct execution *ex, const struct program *program);
bool execution_same(const struct execution *actual, const struct execution *expected, char *why,
		    size_t size);

/* oracle.c */
void oracle_execute(struct execution *ex);

/* print.c */
void program_print(const struct program *program, FILE *to);

/* kernels.c: by part and number of tensors; func_id is part * (MAX_ARGS + 1) + tensors */
typedef void (*kernel_fn)(int64_t *args);
extern const kernel_fn kernels[PARTS][MAX_ARGS + 1];
#define FUNC_ID(part, tensors) ((part) * (MAX_ARGS + 1) + (tensors))
#define PROGRAM_FUNCS	(PARTS * (MAX_ARGS + 1))

uint64_t load_element(const struct pto_tensor *t, uint64_t offset);
void store_element(const struct pto_tensor *t, uint64_t offset, uint64_t value);

/* Scalars of every task, behind its tensors. */
enum {
	SCALAR_SALT, SCALAR_READS, SCALAR_WRITES, SCALAR_UPDATES, SCALAR_PARTS, SCALAR_WAYS,
	SCALAR_WORDS, SCALARS
};

#endif /* PTO_TEST_PROGRAM_H */
