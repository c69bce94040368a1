/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of the driver core, for what nobody can bring about from without in reasonable
 * time, or at the right moment. For the rig: tests do not see the core's structures.
 */
#ifndef CORE_INSIDE_H
#define CORE_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

struct pto_area;
struct pto_area_table;
struct pto_bo;
struct pto_ctx;
struct pto_device;

/** inside_age() - every number of a context that counts up and wraps is about to */
void inside_age(struct pto_ctx *ctx);

/** inside_claims() - somebody changes the context's configuration, until inside_claims_no_more() */
int inside_claims(struct pto_ctx *ctx);
void inside_claims_no_more(struct pto_ctx *ctx);

/** inside_count_bos() - a context has so many buffers more, or less */
void inside_count_bos(struct pto_ctx *ctx, int more);

/** inside_exits() - is this thread one of a process that ends, with this exit code? */
void inside_exits(bool exits, int code);

/** inside_polls() - a poller comes to a context, who stays until inside_polls_no_more() */
void inside_polls(struct pto_ctx *ctx);
void inside_polls_no_more(struct pto_ctx *ctx);

/** inside_polls_woken() - how often the poller has been woken */
unsigned int inside_polls_woken(void);

/** inside_has_memory() - could @length bytes of device memory be allocated at this moment? */
int inside_has_memory(struct pto_device *pdev, uint64_t length);

/** inside_mmap() - what a home does for mmap(). Return: 0 or what the driver says */
int inside_mmap(struct pto_ctx *ctx, uint64_t offset, uint64_t length, struct pto_bo **bo,
		uint64_t *window_offset);

/** inside_areas() - areas of a context's file, without a context; NULL without memory */
struct pto_area_table *inside_areas(void);
void inside_areas_free(struct pto_area_table *areas);

/** inside_area_reserve() - an area of so many bytes; *offset: the offset that is mapped by it */
int inside_area_reserve(struct pto_area_table *areas, uint64_t length, struct pto_area **area,
			uint64_t *offset);
void inside_area_publish(struct pto_area_table *areas, struct pto_area *area);
void inside_area_release(struct pto_area_table *areas, struct pto_area *area);

/** inside_area_find() - the area in which a range lies, or NULL; *within: where in it */
struct pto_area *inside_area_find(struct pto_area_table *areas, uint64_t offset, uint64_t length,
				  uint64_t *within);

/** inside_mapped() - one more mapping shows the buffer */
void inside_mapped(struct pto_bo *bo);

/** inside_munmap() - a mapping is gone */
void inside_munmap(struct pto_bo *bo);

/** inside_longest_bucket() - how many images the fullest bucket of a device's table has */
unsigned int inside_longest_bucket(struct pto_device *pdev);

/** inside_longest_arena_bucket() - the same of arena images */
unsigned int inside_longest_arena_bucket(struct pto_device *pdev);

/** inside_no_secret() - everybody knows which bucket something is in; nothing is in one yet */
void inside_no_secret(struct pto_device *pdev);

/** inside_hash_key() - something of the secret that chooses buckets */
uint64_t inside_hash_key(struct pto_device *pdev);

#endif /* CORE_INSIDE_H */
