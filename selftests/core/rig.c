// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/workqueue.h>

#include <device/mem.h>
#include <pto_core.h>
#include <sim_clock.h>
#include <sim_kernel.h>

#include "rig.h"

#define QUEUE_BYTES	PTO_DEV_QUEUE_BYTES(RIG_DEPTH)
#define HEAP_OFFSET	(PAGE_SIZE + RIG_QUEUES * QUEUE_BYTES)
#define WINDOW_SIZE	(HEAP_OFFSET + RIG_HEAP)
#define WINDOW_MAX	(HEAP_OFFSET + RIG_HEAP_MAX)
#define MAPPINGS	4096
#define PULSE_NS	(RIG_SECOND / 20)

/* A rule, and how many commands it has been asked about. */
struct rule {
	struct rig_rule rule;
	unsigned int seen;
};

/* Memory that a context may touch. */
struct mapping {
	uint32_t ctx;
	uint64_t addr;
	uint64_t length;
};

/* A command that takes its time; the queue waits for it. @rule: its own, if @ruled. */
struct late {
	struct sim_timer timer;
	struct rig *rig;
	uint32_t queue;
	bool waits;
	bool ruled;
	struct rig_rule rule;
};

struct failure {
	unsigned int skip;
	unsigned int times;
};

/**
 * struct rig_inside - what tests do not see
 * @lock: protects the device: doorbells come from several threads. Recursive, since what a rule
 *	calls may use the rig
 * @ops: rig_ops, or those of them that this rig has
 * @virtual: on virtual time
 * @rules: rules
 * @rule_count: their number
 * @failures: what is to fail
 * @mappings: what contexts may touch
 * @mapping_count: number of these
 * @early: times that memory was cleared or mapped again although a context had it still
 * @late: by queue
 * @owner: context of each queue, 0 for none
 * @alive: contexts that there are, a bit each
 * @aborted: contexts that were, a bit each
 * @loaded: handles in use, by context
 * @irq: raises the interrupt
 * @pulse: the heartbeat
 * @later: calls @later_func
 * @later_func: what a test wants to happen
 * @files: memory that files share, NULL where there is none
 * @fd: the window
 * @pages: the window once more, for access: nothing lies between one page and the next but a
 *	page that nobody may touch
 * @shown: pages that are mapped there
 */
struct rig_inside {
	pthread_mutex_t lock;
	struct pto_transport_ops ops;
	bool virtual;
	struct rule rules[RIG_RULES];
	unsigned int rule_count;
	struct failure failures[RIG_OPS];
	struct mapping mappings[MAPPINGS];
	unsigned int mapping_count;
	unsigned int early;
	struct late late[RIG_QUEUES_MAX];
	uint32_t owner[RIG_QUEUES_MAX];
	uint32_t alive;
	uint32_t aborted;
	bool loaded[32][PTO_DEV_MAX_HANDLES];
	struct sim_timer irq;
	struct sim_timer pulse;
	struct sim_timer later;
	void (*later_func)(struct rig *rig);
	struct pto_memory *files[RIG_FILES];
	int fd;
	char *pages;
	bool shown[WINDOW_MAX / PAGE_SIZE];
};

static void lock(struct rig *rig)
{
	pthread_mutex_lock(&rig->inside->lock);
}

static void unlock(struct rig *rig)
{
	pthread_mutex_unlock(&rig->inside->lock);
}

struct pto_dev_queue *rig_queue(struct rig *rig, uint32_t queue)
{
	return (struct pto_dev_queue *)(void *)(rig->window + PAGE_SIZE + queue * QUEUE_BYTES);
}

static struct pto_dev_cmd *queue_sq(struct pto_dev_queue *q)
{
	return (struct pto_dev_cmd *)(void *)((char *)q + PTO_DEV_SQ_OFFSET);
}

static struct pto_dev_cqe *queue_cq(struct pto_dev_queue *q)
{
	return (struct pto_dev_cqe *)(void *)((char *)q + PTO_DEV_CQ_OFFSET(RIG_DEPTH));
}

struct pto_dev_cqe *rig_cqe(struct rig *rig, uint32_t queue, uint32_t id)
{
	return &queue_cq(rig_queue(rig, queue))[id % RIG_DEPTH];
}

struct pto_dev_report *rig_report_at(struct rig *rig, uint32_t queue, uint32_t id)
{
	struct pto_dev_report *reports;

	reports = (void *)((char *)rig_queue(rig, queue) + PTO_DEV_REPORT_OFFSET(RIG_DEPTH));
	return &reports[id % PTO_DEV_REPORTS];
}

void rig_report(struct rig *rig, uint32_t queue, uint32_t id, const char *text)
{
	struct pto_dev_report *report = rig_report_at(rig, queue, id);

	memset(report, 0, sizeof(*report));
	report->id = id;
	report->flags = PTO_DEV_REPORT_VALID;
	memcpy(report->text, text, min(strlen(text) + 1, sizeof(report->text)));
}

/* --- what goes wrong -------------------------------------------------------------- */

