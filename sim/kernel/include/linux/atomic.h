/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_ATOMIC_H
#define SIM_LINUX_ATOMIC_H

#include <asm/barrier.h>
#include <linux/compiler.h>

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

#define ATOMIC_INIT(i) { (i) }
#define ATOMIC64_INIT(i) { (i) }

/* Operations that return a value are fully ordered, the others are not ordered at all. */
#define SIM_ATOMIC(name, type, value) \
static inline value name##_read(const type *v) \
{ \
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED); \
} \
static inline void name##_set(type *v, value i) \
{ \
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED); \
} \
static inline void name##_add(value i, type *v) \
{ \
	__atomic_fetch_add(&v->counter, i, __ATOMIC_RELAXED); \
} \
static inline void name##_sub(value i, type *v) \
{ \
	__atomic_fetch_sub(&v->counter, i, __ATOMIC_RELAXED); \
} \
static inline void name##_inc(type *v) \
{ \
	name##_add(1, v); \
} \
static inline void name##_dec(type *v) \
{ \
	name##_sub(1, v); \
} \
static inline value name##_add_return(value i, type *v) \
{ \
	return __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline value name##_sub_return(value i, type *v) \
{ \
	return __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline value name##_inc_return(type *v) \
{ \
	return name##_add_return(1, v); \
} \
static inline value name##_dec_return(type *v) \
{ \
	return name##_sub_return(1, v); \
} \
static inline value name##_xchg(type *v, value i) \
{ \
	return __atomic_exchange_n(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline value name##_cmpxchg(type *v, value old, value i) \
{ \
	__atomic_compare_exchange_n(&v->counter, &old, i, false, __ATOMIC_SEQ_CST, \
				    __ATOMIC_RELAXED); \
	return old; \
}

SIM_ATOMIC(atomic, atomic_t, int)
SIM_ATOMIC(atomic64, atomic64_t, s64)

#define xchg(ptr, v) __atomic_exchange_n((ptr), (v), __ATOMIC_SEQ_CST)

#endif /* SIM_LINUX_ATOMIC_H */
