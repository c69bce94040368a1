// SPDX-License-Identifier: MIT
/*
 * The helper thread. There is one per process, started with the first context. It watches the
 * peer of each context, and the pipe of each dma-buf, for the hang-up that follows the last close,
 * whichever way the descriptors were closed. It also updates the readiness of files for device
 * threads, which must not do that themselves. It blocks all signals.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>

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

static long drain(void)
{
	uint64_t count;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };
	long ret = sim_raw(SYS_read, helper.event, &count, sizeof(count));

	return sim_denied(ret) ? sim_raw(SYS_readv, helper.event, &iov, 1) : ret;
}

/*
 * The machine does not let anybody wait for an epoll set: look at everything at each poke, and for
 * hang-ups a few times a second.
 */
static void helper_without_epoll(void)
{
	struct pollfd poll = { .fd = helper.event, .events = POLLIN };
	struct timespec period = { .tv_nsec = 100000000 };
	long n;

	for (;;) {
		n = sim_raw(SYS_ppoll, &poll, 1, &period, NULL, 8);
		if (n < 0 && n != -EINTR)
			return;
		if (n > 0 && drain() == -EBADF)
			return;
		sim_ready_scan();
		sim_file_reap();
		sim_share_hung_up(NULL);
	}
}

static void *helper_main(void *arg)
{
	struct epoll_event events[HELPER_EVENTS];
	long i, n;

	for (;;) {
		n = sim_raw(SYS_epoll_pwait, helper.epoll, events, HELPER_EVENTS, -1, NULL, 8);
		if (sim_denied(n))
			helper_without_epoll();
		/* The application has closed the epoll set by a raw system call. */
		if (n < 0 && n != -EINTR)
			return NULL;
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr) {
				sim_file_hung_up(events[i].data.ptr);
				sim_share_hung_up(events[i].data.ptr);
				continue;
			}
			drain();
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
	if (ret)
		return refusal("pthread_create", ret);
	pthread_setname_np(thread, "pto-sim");
	return 0;
}

static int internal(long fd)
{
	return fd < 0 ? (int)fd : sim_fd_internal((int)fd);
}

static int start_waiting(int epoll, int event)
{
	struct epoll_event interest = { .events = EPOLLIN };
	int ret = (int)sim_own(epoll_ctl, epoll, EPOLL_CTL_ADD, event, &interest);

	return ret ? ret : start_thread();
}

static int start(void)
{
	int epoll, eventfd_, ret;

	epoll = internal(sim_own(epoll_create1, EPOLL_CLOEXEC));
	if (epoll < 0)
		return epoll;
	eventfd_ = internal(sim_own(eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (eventfd_ < 0) {
		sim_fd_close_internal(epoll);
		return eventfd_;
	}
	helper.epoll = epoll;
	helper.event = eventfd_;
	ret = start_waiting(epoll, eventfd_);
	if (ret) {
		helper.epoll = -1;
		helper.event = -1;
		sim_fd_close_internal(epoll);
		sim_fd_close_internal(eventfd_);
	}
	return ret;
}

int sim_helper_watch(void *which, int peer)
{
	/* Edge-triggered: a hang-up is reported once, even if ioctls in flight delay the end. */
	struct epoll_event event = { .events = EPOLLET, .data.ptr = which };
	int ret = 0;

	pthread_mutex_lock(&helper.lock);
	if (helper.epoll < 0)
		ret = start();
	if (!ret)
		ret = (int)sim_own(epoll_ctl, helper.epoll, EPOLL_CTL_ADD, peer, &event);
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
	struct iovec iov = { .iov_base = &one, .iov_len = sizeof(one) };

	if (sim_denied(sim_raw(SYS_write, helper.event, &one, sizeof(one))))
		sim_raw(SYS_writev, helper.event, &iov, 1);
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
