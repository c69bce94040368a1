// SPDX-License-Identifier: GPL-2.0
/* A kernel that does what PROBE_TASK's scalar 1 says (see rig.h). */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <pto/kernel.h>
#include "rig.h"

static void change_word(int64_t *args, uint32_t *word)
{
	const struct pto_local_context *local =
		(const struct pto_local_context *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL];

	local->rt->ops->wait_ge(local->rt, word, 0);
	pto_notify(args, word, 1);
}

void kernel_entry(int64_t *args)
{
	uint64_t *data = pto_arg_data(args, 0);
	char *volatile nowhere = (char *)0x18;
	sigset_t all;

	switch (pto_arg_u64(args, 1)) {
	case KERNEL_DOUBLE:
		*data *= 2;
		break;
	case KERNEL_NOTHING:
		break;
	case KERNEL_CRASH:
		*nowhere = 1;
		break;
	case KERNEL_CRASH_INSIDE:
		memset(nowhere, 1, 100000);
		break;
	case KERNEL_WORD:
		change_word(args, (uint32_t *)(uintptr_t)pto_arg_u64(args, 2));
		*data = PROBE_STARTED;
		break;
	case KERNEL_DEAF:
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		__attribute__((fallthrough));
	case KERNEL_HANG:
		*data = PROBE_STARTED;
		for (;;)
			pause();
	}
}
