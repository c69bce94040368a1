// SPDX-License-Identifier: GPL-2.0
/* Names a word to the device, and writes 1 to the first word of its tensor (orch_host.h). */
#include <pto/kernel.h>
#include "orch_host.h"

void kernel_entry(int64_t *args)
{
	const struct pto_local_context *local =
		(const struct pto_local_context *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL];
	uint32_t *tensor = pto_arg_data(args, 0), *word;
	uint64_t addr = pto_arg_u64(args, 2);
	static uint32_t own;

	if (addr == WORD_STATIC)
		word = &own;
	else if (addr == WORD_TENSOR)
		word = tensor + 1;
	else
		word = (uint32_t *)(uintptr_t)addr;
	switch (pto_arg_u64(args, 1)) {
	case WORD_EXPECT:
		pto_async_expect(args, word, 0);
		break;
	case WORD_WAIT:
		/* pto_wait_ge() reads the word first. */
		local->rt->ops->wait_ge(local->rt, word, 0);
		break;
	case WORD_NOTIFY:
		pto_notify(args, word, 1);
		break;
	}
	*tensor = 1;
}
