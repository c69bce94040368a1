// SPDX-License-Identifier: MIT
/*
 * What kernels can ask the device for: see pto/kernel.h.
 */
#include "engine_internal.h"

static void wait_ge(struct pto_kernel_rt *rt, const uint32_t *word, uint32_t value)
{
	struct pto_core *core = (struct pto_core *)rt;
	uint32_t round = 0;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value &&
	       !pto_rt_fatal_code(&core->engine->rt))
		engine_pause(round++);
}

static void notify(struct pto_kernel_rt *rt, uint32_t *word, uint32_t add)
{
	__atomic_fetch_add(word, add, __ATOMIC_RELEASE);
}

const struct pto_kernel_ops core_kernel_ops = {
	.version = PTO_KERNEL_OPS_VERSION,
	.size = offsetof(struct pto_kernel_ops, async_expect),
	.wait_ge = wait_ge,
	.notify = notify,
};
