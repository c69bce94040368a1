// SPDX-License-Identifier: GPL-2.0
/*
 * The driver in the model check of the queue protocol: all of kmod/core as it is, on a transport
 * and on locks, sleeps and work that the explorer understands.
 *
 * While nothing is explored (setting up, taking down) the device executes commands as they are
 * posted. While something is, queue_device.c does, but for the admin queue.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/srcu.h>

#include <pto_core.h>
#include <context/ctx.h>
#include <object/stream.h>
#include <internal.h>
#include <sim_kernel.h>

#include "queue_machine.h"

#define QUEUE_BYTES	PTO_DEV_QUEUE_BYTES(MACHINE_DEPTH)
#define HEAP_OFFSET	(PAGE_SIZE + MACHINE_QUEUES * QUEUE_BYTES)
#define WINDOW_SIZE	(HEAP_OFFSET + (1 << 20))
#define MASK		(MACHINE_DEPTH - 1)
#define MAPPINGS	8

/* What a thread of the program passes to the driver. */
union argument {
	struct {
		struct pto_ioc_run run;
		struct pto_run_entry entry;
		struct pto_ioc_wait wait;
	};
	struct pto_ioc_bo_create bo_create;
	struct pto_ioc_bo_destroy bo_destroy;
	struct pto_ioc_image_create image;
	struct pto_ioc_prepare prepare;
	struct pto_ioc_stream_create stream_create;
	struct pto_ioc_stream_wait stream_wait;
};

static struct {
	const struct machine_program *program;
	bool exploring;
	bool hold;
	bool over;
	uint32_t drivers;
	uint32_t finished;
	uint32_t sleeps;		/* of the application's threads */
	uint64_t clock;
	struct pto_device *pdev;
	struct pto_ctx *ctx;
	uint32_t irqs;
	uint32_t irqs_seen;
	uint32_t taken[MACHINE_QUEUES];	/* completions that the driver has taken */
	struct mapping {
		uint64_t addr;		/* 0: none */
		uint64_t length;
	} mappings[MAPPINGS];		/* what the device may touch */
	uint64_t freed;			/* bytes that were cleared */
	struct wait_queue_entry listener;
	bool woken;
} m;

static char window[WINDOW_SIZE] __attribute__((aligned(4096)));
static union argument arguments[EXPLORE_THREADS];
struct task_struct machine_task[EXPLORE_THREADS];
bool sim_clock_on = true;

struct pto_dev_queue *machine_queue(uint32_t index)
{
	return (struct pto_dev_queue *)(void *)(window + PAGE_SIZE + index * QUEUE_BYTES);
}

static struct pto_dev_cmd *command_at(uint32_t queue, uint32_t id)
{
	char *q = (char *)machine_queue(queue);

	return (struct pto_dev_cmd *)(void *)(q + PTO_DEV_SQ_OFFSET) + (id & MASK);
}

static struct pto_dev_cqe *completion_at(uint32_t queue, uint32_t id)
{
	char *q = (char *)machine_queue(queue);

	return (struct pto_dev_cqe *)(void *)(q + PTO_DEV_CQ_OFFSET(MACHINE_DEPTH)) + (id & MASK);
}

/* --- locks, barriers, time ---------------------------------------------------------- */

static bool is_free(const void *arg)
{
	const struct mutex *lock = arg;

	return !lock->state;
}

void machine_lock(struct mutex *lock, const char *function)
{
	if (m.exploring && explore_dropped(function, EXPLORE_LOCK))
		return;
	if (m.exploring) {
		explore_point();
		explore_until(is_free, lock);
		explore_acquire(lock);
	}
	if (lock->state)
		abort();
	lock->state = 1;
}

int machine_trylock(struct mutex *lock)
{
	if (m.exploring)
		explore_point();
	if (lock->state)
		return 0;
	machine_lock(lock, __func__);
	return 1;
}

void machine_unlock(struct mutex *lock, const char *function)
{
	if (m.exploring && explore_dropped(function, EXPLORE_LOCK))
		return;
	if (m.exploring)
		explore_release(lock);
	lock->state = 0;
	/* What comes next may come late: after another thread has got the lock. */
	if (m.exploring)
		explore_point();
}

/* Of those who are not explored: they tell nobody anything. */
void sim_mutex_lock_slow(struct mutex *lock)
{
	if (!m.exploring)
		abort();
	explore_until(is_free, lock);
	lock->state = 1;
}

void sim_mutex_wake(struct mutex *lock)
{
}