void rig_fail(struct rig *rig, enum rig_op op, unsigned int skip, unsigned int times)
{
	lock(rig);
	rig->inside->failures[op] = (struct failure){ skip, times };
	unlock(rig);
}

static bool fails(struct rig *rig, enum rig_op op)
{
	struct failure *failure = &rig->inside->failures[op];
	bool result = false;

	lock(rig);
	rig->calls[op]++;
	if (failure->skip) {
		failure->skip--;
	} else if (failure->times) {
		failure->times--;
		result = true;
	}
	unlock(rig);
	return result;
}

void rig_log(bool on)
{
	sim_log_level = on ? 4 : 0;
}

void rig_rule(struct rig *rig, const struct rig_rule *rule)
{
	struct rig_inside *in = rig->inside;

	if (in->rule_count == RIG_RULES || (rule->late_ns && !in->virtual))
		abort();
	lock(rig);
	in->rules[in->rule_count++] = (struct rule){ .rule = *rule };
	unlock(rig);
}

void rig_no_rules(struct rig *rig)
{
	lock(rig);
	rig->inside->rule_count = 0;
	unlock(rig);
}

/* The rule for the next command of a queue, NULL if there is none. It is asked once. */
static const struct rig_rule *rule_of(struct rig *rig, uint16_t opcode)
{
	struct rig_inside *in = rig->inside;
	unsigned int i;

	for (i = 0; i < in->rule_count; i++) {
		struct rule *r = &in->rules[i];

		if (r->rule.opcode != opcode || r->seen++ < r->rule.skip)
			continue;
		if (!r->rule.times || r->seen - r->rule.skip <= r->rule.times)
			return &r->rule;
	}
	return NULL;
}

/* --- what contexts may touch ------------------------------------------------------ */

static bool overlaps(const struct mapping *m, uint64_t addr, uint64_t length)
{
	return addr < m->addr + m->length && m->addr < addr + length;
}

/* By a context, or (0) by any */
static void expect_unmapped(struct rig *rig, uint32_t ctx, uint64_t addr, uint64_t length)
{
	unsigned int i;

	for (i = 0; i < rig->inside->mapping_count; i++) {
		const struct mapping *m = &rig->inside->mappings[i];

		if (!ctx || m->ctx == ctx)
			rig->inside->early += overlaps(m, addr, length);
	}
}

static void map_memory(struct rig *rig, const struct pto_dev_cmd *generic)
{
	const struct pto_dev_cmd_map *cmd = (const void *)generic;
	struct rig_inside *in = rig->inside;

	if (in->mapping_count == MAPPINGS)
		abort();
	/* Several contexts may have what is shared, but none has it twice. */
	expect_unmapped(rig, rig->shares ? cmd->ctx : 0, cmd->addr, cmd->length);
	in->mappings[in->mapping_count++] = (struct mapping){ cmd->ctx, cmd->addr, cmd->length };
}

/* All that a context has, or what of it lies in a range. */
static void unmap_memory(struct rig *rig, uint32_t ctx, uint64_t addr, uint64_t length)
{
	struct rig_inside *in = rig->inside;
	unsigned int i = 0;

	while (i < in->mapping_count) {
		struct mapping *m = &in->mappings[i];

		if (m->ctx == ctx && (!length || overlaps(m, addr, length)))
			*m = in->mappings[--in->mapping_count];
		else
			i++;
	}
}

/* --- commands --------------------------------------------------------------------- */

/* ARENA_BUILD: say how big things are. */
static void build_arena(struct rig *rig, const struct pto_dev_cmd *generic,
			struct pto_dev_cqe *cqe)
{
	const struct pto_dev_cmd_arena *cmd = (const void *)generic;
	struct pto_dev_arena_plan *plan;

	plan = (void *)(rig->window + (cmd->addr - rig->ident->memory_base));
	plan->arena_size = RIG_ARENA_SIZE;
	plan->image_size = RIG_IMAGE_SIZE;
	cqe->detail = RIG_IMAGE_SIZE;
	if (cmd->size < sizeof(*plan) + RIG_IMAGE_SIZE)
		cqe->status = PTO_DEV_NOSPACE;
}

static void begin_queue(struct rig *rig, uint32_t ctx, uint32_t queue)
{
	struct rig_inside *in = rig->inside;

	rig->next[queue] = 0;
	in->owner[queue] = ctx;
	in->late[queue].waits = false;
	sim_timer_cancel(&in->late[queue].timer);
	rig_queue(rig, queue)->sq_flags = PTO_DEV_NEED_WAKEUP;
}

static void end_queue(struct rig *rig, uint32_t queue)
{
	rig->inside->owner[queue] = 0;
	rig->inside->late[queue].waits = false;
	sim_timer_cancel(&rig->inside->late[queue].timer);
}

static void end_context(struct rig *rig, uint32_t ctx)
{
	uint32_t i;

	rig->inside->alive &= ~(1u << ctx);
	for (i = 0; i < RIG_QUEUES_MAX; i++)
		if (rig->inside->owner[i] == ctx)
			end_queue(rig, i);
	unmap_memory(rig, ctx, 0, 0);
}

