// SPDX-License-Identifier: MIT
/*
 * Readiness. A descriptor is a socket, so that the kernel can make a poller wait for it.
 * It is readable, by one byte from the peer, while the driver's poll() would report
 * something; but the byte is only written while somebody polls, so that a program that
 * waits by ioctl makes no system call for it.
 *
 * A thread inside poll() or select() counts as @pollers, and the answer it gets is made of
 * what the driver says, POLLERR included. An epoll set cannot be seen into: a descriptor
 * that was added to one stays armed, and reports EPOLLIN for EPOLLERR, too.
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
	file->signalled = false;
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

/* Make the byte agree with the driver. Without a descriptor it can only be written. */
static uint32_t update(struct sim_file *file, int fd)
{
	uint32_t mask;
	char byte = 0;

	pthread_mutex_lock(&file->ready_lock);
	mask = (uint32_t)pto_ctx_poll(file->ctx);
	if (mask && !file->signalled) {
		file->signalled = sim_raw(SYS_sendto, file->peer, &byte, 1,
					  MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) == 1;
	} else if (!mask && file->signalled && still_ours(file, fd)) {
		sim_raw(SYS_recvfrom, fd, &byte, 1, MSG_DONTWAIT, NULL, NULL);
		file->signalled = false;
	}
	pthread_mutex_unlock(&file->ready_lock);
	return mask;
}

void sim_ready_update(struct sim_file *file, int fd)
{
	update(file, fd);
}

uint32_t sim_ready_arm(struct sim_file *file, int fd, bool forever)
{
	if (forever)
		atomic_store(&file->sticky, true);
	else
		atomic_fetch_add(&file->pollers, 1);
	return update(file, fd);
}

uint32_t sim_ready_disarm(struct sim_file *file, int fd)
{
	uint32_t mask = update(file, fd);

	atomic_fetch_sub(&file->pollers, 1);
	return mask;
}

void sim_ready_scan(void)
{
	struct sim_file *file;

	for (file = atomic_load(&sim_files); file; file = file->next) {
		if (!atomic_exchange(&file->marked, false) || !sim_file_try_get(file))
			continue;
		update(file, -1);
		sim_file_put(file);
	}
}
