/* SPDX-License-Identifier: MIT */
/* What the host programs of the examples share: options, finding their objects, checking. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pto/pto.h>

/**
 * struct example - a program and what it was asked to do
 * @name: of the program
 * @about: one or two lines for --help
 * @device: device node, NULL for the default
 * @repetitions: runs; set to the default before example_start()
 * @size: elements; set to the default before, 0 if the example has no size
 * @min_size: least size that makes sense
 * @seed: of the random inputs
 * @kind: PTO_KIND_*: where the orchestration shall run; example_load() sets it
 * @ctx: the open device
 */
struct example {
	const char *name;
	const char *about;
	const char *device;
	unsigned long repetitions;
	unsigned long size;
	unsigned long min_size;
	unsigned long seed;
	uint32_t kind;
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

/* example_run() - run and wait. */
void example_run(struct example *ex, int cid, const struct pto_args *args);

/* example_alloc() - zeroed host memory. */
void *example_alloc(struct example *ex, size_t count, size_t size);

/* example_fail() - print what went wrong and exit. */
void example_fail(struct example *ex, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* example_random() - fill with numbers in [-8, 8) that depend on the seed only. */
void example_random(struct example *ex, float *data, size_t elements);

/* example_check() - compare each element; prints the first difference. Return: all equal */
bool example_check(struct example *ex, const char *what, const float *got, const float *want,
		   size_t elements);

/* example_now() - CLOCK_MONOTONIC in nanoseconds */
uint64_t example_now(void);

#endif /* EXAMPLE_H */