static struct pto_dev_cmd next_command(struct rig *rig, uint32_t queue)
{
	return queue_sq(rig_queue(rig, queue))[rig->next[queue] % RIG_DEPTH];
}

static bool queue_pending(struct rig *rig, uint32_t queue)
{
	return rig->next[queue] != __atomic_load_n(&rig_queue(rig, queue)->sq_tail,
						   __ATOMIC_ACQUIRE);
}

/* An interrupt is a matter of its own, not of the doorbell before it. */
static void announce(struct rig *rig, uint32_t queue)
{
	if (rig->inside->virtual &&
	    __atomic_load_n(&rig_queue(rig, queue)->cq_flags, __ATOMIC_SEQ_CST))
		sim_timer_arm(&rig->inside->irq, sim_clock_now());
}

static void publish(struct rig *rig, uint32_t queue, const struct pto_dev_cqe *cqe, uint32_t id)
{
	*rig_cqe(rig, queue, id) = *cqe;
	__atomic_store_n(&rig_queue(rig, queue)->cq_tail, id + 1, __ATOMIC_SEQ_CST);
}

/* All that a context has in its queues ends, whatever holds it. */
static void abort_context(struct rig *rig, uint32_t ctx)
{
	uint32_t i;

	if (rig->stubborn)
		return;
	rig->inside->aborted |= 1u << ctx;
	for (i = 1; i < RIG_QUEUES_MAX; i++)
		if (rig->inside->owner[i] == ctx)
			rig_release(rig, i, RIG_DEPTH);
}

/* What a command does that has not been refused. */
static void effect(struct rig *rig, const struct pto_dev_cmd *cmd)
{
	const struct pto_dev_cmd_queue *bind = (const void *)cmd;
	const struct pto_dev_cmd_map *map = (const void *)cmd;

	switch (cmd->opcode) {
	case PTO_DEV_CTX_CREATE:
		rig->inside->alive |= 1u << cmd->ctx;
		memset(rig->inside->loaded[cmd->ctx], 0, sizeof(rig->inside->loaded[0]));
		rig->inside->aborted &= ~(1u << cmd->ctx);
		begin_queue(rig, cmd->ctx, bind->queue);
		break;
	case PTO_DEV_QUEUE_BIND:
		begin_queue(rig, cmd->ctx, bind->queue);
		break;
	case PTO_DEV_QUEUE_UNBIND:
		end_queue(rig, bind->queue);
		break;
	case PTO_DEV_CTX_DESTROY:
		end_context(rig, cmd->ctx);
		break;
	case PTO_DEV_ABORT:
		abort_context(rig, cmd->ctx);
		break;
	case PTO_DEV_LOAD:
		rig->inside->loaded[cmd->ctx][cmd->handle] = true;
		break;
	case PTO_DEV_MAP:
		map_memory(rig, cmd);
		break;
	case PTO_DEV_UNMAP:
		unmap_memory(rig, cmd->ctx, map->addr, map->length);
		break;
	}
}

/*
 * A queue takes commands of its context only, and is given to one that there is; what is loaded
 * and run has a handle of its own.
 */
static bool is_possible(struct rig *rig, uint32_t queue, const struct pto_dev_cmd *cmd)
{
	struct rig_inside *in = rig->inside;

	if (cmd->opcode == PTO_DEV_QUEUE_BIND || cmd->opcode == PTO_DEV_QUEUE_UNBIND)
		return in->alive >> cmd->ctx & 1;
	if (in->owner[queue] && in->owner[queue] != cmd->ctx)
		return false;
	switch (cmd->opcode) {
	case PTO_DEV_LOAD:
		return cmd->handle < PTO_DEV_MAX_HANDLES && !in->loaded[cmd->ctx][cmd->handle];
	case PTO_DEV_RUN:
	case PTO_DEV_UNLOAD:
		return cmd->handle < PTO_DEV_MAX_HANDLES && in->loaded[cmd->ctx][cmd->handle];
	}
	return true;
}

static void execute(struct rig *rig, uint32_t queue, const struct rig_rule *rule)
{
	struct pto_dev_cmd cmd = next_command(rig, queue);
	uint32_t id = rig->next[queue]++;
	struct pto_dev_cqe cqe = { .id = cmd.id, .start_ns = 1, .end_ns = 2 };
	bool special = cmd.opcode == rig->opcode;

	rig->log[rig->logged++ % RIG_LOG] = (struct rig_log_entry){ queue, cmd };
	if (rig->inside->owner[queue] && rig->inside->aborted >> rig->inside->owner[queue] & 1)
		cqe.status = PTO_DEV_ABORTED;
	if (!is_possible(rig, queue, &cmd))
		cqe.status = PTO_DEV_INVALID;
	else if (cmd.opcode == PTO_DEV_UNLOAD)
		/* Whatever it says, but for what a context does not survive. */
		rig->inside->loaded[cmd.ctx][cmd.handle] = false;
	if (cmd.opcode == PTO_DEV_ARENA_BUILD)
		build_arena(rig, &cmd, &cqe);
	if (rule && rule->status) {
		cqe.status = rule->status;
		cqe.detail = rule->detail;
	}
	if (special && rig->spoil)
		rig->spoil(rig, queue, &cqe);
	if (rule && rule->spoil)
		rule->spoil(rig, queue, &cqe);
	if (!cqe.status)
		effect(rig, &cmd);
	publish(rig, queue, &cqe, id);
	announce(rig, queue);
	if (special && rig->after)
		rig->after(rig, queue);
	if (rule && rule->after)
		rule->after(rig, queue);
}

