// SPDX-License-Identifier: GPL-2.0
/*
 * The machine with one processor, see cpu.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <sim/device/engine_internal.h>

#include "cpu.h"

#define THREADS		512
#define STACK_BYTES	(64 << 10)

enum state { ENDED, READY, SLEEPING };

/*
 * A thread. @word, @until: what it sleeps on, and how long at most. @core: engine_core of it while
 * it does not run.
 */
struct coroutine {
	ucontext_t context;
	char *stack;
	void *(*body)(void *arg);
	void *arg;
	enum state state;
	bool neighbour;
	const void *word;
	uint64_t until;
	struct pto_core *core;
};

/* Thread 0 is who began. @queue: those that are ready, but for the one that runs. */
static struct {
	struct coroutine thread[THREADS];
	int threads;
	int current;
	int queue[THREADS];
	uint32_t head, tail;
	uint32_t left;		/* steps of the slice */
	uint64_t steps;
	uint64_t used;		/* those that were not the neighbours' */
	bool over;
} c;

/* --- the scheduler -------------------------------------------------------- */

static void enqueue(int index)
{
	c.thread[index].state = READY;
	c.thread[index].word = NULL;
	c.queue[c.tail++ % THREADS] = index;
}

static void wake_late(void)
{
	int i;

	for (i = 0; i < c.threads; i++)
		if (c.thread[i].state == SLEEPING && c.thread[i].until <= c.steps)
			enqueue(i);
}

/* Nobody is ready: time passes until somebody has slept enough. */
static void idle(void)
{
	uint64_t next = UINT64_MAX;
	int i;

	for (i = 0; i < c.threads; i++)
		if (c.thread[i].state == SLEEPING && c.thread[i].until < next)
			next = c.thread[i].until;
	if (next == UINT64_MAX) {
		printf("# all threads sleep, and nobody will wake them\n");
		abort();
	}
	c.steps = next;
	wake_late();
}

/* Goes on with whoever comes next. */
static void schedule(void)
{
	struct coroutine *from = &c.thread[c.current];
	struct coroutine *to;

	wake_late();
	while (c.head == c.tail)
		idle();
	c.left = CPU_SLICE;
	c.current = c.queue[c.head++ % THREADS];
	to = &c.thread[c.current];
	if (to == from)
		return;
	from->core = engine_core;
	engine_core = to->core;
	swapcontext(&from->context, &to->context);
}

/** cpu_yield() - others go first */
void cpu_yield(void)
{
	enqueue(c.current);
	schedule();
}

/** cpu_step() - the calling thread does something that takes so long */
void cpu_step(uint32_t steps)
{
	uint32_t part;

	for (; steps; steps -= part) {
		part = steps < c.left ? steps : c.left;
		c.steps += part;
		if (!c.thread[c.current].neighbour)
			c.used += part;
		c.left -= part;
		if (!c.left)
			cpu_yield();
	}
}

/** cpu_sleep() - until somebody wakes those who sleep on @word, or for @ns, at most */
void cpu_sleep(const void *word, uint64_t ns)
{
	struct coroutine *t = &c.thread[c.current];
	uint64_t steps = ns / CPU_STEP_NS;

	t->state = SLEEPING;
	t->word = word;
	t->until = steps < UINT64_MAX - 1 - c.steps ? c.steps + steps + 1 : UINT64_MAX;
	schedule();
}

/** cpu_wake() - wake one thread that sleeps on @word, or all */
void cpu_wake(const void *word, bool all)
{
	int i;

	for (i = 0; i < c.threads; i++) {
		if (c.thread[i].state != SLEEPING || c.thread[i].word != word)
			continue;
		enqueue(i);
		if (!all)
			return;
	}
}

/** cpu_now() - the time, in ns */
uint64_t cpu_now(void)
{
	return (c.steps + 1) * CPU_STEP_NS;
}

/** cpu_used() - steps of all threads but the neighbours */
uint64_t cpu_used(void)
{
	return c.used;
}

/* --- threads -------------------------------------------------------------- */

static void thread_main(void)
{
	struct coroutine *t = &c.thread[c.current];

	cpu_step(t->neighbour ? 0 : CPU_START);
	t->body(t->arg);
	t->state = ENDED;
	cpu_wake(t, true);
	schedule();
}

static int make(void *(*body)(void *arg), void *arg, bool neighbour)
{
	struct coroutine *t = &c.thread[c.threads];

	if (c.threads == THREADS)
		return -1;
	*t = (struct coroutine){ .body = body, .arg = arg, .neighbour = neighbour };
	t->stack = malloc(STACK_BYTES);
	if (!t->stack)
		return -1;
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_BYTES;
	t->context.uc_link = NULL;
	makecontext(&t->context, thread_main, 0);
	enqueue(c.threads);
	return c.threads++;
}

/** cpu_create() - make a thread. Return: its number, -1 if there are too many */
int cpu_create(void *(*body)(void *arg), void *arg)
{
	cpu_step(CPU_CREATE);
	return make(body, arg, false);
}

static void *another_program(void *arg)
{
	while (!c.over)
		cpu_step(CPU_SLICE);
	return NULL;
}

/** cpu_neighbour() - another program has something to compute from now on, without an end */
void cpu_neighbour(void)
{
	if (make(another_program, NULL, true) < 0)
		abort();
}

/** cpu_join() - wait until a thread has ended */
void cpu_join(int thread)
{
	while (c.thread[thread].state != ENDED)
		cpu_sleep(&c.thread[thread], UINT64_MAX);
}

/** cpu_begin() - the calling thread is the only one of the machine */
void cpu_begin(void)
{
	memset(&c, 0, sizeof(c));
	c.thread[0].state = READY;
	c.threads = 1;
	c.left = CPU_SLICE;
}

/** cpu_end() - wait for all threads, and free what they had */
void cpu_end(void)
{
	int i;

	c.over = true;
	for (i = 1; i < c.threads; i++) {
		cpu_join(i);
		free(c.thread[i].stack);
	}
}
