/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Memory objects: what buffers are attachments of. For buffers, contexts and ioctls.
 */
#ifndef PTO_CORE_MEMORY_H
#define PTO_CORE_MEMORY_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "pto_core.h"

struct pto_channel;
struct pto_mem;

/**
 * struct pto_memory_ops - what a kind of memory can do
 * @map: bits of PTO_DEV_MAP besides the protection
 * @access: short mapping for a copy: returns a pointer to @offset, and sets *@length to the number
 *	of bytes that may be used there, as pto_transport_ops.access does. Called in a section of
 *	the memory's device
 * @access_end: end a mapping of @access
 * @release: free it. May sleep
 *
 * A kind says what its memory is made of; who uses memory does not know of which kind it is.
 */
struct pto_memory_ops {
	u32 map;
	void *(*access)(struct pto_memory *memory, u64 offset, size_t *length);
	void (*access_end)(struct pto_memory *memory, void *addr);
	void (*release)(struct pto_memory *memory);
};

/**
 * struct pto_memory - a piece of memory that a device can reach
 * @ref: one reference of each buffer that attaches it, one of each file that shares it, short ones
 *	of calls
 * @ops: its kind
 * @pdev: the device; a reference
 * @addr: its address on the device
 * @length: bytes, whole pages
 * @leaking: a hardware context that has it may not have ended, so it must not be reused; set
 *	before that context's reference is dropped, and never cleared
 * @lock: protects @attached
 * @attached: the buffers that attach it, of any context of the device; for bo.c
 *
 * Reads as zero when it is created. It knows no context, so it may outlive the one for which it was
 * created, and its last reference may be dropped by any thread, also long after the device is gone.
 * Immutable but for @ref, @leaking and @attached.
 */
struct pto_memory {
	struct kref ref;
	const struct pto_memory_ops *ops;
	struct pto_device *pdev;
	u64 addr;
	u64 length;
	bool leaking;
	spinlock_t lock;
	struct list_head attached;
};

struct pto_memory *pto_memory_create(struct pto_channel *ch, u64 length);
void pto_memory_put_leaking(struct pto_memory *memory);

/* For kinds of memory */
void pto_memory_init(struct pto_memory *memory, const struct pto_memory_ops *ops,
		     struct pto_device *pdev, const struct pto_mem *mem);

/* copy.c */
int pto_memory_copy_user(struct pto_memory *memory, u64 offset, u64 user_addr, u64 length,
			 bool to_device);
int pto_memory_copy(struct pto_memory *dst, u64 dst_offset, struct pto_memory *src,
		    u64 src_offset, u64 length);

#endif /* PTO_CORE_MEMORY_H */
