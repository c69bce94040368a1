// SPDX-License-Identifier: MIT
/*
 * PTO_SIM_CHECK: at exit, what did the application, and the driver, not give back? Open
 * files are reported and closed as the kernel would; what is in use after that is a leak
 * of the driver or the simulator.
 */
#include <stdlib.h>
#include <unistd.h>

#include "preload.h"
#include "raw.h"

static void close_ours(int fd, uintptr_t entry, void *count)
{
	struct sim_closing closing;
	struct sim_file *file;

	if (entry == SIM_INTERNAL || sim_file_verify(fd, &file, NULL) != SIM_OURS)
		return;
	sim_file_put(file);
	closing = sim_file_before_close(fd);
	sim_raw(SYS_close, fd);
	sim_file_after_close(closing);
	++*(unsigned int *)count;
}

void sim_check(void)
{
	const struct sim_config *config = sim_config();
	unsigned int open = 0, left;

	if (!config->check)
		return;
	sim_fork_check();
	sim_file_reap();
	sim_fd_each(0, SIM_FD_CHUNK * SIM_FD_CHUNKS - 1, close_ours, &open);
	sim_map_end();
	left = sim_file_count();
	if (open || left)
		sim_say("leak: %u descriptors and %u contexts were open at exit", open, left);
	if (sim_device_check() + open + left && config->check == 2)
		abort();
}

/* Runs after the application's own handlers, so that they may still close what they have. */
__attribute__((destructor(101))) static void sim_end(void)
{
	if (sim_fd_used())
		sim_check();
}
