// SPDX-License-Identifier: GPL-2.0
/*
 * The explorer, see explore.h. Depth-first search over the choices of an execution: each one is
 * repeated up to the last choice that had an alternative, which is taken then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "explore.h"

#define STACK_BYTES	(256 << 10)
#define MAX_CHOICES	4096
#define MAX_STEPS	20000	/* of an execution; more is a livelock */
#define VARIABLES	1024	/* a power of two */
#define HISTORY		6	/* stores of a variable that can still be seen */

typedef uint32_t vector_clock[EXPLORE_THREADS];

/* A store: who made it, when, and what happened before it if it was a release. */
struct store {
	uint64_t value;
	uint32_t thread;
	uint32_t time;
	vector_clock clock;
};

/*
 * A variable, atomic or plain. Stores are numbered from 0; @seen: the youngest that each thread
 * is known to have seen. For plain ones: who wrote last, who has read since.
 */
struct variable {
	const void *p;
	uint64_t execution;
	uint32_t stores;
	uint32_t seen[EXPLORE_THREADS];
	struct store history[HISTORY];
	uint32_t writer;
	uint32_t written;
	vector_clock read;
};

enum state { READY, WAITING, ENDED };

struct coroutine {
	ucontext_t context;
	jmp_buf jump;
	bool begun;
	enum state state;
	uint64_t waits_since;	/* number of stores when it began to wait, or else: */
	bool (*until)(const void *arg);
	const void *until_arg;
	bool saw_stale;
	vector_clock clock;
	struct {
		void *p;	/* NULL: nothing is late */
		uint32_t bytes;
		enum explore_op op;
		uint64_t value;
		int order;
	} late;
	char *stack;
};

struct choice {
	uint8_t taken;
	uint8_t count;
};

static struct {
	const struct explore_test *test;
	struct explore_result *result;
	struct coroutine thread[EXPLORE_THREADS];
	uint32_t current;
	jmp_buf home;
	ucontext_t home_context;
	struct choice choice[MAX_CHOICES];
	uint32_t choices;	/* known */
	uint32_t at;		/* made in this execution */
	uint32_t preemptions;
	uint32_t stale;
	uint32_t steps;
	uint64_t stores;
	uint64_t execution;
	vector_clock fences;	/* what happened before the latest full barrier */
	struct variable variable[VARIABLES];
} x;

/* --- choices ------------------------------------------------------------- */

static void give_up(void)
{
	_longjmp(x.home, 1);
}

/** explore_fail() - the execution is wrong; the first fault of it counts */
void explore_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x.result->fault, sizeof(x.result->fault), fmt, ap);
	va_end(ap);
	give_up();
}

/** explore_choose() - which of @count ways something goes that the test leaves open */
uint32_t explore_choose(uint32_t count)
{
	struct choice *c = &x.choice[x.at];

	if (count < 2)
		return 0;
	if (x.at == MAX_CHOICES)
		explore_fail("more choices than the explorer can remember");
	if (x.at++ == x.choices) {
		*c = (struct choice){ .count = (uint8_t)count };
		x.choices++;
	}
	if (c->count != count)
		explore_fail("the test does not repeat itself");
	return c->taken;
}

/* Prepares the next execution. Return: false when there is none. */
static bool next_execution(void)
{
	while (x.choices) {
		struct choice *c = &x.choice[x.choices - 1];

		if (++c->taken < c->count)
			return true;
		x.choices--;
	}
	return false;
}

/* --- threads ------------------------------------------------------------- */

uint32_t explore_self(void)
{
	return x.current;
}

static void thread_main(void)
{
	x.test->thread(x.current);
	x.thread[x.current].state = ENDED;
	_longjmp(x.home, 2);
}

/* Goes on with a thread; comes back when somebody goes on with the caller. */
static void switch_to(uint32_t index)
{
	struct coroutine *from = &x.thread[x.current];
	struct coroutine *to = &x.thread[index];

	if (index == x.current || _setjmp(from->jump))
		return;
	x.current = index;
	if (to->begun)
		_longjmp(to->jump, 1);
	to->begun = true;
	setcontext(&to->context);
}

