// SPDX-License-Identifier: MIT
/*
 * The helper thread. There is one per process, started with the first context. It watches the
 * peer of each context for the hang-up that follows the last close, whichever way the
 * descriptors were closed. It also updates the readiness of files for device threads, which must
 * not do that themselves. It blocks all signals.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "preload.h"
#include "raw.h"

#define HELPER_EVENTS 16

/**
 * struct helper - the thread and its epoll set
 * @lock: held while the thread is started and while a peer is added to @epoll
 * @epoll: the set of peers, and of @event; -1 while there is no thread
 * @event: eventfd that sim_helper_poke() writes to
 */
static struct helper {
	pthread_mutex_t lock;
	atomic_int epoll;
	atomic_int event;
} helper = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.epoll = -1,
	.event = -1,
};

static void *helper_main(void *arg)
{
	struct epoll_event events[HELPER_EVENTS];
	uint64_t count;
	long i, n;

	for (;;) {
		n = sim_raw(SYS_epoll_pwait, helper.epoll, events, HELPER_EVENTS, -1, NULL, 8);
		/* The application has closed the epoll set by a raw system call. */
		if (n < 0 && n != -EINTR)
			return NULL;
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr) {
				sim_file_hung_up(events[i].data.ptr);
				continue;
			}
			sim_raw(SYS_read, helper.event, &count, sizeof(count));
			sim_ready_scan();
		}
	}
}

static int start_thread(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	ret = pthread_attr_init(&attr);
	if (ret)
		return -ret;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, &attr, helper_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!ret)
		pthread_setname_np(thread, "pto-sim");
	return -ret;
}

static int internal(long fd)
{
	return fd < 0 ? (int)fd : sim_fd_internal((int)fd);
}

static int start(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll, eventfd_, ret;

	epoll = internal(sim_raw(SYS_epoll_create1, EPOLL_CLOEXEC));
	if (epoll < 0)
		return epoll;
	eventfd_ = internal(sim_raw(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (eventfd_ < 0) {
		sim_fd_close_internal(epoll);
		return eventfd_;
	}
	helper.epoll = epoll;
	helper.event = eventfd_;
	ret = (int)sim_raw(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, eventfd_, &event);
	if (!ret)
		ret = start_thread();
	if (ret) {
		helper.epoll = -1;
		helper.event = -1;
		sim_fd_close_internal(epoll);
		sim_fd_close_internal(eventfd_);
	}
	return ret;
}

int sim_helper_watch(struct sim_file *file, int peer)
{
	/* Edge-triggered: a hang-up is reported once, even if ioctls in flight delay the end. */
	struct epoll_event event = { .events = EPOLLET, .data.ptr = file };
	int ret = 0;

	pthread_mutex_lock(&helper.lock);
	if (helper.epoll < 0)
		ret = start();
	if (!ret)
		ret = (int)sim_raw(SYS_epoll_ctl, helper.epoll, EPOLL_CTL_ADD, peer, &event);
	pthread_mutex_unlock(&helper.lock);
	return ret;
}

void sim_helper_unwatch(int peer)
{
	struct epoll_event event = { 0 };

	sim_raw(SYS_epoll_ctl, helper.epoll, EPOLL_CTL_DEL, peer, &event);
}

void sim_helper_poke(void)
{
	uint64_t one = 1;

	sim_raw(SYS_write, helper.event, &one, sizeof(one));
}

bool sim_helper_running(void)
{
	return atomic_load(&helper.epoll) >= 0;
}

void sim_helper_fork_child(void)
{
	pthread_mutex_init(&helper.lock, NULL);
	helper.epoll = -1;
	helper.event = -1;
}
