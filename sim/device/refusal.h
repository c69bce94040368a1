/* SPDX-License-Identifier: MIT */
/*
 * Which call of the simulator's own has failed.
 *
 * The simulator makes system calls that the application does not know of: a machine that refuses
 * one of them (a seccomp filter, a small kernel, a limit) makes an open() or an ioctl() fail that
 * would not fail with a driver. The errno alone would be taken for the driver's answer, so the name
 * of the call is kept until somebody explains the failure.
 */
#ifndef PTO_SIM_REFUSAL_H
#define PTO_SIM_REFUSAL_H

#include <stdint.h>

/**
 * struct refusal - a call that has failed
 * @call: its name; a literal
 * @error: its errno
 */
struct refusal {
	const char *call;
	int error;
};

/**
 * refusal() - note that a call has failed
 * @call: its name, a literal
 * @error: its errno
 *
 * Any thread; takes no lock.
 * Return: -@error
 */
int refusal(const char *call, int error);

/**
 * refusal_if() - the same if it has
 * @call: its name, a literal
 * @ret: a result in the convention of the kernel: negative for an errno
 *
 * Return: @ret
 */
static inline long refusal_if(const char *call, long ret)
{
	return ret < 0 ? refusal(call, (int)-ret) : ret;
}

/** refusal_count() - how many have been noted in this process; an argument for refusal_since() */
uint64_t refusal_count(void);

/**
 * refusal_since() - the last one
 * @count: refusal_count() of before
 *
 * What has failed may have been done by another thread, for this one or for somebody else.
 * Return: the last call that failed, with NULL for its name if none has since then.
 */
struct refusal refusal_since(uint64_t count);

#endif /* PTO_SIM_REFUSAL_H */
