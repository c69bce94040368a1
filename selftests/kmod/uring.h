/* SPDX-License-Identifier: GPL-2.0 */
/* As much of io_uring as it takes to wait for a file with poll. */
#ifndef URING_H
#define URING_H

#include <stdint.h>

struct io_uring_sqe;
struct io_uring_cqe;

/**
 * struct uring - a ring with room for one request at a time
 * @fd: the ring
 * @base: both rings, mapped
 * @bytes: bytes of that
 * @sqe: the submission entry
 * @sq_tail: in @base
 * @cq_head: in @base
 * @cq_tail: in @base
 * @cq_mask: mask of indices of @cqe
 * @cqe: in @base
 */
struct uring {
	int fd;
	char *base;
	uint64_t bytes;
	struct io_uring_sqe *sqe;
	uint32_t *sq_tail;
	uint32_t *cq_head;
	uint32_t *cq_tail;
	uint32_t cq_mask;
	struct io_uring_cqe *cqe;
};

/**
 * uring_init() - make one whose completions are noticed in its owner's context only, so that
 * whoever wakes it signals its eventfd on the spot
 * @event: that eventfd, or -1
 *
 * Return: 0, or -errno: -EINVAL or -ENOSYS if this kernel has no such thing.
 */
int uring_init(struct uring *ring, int event);

/** uring_poll() - begin to wait until @fd has one of @events. Return: 0 or -errno */
int uring_poll(struct uring *ring, int fd, unsigned int events);

/** uring_wait() - wait for that. Return: the events, or -errno */
int uring_wait(struct uring *ring);

void uring_free(struct uring *ring);

#endif /* URING_H */
