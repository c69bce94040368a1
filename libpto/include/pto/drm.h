/* SPDX-License-Identifier: MIT */
/*
 * libpto-drm: buffers and fences shared with DRM devices, by libdrm.
 *
 * A library of its own, so that libpto does not need libdrm: link with what
 * pkg-config --libs libpto-drm says. A DRM device is a descriptor of /dev/dri/cardN or renderDN,
 * which belongs to the caller. Fences are sync_files. Rules of pto/pto.h hold here, too: functions
 * return 0 or a negative errno.
 */
#ifndef PTO_DRM_H
#define PTO_DRM_H

#include <pto/pto.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * pto_drm_buffer_export() - make a handle of a DRM device for a buffer, without a copy
 * @buf: the buffer
 * @drm: the DRM device
 * @handle: GEM handle, to be closed by the caller (drmCloseBufferHandle()). A device that has the
 *	memory already returns the handle that it has
 *
 * Return: 0; as pto_buffer_export(), or what the DRM device says: -ENOSYS or -EOPNOTSUPP if it
 * imports nothing.
 */
int pto_drm_buffer_export(struct pto_buffer *buf, int drm, uint32_t *handle);

/**
 * pto_drm_buffer_import() - make a buffer of a handle of a DRM device, without a copy
 * @ctx: the context
 * @drm: the DRM device
 * @handle: GEM handle, which is not needed afterwards
 * @out: the buffer
 *
 * Return: 0; -ENOENT if there is no such handle, -ENOSYS or -EOPNOTSUPP if the DRM device exports
 * nothing; as pto_buffer_import(), which says what memory the device can reach.
 */
int pto_drm_buffer_import(struct pto_context *ctx, int drm, uint32_t handle,
			  struct pto_buffer **out);

/**
 * pto_drm_fence_export() - let a syncobj have a fence
 * @fence: sync_file, which is not needed afterwards
 * @drm: the DRM device
 * @syncobj: its syncobj
 * @point: point of the timeline; 0: the syncobj has no timeline, and @fence in the place of its own
 *
 * Return: 0; -EBADF, -EINVAL if @fence is no sync_file; -ENOENT if there is no such syncobj,
 * -EOPNOTSUPP if the DRM device has none, or no timelines.
 */
int pto_drm_fence_export(int fence, int drm, uint32_t syncobj, uint64_t point);

/**
 * pto_drm_fence_import() - make a sync_file of a syncobj's fence
 * @drm: the DRM device
 * @syncobj: its syncobj
 * @point: point of the timeline; 0: the syncobj has no timeline
 * @fence: the sync_file, close-on-exec; to be closed by the caller
 *
 * The fence is the one that is there now. Does not wait for one.
 *
 * Return: 0; -EINVAL if the syncobj, or the point, has no fence yet; -ENOENT, -EOPNOTSUPP as
 * pto_drm_fence_export(); -EMFILE, -ENFILE, -ENOMEM.
 */
int pto_drm_fence_import(int drm, uint32_t syncobj, uint64_t point, int *fence);

#ifdef __cplusplus
}
#endif

#endif /* PTO_DRM_H */
