/* SPDX-License-Identifier: GPL-2.0 */
/* The one ioctl of pto_peer.ko: what the device, or the kernel, finds in a dma-buf. */
#ifndef PTO_PEER_H
#define PTO_PEER_H

#include <linux/types.h>

#define PTO_PEER_NAME	"pto-peer"
#define PTO_PEER_MAX	(1u << 20)	/* bytes of a copy */

/* Ways to the memory of a dma-buf */
#define PTO_PEER_DMA	0	/* attach and map it for a device: by its DMA addresses */
#define PTO_PEER_VMAP	1	/* map it for the kernel */

/**
 * struct pto_peer_copy - argument of PTO_PEER_COPY: import a dma-buf, copy, and give it back
 * @fd: the dma-buf
 * @how: PTO_PEER_*
 * @write: 1: to the dma-buf, 0: from it
 * @pad: 0
 * @offset: first byte in it
 * @length: bytes, at most PTO_PEER_MAX
 * @user_ptr: the other side
 */
struct pto_peer_copy {
	__s32 fd;
	__u32 how;
	__u32 write;
	__u32 pad;
	__u64 offset;
	__u64 length;
	__u64 user_ptr;
};

#define DRM_IOCTL_PTO_PEER_COPY	DRM_IOWR(DRM_COMMAND_BASE + 0, struct pto_peer_copy)

#endif /* PTO_PEER_H */
