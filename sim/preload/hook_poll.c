// SPDX-License-Identifier: MIT
/*
 * Interposed: poll(), select() and epoll_ctl(). A poll() with contexts among its descriptors
 * arms them (see ready.c), lets the kernel wait, and replaces the kernel's answer for the
 * sockets by that of the driver. A select() with contexts uses this poll().
 */
#include "hook.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ll

/* Descriptors that are handled without an allocation. */
#define FEW 64

/* The most that a process can have by default (the kernel's fs.nr_open). */
#define MANY (1u << 20)

/*
 * A poller that asks for errors alone cannot wait for the byte, which stays while there are
 * results to read and would wake it again and again. It asks the driver at this interval.
 */
#define LOOK_NS (50 * 1000 * 1000ll)

/*
 * poll() may return at once for a condition that select() does not report, such as POLLHUP of a
 * descriptor that is in the set for writing only. select_until() sleeps this long between calls.
 */
#define NAP_NS (1000 * 1000ll)

#define POLL_READ (POLLIN | POLLRDNORM)

/**
 * struct polling - a poll() with contexts among its descriptors
 * @n: descriptors
 * @user: the caller's array
 * @fds: the array for the kernel
 * @files: the context at each index, with a reference; NULL for any other descriptor
 * @look: a context is polled for errors only: ask the driver every LOOK_NS
 * @few: storage for @fds, for up to FEW descriptors
 * @few_files: storage for @files, likewise
 */
struct polling {
	nfds_t n;
	struct pollfd *user;
	struct pollfd *fds;
	struct sim_file **files;
	bool look;
	struct pollfd few[FEW];
	struct sim_file *few_files[FEW];
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* The time at which a wait of @timeout ends: INT64_MAX for never, -1 if @timeout is invalid. */
static int64_t deadline_of(const struct timespec *timeout)
{
	int64_t ns;

	if (!timeout)
		return INT64_MAX;
	if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= NSEC_PER_SEC)
		return -1;
	if (__builtin_mul_overflow(timeout->tv_sec, NSEC_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, timeout->tv_nsec + now_ns(), &ns))
		return INT64_MAX;
	return ns;
}

static int64_t left_until(int64_t deadline)
{
	int64_t left = deadline == INT64_MAX ? deadline : deadline - now_ns();

	return left < 0 ? 0 : left;
}

static struct timespec timespec_of(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	return t;
}

static short answer(uint32_t mask, short events)
{
	return (short)(mask & (uint32_t)(events | POLLERR | POLLHUP));
}

/* Return: is a context ready already? */
static bool arm(struct polling *p)
{
	bool ready = false;
	nfds_t i;

	p->look = false;
	for (i = 0; i < p->n; i++) {
		short events = p->user[i].events;
		uint32_t mask = POLLERR;

		p->fds[i] = p->user[i];
		p->fds[i].revents = 0;
		p->files[i] = NULL;
		switch (sim_file_of(p->user[i].fd, &p->files[i])) {
		case SIM_OURS:
			mask = sim_ready_arm(p->files[i], p->user[i].fd, false);
			break;
		case SIM_OTHER:
			break;
		default:
			continue;
		}
		p->fds[i].events = events & POLL_READ ? POLLIN : 0;
		p->look = p->look || !(events & POLL_READ);
		p->fds[i].revents = answer(mask, events);
		ready = ready || p->fds[i].revents;
	}
	return ready;
}

static void disarm(void *arg)
{
	struct polling *p = arg;
	nfds_t i;

	for (i = 0; i < p->n; i++) {
		if (!p->files[i])
			continue;
		p->fds[i].revents = answer(sim_ready_disarm(p->files[i], p->user[i].fd),
					   p->user[i].events);
		sim_file_put(p->files[i]);
		p->files[i] = NULL;
	}
}

/* Wait in the kernel. Cancellation of the thread disarms the contexts. */
static int guarded_ppoll(const struct sim_real *next, struct polling *p,
			 const struct timespec *timeout, const sigset_t *mask)
{
	int ret;

	pthread_cleanup_push(disarm, p);
	ret = next->ppoll(p->fds, p->n, timeout, mask);
	pthread_cleanup_pop(1);
	return ret;
}