static bool enabled(const struct coroutine *t)
{
	if (t->state == WAITING)
		return t->until ? t->until(t->until_arg) : x.stores != t->waits_since;
	return t->state == READY;
}

/*
 * Old values do not stay old for ever: who waits because of one looks again. Not who sleeps
 * because of one.
 */
static bool refresh(void)
{
	bool any = false;
	uint32_t i, k;

	for (i = 0; i < x.test->threads; i++) {
		if (x.thread[i].state != WAITING || x.thread[i].until || !x.thread[i].saw_stale)
			continue;
		x.thread[i].saw_stale = false;
		x.thread[i].state = READY;
		for (k = 0; k < VARIABLES; k++)
			if (x.variable[k].execution == x.execution && x.variable[k].stores)
				x.variable[k].seen[i] = x.variable[k].stores - 1;
		any = true;
	}
	return any;
}

/* The threads that can go on, @first before the others. */
static uint32_t list_enabled(uint32_t first, uint32_t *list)
{
	uint32_t count = 0;
	uint32_t i;

	for (i = 0; i < x.test->threads; i++) {
		uint32_t index = (first + i) % x.test->threads;

		if (enabled(&x.thread[index]))
			list[count++] = index;
	}
	return count;
}

/* The caller cannot go on: somebody else does. */
static void give_way(void)
{
	uint32_t list[EXPLORE_THREADS];
	uint32_t count = list_enabled(x.current, list);

	if (!count && refresh())
		count = list_enabled(x.current, list);
	if (!count)
		explore_fail("all threads wait");
	list[0] = list[explore_choose(count)];
	x.thread[list[0]].state = READY;
	switch_to(list[0]);
}

/** explore_now() - for explore_wait(), taken before the thread begins to look for work */
uint64_t explore_now(void)
{
	return x.stores;
}

static void catch_up(void);

/** explore_wait() - the thread has found nothing to do: until something has been stored */
void explore_wait(uint64_t since)
{
	struct coroutine *t = &x.thread[x.current];

	catch_up();
	t->state = WAITING;
	t->until = NULL;
	t->waits_since = since;
	give_way();
}

/**
 * explore_until() - the thread waits for something, and for nothing else
 * @cond: what; it looks at memory without the explorer
 * @arg: its argument
 */
void explore_until(bool (*cond)(const void *arg), const void *arg)
{
	struct coroutine *t = &x.thread[x.current];

	catch_up();
	if (cond(arg))
		return;
	t->state = WAITING;
	t->until = cond;
	t->until_arg = arg;
	give_way();
}

/** explore_yield() - others may go on for as long as they can */
void explore_yield(void)
{
	catch_up();
	give_way();
}

/** explore_wake() - something has changed that is not explored: who waits shall look again */
void explore_wake(void)
{
	x.stores++;
}

/* Before an operation: another thread may go on first. */
static void step(void)
{
	uint32_t list[EXPLORE_THREADS];
	uint32_t count, taken;

	if (++x.steps > MAX_STEPS)
		explore_fail("no end after %u steps", MAX_STEPS);
	if (!x.preemptions)
		return;
	count = list_enabled(x.current, list);
	taken = explore_choose(count);
	if (!taken)
		return;
	x.preemptions--;
	x.thread[list[taken]].state = READY;
	switch_to(list[taken]);
}

/* --- memory -------------------------------------------------------------- */

static uint64_t fetch(const void *p, uint32_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, p, bytes);
	return value;
}

static struct variable *variable_of(const void *p)
{
	uint32_t i = (uint32_t)((uintptr_t)p * 0x9E3779B97F4A7C15ULL >> 40) % VARIABLES;

	while (x.variable[i].execution == x.execution && x.variable[i].p != p)
		i = (i + 1) % VARIABLES;
	if (x.variable[i].execution != x.execution) {
		memset(&x.variable[i], 0, sizeof(x.variable[i]));
		x.variable[i].p = p;
		x.variable[i].execution = x.execution;
	}
	return &x.variable[i];
}

