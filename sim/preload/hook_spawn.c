// SPDX-License-Identifier: MIT
/*
 * Interposed: file actions of posix_spawn(). The C library executes them with its own system
 * calls, which are not interposed. So a device is opened when the action is added, and the action
 * becomes a dup2() of that descriptor.
 *
 * The context belongs to this process, as with any descriptor that a child inherits. It ends
 * after the actions are destroyed and the child has closed its copy.
 *
 * What is opened with O_CLOEXEC is there for later actions only: a dup2() of its number becomes one
 * of this process's descriptor, which the new program does not have.
 */
#include "hook.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>

/**
 * struct opened - a device that was opened for an action
 * @actions: the actions that have it
 * @fd: descriptor of the context; SIM_INTERNAL
 * @number: which number has the device for the action that is added next, if the device was opened
 *	with O_CLOEXEC; else -1
 * @next: the next one
 */
struct opened {
	const posix_spawn_file_actions_t *actions;
	int fd;
	int number;
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

/* The internal descriptor of what was opened as @number, with O_CLOEXEC; @number for all others */
static int source_of(const posix_spawn_file_actions_t *actions, int number)
{
	struct opened *one;

	pthread_mutex_lock(&lock);
	for (one = all; one; one = one->next)
		if (one->actions == actions && one->number == number && number >= 0)
			break;
	if (one)
		number = one->fd;
	pthread_mutex_unlock(&lock);
	return number;
}

/* An action has given the numbers from @first to @last to something else, or closed them. */
static void replaced(const posix_spawn_file_actions_t *actions, int first, int last)
{
	struct opened *one;

	pthread_mutex_lock(&lock);
	for (one = all; one; one = one->next)
		if (one->actions == actions && one->number >= first && one->number <= last)
			one->number = -1;
	pthread_mutex_unlock(&lock);
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
	if (flags & O_CLOEXEC)
		ret = SIM_NEXT(posix_spawn_file_actions_addclose)(actions, fd);
	else
		ret = SIM_NEXT(posix_spawn_file_actions_adddup2)(actions, one->fd, fd);
	if (ret) {
		sim_fd_close_internal(one->fd);
		free(one);
		return -ret;
	}
	replaced(actions, fd, fd);
	one->number = flags & O_CLOEXEC ? fd : -1;
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
		replaced(actions, fd, fd);
		return SIM_NEXT(posix_spawn_file_actions_addopen)(actions, fd, path, flags, mode);
	}
	ret = -add_device(actions, fd, index, flags);
	errno = saved;
	return ret;
}

SIM_EXPORT int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from,
						int fd)
{
	int source = source_of(actions, from);

	replaced(actions, fd, fd);
	return SIM_NEXT(posix_spawn_file_actions_adddup2)(actions, source, fd);
}

SIM_EXPORT int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int fd)
{
	replaced(actions, fd, fd);
	return SIM_NEXT(posix_spawn_file_actions_addclose)(actions, fd);
}

int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
SIM_EXPORT int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions,
							int from)
{
	replaced(actions, from, INT_MAX);
	return SIM_NEXT(posix_spawn_file_actions_addclosefrom_np)(actions, from);
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
