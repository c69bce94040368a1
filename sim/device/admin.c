// SPDX-License-Identifier: MIT
/*
 * The admin: serves the admin queue and the queues of dead contexts, and updates the heartbeat. It
 * executes no program code, so programs cannot delay it for longer than the bound for ending a
 * context, even if many contexts have to end.
 */
#include <sched.h>
#include <string.h>

#include "internal.h"
#include "memcheck.h"

/* Increment the heartbeat when it is due. */
static void admin_heartbeat(struct ptodev *dev)
{
	struct pto_dev_ident *ident = (void *)dev->window;
	uint64_t now = clock_ns();

	if (now < dev->heartbeat_ns)
		return;
	dev->heartbeat_ns = now + IDLE_SLEEP_NS / 2;
	__atomic_fetch_add(&ident->heartbeat, 1, __ATOMIC_RELAXED);
}

/* Does the command end a context that exists and has started? */
static bool admin_ends(struct ptodev *dev, const struct pto_dev_cmd *cmd)
{
	const struct ctx_home *home;

	if ((cmd->opcode != PTO_DEV_CTX_DESTROY && cmd->opcode != PTO_DEV_ABORT) || !cmd->ctx ||
	    cmd->ctx > dev->config.max_contexts)
		return false;
	home = &dev->contexts[cmd->ctx];
	return home->life == LIFE_ALIVE &&
	       atomic_load(&ptodev_page(dev, home->page)->state) != CTX_STARTING;
}

/*
 * Ask the contexts of later commands to end already now. Commands end contexts one after the
 * other, and each may take as long as the bound, so the driver would otherwise have to wait too
 * long for the last of many. Contexts are asked repeatedly, because one may just be about to begin
 * a run.
 */
static void admin_ask_ahead(struct ptodev *dev)
{
	struct pto_dev_cmd cmd;
	uint32_t i;

	for (i = 0; queue_peek(&dev->admin_queue, i, &cmd); i++)
		if (admin_ends(dev, &cmd))
			home_ask(dev, cmd.ctx);
}

/* Called repeatedly while the admin waits for a context to start or to end. */
void admin_meanwhile(struct ptodev *dev)
{
	admin_heartbeat(dev);
	admin_ask_ahead(dev);
}

/* The record of the context that a command names; NULL and a report on error. */
static struct ctx_home *admin_context(struct ptodev *dev, uint32_t id, bool exists,
				      struct outcome *out)
{
	struct ctx_home *home;
	bool found;

	if (!id || id > dev->config.max_contexts) {
		outcome_fail(out, PTO_DEV_INVALID, "context %u: they count from 1 to %u", id,
			     dev->config.max_contexts);
		return NULL;
	}
	home = &dev->contexts[id];
	found = home->life != LIFE_NONE;
	if (found == exists)
		return home;
	outcome_fail(out, PTO_DEV_INVALID, "context %u %s", id,
		     exists ? "does not exist" : "exists already");
	return NULL;
}

/* Check that the pair can be bound. */
static bool admin_queue_free(struct ptodev *dev, uint32_t queue, struct outcome *out)
{
	if (!queue || queue >= dev->queue_count)
		outcome_fail(out, PTO_DEV_INVALID, "queue pair %u: they count from 1 to %u", queue,
			     dev->queue_count - 1);
	else if (atomic_load(&dev->shared->owner[queue]) != QUEUE_FREE)
		outcome_fail(out, PTO_DEV_INVALID, "queue pair %u is in use", queue);
	else if (!queue_pristine(ptodev_pair(dev, queue)))
		outcome_fail(out, PTO_DEV_INVALID, "queue pair %u: its indices are not 0", queue);
	return !out->status;
}

static uint32_t admin_page_get(struct ptodev *dev)
{
	struct ctx_page *page;
	uint32_t i;

	for (i = 1; i <= dev->page_count; i++) {
		if (dev->page_refs[i])
			continue;
		dev->page_refs[i] = 1;
		page = ptodev_page(dev, i);
		memset((char *)page + sizeof(page->bells), 0,
		       sizeof(*page) - sizeof(page->bells));
		return i;
	}
	return 0;
}

/* Free the record of a context, and its queues. */
static void admin_forget(struct ptodev *dev, struct ctx_home *home)
{
	uint32_t i;

	for (i = 0; i < CTX_QUEUES; i++)
		if (home->queues[i])
			atomic_store(&dev->shared->owner[home->queues[i]], QUEUE_FREE);
	if (home->life == LIFE_DEAD)
		dev->dead--;
	dev->page_refs[home->page]--;
	memset(home, 0, sizeof(*home));
}

