// SPDX-License-Identifier: GPL-2.0
/* Waiting for runs: poll and its kin, time-outs, signals, many waiters. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "pttest.h"

#define POLL_PATIENCE_MS 60000

static const struct pt_callable empty = { .orch = "orch_empty" };

FIXTURE(waiting) {
	int fd;
	int cid;
	struct pt_gate gate;
};

FIXTURE_SETUP(waiting)
{
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &self->gate));
	self->cid = pt_prepare(self->fd, -1, &empty, NULL);
	ASSERT_GE(self->cid, 0);
}

FIXTURE_TEARDOWN(waiting)
{
	if (self->fd < 0)
		return;
	pt_gate_set(&self->gate, true);
	close(self->fd);
}

static int poll_now(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int ret = poll(&pollfd, 1, 0);

	return ret < 0 ? -errno : pollfd.revents;
}

static int poll_long(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int ret = poll(&pollfd, 1, POLL_PATIENCE_MS);

	return ret < 0 ? -errno : pollfd.revents;
}

PT_TEST_F(waiting, pollin_from_the_end_of_a_run_to_its_reading)
{
	uint64_t id;

	EXPECT_EQ(0, poll_now(self->fd));
	ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &id));
	EXPECT_EQ(0, poll_now(self->fd));
	pt_gate_set(&self->gate, true);
	EXPECT_EQ(POLLIN, poll_long(self->fd));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	ASSERT_EQ(0, pt_stream_wait(self->fd, PTO_STREAM_DEFAULT, pt_deadline()));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(0, poll_now(self->fd));
}

PT_TEST_F(waiting, reading_a_result_reads_the_earlier_ones)
{
	uint64_t first, second, third;

	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, self->cid, NULL, 0, &first));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, self->cid, NULL, 0, &second));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, self->cid, NULL, 0, &third));
	ASSERT_EQ(0, pt_stream_wait(self->fd, PTO_STREAM_DEFAULT, pt_deadline()));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(0, pt_finish(self->fd, second));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(0, pt_finish(self->fd, first));
	EXPECT_EQ(POLLIN, poll_now(self->fd));
	EXPECT_EQ(0, pt_finish(self->fd, third));
	EXPECT_EQ(0, poll_now(self->fd));
}

/* A run that is waited for as it is submitted is read; one that was not waited for is not. */
PT_TEST_F(waiting, run_that_waits_reads_its_result)
{
	struct pto_run_entry entry = { .cid = self->cid };
	struct pto_ioc_wait wait = { .size = sizeof(wait), .timeout_ns = PTO_WAIT_FOREVER };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
		.wait_ptr = (uintptr_t)&wait,
	};

	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_RUN, &run));
	EXPECT_EQ(0, run.wait_error);
	EXPECT_EQ(0, poll_now(self->fd));
	entry.cid = self->gate.cid;
	entry.args_bo = self->gate.args.id;
	entry.args_size = self->gate.args_bytes;
	wait.timeout_ns = 0;
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_RUN, &run));
	EXPECT_EQ(-ETIMEDOUT, run.wait_error);
	EXPECT_EQ(0, poll_now(self->fd));
	pt_gate_set(&self->gate, true);
	EXPECT_EQ(POLLIN, poll_long(self->fd));
	EXPECT_EQ(0, pt_finish(self->fd, wait.run));
	EXPECT_EQ(0, poll_now(self->fd));
}

PT_TEST_F(waiting, each_stream_is_read_by_itself)
{
	uint64_t here, there;
	uint32_t stream;

	ASSERT_EQ(0, pt_stream_create(self->fd, &stream));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, self->cid, NULL, 0, &here));
	ASSERT_EQ(0, pt_submit(self->fd, stream, self->cid, NULL, 0, &there));
	EXPECT_EQ(0, pt_finish(self->fd, here));
	EXPECT_EQ(POLLIN, poll_long(self->fd));
	EXPECT_EQ(0, pt_finish(self->fd, there));
	EXPECT_EQ(0, poll_now(self->fd));
}