void machine_mb(const char *function)
{
	if (m.exploring)
		explore_fence(function);
}

void machine_mb_of(const void *p, int order, const char *function)
{
	if (order == __ATOMIC_SEQ_CST && machine_explored(p))
		explore_fence(function);
}

u64 sim_clock_read(void)
{
	return m.clock += 1000;
}

uint64_t machine_now(void)
{
	return m.clock;
}

void usleep_range(unsigned long min_us, unsigned long max_us)
{
	abort();
}

void sim_yield(void)
{
}

/* Nobody watches a queue before he sleeps. */
unsigned int num_online_cpus(void)
{
	return 1;
}

/* --- sleeping ----------------------------------------------------------------------- */

static bool is_running(const void *arg)
{
	const struct task_struct *task = arg;

	return task->state == TASK_RUNNING;
}

/* No time passes: who sleeps is woken or stays. Sleeping and waking are full barriers. */
int sim_schedule(const ktime_t *expires)
{
	if (!m.exploring)
		abort();
	explore_passed();
	m.sleeps++;
	explore_until(is_running, current);
	(void)__atomic_load_n(&current->state, __ATOMIC_ACQUIRE);
	return -EINTR;
}

int wake_up_process(struct task_struct *task)
{
	return __atomic_exchange_n(&task->state, TASK_RUNNING, __ATOMIC_SEQ_CST) != TASK_RUNNING;
}

long sim_syscall_return(long ret)
{
	return ret;
}

/* --- sections ----------------------------------------------------------------------- */

__thread unsigned int sim_srcu_slot;

unsigned int sim_srcu_choose_slot(void)
{
	return sim_srcu_slot = 1;
}

int init_srcu_struct(struct srcu_struct *ssp)
{
	memset(ssp, 0, sizeof(*ssp));
	return 0;
}

void cleanup_srcu_struct(struct srcu_struct *ssp)
{
}

static bool nobody_inside(const void *arg)
{
	const struct srcu_struct *ssp = arg;

	return !ssp->stripe[0].readers[0] && !ssp->stripe[0].readers[1];
}

void synchronize_srcu(struct srcu_struct *ssp)
{
	if (m.exploring)
		explore_until(nobody_inside, ssp);
}

/* --- work --------------------------------------------------------------------------- */

struct workqueue_struct {
	struct list_head queue;
	struct work_struct *running;
};

unsigned long sim_locks;
struct workqueue_struct sim_workqueue;
static struct work_struct *first_work(void)
{
	return list_first_entry_or_null(&sim_workqueue.queue, struct work_struct, link);
}

static void do_work(void)
{
	struct work_struct *work = first_work();

	list_del_init(&work->link);
	work->state = SIM_WORK_IDLE;
	sim_workqueue.running = work;
	if (m.exploring)
		explore_acquire(&sim_workqueue);
	work->func(work);
	sim_workqueue.running = NULL;
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	if (m.exploring)
		explore_point();
	if (work->state != SIM_WORK_IDLE)
		return false;
	work->state = SIM_WORK_QUEUED;
	list_add_tail(&work->link, &wq->queue);
	if (m.exploring)
		explore_release(wq);
	return true;
}

static bool is_done(const void *work)
{
	return sim_workqueue.running != work;
}

bool cancel_work_sync(struct work_struct *work)
{
	bool pending = work->state != SIM_WORK_IDLE;

	if (pending) {
		list_del_init(&work->link);
		work->state = SIM_WORK_IDLE;
	}
	if (m.exploring)
		explore_until(is_done, work);
	return pending;
}

/* What is delayed is never due. */
bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
			unsigned long delay)
{
	return delay ? false : queue_work(wq, &dwork->work);
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
		      unsigned long delay)
{
	return delay ? false : !queue_work(wq, &dwork->work);
}

bool cancel_delayed_work_sync(struct delayed_work *dwork)
{
	return cancel_work_sync(&dwork->work);
}

/* Only the end of a device waits for work, and nothing is explored then. */
bool flush_work(struct work_struct *work)
{
	bool pending = work->state != SIM_WORK_IDLE;

	if (m.exploring)
		abort();
	if (pending) {
		list_del_init(&work->link);
		work->state = SIM_WORK_IDLE;
		work->func(work);
	}
	return pending;
}

/* Nobody forks here. */
void sim_workqueue_fork_child(void)
{
	abort();
}

static bool work_to_do(const void *arg)
{
	return m.over || first_work();
}