/* Publish the costs that a new context has measured. */
static void admin_publish(struct pto_dev_costs *to, const struct pto_dev_costs *costs)
{
	__atomic_store_n(&to->hand_overs, costs->hand_overs, __ATOMIC_RELAXED);
	__atomic_store_n(&to->hand_over_ns, costs->hand_over_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&to->tensor_ns, costs->tensor_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&to->catch_up_ns, costs->catch_up_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&to->max_debt_ns, costs->max_debt_ns, __ATOMIC_RELAXED);
}

static void do_create(struct ptodev *dev, const struct pto_dev_cmd *generic, struct outcome *out)
{
	const struct pto_dev_cmd_queue *cmd = (const void *)generic;
	struct ctx_home *home = admin_context(dev, cmd->ctx, false, out);
	struct ctx_page *page;
	int ret;

	if (!home || !admin_queue_free(dev, cmd->queue, out))
		return;
	home->page = admin_page_get(dev);
	if (!home->page) {
		outcome_fail(out, PTO_DEV_NOMEM,
			     "context %u: too many threads of earlier ones do not end", cmd->ctx);
		return;
	}
	page = ptodev_page(dev, home->page);
	page->slots[0].index = cmd->queue;
	atomic_store(&page->control, cmd->queue);
	page->top = 1;
	page->bound = 1;
	home->queues[0] = cmd->queue;
	home->life = LIFE_ALIVE;
	atomic_store(&dev->shared->owner[cmd->queue], home->page);
	ret = home_start(dev, cmd->ctx);
	if (!ret) {
		admin_publish(&ptodev_pair(dev, cmd->queue)->costs, &page->costs);
		return;
	}
	admin_forget(dev, home);
	outcome_fail(out, PTO_DEV_NOMEM, "context %u: cannot start it: %s", cmd->ctx,
		     strerror(-ret));
}

static void admin_abort(struct ptodev *dev, uint32_t id)
{
	struct pto_dev_report why;

	home_stop(dev, id, STOP_BOUND_NS);
	report_text(&why, "the context was aborted");
	context_bury(dev, id, PTO_DEV_ABORTED, &why);
}

static void do_destroy(struct ptodev *dev, const struct pto_dev_cmd *cmd, struct outcome *out)
{
	struct ctx_home *home = admin_context(dev, cmd->ctx, true, out);

	if (!home)
		return;
	if (home->life == LIFE_ALIVE)
		admin_abort(dev, cmd->ctx);
	admin_forget(dev, home);
}

static void do_abort(struct ptodev *dev, const struct pto_dev_cmd *cmd, struct outcome *out)
{
	struct ctx_home *home = admin_context(dev, cmd->ctx, true, out);

	if (home && home->life == LIFE_ALIVE)
		admin_abort(dev, cmd->ctx);
}

static uint32_t home_find_queue(const struct ctx_home *home, uint32_t queue)
{
	uint32_t i = 0;

	while (i < CTX_QUEUES && home->queues[i] != queue)
		i++;
	return i;
}

/* Return: false if the context is gone or broken. */
static bool lock_page(struct ptodev *dev, uint32_t id)
{
	struct ctx_page *page = ptodev_page(dev, dev->contexts[id].page);
	struct stuck stuck = { .holder = 0 };

	while (!ctx_page_trylock(page, LOCK_LOOK_NS)) {
		if (home_stuck(dev, id, &stuck))
			return false;
		admin_heartbeat(dev);
	}
	return true;
}

/*
 * Lock the page of a context. Its threads hold the lock for some dozen instructions, but on a
 * machine that is busy, or while their process is stopped, that takes any time: only a process that
 * has ended, or that home_stuck() proves to be broken, loses its context.
 */
static bool admin_lock(struct ptodev *dev, uint32_t id)
{
	struct pto_dev_report why;

	if (dev->contexts[id].life == LIFE_DEAD)
		return false;
	if (lock_page(dev, id))
		return true;
	home_stop(dev, id, STOP_BOUND_NS);
	report_text(&why, "the context does not answer the device");
	context_bury(dev, id, PTO_DEV_FAULT, &why);
	return false;
}

static void admin_set_slot(struct ptodev *dev, uint32_t id, uint32_t i, uint32_t queue)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	bool locked = admin_lock(dev, id);

	page->slots[i] = (struct queue_slot){ .index = queue };
	if (page->top <= i)
		page->top = i + 1;
	page->bound++;
	home->queues[i] = queue;
	if (queue)
		atomic_store(&dev->shared->owner[queue], locked ? home->page : 0);
	if (!locked)
		return;
	ctx_page_unlock(page);
	bell_ring(&page->bells[CTX_STREAMS]);
}

