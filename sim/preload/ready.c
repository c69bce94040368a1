// SPDX-License-Identifier: MIT
/*
 * Readiness. A descriptor is a socket, so that the kernel can make a poller wait for it.
 * It is readable, by one byte from the peer, while the driver's poll() would report
 * something; but the byte is only written while somebody polls, so that a program that
 * waits by ioctl makes no system call for it.
 *
 * A thread inside poll() or select() counts as @pollers, and the answer it gets is made of
 * what the driver says, POLLERR included. An epoll set cannot be seen into: a descriptor
 * that was added to one stays armed, and reports EPOLLIN for EPOLLERR, too. There a byte more
 * for each wake-up of the driver makes the edge that EPOLLET waits for.
 *
 * The driver's wake-ups come from device threads and only mark the file. The helper
 * thread then asks the driver and writes the byte. It is taken back by way of a
 * descriptor that the application holds, since the simulator has none of its own: by the
 * poller, or by the ioctl that read the result.
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

/* Is @fd still this file? Reading a byte from somebody else's socket would be a disaster. */
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
	char byte = 0;

	if (sim_raw(SYS_sendto, file->peer, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) == 1)
		file->signalled++;
}

/* Take bytes back until @left are there. */
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
		if (n <= 0)
			break;
		file->signalled -= (unsigned int)n;
	}
}

/*
 * Make the bytes agree with the driver. Without a descriptor they can only be written.
 * @woken: the driver has woken its pollers, which is one more edge for an epoll set
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
