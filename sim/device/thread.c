// SPDX-License-Identifier: MIT
/*
 * Contexts that are threads of the home process.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "internal.h"

/*
 * Creates a thread on which no signal handler of the application runs, unless for what the
 * thread itself does. Return: 0 or a negative errno
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
	return -ret;
}

static void *thread_main(void *arg)
{
	struct context *ctx = arg;

	context_main(ctx);
	context_unload(ctx);
	atomic_store(&ctx->page->state, CTX_ENDED);
	return NULL;
}

/* Makes a context's thread. Return: 0 or a negative errno */
int thread_start(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	int ret;

	home->context = context_new(dev, id, page, &ret);
	if (!home->context)
		return ret;
	atomic_store(&page->state, CTX_RUNNING);
	ret = device_thread_create(&home->thread, thread_main, home->context);
	if (ret) {
		context_free(home->context);
		home->context = NULL;
	}
	return ret;
}

/* Tells a context's thread to end. */
void thread_ask(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);

	atomic_store(&page->stop, 1);
	pto_engine_abort(home->context->engine);
	bell_ring(&page->bell);
}

/* Leaves a thread that does not end to itself, with its page and its memory. */
static void thread_abandon(struct ptodev *dev, struct ctx_home *home)
{
	struct abandoned *entry = malloc(sizeof(*entry));
	struct ctx_page *page = ptodev_page(dev, home->page);

	ctx_page_lock(page);
	page->revoked = 1;
	ctx_page_unlock(page);
	dev->page_refs[home->page]++;
	if (!entry)
		return;
	entry->thread = home->thread;
	entry->context = home->context;
	entry->page = home->page;
	entry->next = dev->abandoned;
	dev->abandoned = entry;
}

/*
 * Ends a context's thread. It may be about to begin a run while it is asked to end, so the
 * engine is told repeatedly.
 */
void thread_stop(struct ptodev *dev, uint32_t id, uint64_t until)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	unsigned int tries = 0;

	do {
		thread_ask(dev, id);
		admin_heartbeat(dev);
	} while (atomic_load(&page->state) != CTX_ENDED && pause_until(&tries, until));
	if (atomic_load(&page->state) == CTX_ENDED) {
		pthread_join(home->thread, NULL);
		context_free(home->context);
	} else {
		thread_abandon(dev, home);
	}
	home->context = NULL;
}

/* Frees what abandoned threads held, when they have come to an end after all. */
void thread_reap(struct ptodev *dev)
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
