/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver core on a device of the test's making. The device has no thread: a doorbell
 * executes what is in the queue before it returns, unless the test holds the queue back; so
 * everything happens in the order in which the test does it. What the driver frees, it frees
 * in the background: rig_settle() waits for that.
 *
 * rig_virtual_time() puts the core and the device on a clock of the test's own: then commands can
 * be late, the device interrupts by itself, and time passes when everybody sleeps.
 */
#ifndef CORE_RIG_H
#define CORE_RIG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/pto.h>
#include <linux/pto_device.h>

struct pto_ctx;
struct pto_device;
struct rig;
struct task_struct;

#define RIG_DEPTH	64
#define RIG_QUEUES	8	/* unless a test makes room in the window for more */
#define RIG_QUEUES_MAX	80
#define RIG_CONTEXTS	3
#define RIG_HEAP	(8UL << 20)	/* unless a test makes the window larger */
#define RIG_HEAP_MAX	(48UL << 20)
#define RIG_LOG		512
#define RIG_ARENA_SIZE	8192
#define RIG_IMAGE_SIZE	6000	/* does not fit the first try */
#define RIG_RULES	16
#define RIG_FILES	8
#define RIG_FIRST_FD	100
#define RIG_FOREIGN_FD	200	/* of memory that is not the device's */
#define RIG_FOREIGN	(3 * 4096)
#define RIG_START_NS	1000000000000ULL	/* when virtual time begins */
#define RIG_SECOND	1000000000ULL

/* What can fail of a transport. */
enum rig_op {
	RIG_MAP,	/* mapping a part of the window */
	RIG_ACCESS,	/* access for a copy */
	RIG_CLEAR,	/* clearing memory */
	RIG_KICK,	/* a doorbell is lost */
	RIG_INTERRUPT,	/* an interrupt is lost */
	RIG_OPS,
};

/**
 * struct rig_log_entry - a command that the device has executed
 * @queue: on which queue
 * @cmd: the command
 */
struct rig_log_entry {
	uint32_t queue;
	struct pto_dev_cmd cmd;
};

/**
 * struct rig_rule - how the device treats some commands
 * @opcode: of which opcode (PTO_DEV_*)
 * @silent: the queue stops before it: it is held from then on, until rig_release()
 * @skip: so many of them are executed as they should be first
 * @times: then it is for so many; 0: all
 * @status: they are refused with this status, unless it is PTO_DEV_OK
 * @detail: and this detail
 * @late_ns: each takes so long (virtual time)
 * @spoil: called before the completion is published: may change it, or the report
 * @after: called after that
 */
struct rig_rule {
	uint16_t opcode;
	bool silent;
	unsigned int skip;
	unsigned int times;
	uint32_t status;
	uint64_t detail;
	uint64_t late_ns;
	void (*spoil)(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe);
	void (*after)(struct rig *rig, uint32_t queue);
};

/**
 * struct rig - the device
 * @pdev: the driver's side of it
 * @window: its memory
 * @window_size: as long as the transport says it is
 * @ident: the identification page
 * @log: the latest commands
 * @logged: how many there were
 * @silent: executes nothing
 * @held: of the first 32 queues those that execute nothing, a bit each; a test changes it while a
 *	worker rings
 * @opcode: what to do with commands of this opcode (PTO_DEV_*), if @spoil
 * @spoil: called for such a command before its completion is published: may change it
 * @after: called after it was published
 * @clearing: called before memory is cleared
 * @accessing: called before the driver reads or writes a page of the window itself
 * @latency_ns: how long every command takes (virtual time)
 * @clock_ns: how far the device's clock is ahead of the driver's, set before rig_start()
 * @no_pulse: the heartbeat stands still
 * @stubborn: an ABORT changes nothing
 * @shares: the transport has files that share memory, set before rig_start(). Their descriptors
 *	are numbers from RIG_FIRST_FD on, and RIG_FOREIGN_FD
 * @foreign: the memory of that
 * @foreign_gone: how often an import of it was given back
 * @foreign_opaque: the driver cannot copy it
 * @clear_fails: clearing memory fails
 * @cleared: bytes that were cleared
 * @accessed: bytes that the driver read or wrote itself
 * @accesses: short mappings that have not been ended
 * @mapped: bytes of the window that the driver has mapped
 * @released: times the transport was released
 * @calls: how often the driver did each of the things that can fail
 * @interrupts: how often the driver was interrupted
 * @next: completions published, by queue
 */
