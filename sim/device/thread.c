// SPDX-License-Identifier: MIT
/*
 * Contexts that are threads of the home process.
 */
#include <signal.h>
#include <stdlib.h>

#include "internal.h"
#include "refusal.h"

/*
 * Create a thread that blocks all signals except those for its own faults, so that it runs no
 * other signal handlers of the application. Return: 0 or a negative errno
 */
int device_thread_create(pthread_t *thread, void *(*main)(void *), void *arg)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	sigset_t mask, old;
	size_t i;
	int ret;

	sigfillset(&mask);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&mask, own[i]);
	pthread_sigmask(SIG_SETMASK, &mask, &old);
	ret = pthread_create(thread, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret ? refusal("pthread_create", ret) : 0;
}

static void *thread_main(void *arg)
{
	struct context *ctx = arg;

	context_main(ctx);
	context_end_control(ctx);
	atomic_store(&ctx->page->state, atomic_load(&ctx->lost) ? CTX_LOST : CTX_ENDED);
	if (atomic_load(&ctx->lost))
		bell_ring(&ctx->dev->shared->bell);
	return NULL;
}

/* End a context that has only the thread of its control queue. */
static void thread_unmake(struct context *ctx)
{
	atomic_store(&ctx->page->stop, 1);
	bell_ring(&ctx->page->bells[CTX_CONTROL]);
	context_end_control(ctx);
}

/* Create a context's threads. Return: 0 or a negative errno */
int thread_start(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	int ret;

	home->context = context_new(dev, id, page, &ret);
	if (!home->context)
		return ret;
	atomic_store(&page->state, CTX_RUNNING);
	ret = context_start_control(home->context);
	if (!ret) {
		ret = device_thread_create(&home->thread, thread_main, home->context);
		if (ret)
			thread_unmake(home->context);
	}
	if (ret) {
		context_free(home->context);
		home->context = NULL;
	}
	return ret;
}

/* Tell a context's thread to end. */
void thread_ask(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);

	atomic_store(&page->stop, 1);
	pto_engine_abort(home->context->engine);
	bell_ring(&page->bells[CTX_STREAMS]);
	bell_ring(&page->bells[CTX_CONTROL]);
}

/*
 * Abandon a thread that does not end, or whose kernel does not end. It keeps its page and its
 * context.
 */
static void thread_abandon(struct ptodev *dev, pthread_t thread, struct context *ctx,
			   uint32_t number)
{
	struct abandoned *entry = malloc(sizeof(*entry));
	struct ctx_page *page = ptodev_page(dev, number);

	ctx_page_lock(page);
	page->revoked = 1;
	ctx_page_unlock(page);
	dev->page_refs[number]++;
	if (!entry)
		return;
	entry->thread = thread;
	entry->context = ctx;
	entry->page = number;
	entry->next = dev->abandoned;
	dev->abandoned = entry;
}

static void thread_reap_abandoned(struct ptodev *dev)
{
	struct abandoned **at = &dev->abandoned;

	while (*at) {
		struct abandoned *entry = *at;

		if (atomic_load(&ptodev_page(dev, entry->page)->state) != CTX_ENDED) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		pthread_join(entry->thread, NULL);
		context_free(entry->context);
		dev->page_refs[entry->page]--;
		free(entry);
	}
}

static bool thread_ended(const struct ctx_page *page)
{
	return atomic_load(&page->state) >= CTX_ENDED;
}

/* Free a thread that has ended, or abandon it. */
static void thread_release(struct ptodev *dev, struct ctx_home *home)
{
	struct context *ctx = home->context;
	struct ctx_page *page = ptodev_page(dev, home->page);

	home->context = NULL;
	if (thread_ended(page))
		pthread_join(home->thread, NULL);
	if (atomic_load(&page->state) == CTX_ENDED)
		context_free(ctx);
	else
		thread_abandon(dev, home->thread, ctx, home->page);
}

/* Tell the code that a thread of a context executes to end. */
void thread_expire(struct ptodev *dev, uint32_t id, uint32_t server)
{
	struct pto_engine *engine = dev->contexts[id].context->engine;

	if (server == CTX_CONTROL)
		pto_engine_abort_call(engine);
	else
		pto_engine_abort_run(engine);
}

/*
 * End a context's thread. It may be about to begin a run when it is asked to end, so it is asked
 * repeatedly.
 */
void thread_stop(struct ptodev *dev, uint32_t id, uint64_t until)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	unsigned int tries = 0;

	do {
		thread_ask(dev, id);
		admin_meanwhile(dev);
	} while (!thread_ended(page) && pause_until(dev, &tries, until));
	thread_release(dev, home);
}

/* Bury contexts that have lost a kernel. */
static void thread_reap_lost(struct ptodev *dev)
{
	struct pto_dev_report why;
	uint32_t id;

	report_text(&why, "a kernel of the context has outlived its run");
	for (id = 1; id <= dev->config.max_contexts; id++) {
		struct ctx_home *home = &dev->contexts[id];

		if (home->life != LIFE_ALIVE ||
		    atomic_load(&ptodev_page(dev, home->page)->state) != CTX_LOST)
			continue;
		thread_release(dev, home);
		context_bury(dev, id, PTO_DEV_FAULT, &why);
	}
}

/*
 * Handle threads that have ended by themselves, and free the memory of abandoned threads that have
 * ended meanwhile.
 */
void thread_reap(struct ptodev *dev)
{
	thread_reap_lost(dev);
	thread_reap_abandoned(dev);
}