/* An atomic variable; what it held before the execution is its store 0. */
static struct variable *atomic_of(const void *p, uint32_t bytes)
{
	struct variable *v = variable_of(p);

	if (!v->stores) {
		v->stores = 1;
		v->history[0].value = fetch(p, bytes);
	}
	return v;
}

static bool happened(const struct store *s, const struct coroutine *t)
{
	return t->clock[s->thread] >= s->time;
}

static void join(vector_clock to, const vector_clock from)
{
	uint32_t i;

	for (i = 0; i < EXPLORE_THREADS; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

static bool acquires(int order)
{
	return order != memory_order_relaxed && order != memory_order_release;
}

static bool releases(int order)
{
	return order != memory_order_relaxed && order != memory_order_acquire &&
	       order != memory_order_consume;
}

/* Which store a load gives: the latest, or one that nothing forbids. */
static uint32_t pick_store(struct variable *v, struct coroutine *t, int order)
{
	uint32_t last = v->stores - 1;
	uint32_t oldest = v->seen[x.current];
	uint32_t i, back;

	if (last >= HISTORY && oldest < last - HISTORY + 1)
		oldest = last - HISTORY + 1;
	for (i = last; i > oldest; i--)
		if (happened(&v->history[i % HISTORY], t))
			oldest = i;
	if (order == memory_order_seq_cst || !x.stale || oldest == last)
		return last;
	back = explore_choose(last - oldest + 1);
	if (back) {
		x.stale--;
		t->saw_stale = true;
	}
	return last - back;
}

static void append(struct variable *v, struct coroutine *t, uint64_t value, const vector_clock kept,
		   int order)
{
	struct store *s = &v->history[v->stores % HISTORY];

	t->clock[x.current]++;
	s->value = value;
	s->thread = x.current;
	s->time = t->clock[x.current];
	memset(s->clock, 0, sizeof(s->clock));
	if (kept)
		join(s->clock, kept);
	if (releases(order))
		join(s->clock, t->clock);
	v->seen[x.current] = v->stores++;
	x.stores++;
}

static void put(void *p, uint32_t bytes, uint64_t value)
{
	memcpy(p, &value, bytes);
}

static enum explore_mutation mutation(const char *function, enum explore_op op)
{
	const struct explore_mutant *m = x.test->mutant;

	return m && m->op == op && !strcmp(m->function, function) ? m->how : EXPLORE_NONE;
}

/* The memory order of an operation, with its mutation. */
static int ordered(int order, enum explore_mutation how)
{
	return how == EXPLORE_RELAX ? memory_order_relaxed : order;
}

static bool explored(const void *p)
{
	return x.test && x.test->explored(p);
}

static void announce(void *p, enum explore_op op, uint64_t value)
{
	if (x.test->before)
		x.test->before(x.current, p, op, value);
}

static void store(void *p, uint32_t bytes, uint64_t value, const vector_clock kept, int order)
{
	struct variable *v = atomic_of(p, bytes);

	put(p, bytes, value);
	append(v, &x.thread[x.current], fetch(p, bytes), kept, order);
	if (order == memory_order_seq_cst)
		join(x.fences, x.thread[x.current].clock);
}

/* Reads the latest value, as every read-modify-write does. */
static uint64_t latest(void *p, uint32_t bytes, int order, struct store *s)
{
	struct variable *v = atomic_of(p, bytes);

	*s = v->history[(v->stores - 1) % HISTORY];
	v->seen[x.current] = v->stores - 1;
	if (acquires(order))
		join(x.thread[x.current].clock, s->clock);
	return s->value;
}

static uint64_t result_of(enum explore_op op, uint64_t old, uint64_t value)
{
	if (op == EXPLORE_SWAP)
		return value;
	return op == EXPLORE_ADD ? old + value : old - value;
}

static uint64_t modify(void *p, uint32_t bytes, enum explore_op op, uint64_t value, int order,
		       enum explore_mutation how)
{
	struct store s;
	uint64_t old = latest(p, bytes, order, &s);

	if (how == EXPLORE_SPLIT)
		step();
	if (how != EXPLORE_DROP)
		store(p, bytes, result_of(op, old, value), s.clock, order);
	return old;
}

/* Leaves an operation for later. */
static void defer(void *p, uint32_t bytes, enum explore_op op, uint64_t value, int order)
{
	struct coroutine *t = &x.thread[x.current];

	t->late.p = p;
	t->late.bytes = bytes;
	t->late.op = op;
	t->late.value = value;
	t->late.order = order;
}

/* Carries out what the thread's operation before should have done. */
static void catch_up(void)
{
	struct coroutine *t = &x.thread[x.current];
	void *p = t->late.p;

	if (!p)
		return;
	t->late.p = NULL;
	step();
	announce(p, t->late.op, t->late.value);
	if (t->late.op == EXPLORE_STORE)
		store(p, t->late.bytes, t->late.value, NULL, t->late.order);
	else
		modify(p, t->late.bytes, t->late.op, t->late.value, t->late.order, EXPLORE_NONE);
}

/** explore_point() - the thread does something that others may come before */
void explore_point(void)
{
	step();
}

/** explore_passed() - it has done that */
void explore_passed(void)
{
	catch_up();
}

/** explore_fence() - a full barrier */
void explore_fence(const char *function)
{
	struct coroutine *t = &x.thread[x.current];

	if (!x.test)
		return;
	step();
	if (mutation(function, EXPLORE_FENCE) == EXPLORE_DROP)
		return;
	catch_up();
	join(t->clock, x.fences);
	join(x.fences, t->clock);
}

/*
 * Locks are the test's own. Who takes one says so when he has it, and who drops it before he
 * does; they are kept two bytes behind the lock, where there is no variable.
 */

/** explore_dropped() - is what a function does with the test's own locks to be left out? */
bool explore_dropped(const char *function, enum explore_op op)
{
	return mutation(function, op) == EXPLORE_DROP;
}

/** explore_acquire() - the thread has got a lock: it knows all that its holders did */
void explore_acquire(const void *lock)
{
	struct variable *v = variable_of((const char *)lock + 2);

	join(x.thread[x.current].clock, v->read);
}

/** explore_release() - the thread is about to drop it */
void explore_release(const void *lock)
{
	catch_up();
	join(variable_of((const char *)lock + 2)->read, x.thread[x.current].clock);
}

static uint64_t load(void *p, uint32_t bytes, int order)
{
	struct coroutine *t = &x.thread[x.current];
	struct variable *v = atomic_of(p, bytes);
	uint32_t i = pick_store(v, t, order);

	v->seen[x.current] = i;
	if (acquires(order))
		join(t->clock, v->history[i % HISTORY].clock);
	return v->history[i % HISTORY].value;
}

uint64_t explore_load(void *p, uint32_t bytes, int order, const char *function)
{
	enum explore_mutation how = mutation(function, EXPLORE_LOAD);
	uint64_t value;

	if (!explored(p))
		return fetch(p, bytes);
	if (order != memory_order_relaxed)
		step();
	announce(p, EXPLORE_LOAD, 0);
	value = load(p, bytes, ordered(order, how));
	return how == EXPLORE_BLIND ? 0 : value;
}

void explore_store(void *p, uint32_t bytes, uint64_t value, int order, const char *function)
{
	enum explore_mutation how = mutation(function, EXPLORE_STORE);

	if (!explored(p)) {
		put(p, bytes, value);
		return;
	}
	if (how == EXPLORE_LATE) {
		catch_up();
		defer(p, bytes, EXPLORE_STORE, value, order);
		return;
	}
	/* Nobody else can tell when exactly a relaxed store is made. */
	if (order != memory_order_relaxed)
		step();
	announce(p, EXPLORE_STORE, value);
	if (how != EXPLORE_DROP)
		store(p, bytes, value, NULL, ordered(order, how));
	catch_up();
}

uint64_t explore_modify(void *p, uint32_t bytes, enum explore_op op, uint64_t value, int order,
			const char *function)
{
	enum explore_mutation how = mutation(function, op);
	uint64_t old = fetch(p, bytes);

	if (!explored(p)) {
		put(p, bytes, result_of(op, old, value));
		return old;
	}
	order = ordered(order, how);
	if (how == EXPLORE_LATE) {
		catch_up();
		defer(p, bytes, op, value, order);
		return old;
	}
	step();
	announce(p, op, value);
	old = modify(p, bytes, op, value, order, how);
	catch_up();
	return old;
}

bool explore_cas(void *p, uint32_t bytes, void *expected, uint64_t value, int success, int failure,
		 const char *function)
{
	enum explore_mutation how = mutation(function, EXPLORE_CAS);
	uint64_t want = fetch(expected, bytes);
	uint64_t old = fetch(p, bytes);
	struct store s;

	if (!explored(p)) {
		put(old == want ? p : expected, bytes, old == want ? value : old);
		return old == want;
	}
	step();
	announce(p, EXPLORE_CAS, value);
	old = fetch(p, bytes);
	latest(p, bytes, ordered(old == want ? success : failure, how), &s);
	if (old != want) {
		put(expected, bytes, old);
		catch_up();
		return false;
	}
	if (how == EXPLORE_SPLIT)
		step();
	if (how != EXPLORE_DROP)
		store(p, bytes, value, s.clock, ordered(success, how));
	catch_up();
	return true;
}

/** explore_read() - the calling thread reads plain memory */
void explore_read(const void *p)
{
	struct coroutine *t = &x.thread[x.current];
	struct variable *v = variable_of((const char *)p + 1);

	if (t->clock[v->writer] < v->written)
		explore_fail("a read races with a write of thread %u", v->writer);
	v->read[x.current] = ++t->clock[x.current];
}

/** explore_write() - the calling thread writes plain memory */
void explore_write(const void *p)
{
	struct coroutine *t = &x.thread[x.current];
	struct variable *v = variable_of((const char *)p + 1);
	uint32_t i;

	if (t->clock[v->writer] < v->written)
		explore_fail("a write races with a write of thread %u", v->writer);
	for (i = 0; i < EXPLORE_THREADS; i++)
		if (t->clock[i] < v->read[i])
			explore_fail("a write races with a read of thread %u", i);
	v->writer = x.current;
	v->written = ++t->clock[x.current];
}

/* --- executions ---------------------------------------------------------- */

static void prepare_thread(struct coroutine *t)
{
	t->begun = false;
	t->state = READY;
	t->saw_stale = false;
	t->late.p = NULL;
	memset(t->clock, 0, sizeof(t->clock));
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_BYTES;
	t->context.uc_link = NULL;
	makecontext(&t->context, thread_main, 0);
}

static bool all_ended(void)
{
	uint32_t i;

	for (i = 0; i < x.test->threads; i++)
		if (x.thread[i].state != ENDED)
			return false;
	return true;
}

/* One execution, from the beginning. A thread that ends comes back here. */
static void execute(void)
{
	uint32_t i;

	x.execution++;
	x.at = 0;
	x.preemptions = x.test->preemptions;
	x.stale = x.test->stale;
	x.steps = 0;
	x.stores = 0;
	memset(x.fences, 0, sizeof(x.fences));
	for (i = 0; i < x.test->threads; i++)
		prepare_thread(&x.thread[i]);
	x.test->reset();
	x.current = 0;
	switch (_setjmp(x.home)) {
	case 0:
		x.thread[0].begun = true;
		setcontext(&x.thread[0].context);
		break;
	case 1:
		return;
	default:
		if (!all_ended())
			give_way();
		else if (x.test->ended)
			x.test->ended();
	}
}

/** explore() - go through the executions of @test until one is wrong */
void explore(const struct explore_test *test, struct explore_result *result)
{
	uint32_t i;

	memset(result, 0, sizeof(*result));
	for (i = 0; i < test->threads; i++) {
		if (!x.thread[i].stack)
			x.thread[i].stack = malloc(STACK_BYTES);
		if (!x.thread[i].stack)
			abort();
	}
	x.test = test;
	x.result = result;
	x.choices = 0;
	do {
		execute();
		result->executions++;
		if (result->fault[0] || result->executions == test->limit)
			break;
		result->complete = !next_execution();
	} while (!result->complete);
	x.test = NULL;
}
