// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Arenas: the working memory of runs, one per ring configuration, a few per context.
 */
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "channel/channel.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/mem.h"
#include "device/queue.h"
#include "device/runs.h"
#include "object/arena.h"

/** pto_arena_table_init() - no arenas yet; @table is zero */
void pto_arena_table_init(struct pto_arena_table *table, struct pto_channel *ch)
{
	table->ch = ch;
	table->next = 1;
}

static u64 pto_resolve(u64 value, u64 fallback)
{
	return value ? value : fallback;
}

/**
 * pto_arena_resolve() - fill in a configuration, with the device's defaults in place of zeros
 * @table: the arenas of the context that needs it
 * @arg: the caller's sizes
 * @config: filled in
 *
 * Return: 0, -EINVAL, -EOVERFLOW.
 */
int pto_arena_resolve(const struct pto_arena_table *table, const struct pto_ioc_prewarm *arg,
		      struct pto_arena_config *config)
{
	const struct pto_device *pdev = table->ch->pdev;
	u64 heaps = 0;
	int i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		u64 window = pto_resolve(arg->task_window[i], pdev->task_window);
		u64 heap = pto_resolve(arg->heap[i], pdev->heap);
		u64 deps = pto_resolve(arg->dep_pool[i], pdev->dep_pool);

		if (!pto_ring_ok(window, heap, deps))
			return -EINVAL;
		if (check_add_overflow(heaps, heap, &heaps))
			return -EOVERFLOW;
		config->task_window[i] = window;
		config->heap[i] = heap;
		config->dep_pool[i] = deps;
	}
	config->user = __kuid_val(table->ch->user);
	return 0;
}

static bool pto_arena_is_default(const struct pto_arena *arena)
{
	const struct pto_arena_config *config = &arena->image->config;
	const struct pto_device *pdev = arena->table->ch->pdev;
	int i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		if (config->task_window[i] != pdev->task_window ||
		    config->heap[i] != pdev->heap || config->dep_pool[i] != pdev->dep_pool)
			return false;
	}
	return true;
}

static void pto_arena_map_command(struct pto_arena *arena, u16 opcode, union pto_command *cmd)
{
	cmd->map = (struct pto_dev_cmd_map){
		.opcode = opcode,
		.addr = pto_mem_addr(arena->table->ch->pdev, &arena->mem),
		.length = arena->mem.length,
	};
	if (opcode == PTO_DEV_MAP)
		cmd->map.prot = PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE;
}

static void pto_arena_bind_command(struct pto_arena *arena, u16 opcode, union pto_command *cmd)
{
	struct pto_device *pdev = arena->table->ch->pdev;

	cmd->arena = (struct pto_dev_cmd_arena){
		.opcode = opcode,
		.addr = pto_mem_addr(pdev, &arena->mem),
		.size = arena->image->arena_size,
	};
	if (opcode == PTO_DEV_ARENA_BIND) {
		cmd->arena.image_addr = pto_mem_addr(pdev, &arena->image->mem) +
					sizeof(struct pto_dev_arena_plan);
		cmd->arena.image_size = arena->image->image_size;
	}
}

static unsigned int pto_arena_drop_commands(struct pto_deferred *d, union pto_command *cmd)
{
	struct pto_arena *arena = container_of(d, struct pto_arena, deferred);

	pto_arena_bind_command(arena, PTO_DEV_ARENA_DROP, &cmd[0]);
	pto_arena_map_command(arena, PTO_DEV_UNMAP, &cmd[1]);
	return 2;
}

static void pto_arena_release(struct pto_deferred *d)
{
	struct pto_arena *arena = container_of(d, struct pto_arena, deferred);

	pto_channel_free_mem(arena->table->ch, &arena->mem);
	pto_arena_image_put(arena->table->ch->pdev, arena->image);
	kfree(arena);
}

static const struct pto_deferred_ops pto_arena_deferred_ops = {
	.commands = pto_arena_drop_commands,
	.release = pto_arena_release,
};

/**
 * pto_arena_close() - free the arenas of a context that ends
 * @table: the arenas of a context that is not counted as open any more
 *
 * The last context frees the idle images, too: a device without contexts uses no memory.
 */
void pto_arena_close(struct pto_arena_table *table)
{
	int i;

	for (i = 0; i < PTO_MAX_ARENAS; i++) {
		if (table->slots[i])
			pto_arena_release(&table->slots[i]->deferred);
	}
	if (!atomic_read(&table->ch->pdev->context_count))
		pto_arena_idle_drop(table->ch->pdev);
}