static void worker(void)
{
	for (;;) {
		explore_until(work_to_do, NULL);
		if (!first_work())
			return;
		do_work();
	}
}

/* --- the transport ------------------------------------------------------------------ */

/* Arenas are all alike. */
static void build_arena(const struct pto_dev_cmd *generic)
{
	const struct pto_dev_cmd_arena *cmd = (const void *)generic;
	struct pto_dev_arena_plan *plan;

	plan = (void *)(window + (cmd->addr - (uintptr_t)window));
	plan->arena_size = PAGE_SIZE;
	plan->image_size = 64;
}

static bool is_mapped(uint64_t addr, uint64_t length)
{
	uint32_t i;

	for (i = 0; i < MAPPINGS; i++)
		if (m.mappings[i].addr && addr < m.mappings[i].addr + m.mappings[i].length &&
		    m.mappings[i].addr < addr + length)
			return true;
	return false;
}

/* MAP and UNMAP name the same range. */
static void change_map(const struct pto_dev_cmd *generic)
{
	const struct pto_dev_cmd_map *cmd = (const void *)generic;
	uint64_t wanted = cmd->opcode == PTO_DEV_MAP ? 0 : cmd->addr;
	uint32_t i = 0;

	while (m.mappings[i].addr != wanted)
		if (++i == MAPPINGS)
			abort();
	if (cmd->opcode == PTO_DEV_MAP)
		m.mappings[i] = (struct mapping){ cmd->addr, cmd->length };
	else
		m.mappings[i].addr = 0;
}

/* It takes its time, and may touch its memory until the end. */
static void run(const struct pto_dev_cmd *generic)
{
	const struct pto_dev_cmd_run *cmd = (const void *)generic;
	int i;

	for (i = 0; m.exploring && i < 2; i++) {
		if (cmd->args_addr && !is_mapped(cmd->args_addr, cmd->args_size))
			explore_fail("a run's memory is not mapped any more");
		explore_point();
	}
}

void machine_execute(const struct pto_dev_cmd *cmd)
{
	if (cmd->opcode == PTO_DEV_ARENA_BUILD)
		build_arena(cmd);
	else if (cmd->opcode == PTO_DEV_MAP || cmd->opcode == PTO_DEV_UNMAP)
		change_map(cmd);
	else if (cmd->opcode == PTO_DEV_RUN)
		run(cmd);
}

static void serve(uint32_t queue)
{
	struct pto_dev_queue *q = machine_queue(queue);
	uint32_t id;

	while ((id = READ_ONCE(q->cq_tail)) != READ_ONCE(q->sq_tail)) {
		machine_execute(command_at(queue, id));
		*completion_at(queue, id) = (struct pto_dev_cqe){ .id = id };
		WRITE_ONCE(q->sq_head, id + 1);
		/* The entry before it. */
		smp_store_release(&q->cq_tail, id + 1);
	}
	if (m.exploring && READ_ONCE(q->cq_flags))
		machine_interrupt();
}

static void machine_kick(void *priv, u32 queue)
{
	if (queue && m.exploring && !m.program->at_once)
		device_doorbell();
	else if (!m.hold)
		serve(queue);
}

static void *machine_map(void *priv, u64 offset, u64 length)
{
	return window + offset;
}

static void machine_unmap(void *priv, void *addr, u64 length)
{
}

static void *machine_access(void *priv, u64 offset, size_t *length)
{
	return window + offset;
}

static void machine_access_end(void *priv, void *addr)
{
}

/* Of a piece of memory that is freed. */
static int machine_clear(void *priv, u64 offset, u64 length)
{
	if (m.exploring && is_mapped((uintptr_t)window + offset, length))
		explore_fail("memory is freed that the device has mapped");
	m.freed += length;
	return 0;
}

static void machine_release(void *priv)
{
}

static const struct pto_transport_ops machine_ops = {
	.name = "machine",
	.blank = true,
	.map = machine_map,
	.unmap = machine_unmap,
	.access = machine_access,
	.access_end = machine_access_end,
	.clear = machine_clear,
	.kick = machine_kick,
	.release = machine_release,
};

/* An eventfd, or the driver at once. */
void machine_interrupt(void)
{
	if (m.program->irq)
		__atomic_fetch_add(&m.irqs, 1, __ATOMIC_SEQ_CST);
	else
		pto_device_interrupt(m.pdev);
}

static bool irq_pending(const void *arg)
{
	return m.over || m.irqs != m.irqs_seen;
}

