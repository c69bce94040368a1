/* SPDX-License-Identifier: MIT */
/*
 * Destructors of thread_local variables of loaded objects, see thread_exit.c.
 */
#ifndef PTO_THREAD_EXIT_H
#define PTO_THREAD_EXIT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct pto_retired - a loaded object that is to be unloaded
 * @begin: its first address
 * @end: the address behind it
 * @finish: called once, by the thread that has called the last destructor. If it is NULL, the
 *	owner polls pto_thread_retired()
 * @next: in the list of objects of which threads still have destructors
 */
struct pto_retired {
	uint64_t begin;
	uint64_t end;
	void (*finish)(struct pto_retired *object);
	struct pto_retired *next;
};

extern unsigned int pto_thread_retirements;

int pto_thread_atexit(void (*fn)(void *), void *arg, void *dso);
bool pto_thread_uses(const struct pto_retired *object);
bool pto_thread_retire(struct pto_retired *object);
bool pto_thread_retired(struct pto_retired *object);
void pto_thread_leave(void);

/* Call the calling thread's destructors of retired objects; mostly there are none. */
static inline void pto_thread_tidy(void)
{
	if (__atomic_load_n(&pto_thread_retirements, __ATOMIC_RELAXED))
		pto_thread_leave();
}

#endif /* PTO_THREAD_EXIT_H */
