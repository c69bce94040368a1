/* SPDX-License-Identifier: MIT */
/* What the host programs of the examples share: options, finding their objects, checking. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pto/pto.h>

/**
 * struct example_choice - an option that takes one of a few words
 * @letter: short option
 * @name: long option
 * @about: what it chooses, for --help
 * @words: what it takes, ended by NULL
 * @chosen: index of the word that was given; 0, the default, otherwise
 */
struct example_choice {
	char letter;
	const char *name;
	const char *about;
	const char * const *words;
	unsigned int chosen;
};

/**
 * struct example - a program and what it was asked to do
 * @name: of the program
 * @about: one or two lines for --help
 * @device: device node, NULL for the default
 * @repetitions: runs; set to the default before example_start()
 * @size: elements; set to the default before, 0 if the example has no size
 * @min_size: least size that makes sense
 * @max_size: greatest one; 0: what a tensor can have
 * @size_what: what @size counts, if not elements
 * @choices: options of its own, ended by one without a name, or NULL
 * @seed: of the random inputs; what fails is told together with it
 * @random: state of the random numbers
 * @kind: PTO_KIND_*: where the orchestration shall run; example_load() sets it
 * @rings: ring sizes of example_run(), or NULL for the defaults
 * @ctx: the open device
 */
struct example {
	const char *name;
	const char *about;
	const char *device;
	unsigned long repetitions;
	unsigned long size;
	unsigned long min_size;
	unsigned long max_size;
	const char *size_what;
	struct example_choice *choices;
	unsigned long seed;
	uint64_t random;
	uint32_t kind;
	const struct pto_ring_config *rings;
	struct pto_context *ctx;
};

/* example_start() - read the command line, open the device. Does not return if it cannot. */
void example_start(struct example *ex, int argc, char **argv);

/* example_path() - where an object next to the program is. */
void example_path(struct example *ex, const char *object, char *path, size_t size);

/* example_load() - load an orchestration object that lies next to the program, of --kind. */
struct pto_callable *example_load(struct example *ex, const char *object);

/* example_kernel() - add a kernel that lies next to the program. */
void example_kernel(struct example *ex, struct pto_callable *callable, uint32_t func_id,
		    uint32_t core_type, const char *object);

/* example_register() - prepare under a free cid. */
int example_register(struct example *ex, const struct pto_callable *callable);

/* example_host() - add a 1-D float tensor in host memory. */
void example_host(struct example *ex, struct pto_args *args, int direction, float *data,
		  size_t elements);

/* example_tensor() - add a tensor of any type and shape in host memory. */
void example_tensor(struct example *ex, struct pto_args *args, int direction, void *data,
		    uint8_t dtype, uint32_t ndims, const uint32_t *shape);

/* example_args() - an empty argument list. */
struct pto_args *example_args(struct example *ex);

/* example_run() - run and wait. */
void example_run(struct example *ex, int cid, const struct pto_args *args);

/* example_alloc() - zeroed host memory. */
void *example_alloc(struct example *ex, size_t count, size_t size);

/* example_fail() - print what went wrong and exit. */
void example_fail(struct example *ex, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* example_random() - fill with numbers in [-8, 8) that depend on the seed only. */
void example_random(struct example *ex, float *data, size_t elements);

/* example_uniform() - a number in [low, high) that depends on the seed only. */
float example_uniform(struct example *ex, float low, float high);

/* example_below() - an integer in [0, limit) that depends on the seed only. */
uint32_t example_below(struct example *ex, uint32_t limit);

/* example_check() - compare each element; prints the first difference. Return: all equal */
bool example_check(struct example *ex, const char *what, const float *got, const float *want,
		   size_t elements);

/*
 * example_near() - compare each element with one of higher precision
 *
 * An element may be off by tolerance + tolerance * |want|, and by extra[i] if @extra is not NULL.
 * Prints the first that is off by more.
 * Return: the largest difference; -1 if one is off by more or is not a number
 */
double example_near(struct example *ex, const char *what, const float *got, const double *want,
		    size_t elements, double tolerance, const double *extra);

/* example_stats() - what the context has done so far. */
struct pto_context_stats example_stats(struct example *ex);

/* example_now() - CLOCK_MONOTONIC in nanoseconds */
uint64_t example_now(void);

#endif /* EXAMPLE_H */