PT_TEST_F(waiting, destroyed_stream_takes_its_pollin_along)
{
	uint32_t stream;
	uint64_t id;

	ASSERT_EQ(0, pt_stream_create(self->fd, &stream));
	ASSERT_EQ(0, pt_submit(self->fd, stream, self->cid, NULL, 0, &id));
	EXPECT_EQ(POLLIN, poll_long(self->fd));
	ASSERT_EQ(0, pt_stream_wait(self->fd, stream, pt_deadline()));
	ASSERT_EQ(0, pt_stream_destroy(self->fd, stream));
	EXPECT_EQ(0, poll_now(self->fd));
}

static void *open_when_waiting(void *arg)
{
	struct pt_gate *gate = arg;

	/* The other thread is in poll() by then, or will be: both orders must work. */
	pt_pause();
	pt_gate_set(gate, true);
	return NULL;
}

PT_TEST_F(waiting, poll_sleeps_until_a_run_ends)
{
	pthread_t thread;
	uint64_t id;
	int i;

	for (i = 0; i < 20; i++) {
		pt_gate_set(&self->gate, false);
		ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &id));
		ASSERT_EQ(0, pthread_create(&thread, NULL, open_when_waiting, &self->gate));
		EXPECT_EQ(POLLIN, poll_long(self->fd));
		pthread_join(thread, NULL);
		EXPECT_EQ(0, pt_finish(self->fd, id));
		EXPECT_EQ(0, poll_now(self->fd));
	}
}

PT_TEST_F(waiting, select_and_epoll_tell_the_same)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 42 };
	struct timeval none = { 0 }, some = { .tv_sec = POLL_PATIENCE_MS / 1000 };
	uint64_t id;
	fd_set set;
	int epfd;

	epfd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(epfd, 0);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->fd, &event));
	event.data.u64 = 0;
	EXPECT_EQ(0, epoll_wait(epfd, &event, 1, 0));
	FD_ZERO(&set);
	FD_SET(self->fd, &set);
	EXPECT_EQ(0, select(self->fd + 1, &set, NULL, NULL, &none));

	ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &id));
	pt_gate_set(&self->gate, true);
	EXPECT_EQ(1, epoll_wait(epfd, &event, 1, POLL_PATIENCE_MS));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_EQ(42, event.data.u64);
	FD_SET(self->fd, &set);
	EXPECT_EQ(1, select(self->fd + 1, &set, NULL, NULL, &some));
	EXPECT_TRUE(FD_ISSET(self->fd, &set));
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(0, epoll_wait(epfd, &event, 1, 0));
	close(epfd);
}

PT_TEST_F(waiting, epoll_edges_come_once_for_each_end)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	uint64_t id;
	int epfd, i;

	epfd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(epfd, 0);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->fd, &event));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, self->cid, NULL, 0, &id));
		EXPECT_EQ(1, epoll_wait(epfd, &event, 1, POLL_PATIENCE_MS));
		EXPECT_EQ(0, pt_finish(self->fd, id));
	}
	close(epfd);
}

PT_TEST_F(waiting, timeouts_are_absolute)
{
	struct pto_ioc_wait wait = { .size = sizeof(wait) };
	uint64_t id;

	ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &id));
	wait.run = id;
	EXPECT_EQ(-ETIMEDOUT, pt_ioctl(self->fd, PTO_WAIT, &wait));
	wait.timeout_ns = 1;
	EXPECT_EQ(-ETIMEDOUT, pt_ioctl(self->fd, PTO_WAIT, &wait));
	wait.timeout_ns = pt_now() + PT_SECOND / 20;
	EXPECT_EQ(-ETIMEDOUT, pt_ioctl(self->fd, PTO_WAIT, &wait));
	EXPECT_GE(pt_now(), wait.timeout_ns);
	EXPECT_EQ(-ETIMEDOUT, pt_ioctl(self->fd, PTO_WAIT, &wait));
	EXPECT_EQ(-ETIMEDOUT, pt_stream_wait(self->fd, PTO_STREAM_DEFAULT, wait.timeout_ns));
	pt_gate_set(&self->gate, true);
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(0, pt_ioctl(self->fd, PTO_WAIT, &wait));
	EXPECT_EQ(0, pt_stream_wait(self->fd, PTO_STREAM_DEFAULT, 0));
}

