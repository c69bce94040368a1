/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver of the test's making, for libpto: this program's open(), ioctl(), close() and
 * clock_gettime() are the ones that the library calls. There is no device and no other
 * thread, time passes when the test says so, and everything can fail.
 *
 * A context is a memfd, whose offsets are the device's addresses less MEMORY_BASE; so mapping
 * its buffers is the kernel's business. A run ends when it is submitted, or when the test
 * lets it.
 */
#ifndef REHEARSAL_H
#define REHEARSAL_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/pto.h>
#include <linux/pto_device.h>

#define REHEARSED_DEVICE	"/dev/pto0"
#define REHEARSED_MEMFD		"memfd:pto-rehearsal"	/* what its mappings are called */
#define REHEARSED_BASE		0x100000000ull		/* device address of the first byte */
#define REHEARSED_FD		1000	/* and the id: what is exported */
#define REHEARSED_MEMORY	(16u << 20)
#define REHEARSED_STREAMS	4
#define REHEARSED_DEPTH		8

/**
 * struct rehearsed_end - how a run ends
 * @status: 0 or a negative errno
 * @code: PTO_FATAL_*
 * @subcode: sub-class
 * @task: task concerned
 * @func_id: function concerned
 * @core: core concerned
 * @log: explanation, or NULL
 */
struct rehearsed_end {
	int status;
	uint32_t code;
	uint32_t subcode;
	uint64_t task;
	uint32_t func_id;
	uint32_t core;
	const char *log;
};

/**
 * struct rehearsal - what the driver is like, and what it has seen
 * @devices: which of /dev/pto0 to /dev/pto63 there are, a bit each
 * @opened: N of the latest /dev/ptoN that was opened, or tried
 * @open_error: errno that the next open() of a device fails with; 0: none
 * @info: what it says of the device
 * @now: the time; every ioctl takes a nanosecond
 * @real_time: clock_gettime() tells the true time
 * @calls: ioctls of each number
 * @all_calls: together
 * @fail_at: the ioctl that fails, counted from 1 and from now; 0: none. Destroying does not
 *	fail
 * @fail_with: as what
 * @refuse: asked before an ioctl is carried out: 0, or a negative errno in place of it
 * @held: runs do not end until rehearsal_end(), or somebody waits for them without a bound
 * @mute: runs that were submitted do not end, whoever waits
 * @progress: what is said of the context's progress
 * @end: how the runs that are submitted from now on will end
 * @on_run: called with a run that has just been accepted
 * @contexts: what is live: contexts,
 * @buffers: buffers,
 * @buffer_bytes: bytes of these,
 * @images: images,
 * @callables: cids in use,
 * @streams: streams, but for the default ones
 * @arenas: arenas that were made
 * @lost_results: waits for results that were not kept any more
 */
struct rehearsal {
	uint64_t devices;
	int opened;
	int open_error;
	struct pto_device_info info;
	uint64_t now;
	bool real_time;
	unsigned int calls[64];
	unsigned int all_calls;
	unsigned int fail_at;
	int fail_with;
	int (*refuse)(unsigned long nr, void *arg);
	bool held;
	bool mute;
	uint64_t progress;
	struct rehearsed_end end;
	void (*on_run)(const struct pto_run_entry *entry);
	unsigned int contexts;
	unsigned int buffers;
	uint64_t buffer_bytes;
	unsigned int images;
	unsigned int callables;
	unsigned int streams;
	unsigned int arenas;
	unsigned int lost_results;
};

extern struct rehearsal rehearsal;

/** rehearsal_begin() - a driver that does all that it is asked to; no context is open */
void rehearsal_begin(void);

/** rehearsal_end() - let the @count oldest runs of a stream that are held end */
void rehearsal_end(uint32_t stream, unsigned int count);

/** rehearsal_flying() - runs of a stream that have not ended */
unsigned int rehearsal_flying(uint32_t stream);

/** rehearsal_calls() - ioctls of a number */
unsigned int rehearsal_calls(unsigned long nr);

/** rehearsal_memory() - a buffer's bytes, @offset from its start; NULL if there are not @size */
void *rehearsal_memory(uint32_t id, uint64_t offset, uint64_t size);

/** rehearsal_at() - the same by device address; also what is free, as a device could */
void *rehearsal_at(uint64_t addr, uint64_t size);

/** rehearsal_evict() - the context used last keeps none of its arenas */
void rehearsal_evict(void);

/** rehearsal_prepared() - kernels of what a cid has, -1 if it is empty */
int rehearsal_prepared(int cid);

#endif /* REHEARSAL_H */