struct rig {
	struct pto_device *pdev;
	char *window;
	uint64_t window_size;
	struct pto_dev_ident *ident;
	struct rig_log_entry log[RIG_LOG];
	unsigned int logged;
	bool silent;
	_Atomic uint32_t held;
	uint16_t opcode;
	void (*spoil)(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe);
	void (*after)(struct rig *rig, uint32_t queue);
	void (*clearing)(struct rig *rig);
	void (*accessing)(struct rig *rig, uint64_t offset);
	uint64_t latency_ns;
	int64_t clock_ns;
	bool no_pulse;
	bool stubborn;
	bool shares;
	char foreign[RIG_FOREIGN];
	unsigned int foreign_gone;
	bool foreign_opaque;
	bool clear_fails;
	uint64_t cleared;
	uint64_t accessed;
	int accesses;
	int64_t mapped;
	unsigned int released;
	unsigned int calls[RIG_OPS];
	unsigned int interrupts;
	uint32_t next[RIG_QUEUES_MAX];
	/* private: */
	struct rig_inside *inside;
};

/** rig_new() - a device with a good identification page, not yet in service */
struct rig *rig_new(void);

/**
 * rig_virtual_time() - put core and device on a clock of their own
 * @rig: a device that was not started yet
 * @threads: threads of the test that call the driver, this one included. Time passes when all
 *	of them sleep; a test in which that is for ever fails
 *
 * From RIG_START_NS on. The driver sees two processors, whatever machine this is. Ends with
 * rig_free().
 */
void rig_virtual_time(struct rig *rig, unsigned int threads);

/** rig_now() - what time it is */
uint64_t rig_now(void);

/** rig_advance() - let time pass: whatever happens meanwhile has happened when it returns */
void rig_advance(uint64_t ns);

/** rig_later() - let the device do something when so much time has passed; one thing at once */
void rig_later(struct rig *rig, uint64_t ns, void (*func)(struct rig *rig));

/** rig_settle() - let all others go on until they have nothing to do, or (virtual time) sleep */
void rig_settle(void);

/**
 * struct rig_thread - a thread of a test on virtual time
 * @thread: it
 * @func: what it does
 * @arg: with which argument
 * @task: the driver's idea of it, once it runs
 * @ended: it has
 */
struct rig_thread {
	pthread_t thread;
	void (*func)(void *arg);
	void *arg;
	struct task_struct *_Atomic task;
	_Atomic bool ended;
};

/** rig_thread() - start a thread; it is counted besides those of rig_virtual_time() */
void rig_thread(struct rig_thread *thread, void (*func)(void *arg), void *arg);

/** rig_kill() - the call that a thread is in finds that it is being killed, until it returns */
void rig_kill(struct rig_thread *thread);

/** rig_join() - wait until it has ended; time passes meanwhile */
void rig_join(struct rig_thread *thread);

/** rig_rule() - add a rule; of those that fit a command the first one counts */
void rig_rule(struct rig *rig, const struct rig_rule *rule);

/** rig_callers_ahead() - callers' clock is so far ahead of the driver's, until rig_free() */
void rig_callers_ahead(int64_t ns);

/** rig_no_rules() - forget the rules; what they have begun goes on */
void rig_no_rules(struct rig *rig);

/** rig_log() - may the driver's warnings be seen? */
void rig_log(bool on);

/** rig_fail() - let something fail @times times, after it has worked @skip times more */
void rig_fail(struct rig *rig, enum rig_op op, unsigned int skip, unsigned int times);

/** rig_start() - take it into service. Return: 0 or what the driver says */
int rig_start(struct rig *rig);

/** rig_free() - end of it; all contexts are closed */
void rig_free(struct rig *rig);

/** rig_queue() - a queue pair in the window */
struct pto_dev_queue *rig_queue(struct rig *rig, uint32_t queue);

/** rig_cqe() - the completion entry of a command, as it is in the window */
struct pto_dev_cqe *rig_cqe(struct rig *rig, uint32_t queue, uint32_t id);

/** rig_report_at() - the place of a command's report in the window */
struct pto_dev_report *rig_report_at(struct rig *rig, uint32_t queue, uint32_t id);

/** rig_report() - write a failure report, as a device would before the completion */
void rig_report(struct rig *rig, uint32_t queue, uint32_t id, const char *text);

/** rig_release() - execute what was held back in a queue, all or @count commands */
void rig_release(struct rig *rig, uint32_t queue, unsigned int count);

/** rig_interrupt() - what a device does when it has completions and was asked to say so */
void rig_interrupt(struct rig *rig);

/** rig_user() - the callers' user, and whether they have CAP_PERFMON; until rig_free() */
void rig_user(unsigned int user, bool perfmon);

/** rig_bounds() - the driver's bounds in milliseconds; see pto_close_ms, pto_admin_ms, ... */
void rig_bounds(unsigned int close_ms, unsigned int admin_ms, unsigned int heartbeat_ms);