/* --- signals -------------------------------------------------------------------- */

static void on_signal(int number)
{
}

/**
 * struct poker - a thread that sends signals to another one
 * @victim: the other one
 * @pause: it pauses between them
 * @stop: it shall end
 */
struct poker {
	pthread_t victim;
	bool pause;
	bool stop;
};

static void *poke(void *arg)
{
	struct poker *poker = arg;

	while (!__atomic_load_n(&poker->stop, __ATOMIC_ACQUIRE)) {
		pthread_kill(poker->victim, SIGUSR1);
		if (poker->pause)
			pt_pause();
	}
	return NULL;
}

static void poke_end(struct poker *poker, pthread_t thread)
{
	__atomic_store_n(&poker->stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	/* The last signal may not have arrived yet: it does on the way back from any call. */
	sched_yield();
}

/* Interrupted and called again with the same argument, a wait ends when it first would have. */
PT_TEST_F(waiting, eintr_and_again_waits_no_longer)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct poker poker = { .victim = pthread_self(), .pause = true };
	struct pto_ioc_wait wait = { .size = sizeof(wait) };
	int err, interrupted = 0;
	pthread_t thread;
	uint64_t id;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &id));
	ASSERT_EQ(0, pthread_create(&thread, NULL, poke, &poker));
	wait.run = id;
	wait.timeout_ns = PTO_WAIT_FOREVER;
	EXPECT_EQ(-EINTR, pt_ioctl(self->fd, PTO_WAIT, &wait));
	EXPECT_EQ(-EINTR, pt_stream_wait(self->fd, PTO_STREAM_DEFAULT, PTO_WAIT_FOREVER));
	wait.timeout_ns = pt_now() + PT_SECOND / 10;
	do {
		err = pt_ioctl(self->fd, PTO_WAIT, &wait);
		interrupted += err == -EINTR;
	} while (err == -EINTR && interrupted < 1000000);
	EXPECT_EQ(-ETIMEDOUT, err);
	EXPECT_GE(pt_now(), wait.timeout_ns);
	poke_end(&poker, thread);
	pt_gate_set(&self->gate, true);
	EXPECT_EQ(0, pt_finish(self->fd, id));
}

/* A signal that a wait has had no use for, because it was at its end, is not the next one's. */
PT_TEST_F(waiting, signal_at_the_end_of_a_wait)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct pto_ioc_wait wait = { .size = sizeof(wait) };
	pthread_t thread;
	uint64_t id;
	int i, err;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &id));
	wait.run = id;
	for (i = 0; i < 30; i++) {
		struct poker poker = { .victim = pthread_self() };

		wait.timeout_ns = pt_now() + PT_SECOND / 1000;
		ASSERT_EQ(0, pthread_create(&thread, NULL, poke, &poker));
		do {
			err = pt_ioctl(self->fd, PTO_WAIT, &wait);
		} while (err == -EINTR);
		poke_end(&poker, thread);
		ASSERT_EQ(-ETIMEDOUT, err);
		wait.timeout_ns = pt_now() + PT_SECOND / 1000;
		ASSERT_EQ(-ETIMEDOUT, pt_ioctl(self->fd, PTO_WAIT, &wait));
	}
	pt_gate_set(&self->gate, true);
	EXPECT_EQ(0, pt_finish(self->fd, id));
}

/* --- many waiters --------------------------------------------------------------- */

struct waiter {
	int fd;
	uint64_t id;
	int result;
};

static void *wait_for_it(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = pt_finish(waiter->fd, waiter->id);
	return NULL;
}

PT_TEST_F(waiting, many_threads_may_wait_for_one_run)
{
	struct waiter waiters[8];
	pthread_t threads[8];
	uint64_t id;
	int i;

	ASSERT_EQ(0, pt_gate_submit(self->fd, &self->gate, PTO_STREAM_DEFAULT, &id));
	for (i = 0; i < 8; i++) {
		waiters[i] = (struct waiter) { .fd = self->fd, .id = id, .result = 1 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, wait_for_it, &waiters[i]));
	}
	pt_pause();
	pt_gate_set(&self->gate, true);
	for (i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, waiters[i].result);
	}
}