static void irq_thread(void)
{
	for (;;) {
		explore_until(irq_pending, NULL);
		m.irqs_seen = __atomic_load_n(&m.irqs, __ATOMIC_SEQ_CST);
		if (m.over)
			return;
		pto_device_interrupt(m.pdev);
	}
}

/* --- what is watched ---------------------------------------------------------------- */

static bool within(const void *p, const void *begin, size_t bytes)
{
	return (uintptr_t)p - (uintptr_t)begin < bytes;
}

/* Return: the queue whose indices and flags @p is one of; 0 if none, or the admin queue. */
static uint32_t queue_of(const void *p)
{
	uint64_t place = (uintptr_t)p - (uintptr_t)machine_queue(0);

	if (place >= MACHINE_QUEUES * QUEUE_BYTES ||
	    place % QUEUE_BYTES >= sizeof(struct pto_dev_queue))
		return 0;
	return place / QUEUE_BYTES;
}

static bool of_queue(const struct pto_queue *q, const void *p)
{
	return p == &q->cq_head || p == &q->stopped;
}

bool machine_explored(const void *p)
{
	const struct pto_ctx *ctx = m.ctx;

	if (!m.exploring)
		return false;
	return queue_of(p) || device_explored(p) || p == &m.irqs ||
	       p == &ctx->ch.client.wq.head.next || p == &ctx->ch.client.poll_armed ||
	       p == &ctx->ch.client.lost || p == &ctx->ch.client.pending ||
	       p == &ctx->ch.run_seq || p == &ctx->ch.reclaim.freed ||
	       of_queue(&ctx->ch.control, p) ||
	       of_queue(&ctx->streams.main->queue, p) ||
	       within(p, machine_task, sizeof(machine_task));
}

/* Entries belong to their index: who moves it has written them, or has read them. */
void machine_before(uint32_t thread, void *p, enum explore_op op, uint64_t value)
{
	uint32_t queue = queue_of(p);
	struct pto_dev_queue *q = machine_queue(queue);

	if (!queue || op != EXPLORE_STORE)
		return;
	if (p == &q->sq_tail)
		explore_write(command_at(queue, (uint32_t)value - 1));
	if (p == &q->sq_head)
		explore_read(command_at(queue, (uint32_t)value - 1));
	if (p == &q->cq_tail)
		explore_write(completion_at(queue, (uint32_t)value - 1));
	if (p == &q->cq_head)
		while (m.taken[queue] != (uint32_t)value)
			explore_read(completion_at(queue, m.taken[queue]++));
}

/* --- the application ---------------------------------------------------------------- */

static void call(unsigned int cmd, void *arg, const char *what)
{
	long err = pto_ctx_ioctl(m.ctx, cmd, arg);

	if (!err)
		return;
	if (!m.exploring)
		abort();
	explore_fail("%s: %ld", what, err);
}

static union argument *argument(void)
{
	union argument *arg = &arguments[m.exploring ? explore_self() : 0];

	memset(arg, 0, sizeof(*arg));
	return arg;
}

static void fill_run(union argument *a, uint32_t stream, uint32_t args_bo)
{
	a->entry = (struct pto_run_entry){
		.args_bo = args_bo, .args_size = args_bo ? 64 : 0,
	};
	a->run = (struct pto_ioc_run){
		.size = sizeof(a->run),
		.stream = stream,
		.count = 1,
		.stride = sizeof(a->entry),
		.entries_ptr = (uintptr_t)&a->entry,
	};
}

uint64_t machine_run(uint32_t stream, uint32_t args_bo)
{
	union argument *a = argument();

	fill_run(a, stream, args_bo);
	call(PTO_RUN, &a->run, "run");
	return a->run.first_id;
}

uint64_t machine_try_run(uint32_t args_bo)
{
	union argument *a = argument();
	long err;

	fill_run(a, PTO_STREAM_DEFAULT, args_bo);
	err = pto_ctx_ioctl(m.ctx, PTO_RUN, &a->run);
	if (err && err != -ENOENT)
		explore_fail("run: %ld", err);
	return err ? 0 : a->run.first_id;
}

void machine_run_and_wait(void)
{
	union argument *a = argument();

	fill_run(a, PTO_STREAM_DEFAULT, 0);
	a->wait = (struct pto_ioc_wait){
		.size = sizeof(a->wait), .timeout_ns = PTO_WAIT_FOREVER,
	};
	a->run.wait_ptr = (uintptr_t)&a->wait;
	call(PTO_RUN, &a->run, "run and wait");
	if (a->run.wait_error || a->wait.status)
		explore_fail("run and wait: %d, %d", a->run.wait_error, a->wait.status);
}

