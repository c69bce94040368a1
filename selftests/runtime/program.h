/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random orchestrations, as data: what the generator makes (generate.c), what the runtime and
 * the serial oracle execute (execute.c, oracle.c), and the kernels (kernels.c).
 */
#ifndef PTO_TEST_PROGRAM_H
#define PTO_TEST_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/pto_device.h>
#include <pto/kernel.h>
#include <pto/orch.h>

#define MAX_OPS		400	/* operations of a program */
#define MAX_BASES	600	/* tensors of a program: external ones and allocated ones */
#define MAX_EXTERNALS	6
#define MAX_ARGS	8	/* tensors of a task */
#define MAX_DEPS	120	/* explicit dependencies of a task */
#define MAX_GETS	MAX_OPS
#define EXTERNAL_BYTES	1024
#define PARTS		3

enum op_kind { OP_SUBMIT, OP_ALLOC, OP_GET, OP_SET, OP_BEGIN, OP_END };

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

struct op {
	enum op_kind kind;
	uint32_t mode;			/* OP_BEGIN: PTO_SCOPE_* */
	uint32_t arg_count;		/* OP_SUBMIT, OP_ALLOC; OP_GET and OP_SET use arg[0] */
	struct arg arg[MAX_ARGS];
	uint32_t parts;			/* mask: 1 AIC, 2 AIV0, 4 AIV1; 0 is a dummy */
	uint32_t blocks;
	uint64_t salt;
	uint32_t dep_count;		/* operations whose tasks this one depends on */
	uint32_t dep[MAX_DEPS];
	uint32_t index[PTO_MAX_TENSOR_DIMS];
};

struct program {
	uint64_t seed;
	uint32_t op_count;
	uint32_t external_count;
	struct pto_dev_arena_plan rings;
	struct op op[MAX_OPS];
};

/* One execution of a program: its memory and what it observed. */
struct execution {
	const struct program *program;
	uint8_t *external[MAX_EXTERNALS];
	uint64_t task[MAX_OPS];
	struct pto_tensor base[MAX_BASES];
	uint64_t get[MAX_GETS];
	uint32_t get_count;
	uint64_t state;			/* of the values read; goes into later tasks */
};

/* generate.c */
void generate(struct program *program, uint64_t seed, uint32_t max_ops);
uint64_t mix(uint64_t x);

/* execute.c: the entry of every program; arguments are its execution's */
void execute_program(struct pto_rt *rt, struct execution *ex);
void execution_reset(struct execution *ex, const struct program *program);
uint64_t load_element(const void *p, uint32_t bytes);
void store_element(void *p, uint32_t bytes, uint64_t value);

/* oracle.c */
void oracle_execute(struct execution *ex);

/* kernels.c: by part and number of tensors; func_id is part * (MAX_ARGS + 1) + tensors */
typedef void (*kernel_fn)(int64_t *args);
extern const kernel_fn kernels[PARTS][MAX_ARGS + 1];
#define FUNC_ID(part, tensors) ((part) * (MAX_ARGS + 1) + (tensors))

/* Scalars of every task, behind its tensors. */
enum { SCALAR_SALT, SCALAR_READS, SCALAR_WRITES, SCALAR_UPDATES, SCALAR_PARTS, SCALARS };

#endif /* PTO_TEST_PROGRAM_H */
