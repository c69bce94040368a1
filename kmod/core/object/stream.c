// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Streams: queues of runs, with records of the most recent ones.
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "base/ids.h"
#include "channel/channel.h"
#include "device/device.h"
#include "device/queue.h"
#include "device/runs.h"
#include "object/stream.h"

/** pto_stream_table_init() - no streams yet; @table is zero */
void pto_stream_table_init(struct pto_stream_table *table, struct pto_channel *ch)
{
	table->ch = ch;
	table->next = PTO_STREAM_DEFAULT;
	xa_init_flags(&table->ids, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
}

static int pto_stream_bind(struct pto_stream *s, u16 opcode, struct pto_reply *reply)
{
	struct pto_channel *ch = s->table->ch;
	union pto_command cmd = { .queue = {
		.opcode = opcode,
		.ctx = ch->hw_id,
		.queue = s->queue.index,
	} };

	reply->report = NULL;
	if (opcode == PTO_DEV_QUEUE_BIND)
		pto_queue_reset(&s->queue);
	return pto_channel_admin(ch, &cmd, reply);
}

static void pto_stream_free(struct pto_stream *s)
{
	pto_runs_exit(&s->runs);
	kfree(s);
}

static void pto_stream_release(struct kref *ref)
{
	struct pto_stream *s = container_of(ref, struct pto_stream, ref);
	struct pto_channel *ch = s->table->ch;

	pto_queue_close(&s->queue);
	if (!ch->leaking)
		pto_device_put_queue(ch->pdev, s->queue.index);
	pto_stream_free(s);
}

/* Add the stream's counters to those of the context. */
static void pto_stream_settle(struct pto_stream *s)
{
	struct pto_counters *count = &s->table->ch->count;

	atomic64_add(s->runs.submitted, &count->runs_submitted);
	atomic64_add(s->runs.completed, &count->runs_completed);
	atomic64_add(s->runs.failed, &count->runs_failed);
	atomic64_add(s->runs.arena_hits, &count->arena_hits);
	atomic64_add(s->queue.doorbells, &count->doorbells);
}

/*
 * Remove a stream from its context. The device does not use its queue any more. The channel is
 * claimed, or the context is being closed.
 */
static void pto_stream_unbind(struct pto_stream *s)
{
	struct pto_channel *ch = s->table->ch;

	spin_lock(&ch->client.lock);
	list_del(&s->queue.link);
	pto_stream_settle(s);
	spin_unlock(&ch->client.lock);
	atomic_dec(&ch->pdev->stream_count);
	atomic_dec(&ch->count.streams_live);
	kref_put(&s->ref, pto_stream_release);
}

/**
 * pto_stream_bind_all() - bind the streams to a new hardware context
 * @table: the context's streams; the channel is claimed
 *
 * Doomed streams are freed, as the old hardware context has ended.
 */
int pto_stream_bind_all(struct pto_stream_table *table)
{
	struct pto_stream *s, *next;
	struct pto_reply reply;
	int err;

	/* The list changes only under the claim. */
	list_for_each_entry_safe(s, next, &table->ch->client.queues, queue.link) {
		if (READ_ONCE(s->doomed)) {
			pto_stream_unbind(s);
			continue;
		}
		err = pto_stream_bind(s, PTO_DEV_QUEUE_BIND, &reply);
		if (err)
			return err;
	}
	return 0;
}

static struct pto_stream *pto_stream_alloc(struct pto_stream_table *table)
{
	struct pto_channel *ch = table->ch;
	struct pto_stream *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	if (pto_runs_init(&s->runs, ch->pdev->ident.queue_depth)) {
		kfree(s);
		return NULL;
	}
	s->queue.runs = &s->runs;
	s->table = table;
	s->queue.client = &ch->client;
	s->queue.wq = &ch->client.wq;
	kref_init(&s->ref);
	INIT_LIST_HEAD(&s->queue.link);
	return s;
}

static int pto_stream_open_queue(struct pto_stream *s)
{
	struct pto_device *pdev = s->table->ch->pdev;
	u32 index;
	int err;

	err = pto_device_get_queue(pdev, &index);
	if (err)
		return err;
	err = pto_queue_open(&s->queue, pdev, index);
	if (err)
		pto_device_put_queue(pdev, index);
	return err;
}

static int pto_stream_take_id(struct pto_stream *s)
{
	return pto_id_reserve(&s->table->ids, &s->table->next, U16_MAX, &s->id);
}

static void pto_stream_add(struct pto_stream *s)
{
	struct pto_channel *ch = s->table->ch;

	spin_lock(&ch->client.lock);
	list_add_tail(&s->queue.link, &ch->client.queues);
	spin_unlock(&ch->client.lock);
	atomic_inc(&ch->pdev->stream_count);
	atomic_inc(&ch->count.streams_live);
}

/*
 * Bind the stream to the hardware context. Without a completion the device may still bind the queue
 * later. Then the context is lost, and the stream stays until the hardware context has ended.
 */
static int pto_stream_attach(struct pto_stream *s)
{
	struct pto_reply reply;
	int err;

	pto_stream_add(s);
	err = pto_stream_bind(s, PTO_DEV_QUEUE_BIND, &reply);
	if (!err)
		return 0;
	xa_release(&s->table->ids, s->id);
	if (!reply.done) {
		WRITE_ONCE(s->doomed, true);
		return err;
	}
	pto_stream_unbind(s);
	return err == -ENOSPC || err == -ENOMEM ? err : -EIO;
}

/**
 * pto_stream_open() - create a stream
 * @table: the context's streams; the channel is between pto_channel_begin_hw() and
 *	pto_channel_end(), or being opened
 *
 * Return: the stream, bound, with an id that is not visible yet; or ERR_PTR.
 */
struct pto_stream *pto_stream_open(struct pto_stream_table *table)
{
	struct pto_stream *s = pto_stream_alloc(table);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	err = pto_stream_open_queue(s);
	if (err) {
		pto_stream_free(s);
		return ERR_PTR(err);
	}
	err = pto_stream_take_id(s);
	if (err) {
		kref_put(&s->ref, pto_stream_release);
		return ERR_PTR(err);
	}
	err = pto_stream_attach(s);
	return err ? ERR_PTR(err) : s;
}

/** pto_stream_get() - find the stream with an id, and take a reference; or NULL */
struct pto_stream *pto_stream_get(struct pto_stream_table *table, u32 id)
{
	struct pto_stream *s;

	if (likely(id == PTO_STREAM_DEFAULT))
		return table->main;
	xa_lock(&table->ids);
	s = xa_load(&table->ids, id);
	if (s)
		kref_get(&s->ref);
	xa_unlock(&table->ids);
	return s;
}

/** pto_stream_put() - drop the reference of pto_stream_get() */
void pto_stream_put(struct pto_stream *s)
{
	if (unlikely(s != s->table->main))
		kref_put(&s->ref, pto_stream_release);
}

/*
 * Unbind a stream that has no visible id. The channel is claimed. If the device does not unbind the
 * queue, the context is lost, and the stream is freed when the hardware context has ended.
 */
static void pto_stream_drop(struct pto_stream *s)
{
	struct pto_channel *ch = s->table->ch;
	struct pto_reply reply;
	int err = 0;

	if (ch->hw != PTO_HW_NONE)
		err = pto_stream_bind(s, PTO_DEV_QUEUE_UNBIND, &reply);
	if (err) {
		WRITE_ONCE(s->doomed, true);
		pto_channel_lose(ch);
	} else {
		pto_stream_unbind(s);
	}
}

/* Stop the queue if no run is in flight. Return: 0, -EBUSY, -ENODEV. */
static int pto_stream_retire(struct pto_stream *s)
{
	struct pto_queue *q = &s->queue;
	struct pto_section section;
	unsigned int taken;
	int err = 0;

	if (!pto_section_enter(&section, q->pdev))
		return -ENODEV;
	spin_lock(&q->lock);
	taken = pto_queue_reap(q);
	if (s->runs.submitted != s->runs.completed)
		err = -EBUSY;
	else
		WRITE_ONCE(q->stopped, true);
	spin_unlock(&q->lock);
	pto_section_leave(&section);
	pto_queue_wake(q, taken);
	return err;
}

/* Drop the streams that their creators could not drop. The channel is claimed. */
static void pto_stream_drop_doomed(struct pto_stream_table *table)
{
	struct pto_stream *s, *next;

	/* The list changes only under the claim. */
	list_for_each_entry_safe(s, next, &table->ch->client.queues, queue.link) {
		if (READ_ONCE(s->doomed))
			pto_stream_drop(s);
	}
}

/**
 * pto_stream_make() - create a stream for an application
 * @table: the context's streams
 *
 * Return: the stream, for pto_stream_publish() or pto_stream_abandon(), or ERR_PTR.
 */
struct pto_stream *pto_stream_make(struct pto_stream_table *table)
{
	struct pto_channel *ch = table->ch;
	struct pto_stream *s;
	int err;

	err = pto_channel_begin_hw(ch);
	if (err)
		return ERR_PTR(err);
	pto_stream_drop_doomed(table);
	if (READ_ONCE(ch->client.lost))
		s = ERR_PTR(-EIO);
	else if (atomic_read(&ch->count.streams_live) > PTO_MAX_STREAMS)
		s = ERR_PTR(-ENOSPC);
	else
		s = pto_stream_open(table);
	pto_channel_end(ch);
	return s;
}

/** pto_stream_publish() - make a stream visible. Return: 0 or -EIO, see pto_id_publish() */
int pto_stream_publish(struct pto_stream *s)
{
	struct pto_channel *ch = s->table->ch;
	int err = pto_id_publish(&s->table->ids, s->id, s);

	if (!err)
		atomic64_inc(&ch->count.streams_created);
	return err;
}

/** pto_stream_abandon() - unbind a stream that has not become visible */
void pto_stream_abandon(struct pto_stream *s)
{
	struct pto_channel *ch = s->table->ch;

	xa_release(&s->table->ids, s->id);
	if (!pto_channel_begin(ch)) {
		pto_stream_drop(s);
		pto_channel_end(ch);
	} else {
		/* Without the claim, so this must be the last access. */
		WRITE_ONCE(s->doomed, true);
	}
}

/** pto_stream_remove() - end a stream. Return: 0, -ENOENT, -EBUSY (runs), -EINTR, -ENODEV */
int pto_stream_remove(struct pto_stream_table *table, u32 id)
{
	struct pto_channel *ch = table->ch;
	struct pto_stream *s;
	int err;

	err = pto_channel_begin(ch);
	if (err)
		return err;
	s = pto_stream_get(table, id);
	if (!s) {
		pto_channel_end(ch);
		return -ENOENT;
	}
	err = pto_stream_retire(s);
	if (!err) {
		pto_id_take(&table->ids, id);
		pto_stream_drop(s);
	}
	pto_stream_put(s);
	pto_channel_end(ch);
	return err;
}

/** pto_stream_close() - free the streams of a context that ends */
void pto_stream_close(struct pto_stream_table *table)
{
	struct pto_stream *s, *next;

	list_for_each_entry_safe(s, next, &table->ch->client.queues, queue.link)
		pto_stream_unbind(s);
	xa_destroy(&table->ids);
}