/* Return: the queue has to wait before its next command. */
static bool stopped_by(struct rig *rig, uint32_t queue, const struct rig_rule *rule)
{
	struct late *late = &rig->inside->late[queue];
	uint64_t ns = rule && rule->late_ns ? rule->late_ns : rig->latency_ns;

	if (rule && rule->silent) {
		rig->held |= 1u << queue;
		return true;
	}
	if (!ns)
		return false;
	late->waits = true;
	late->ruled = rule;
	if (rule)
		late->rule = *rule;
	sim_timer_arm(&late->timer, sim_clock_now() + ns);
	return true;
}

static bool is_held(struct rig *rig, uint32_t queue)
{
	return queue < 32 && rig->held >> queue & 1;
}

/* The queue goes on, until something stops it. */
static void run_queue(struct rig *rig, uint32_t queue)
{
	const struct rig_rule *rule;

	while (!rig->silent && !is_held(rig, queue) && !rig->inside->late[queue].waits &&
	       queue_pending(rig, queue)) {
		rule = rule_of(rig, next_command(rig, queue).opcode);
		if (stopped_by(rig, queue, rule))
			return;
		execute(rig, queue, rule);
	}
}

static void late_command(struct sim_timer *timer)
{
	struct late *late = container_of(timer, struct late, timer);
	struct rig *rig = late->rig;

	lock(rig);
	if (late->waits) {
		late->waits = false;
		if (!rig->silent && !is_held(rig, late->queue))
			execute(rig, late->queue, late->ruled ? &late->rule : NULL);
		run_queue(rig, late->queue);
	}
	unlock(rig);
}

void rig_release(struct rig *rig, uint32_t queue, unsigned int count)
{
	lock(rig);
	rig->inside->late[queue].waits = false;
	sim_timer_cancel(&rig->inside->late[queue].timer);
	while (count-- && queue_pending(rig, queue))
		execute(rig, queue, NULL);
	unlock(rig);
}

static void rig_kick(void *priv, u32 queue)
{
	struct rig *rig = priv;

	if (fails(rig, RIG_KICK))
		return;
	lock(rig);
	run_queue(rig, queue);
	unlock(rig);
}

static void *rig_map(void *priv, u64 offset, u64 length)
{
	struct rig *rig = priv;

	if (fails(rig, RIG_MAP))
		return NULL;
	__atomic_fetch_add(&rig->mapped, (int64_t)length, __ATOMIC_RELAXED);
	return rig->window + offset;
}

static void rig_unmap(void *priv, void *addr, u64 length)
{
	struct rig *rig = priv;

	__atomic_fetch_sub(&rig->mapped, (int64_t)length, __ATOMIC_RELAXED);
}

static char *show_page(struct rig *rig, u64 number)
{
	struct rig_inside *in = rig->inside;
	char *page = in->pages + 2 * number * PAGE_SIZE;

	lock(rig);
	if (!in->shown[number] &&
	    mmap(page, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, in->fd,
		 (off_t)(number * PAGE_SIZE)) == MAP_FAILED)
		abort();
	in->shown[number] = true;
	unlock(rig);
	return page;
}

/* Page by page, as a kernel's transport would. */
static void *rig_access(void *priv, u64 offset, size_t *length)
{
	struct rig *rig = priv;

	if (rig->accessing)
		rig->accessing(rig, offset);
	if (fails(rig, RIG_ACCESS))
		return ERR_PTR(-EIO);
	*length = min_t(size_t, *length, PAGE_SIZE - offset_in_page(offset));
	__atomic_fetch_add(&rig->accessed, *length, __ATOMIC_RELAXED);
	__atomic_fetch_add(&rig->accesses, 1, __ATOMIC_RELAXED);
	return show_page(rig, offset / PAGE_SIZE) + offset_in_page(offset);
}

static void rig_access_end(void *priv, void *addr)
{
	struct rig *rig = priv;

	__atomic_fetch_sub(&rig->accesses, 1, __ATOMIC_RELAXED);
}

static int rig_clear(void *priv, u64 offset, u64 length)
{
	struct rig *rig = priv;

	lock(rig);
	expect_unmapped(rig, 0, rig->ident->memory_base + offset, length);
	unlock(rig);
	if (rig->clearing)
		rig->clearing(rig);
	if (fails(rig, RIG_CLEAR) || rig->clear_fails)
		return -EPERM;
	memset(rig->window + offset, 0, length);
	__atomic_fetch_add(&rig->cleared, length, __ATOMIC_RELAXED);
	return 0;
}

static void rig_release_transport(void *priv)
{
	struct rig *rig = priv;

	rig->released++;
}

