// SPDX-License-Identifier: MIT
/*
 * The commands of a context, on its control queue and on its streams.
 */
#include <errno.h>
#include <string.h>

#include "../../libpto/runtime/thread_exit.h"
#include "internal.h"

#define ON_CONTROL	1u
#define ON_STREAM	2u

/**
 * struct command - a command of a context
 * @queues: queues that may have it
 * @used: bytes of the entry that are used; the rest must be 0
 * @handle: the entry's handle is used
 * @execute: executes it
 */
struct command {
	uint32_t queues;
	uint32_t used;
	bool handle;
	void (*execute)(struct context *ctx, const struct pto_dev_cmd *cmd, struct outcome *out);
};

static bool all_zero(const void *data, size_t size)
{
	const uint32_t *word = data;
	uint32_t any = 0;

	for (; size; size -= sizeof(*word))
		any |= *word++;
	return !any;
}

/* Check that the flags and the unused part of the entry are zero. */
bool cmd_well_formed(const struct pto_dev_cmd *cmd, size_t used, struct outcome *out)
{
	if (!cmd->flags && all_zero((const char *)cmd + used, sizeof(*cmd) - used))
		return true;
	outcome_fail(out, PTO_DEV_INVALID, "command %u: flags or unused operands are not 0",
		     cmd->opcode);
	return false;
}

static void do_nothing(struct context *ctx, const struct pto_dev_cmd *cmd, struct outcome *out)
{
}

/**
 * context_covers() - may the context access memory so?
 * @ctx: the context; any thread but that of the control queue, which need not ask for the lock
 * @addr: device address
 * @size: bytes
 * @prot: PTO_DEV_PROT_*
 */
bool context_covers(struct context *ctx, uint64_t addr, uint64_t size, uint32_t prot)
{
	bool covers;

	pthread_mutex_lock(&ctx->lock);
	covers = map_table_covers(&ctx->maps, addr, size, prot);
	pthread_mutex_unlock(&ctx->lock);
	return covers;
}

static int maps_add(struct context *ctx, const struct map_range *range)
{
	int ret;

	pthread_mutex_lock(&ctx->lock);
	ret = map_table_insert(&ctx->maps, range);
	pthread_mutex_unlock(&ctx->lock);
	return ret;
}

static int maps_remove(struct context *ctx, uint64_t addr, uint64_t size)
{
	int ret;

	pthread_mutex_lock(&ctx->lock);
	ret = map_table_remove(&ctx->maps, addr, size);
	pthread_mutex_unlock(&ctx->lock);
	return ret;
}

static bool map_check(struct context *ctx, const struct pto_dev_cmd_map *cmd, uint64_t *offset,
		      struct outcome *out)
{
	uint64_t low_bits = (cmd->addr | cmd->length) & (PTO_DEV_PAGE_SIZE - 1);

	if (cmd->length && !cmd->pad && !low_bits &&
	    ptodev_heap_range(ctx->dev, cmd->addr, cmd->length, offset))
		return true;
	outcome_fail(out, PTO_DEV_INVALID,
		     "map: address 0x%llx, length %llu: not whole pages of the device's memory",
		     (unsigned long long)cmd->addr, (unsigned long long)cmd->length);
	return false;
}

static void do_map(struct context *ctx, const struct pto_dev_cmd *generic, struct outcome *out)
{
	const struct pto_dev_cmd_map *cmd = (const void *)generic;
	uint32_t may = PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE;
	bool imports = !ctx->dev->config.isolate || ctx->dev->config.imports_fd;
	uint32_t import = imports ? PTO_DEV_MAP_IMPORT : 0;
	uint32_t access = cmd->prot & ~import;
	struct map_range range = { cmd->addr, cmd->length, access };
	uint64_t offset;
	int ret;

	if (!map_check(ctx, cmd, &offset, out))
		return;
	if (!access || access & ~may) {
		outcome_fail(out, PTO_DEV_INVALID, "map: unknown protection 0x%x", cmd->prot);
		return;
	}
	ret = maps_add(ctx, &range);
	if (ret) {
		outcome_fail(out, ret == -ENOMEM ? PTO_DEV_NOMEM : PTO_DEV_INVALID,
			     "map: address 0x%llx, length %llu: %s",
			     (unsigned long long)cmd->addr, (unsigned long long)cmd->length,
			     ret == -ENOMEM ? "out of memory" : "part of it is mapped already");
		return;
	}
	ret = window_show(ctx->dev, offset, cmd->length, cmd->prot);
	if (ret) {
		maps_remove(ctx, cmd->addr, cmd->length);
		outcome_fail(out, PTO_DEV_NOMEM, "map: %s", strerror(-ret));
	}
}

