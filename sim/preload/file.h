/* SPDX-License-Identifier: MIT */
/*
 * An open context, for file.c, ready.c and trace.c.
 */
#ifndef PTO_SIM_FILE_H
#define PTO_SIM_FILE_H

/*
 * The core's headers first: <stdatomic.h> defines macros that the kernel has under the same names.
 */
#include <pto_core.h>

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "preload.h"

/* sim_file.state */
enum {
	FILE_FREE,	/* unused; the thread that swaps it to FILE_SETUP owns it */
	FILE_SETUP,	/* being opened, or being torn down */
	FILE_OPEN,	/* descriptors exist; together they hold FILE_OPEN_REF */
	FILE_CLOSED,	/* no descriptor exists; mappings and ioctls in flight hold references */
};

#define FILE_OPEN_REF (1u << 31)

/* sim_file.attention: reasons for an ioctl to take the slow path */
#define ATTENTION_TRACE	1u	/* PTO_SIM_TRACE */
#define ATTENTION_FAULT	2u	/* PTO_SIM_FAIL=gone:N */

/**
 * struct sim_file - an open context
 * @refs: FILE_OPEN_REF while descriptors exist, plus one for each use in progress and for
 *	each mapping
 * @state: FILE_*
 * @generation: incremented each time the struct becomes free
 * @nonce: random part of the address that the descriptors are bound to, as the key for lookups;
 *	0 while not open
 * @dev: its device
 * @ctx: the driver's context
 * @peer: other end of the descriptor; SIM_INTERNAL
 * @accmode: O_RDONLY, O_WRONLY or O_RDWR
 * @attention: ATTENTION_*
 * @serial: number in this process
 * @close_lock: held while the last close is detected and carried out, so that every thread
 *	that closes a descriptor returns after the context has ended
 * @ready_lock: protects @signalled and serialises writing and reading these bytes
 * @signalled: bytes written to make the descriptor readable and not yet read back
 * @pollers: threads inside poll() or select() with it
 * @sticky: it was added to an epoll set
 * @marked: the driver woke its pollers; the helper thread has to update the readiness
 * @wait: entry in the context's wait queue
 * @next: the next one in the list of all, which only grows
 *
 * These structs are reused but never freed, so a lookup without a lock may follow a stale
 * pointer. It raises @refs and checks that FILE_OPEN_REF is set and that this is still the
 * right file; if not, it drops the reference. The thread that brings @refs to 0 ends the
 * context if @state is FILE_CLOSED.
 */
struct sim_file {
	_Atomic uint32_t refs;
	_Atomic uint32_t state;
	_Atomic uint64_t generation;
	_Atomic uint64_t nonce;
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

/** sim_ready_armed() - does a poller or an epoll set wait for the file? */
static inline bool sim_ready_armed(struct sim_file *file)
{
	return atomic_load_explicit(&file->pollers, memory_order_relaxed) ||
	       atomic_load_explicit(&file->sticky, memory_order_relaxed);
}

/* file.c: for libpto, which has a declaration of its own */
__attribute__((visibility("default")))
const char *pto_sim_refused(int error, int *why);

#endif /* PTO_SIM_FILE_H */
