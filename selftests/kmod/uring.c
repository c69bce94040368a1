// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uring.h"

/* Since 6.1, and not in the headers of every distribution that runs it. */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

static int enter(struct uring *ring, unsigned int submit, unsigned int wait)
{
	long ret = syscall(SYS_io_uring_enter, ring->fd, submit, wait, IORING_ENTER_GETEVENTS,
			   NULL, 0);

	return ret < 0 ? -errno : (int)ret;
}

static int map(struct uring *ring, const struct io_uring_params *params)
{
	uint32_t *array;

	ring->bytes = params->cq_off.cqes + params->cq_entries * sizeof(*ring->cqe);
	ring->base = mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			  IORING_OFF_SQ_RING);
	ring->sqe = mmap(NULL, sizeof(*ring->sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			 (off_t)IORING_OFF_SQES);
	if (ring->base == MAP_FAILED || ring->sqe == MAP_FAILED)
		return -errno;
	ring->sq_tail = (void *)(ring->base + params->sq_off.tail);
	ring->cq_head = (void *)(ring->base + params->cq_off.head);
	ring->cq_tail = (void *)(ring->base + params->cq_off.tail);
	ring->cq_mask = *(uint32_t *)(void *)(ring->base + params->cq_off.ring_mask);
	ring->cqe = (void *)(ring->base + params->cq_off.cqes);
	array = (void *)(ring->base + params->sq_off.array);
	array[0] = 0;
	return 0;
}

int uring_init(struct uring *ring, int event)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	int err;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (ring->fd < 0)
		return -errno;
	err = map(ring, &params);
	if (!err && event >= 0 &&
	    syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_EVENTFD, &event, 1))
		err = -errno;
	if (err)
		close(ring->fd);
	return err;
}

int uring_poll(struct uring *ring, int fd, unsigned int events)
{
	int ret;

	*ring->sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll32_events = events,
	};
	__atomic_store_n(ring->sq_tail, *ring->sq_tail + 1, __ATOMIC_RELEASE);
	ret = enter(ring, 1, 0);
	return ret < 0 ? ret : 0;
}

int uring_wait(struct uring *ring)
{
	uint32_t head = *ring->cq_head;
	int ret;

	while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == head) {
		ret = enter(ring, 0, 1);
		if (ret < 0)
			return ret;
	}
	ret = ring->cqe[head & ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return ret;
}

void uring_free(struct uring *ring)
{
	munmap(ring->base, ring->bytes);
	munmap(ring->sqe, sizeof(*ring->sqe));
	close(ring->fd);
}
