// SPDX-License-Identifier: GPL-2.0
/* Never returns, and heeds nobody: it cannot be left by a signal either. */
#include <signal.h>
#include <unistd.h>

#include <pto/orch.h>

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;)
		pause();
}
