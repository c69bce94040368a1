// SPDX-License-Identifier: MIT
/*
 * Readiness. A descriptor is a socket, so the kernel can wait for it in poll(). While the
 * driver's poll() would report something, a byte from the peer makes the socket readable. The
 * byte is written only while a thread polls, so a program that waits by ioctl makes no system
 * call for it.
 *
 * A thread inside poll() or select() is counted in @pollers. Its answer comes from the driver
 * and includes POLLERR. The simulator does not see who waits for an epoll set, so a descriptor
 * that was added to one stays armed. An epoll set reports EPOLLIN for EPOLLERR, too. For
 * EPOLLET, each wake-up by the driver writes one more byte, which makes a new edge.
 *
 * The driver's wake-ups come from device threads and only mark the file. The helper thread then
 * asks the driver and writes the byte. Reading it back takes a descriptor of the application,
 * since the simulator itself holds only the peer. The poller or the ioctl that took the result
 * does that.
 */
#include "file.h"

#include <errno.h>

#include "raw.h"

static int on_wake(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct sim_file *file = container_of(wait, struct sim_file, wait);

	if (sim_ready_armed(file) && !atomic_exchange(&file->marked, true))
		sim_helper_poke();
	return 0;
}

void sim_ready_begin(struct sim_file *file)
{
	file->signalled = 0;
	atomic_store(&file->pollers, 0);
	atomic_store(&file->sticky, false);
	atomic_store(&file->marked, false);
	init_waitqueue_func_entry(&file->wait, on_wake);
	add_wait_queue(pto_ctx_waitqueue(file->ctx), &file->wait);
}

void sim_ready_end(struct sim_file *file)
{
	remove_wait_queue(pto_ctx_waitqueue(file->ctx), &file->wait);
}

/* Is @fd still this file? If not, a byte must not be read from it: it may be any socket. */
static bool still_ours(struct sim_file *file, int fd)
{
	struct sim_file *found;
	bool same;

	if (fd < 0 || sim_file_verify(fd, &found, NULL) != SIM_OURS)
		return false;
	same = found == file;
	sim_file_put(found);
	return same;
}

static void signal_one(struct sim_file *file)
{
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	long ret = sim_raw(SYS_sendto, file->peer, &byte, 1, flags, NULL, 0);

	if (sim_denied(ret))
		ret = sim_raw(SYS_sendmsg, file->peer, &message, flags);
	if (ret == 1)
		file->signalled++;
}

/* Read bytes back until @left remain. */
static void take_back(struct sim_file *file, int fd, unsigned int left)
{
	char bytes[64];
	size_t most;
	long n;

	if (file->signalled <= left || !still_ours(file, fd))
		return;
	while (file->signalled > left) {
		most = file->signalled - left;
		most = most < sizeof(bytes) ? most : sizeof(bytes);
		n = sim_raw(SYS_recvfrom, fd, bytes, most, MSG_DONTWAIT, NULL, NULL);
		/* Somebody whose reading we did not see has taken them. */
		if (n == -EAGAIN)
			file->signalled = 0;
		if (n <= 0)
			break;
		file->signalled -= (unsigned int)n;
	}
}

/*
 * Write or read back bytes as the driver's readiness demands. With @fd < 0 bytes can only be
 * written. @woken: the driver has woken its pollers, which is a new edge for an epoll set.
 */
static uint32_t update(struct sim_file *file, int fd, bool woken)
{
	uint32_t mask;

	pthread_mutex_lock(&file->ready_lock);
	mask = (uint32_t)pto_ctx_poll(file->ctx);
	if (mask && (!file->signalled || (woken && atomic_load(&file->sticky))))
		signal_one(file);
	else if (fd >= 0)
		take_back(file, fd, mask ? 1 : 0);
	pthread_mutex_unlock(&file->ready_lock);
	return mask;
}

void sim_ready_update(struct sim_file *file, int fd)
{
	update(file, fd, false);
}

uint32_t sim_ready_arm(struct sim_file *file, int fd, bool forever)
{
	if (forever)
		atomic_store(&file->sticky, true);
	else
		atomic_fetch_add(&file->pollers, 1);
	return update(file, fd, false);
}

uint32_t sim_ready_disarm(struct sim_file *file, int fd)
{
	uint32_t mask = update(file, fd, false);

	atomic_fetch_sub(&file->pollers, 1);
	return mask;
}

void sim_ready_scan(void)
{
	struct sim_file *file;

	for (file = atomic_load(&sim_files); file; file = file->next) {
		if (!atomic_exchange(&file->marked, false) || !sim_file_try_get(file))
			continue;
		update(file, -1, true);
		sim_file_put(file);
	}
}
