// SPDX-License-Identifier: GPL-2.0
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "later.h"

/* What is posted last is done first, which is the order that nobody expects. */
struct job {
	struct job *next;
	void (*fn)(void *data);
	max_align_t data[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct job *jobs;
static unsigned int unfinished;

static void *work(void *arg)
{
	struct job *job;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (!jobs)
			pthread_cond_wait(&posted, &lock);
		job = jobs;
		jobs = job->next;
		pthread_mutex_unlock(&lock);
		sched_yield();
		job->fn(job->data);
		free(job);
		pthread_mutex_lock(&lock);
		if (!--unfinished)
			pthread_cond_broadcast(&done);
	}
	return NULL;
}

static void start(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, work, NULL))
		abort();
	pthread_attr_destroy(&attr);
}

/** later_post() - have @fn called with a copy of @size bytes at @data */
void later_post(void (*fn)(void *data), const void *data, size_t size)
{
	struct job *job = malloc(sizeof(*job) + size);

	if (!job)
		abort();
	job->fn = fn;
	memcpy(job->data, data, size);
	pthread_once(&once, start);
	pthread_mutex_lock(&lock);
	job->next = jobs;
	jobs = job;
	unfinished++;
	pthread_cond_signal(&posted);
	pthread_mutex_unlock(&lock);
}

/** later_wait() - wait until everything that was posted has been done */
void later_wait(void)
{
	pthread_mutex_lock(&lock);
	while (unfinished)
		pthread_cond_wait(&done, &lock);
	pthread_mutex_unlock(&lock);
}