void machine_wait(uint64_t id)
{
	union argument *a = argument();

	a->wait = (struct pto_ioc_wait){
		.size = sizeof(a->wait), .run = id, .timeout_ns = PTO_WAIT_FOREVER,
	};
	call(PTO_WAIT, &a->wait, "wait");
	if (a->wait.status)
		explore_fail("run %llx: %d", (unsigned long long)id, a->wait.status);
}

bool machine_done(uint64_t id)
{
	union argument *a = argument();

	a->wait = (struct pto_ioc_wait){ .size = sizeof(a->wait), .run = id };
	return !pto_ctx_ioctl(m.ctx, PTO_WAIT, &a->wait);
}

uint32_t machine_bo(void)
{
	union argument *a = argument();

	a->bo_create = (struct pto_ioc_bo_create){ .size = sizeof(a->bo_create), .length = 4096 };
	call(PTO_BO_CREATE, &a->bo_create, "buffer");
	return a->bo_create.id;
}

void machine_bo_destroy(uint32_t id)
{
	union argument *a = argument();

	a->bo_destroy = (struct pto_ioc_bo_destroy){ .size = sizeof(a->bo_destroy), .id = id };
	call(PTO_BO_DESTROY, &a->bo_destroy, "end of a buffer");
}

uint32_t machine_stream(void)
{
	union argument *a = argument();

	a->stream_create = (struct pto_ioc_stream_create){ .size = sizeof(a->stream_create) };
	call(PTO_STREAM_CREATE, &a->stream_create, "stream");
	return a->stream_create.id;
}

void machine_join_stream(uint32_t id)
{
	union argument *a = argument();

	a->stream_wait = (struct pto_ioc_stream_wait){
		.size = sizeof(a->stream_wait), .id = id, .timeout_ns = PTO_WAIT_FOREVER,
	};
	call(PTO_STREAM_WAIT, &a->stream_wait, "wait for a stream");
}

/* Somebody who sleeps in poll(2). */
struct poller {
	struct wait_queue_entry entry;
	struct task_struct *task;
	bool triggered;
};

static int poll_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct poller *poller = container_of(entry, struct poller, entry);

	poller->triggered = true;
	return wake_up_process(poller->task);
}

/* As the kernel does it: nothing but the queue's lock before the driver is asked first. */
static void poll(bool wait)
{
	struct poller poller = { .task = current };
	__poll_t mask;

	init_waitqueue_func_entry(&poller.entry, poll_wake);
	add_wait_queue(pto_ctx_waitqueue(m.ctx), &poller.entry);
	while (!(mask = pto_ctx_poll(m.ctx)) && wait) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!poller.triggered)
			sim_schedule(NULL);
		__set_current_state(TASK_RUNNING);
		poller.triggered = false;
		/* As smp_store_mb() there. */
		smp_mb();
	}
	remove_wait_queue(pto_ctx_waitqueue(m.ctx), &poller.entry);
	if (wait && !(mask & EPOLLIN))
		explore_fail("poll: %x", (unsigned int)mask);
}

void machine_poll(void)
{
	poll(true);
}

void machine_poll_once(void)
{
	poll(false);
}

void machine_late_interrupt(void)
{
	pto_device_interrupt(m.pdev);
}

static bool has_freed(const void *pages)
{
	return m.freed >= *(const uint32_t *)pages * PAGE_SIZE;
}

void machine_until_freed(uint32_t pages)
{
	explore_until(has_freed, &pages);
}

static int note_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	m.woken = true;
	return 0;
}

static bool has_woken(const void *arg)
{
	return m.woken;
}

void machine_listen(void)
{
	init_waitqueue_func_entry(&m.listener, note_wake);
	add_wait_queue(pto_ctx_waitqueue(m.ctx), &m.listener);
}

void machine_until_woken(void)
{
	explore_until(has_woken, NULL);
}

static bool has_slept(const void *arg)
{
	return m.sleeps;
}

void machine_until_asleep(void)
{
	explore_until(has_slept, NULL);
}

void machine_hold(bool hold)
{
	uint32_t i;

	m.hold = hold;
	for (i = 1; i < MACHINE_QUEUES && !hold; i++)
		serve(i);
}

void machine_gone(void)
{
	pto_device_gone(m.pdev);
}

/* --- threads ------------------------------------------------------------------------ */