static void do_bind(struct ptodev *dev, const struct pto_dev_cmd *generic, struct outcome *out)
{
	const struct pto_dev_cmd_queue *cmd = (const void *)generic;
	struct ctx_home *home = admin_context(dev, cmd->ctx, true, out);
	uint32_t i;

	if (!home || !admin_queue_free(dev, cmd->queue, out))
		return;
	i = home_find_queue(home, 0);
	if (i == CTX_QUEUES)
		outcome_fail(out, PTO_DEV_NOSPACE, "context %u: it has %u queues, the limit",
			     cmd->ctx, CTX_QUEUES);
	else
		admin_set_slot(dev, cmd->ctx, i, cmd->queue);
}

/* Is a queue of a living context idle? */
static bool admin_queue_idle(struct ptodev *dev, uint32_t id, uint32_t i)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	bool locked = admin_lock(dev, id);
	uint32_t tail;
	bool idle;

	tail = __atomic_load_n(&ptodev_pair(dev, home->queues[i])->sq_tail, __ATOMIC_ACQUIRE);
	idle = page->current[CTX_STREAMS] != i + 1 && page->slots[i].head == tail;
	if (locked)
		ctx_page_unlock(page);
	return idle;
}

/*
 * A context process that executes a run keeps its mapping of the pair until the run has ended. A
 * correct program does not access it.
 */
static void do_unbind(struct ptodev *dev, const struct pto_dev_cmd *generic,
		      struct outcome *out)
{
	const struct pto_dev_cmd_queue *cmd = (const void *)generic;
	struct ctx_home *home = admin_context(dev, cmd->ctx, true, out);
	uint32_t i;

	if (!home)
		return;
	i = cmd->queue ? home_find_queue(home, cmd->queue) : CTX_QUEUES;
	if (i == CTX_QUEUES || i == 0) {
		outcome_fail(out, PTO_DEV_INVALID, "queue pair %u is no stream queue of context %u",
			     cmd->queue, cmd->ctx);
		return;
	}
	if (!admin_queue_idle(dev, cmd->ctx, i)) {
		outcome_fail(out, PTO_DEV_INVALID, "queue pair %u is not idle", cmd->queue);
		return;
	}
	admin_set_slot(dev, cmd->ctx, i, 0);
	atomic_store(&dev->shared->owner[cmd->queue], QUEUE_FREE);
}

static void do_arena_build(struct ptodev *dev, const struct pto_dev_cmd *generic,
			   struct outcome *out)
{
	const struct pto_dev_cmd_arena *cmd = (const void *)generic;
	struct pto_dev_arena_plan plan;
	uint64_t offset;
	int ret;

	if (cmd->ctx || cmd->image_addr || cmd->image_size || cmd->addr % 8 ||
	    cmd->size < sizeof(plan) || !ptodev_heap_range(dev, cmd->addr, cmd->size, &offset)) {
		outcome_fail(out, PTO_DEV_INVALID, "arena: no plan can be at 0x%llx, size %llu",
			     (unsigned long long)cmd->addr, (unsigned long long)cmd->size);
		return;
	}
	memcheck_allocated(dev->window + offset, cmd->size);
	memcpy(&plan, dev->window + offset, sizeof(plan));
	if (plan.size != sizeof(plan) || plan.flags) {
		outcome_fail(out, PTO_DEV_INVALID, "arena: a plan of size %u, flags 0x%x",
			     plan.size, plan.flags);
		return;
	}
	ret = pto_arena_plan(&plan);
	if (ret) {
		/* An arena of 2^64 bytes or more is too large, not invalid. */
		outcome_fail(out, ret == -EOVERFLOW ? PTO_DEV_NOMEM : PTO_DEV_INVALID,
			     "arena: the ring configuration: %s", strerror(-ret));
		return;
	}
	memcpy(dev->window + offset, &plan, sizeof(plan));
	out->detail = plan.image_size;
	if (cmd->size - sizeof(plan) < plan.image_size)
		outcome_fail(out, PTO_DEV_NOSPACE, "arena: the image takes %llu bytes",
			     (unsigned long long)plan.image_size);
	else
		pto_arena_build(&plan, dev->window + offset + sizeof(plan));
}

static void do_nop(struct ptodev *dev, const struct pto_dev_cmd *cmd, struct outcome *out)
{
}

/**
 * struct admin_command - a command of the admin queue
 * @used: bytes of the entry that are used; the rest must be 0
 * @execute: executes it
 */
