/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Differences between kernel versions. The build includes this file before everything else, so
 * that kmod/core is the same for all kernels.
 */
#ifndef PTO_COMPAT_H
#define PTO_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>

#include "pto_compat_gen.h"

#ifndef PTO_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#ifdef PTO_HAVE_EVENTFD_SIGNAL_ONE
#define pto_eventfd_signal(ctx) eventfd_signal(ctx)
#else
#define pto_eventfd_signal(ctx) eventfd_signal(ctx, 1)
#endif

#ifdef PTO_HAVE_DEVNODE_CONST
#define PTO_DEVNODE_DEVICE const struct device
#else
#define PTO_DEVNODE_DEVICE struct device
#endif

#ifdef PTO_HAVE_SHA256_CTX
#define sha256_state sha256_ctx
#endif

/* To be called without the reservation lock */
#ifdef PTO_HAVE_DMA_BUF_UNLOCKED
#define pto_dma_buf_vmap dma_buf_vmap_unlocked
#define pto_dma_buf_vunmap dma_buf_vunmap_unlocked
#else
#define pto_dma_buf_vmap dma_buf_vmap
#define pto_dma_buf_vunmap dma_buf_vunmap
#endif

/* The namespace of dma-buf's symbols, for MODULE_IMPORT_NS() */
#ifdef PTO_HAVE_IMPORT_NS_TOKEN
#define PTO_NS_DMA_BUF DMA_BUF
#else
#define PTO_NS_DMA_BUF "DMA_BUF"
#endif

#endif /* PTO_COMPAT_H */