static uint32_t count_drivers(const struct machine_program *program)
{
	uint32_t count = 0;

	while (count < EXPLORE_THREADS && program->thread[count])
		count++;
	return count;
}

/** machine_threads() - how many threads a program takes */
uint32_t machine_threads(const struct machine_program *program)
{
	return count_drivers(program) + !program->at_once + program->irq + program->worker;
}

/* The last one sends all others home. */
static void finish(void)
{
	if (++m.finished != m.drivers)
		return;
	m.over = true;
	device_stop();
	explore_wake();
}

void machine_thread(uint32_t index)
{
	uint32_t device = !m.program->at_once;

	if (index < m.drivers) {
		m.program->thread[index]();
		finish();
	} else if (index == m.drivers && device) {
		device_main();
	} else if (index == m.drivers + device && m.program->irq) {
		irq_thread();
	} else {
		worker();
	}
}

/* --- from the beginning to the end -------------------------------------------------- */

static void fill_ident(void)
{
	*(struct pto_dev_ident *)(void *)window = (struct pto_dev_ident){
		.magic = PTO_DEV_MAGIC,
		.abi_version = PTO_DEV_ABI_VERSION,
		.state = PTO_DEV_STATE_READY,
		.arch = PTO_ARCH_A5,
		.cluster_count = 1,
		.aic_count = 1,
		.aiv_count = 2,
		.aicpu_threads = 1,
		.max_contexts = 1,
		.queue_count = MACHINE_QUEUES,
		.queue_depth = MACHINE_DEPTH,
		.queue_stride = QUEUE_BYTES,
		.queue_offset = PAGE_SIZE,
		.heap_offset = HEAP_OFFSET,
		.window_size = WINDOW_SIZE,
		.memory_base = (uintptr_t)window,
	};
}

static void ring_always(void)
{
	uint32_t i;

	for (i = 0; i < MACHINE_QUEUES; i++)
		machine_queue(i)->sq_flags = PTO_DEV_NEED_WAKEUP;
}

static void make_callable(void)
{
	union argument *a = argument();
	uint32_t image;

	strcpy((char *)(a + 1), "object");
	a->image = (struct pto_ioc_image_create){
		.size = sizeof(a->image), .data_ptr = (uintptr_t)(a + 1), .length = 6,
	};
	call(PTO_IMAGE_CREATE, &a->image, "image");
	image = a->image.id;
	a->prepare = (struct pto_ioc_prepare){
		.size = sizeof(a->prepare), .kind = PTO_KIND_DEVICE_ORCH, .image = image,
	};
	call(PTO_PREPARE, &a->prepare, "prepare");
}

static void make_device(void)
{
	fill_ident();
	memset(machine_queue(0), 0, sizeof(struct pto_dev_queue));
	ring_always();
	pto_wq = &sim_workqueue;
	m.pdev = pto_device_create(&machine_ops, &m, 0, WINDOW_SIZE);
	if (IS_ERR(m.pdev))
		abort();
}

void machine_reset(const struct machine_program *program)
{
	static bool announced;
	uint32_t i;

	if (!announced)
		announced = !sim_mapping_add(arguments, sizeof(arguments));
	memset(&m, 0, sizeof(m));
	memset(machine_task, 0, sizeof(machine_task));
	INIT_LIST_HEAD(&sim_workqueue.queue);
	sim_workqueue.running = NULL;
	m.program = program;
	m.drivers = count_drivers(program);
	make_device();
	/* Whoever binds a queue clears its flags: the device wants doorbells at once. */
	m.ctx = pto_ctx_open(m.pdev);
	if (IS_ERR(m.ctx))
		abort();
	ring_always();
	make_callable();
	if (program->ready)
		program->ready();
	m.hold = false;
	m.freed = 0;
	for (i = 1; i < MACHINE_QUEUES; i++) {
		m.taken[i] = machine_queue(i)->cq_head;
		if (!program->at_once)
			machine_queue(i)->sq_flags = 0;
	}
	device_reset(MACHINE_QUEUES - 1);
	m.exploring = true;
}

void machine_ended(void)
{
	uint32_t i;

	m.exploring = false;
	if (m.listener.func)
		remove_wait_queue(pto_ctx_waitqueue(m.ctx), &m.listener);
	if (m.program->ended)
		m.program->ended();
	ring_always();
	for (i = 1; i < MACHINE_QUEUES; i++)
		serve(i);
	while (first_work())
		do_work();
	pto_ctx_close(m.ctx);
	pto_device_put(m.pdev);
}
