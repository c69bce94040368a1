/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes bytes of something real, as a number decides: the same number, the same changes.
 */
#ifndef PTO_TEST_MUTATE_H
#define PTO_TEST_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct region - a part that is worth more changes than its size says
 * @offset: first byte
 * @bytes: how many
 */
struct region {
	size_t offset;
	size_t bytes;
};

/**
 * struct mutator - where the changes come from
 * @rng: random numbers
 */
struct mutator {
	uint64_t rng;
};

/** mutate_begin() - the changes of one case of a seed */
struct mutator mutate_begin(uint64_t seed, uint64_t number);

/** mutate_below() - a number below @n; 0 if that is 0 */
uint64_t mutate_below(struct mutator *m, uint64_t n);

/**
 * mutate() - change a few bytes or words
 * @m: decides which
 * @data: what
 * @bytes: bytes of it
 * @regions: parts that are chosen as often as all of @data
 * @count: how many
 */
void mutate(struct mutator *m, uint8_t *data, size_t bytes, const struct region *regions,
	    unsigned int count);

/** mutate_one() - the same, one change */
void mutate_one(struct mutator *m, uint8_t *data, size_t bytes, const struct region *regions,
		unsigned int count);

#endif /* PTO_TEST_MUTATE_H */