static s64 rig_clock(void *priv)
{
	const struct rig *rig = priv;

	return rig->clock_ns;
}

void rig_callers_ahead(int64_t ns)
{
	sim_time_offset = ns;
}

/* The application's thread that exports has the file when the call returns, and not before. */
static int rig_share(void *priv, struct pto_memory *memory,
		     int (*tell)(struct pto_call *call, int fd), struct pto_call *call)
{
	struct rig *rig = priv;
	int i, err;

	for (i = 0; i < RIG_FILES && rig->inside->files[i]; i++)
		;
	if (i == RIG_FILES)
		return -EMFILE;
	err = tell(call, RIG_FIRST_FD + i);
	if (!err)
		rig->inside->files[i] = pto_memory_get(memory);
	return err;
}

static void *rig_foreign_access(void *priv, u64 offset, size_t *length)
{
	struct rig *rig = priv;

	if (rig->foreign_opaque)
		return ERR_PTR(-EOPNOTSUPP);
	*length = min_t(size_t, *length, RIG_FOREIGN - offset);
	return rig->foreign + offset;
}

static void rig_foreign_release(void *priv)
{
	struct rig *rig = priv;

	rig->foreign_gone++;
}

static const struct pto_foreign_ops rig_foreign_ops = {
	.access = rig_foreign_access,
	.release = rig_foreign_release,
};

static struct pto_memory *rig_shared(void *priv, int fd)
{
	struct rig *rig = priv;
	int i = fd - RIG_FIRST_FD;

	if (fd == RIG_FOREIGN_FD)
		return pto_memory_foreign(rig->pdev, RIG_FOREIGN, &rig_foreign_ops, rig);
	if (i < 0 || i >= RIG_FILES || !rig->inside->files[i])
		return ERR_PTR(-EBADF);
	return pto_memory_get(rig->inside->files[i]);
}

void rig_unshare(struct rig *rig, int fd)
{
	struct pto_memory **file = &rig->inside->files[fd - RIG_FIRST_FD];

	if (*file)
		pto_memory_put(*file);
	*file = NULL;
}

static const struct pto_transport_ops rig_ops = {
	.name = "rig",
	.map = rig_map,
	.unmap = rig_unmap,
	.access = rig_access,
	.access_end = rig_access_end,
	.clear = rig_clear,
	.clock = rig_clock,
	.kick = rig_kick,
	.export = rig_share,
	.import = rig_shared,
	.release = rig_release_transport,
};

static void fill_ident(struct pto_dev_ident *id, char *window)
{
	*id = (struct pto_dev_ident){
		.magic = PTO_DEV_MAGIC,
		.abi_version = PTO_DEV_ABI_VERSION,
		.state = PTO_DEV_STATE_READY,
		.arch = PTO_ARCH_A5,
		.cluster_count = 36,
		.aic_count = 36,
		.aiv_count = 72,
		.aicpu_threads = 5,
		.max_contexts = RIG_CONTEXTS,
		.queue_count = RIG_QUEUES,
		.queue_depth = RIG_DEPTH,
		.queue_stride = QUEUE_BYTES,
		.queue_offset = PAGE_SIZE,
		.heap_offset = HEAP_OFFSET,
		.window_size = WINDOW_SIZE,
		.memory_base = (uintptr_t)window,
		.features = PTO_FEATURE_UNIFIED | PTO_FEATURE_SIMULATED,
		.name = "rig",
	};
}

static void rig_raise(struct sim_timer *timer)
{
	struct rig_inside *in = container_of(timer, struct rig_inside, irq);

	rig_interrupt(in->late[0].rig);
}

static void beat(struct sim_timer *timer)
{
	struct rig_inside *in = container_of(timer, struct rig_inside, pulse);
	struct rig *rig = in->late[0].rig;

	if (!rig->no_pulse)
		__atomic_fetch_add(&rig->ident->heartbeat, 1, __ATOMIC_RELAXED);
	sim_timer_arm(timer, timer->expires + PULSE_NS);
}

static void happen_later(struct sim_timer *timer)
{
	struct rig_inside *in = container_of(timer, struct rig_inside, later);

	in->later_func(in->late[0].rig);
}

void rig_later(struct rig *rig, uint64_t ns, void (*func)(struct rig *rig))
{
	rig->inside->later_func = func;
	sim_timer_arm(&rig->inside->later, sim_clock_now() + ns);
}

static struct rig_inside *inside_new(struct rig *rig)
{
	struct rig_inside *in = calloc(1, sizeof(*in));
	pthread_mutexattr_t attr;
	uint32_t i;

	if (!in)
		abort();
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&in->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	for (i = 0; i < RIG_QUEUES_MAX; i++) {
		in->late[i].timer.func = late_command;
		in->late[i].rig = rig;
		in->late[i].queue = i;
	}
	in->irq.func = rig_raise;
	in->pulse.func = beat;
	in->later.func = happen_later;
	return in;
}

