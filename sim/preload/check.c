// SPDX-License-Identifier: MIT
/*
 * PTO_SIM_CHECK: report leaks at exit. Contexts that the application left open are reported
 * and then closed, as the kernel would. Whatever the driver or the simulator hold after that
 * is a leak of their own.
 */
#include <stdlib.h>

#include <linux/pto.h>
#include <sim_kernel.h>

#include "preload.h"
#include "raw.h"

/* In a forked child: the allocations that the driver made in the parent. */
static struct sim_memory inherited;

void sim_check_fork_child(void)
{
	inherited = sim_memory_live();
}

static void say_open(struct sim_file *file, int fd)
{
	struct pto_context_stats stats = { 0 };
	struct pto_ioc_query query = {
		.size = sizeof(query),
		.item = PTO_QUERY_CONTEXT,
		.data_ptr = (uintptr_t)&stats,
		.data_size = sizeof(stats),
	};

	sim_file_ioctl(file, fd, PTO_QUERY, &query);
	sim_say("open at exit: fd %d, a context of pto%u with %llu buffers (%llu bytes), "
		"%llu images, %llu callables", fd, sim_file_index(file), stats.bo_live,
		stats.bo_bytes, stats.images_live, stats.callables_live);
}

static void close_ours(int fd, uintptr_t entry, void *arg)
{
	struct sim_closing closing;
	struct sim_file *file;

	if (entry == SIM_INTERNAL || sim_file_verify(fd, &file, NULL) != SIM_OURS)
		return;
	say_open(file, fd);
	sim_file_put(file);
	closing = sim_file_before_close(fd);
	sim_raw(SYS_close, fd);
	sim_file_after_close(closing);
}

/* Ends the devices unless a context still uses one. Return: the number of leaks. */
static unsigned int check_rest(void)
{
	unsigned int contexts = sim_file_count(), leaks;
	struct sim_memory memory;

	if (contexts) {
		sim_say("in use at exit: %u contexts, by threads or other processes", contexts);
		return 0;
	}
	leaks = sim_device_check();
	memory = sim_memory_live();
	if (memory.allocations == inherited.allocations)
		return leaks;
	sim_say("leak: the driver holds %ld allocations with %ld bytes",
		memory.allocations - inherited.allocations, memory.bytes - inherited.bytes);
	return leaks + 1;
}

static void check(void)
{
	const struct sim_config *config = sim_config();

	if (!config->check || config->error)
		return;
	sim_fork_check();
	sim_fd_each(0, SIM_FD_CHUNK * SIM_FD_CHUNKS - 1, close_ours, NULL);
	sim_map_end();
	sim_share_end();
	sim_file_reap();
	if (check_rest() && config->check == 2)
		abort();
}

/* Runs after the application's exit handlers, so these can still close their contexts. */
__attribute__((destructor(101))) static void sim_end(void)
{
	if (sim_fd_used())
		check();
}
