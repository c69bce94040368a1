/* SPDX-License-Identifier: MIT */
/*
 * What the simulator has for libpto in the same process (crash.c). libpto refers to it weakly: on
 * a driver it does not exist.
 */
#ifndef PTO_SIM_CRASH_H
#define PTO_SIM_CRASH_H

__attribute__((visibility("default")))
void pto_sim_host_code(const char *what);

#endif /* PTO_SIM_CRASH_H */
