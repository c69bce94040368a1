// SPDX-License-Identifier: GPL-2.0
/*
 * The device in the model check of the queue protocol: sim/device's context, queues and bell as
 * they are. What the context would call to execute something is this file's.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "../../sim/device/internal.h"
#include "../../sim/device/refusal.h"
#include "queue_machine.h"

static struct {
	struct ptodev dev;
	struct ctx_page page;
	struct context ctx;
	struct server server;
	bool asleep;
} d;

/* A context that has served its queues up to where they are. */
void device_reset(uint32_t slots)
{
	struct pto_dev_queue *pair;
	uint32_t i;

	d.asleep = false;
	d.page = (struct ctx_page){ .state = CTX_RUNNING, .bound = 1, .top = slots };
	d.ctx = (struct context){ .dev = &d.dev, .id = 1, .page = &d.page };
	for (i = 0; i < slots; i++) {
		pair = machine_queue(i + 1);
		d.page.slots[i] = (struct queue_slot){
			.index = i + 1, .head = pair->sq_head, .done = pair->cq_tail,
		};
	}
}

/*
 * One thread for all queues: what it does with one of them does not depend on the others. Of the
 * orders in which two threads may execute commands it has the worst: a control command comes
 * before all runs that have not begun.
 */
void device_main(void)
{
	d.server = (struct server){ .ctx = &d.ctx, .which = CTX_STREAMS, .end = CTX_QUEUES };
	context_serve(&d.server);
}

void device_doorbell(void)
{
	bell_ring(&d.page.bells[CTX_STREAMS]);
}

void device_stop(void)
{
	atomic_store(&d.page.stop, 1);
	d.asleep = false;
}

bool device_explored(const void *p)
{
	return p == &d.page.bells[CTX_STREAMS].rung || p == &d.page.bells[CTX_STREAMS].sleeping;
}

/* --- what bell.c calls ------------------------------------------------------------- */

static bool awake(const void *arg)
{
	return !d.asleep;
}

/* No time passes: who sleeps here is woken or stays. */
static void futex_wait(atomic_uint *word, unsigned int value)
{
	explore_passed();
	if (atomic_load(word) != value || atomic_load(&d.page.stop))
		return;
	d.asleep = true;
	explore_until(awake, NULL);
}

static void futex_wake(void)
{
	explore_point();
	d.asleep = false;
	explore_passed();
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long arg[6];
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (number != SYS_futex)
		return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	if ((int)arg[1] == FUTEX_WAIT)
		futex_wait((atomic_uint *)arg[0], (unsigned int)arg[2]);
	else
		futex_wake();
	return 0;
}

/* --- what context.c and queue.c call ------------------------------------------------- */

/* Nobody else takes the lock of the page. */
void pause_step(unsigned int *tries)
{
	abort();
}

uint64_t clock_ns(void)
{
	return machine_now();
}

struct pto_dev_queue *ptodev_pair(const struct ptodev *dev, uint32_t index)
{
	return machine_queue(index);
}

void ptodev_interrupt(const struct ptodev *dev)
{
	machine_interrupt();
}

int window_show(struct ptodev *dev, uint64_t offset, uint64_t size, uint32_t prot)
{
	return 0;
}

int window_hide(struct ptodev *dev, uint64_t offset, uint64_t size)
{
	return 0;
}

void context_execute(struct context *ctx, bool control, const struct pto_dev_cmd *cmd,
		     struct outcome *out)
{
	d.server.turn = 0;
	machine_execute(cmd);
}

void pto_engine_enter(void)
{
}

bool pto_engine_lost(const struct pto_engine *engine)
{
	return false;
}

/* Contexts are made by hand here. */

int pto_engine_create(const struct pto_engine_config *config, struct pto_engine **engine)
{
	return -ENOSYS;
}

void pto_engine_costs(const struct pto_engine *engine, struct pto_dev_costs *costs)
{
}

void pto_engine_destroy(struct pto_engine *engine)
{
}

int refusal(const char *call, int error)
{
	return -error;
}

void pto_engine_abort_call(struct pto_engine *engine)
{
}

void pto_engine_calls_end(struct pto_engine *engine)
{
}

void fault_watch_thread(void)
{
}

void context_tidy(struct context *ctx, uint32_t server)
{
}

int device_thread_create(pthread_t *thread, void *(*main)(void *), void *arg)
{
	return -ENOSYS;
}

void loader_free(struct loader *loader)
{
}

void map_table_free(struct map_table *table)
{
}
