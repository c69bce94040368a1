// SPDX-License-Identifier: GPL-2.0
/* Has thread_local objects (threads.h); the words are at argument 0. */
#include <sched.h>

#include <pto/kernel.h>

#include "threads.h"

extern "C" void kernel_entry(int64_t *args)
{
	use_thread_local((int *)args[0]);
	/* Others get a task, too. */
	for (int i = 0; i < 20; i++)
		sched_yield();
}
