// SPDX-License-Identifier: MIT
/*
 * The device side of a queue pair. The driver is not trusted: an index counts only within the
 * depth, and an entry is copied once before it is checked. A queue with invalid indices has no
 * work until they are valid again.
 *
 * The caller holds the lock of the context that owns the queue; the admin queue has a single user.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define QUEUE_MASK (QUEUE_DEPTH - 1)

_Static_assert((QUEUE_DEPTH & QUEUE_MASK) == 0, "queue depth is a power of two");

/* Initialise an outcome with success. */
void outcome_init(struct outcome *out)
{
	memset(out, 0, sizeof(*out));
	out->start_ns = clock_ns();
}

static void report_vtext(struct pto_dev_report *report, const char *format, va_list args)
{
	memset(report, 0, sizeof(*report));
	report->core = UINT32_MAX;
	report->task = UINT64_MAX;
	report->func_id = UINT32_MAX;
	vsnprintf((char *)report->text, sizeof(report->text), format, args);
}

/* Initialise a report without code, task, core and function. */
void report_text(struct pto_dev_report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_vtext(report, format, args);
	va_end(args);
}

/* Record why a command failed. Only the first reason counts. */
void outcome_fail(struct outcome *out, uint32_t status, const char *format, ...)
{
	va_list args;

	if (out->status)
		return;
	out->status = status;
	va_start(args, format);
	report_vtext(&out->report, format, args);
	va_end(args);
}

/* Are the indices of a pair zero, as the driver has to leave them before it binds the pair? */
bool queue_pristine(const struct pto_dev_queue *pair)
{
	return !__atomic_load_n(&pair->sq_tail, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&pair->sq_head, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&pair->cq_tail, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&pair->cq_head, __ATOMIC_RELAXED);
}

/* Attach a queue to a pair, with the indices in @slot. */
void queue_attach(struct queue *q, struct pto_dev_queue *pair, struct queue_slot *slot)
{
	q->pair = pair;
	q->slot = slot;
	q->cq_head = __atomic_load_n(&pair->cq_head, __ATOMIC_ACQUIRE);
}

/* Is there room for one more completion? Always, if the driver follows the protocol. */
static bool queue_has_room(struct queue *q)
{
	if (q->slot->done - q->cq_head < QUEUE_DEPTH)
		return true;
	q->cq_head = __atomic_load_n(&q->pair->cq_head, __ATOMIC_ACQUIRE);
	return q->slot->done - q->cq_head < QUEUE_DEPTH;
}

/*
 * Is there an entry to be fetched? The load of the tail is ordered after queue_arm(): the driver
 * writes the tail, then reads the flag.
 */
bool queue_pending(struct queue *q)
{
	uint32_t tail = __atomic_load_n(&q->pair->sq_tail, __ATOMIC_SEQ_CST);
	uint32_t count = tail - q->slot->head;

	return count && count <= QUEUE_DEPTH && queue_has_room(q);
}

/* Fetch the next entry, if there is one. *@index: its index. */
bool queue_fetch(struct queue *q, struct pto_dev_cmd *cmd, uint32_t *index)
{
	const struct pto_dev_cmd *entries;

	if (!queue_pending(q))
		return false;
	entries = (const void *)((const char *)q->pair + PTO_DEV_SQ_OFFSET);
	*index = q->slot->head++;
	memcpy(cmd, &entries[*index & QUEUE_MASK], sizeof(*cmd));
	__atomic_store_n(&q->pair->sq_head, *index + 1, __ATOMIC_RELEASE);
	return true;
}

/* Copy the entry at position @ahead behind the next one, without fetching it. */
bool queue_peek(struct queue *q, uint32_t ahead, struct pto_dev_cmd *cmd)
{
	uint32_t tail = __atomic_load_n(&q->pair->sq_tail, __ATOMIC_ACQUIRE);
	uint32_t count = tail - q->slot->head;
	const struct pto_dev_cmd *entries;

	if (count > QUEUE_DEPTH || ahead >= count)
		return false;
	entries = (const void *)((const char *)q->pair + PTO_DEV_SQ_OFFSET);
	memcpy(cmd, &entries[(q->slot->head + ahead) & QUEUE_MASK], sizeof(*cmd));
	return true;
}

static void queue_report(struct queue *q, uint32_t id, struct pto_dev_report *report)
{
	struct pto_dev_report *reports;

	reports = (void *)((char *)q->pair + PTO_DEV_REPORT_OFFSET(QUEUE_DEPTH));
	report->id = id;
	report->flags = PTO_DEV_REPORT_VALID;
	report->text[sizeof(report->text) - 1] = '\0';
	memcpy(&reports[id % PTO_DEV_REPORTS], report, sizeof(*report));
}

/*
 * Complete the oldest command. Return: true if the driver sleeps and wants an interrupt.
 *
 * cq_tail is published before the slot is advanced: if a context process dies in between, the
 * admin completes the command once more, in the same entry.
 */
bool queue_complete(struct queue *q, struct outcome *out)
{
	uint32_t id = q->slot->done;
	struct pto_dev_cqe cqe = {
		.id = id,
		.status = out->status,
		.detail = out->detail,
		.start_ns = out->start_ns,
		.end_ns = clock_ns(),
	};
	struct pto_dev_cqe *entries;

	if (out->status)
		queue_report(q, id, &out->report);
	entries = (void *)((char *)q->pair + PTO_DEV_CQ_OFFSET(QUEUE_DEPTH));
	memcpy(&entries[id & QUEUE_MASK], &cqe, sizeof(cqe));
	__atomic_store_n(&q->pair->cq_tail, id + 1, __ATOMIC_SEQ_CST);
	q->slot->done = id + 1;
	return __atomic_load_n(&q->pair->cq_flags, __ATOMIC_SEQ_CST) & PTO_DEV_NEED_WAKEUP;
}

/* Request doorbells from the driver, or cancel the request. */
void queue_arm(struct queue *q, bool armed)
{
	__atomic_store_n(&q->pair->sq_flags, armed ? PTO_DEV_NEED_WAKEUP : 0, __ATOMIC_SEQ_CST);
}