static bool arena_within(const struct context *ctx, uint64_t addr, uint64_t length)
{
	uint32_t i;

	for (i = 0; i < CTX_ARENAS; i++)
		if (ctx->arenas[i].addr < addr + length &&
		    addr < ctx->arenas[i].addr + ctx->arenas[i].size)
			return true;
	return false;
}

static void do_unmap(struct context *ctx, const struct pto_dev_cmd *generic, struct outcome *out)
{
	const struct pto_dev_cmd_map *cmd = (const void *)generic;
	uint64_t offset;
	int ret;

	if (!map_check(ctx, cmd, &offset, out))
		return;
	if (arena_within(ctx, cmd->addr, cmd->length)) {
		outcome_fail(out, PTO_DEV_INVALID,
			     "unmap: an arena is bound in address 0x%llx, length %llu",
			     (unsigned long long)cmd->addr, (unsigned long long)cmd->length);
		return;
	}
	if (maps_remove(ctx, cmd->addr, cmd->length)) {
		outcome_fail(out, PTO_DEV_INVALID,
			     "unmap: address 0x%llx, length %llu has not been mapped",
			     (unsigned long long)cmd->addr, (unsigned long long)cmd->length);
		return;
	}
	ret = window_hide(ctx->dev, offset, cmd->length);
	if (ret)
		outcome_fail(out, PTO_DEV_NOMEM, "unmap: %s", strerror(-ret));
}

/*
 * Let the admin watch code of a program. The code has to end when it has taken @bound and, with
 * @patience, has made no progress for this time.
 */
static void watch_begin(struct ctx_watch *watch, uint64_t start, uint64_t bound, uint64_t patience)
{
	uint64_t until;

	if (__builtin_add_overflow(start, bound, &until) || until == RUN_EXPIRED)
		until = RUN_EXPIRED - 1;
	atomic_store_explicit(&watch->patience, patience, memory_order_relaxed);
	atomic_store_explicit(&watch->until, until, memory_order_release);
}

/*
 * The code has ended. If the admin has told it to end, the admin may not have finished that, and
 * holds the lock meanwhile: wait for it. Return: true if the admin has told it to end
 */
static bool watch_end(struct ctx_page *page, struct ctx_watch *watch)
{
	if (atomic_exchange(&watch->until, 0) != RUN_EXPIRED)
		return false;
	ctx_page_lock(page);
	ctx_page_unlock(page);
	return true;
}

/* The calling thread loads or unloads objects, and calls their constructors or destructors. */
__thread bool context_loading;

/*
 * Each constructor and destructor has its own bound. This one is for those that cannot be left,
 * and for code that the dynamic loader executes itself.
 */
static void objects_begin(struct context *ctx, const struct outcome *out)
{
	uint64_t bound = pto_engine_call_bound(ctx->engine) + LEAVE_BOUND_NS;

	context_loading = true;
	watch_begin(&ctx->page->watches[CTX_CONTROL], out->start_ns, bound, bound);
}

static void objects_end(struct context *ctx)
{
	watch_end(ctx->page, &ctx->page->watches[CTX_CONTROL]);
	context_loading = false;
}

/*
 * Let the calling thread leave what it has to. If it is the one that loads and unloads, it also
 * drops what all threads have left.
 */
void context_tidy(struct context *ctx, uint32_t server)
{
	struct outcome out;

	pto_thread_tidy();
	if (server != CTX_CONTROL || !ctx->loader.retired)
		return;
	outcome_init(&out);
	objects_begin(ctx, &out);
	object_tidy(&ctx->loader);
	objects_end(ctx);
}

static void do_load(struct context *ctx, const struct pto_dev_cmd *cmd, struct outcome *out)
{
	objects_begin(ctx, out);
	loader_load(ctx->dev, &ctx->loader, (const struct pto_dev_cmd_load *)cmd, out);
	objects_end(ctx);
}

