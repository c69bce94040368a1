// SPDX-License-Identifier: MIT
/*
 * The arena: its layout is a function of the ring configuration only.
 *
 * The image is struct pto_arena alone; see there why the rest need not be written.
 */
#include <errno.h>
#include <string.h>

#include "runtime.h"

#define PTO_MIN_REGIONS		1024
#define PTO_MIN_BUCKET_BITS	8
#define PTO_MAX_BUCKET_BITS	16

/* State of the layout: end of the parts so far; @overflow stays set. */
struct layout {
	uint64_t end;
	bool overflow;
};

static uint64_t reserve(struct layout *l, uint64_t count, uint64_t bytes, uint64_t align)
{
	uint64_t start, size;

	if (__builtin_add_overflow(l->end, align - 1, &start) ||
	    __builtin_mul_overflow(count, bytes, &size))
		goto overflow;
	start &= ~(align - 1);
	if (__builtin_add_overflow(start, size, &l->end))
		goto overflow;
	return start;
overflow:
	l->overflow = true;
	return 0;
}

static bool window_ok(uint64_t window)
{
	return window >= 4 && window < 1ULL << 31 && !(window & (window - 1));
}

static void lay_ring(struct layout *l, struct pto_ring_layout *ring)
{
	ring->slots = reserve(l, ring->window, sizeof(struct pto_slot), PTO_DEV_PAGE_SIZE);
	ring->order = reserve(l, ring->window, sizeof(uint32_t), PTO_CACHE_LINE);
	ring->small = reserve(l, ring->window * PTO_SLOT_TENSORS, sizeof(struct pto_tensor),
			      PTO_DEV_PAGE_SIZE);
	ring->large = reserve(l, ring->window * PTO_TASK_MAX_TENSORS, sizeof(struct pto_tensor),
			      PTO_DEV_PAGE_SIZE);
	ring->side = reserve(l, ring->window * PTO_SIDE_EDGES, sizeof(struct pto_edge),
			     PTO_DEV_PAGE_SIZE);
	ring->accesses = reserve(l, ring->window * PTO_SIDE_ACCESSES, sizeof(struct pto_access),
				 PTO_DEV_PAGE_SIZE);
	ring->pool = reserve(l, ring->dep_pool, sizeof(struct pto_edge), PTO_CACHE_LINE);
	ring->heap = reserve(l, ring->heap_size, 1, PTO_DEV_PAGE_SIZE);
}

/*
 * The tensor map has room for 4 regions per task slot, and for at least PTO_MIN_REGIONS. With the
 * smallest windows that suffices for all possible arguments.
 */
static void lay_map(struct layout *l, struct pto_arena *head)
{
	uint64_t tasks = 0;
	uint64_t count;
	uint32_t bits = PTO_MIN_BUCKET_BITS;
	uint32_t i;

	for (i = 0; i < PTO_RING_DEPTHS; i++)
		tasks += head->ring[i].window;
	while (bits < PTO_MAX_BUCKET_BITS && 1ULL << bits < tasks)
		bits++;
	count = tasks * 4 > PTO_MIN_REGIONS ? tasks * 4 : PTO_MIN_REGIONS;
	head->bucket_shift = 64 - bits;
	head->region_count = count < PTO_NEAR_COVERED ? (uint32_t)count : PTO_NEAR_COVERED;
	head->buckets = reserve(l, 1ULL << bits, sizeof(struct pto_map_bucket), PTO_DEV_PAGE_SIZE);
	head->regions = reserve(l, head->region_count, sizeof(struct pto_region),
				PTO_DEV_PAGE_SIZE);
}

static int lay_arena(const struct pto_dev_arena_plan *plan, struct pto_arena *head)
{
	struct layout l = { .end = sizeof(*head) };
	uint32_t i;

	memset(head, 0, sizeof(*head));
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		if (!window_ok(plan->task_window[i]) || plan->heap[i] < PTO_HEAP_ALIGN ||
		    plan->dep_pool[i] < 4 || plan->dep_pool[i] >= 1ULL << 31)
			return -EINVAL;
		head->ring[i].window = plan->task_window[i];
		head->ring[i].heap_size = plan->heap[i] & ~(uint64_t)(PTO_HEAP_ALIGN - 1);
		head->ring[i].dep_pool = plan->dep_pool[i];
	}
	lay_map(&l, head);
	for (i = 0; i < PTO_RING_DEPTHS; i++)
		lay_ring(&l, &head->ring[i]);
	head->magic = PTO_ARENA_MAGIC;
	head->version = PTO_ARENA_VERSION;
	reserve(&l, 0, 1, PTO_DEV_PAGE_SIZE);
	head->arena_size = (l.end + PTO_DEV_PAGE_SIZE - 1) & ~(uint64_t)(PTO_DEV_PAGE_SIZE - 1);
	return l.overflow ? -EOVERFLOW : 0;
}

int pto_arena_plan(struct pto_dev_arena_plan *plan)
{
	struct pto_arena head;
	int ret = lay_arena(plan, &head);

	if (ret)
		return ret;
	plan->arena_size = head.arena_size;
	plan->image_size = sizeof(head);
	return 0;
}

void pto_arena_build(const struct pto_dev_arena_plan *plan, void *image)
{
	struct pto_arena head;

	/* The plan has been through pto_arena_plan(); a bad one leaves a head without magic. */
	if (lay_arena(plan, &head))
		memset(&head, 0, sizeof(head));
	memcpy(image, &head, sizeof(head));
}

/* Does the header of an image equal the one that would be built for its sizes? */
static bool head_ok(const struct pto_arena *head)
{
	struct pto_dev_arena_plan plan = { .size = sizeof(plan) };
	struct pto_arena same;
	uint32_t i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan.task_window[i] = head->ring[i].window;
		plan.heap[i] = head->ring[i].heap_size;
		plan.dep_pool[i] = head->ring[i].dep_pool;
	}
	return !lay_arena(&plan, &same) && !memcmp(&same, head, sizeof(same));
}

int pto_arena_bind(void *arena, uint64_t arena_size, const void *image, uint64_t image_size)
{
	struct pto_arena head;

	if (!arena || (uintptr_t)arena % PTO_DEV_PAGE_SIZE || image_size < sizeof(head))
		return -EINVAL;
	memcpy(&head, image, sizeof(head));
	if (!head_ok(&head) || head.arena_size > arena_size)
		return -EINVAL;
	memcpy(arena, &head, sizeof(head));
	return 0;
}
