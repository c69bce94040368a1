// SPDX-License-Identifier: MIT
/*
 * A hardware context: one thread serves its streams in turn, another one its control queue, each
 * one command at a time.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "refusal.h"

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* The calling thread, as the lock names its holder */
static __thread uint32_t lock_tid;

/* The calling thread is the first one of a new process, with a copy of its parent's memory. */
void ctx_page_new_thread(void)
{
	lock_tid = 0;
}

static bool page_take(struct ctx_page *page)
{
	unsigned int none = 0;

	if (!lock_tid)
		lock_tid = (uint32_t)gettid();
	return atomic_compare_exchange_strong_explicit(&page->lock, &none, lock_tid,
						       memory_order_acquire, memory_order_relaxed);
}

/*
 * Take the lock. Return: false after @bound_ns, because a dead process may hold it.
 */
bool ctx_page_trylock(struct ctx_page *page, uint64_t bound_ns)
{
	struct patience patience = { .seen = 0 };
	unsigned int spins = 0, tries = 0;
	uint64_t since = 0, now;

	while (!page_take(page)) {
		cpu_relax();
		if (++spins % 64)
			continue;
		now = patience_look(&patience, clock_ns(), PAUSE_MOST_NS);
		if (!since)
			since = now;
		else if (now - since > bound_ns)
			return false;
		pause_step(&tries);
	}
	return true;
}

/* Take the lock. Its holders never wait. */
void ctx_page_lock(struct ctx_page *page)
{
	while (!ctx_page_trylock(page, NSEC_PER_SEC))
		;
}

/* Release the lock. */
void ctx_page_unlock(struct ctx_page *page)
{
	atomic_store_explicit(&page->lock, 0, memory_order_release);
}

static bool context_stopped(const struct context *ctx)
{
	return atomic_load_explicit(&ctx->page->stop, memory_order_acquire);
}

/* Update the queue of one slot. */
static void context_follow_slot(struct context *ctx, uint32_t i)
{
	struct queue_slot *slot = &ctx->page->slots[i];
	struct ptodev *dev = ctx->dev;
	uint32_t old = ctx->indices[i];

	if (slot->index == old)
		return;
	ctx->queues[i].pair = NULL;
	if (old)
		window_hide(dev, dev->queue_offset + (uint64_t)old * dev->queue_stride,
			    dev->queue_stride);
	ctx->indices[i] = slot->index;
	if (!slot->index)
		return;
	if (window_show(dev, dev->queue_offset + (uint64_t)slot->index * dev->queue_stride,
			dev->queue_stride, PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE))
		return;
	queue_attach(&ctx->queues[i], ptodev_pair(dev, slot->index), slot);
}

/*
 * Update the queues to those that the admin has bound. A queue that cannot be mapped is not
 * served, and its commands time out in the driver. The caller holds the lock.
 */
static void context_follow(struct context *ctx)
{
	uint32_t i;

	if (ctx->bound == ctx->page->bound)
		return;
	for (i = 0; i < CTX_QUEUES; i++)
		context_follow_slot(ctx, i);
	ctx->bound = ctx->page->bound;
	ctx->top = ctx->page->top < CTX_QUEUES ? ctx->page->top : CTX_QUEUES;
}

/* The slot behind the last one of the server that is in use. */
static uint32_t server_end(const struct server *server)
{
	return server->end < server->ctx->top ? server->end : server->ctx->top;
}

/* The next slot that has work, in turn. */
static int server_pick(struct server *server)
{
	uint32_t end = server_end(server);
	struct context *ctx = server->ctx;
	uint32_t slots = end - server->first;
	uint32_t i, n;

	for (n = 0; server->first < end && n < slots; n++) {
		i = server->first + (server->turn + n) % slots;
		if (ctx->queues[i].pair && queue_pending(&ctx->queues[i])) {
			server->turn = (i - server->first + 1) % slots;
			return (int)i;
		}
	}
	return -1;
}

/* Take the next command. Return: its slot, -1 if there is none */
static int server_fetch(struct server *server, struct pto_dev_cmd *cmd, uint32_t *index)
{
	struct context *ctx = server->ctx;
	struct ctx_page *page = ctx->page;
	int slot = -1;

	ctx_page_lock(page);
	if (!page->revoked) {
		context_follow(ctx);
		slot = server_pick(server);
		if (slot >= 0 && !queue_fetch(&ctx->queues[slot], cmd, index))
			slot = -1;
		page->current[server->which] = (uint32_t)(slot + 1);
	}
	ctx_page_unlock(page);
	return slot;
}

