// SPDX-License-Identifier: MIT
/*
 * Run handles. The value of a handle is not a pointer, but the number of a slot and a generation.
 *
 * pto_wait() invalidates a handle, but an application may wait for it again by mistake. So its
 * value is looked up in a table whose memory is never freed; it is invalid if the slot has another
 * generation. A thread that has found a run holds the slot, and the run is not freed meanwhile.
 *
 * There is one table in the process. It is changed by atomic operations only, as a lock could stay
 * locked in a forked child.
 */
#include <sched.h>
#include <stdlib.h>

#include "pto_private.h"

#define CHUNK_SLOTS	1024u
#define CHUNKS		1024u
#define INDEX_BITS	20	/* of CHUNK_SLOTS * CHUNKS */
#define GENERATIONS	(UINT64_MAX >> (INDEX_BITS + 1))

_Static_assert(sizeof(void *) == 8, "a handle has 43 bits of a generation");
_Static_assert(CHUNK_SLOTS * CHUNKS == 1u << INDEX_BITS, "each slot has a number");

/**
 * struct slot - an entry of the table
 * @run: the run that has the slot; NULL if it is free; &given_up until its users are gone; atomic
 * @generation: generation of valid handles; written under the lock of the run's stream; atomic
 * @users: number of threads that hold the slot; atomic
 */
struct slot {
	struct pto_run_handle *run;
	uint64_t generation;
	uint32_t users;
};

static struct pto_run_handle given_up;	/* marks slots that are free when no thread holds them */
static struct slot first_chunk[CHUNK_SLOTS];
static struct slot *chunks[CHUNKS] = { first_chunk };	/* atomic */
static uint32_t next_slot;				/* atomic; start of the next search */

static struct slot *slot_at(uint32_t index)
{
	struct slot *chunk = __atomic_load_n(&chunks[index / CHUNK_SLOTS], __ATOMIC_ACQUIRE);

	return chunk ? chunk + index % CHUNK_SLOTS : NULL;
}

static bool claim(struct slot *slot, struct pto_run_handle *run)
{
	struct pto_run_handle *nobody = NULL;

	return __atomic_compare_exchange_n(&slot->run, &nobody, run, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Claim a slot of a chunk for @run. Return: false if all are in use. */
static bool claim_in(uint32_t chunk, struct pto_run_handle *run)
{
	uint32_t start = __atomic_fetch_add(&next_slot, 1, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < CHUNK_SLOTS; i++) {
		uint32_t index = chunk * CHUNK_SLOTS + (start + i) % CHUNK_SLOTS;

		if (claim(slot_at(index), run)) {
			run->slot = index;
			return true;
		}
	}
	return false;
}

static bool have_chunk(uint32_t chunk)
{
	struct slot *nobody = NULL, *slots;

	if (__atomic_load_n(&chunks[chunk], __ATOMIC_ACQUIRE))
		return true;
	slots = calloc(CHUNK_SLOTS, sizeof(*slots));
	if (!slots)
		return false;
	if (!__atomic_compare_exchange_n(&chunks[chunk], &nobody, slots, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		free(slots);
	return true;
}

bool pto_handle_claim(struct pto_run_handle *run)
{
	for (uint32_t chunk = 0; chunk < CHUNKS && have_chunk(chunk); chunk++)
		if (claim_in(chunk, run))
			return true;
	return false;
}

static uint64_t generation_of(const struct slot *slot)
{
	return __atomic_load_n(&slot->generation, __ATOMIC_RELAXED) & GENERATIONS;
}

struct pto_run_handle *pto_handle_of(const struct pto_run_handle *run)
{
	uint64_t value = generation_of(slot_at(run->slot)) << INDEX_BITS | run->slot;

	return (struct pto_run_handle *)(uintptr_t)(value << 1 | 1);
}

bool pto_handle_is(const struct pto_run_handle *handle, const struct pto_run_handle *run)
{
	return handle == pto_handle_of(run);
}

/* Sequentially consistent: either this sees &given_up, or pto_handle_release() sees the user. */
struct pto_run_handle *pto_handle_hold(const struct pto_run_handle *handle)
{
	uint64_t value = (uintptr_t)handle;
	struct pto_run_handle *run;
	struct slot *slot;

	if (!(value & 1))
		return NULL;
	value >>= 1;
	slot = slot_at(value & ((1u << INDEX_BITS) - 1));
	if (!slot)
		return NULL;
	__atomic_fetch_add(&slot->users, 1, __ATOMIC_SEQ_CST);
	run = __atomic_load_n(&slot->run, __ATOMIC_SEQ_CST);
	if (run && run != &given_up && generation_of(slot) == value >> INDEX_BITS)
		return run;
	__atomic_fetch_sub(&slot->users, 1, __ATOMIC_RELEASE);
	return NULL;
}

void pto_handle_let_go(uint32_t index)
{
	__atomic_fetch_sub(&slot_at(index)->users, 1, __ATOMIC_RELEASE);
}

bool pto_handle_held(const struct pto_run_handle *run)
{
	return __atomic_load_n(&slot_at(run->slot)->users, __ATOMIC_SEQ_CST);
}

void pto_handle_use_up(const struct pto_run_handle *run)
{
	struct slot *slot = slot_at(run->slot);

	__atomic_store_n(&slot->generation, generation_of(slot) + 1, __ATOMIC_RELAXED);
}

/* In a forked child the threads that held the slot do not exist. */
void pto_handle_release(const struct pto_run_handle *run, bool forked)
{
	struct slot *slot = slot_at(run->slot);

	pto_handle_use_up(run);
	__atomic_store_n(&slot->run, &given_up, __ATOMIC_SEQ_CST);
	if (forked)
		__atomic_store_n(&slot->users, 0, __ATOMIC_RELAXED);
	while (__atomic_load_n(&slot->users, __ATOMIC_SEQ_CST))
		sched_yield();
	__atomic_store_n(&slot->run, NULL, __ATOMIC_RELEASE);
}