/**
 * struct pto_attached - result of giving an arena to the hardware context
 * @known: the hardware context may have the arena, even after an error
 * @refused: the device rejects the arena's image
 */
struct pto_attached {
	bool known;
	bool refused;
};

/*
 * Give an arena to the hardware context. If the device rejects an image that it built itself, the
 * caller's arguments are not the reason: return -EIO instead of -EINVAL, and do not use the image
 * again.
 */
static int pto_arena_attach(struct pto_arena *arena, struct pto_attached *attached)
{
	struct pto_reply reply = { .report = NULL };
	union pto_command cmd;
	int err;

	pto_arena_map_command(arena, PTO_DEV_MAP, &cmd);
	err = pto_reclaim_give(arena->table->ch, &cmd, &arena->deferred);
	attached->known = pto_reclaim_given(arena->table->ch, &arena->deferred);
	attached->refused = false;
	if (err)
		return err;
	pto_arena_bind_command(arena, PTO_DEV_ARENA_BIND, &cmd);
	err = pto_reclaim_command(arena->table->ch, &cmd, &reply);
	attached->refused = err && reply.done && reply.status == PTO_DEV_INVALID;
	if (!attached->refused)
		return err;
	pto_arena_image_condemn(arena->table->ch->pdev, arena->image);
	return -EIO;
}

/* Invalidate the arena's id, and free the arena when the runs that use it have ended. */
static void pto_arena_evict(struct pto_arena_table *table, int place)
{
	struct pto_arena *arena = table->slots[place];

	if (!arena)
		return;
	WRITE_ONCE(table->slots[place], NULL);
	pto_defer(table->ch, &arena->deferred, &pto_arena_deferred_ops);
}

/**
 * pto_arena_bind_all() - give the arenas to a new hardware context
 * @table: the context's arenas; the channel is claimed
 *
 * An arena whose image the device rejects is evicted. PTO_PREWARM can create it again.
 *
 * Return: 0 or an error.
 */
int pto_arena_bind_all(struct pto_arena_table *table)
{
	struct pto_channel *ch = table->ch;
	int i, err;

	for (i = 0; i < PTO_MAX_ARENAS; i++) {
		struct pto_arena *arena = table->slots[i];
		struct pto_attached attached = { 0 };

		if (!arena)
			continue;
		err = pto_mem_clear(ch->pdev, &arena->mem);
		if (!err)
			err = pto_arena_attach(arena, &attached);
		if (err && !attached.refused)
			return err;
		if (err)
			pto_arena_evict(table, i);
		else
			atomic64_inc(&ch->count.arena_rebinds);
	}
	return 0;
}

/** pto_arena_find() - find the arena with an id, 0 for the default arena; or NULL */
struct pto_arena *pto_arena_find(struct pto_arena_table *table, u32 id)
{
	int i;

	for (i = 0; i < PTO_MAX_ARENAS; i++) {
		/* Pairs with the release that makes the arena visible. */
		struct pto_arena *arena = smp_load_acquire(&table->slots[i]);

		if (arena && (id ? arena->id == id : arena->is_default))
			return arena;
	}
	return NULL;
}

static struct pto_arena *pto_arena_find_config(struct pto_arena_table *table,
					       const struct pto_arena_config *config)
{
	int i;

	for (i = 0; i < PTO_MAX_ARENAS; i++) {
		struct pto_arena *arena = table->slots[i];

		if (arena && !memcmp(&arena->image->config, config, sizeof(*config)))
			return arena;
	}
	return NULL;
}

/* Return: true if no run in flight uses the arena. */
static bool pto_arena_idle(struct pto_channel *ch, const struct pto_arena *arena)
{
	struct pto_queue *q;
	bool idle = true;

	spin_lock(&ch->client.lock);
	list_for_each_entry(q, &ch->client.queues, link) {
		spin_lock(&q->lock);
		idle = idle && !pto_runs_use(q->runs, arena->id);
		spin_unlock(&q->lock);
	}
	spin_unlock(&ch->client.lock);
	return idle;
}

static u64 pto_arena_last_use(const struct pto_arena *arena)
{
	return max(READ_ONCE(arena->last_run), arena->last_named);
}

/*
 * Find a place for a new arena: a free one, or else that of the least recently used arena, where
 * idle arenas come before busy ones. A busy arena is freed when its runs have ended.
 */