/** rig_watch() - what the home of the driver does once a second */
void rig_watch(struct rig *rig);

/** rig_unshare() - close a file that shares memory, if it is open */
void rig_unshare(struct rig *rig, int fd);

/** rig_gone() - the transport finds the device gone */
void rig_gone(struct rig *rig);

/** rig_count() - how many commands of an opcode the log has, from entry @from on */
unsigned int rig_count(const struct rig *rig, uint16_t opcode, unsigned int from);

/** rig_early() - how often memory was cleared or mapped again although a context had it still */
unsigned int rig_early(const struct rig *rig);

/** rig_waiting() - is there a command of an opcode in a queue that is held? */
bool rig_waiting(struct rig *rig, uint32_t queue, uint16_t opcode);

/** rig_last() - the last command of an opcode, NULL if there was none */
const struct rig_log_entry *rig_last(const struct rig *rig, uint16_t opcode);

/** rig_last_bound() - the queue pair that was bound to a stream last */
uint32_t rig_last_bound(const struct rig *rig);

/** rig_open() - open a context. Return: 0 or what the driver says */
int rig_open(struct rig *rig, struct pto_ctx **ctx);

/** rig_close() - close it */
void rig_close(struct pto_ctx *ctx);

/** rig_ioctl() - an ioctl. Return: as the driver does */
int rig_ioctl(struct pto_ctx *ctx, unsigned int cmd, void *arg);

/**
 * rig_trap() - memory of the application whose first write takes a page fault
 * @arg: what is in it
 * @size: bytes
 * @call: called in the middle of that, while the driver waits
 *
 * Return: the memory; rig_user_free() takes it back.
 */
void *rig_trap(const void *arg, size_t size, void (*call)(void));

/** rig_read_only() - memory of the application that cannot be written */
void *rig_read_only(const void *arg, size_t size);
void rig_user_free(void *page);

/** rig_kill_after() - the next call finds its thread being killed at its nth look for that */
void rig_kill_after(unsigned int looks);

/** rig_kill_late() - at its first look, when it has done what @call does: that came too late */
void rig_kill_late(void (*call)(void));

/** rig_poll() - POLL* bits */
unsigned int rig_poll(struct pto_ctx *ctx);

/* Ioctls in short. Return: 0 or what the driver says. */
int rig_bo(struct pto_ctx *ctx, uint64_t length, struct pto_ioc_bo_create *arg);
int rig_bo_destroy(struct pto_ctx *ctx, uint32_t id);
int rig_export(struct pto_ctx *ctx, uint32_t id, int *fd);
int rig_import(struct pto_ctx *ctx, int fd, struct pto_ioc_bo_import *arg);
int rig_image(struct pto_ctx *ctx, const char *bytes, uint32_t *id);
int rig_image_destroy(struct pto_ctx *ctx, uint32_t id);
int rig_prepare(struct pto_ctx *ctx, int cid, uint32_t image);
int rig_unprepare(struct pto_ctx *ctx, int cid);
int rig_run(struct pto_ctx *ctx, int cid, uint32_t args_bo, uint64_t *id);
int rig_run_on(struct pto_ctx *ctx, uint32_t stream, uint64_t *id);
int rig_run_and_wait(struct pto_ctx *ctx, int cid, struct pto_ioc_run *arg);
int rig_wait(struct pto_ctx *ctx, uint64_t id, uint64_t timeout_ns, struct pto_ioc_wait *arg);
int rig_stats(struct pto_ctx *ctx, struct pto_context_stats *stats);
int rig_usage(struct pto_ctx *ctx, struct pto_device_usage *usage);
int rig_debug_stats(struct pto_ctx *ctx, struct pto_debug_stats *stats);

/** rig_ready() - an image, a callable of it as cid 0, and a buffer. Return: 0 or -errno */
int rig_ready(struct pto_ctx *ctx, struct pto_ioc_bo_create *bo);

/** rig_lose() - a page of device memory that the driver forgets. Return: 0 or -errno */
int rig_lose(struct rig *rig);

/** rig_locks() - how many locks the driver has taken: steps, where time would not do */
unsigned long rig_locks(void);

/** rig_bounded() - how often the driver has bounded this index for speculation by this size */
unsigned int rig_bounded(unsigned long index, unsigned long size);

/** rig_memory() - objects the driver has allocated and not freed */
long rig_memory(void);

/** rig_fail_nth() - the nth allocation from now on fails; see sim_fail_nth() */
void rig_fail_nth(long nth);

/** rig_fail_pending() - it has not failed yet */
bool rig_fail_pending(void);

#endif /* CORE_RIG_H */
