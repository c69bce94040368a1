/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Delta debugging: makes a program that fails as small as it can be and still fail.
 */
#ifndef PTO_TEST_MINIMISE_H
#define PTO_TEST_MINIMISE_H

#include "trial.h"

/**
 * minimise() - make a failing program smaller
 * @t: where it is tried
 * @program: the program; replaced by the smallest one that failed
 * @v: how it failed; replaced as well
 *
 * A program that fails without threads fails always, so one try tells. Another one is a race:
 * each smaller program is tried many times before it counts as good.
 */
void minimise(struct trial *t, struct program *program, struct verdict *v);

#endif /* PTO_TEST_MINIMISE_H */