struct admin_command {
	size_t used;
	void (*execute)(struct ptodev *dev, const struct pto_dev_cmd *cmd, struct outcome *out);
};

static const struct admin_command commands[] = {
	[PTO_DEV_NOP] = { offsetof(struct pto_dev_cmd, arg), do_nop },
	[PTO_DEV_CTX_CREATE] = { offsetof(struct pto_dev_cmd_queue, pad), do_create },
	[PTO_DEV_CTX_DESTROY] = { offsetof(struct pto_dev_cmd, arg), do_destroy },
	[PTO_DEV_QUEUE_BIND] = { offsetof(struct pto_dev_cmd_queue, pad), do_bind },
	[PTO_DEV_QUEUE_UNBIND] = { offsetof(struct pto_dev_cmd_queue, pad), do_unbind },
	[PTO_DEV_ABORT] = { offsetof(struct pto_dev_cmd, arg), do_abort },
	[PTO_DEV_ARENA_BUILD] = { offsetof(struct pto_dev_cmd_arena, arg), do_arena_build },
};

static void admin_execute(struct ptodev *dev, const struct pto_dev_cmd *cmd,
			  struct outcome *out)
{
	const size_t count = sizeof(commands) / sizeof(commands[0]);

	if (cmd->opcode >= count)
		outcome_fail(out, PTO_DEV_UNSUPPORTED, "unknown admin command %u", cmd->opcode);
	else if (cmd->handle)
		outcome_fail(out, PTO_DEV_INVALID, "command %u has no handle", cmd->opcode);
	else if (cmd_well_formed(cmd, commands[cmd->opcode].used, out))
		commands[cmd->opcode].execute(dev, cmd, out);
}

static bool admin_step(struct ptodev *dev)
{
	struct pto_dev_cmd cmd;
	struct outcome out;
	uint32_t index;

	if (!queue_fetch(&dev->admin_queue, &cmd, &index))
		return false;
	outcome_init(&out);
	if (cmd.id != index)
		outcome_fail(&out, PTO_DEV_INVALID, "command %u has id %u, but is entry %u",
			     cmd.opcode, cmd.id, index);
	else
		admin_execute(dev, &cmd, &out);
	if (queue_complete(&dev->admin_queue, &out))
		ptodev_interrupt(dev);
	return true;
}

/* Serve the queues of dead contexts. Return: true if there was a command */
static bool admin_serve_dead(struct ptodev *dev)
{
	uint32_t left = dev->dead;
	bool any = false;
	uint32_t id;

	for (id = 1; left && id <= dev->config.max_contexts; id++) {
		if (dev->contexts[id].life != LIFE_DEAD)
			continue;
		any |= context_serve_dead(dev, id);
		left--;
	}
	return any;
}

static bool admin_arm(struct ptodev *dev, bool armed)
{
	bool pending;
	uint32_t id;

	queue_arm(&dev->admin_queue, armed);
	pending = queue_pending(&dev->admin_queue);
	for (id = 1; dev->dead && id <= dev->config.max_contexts; id++)
		if (dev->contexts[id].life == LIFE_DEAD)
			pending |= context_arm_dead(dev, id, armed);
	return pending;
}

static bool admin_stopped(const struct ptodev *dev)
{
	return atomic_load(&dev->shared->stop) || supervisor_orphaned(dev);
}

/* Sleep until there is work. Before that, handle contexts that have ended by themselves. */
static void admin_sleep(struct ptodev *dev)
{
	struct bell *bell = &dev->shared->bell;
	unsigned int rung = bell_prepare(bell);
	bool busy;

	home_reap(dev);
	busy = admin_arm(dev, true) || admin_stopped(dev);
	bell_sleep(bell, rung, busy ? 0 : IDLE_SLEEP_NS / 2);
	admin_arm(dev, false);
}

/**
 * admin_main() - serve until the device is stopped, then end all contexts
 * @dev: the device
 */
void admin_main(struct ptodev *dev)
{
	uint64_t idle_since = 0;

	atomic_store(&dev->shared->ready, 1);
	while (!admin_stopped(dev)) {
		admin_heartbeat(dev);
		watchdog_check(dev);
		if (admin_step(dev) || admin_serve_dead(dev)) {
			idle_since = 0;
			continue;
		}
		if (!idle_since)
			idle_since = clock_ns();
		if (dev->spin && clock_ns() - idle_since < IDLE_YIELD_NS) {
			sched_yield();
		} else {
			admin_sleep(dev);
			idle_since = 0;
		}
	}
	home_stop_all(dev);
}