/* From here on no run finds the callable. Return: false if one executes it */
static bool unload_begin(struct context *ctx, uint32_t handle, struct outcome *out)
{
	const struct pto_engine_callable *callable;

	pthread_mutex_lock(&ctx->lock);
	callable = loader_callable(&ctx->loader, handle);
	if (callable && callable == ctx->running)
		outcome_fail(out, PTO_DEV_INVALID,
			     "unload: a run executes the callable with handle %u", handle);
	else
		ctx->unloading = handle + 1;
	pthread_mutex_unlock(&ctx->lock);
	return !out->status;
}

static void unload_end(struct context *ctx)
{
	pthread_mutex_lock(&ctx->lock);
	ctx->unloading = 0;
	pthread_mutex_unlock(&ctx->lock);
}

static void do_unload(struct context *ctx, const struct pto_dev_cmd *cmd, struct outcome *out)
{
	if (!unload_begin(ctx, cmd->handle, out))
		return;
	objects_begin(ctx, out);
	loader_unload(&ctx->loader, cmd->handle, out);
	objects_end(ctx);
	if (ctx->loader.retired)
		bell_ring(&ctx->page->bells[CTX_STREAMS]);
	unload_end(ctx);
}

/* The arena at @addr, or a free entry if @addr is 0; NULL if there is none. */
static struct arena *arena_find(struct context *ctx, uint64_t addr)
{
	uint32_t i;

	for (i = 0; i < CTX_ARENAS; i++)
		if (ctx->arenas[i].addr == addr)
			return &ctx->arenas[i];
	return NULL;
}

static bool arena_check(struct context *ctx, const struct pto_dev_cmd_arena *cmd,
			uint64_t *image_offset, struct outcome *out)
{
	const uint32_t both = PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE;

	if (!cmd->addr || !cmd->size || cmd->addr % PTO_DEV_PAGE_SIZE ||
	    !map_table_covers(&ctx->maps, cmd->addr, cmd->size, both))
		outcome_fail(out, PTO_DEV_INVALID,
			     "arena: address 0x%llx, size %llu: not pages that this context may "
			     "write", (unsigned long long)cmd->addr,
			     (unsigned long long)cmd->size);
	else if (!cmd->image_size || cmd->image_addr % 8 ||
		 !ptodev_heap_range(ctx->dev, cmd->image_addr, cmd->image_size, image_offset))
		outcome_fail(out, PTO_DEV_INVALID,
			     "arena: no image can be at address 0x%llx, size %llu",
			     (unsigned long long)cmd->image_addr,
			     (unsigned long long)cmd->image_size);
	else if (arena_within(ctx, cmd->addr, cmd->size))
		outcome_fail(out, PTO_DEV_INVALID,
			     "arena: address 0x%llx, size %llu: one is bound already",
			     (unsigned long long)cmd->addr, (unsigned long long)cmd->size);
	return !out->status;
}

static void do_arena_bind(struct context *ctx, const struct pto_dev_cmd *generic,
			  struct outcome *out)
{
	const struct pto_dev_cmd_arena *cmd = (const void *)generic;
	struct arena *arena = arena_find(ctx, 0);
	uint64_t image_offset;
	const void *image;
	int ret;

	if (!arena_check(ctx, cmd, &image_offset, out))
		return;
	if (!arena) {
		outcome_fail(out, PTO_DEV_NOSPACE, "arena: a context has at most %u", CTX_ARENAS);
		return;
	}
	image = window_peek(ctx->dev, image_offset, cmd->image_size);
	if (!image) {
		outcome_fail(out, PTO_DEV_NOMEM, "arena: cannot map the image: %s",
			     strerror(errno));
		return;
	}
	ret = pto_arena_bind((void *)(uintptr_t)cmd->addr, cmd->size, image, cmd->image_size);
	window_peek_end(ctx->dev, image, cmd->image_size);
	if (ret) {
		outcome_fail(out, PTO_DEV_INVALID,
			     "arena: the image at 0x%llx is not one for %llu bytes of arena",
			     (unsigned long long)cmd->image_addr,
			     (unsigned long long)cmd->size);
		return;
	}
	pthread_mutex_lock(&ctx->lock);
	arena->addr = cmd->addr;
	arena->size = cmd->size;
	pthread_mutex_unlock(&ctx->lock);
}

