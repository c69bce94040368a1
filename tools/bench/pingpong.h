/* SPDX-License-Identifier: MIT */
/*
 * The floor: two threads that hand one cache line back and forth, waiting as the driver and
 * the software device wait: spin, then yield, then sleep.
 */
#ifndef PTO_BENCH_PINGPONG_H
#define PTO_BENCH_PINGPONG_H

#include <stdint.h>

struct pingpong;

/** pingpong_start() - start the other thread. NULL on failure */
struct pingpong *pingpong_start(void);

/** pingpong_round() - one round trip */
void pingpong_round(struct pingpong *pp);

/** pingpong_park() - make the other thread sleep at once, so that it disturbs nobody */
void pingpong_park(struct pingpong *pp);

/** pingpong_stop() - stop the thread and free */
void pingpong_stop(struct pingpong *pp);

#endif /* PTO_BENCH_PINGPONG_H */