/* One wait. Return: as ppoll(), with errno. */
static int wait_once(const struct sim_real *next, struct polling *p, int64_t deadline,
		     const sigset_t *mask)
{
	int64_t left = left_until(deadline);
	struct timespec timeout;

	if (arm(p))
		left = 0;
	if (p->look && left > LOOK_NS)
		left = LOOK_NS;
	timeout = timespec_of(left);
	return guarded_ppoll(next, p, left == INT64_MAX ? NULL : &timeout, mask);
}

/* For contexts of other processes ppoll() has overwritten the answer: set POLLERR again. */
static int count_ready(struct polling *p)
{
	int ready = 0;
	nfds_t i;

	for (i = 0; i < p->n; i++) {
		if (sim_fd_peek(p->user[i].fd) == SIM_FOREIGN)
			p->fds[i].revents = POLLERR;
		p->user[i].revents = p->fds[i].revents;
		ready += p->fds[i].revents != 0;
	}
	return ready;
}

static bool polling_begin(struct polling *p, struct pollfd *user, nfds_t n)
{
	p->n = n;
	p->user = user;
	p->fds = p->few;
	p->files = p->few_files;
	if (n <= FEW)
		return true;
	p->fds = malloc(n * sizeof(*p->fds));
	p->files = malloc(n * sizeof(struct sim_file *));
	if (p->fds && p->files)
		return true;
	free(p->fds);
	free(p->files);
	errno = ENOMEM;
	return false;
}

static void polling_end(struct polling *p)
{
	if (p->fds != p->few) {
		free(p->fds);
		free(p->files);
	}
}

/* poll() of descriptors with contexts among them. @user is a copy of the caller's array. */
static int poll_until(const struct sim_real *next, struct pollfd *user, nfds_t n,
		      int64_t deadline, const sigset_t *mask)
{
	int ret, saved = errno;
	struct polling p;

	sim_fork_check();
	if (!polling_begin(&p, user, n))
		return -1;
	do {
		ret = wait_once(next, &p, deadline, mask);
		if (ret >= 0)
			ret = count_ready(&p);
	} while (!ret && left_until(deadline));
	polling_end(&p);
	if (ret >= 0)
		errno = saved;
	return ret;
}

static bool any_ours(const struct pollfd *fds, nfds_t n)
{
	uintptr_t entry;
	nfds_t i;

	for (i = 0; i < n; i++) {
		entry = sim_fd_peek(fds[i].fd);
		if (entry && entry != SIM_INTERNAL)
			return true;
	}
	return false;
}

/* --- poll ------------------------------------------------------------------------------- */

/* Return: false if this call is not for us. */
static bool poll_user(const struct sim_real *next, struct pollfd *user, nfds_t n,
		      const struct timespec *timeout, const sigset_t *mask, int *ret)
{
	struct pollfd few[FEW], *fds = few;
	size_t bytes = n * sizeof(*fds);
	int64_t deadline;
	bool ours;

	if (__builtin_expect(!sim_fd_used(), 1) || !n || n > MANY)
		return false;
	if (n > FEW)
		fds = malloc(bytes);
	ours = fds && !sim_copy_in(fds, user, bytes) && any_ours(fds, n);
	deadline = ours ? deadline_of(timeout) : -1;
	if (deadline >= 0) {
		*ret = poll_until(next, fds, n, deadline, mask);
		if (*ret >= 0 && sim_copy_out(user, fds, bytes))
			*ret = (int)sim_return(-EFAULT);
	}
	if (fds != few)
		free(fds);
	return deadline >= 0;
}

int sim_poll(const struct sim_real *next, struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec t = timespec_of(timeout < 0 ? 0 : timeout * 1000000ll);
	int ret;

	if (poll_user(next, fds, n, timeout < 0 ? NULL : &t, NULL, &ret))
		return ret;
	return next->poll(fds, n, timeout);
}

SIM_ENTRY(int, poll, (struct pollfd *fds, nfds_t n, int timeout), fds, n, timeout)