/* Threads that submit to one stream and wait for their own runs: none gets lost. */
static void *submit_and_wait(void *arg)
{
	struct waiter *waiter = arg;
	uint64_t id;
	int i, err;

	for (i = 0; i < 100; i++) {
		err = pt_submit(waiter->fd, PTO_STREAM_DEFAULT, (int)waiter->id, NULL, 0, &id);
		if (!err)
			err = pt_finish(waiter->fd, id);
		if (err) {
			waiter->result = err;
			return NULL;
		}
	}
	waiter->result = 0;
	return NULL;
}

PT_TEST_F(waiting, many_threads_may_submit_to_one_stream)
{
	struct pto_context_stats stats;
	struct waiter waiters[4];
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++) {
		waiters[i] = (struct waiter) { .fd = self->fd, .id = self->cid, .result = 1 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, submit_and_wait, &waiters[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, waiters[i].result);
	}
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(400, stats.runs_completed);
}

/* --- a lost context ------------------------------------------------------------------------ */

/* A run that heeds nobody costs the context; the driver learns it from the next command. */
static int lose(int fd)
{
	static const struct pt_callable hang = { .orch = "orch_hang" };
	struct pto_run_entry entry = { .timeout_ns = PT_SECOND / 10 };
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = 1 };
	struct pto_context_stats stats;
	uint64_t id;

	entry.cid = pt_prepare(fd, -1, &hang, NULL);
	if (entry.cid < 0 || pt_submit_entry(fd, PTO_STREAM_DEFAULT, &entry, &id) ||
	    pt_finish(fd, id) != -ETIMEDOUT || pt_ioctl(fd, PTO_BO_CREATE, &create) != -EIO)
		return -EBADMSG;
	return pt_stats(fd, &stats) || stats.state != PTO_CTX_LOST ? -EBADMSG : 0;
}

PT_TEST_F(waiting, pollerr_when_the_context_is_lost)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd pollfd = { .fd = self->fd };
	struct timeval none = { 0 };
	fd_set set;
	int epfd;

	epfd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(epfd, 0);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(0, lose(self->fd));
	EXPECT_EQ(POLLERR, poll_now(self->fd) & POLLERR);
	/* Whoever asks for nothing is told of errors, too. */
	EXPECT_EQ(1, poll(&pollfd, 1, 0));
	EXPECT_EQ(POLLERR, pollfd.revents);
	FD_ZERO(&set);
	FD_SET(self->fd, &set);
	EXPECT_EQ(1, select(self->fd + 1, &set, NULL, NULL, &none));
	EXPECT_EQ(1, epoll_wait(epfd, &event, 1, POLL_PATIENCE_MS));
	ASSERT_EQ(0, pt_reset(self->fd));
	EXPECT_EQ(0, poll_now(self->fd));
	EXPECT_EQ(0, epoll_wait(epfd, &event, 1, 0));
	close(epfd);
}

static void *lose_later(void *arg)
{
	int fd = *(int *)arg;

	return (void *)(intptr_t)lose(fd);
}

/* Nothing but the loss can end this wait, and it ends with it, not with its time. */
PT_TEST_F(waiting, poll_for_errors_alone_ends_with_the_loss)
{
	struct pollfd pollfd = { .fd = self->fd };
	uint64_t start = pt_now();
	pthread_t loser;
	void *ret;

	ASSERT_EQ(0, pthread_create(&loser, NULL, lose_later, &self->fd));
	EXPECT_EQ(1, poll(&pollfd, 1, POLL_PATIENCE_MS));
	EXPECT_EQ(POLLERR, pollfd.revents);
	EXPECT_GT(start + POLL_PATIENCE_MS * 1000000ull, pt_now());
	pthread_join(loser, &ret);
	EXPECT_EQ(NULL, ret);
}

/* A device is never ready for writing, whoever asks. */
PT_TEST_F(waiting, never_writable)
{
	struct epoll_event event = { .events = EPOLLOUT };
	struct pollfd pollfd = { .fd = self->fd, .events = POLLOUT };
	int epfd;

	epfd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(epfd, 0);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(epfd, &event, 1, 0));
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	close(epfd);
}

TEST_HARNESS_MAIN