static void do_arena_drop(struct context *ctx, const struct pto_dev_cmd *generic,
			  struct outcome *out)
{
	const struct pto_dev_cmd_arena *cmd = (const void *)generic;
	struct arena *arena = cmd->addr ? arena_find(ctx, cmd->addr) : NULL;

	if (!arena || arena->size != cmd->size) {
		outcome_fail(out, PTO_DEV_INVALID, "arena: 0x%llx, size %llu, is not bound",
			     (unsigned long long)cmd->addr, (unsigned long long)cmd->size);
		return;
	}
	pthread_mutex_lock(&ctx->lock);
	if (arena->addr == ctx->running_in)
		outcome_fail(out, PTO_DEV_INVALID, "arena: a run executes in that at 0x%llx",
			     (unsigned long long)cmd->addr);
	else
		memset(arena, 0, sizeof(*arena));
	pthread_mutex_unlock(&ctx->lock);
}

/* Execute a run while the admin watches it. */
static void run_execute(struct context *ctx, const struct pto_engine_run *run,
			struct outcome *out)
{
	uint64_t patience = run->timeout_ns ? 0 : ctx->dev->config.default_timeout_ns;
	uint64_t bound = run->timeout_ns ? run->timeout_ns : patience;
	struct ctx_watch *watch = &ctx->page->watches[CTX_STREAMS];
	bool told;

	watch_begin(watch, out->start_ns, bound, patience);
	out->status = pto_engine_run(ctx->engine, run, &out->report);
	told = watch_end(ctx->page, watch);
	if (!told || out->status != PTO_DEV_ABORTED)
		return;
	out->status = PTO_DEV_TIMEOUT;
	report_text(&out->report, patience ? "nothing has moved in the run for %llu ms" :
		    "the run has not ended within its bound of %llu ms",
		    (unsigned long long)(bound / NSEC_PER_MSEC));
	out->report.code = PTO_FATAL_SCHEDULER_TIMEOUT;
}

static bool run_covers(const void *cookie, uint64_t addr, uint64_t size, bool write)
{
	uint32_t prot = PTO_DEV_PROT_READ | (write ? PTO_DEV_PROT_WRITE : 0);

	return context_covers((struct context *)(uintptr_t)cookie, addr, size, prot);
}

/* Is there no graph, or one in the context's memory? */
static bool graph_sound(struct context *ctx, const struct pto_dev_cmd_run *cmd)
{
	if (!cmd->graph_addr)
		return !cmd->graph_size;
	return cmd->graph_size && cmd->graph_addr % 64 == 0 &&
	       context_covers(ctx, cmd->graph_addr, cmd->graph_size, PTO_DEV_PROT_READ);
}

/* Finds what the run is to use, which stays until run_end(). */
static const struct pto_engine_callable *run_begin(struct context *ctx,
						   const struct pto_dev_cmd_run *cmd,
						   struct outcome *out)
{
	const struct pto_engine_callable *callable = NULL;

	pthread_mutex_lock(&ctx->lock);
	if (cmd->handle + 1 != ctx->unloading)
		callable = loader_callable(&ctx->loader, cmd->handle);
	if (!callable)
		outcome_fail(out, PTO_DEV_INVALID, "run: no callable has handle %u", cmd->handle);
	else if (!cmd->arena_addr || !arena_find(ctx, cmd->arena_addr))
		outcome_fail(out, PTO_DEV_INVALID, "run: no arena is bound at 0x%llx",
			     (unsigned long long)cmd->arena_addr);
	if (!out->status) {
		ctx->running = callable;
		ctx->running_in = cmd->arena_addr;
	}
	pthread_mutex_unlock(&ctx->lock);
	return callable;
}

static void run_end(struct context *ctx)
{
	pthread_mutex_lock(&ctx->lock);
	ctx->running = NULL;
	ctx->running_in = 0;
	pthread_mutex_unlock(&ctx->lock);
}

