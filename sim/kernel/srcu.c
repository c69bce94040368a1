// SPDX-License-Identifier: MIT
#include <string.h>

#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#define SPINS 1000

__thread unsigned int sim_srcu_slot;

unsigned int sim_srcu_choose_slot(void)
{
	static unsigned int next;

	sim_srcu_slot = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % SIM_SRCU_STRIPES + 1;
	return sim_srcu_slot;
}

int init_srcu_struct(struct srcu_struct *ssp)
{
	memset(ssp, 0, sizeof(*ssp));
	ssp->memory = kmalloc(1, GFP_KERNEL);
	if (!ssp->memory)
		return -ENOMEM;
	mutex_init(&ssp->sync);
	return 0;
}

void cleanup_srcu_struct(struct srcu_struct *ssp)
{
	int i;

	for (i = 0; i < SIM_SRCU_STRIPES; i++)
		WARN_ON(ssp->stripe[i].readers[0] || ssp->stripe[i].readers[1]);
	kfree(ssp->memory);
}

static void wait_for_readers(struct srcu_struct *ssp, unsigned int phase)
{
	unsigned int spins = 0;
	int i;

	for (i = 0; i < SIM_SRCU_STRIPES; i++) {
		while (__atomic_load_n(&ssp->stripe[i].readers[phase], __ATOMIC_SEQ_CST)) {
			if (++spins < SPINS)
				sim_yield();
			else
				usleep_range(50, 100);
		}
	}
}

void synchronize_srcu(struct srcu_struct *ssp)
{
	int round;

	mutex_lock(&ssp->sync);
	for (round = 0; round < 2; round++) {
		unsigned int old = ssp->phase & 1;

		__atomic_store_n(&ssp->phase, old ^ 1, __ATOMIC_SEQ_CST);
		wait_for_readers(ssp, old);
	}
	mutex_unlock(&ssp->sync);
}
