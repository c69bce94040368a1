// SPDX-License-Identifier: MIT
/*
 * Destructors of thread_local objects. C++ code registers them with __cxa_thread_atexit(), and
 * the C library calls them when the thread ends. Until then it does not unmap the loaded object
 * that they belong to. But dlclose() calls the other destructors of that object at once, and a
 * long-lived thread keeps it mapped.
 *
 * So the copy of an object that is loaded registers them here instead (image.c). An object to be
 * unloaded is retired: each thread that has destructors of it calls them in pto_thread_tidy() or
 * when it ends. It must do so itself, because they destroy its own variables. The object is
 * finished and unmapped after the last of them.
 *
 * All signals are blocked while a thread waits for the lock or holds it: the software device may
 * make a thread leave code of a callable at any instruction, and the lock would stay locked.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "fpstate.h"
#include "thread_exit.h"

/* The C library's function, and the handle of the library that contains this file */
extern int __cxa_thread_atexit_impl(void (*fn)(void *), void *arg, void *dso);
extern void *__dso_handle __attribute__((visibility("hidden")));

/**
 * struct thread_exit - a destructor to be called
 * @fn: the destructor
 * @arg: its argument
 * @code: an address in the object that it belongs to
 * @begun: it has been called; it stays in the list if a jump has left it
 * @next: the one that was registered before
 */
struct thread_exit {
	void (*fn)(void *arg);
	void *arg;
	uint64_t code;
	bool begun;
	struct thread_exit *next;
};

/**
 * struct thread_exits - the destructors of a thread
 * @list: the last one first
 * @next: next thread
 */
