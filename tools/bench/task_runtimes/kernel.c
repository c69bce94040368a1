// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernel.h"

#define CALIBRATION_STEPS	200000
#define CALIBRATION_ROUNDS	50

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void bench_spin(uint64_t steps)
{
	uint64_t x = steps;

	while (steps--) {
		x = x * 2862933555777941757ULL + 3037000493ULL;
		__asm__ volatile("" : "+r"(x));
	}
}

double bench_calibrate(void)
{
	uint64_t best = UINT64_MAX;
	int i;

	for (i = 0; i < CALIBRATION_ROUNDS; i++) {
		uint64_t start = bench_now();
		uint64_t took;

		bench_spin(CALIBRATION_STEPS);
		took = bench_now() - start;
		if (took < best)
			best = took;
	}
	return (double)best / CALIBRATION_STEPS;
}

/* --- work ---------------------------------------------------------------- */

static uint64_t work_steps;

static void work_empty(uint32_t task)
{
}

static void work_spin(uint32_t task)
{
	bench_spin(work_steps);
}

bench_kernel_fn kernel_work(uint64_t steps)
{
	work_steps = steps;
	return steps ? work_spin : work_empty;
}

/* --- check --------------------------------------------------------------- */

#define CHECK_STEPS 1024	/* a task takes up to that many: early starts shall show */

static const struct graph *checked;
static _Atomic uint8_t *ended;
static _Atomic uint64_t early;	/* task << 32 | predecessor of the first violation, plus 1 */
static _Atomic uint64_t twice;	/* task that ran a second time, plus 1 */

static void check(uint32_t task)
{
	uint64_t none = 0;
	uint64_t e;

	for (e = checked->edge_first[task]; e < checked->edge_first[task + 1]; e++) {
		uint32_t p = checked->edges[e];

		if (atomic_load_explicit(&ended[p], memory_order_acquire))
			continue;
		none = 0;
		atomic_compare_exchange_strong(&early, &none, ((uint64_t)task << 32 | p) + 1);
	}
	bench_spin(task * 2654435761u % CHECK_STEPS);
	none = 0;
	if (atomic_exchange_explicit(&ended[task], 1, memory_order_acq_rel))
		atomic_compare_exchange_strong(&twice, &none, task + 1ULL);
}

bench_kernel_fn kernel_check(const struct graph *g)
{
	free(ended);
	checked = g;
	ended = calloc(g->task_count, sizeof(*ended));
	early = 0;
	twice = 0;
	return ended ? check : NULL;
}

int kernel_verdict(char *text, int size)
{
	uint32_t i;

	if (early) {
		snprintf(text, size, "task %" PRIu64 " began before its predecessor %u had ended",
			 (uint64_t)((early - 1) >> 32), (uint32_t)(early - 1));
		return -1;
	}
	if (twice) {
		snprintf(text, size, "task %" PRIu64 " ran twice", (uint64_t)(twice - 1));
		return -1;
	}
	for (i = 0; i < checked->task_count; i++) {
		if (!ended[i]) {
			snprintf(text, size, "task %u never ran", i);
			return -1;
		}
	}
	return 0;
}