static void do_run(struct context *ctx, const struct pto_dev_cmd *generic, struct outcome *out)
{
	const struct pto_dev_cmd_run *cmd = (const void *)generic;
	struct pto_engine_run run = {
		.callable = run_begin(ctx, cmd, out),
		.arena = (void *)(uintptr_t)cmd->arena_addr,
		.epoch = cmd->epoch,
		.timeout_ns = cmd->timeout_ms * NSEC_PER_MSEC,
		.sched_timeout_ns = cmd->sched_timeout_ms * NSEC_PER_MSEC,
		.op_timeout_ns = cmd->op_timeout_ms * NSEC_PER_MSEC,
		.graph = (const void *)(uintptr_t)cmd->graph_addr,
		.graph_size = cmd->graph_size,
		.covers = run_covers,
		.cookie = ctx,
	};

	if (out->status)
		return;
	if (!cmd->epoch)
		outcome_fail(out, PTO_DEV_INVALID, "run: epoch is 0");
	else if (!graph_sound(ctx, cmd))
		outcome_fail(out, PTO_DEV_INVALID, "run: no graph can be at address 0x%llx, size %u",
			     (unsigned long long)cmd->graph_addr, cmd->graph_size);
	else
		run.args = args_fetch(ctx, cmd, out);
	if (!out->status)
		run_execute(ctx, &run, out);
	run_end(ctx);
	if (out->status)
		out->detail = out->report.code | (uint64_t)out->report.subcode << 32;
}

static const struct command commands[] = {
	[PTO_DEV_NOP] = {
		ON_CONTROL | ON_STREAM, offsetof(struct pto_dev_cmd, arg), false, do_nothing
	},
	[PTO_DEV_MAP] = {
		ON_CONTROL, offsetof(struct pto_dev_cmd_map, arg), false, do_map
	},
	[PTO_DEV_UNMAP] = {
		ON_CONTROL, offsetof(struct pto_dev_cmd_map, arg), false, do_unmap
	},
	[PTO_DEV_LOAD] = {
		ON_CONTROL, offsetof(struct pto_dev_cmd_load, pad), true, do_load
	},
	[PTO_DEV_UNLOAD] = {
		ON_CONTROL, offsetof(struct pto_dev_cmd_load, desc_addr), true, do_unload
	},
	[PTO_DEV_ARENA_BIND] = {
		ON_CONTROL, offsetof(struct pto_dev_cmd_arena, arg), false, do_arena_bind
	},
	[PTO_DEV_ARENA_DROP] = {
		ON_CONTROL, offsetof(struct pto_dev_cmd_arena, arg), false, do_arena_drop
	},
	[PTO_DEV_RUN] = {
		ON_STREAM, sizeof(struct pto_dev_cmd_run), true, do_run
	},
	[PTO_DEV_BARRIER] = {
		ON_STREAM, offsetof(struct pto_dev_cmd, arg), false, do_nothing
	},
};

/**
 * context_execute() - execute a command
 * @ctx: the context
 * @control: it came on the control queue
 * @cmd: the command, a private copy
 * @out: its outcome
 *
 * A barrier needs no code: a queue's commands are executed one after the other.
 */
void context_execute(struct context *ctx, bool control, const struct pto_dev_cmd *cmd,
		     struct outcome *out)
{
	const struct command *command = NULL;

	if (cmd->opcode < sizeof(commands) / sizeof(commands[0]))
		command = &commands[cmd->opcode];
	if (!command || !command->execute)
		outcome_fail(out, PTO_DEV_UNSUPPORTED, "unknown command %u", cmd->opcode);
	else if (!(command->queues & (control ? ON_CONTROL : ON_STREAM)))
		outcome_fail(out, PTO_DEV_INVALID, "command %u is none of a %s queue", cmd->opcode,
			     control ? "control" : "stream");
	else if (cmd->ctx != ctx->id)
		outcome_fail(out, PTO_DEV_INVALID, "command %u is for context %u on a queue of %u",
			     cmd->opcode, cmd->ctx, ctx->id);
	else if (cmd->handle && !command->handle)
		outcome_fail(out, PTO_DEV_INVALID, "command %u has no handle", cmd->opcode);
	else if (cmd_well_formed(cmd, command->used, out))
		command->execute(ctx, cmd, out);
}