struct thread_exits {
	struct thread_exit *list;
	struct thread_exits *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_exits *threads;	/* with the lock */
static struct pto_retired *retired;	/* with the lock */
static __thread struct thread_exits *self;

/* How many objects are retired; written with the lock */
unsigned int pto_thread_retirements;

static void take_lock(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
	pthread_mutex_lock(&lock);
}

static void drop_lock(const sigset_t *old)
{
	pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* --- fork(): the lock must be free in the child ------------------------------- */

static sigset_t mask_of_forker;	/* with the lock */

static void before_fork(void)
{
	sigset_t old;

	take_lock(&old);
	mask_of_forker = old;
}

static void after_fork(void)
{
	sigset_t old = mask_of_forker;

	drop_lock(&old);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- the calling thread ---------------------------------------------------------- */

static bool belongs(const struct thread_exit *entry, const struct pto_retired *object)
{
	return entry->code >= object->begin && entry->code < object->end;
}

/* With the lock. */
static bool is_retired(const struct thread_exit *entry)
{
	const struct pto_retired *object = retired;

	while (object && !belongs(entry, object))
		object = object->next;
	return object;
}

/* The next one to be called, of retired objects only or of all; with the lock. */
static struct thread_exit *next_exit(bool all)
{
	struct thread_exit *entry = self ? self->list : NULL;

	while (entry && (entry->begun || !(all || is_retired(entry))))
		entry = entry->next;
	return entry;
}

/* With the lock. */
static void drop_exit(struct thread_exit *entry)
{
	struct thread_exit **at = &self->list;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	free(entry);
}

static void call_exits(bool all)
{
	struct thread_exit *entry;
	struct pto_fpstate words;
	sigset_t old;

	take_lock(&old);
	while ((entry = next_exit(all))) {
		entry->begun = true;
		drop_lock(&old);
		pto_fpstate_begin(&words);
		entry->fn(entry->arg);
		pto_fpstate_set(&words);
		take_lock(&old);
		drop_exit(entry);
	}
	drop_lock(&old);
}

/* --- retired objects -------------------------------------------------------------- */

/* Does thread @one, or with NULL any thread, have destructors of the object? With the lock. */
static bool has_exits(const struct pto_retired *object, const struct thread_exits *one)
{
	const struct thread_exits *thread;
	const struct thread_exit *entry;

	for (thread = one ? one : threads; thread; thread = one ? NULL : thread->next)
		for (entry = thread->list; entry; entry = entry->next)
			if (belongs(entry, object))
				return true;
	return false;
}

static void add_retired(struct pto_retired *object)
{
	object->next = retired;
	retired = object;
	__atomic_fetch_add(&pto_thread_retirements, 1, __ATOMIC_RELAXED);
}

static void drop_retired(struct pto_retired **at)
{
	*at = (*at)->next;
	__atomic_fetch_sub(&pto_thread_retirements, 1, __ATOMIC_RELAXED);
}

/* Remove an object that has @finish and of which no thread has destructors. With the lock. */
static struct pto_retired *take_finished(void)
{
	struct pto_retired **at = &retired;
	struct pto_retired *object;

	while (*at && (!(*at)->finish || has_exits(*at, NULL)))
		at = &(*at)->next;
	object = *at;
	if (object)
		drop_retired(at);
	return object;
}

static void finish_retired(void)
{
	struct pto_retired *object;
	sigset_t old;

	do {
		take_lock(&old);
		object = take_finished();
		drop_lock(&old);
		if (object)
			object->finish(object);
	} while (object);
}

/** pto_thread_leave() - call the calling thread's destructors of retired objects */
void pto_thread_leave(void)
{
	if (self)
		call_exits(false);
	finish_retired();
}

/* --- registration ------------------------------------------------------------------ */

/* The thread ends. A destructor that a jump has left stays, and its object is never finished. */
static void thread_ends(void *arg)
{
	struct thread_exits **at = &threads;
	sigset_t old;

	call_exits(true);
	take_lock(&old);
	while (*at != self)
		at = &(*at)->next;
	if (!self->list) {
		*at = self->next;
		free(self);
	}
	self = NULL;
	drop_lock(&old);
	finish_retired();
}

/* Add the calling thread to the list; with the lock. */
static bool know_thread(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (self)
		return true;
	pthread_once(&once, watch_forks);
	self = calloc(1, sizeof(*self));
	if (!self)
		return false;
	if (__cxa_thread_atexit_impl(thread_ends, NULL, &__dso_handle)) {
		free(self);
		self = NULL;
		return false;
	}
	self->next = threads;
	threads = self;
	return true;
}

/**
 * pto_thread_atexit() - __cxa_thread_atexit() for loaded objects
 * @fn: destructor
 * @arg: its argument
 * @dso: an address in the loaded object
 *
 * Return: 0, or -1 if memory is exhausted.
 */
int pto_thread_atexit(void (*fn)(void *), void *arg, void *dso)
{
	struct thread_exit *entry;
	bool known = false;
	sigset_t old;

	take_lock(&old);
	entry = calloc(1, sizeof(*entry));
	if (entry)
		known = know_thread();
	if (known) {
		*entry = (struct thread_exit){
			.fn = fn,
			.arg = arg,
			.code = (uintptr_t)dso,
			.next = self->list,
		};
		self->list = entry;
	} else {
		free(entry);
	}
	drop_lock(&old);
	return known ? 0 : -1;
}

/** pto_thread_uses() - does the calling thread have destructors of @object to call? */
bool pto_thread_uses(const struct pto_retired *object)
{
	sigset_t old;
	bool uses;

	if (!self)
		return false;
	take_lock(&old);
	uses = has_exits(object, self);
	drop_lock(&old);
	return uses;
}

/* Remove an object from the list if no thread has destructors of it. With the lock. */
static bool take_left(const struct pto_retired *object)
{
	struct pto_retired **at = &retired;

	if (has_exits(object, NULL))
		return false;
	while (*at != object)
		at = &(*at)->next;
	drop_retired(at);
	return true;
}

/**
 * pto_thread_retire() - retire an object, none of whose code executes any more
 * @object: the object; it must live until it is finished
 *
 * Calls the calling thread's destructors. Return: true if no thread has destructors of the
 * object: the caller finishes it then. Else it is in the list.
 */
bool pto_thread_retire(struct pto_retired *object)
{
	void (*finish)(struct pto_retired *object) = object->finish;
	sigset_t old;
	bool left;

	/* Without @finish no other thread finishes it before the result is known. */
	object->finish = NULL;
	take_lock(&old);
	add_retired(object);
	drop_lock(&old);
	call_exits(false);
	take_lock(&old);
	left = take_left(object);
	if (!left)
		object->finish = finish;
	drop_lock(&old);
	return left;
}

/**
 * pto_thread_retired() - have all destructors of a retired object been called?
 * @object: a retired object without @finish
 *
 * Return: true if so; the object is then removed from the list.
 */
bool pto_thread_retired(struct pto_retired *object)
{
	sigset_t old;
	bool left;

	take_lock(&old);
	left = take_left(object);
	drop_lock(&old);
	return left;
}
