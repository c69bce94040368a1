/* SPDX-License-Identifier: MIT */
/*
 * What a machine charges for parts of what a run needs: the floors that figures are compared with.
 */
#ifndef PTO_BENCH_FLOORS_H
#define PTO_BENCH_FLOORS_H

#include <stdbool.h>

/** on_simulator() - is the device in this process? */
bool on_simulator(void);

/** null_ioctl() - a call of the driver that does nothing. Return: 0 or a negative errno */
int null_ioctl(int fd);

/* Two processes that wake each other through eventfds. */
struct echo;

/** echo_start() - make the other process. Return: NULL if that fails */
struct echo *echo_start(void);

/** echo_round() - wake it and wait until it has woken us. Return: 0 or a negative errno */
int echo_round(struct echo *echo);

/** echo_stop() - end it */
void echo_stop(struct echo *echo);

#endif /* PTO_BENCH_FLOORS_H */