static void server_complete(struct server *server, int slot, struct outcome *out)
{
	struct context *ctx = server->ctx;
	struct ctx_page *page = ctx->page;
	bool interrupt = false;

	ctx_page_lock(page);
	if (!page->revoked) {
		interrupt = queue_complete(&ctx->queues[slot], out);
		page->current[server->which] = 0;
	}
	ctx_page_unlock(page);
	if (interrupt)
		ptodev_interrupt(ctx->dev);
}

/* Faults that are injected on request. */
enum mishap {
	MISHAP_NONE,
	MISHAP_HANG,	/* the run does not begin */
	MISHAP_LOST,	/* the run ends, but does not complete */
};

static enum mishap context_mishap(struct context *ctx, const struct pto_dev_cmd *cmd)
{
	const struct ptodev_config *config = &ctx->dev->config;
	uint64_t run;

	if (__builtin_expect(!config->fail_hang && !config->fail_lost, 1) ||
	    cmd->opcode != PTO_DEV_RUN)
		return MISHAP_NONE;
	run = atomic_fetch_add(&ctx->dev->runs, 1) + 1;
	if (run == config->fail_hang)
		return MISHAP_HANG;
	return run == config->fail_lost ? MISHAP_LOST : MISHAP_NONE;
}

/* Wait until the context is ended. */
static void context_hang(struct context *ctx)
{
	unsigned int rung;
	struct bell *bell = &ctx->page->bells[CTX_STREAMS];

	while (!context_stopped(ctx)) {
		rung = bell_prepare(bell);
		bell_sleep(bell, rung, context_stopped(ctx) ? 0 : IDLE_SLEEP_NS);
	}
}

/* Neither thread executes another command. */
static void context_lose(struct context *ctx)
{
	uint32_t i;

	atomic_store(&ctx->lost, true);
	for (i = 0; i < CTX_SERVERS; i++)
		bell_ring(&ctx->page->bells[i]);
}

/* Executes one command, if there is one. */
static bool server_step(struct server *server)
{
	struct context *ctx = server->ctx;
	struct pto_dev_cmd cmd;
	struct outcome out;
	uint32_t index;
	int slot = server_fetch(server, &cmd, &index);
	enum mishap mishap;

	if (slot < 0)
		return false;
	mishap = context_mishap(ctx, &cmd);
	if (mishap == MISHAP_HANG) {
		context_hang(ctx);
		return true;
	}
	outcome_init(&out);
	if (cmd.id != index)
		outcome_fail(&out, PTO_DEV_INVALID, "command %u has id %u, but is entry %u",
			     cmd.opcode, cmd.id, index);
	else
		context_execute(ctx, slot == 0, &cmd, &out);
	if (mishap == MISHAP_LOST) {
		context_hang(ctx);
		return true;
	}
	server_complete(server, slot, &out);
	if (out.status && pto_engine_lost(ctx->engine))
		context_lose(ctx);
	return true;
}

/* Request doorbells for all its queues, or not. Return: true if there is work already */
static bool server_arm(struct server *server, bool armed)
{
	struct context *ctx = server->ctx;
	struct ctx_page *page = ctx->page;
	bool pending = false;
	uint32_t i;

	ctx_page_lock(page);
	if (!page->revoked) {
		context_follow(ctx);
		for (i = server->first; i < server_end(server); i++)
			if (ctx->queues[i].pair)
				queue_arm(&ctx->queues[i], armed);
		for (i = server->first; i < server_end(server); i++)
			pending |= ctx->queues[i].pair && queue_pending(&ctx->queues[i]);
	}
	ctx_page_unlock(page);
	return pending;
}

static bool server_stopped(const struct server *server)
{
	return context_stopped(server->ctx) || atomic_load(&server->ctx->lost);
}

static void server_sleep(struct server *server)
{
	struct bell *bell = &server->ctx->page->bells[server->which];
	unsigned int rung = bell_prepare(bell);
	bool pending = server_arm(server, true);

	bell_sleep(bell, rung, pending || server_stopped(server) ? 0 : IDLE_SLEEP_NS);
	server_arm(server, false);
}

/**
 * context_serve() - serve queues until the admin stops the context, or a kernel is lost
 * @server: the calling thread
 */
