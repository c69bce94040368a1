// SPDX-License-Identifier: GPL-2.0
/*
 * A DRM driver without hardware, for tests: an importer that says what it finds in a dma-buf, by
 * the DMA addresses of its device or by a mapping of the kernel, and a driver with syncobjs. No
 * kernel has either of them without hardware: vgem shows nobody what it has imported.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include "pto_peer.h"

MODULE_IMPORT_NS(DMA_BUF);

#ifdef PEER_UNLOCKED
#define peer_map dma_buf_map_attachment_unlocked
#define peer_unmap dma_buf_unmap_attachment_unlocked
#define peer_vmap dma_buf_vmap_unlocked
#define peer_vunmap dma_buf_vunmap_unlocked
#else
#define peer_map dma_buf_map_attachment
#define peer_unmap dma_buf_unmap_attachment
#define peer_vmap dma_buf_vmap
#define peer_vunmap dma_buf_vunmap
#endif

static struct platform_device *peer_platform;
static struct drm_device *peer_drm;

/* There is no IOMMU in front of a device without hardware: its addresses are physical ones. */
static void peer_copy_pages(struct sg_table *table, const struct pto_peer_copy *arg, u8 *buffer)
{
	size_t start = offset_in_page(arg->offset), left = arg->length;
	struct sg_dma_page_iter iter;

	for_each_sgtable_dma_page(table, &iter, arg->offset >> PAGE_SHIFT) {
		size_t n = min_t(size_t, left, PAGE_SIZE - start);
		u8 *at = (u8 *)phys_to_virt(sg_page_iter_dma_address(&iter)) + start;

		if (arg->write)
			memcpy(at, buffer, n);
		else
			memcpy(buffer, at, n);
		buffer += n;
		left -= n;
		start = 0;
		if (!left)
			return;
	}
}

static int peer_copy_dma(struct dma_buf *dmabuf, const struct pto_peer_copy *arg, u8 *buffer)
{
	enum dma_data_direction direction = arg->write ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	struct dma_buf_attachment *attach = dma_buf_attach(dmabuf, &peer_platform->dev);
	struct sg_table *table;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	table = peer_map(attach, direction);
	if (!IS_ERR(table)) {
		peer_copy_pages(table, arg, buffer);
		peer_unmap(attach, table, direction);
	}
	dma_buf_detach(dmabuf, attach);
	return PTR_ERR_OR_ZERO(table);
}

static int peer_copy_vmap(struct dma_buf *dmabuf, const struct pto_peer_copy *arg, u8 *buffer)
{
	struct iosys_map map;
	int err = peer_vmap(dmabuf, &map);

	if (err)
		return err;
	if (arg->write)
		iosys_map_memcpy_to(&map, arg->offset, buffer, arg->length);
	else
		iosys_map_memcpy_from(buffer, &map, arg->offset, arg->length);
	peer_vunmap(dmabuf, &map);
	return 0;
}

static int peer_copy_checked(struct dma_buf *dmabuf, const struct pto_peer_copy *arg, u8 *buffer)
{
	if (arg->offset > dmabuf->size || arg->length > dmabuf->size - arg->offset)
		return -EINVAL;
	switch (arg->how) {
	case PTO_PEER_DMA:
		return peer_copy_dma(dmabuf, arg, buffer);
	case PTO_PEER_VMAP:
		return peer_copy_vmap(dmabuf, arg, buffer);
	default:
		return -EINVAL;
	}
}

static int peer_copy(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct pto_peer_copy *arg = data;
	void __user *user = u64_to_user_ptr(arg->user_ptr);
	struct dma_buf *dmabuf;
	u8 *buffer;
	int err;

	if (!arg->length || arg->length > PTO_PEER_MAX)
		return -EINVAL;
	dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buffer = kvmalloc(arg->length, GFP_KERNEL);
	if (!buffer)
		err = -ENOMEM;
	else if (arg->write && copy_from_user(buffer, user, arg->length))
		err = -EFAULT;
	else
		err = peer_copy_checked(dmabuf, arg, buffer);
	if (!err && !arg->write && copy_to_user(user, buffer, arg->length))
		err = -EFAULT;
	kvfree(buffer);
	dma_buf_put(dmabuf);
	return err;
}

static const struct drm_ioctl_desc peer_ioctls[] = {
	DRM_IOCTL_DEF_DRV(PTO_PEER_COPY, peer_copy, DRM_RENDER_ALLOW),
};

DEFINE_DRM_GEM_FOPS(peer_fops);

static const struct drm_driver peer_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE,
	.fops = &peer_fops,
	.ioctls = peer_ioctls,
	.num_ioctls = ARRAY_SIZE(peer_ioctls),
	.name = PTO_PEER_NAME,
	.desc = "importer and syncobjs for tests",
	.date = "0",
};

static int __init peer_init(void)
{
	int err;

	peer_platform = platform_device_register_simple(PTO_PEER_NAME, -1, NULL, 0);
	if (IS_ERR(peer_platform))
		return PTR_ERR(peer_platform);
	err = dma_coerce_mask_and_coherent(&peer_platform->dev, DMA_BIT_MASK(64));
	if (err)
		goto err_platform;
	peer_drm = drm_dev_alloc(&peer_driver, &peer_platform->dev);
	if (IS_ERR(peer_drm)) {
		err = PTR_ERR(peer_drm);
		goto err_platform;
	}
	err = drm_dev_register(peer_drm, 0);
	if (err)
		goto err_drm;
	return 0;

err_drm:
	drm_dev_put(peer_drm);
err_platform:
	platform_device_unregister(peer_platform);
	return err;
}

static void __exit peer_exit(void)
{
	drm_dev_unregister(peer_drm);
	drm_dev_put(peer_drm);
	platform_device_unregister(peer_platform);
}

module_init(peer_init);
module_exit(peer_exit);

MODULE_DESCRIPTION("Importer of dma-bufs, and syncobjs, for tests");
MODULE_AUTHOR("The pto authors");
MODULE_LICENSE("GPL");