int sim_ppoll(const struct sim_real *next, struct pollfd *fds, nfds_t n,
	      const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec t;
	int ret;

	if (SIM_UNLIKELY(sim_fd_used()) && (!timeout || !sim_copy_in(&t, timeout, sizeof(t))) &&
	    poll_user(next, fds, n, timeout ? &t : NULL, mask, &ret))
		return ret;
	return next->ppoll(fds, n, timeout, mask);
}

SIM_ENTRY(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask), fds, n, timeout, mask)

SIM_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
	int (*next)(struct pollfd *fds, nfds_t n, int timeout, size_t size);

	next = size / sizeof(*fds) < n ? sim_next("__poll_chk") : NULL;
	return next ? next(fds, n, timeout, size) : poll(fds, n, timeout);
}

SIM_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			   const sigset_t *mask, size_t size)
{
	int (*next)(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		    const sigset_t *mask, size_t size);

	next = size / sizeof(*fds) < n ? sim_next("__ppoll_chk") : NULL;
	return next ? next(fds, n, timeout, mask, size) : ppoll(fds, n, timeout, mask);
}

/* --- select ------------------------------------------------------------------------------ */

/* What select() asks poll() for and takes for readable, writable and exceptional. */
static const short select_events[3] = { POLL_READ | POLLRDBAND, POLLOUT | POLLWRBAND | POLLWRNORM,
					POLLPRI };
static const short select_answers[3] = { POLL_READ | POLLRDBAND | POLLHUP | POLLERR,
					 POLLOUT | POLLWRBAND | POLLWRNORM | POLLERR, POLLPRI };

/**
 * struct selection - a select() with contexts among its descriptors
 * @nfds: as for select()
 * @bytes: bytes of each set
 * @user: the caller's sets, NULL where there is none
 * @sets: copies of them
 * @fds: the descriptors in the sets, as an array for poll()
 * @n: length of @fds
 */
struct selection {
	int nfds;
	size_t bytes;
	void *user[3];
	uint64_t *sets[3];
	struct pollfd *fds;
	nfds_t n;
};

static bool in_set(const struct selection *s, int set, int fd)
{
	return s->user[set] && s->sets[set][fd / 64] >> (fd % 64) & 1;
}

static void selection_end(struct selection *s)
{
	free(s->sets[0]);
	free(s->fds);
}

/* Return: false if the sets have no context in them or cannot be read. */
static bool selection_begin(struct selection *s)
{
	int fd, set;

	s->bytes = ((size_t)s->nfds + 63) / 64 * 8;
	s->sets[0] = calloc(3, s->bytes);
	s->fds = calloc((size_t)s->nfds, sizeof(*s->fds));
	if (!s->sets[0] || !s->fds)
		return false;
	for (set = 0; set < 3; set++) {
		s->sets[set] = s->sets[0] + set * (s->bytes / 8);
		if (s->user[set] && sim_copy_in(s->sets[set], s->user[set], s->bytes))
			return false;
	}
	for (fd = 0; fd < s->nfds; fd++) {
		short events = 0;

		for (set = 0; set < 3; set++)
			events |= in_set(s, set, fd) ? select_events[set] : 0;
		if (events) {
			s->fds[s->n].fd = fd;
			s->fds[s->n++].events = events;
		}
	}
	return any_ours(s->fds, s->n);
}

/* Return: as select(); 0 if no requested condition holds. */
static int selection_count(struct selection *s)
{
	int set, count = 0;
	nfds_t i;

	memset(s->sets[0], 0, 3 * s->bytes);
	for (i = 0; i < s->n; i++) {
		const struct pollfd *p = &s->fds[i];

		if (p->revents & POLLNVAL)
			return (int)sim_return(-EBADF);
		for (set = 0; set < 3; set++) {
			if (!(p->events & select_events[set]) ||
			    !(p->revents & select_answers[set]))
				continue;
			s->sets[set][p->fd / 64] |= 1ull << (p->fd % 64);
			count++;
		}
	}
	return count;
}

