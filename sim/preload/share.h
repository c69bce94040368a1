/* SPDX-License-Identifier: MIT */
/*
 * dma-bufs of the simulator, for the transport and for mappings.
 */
#ifndef PTO_SIM_SHARE_H
#define PTO_SIM_SHARE_H

/*
 * The core's headers first: <stdatomic.h> defines macros that the kernel has under the same names.
 */
#include <pto_core.h>

#include "preload.h"

struct sim_transport;

/**
 * struct sim_share - a dma-buf
 * @next: the next one of all
 * @refs: one while descriptors exist, one of each import, short ones of calls
 * @open: descriptors exist, or their end has not been noticed
 * @pipe: end of its pipe; SIM_INTERNAL
 * @device: identifies the pipe, together with @inode
 * @inode: of the pipe
 * @transport: of the device whose memory it is; lives as long as @memory
 * @memory: its memory; a reference
 *
 * @next, @refs and @open are protected by a lock of share.c; the rest is constant.
 */
struct sim_share {
	struct sim_share *next;
	unsigned int refs;
	bool open;
	int pipe;
	dev_t device;
	ino_t inode;
	struct sim_transport *transport;
	struct pto_memory *memory;
};

/**
 * sim_share_new() - make a dma-buf, and a descriptor of it; see pto_transport_ops.export
 * @t: the transport of the memory's device
 *
 * Return: 0, -ENOMEM, -EMFILE, -ENFILE, what @tell returns, or that of a system call.
 */
int sim_share_new(struct sim_transport *t, struct pto_memory *memory,
		  int (*tell)(struct pto_call *call, int fd), struct pto_call *call);

/** sim_share_again() - make another descriptor of a dma-buf; the caller has a reference */
int sim_share_again(struct sim_share *share, int (*tell)(struct pto_call *call, int fd),
		    struct pto_call *call);

/**
 * sim_share_get() - the dma-buf of a descriptor, with a reference
 *
 * Return: the dma-buf; ERR_PTR(-EBADF) if it is no descriptor, -EOPNOTSUPP if one of a dma-buf of
 * the kernel, -EINVAL if one of something else, or of a dma-buf of another process.
 */
struct sim_share *sim_share_get(int fd);

/** sim_share_put() - drop a reference */
void sim_share_put(struct sim_share *share);

/* --- import.c ----------------------------------------------------------------------- */

/** sim_import() - see pto_transport_ops.import */
struct pto_memory *sim_import(struct sim_transport *t, int fd);

/** sim_import_export() - see pto_transport_ops.export; an import goes out as the dma-buf it is */
int sim_import_export(struct sim_transport *t, struct pto_memory *memory,
		      int (*tell)(struct pto_call *call, int fd), struct pto_call *call);

/** sim_import_share() - the dma-buf of an import, which stays as long as the memory; else NULL */
struct sim_share *sim_import_share(const struct pto_memory *memory);

#endif /* PTO_SIM_SHARE_H */