static void make_window(struct rig *rig)
{
	struct rig_inside *in = rig->inside;

	in->fd = memfd_create("pto-rig", MFD_CLOEXEC);
	if (in->fd < 0 || ftruncate(in->fd, WINDOW_MAX))
		abort();
	rig->window = mmap(NULL, WINDOW_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, in->fd, 0);
	in->pages = mmap(NULL, 2 * WINDOW_MAX, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (rig->window == MAP_FAILED || in->pages == MAP_FAILED)
		abort();
}

struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		abort();
	rig->inside = inside_new(rig);
	make_window(rig);
	rig->window_size = WINDOW_SIZE;
	rig->ident = (struct pto_dev_ident *)(void *)rig->window;
	fill_ident(rig->ident, rig->window);
	rig_queue(rig, 0)->sq_flags = PTO_DEV_NEED_WAKEUP;
	return rig;
}

/* The clock is the process's, and so is this. */
static bool virtual_time;

void rig_virtual_time(struct rig *rig, unsigned int threads)
{
	virtual_time = true;
	rig->inside->virtual = true;
	sim_cpus = 2;
	sim_clock_start(RIG_START_NS, threads);
	sim_timer_arm(&rig->inside->pulse, RIG_START_NS + PULSE_NS);
}

uint64_t rig_now(void)
{
	return sim_clock_now();
}

void rig_advance(uint64_t ns)
{
	sim_clock_advance(ns);
}

void rig_settle(void)
{
	if (virtual_time)
		sim_clock_settle();
	else
		flush_workqueue(pto_wq);
}

static bool still_runs(const struct sim_sleeper *sleeper)
{
	const struct rig_thread *thread = sleeper->arg;

	return !thread->ended;
}

static void *thread_main(void *arg)
{
	struct rig_thread *thread = arg;

	thread->task = sim_current();
	thread->func(thread->arg);
	thread->ended = true;
	sim_clock_threads(-1);
	return NULL;
}

void rig_thread(struct rig_thread *thread, void (*func)(void *arg), void *arg)
{
	thread->func = func;
	thread->arg = arg;
	thread->task = NULL;
	thread->ended = false;
	sim_clock_threads(1);
	if (pthread_create(&thread->thread, NULL, thread_main, thread))
		abort();
}

void rig_kill(struct rig_thread *thread)
{
	sim_kill(thread->task);
}

void rig_join(struct rig_thread *thread)
{
	struct sim_sleeper sleeper = {
		.blocked = still_runs,
		.arg = thread,
		.expires = SIM_CLOCK_NEVER,
	};

	sim_clock_sleep(&sleeper);
	pthread_join(thread->thread, NULL);
	sim_clock_awake(&sleeper);
}

int rig_start(struct rig *rig)
{
	struct pto_device *pdev;

	pto_wq = &sim_workqueue;
	rig->inside->ops = rig_ops;
	if (!rig->shares) {
		rig->inside->ops.export = NULL;
		rig->inside->ops.import = NULL;
	}
	pdev = pto_device_create(&rig->inside->ops, rig, 0, rig->window_size);
	if (IS_ERR(pdev))
		return (int)PTR_ERR(pdev);
	rig->pdev = pdev;
	return 0;
}

void rig_free(struct rig *rig)
{
	sim_time_offset = 0;
	if (rig->pdev) {
		/* Contexts that the device has not given up end with it. */
		pto_device_gone(rig->pdev);
		pto_device_put(rig->pdev);
		rig_settle();
		/* Nobody has a reference any more, and the transport is told so, once. */
		if (rig->released != 1 || rig->mapped)
			abort();
	}
	if (rig->inside->virtual)
		sim_clock_stop();
	virtual_time = false;
	rig_bounds(2000, 10000, 60000);
	rig_user(0, true);
	sim_cpus = 0;
	munmap(rig->window, WINDOW_MAX);
	munmap(rig->inside->pages, 2 * WINDOW_MAX);
	close(rig->inside->fd);
	pthread_mutex_destroy(&rig->inside->lock);
	free(rig->inside);
	free(rig);
}

void rig_interrupt(struct rig *rig)
{
	if (fails(rig, RIG_INTERRUPT))
		return;
	__atomic_fetch_add(&rig->interrupts, 1, __ATOMIC_RELAXED);
	pto_device_interrupt(rig->pdev);
}

void rig_bounds(unsigned int close_ms, unsigned int admin_ms, unsigned int heartbeat_ms)
{
	pto_close_ms = close_ms;
	pto_admin_ms = admin_ms;
	pto_heartbeat_ms = heartbeat_ms;
}

void rig_watch(struct rig *rig)
{
	pto_device_watch(rig->pdev);
}

void rig_gone(struct rig *rig)
{
	pto_device_gone(rig->pdev);
}

unsigned int rig_count(const struct rig *rig, uint16_t opcode, unsigned int from)
{
	unsigned int i, count = 0;

	/* The driver's work may be having something executed at this moment. */
	pthread_mutex_lock(&rig->inside->lock);
	for (i = from; i < rig->logged; i++)
		count += rig->log[i % RIG_LOG].cmd.opcode == opcode;
	pthread_mutex_unlock(&rig->inside->lock);
	return count;
}

