// SPDX-License-Identifier: MIT
/*
 * Interposed: file actions of posix_spawn(). The C library executes them with its own system
 * calls, which are not interposed. So a device is opened when the action is added, and the action
 * becomes a dup2() of that descriptor.
 *
 * The context belongs to this process, as with any descriptor that a child inherits. It ends
 * after the actions are destroyed and the child has closed its copy.
 */
#include "hook.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>

/**
 * struct opened - a device that was opened for an action
 * @actions: the actions that have it
 * @fd: descriptor of the context; SIM_INTERNAL
 * @next: the next one
 */
struct opened {
	const posix_spawn_file_actions_t *actions;
	int fd;
	struct opened *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct opened *all;

static void keep(struct opened *one)
{
	pthread_mutex_lock(&lock);
	one->next = all;
	all = one;
	pthread_mutex_unlock(&lock);
}

/* Remove the devices of @actions from the list and return them. */
static struct opened *take(const posix_spawn_file_actions_t *actions)
{
	struct opened **link = &all, *one, *taken = NULL;

	pthread_mutex_lock(&lock);
	while ((one = *link)) {
		if (one->actions != actions) {
			link = &one->next;
			continue;
		}
		*link = one->next;
		one->next = taken;
		taken = one;
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

static void forget(const posix_spawn_file_actions_t *actions)
{
	struct opened *one, *taken = take(actions);
	int saved = errno;

	while ((one = taken)) {
		taken = one->next;
		sim_fd_close_internal(one->fd);
		free(one);
	}
	errno = saved;
}

/* Return: 0 or a negative errno. */
static int add_device(posix_spawn_file_actions_t *actions, int fd, int index, int flags)
{
	struct opened *one = malloc(sizeof(*one));
	int ret, device;

	if (!one)
		return -ENOMEM;
	device = sim_file_open((unsigned int)index, flags | O_CLOEXEC);
	one->fd = device < 0 ? device : sim_fd_internal(device);
	if (one->fd < 0) {
		ret = one->fd;
		free(one);
		return ret;
	}
	ret = posix_spawn_file_actions_adddup2(actions, one->fd, fd);
	if (ret) {
		sim_fd_close_internal(one->fd);
		free(one);
		return -ret;
	}
	one->actions = actions;
	keep(one);
	return 0;
}

SIM_EXPORT int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd,
						const char *path, int flags, mode_t mode)
{
	int index, saved = errno, ret;

	/* For a device that does not exist the action fails in the child, as it should. */
	if (!sim_names_device(AT_FDCWD, path, &index) || index < 0) {
		errno = saved;
		return SIM_NEXT(posix_spawn_file_actions_addopen)(actions, fd, path, flags, mode);
	}
	ret = -add_device(actions, fd, index, flags);
	errno = saved;
	return ret;
}

SIM_EXPORT int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
	forget(actions);
	return SIM_NEXT(posix_spawn_file_actions_destroy)(actions);
}

/* Earlier actions at this address may not have been destroyed: forget their devices. */
SIM_EXPORT int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
	forget(actions);
	return SIM_NEXT(posix_spawn_file_actions_init)(actions);
}

void sim_spawn_fork_child(void)
{
	struct opened *one;

	pthread_mutex_init(&lock, NULL);
	/* The internal descriptors have been closed in the child. */
	for (one = all; one; one = one->next)
		one->fd = -1;
}
