/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it.
 *
 * A reader increments and decrements the counter of one of two phases, in the stripe of its
 * thread, so that threads do not share a cache line. A grace period flips the phase and waits
 * until the counters of the old one are 0. It does so twice, because a reader may have chosen its
 * phase before the first flip and incremented the counter afterwards.
 */
#ifndef SIM_LINUX_SRCU_H
#define SIM_LINUX_SRCU_H

#include <linux/atomic.h>
#include <linux/mutex.h>

#define SIM_SRCU_STRIPES 16

struct sim_srcu_stripe {
	long readers[2];
} __attribute__((aligned(64)));

struct srcu_struct {
	unsigned int phase;
	struct mutex sync;
	struct sim_srcu_stripe stripe[SIM_SRCU_STRIPES];
	void *memory;	/* stands for the kernel's allocation, which can fail and must be freed */
};

extern __thread unsigned int sim_srcu_slot __attribute__((tls_model("initial-exec")));
unsigned int sim_srcu_choose_slot(void);

/* Slot of this thread: 1 ... SIM_SRCU_STRIPES, 0 while it has none. */
static inline struct sim_srcu_stripe *sim_srcu_stripe(struct srcu_struct *ssp)
{
	unsigned int slot = sim_srcu_slot;

	if (unlikely(!slot))
		slot = sim_srcu_choose_slot();
	return &ssp->stripe[slot - 1];
}

int init_srcu_struct(struct srcu_struct *ssp);
void cleanup_srcu_struct(struct srcu_struct *ssp);
void synchronize_srcu(struct srcu_struct *ssp);

static inline int srcu_read_lock(struct srcu_struct *ssp)
{
	int phase = (int)(READ_ONCE(ssp->phase) & 1);

	__atomic_fetch_add(&sim_srcu_stripe(ssp)->readers[phase], 1, __ATOMIC_SEQ_CST);
	return phase;
}

static inline void srcu_read_unlock(struct srcu_struct *ssp, int phase)
{
	__atomic_fetch_sub(&sim_srcu_stripe(ssp)->readers[phase], 1, __ATOMIC_RELEASE);
}

#endif /* SIM_LINUX_SRCU_H */