unsigned int rig_early(const struct rig *rig)
{
	unsigned int early;

	pthread_mutex_lock(&rig->inside->lock);
	early = rig->inside->early;
	pthread_mutex_unlock(&rig->inside->lock);
	return early;
}

bool rig_waiting(struct rig *rig, uint32_t queue, uint16_t opcode)
{
	struct pto_dev_queue *q = rig_queue(rig, queue);
	uint32_t tail = __atomic_load_n(&q->sq_tail, __ATOMIC_ACQUIRE), i;
	bool found = false;

	pthread_mutex_lock(&rig->inside->lock);
	for (i = rig->next[queue]; i != tail; i++)
		found |= queue_sq(q)[i % RIG_DEPTH].opcode == opcode;
	pthread_mutex_unlock(&rig->inside->lock);
	return found;
}

const struct rig_log_entry *rig_last(const struct rig *rig, uint16_t opcode)
{
	const struct rig_log_entry *last = NULL;
	unsigned int i;

	pthread_mutex_lock(&rig->inside->lock);
	for (i = rig->logged; i-- && !last;) {
		if (rig->log[i % RIG_LOG].cmd.opcode == opcode)
			last = &rig->log[i % RIG_LOG];
	}
	pthread_mutex_unlock(&rig->inside->lock);
	return last;
}

uint32_t rig_last_bound(const struct rig *rig)
{
	struct pto_dev_cmd_queue bind;

	memcpy(&bind, &rig_last(rig, PTO_DEV_QUEUE_BIND)->cmd, sizeof(bind));
	return bind.queue;
}

int rig_open(struct rig *rig, struct pto_ctx **ctx)
{
	*ctx = pto_ctx_open(rig->pdev);
	return PTR_ERR_OR_ZERO(*ctx);
}

void rig_close(struct pto_ctx *ctx)
{
	pto_ctx_close(ctx);
}

int rig_ioctl(struct pto_ctx *ctx, unsigned int cmd, void *arg)
{
	return (int)sim_syscall_return(pto_ctx_ioctl(ctx, cmd, arg));
}

static void *user_page(const void *arg, size_t size)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		abort();
	memcpy(page, arg, size);
	return page;
}

void *rig_trap(const void *arg, size_t size, void (*call)(void))
{
	void *page = user_page(arg, size);

	sim_fault(page, call);
	return page;
}

void *rig_read_only(const void *arg, size_t size)
{
	void *page = user_page(arg, size);

	mprotect(page, PAGE_SIZE, PROT_READ);
	return page;
}

void rig_user_free(void *page)
{
	sim_fault(NULL, NULL);
	munmap(page, PAGE_SIZE);
}

void rig_kill_after(unsigned int looks)
{
	sim_kill_after(looks, NULL);
}

void rig_kill_late(void (*call)(void))
{
	sim_kill_after(1, call);
}

unsigned int rig_poll(struct pto_ctx *ctx)
{
	return (unsigned int)pto_ctx_poll(ctx);
}

int rig_bo(struct pto_ctx *ctx, uint64_t length, struct pto_ioc_bo_create *arg)
{
	*arg = (struct pto_ioc_bo_create){ .size = sizeof(*arg), .length = length };
	return rig_ioctl(ctx, PTO_BO_CREATE, arg);
}

int rig_export(struct pto_ctx *ctx, uint32_t id, int *fd)
{
	struct pto_ioc_bo_export arg = { .size = sizeof(arg), .id = id };
	int err = rig_ioctl(ctx, PTO_BO_EXPORT, &arg);

	*fd = arg.fd;
	return err;
}

int rig_import(struct pto_ctx *ctx, int fd, struct pto_ioc_bo_import *arg)
{
	*arg = (struct pto_ioc_bo_import){ .size = sizeof(*arg), .fd = fd };
	return rig_ioctl(ctx, PTO_BO_IMPORT, arg);
}

int rig_bo_destroy(struct pto_ctx *ctx, uint32_t id)
{
	struct pto_ioc_bo_destroy arg = { .size = sizeof(arg), .id = id };

	return rig_ioctl(ctx, PTO_BO_DESTROY, &arg);
}

int rig_image(struct pto_ctx *ctx, const char *bytes, uint32_t *id)
{
	struct pto_ioc_image_create arg = {
		.size = sizeof(arg),
		.data_ptr = (uintptr_t)bytes,
		.length = strlen(bytes),
	};
	int err = rig_ioctl(ctx, PTO_IMAGE_CREATE, &arg);

	*id = arg.id;
	return err;
}

int rig_image_destroy(struct pto_ctx *ctx, uint32_t id)
{
	struct pto_ioc_image_destroy arg = { .size = sizeof(arg), .id = id };

	return rig_ioctl(ctx, PTO_IMAGE_DESTROY, &arg);
}

int rig_prepare(struct pto_ctx *ctx, int cid, uint32_t image)
{
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = cid,
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = image,
	};

	return rig_ioctl(ctx, PTO_PREPARE, &arg);
}

