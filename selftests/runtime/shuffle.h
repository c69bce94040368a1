/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The runtime without threads: ready tasks are executed one unit at a time, in an order that a
 * number decides. What is wrong with the order of tasks shows here without a race, and
 * shows again for the same number.
 */
#ifndef PTO_TEST_SHUFFLE_H
#define PTO_TEST_SHUFFLE_H

#include <libpto/runtime/runtime.h>
#include <sim/device/engine.h>

#include "program.h"

struct shuffle;

struct shuffle *shuffle_create(void);
void shuffle_destroy(struct shuffle *s);

/* Is shown the tensors of each unit before that is executed; NULL: nobody looks. */
extern void (*shuffle_look)(const struct pto_tensor *tensors, uint32_t count);

/**
 * shuffle_run() - execute a run
 * @s: where
 * @run: the run; time-outs do not count, what can go on does at once
 * @arch: PTO_ARCH_*
 * @order: decides the order
 *
 * Return: NULL, or the text of the fatal error
 */
const char *shuffle_run(struct shuffle *s, const struct pto_engine_run *run, uint32_t arch,
			uint64_t order);

#endif /* PTO_TEST_SHUFFLE_H */
