/* SPDX-License-Identifier: MIT */
#include <linux/sched.h> /* num_online_cpus() */