static int pto_arena_place(struct pto_arena_table *table)
{
	bool idle, best_idle = false;
	u64 use, best_use = 0;
	int i, best = -1;

	for (i = 0; i < PTO_MAX_ARENAS; i++) {
		if (!table->slots[i])
			return i;
		idle = pto_arena_idle(table->ch, table->slots[i]);
		use = pto_arena_last_use(table->slots[i]);
		if (best < 0 || idle > best_idle || (idle == best_idle && use < best_use)) {
			best = i;
			best_idle = idle;
			best_use = use;
		}
	}
	return best;
}

/** pto_arena_name() - count a request as a use, like a run. The run numbers serve as a clock */
void pto_arena_name(struct pto_arena *arena)
{
	arena->last_named = atomic64_inc_return(&arena->table->ch->run_seq);
}

static struct pto_arena *pto_arena_alloc(struct pto_arena_table *table,
					 const struct pto_arena_config *config)
{
	struct pto_channel *ch = table->ch;
	struct pto_arena *arena = kzalloc(sizeof(*arena), GFP_KERNEL_ACCOUNT);
	int err;

	if (!arena)
		return ERR_PTR(-ENOMEM);
	arena->table = table;
	arena->image = pto_arena_image_get(ch, config, &arena->built);
	if (IS_ERR(arena->image)) {
		err = PTR_ERR(arena->image);
		kfree(arena);
		return ERR_PTR(err);
	}
	err = pto_reclaim_alloc(ch, arena->image->arena_size, &arena->mem);
	if (err == -ENOMEM)
		ch->missing = arena->image->arena_size;
	if (err) {
		pto_arena_release(&arena->deferred);
		return ERR_PTR(err);
	}
	arena->is_default = pto_arena_is_default(arena);
	return arena;
}

static void pto_arena_install(struct pto_arena_table *table, struct pto_arena *arena, int place)
{
	struct pto_channel *ch = table->ch;

	arena->id = table->next;
	table->next = arena->id + 1 ? arena->id + 1 : 1;
	pto_arena_name(arena);
	atomic64_inc(&ch->count.arena_misses);
	if (!arena->built)
		atomic64_inc(&ch->count.arena_rebinds);
	/* Pairs with pto_arena_find(): a reader sees the arena complete. */
	smp_store_release(&table->slots[place], arena);
}

/**
 * pto_arena_get() - find or create the arena of a configuration
 * @table: the context's arenas; the channel is claimed
 * @config: the configuration
 *
 * The arena stays in the table as long as the channel is claimed. If memory is short, the arena
 * to be evicted is freed first. It stays evicted even if its memory is not enough.
 */
struct pto_arena *pto_arena_get(struct pto_arena_table *table,
				const struct pto_arena_config *config)
{
	struct pto_arena *arena = pto_arena_find_config(table, config);
	struct pto_channel *ch = table->ch;
	struct pto_attached attached;
	int place, err;

	if (arena)
		return arena;
	arena = pto_arena_alloc(table, config);
	place = pto_arena_place(table);
	if (PTR_ERR_OR_ZERO(arena) == -ENOMEM && table->slots[place]) {
		pto_arena_evict(table, place);
		pto_reclaim_settle(ch, pto_reclaim_mark(ch));
		arena = pto_arena_alloc(table, config);
	}
	if (IS_ERR(arena))
		return arena;
	err = pto_arena_attach(arena, &attached);
	if (err) {
		if (attached.known)
			pto_defer(ch, &arena->deferred, &pto_arena_deferred_ops);
		else
			pto_arena_release(&arena->deferred);
		return ERR_PTR(err);
	}
	pto_arena_evict(table, place);
	pto_arena_install(table, arena, place);
	return arena;
}

/**
 * pto_arena_default() - create the default arena if the context does not have it
 * @table: the context's arenas; the channel is between pto_channel_begin_hw() and
 *	pto_channel_end()
 * @only_first: do nothing if the context has any arena
 *
 * Return: 0 or an error.
 */
int pto_arena_default(struct pto_arena_table *table, bool only_first)
{
	static const struct pto_ioc_prewarm defaults;
	struct pto_arena_config config;
	int i;

	for (i = 0; only_first && i < PTO_MAX_ARENAS; i++) {
		if (table->slots[i])
			return 0;
	}
	pto_arena_resolve(table, &defaults, &config);
	return PTR_ERR_OR_ZERO(pto_arena_get(table, &config));
}
