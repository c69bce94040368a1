/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program must observe so that its result is that of serial execution:
 * Documentation/dependencies.rst read as a list of duties.
 *
 *  - What the rules do not order (MANUAL scopes, manual_dep) the program orders with
 *    explicit dependencies.
 *  - Units of one task write nothing that another unit accesses.
 *  - Tensors are used while the scope that allocated them is open.
 *  - Rings are as small as they can be without a deadlock; the bounds are computed here.
 *
 * A program is made by adding operations one by one. Each is cut down to what is allowed, and
 * gets the explicit dependencies that it needs. The generator adds random ones, the minimiser
 * those that are left of a program.
 */
#ifndef PTO_TEST_RULES_H
#define PTO_TEST_RULES_H

#include "program.h"

/* What is known of a base while the program is made. */
struct base_info {
	struct pto_tensor shape;
	uint32_t depth;			/* of its scope */
	bool owned;			/* allocated by the runtime, for operation @owner */
	uint32_t owner;
	bool alive;			/* its scope is open */
	bool touched;			/* a task accesses it */
	bool manual;			/* accessed by a task that the rules do not order */
	bool untraceable;		/* too many accessors to name */
	uint32_t accessor_count;
	uint32_t accessor[MAX_DEPS];	/* operations whose tasks a manual access must follow */
};

/**
 * struct rules - a program that is being made
 * @program: the program
 * @base_count: bases so far, numbers that the minimiser has freed included
 * @depth: open scopes
 * @mode: their modes
 * @tasks: by ring, tasks that open scopes may hold
 * @heap: by ring, bytes that open scopes may hold
 * @spill: by ring, dependencies in the pool that open scopes may hold
 * @pool: by ring, the most of those there ever was, with the task that needs them
 * @total_tasks: tasks so far
 * @total_heap: bytes of heap so far
 * @base: bases
 */
struct rules {
	struct program *program;
	uint32_t base_count;
	uint32_t depth;
	uint32_t mode[MAX_DEPTH + 1];
	uint64_t tasks[PTO_RING_DEPTHS];
	uint64_t heap[PTO_RING_DEPTHS];
	uint64_t spill[PTO_RING_DEPTHS];
	uint64_t pool[PTO_RING_DEPTHS];
	uint64_t total_tasks;
	uint64_t total_heap;
	struct base_info base[MAX_BASES];
};

/** rules_begin() - a program without operations, whose externals, kind and rings are set */
void rules_begin(struct rules *r, struct program *program);

/** rules_add() - take over @op as the next operation. Return: false if it is not allowed */
bool rules_add(struct rules *r, const struct op *op);

/** rules_end() - close the open scopes, set the sizes that follow from the operations */
void rules_end(struct rules *r);

/** rules_heap_bytes() - heap that a new base takes */
uint64_t rules_heap_bytes(const struct pto_create_info *info);

#endif /* PTO_TEST_RULES_H */