static int select_until(const struct sim_real *next, struct selection *s, int64_t deadline,
			const sigset_t *mask)
{
	struct timespec nap;
	int ret, set;

	for (;;) {
		ret = poll_until(next, s->fds, s->n, deadline, mask);
		if (ret > 0)
			ret = selection_count(s);
		else if (!ret)
			memset(s->sets[0], 0, 3 * s->bytes);
		if (ret || !left_until(deadline))
			break;
		nap = timespec_of(NAP_NS);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	for (set = 0; ret >= 0 && set < 3; set++)
		if (s->user[set] && sim_copy_out(s->user[set], s->sets[set], s->bytes))
			ret = (int)sim_return(-EFAULT);
	return ret;
}

/* Return: false if this call is not for us. */
static bool select_user(const struct sim_real *next, struct selection *s, int64_t deadline,
			const sigset_t *mask, int *ret)
{
	int saved = errno;
	bool ours;

	if (s->nfds <= 0 || (unsigned int)s->nfds > MANY || deadline < 0)
		return false;
	ours = selection_begin(s);
	if (ours)
		*ret = select_until(next, s, deadline, mask);
	if (!ours || *ret >= 0)
		errno = saved;
	selection_end(s);
	return ours;
}

int sim_select(const struct sim_real *next, int nfds, fd_set *readable, fd_set *writable,
	       fd_set *exceptional, struct timeval *timeout)
{
	struct selection s = { .nfds = nfds, .user = { readable, writable, exceptional } };
	int64_t deadline = INT64_MAX, left;
	struct timeval tv = { 0, 0 };
	struct timespec t;
	int ret;

	if (__builtin_expect(!sim_fd_used(), 1) ||
	    (timeout && sim_copy_in(&tv, timeout, sizeof(tv))))
		return next->select(nfds, readable, writable, exceptional, timeout);
	if (timeout) {
		t.tv_sec = tv.tv_sec + tv.tv_usec / 1000000;
		t.tv_nsec = tv.tv_usec % 1000000 * 1000;
		deadline = deadline_of(&t);
	}
	if (!select_user(next, &s, deadline, NULL, &ret))
		return next->select(nfds, readable, writable, exceptional, timeout);
	if (timeout) {
		/* As on Linux, the remaining time goes to the caller. */
		left = left_until(deadline);
		tv.tv_sec = left / NSEC_PER_SEC;
		tv.tv_usec = left % NSEC_PER_SEC / 1000;
		(void)sim_copy_out(timeout, &tv, sizeof(tv));
	}
	return ret;
}

SIM_ENTRY(int, select, (int nfds, fd_set *readable, fd_set *writable, fd_set *exceptional,
			struct timeval *timeout), nfds, readable, writable, exceptional, timeout)

int sim_pselect(const struct sim_real *next, int nfds, fd_set *readable, fd_set *writable,
		fd_set *exceptional, const struct timespec *timeout, const sigset_t *mask)
{
	struct selection s = { .nfds = nfds, .user = { readable, writable, exceptional } };
	struct timespec t;
	int ret;

	if (SIM_UNLIKELY(sim_fd_used()) && (!timeout || !sim_copy_in(&t, timeout, sizeof(t))) &&
	    select_user(next, &s, deadline_of(timeout ? &t : NULL), mask, &ret))
		return ret;
	return next->pselect(nfds, readable, writable, exceptional, timeout, mask);
}

SIM_ENTRY(int, pselect, (int nfds, fd_set *readable, fd_set *writable, fd_set *exceptional,
			 const struct timespec *timeout, const sigset_t *mask),
	  nfds, readable, writable, exceptional, timeout, mask)

/* --- epoll ---------------------------------------------------------------------------------- */

int sim_epoll_ctl(const struct sim_real *next, int epfd, int op, int fd, struct epoll_event *event)
{
	int ret = next->epoll_ctl(epfd, op, fd, event);
	struct sim_file *file;
	int saved = errno;

	if (__builtin_expect(!sim_fd_peek(fd), 1) || ret || op == EPOLL_CTL_DEL)
		return ret;
	sim_fork_check();
	if (sim_file_of(fd, &file) == SIM_OURS) {
		(void)sim_ready_arm(file, fd, true);
		sim_file_put(file);
	}
	errno = saved;
	return ret;
}

SIM_ENTRY(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event), epfd, op, fd,
	  event)