void context_serve(struct server *server)
{
	struct context *ctx = server->ctx;
	uint64_t idle_since = 0;
	uint64_t idle;

	pto_engine_enter();
	while (!server_stopped(server)) {
		if (server_step(server)) {
			idle_since = 0;
			continue;
		}
		if (!idle_since)
			idle_since = clock_ns();
		idle = clock_ns() - idle_since;
		if (ctx->dev->spin && idle < IDLE_SPIN_NS) {
			cpu_relax();
		} else if (ctx->dev->spin && idle < IDLE_SPIN_NS + IDLE_YIELD_NS) {
			sched_yield();
		} else {
			context_tidy(ctx, server->which);
			server_sleep(server);
			idle_since = 0;
		}
	}
}

/**
 * context_main() - serve the streams until the admin stops the context, or a kernel is lost
 * @ctx: the context
 */
void context_main(struct context *ctx)
{
	struct server server = {
		.ctx = ctx, .which = CTX_STREAMS, .first = 1, .end = CTX_QUEUES,
	};

	context_serve(&server);
}

static void *control_main(void *arg)
{
	struct server server = { .ctx = arg, .which = CTX_CONTROL, .first = 0, .end = 1 };
	struct context *ctx = arg;

	fault_watch_thread();
	context_serve(&server);
	pto_engine_calls_end(ctx->engine);
	pthread_mutex_lock(&ctx->lock);
	ctx->control_over = true;
	pthread_cond_broadcast(&ctx->changed);
	pthread_mutex_unlock(&ctx->lock);
	return NULL;
}

/**
 * context_start_control() - serve the control queue, on a thread of its own
 * @ctx: the context; context_end_control() follows
 *
 * Return: 0 or a negative errno.
 */
int context_start_control(struct context *ctx)
{
	return device_thread_create(&ctx->control, control_main, ctx);
}

/**
 * context_end_control() - wait for the end of that thread, and unload what is loaded
 * @ctx: the context, which has been told to stop; the caller is the thread of its runs, if it has
 *	one, and executes none any more
 *
 * Takes as long as the program's constructors and destructors do. If the context is lost, this
 * does not wait: the thread ends later, and memory that it may access is not freed.
 */
void context_end_control(struct context *ctx)
{
	pthread_mutex_lock(&ctx->lock);
	while (!atomic_load(&ctx->lost) && !ctx->control_over)
		pthread_cond_wait(&ctx->changed, &ctx->lock);
	pthread_mutex_unlock(&ctx->lock);
	if (atomic_load(&ctx->lost)) {
		pto_engine_abort_call(ctx->engine);
		pthread_detach(ctx->control);
		return;
	}
	pthread_join(ctx->control, NULL);
	loader_free(&ctx->loader);
}

/**
 * context_new() - create a context, with its engine
 * @dev: the device
 * @id: the context
 * @page: the page that it shares with the admin
 * @error: errno, negative, on failure
 *
 * Return: the context or NULL.
 */
struct context *context_new(struct ptodev *dev, uint32_t id, struct ctx_page *page, int *error)
{
	struct pto_engine_config config = {
		.arch = dev->arch->arch,
		.cluster_count = dev->arch->clusters,
		.aicpu_threads = dev->arch->aicpu_threads,
		.workers = dev->config.workers,
		.default_timeout_ns = dev->config.default_timeout_ns,
		.progress = &page->watches[CTX_STREAMS].progress,
		.call_progress = &page->watches[CTX_CONTROL].progress,
		.lost = &page->watches[CTX_STREAMS].lost,
		.call_lost = &page->watches[CTX_CONTROL].lost,
	};
	struct context *ctx = calloc(1, sizeof(*ctx));

	*error = -ENOMEM;
	if (!ctx) {
		refusal("malloc", ENOMEM);
		return NULL;
	}
	ctx->dev = dev;
	ctx->id = id;
	ctx->page = page;
	pthread_mutex_init(&ctx->lock, NULL);
	pthread_cond_init(&ctx->changed, NULL);
	ctx->args = aligned_alloc(64, PTO_RUN_ARGS_SIZE(PTO_RUN_MAX_TENSORS,
							PTO_RUN_MAX_SCALARS));
	if (ctx->args)
		*error = pto_engine_create(&config, &ctx->engine);
	if (*error)
		refusal(*error == -ENOMEM ? "memory for an engine and its threads" :
			"pthread_create", -*error);
	ctx->loader.engine = ctx->engine;
	if (!*error) {
		pto_engine_costs(ctx->engine, &page->costs);
		return ctx;
	}
	free(ctx->args);
	free(ctx);
	return NULL;
}

/* Free a context that has ended. */
void context_free(struct context *ctx)
{
	pto_engine_destroy(ctx->engine);
	map_table_free(&ctx->maps);
	pthread_cond_destroy(&ctx->changed);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx->args);
	free(ctx);
}