int rig_unprepare(struct pto_ctx *ctx, int cid)
{
	struct pto_ioc_unprepare arg = { .size = sizeof(arg), .cid = cid };

	return rig_ioctl(ctx, PTO_UNPREPARE, &arg);
}

int rig_run(struct pto_ctx *ctx, int cid, uint32_t args_bo, uint64_t *id)
{
	struct pto_run_entry entry = {
		.cid = cid,
		.args_bo = args_bo,
		.args_size = args_bo ? 64 : 0,
		.user_data = 77,
	};
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	int err = rig_ioctl(ctx, PTO_RUN, &arg);

	*id = arg.first_id;
	return err;
}

/* In one call, without a bound; how the wait went is in arg->wait_error. */
/* Of cid 0, without arguments, on a stream of choice. */
int rig_run_on(struct pto_ctx *ctx, uint32_t stream, uint64_t *id)
{
	struct pto_run_entry entry = { 0 };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = stream,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	int err = rig_ioctl(ctx, PTO_RUN, &run);

	*id = run.first_id;
	return err;
}

int rig_run_and_wait(struct pto_ctx *ctx, int cid, struct pto_ioc_run *arg)
{
	struct pto_run_entry entry = { .cid = cid };
	struct pto_ioc_wait wait = { .size = sizeof(wait), .timeout_ns = PTO_WAIT_FOREVER };

	*arg = (struct pto_ioc_run) {
		.size = sizeof(*arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
		.wait_ptr = (uintptr_t)&wait,
	};
	return rig_ioctl(ctx, PTO_RUN, arg);
}

int rig_wait(struct pto_ctx *ctx, uint64_t id, uint64_t timeout_ns, struct pto_ioc_wait *arg)
{
	uint64_t log_ptr = arg->log_ptr;
	uint32_t log_size = arg->log_size;

	*arg = (struct pto_ioc_wait){
		.size = sizeof(*arg),
		.run = id,
		.timeout_ns = timeout_ns,
		.log_ptr = log_ptr,
		.log_size = log_size,
	};
	return rig_ioctl(ctx, PTO_WAIT, arg);
}

static int query(struct pto_ctx *ctx, uint32_t item, void *data, uint32_t size)
{
	struct pto_ioc_query arg = {
		.size = sizeof(arg),
		.item = item,
		.data_ptr = (uintptr_t)data,
		.data_size = size,
	};

	return rig_ioctl(ctx, PTO_QUERY, &arg);
}

int rig_stats(struct pto_ctx *ctx, struct pto_context_stats *stats)
{
	return query(ctx, PTO_QUERY_CONTEXT, stats, sizeof(*stats));
}

int rig_usage(struct pto_ctx *ctx, struct pto_device_usage *usage)
{
	return query(ctx, PTO_QUERY_USAGE, usage, sizeof(*usage));
}

int rig_debug_stats(struct pto_ctx *ctx, struct pto_debug_stats *stats)
{
	return query(ctx, PTO_QUERY_DEBUG, stats, sizeof(*stats));
}

int rig_ready(struct pto_ctx *ctx, struct pto_ioc_bo_create *bo)
{
	uint32_t image;
	int err;

	err = rig_image(ctx, "an orchestration", &image);
	if (!err)
		err = rig_prepare(ctx, 0, image);
	if (!err)
		err = rig_bo(ctx, 3 * PAGE_SIZE, bo);
	return err;
}

int rig_lose(struct rig *rig)
{
	struct pto_mem mem;

	return pto_mem_alloc(rig->pdev, PAGE_SIZE, &mem);
}

void rig_user(unsigned int user, bool perfmon)
{
	sim_user = user;
	sim_perfmon = perfmon;
}

unsigned long sim_locks;

unsigned long rig_locks(void)
{
	return __atomic_load_n(&sim_locks, __ATOMIC_RELAXED);
}

/* The bounds that were noted last: more than a call notes. */
static struct bound {
	unsigned long index;
	unsigned long size;
} bounds[64];
static unsigned int bounds_noted;

unsigned long sim_note_bound(unsigned long index, unsigned long size)
{
	unsigned int i = __atomic_fetch_add(&bounds_noted, 1, __ATOMIC_RELAXED);
	struct bound *bound = &bounds[i % ARRAY_SIZE(bounds)];

	__atomic_store_n(&bound->index, index, __ATOMIC_RELAXED);
	__atomic_store_n(&bound->size, size, __ATOMIC_RELAXED);
	/* As the kernel's does; there is a check before it. */
	return index < size ? index : 0;
}

unsigned int rig_bounded(unsigned long index, unsigned long size)
{
	unsigned int i, count = 0;

	for (i = 0; i < ARRAY_SIZE(bounds); i++) {
		if (__atomic_load_n(&bounds[i].index, __ATOMIC_RELAXED) == index &&
		    __atomic_load_n(&bounds[i].size, __ATOMIC_RELAXED) == size)
			count++;
	}
	return count;
}

long rig_memory(void)
{
	return sim_memory_live().allocations;
}

void rig_fail_nth(long nth)
{
	sim_fail_nth(nth);
}

bool rig_fail_pending(void)
{
	return sim_fail_left() > 0;
}
