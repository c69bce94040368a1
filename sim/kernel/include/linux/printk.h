/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_PRINTK_H
#define SIM_LINUX_PRINTK_H

#include <linux/compiler.h>

/* Unlike in the kernel, the level is an argument, and not part of the string. */
__printf(2, 3) void sim_printk(int level, const char *fmt, ...);

#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif

#define pr_err(fmt, ...) sim_printk(3, pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...) sim_printk(4, pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...) sim_printk(6, pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err_ratelimited pr_err
#define pr_warn_ratelimited pr_warn

#endif /* SIM_LINUX_PRINTK_H */
