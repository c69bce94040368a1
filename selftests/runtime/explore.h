/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An explorer of interleavings: executes a small program of a few threads over and over, each
 * time in another order, until it has been through all of them (within bounds).
 *
 * Included before everything else when the runtime is compiled for it, so that the real
 * sources are explored: every atomic operation on explored memory is a point where another
 * thread may go on. Threads are coroutines. Two bounds keep the number of orders finite: how
 * often a thread may be interrupted although it could go on, and how often a load may
 * give an older value than the latest.
 *
 * Memory is modelled as in C11, of which the following is covered: what happens before what
 * (release, acquire, release sequences), coherence, and loads that give older values. A
 * load or store that is sequentially consistent takes part as acquire or release that
 * always sees the latest value. Of full barriers the later of two knows all that was before
 * the earlier one, or before a sequentially consistent store; without them a load that gives
 * an older value is what a store buffer, or a load that was made early, would give. Not
 * modelled: loads that see values of the future.
 *
 * Plain memory is not seen by the explorer. The test says where it is accessed, with
 * explore_read() and explore_write(), and two accesses that are not ordered by what
 * happens before fail, as in a race detector.
 *
 * Mutations: an operation can be told to misbehave, by the function it is in and its kind,
 * without a change to the source. A mutation that no order shows is a hole in the test.
 */
#ifndef PTO_TEST_EXPLORE_H
#define PTO_TEST_EXPLORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum explore_op {
	EXPLORE_LOAD,
	EXPLORE_STORE,
	EXPLORE_ADD,
	EXPLORE_SUB,
	EXPLORE_SWAP,
	EXPLORE_CAS,
	EXPLORE_FENCE,	/* a full barrier; EXPLORE_DROP is all that can happen to it */
	EXPLORE_LOCK,	/* taking, and dropping, locks; likewise */
};

/* How an operation is mutated. */
enum explore_mutation {
	EXPLORE_NONE,
	EXPLORE_RELAX,	/* its memory order becomes relaxed */
	EXPLORE_SPLIT,	/* a read-modify-write becomes a load and a store */
	EXPLORE_DROP,	/* it does not store */
	EXPLORE_LATE,	/* loads and one more operation overtake a store or an unused add */
	EXPLORE_BLIND,	/* a load gives 0 */
};

/**
 * struct explore_mutant - an operation that misbehaves
 * @function: where it is
 * @op: which
 * @how: what it does wrong
 */
struct explore_mutant {
	const char *function;
	enum explore_op op;
	enum explore_mutation how;
};

#define EXPLORE_THREADS 4

/**
 * struct explore_test - what to explore
 * @threads: threads; they are started together
 * @thread: main function of a thread
 * @reset: makes everything as it was before the threads were started
 * @explored: is this memory explored? The rest is accessed at once
 * @before: told of every operation on explored memory before it is done, or NULL
 * @ended: called when all threads have ended, or NULL
 * @preemptions: how often a thread that can go on may be interrupted
 * @stale: how often a load may give an older value
 * @limit: executions at most
 * @mutant: or NULL
 */
struct explore_test {
	uint32_t threads;
	void (*thread)(uint32_t index);
	void (*reset)(void);
	bool (*explored)(const void *p);
	void (*before)(uint32_t thread, void *p, enum explore_op op, uint64_t value);
	void (*ended)(void);
	uint32_t preemptions;
	uint32_t stale;
	uint64_t limit;
	const struct explore_mutant *mutant;
};

/**
 * struct explore_result - what came out
 * @executions: how many there were
 * @complete: all of them; otherwise the limit was reached or a fault found
 * @fault: what went wrong in the last one, or ""
 */
struct explore_result {
	uint64_t executions;
	bool complete;
	char fault[256];
};

void explore(const struct explore_test *test, struct explore_result *result);

/* For the threads of a test. */
__attribute__((format(printf, 1, 2))) void explore_fail(const char *fmt, ...);
void explore_read(const void *p);
void explore_write(const void *p);
uint64_t explore_now(void);
void explore_wait(uint64_t since);
void explore_until(bool (*cond)(const void *arg), const void *arg);
void explore_wake(void);
void explore_yield(void);
void explore_point(void);
void explore_passed(void);
bool explore_dropped(const char *function, enum explore_op op);
void explore_acquire(const void *lock);
void explore_release(const void *lock);
uint32_t explore_choose(uint32_t count);
uint32_t explore_self(void);

/* What the atomic operations of the sources become. */
uint64_t explore_load(void *p, uint32_t bytes, int order, const char *function);
void explore_store(void *p, uint32_t bytes, uint64_t value, int order, const char *function);
uint64_t explore_modify(void *p, uint32_t bytes, enum explore_op op, uint64_t value, int order,
			const char *function);
void explore_fence(const char *function);
bool explore_cas(void *p, uint32_t bytes, void *expected, uint64_t value, int success, int failure,
		 const char *function);

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_load
#undef atomic_store
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_exchange
#undef atomic_compare_exchange_weak

/* The type of what an atomic variable holds. */
#define explore_value(p)	__typeof__(((void)0, *(p)))

#define atomic_load_explicit(p, order) \
	((explore_value(p))explore_load((void *)(p), sizeof(*(p)), order, __func__))
#define atomic_store_explicit(p, value, order) \
	explore_store((void *)(p), sizeof(*(p)), (uint64_t)(value), order, __func__)
#define atomic_fetch_add_explicit(p, value, order) \
	explore_modify((void *)(p), sizeof(*(p)), EXPLORE_ADD, value, order, __func__)
#define atomic_fetch_sub_explicit(p, value, order) \
	explore_modify((void *)(p), sizeof(*(p)), EXPLORE_SUB, value, order, __func__)
#define atomic_exchange_explicit(p, value, order) \
	((explore_value(p))explore_modify((void *)(p), sizeof(*(p)), EXPLORE_SWAP, \
					  (uint64_t)(value), order, __func__))
#define atomic_compare_exchange_strong_explicit(p, expected, value, success, failure) \
	explore_cas((void *)(p), sizeof(*(p)), expected, (uint64_t)(value), success, failure, \
		    __func__)
#define atomic_compare_exchange_weak_explicit(p, expected, value, success, failure) \
	atomic_compare_exchange_strong_explicit(p, expected, value, success, failure)

#define atomic_load(p)			atomic_load_explicit(p, memory_order_seq_cst)
#define atomic_store(p, value)		atomic_store_explicit(p, value, memory_order_seq_cst)
#define atomic_fetch_add(p, value)	atomic_fetch_add_explicit(p, value, memory_order_seq_cst)
#define atomic_fetch_sub(p, value)	atomic_fetch_sub_explicit(p, value, memory_order_seq_cst)
#define atomic_exchange(p, value)	atomic_exchange_explicit(p, value, memory_order_seq_cst)
#define atomic_compare_exchange_weak(p, expected, value) \
	atomic_compare_exchange_strong_explicit(p, expected, value, memory_order_seq_cst, \
						memory_order_seq_cst)

#endif /* PTO_TEST_EXPLORE_H */
