/* SPDX-License-Identifier: MIT */
/*
 * An open context, for file.c, ready.c and trace.c.
 */
#ifndef PTO_SIM_FILE_H
#define PTO_SIM_FILE_H

/* The core's headers first: <stdatomic.h> has macros by names that the kernel has too. */
#include <pto_core.h>

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "preload.h"

/* sim_file.state */
enum {
	FILE_FREE,	/* in no use; whoever swaps it to FILE_SETUP owns it */
	FILE_SETUP,	/* being opened, or being torn down */
	FILE_OPEN,	/* descriptors exist; they hold FILE_OPEN_REF together */
	FILE_CLOSED,	/* none exists any more; mappings and ioctls in flight hold the rest */
};

#define FILE_OPEN_REF (1u << 31)

/* sim_file.attention: why an ioctl has to look at more than the core's answer */
#define ATTENTION_TRACE	1u	/* PTO_SIM_TRACE */
#define ATTENTION_FAULT	2u	/* PTO_SIM_FAIL=gone:N */

/**
 * struct sim_file - an open context
 * @refs: FILE_OPEN_REF while descriptors exist, plus one for each use in progress and for
 *	each mapping
 * @state: FILE_*
 * @generation: counts uses of this struct
 * @nonce: what is random in @name, to find it fast; 0 while not open
 * @name: address that the descriptors are bound to
 * @name_length: bytes of it
 * @dev: its device
 * @ctx: the driver's context
 * @peer: other end of the descriptor; SIM_INTERNAL
 * @accmode: O_RDONLY, O_WRONLY or O_RDWR
 * @attention: ATTENTION_*
 * @serial: number in this process
 * @close_lock: held while the last close is found out and carried out, so that every
 *	closer returns after the context has ended
 * @ready_lock: serialises the byte that makes the descriptor readable; @signalled
 * @signalled: bytes that have been written and not been taken back
 * @pollers: threads inside poll() or select() with it
 * @sticky: it was added to an epoll set
 * @marked: something happened, the helper thread has to look
 * @wait: entry in the context's wait queue
 * @next: list of all, which only grows
 *
 * These structs are never freed, only used again, so that a lookup without a lock may
 * follow a stale pointer: it raises @refs, finds out whether FILE_OPEN_REF is there and this
 * still the file it meant, and puts the reference back if not. Whoever brings @refs to 0
 * ends the context if @state is FILE_CLOSED.
 */
struct sim_file {
	_Atomic uint32_t refs;
	_Atomic uint32_t state;
	_Atomic uint64_t generation;
	_Atomic uint64_t nonce;
	struct sockaddr_un name;
	socklen_t name_length;
	struct sim_device *dev;
	struct pto_ctx *ctx;
	int peer;
	int accmode;
	unsigned int attention;
	uint64_t serial;
	pthread_mutex_t close_lock;
	pthread_mutex_t ready_lock;
	unsigned int signalled;
	_Atomic uint32_t pollers;
	_Atomic bool sticky;
	_Atomic bool marked;
	wait_queue_entry_t wait;
	struct sim_file *next;
};

/** sim_files - all of them */
extern struct sim_file *_Atomic sim_files;

/** sim_file_try_get() - take a reference if the file is open */
static inline bool sim_file_try_get(struct sim_file *file)
{
	uint32_t before = atomic_fetch_add_explicit(&file->refs, 1, memory_order_acquire);

	if (__builtin_expect(before & FILE_OPEN_REF, 1))
		return true;
	sim_file_put(file);
	return false;
}

/** sim_ready_begin() - follow the context's wait queue */
void sim_ready_begin(struct sim_file *file);

/** sim_ready_end() - stop following it */
void sim_ready_end(struct sim_file *file);

/** sim_ready_update() - an ioctl by way of @fd may have changed the readiness */
void sim_ready_update(struct sim_file *file, int fd);

/** sim_ready_armed() - does anybody want to know? */
static inline bool sim_ready_armed(struct sim_file *file)
{
	return atomic_load_explicit(&file->pollers, memory_order_relaxed) ||
	       atomic_load_explicit(&file->sticky, memory_order_relaxed);
}

#endif /* PTO_SIM_FILE_H */
