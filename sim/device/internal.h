/* SPDX-License-Identifier: MIT */
/*
 * The software device's private header: interfaces between its files. The engine (engine.h) does
 * not depend on them.
 *
 * Processes and threads
 *
 *   home process   called ptodev_create(); rings doorbells, has the window mapped
 *   admin          serves the admin queue and the queues of dead contexts. A thread of the
 *                  home process; if contexts are processes, a process of its own (the
 *                  supervisor), which has a single thread and so can fork at any time
 *   context        serves the queues of one hardware context. Two threads of the home
 *                  process, or of a child of the supervisor: one executes the runs and
 *                  serves the streams, the other one serves the control queue beside it
 *
 * One anonymous shared mapping has their shared data: a struct dev_shared, then a page for each
 * context (struct ctx_page). A context process has only its own page mapped, and the admin does
 * not trust the page's contents where that could harm another context.
 *
 * Locking
 *
 *   context.lock   mutex that protects what control commands change and runs look up: mappings,
 *                  arenas, callables, and what the current run uses of them. Held for a look or
 *                  a change.
 *   ctx_page.lock  spin lock that protects a context's queue pairs, the list of them, and telling
 *                  code to end. Held for some dozen instructions and for a wake-up, never over a
 *                  call that can block. No thread holds both.
 *
 * Lifetime: a context keeps its page, and in thread mode its struct context, until the admin knows
 * that it has ended. A thread that cannot be stopped keeps both, and does not access a queue again
 * because ->revoked is set. The mapping exists as long as the device, so a late doorbell rings a
 * valid bell, though maybe of another context.
 */
#ifndef PTO_SIM_DEVICE_INTERNAL_H
#define PTO_SIM_DEVICE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/pto_device.h>
#include "device.h"
#include "engine.h"
#include "patience.h"

/** NSEC_PER_MSEC, NSEC_PER_SEC: units of time */
#define NSEC_PER_USEC		1000ULL
#define NSEC_PER_MSEC		1000000ULL
#define NSEC_PER_SEC		1000000000ULL

/*
 * How long a consumer polls its empty queues before it sleeps. At first it spins, so that it is
 * awake for a caller that runs one callable after the other. Then it yields between looks, so that
 * many contexts make progress on few processors. On a machine with one processor it does neither.
 * The times are a choice and not a machine's: how long such a caller may take between two runs, and
 * how much processor time a consumer may waste on it.
 */
#define IDLE_SPIN_NS		(10 * NSEC_PER_USEC)
#define IDLE_YIELD_NS		(40 * NSEC_PER_USEC)

/* Longest sleep of a consumer; also the period of the heartbeat. */
#define IDLE_SLEEP_NS		(500 * NSEC_PER_MSEC)

/*
 * The longest sleep of a step of waiting for another thread or process, and the limit for the time
 * of a step that counts: on a machine that stalls, the other one does not run either.
 */
#define PAUSE_NS		NSEC_PER_MSEC
#define PAUSE_MOST_NS		(2 * PAUSE_NS)

/*
 * A run that has exceeded its bound by this much is told to end. The engine, which knows more
 * about the run, should have ended it before.
 */
#define EXPIRE_GRACE_NS		(500 * NSEC_PER_MSEC)

static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* How long the engine may take to make a thread leave code that hangs. */
#define LEAVE_BOUND_NS		NSEC_PER_SEC

/*
 * How long a context may take to end, and a process to start. No start takes that long on any
 * machine, but one that hangs must not make the other contexts wait for ever.
 */
#define STOP_BOUND_NS		(2 * NSEC_PER_SEC)
#define START_BOUND_NS		(60 * NSEC_PER_SEC)

/* How often the admin looks why a context keeps a lock, and how much of a proof it takes. */
#define LOCK_LOOK_NS		(10 * NSEC_PER_MSEC)
#define STUCK_NS		(2 * NSEC_PER_SEC)
#define STOPPED_NS		(30 * NSEC_PER_SEC)

/* Geometry that this device announces. */
#ifndef QUEUE_DEPTH		/* smaller in a model check */
#define QUEUE_DEPTH		1024u
#endif
#define QUEUES_PER_CONTEXT	8u	/* on average; see CTX_QUEUES */
#define MAX_CONTEXTS		1024u

/* Queues that one context can have, its control queue included. */
#define CTX_QUEUES		64u

/* Largest object that is loaded. */
#define MAX_IMAGE_SIZE		(256ULL << 20)

/**
 * struct bell - a futex that a consumer sleeps on; in shared memory
 * @rung: number of rings
 * @sleeping: the consumer sleeps, or is about to
 */
struct bell {
	atomic_uint rung;
	atomic_uint sleeping;
};

unsigned int bell_prepare(struct bell *bell);
void bell_sleep(struct bell *bell, unsigned int rung, uint64_t ns);
void bell_ring(struct bell *bell);

/**
 * struct queue_slot - a queue pair that a context serves; in shared memory
 * @index: number of the pair; 0 if the slot is free
 * @head: next SQ entry to fetch
 * @done: next CQ entry to write
 * @pad: unused
 */
struct queue_slot {
	uint32_t index;
	uint32_t head;
	uint32_t done;
	uint32_t pad;
};

/**
 * struct queue - a consumer's view of a queue pair
 * @pair: the pair in the window
 * @slot: the consumer's indices
 * @cq_head: the driver's index as last read
 */
struct queue {
	struct pto_dev_queue *pair;
	struct queue_slot *slot;
	uint32_t cq_head;
};

/**
 * struct outcome - result of a command
 * @status: PTO_DEV_*
 * @detail: for struct pto_dev_cqe
 * @start_ns: when the command began
 * @report: why it failed; its id is filled in when it is sent
 */
struct outcome {
	uint32_t status;
	uint64_t detail;
	uint64_t start_ns;
	struct pto_dev_report report;
};

void outcome_init(struct outcome *out);
void outcome_fail(struct outcome *out, uint32_t status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool queue_pristine(const struct pto_dev_queue *pair);
void queue_attach(struct queue *q, struct pto_dev_queue *pair, struct queue_slot *slot);
bool queue_pending(struct queue *q);
bool queue_fetch(struct queue *q, struct pto_dev_cmd *cmd, uint32_t *index);
bool queue_peek(struct queue *q, uint32_t ahead, struct pto_dev_cmd *cmd);
bool queue_complete(struct queue *q, struct outcome *out);
void queue_arm(struct queue *q, bool armed);

/* struct ctx_page.state */
#define CTX_STARTING		0u
#define CTX_RUNNING		1u
#define CTX_FAILED		2u	/* did not start: see ->error */
#define CTX_ENDED		3u	/* the thread accesses nothing any more */
#define CTX_LOST		4u	/* the thread has ended, but a kernel may still run */

/* ctx_watch.until of code that has been told to end. */
#define RUN_EXPIRED		UINT64_MAX

/**
 * struct ctx_watch - code of a program that executes, for the watchdog
 * @until: when it has to end; 0 if none executes; RUN_EXPIRED once the admin has told it to end,
 *	which it does with the page's lock held
 * @patience: not 0 if it has to end only when nothing has moved for so long, and not before
 *	@until
 * @progress: changes while it makes progress, or a kernel runs
 * @lost: 1: it cannot be made to end
 */
struct ctx_watch {
	atomic_ullong until;
	atomic_ullong patience;
	uint32_t progress;
	uint32_t lost;
};

/* The threads of a context. */
#define CTX_STREAMS		0	/* executes runs, serves the streams */
#define CTX_CONTROL		1	/* loads and unloads, serves the control queue */
#define CTX_SERVERS		2

/* struct fault_record.where */
#define FAULT_SOMEWHERE		0u
#define FAULT_ORCHESTRATION	1u
#define FAULT_KERNEL		2u
#define FAULT_OBJECT		3u

/**
 * struct fault_record - record that a crashing context process writes
 * @valid: the record has been written
 * @signal: the signal
 * @address: the address that could not be accessed
 * @ip: address of the instruction
 * @where: FAULT_*: kind of code that the thread was executing
 * @func_id: FAULT_KERNEL: the kernel
 * @task: FAULT_KERNEL: its task
 * @offset: bytes from the entry of that code to @ip; at least MAX_IMAGE_SIZE if @ip is elsewhere
 */
struct fault_record {
	atomic_uint valid;
	int32_t signal;
	uint64_t address;
	uint64_t ip;
	uint32_t where;
	uint32_t func_id;
	uint64_t task;
	uint64_t offset;
};

/**
 * struct ctx_page - data that a context and the admin share
 * @bells: its threads sleep on them
 * @lock: see above; the holder's thread id, or 0
 * @state: CTX_*; written by the context
 * @error: errno of CTX_FAILED
 * @stop: written by the admin: the context shall end
 * @control: number of the pair of its control queue
 * @watches: the current run, and the current LOAD or UNLOAD
 * @costs: what its engine reckons with; written before @state is CTX_RUNNING
 * @revoked: written by the admin: the context must not access its queues any more
 * @bound: number of changes of @slots
 * @current: by thread, the slot whose command is executing, plus 1; 0 if none
 * @top: number of slots that have been in use so far
 * @slots: the queues; slot 0 is the control queue
 * @fault: record of a crash
 */
struct ctx_page {
	struct bell bells[CTX_SERVERS];
	atomic_uint lock;
	atomic_uint state;
	int32_t error;
	atomic_uint stop;
	atomic_uint control;
	struct ctx_watch watches[CTX_SERVERS];
	struct pto_dev_costs costs;
	uint32_t revoked;
	uint32_t bound;
	uint32_t current[CTX_SERVERS];
	uint32_t top;
	struct queue_slot slots[CTX_QUEUES];
	struct fault_record fault;
} __attribute__((aligned(PTO_DEV_PAGE_SIZE)));

void ctx_page_lock(struct ctx_page *page);
bool ctx_page_trylock(struct ctx_page *page, uint64_t bound_ns);
void ctx_page_unlock(struct ctx_page *page);
void ctx_page_new_thread(void);

/**
 * struct dev_shared - data that the home process and the admin share
 * @bell: the admin sleeps on it
 * @stop: written by the home process: the admin shall end
 * @ready: written by the admin: the device is ready
 * @owner: server of each queue pair: 0 for the admin, else the number of a context page;
 *	QUEUE_FREE if it is not bound
 */
struct dev_shared {
	struct bell bell;
	atomic_uint stop;
	atomic_uint ready;
	atomic_uint owner[];
};

#define QUEUE_FREE		UINT32_MAX

/* State of a context, as the admin knows it. */
enum ctx_life {
	LIFE_NONE,	/* the id is free */
	LIFE_ALIVE,	/* it serves its queues */
	LIFE_DEAD,	/* the admin completes its commands until CTX_DESTROY */
};

/**
 * struct watched - what the admin knows of a struct ctx_watch
 * @until: ctx_watch.until when it was last looked at
 * @overdue_ns: when that was first seen to have passed, 0 if it has not; this and the other
 *	times by patience_ns()
 * @expired_ns: when the code was told to end, 0 if it was not
 * @progress: ctx_watch.progress when it was last looked at
 * @moved_ns: when that, or @until, was seen to change
 */
struct watched {
	unsigned long long until;
	uint32_t progress;
	uint64_t overdue_ns;
	uint64_t expired_ns;
	uint64_t moved_ns;
};

/**
 * struct stuck - what the admin has seen of a thread that keeps a page's lock
 * @holder: the thread, 0 before the first look
 * @since: when it was first seen to have it; this and @awake by patience_ns()
 * @awake: when it was last seen not to sleep
 * @used: its processor time at the first look
 */
struct stuck {
	uint32_t holder;
	uint64_t since;
	uint64_t awake;
	uint64_t used;
};

/**
 * struct ctx_home - the admin's private record of a context
 * @life: see enum ctx_life
 * @page: number of the page that it shares with the context
 * @queues: pairs bound to it by slot, as the admin has bound them; 0 if none
 * @watched: what its threads execute
 * @overdue: the thread whose code did not end within its bound, if it is LIFE_DEAD because of that
 * @stop_until: when it has to have ended, 0 if it has not been asked to
 * @status: PTO_DEV_* of every command when LIFE_DEAD
 * @why: report of every command when LIFE_DEAD
 * @thread: thread mode: its thread
 * @context: thread mode: its state
 * @pid: process mode: its process, 0 when reaped
 */
struct ctx_home {
	enum ctx_life life;
	uint32_t page;
	uint32_t queues[CTX_QUEUES];
	struct watched watched[CTX_SERVERS];
	uint32_t overdue;
	uint64_t stop_until;
	uint32_t status;
	struct pto_dev_report why;
	pthread_t thread;
	struct context *context;
	pid_t pid;
};

/**
 * struct arch - an architecture, as programs see it
 * @arch: PTO_ARCH_*
 * @name: readable name
 * @clusters: clusters
 * @aic: AIC cores
 * @aiv: AIV cores
 * @aicpu_threads: control processor threads
 */
struct arch {
	uint32_t arch;
	const char *name;
	uint32_t clusters;
	uint32_t aic;
	uint32_t aiv;
	uint32_t aicpu_threads;
};

/**
 * struct abandoned - a context thread that could not be stopped
 * @next: the next one
 * @thread: the thread
 * @context: its state
 * @page: number of the page that it still holds
 */
struct abandoned {
	struct abandoned *next;
	pthread_t thread;
	struct context *context;
	uint32_t page;
};

/**
 * struct ptodev - a device
 * @next: next one that is kept for its abandoned threads
 * @config: as given, defaults resolved
 * @arch: its architecture
 * @any_memory: nobody has asked for so much memory, it is the default
 * @memory_fd: the window; -1 if ptodev_take_memory_fd() has given it away
 * @window: the window, mapped
 * @queue_count: queue pairs
 * @queue_stride: bytes from one to the next
 * @queue_offset: window offset of pair 0
 * @heap_offset: window offset of the memory that the driver allocates
 * @shared: shared with the admin
 * @shared_size: bytes of @shared and the context pages behind it
 * @pages: the context pages, counted from 1; more than contexts, because an abandoned
 *	thread keeps its page
 * @page_stride: bytes from one to the next: a context process maps its own
 * @page_count: number of context pages
 * @spin: the machine has more than one processor, so consumers may spin
 * @admin_queue: admin: the admin queue
 * @admin_slot: admin: its indices in the admin queue
 * @contexts: admin: contexts by id; [0] is unused
 * @page_refs: admin: users of each context page: the context's record and, if it was
 *	abandoned, its thread
 * @dead: admin: contexts that are LIFE_DEAD
 * @abandoned: admin: threads that could not be stopped
 * @heartbeat_ns: admin: when the heartbeat is due
 * @watchdog_ns: admin: when the watchdog is due
 * @patience: see patience_ns()
 * @runs: number of runs begun, if faults are injected
 * @admin_thread: thread mode: the admin
 * @supervisor: process mode: the admin, 0 if none
 * @supervisor_fd: process mode: pidfd of it
 * @parent: process mode: pid of the home process
 */
struct ptodev {
	struct ptodev *next;
	struct ptodev_config config;
	const struct arch *arch;
	bool any_memory;
	int memory_fd;
	uint8_t *window;
	uint32_t queue_count;
	uint32_t queue_stride;
	uint64_t queue_offset;
	uint64_t heap_offset;
	struct dev_shared *shared;
	size_t shared_size;
	struct ctx_page *pages;
	size_t page_stride;
	uint32_t page_count;
	bool spin;

	struct queue admin_queue;
	struct queue_slot admin_slot;
	struct ctx_home *contexts;
	uint8_t *page_refs;
	uint32_t dead;
	struct abandoned *abandoned;
	uint64_t heartbeat_ns;
	uint64_t watchdog_ns;
	struct patience patience;
	atomic_ullong runs;
	pthread_t admin_thread;
	pid_t supervisor;
	int supervisor_fd;
	pid_t parent;
};

/* device.c */
uint64_t clock_ns(void);
struct ctx_page *ptodev_page(const struct ptodev *dev, uint32_t number);
bool ptodev_heap_range(const struct ptodev *dev, uint64_t addr, uint64_t size, uint64_t *offset);
struct pto_dev_queue *ptodev_pair(const struct ptodev *dev, uint32_t index);
void ptodev_interrupt(const struct ptodev *dev);

/* window.c: access of a context to the window, in either home */
int window_make(struct ptodev *dev);
int window_hide_all(struct ptodev *dev);
int window_show(struct ptodev *dev, uint64_t offset, uint64_t size, uint32_t prot);
int window_hide(struct ptodev *dev, uint64_t offset, uint64_t size);
const void *window_peek(struct ptodev *dev, uint64_t offset, uint64_t size);
void window_peek_end(struct ptodev *dev, const void *addr, uint64_t size);
int window_read(struct ptodev *dev, uint64_t offset, void *buffer, size_t size);
int sealed_memfd(const char *name);

/* admin.c */
void admin_main(struct ptodev *dev);
void admin_meanwhile(struct ptodev *dev);

/* watchdog.c */
void watchdog_check(struct ptodev *dev);

/* bury.c: contexts that have ended */
void context_bury(struct ptodev *dev, uint32_t id, uint32_t status,
		  const struct pto_dev_report *why);
bool context_serve_dead(struct ptodev *dev, uint32_t id);
bool context_arm_dead(struct ptodev *dev, uint32_t id, bool armed);

/* home.c: contexts that are threads or processes */
int home_start(struct ptodev *dev, uint32_t id);
void home_ask(struct ptodev *dev, uint32_t id);
void home_stop(struct ptodev *dev, uint32_t id, uint64_t bound_ns);
void home_expire(struct ptodev *dev, uint32_t id, uint32_t server);
void home_stop_all(struct ptodev *dev);
void home_reap(struct ptodev *dev);
bool home_stuck(struct ptodev *dev, uint32_t id, struct stuck *stuck);
uint64_t patience_ns(struct ptodev *dev);
void pause_step(unsigned int *tries);
bool pause_until(struct ptodev *dev, unsigned int *tries, uint64_t until);

/* thread.c: contexts that are threads */
int thread_start(struct ptodev *dev, uint32_t id);
void thread_ask(struct ptodev *dev, uint32_t id);
void thread_expire(struct ptodev *dev, uint32_t id, uint32_t server);
void thread_stop(struct ptodev *dev, uint32_t id, uint64_t until);
void thread_reap(struct ptodev *dev);
int device_thread_create(pthread_t *thread, void *(*main)(void *), void *arg);

/* process.c: contexts that are processes */
int process_start(struct ptodev *dev, uint32_t id);
void process_ask(struct ptodev *dev, uint32_t id);
void process_expire(struct ptodev *dev, uint32_t id);
void process_stop(struct ptodev *dev, uint32_t id, uint64_t until);
void process_reap(struct ptodev *dev);
bool process_stuck(struct ptodev *dev, uint32_t id, struct stuck *stuck);

/* supervisor.c: the parent of the context processes */
int supervisor_start(struct ptodev *dev);
void supervisor_stop(struct ptodev *dev);
bool supervisor_orphaned(const struct ptodev *dev);

/* crash.c */
void crash_watch(void);

/* fault.c */
uint64_t fault_ip(const void *ucontext);
void fault_watch_thread(void);
void fault_watch(struct context *ctx);
void fault_describe(const struct ctx_page *page, int how, int what, struct pto_dev_report *why);
void report_text(struct pto_dev_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A context, where it executes.
 */

/**
 * struct map_range - memory that a context may access
 * @addr: device address
 * @size: bytes
 * @prot: PTO_DEV_PROT_*
 */
struct map_range {
	uint64_t addr;
	uint64_t size;
	uint32_t prot;
};

/**
 * struct map_table - ranges that a context may access, sorted by address, without overlaps
 * @ranges: array of @count with room for @room
 * @count: ranges
 * @room: allocated
 */
struct map_table {
	struct map_range *ranges;
	size_t count;
	size_t room;
};

int map_table_insert(struct map_table *table, const struct map_range *range);
int map_table_remove(struct map_table *table, uint64_t addr, uint64_t size);
bool map_table_covers(const struct map_table *table, uint64_t addr, uint64_t size, uint32_t prot);
void map_table_free(struct map_table *table);

struct callable;
struct kernel;
struct object;

/**
 * struct object_code - constructors and destructors of an object
 * @init: function, 0 if there is none
 * @init_array: functions that are called after @init
 * @init_count: number of functions in @init_array
 * @fini: function, 0 if there is none
 * @fini_array: functions that are called before @fini, the last first
 * @fini_count: number of functions in @fini_array
 *
 * Addresses are relative to the load address of the object.
 */
struct object_code {
	uint64_t init;
	uint64_t init_array;
	uint64_t init_count;
	uint64_t fini;
	uint64_t fini_array;
	uint64_t fini_count;
};

#define KERNEL_BUCKETS		64u

/**
 * struct loader - the objects of a context
 * @engine: calls their constructors and destructors
 * @hung: one of them did not return to the current command: no other one is called
 * @callables: by handle; a run looks its own up while another one is loaded
 * @kernels: hash table of kernel objects by image id
 * @retired: objects of which threads still have destructors to call
 */
struct loader {
	struct pto_engine *engine;
	bool hung;
	struct callable *_Atomic callables[PTO_DEV_MAX_HANDLES];
	struct kernel *kernels[KERNEL_BUCKETS];
	struct object *retired;
};

void loader_load(struct ptodev *dev, struct loader *loader, const struct pto_dev_cmd_load *cmd,
		 struct outcome *out);
void loader_unload(struct loader *loader, uint32_t handle, struct outcome *out);
void loader_free(struct loader *loader);
const struct pto_engine_callable *loader_callable(const struct loader *loader, uint32_t handle);

/* object.c: one object file */
struct object *object_open(struct ptodev *dev, struct loader *loader, uint64_t addr, uint64_t size,
			   const char *label, struct outcome *out);
void *object_symbol(const struct object *object, const char *symbol);
struct pto_engine_range object_range(const struct object *object);
void object_close(struct loader *loader, struct object *object);
void object_tidy(struct loader *loader);

/* elf.c: checks and changes of an object before it is loaded */
void elf_take_code(void *image, struct object_code *code);
int elf_check(const void *image, uint64_t size, const char **why);

#define CTX_ARENAS		64u

/**
 * struct arena - an arena bound in a context
 * @addr: device address; 0 if the entry is free
 * @size: bytes
 */
struct arena {
	uint64_t addr;
	uint64_t size;
};

/**
 * struct context - a hardware context, where it executes
 * @dev: the device
 * @id: its number
 * @page: shared with the admin
 * @queues: its queues by slot; @queues[i].pair is NULL if there is none
 * @indices: number of the pair in each slot; 0 if none
 * @bound: page->bound at the last update of @queues
 * @top: slots in use are below this; this and the members before it: the page's lock
 * @engine: executes the runs
 * @lost: a kernel has outlived its run: memory that it may use is not freed any more
 * @control: the thread of the control queue
 * @lock: protects the following members except @args: the control thread takes it for changes, the
 *	other one to read
 * @changed: for @control_over
 * @control_over: the control thread executes no command any more
 * @running: the callable that it executes, or NULL
 * @running_in: the arena of that run, 0 if there is none
 * @unloading: the handle that is being unloaded, plus 1; 0 if none is
 * @maps: memory that it may access; written by the control thread
 * @loader: its objects; written by the control thread
 * @arenas: its arenas; written by the control thread
 * @args: private copy of a run's arguments, PTO_RUN_ARGS_SIZE of the caps
 */
struct context {
	struct ptodev *dev;
	uint32_t id;
	struct ctx_page *page;
	struct queue queues[CTX_QUEUES];
	uint32_t indices[CTX_QUEUES];
	uint32_t bound;
	uint32_t top;
	struct pto_engine *engine;
	atomic_bool lost;
	pthread_t control;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool control_over;
	const struct pto_engine_callable *running;
	uint64_t running_in;
	uint32_t unloading;
	struct map_table maps;
	struct loader loader;
	struct arena arenas[CTX_ARENAS];
	struct pto_run_args *args;
};

/**
 * struct server - a thread of a context, which serves some of its queues
 * @ctx: the context
 * @which: CTX_*
 * @first: its first slot
 * @end: and that behind its last one
 * @turn: counts from @first: the slot to be looked at first
 */
struct server {
	struct context *ctx;
	uint32_t which;
	uint32_t first;
	uint32_t end;
	uint32_t turn;
};

extern __thread bool context_loading;
void context_serve(struct server *server);
int context_start_control(struct context *ctx);
void context_end_control(struct context *ctx);
struct context *context_new(struct ptodev *dev, uint32_t id, struct ctx_page *page, int *error);
void context_main(struct context *ctx);
void context_free(struct context *ctx);

/* command.c: the commands of a context */
void context_tidy(struct context *ctx, uint32_t server);
void context_execute(struct context *ctx, bool control, const struct pto_dev_cmd *cmd,
		     struct outcome *out);
bool context_covers(struct context *ctx, uint64_t addr, uint64_t size, uint32_t prot);
bool cmd_well_formed(const struct pto_dev_cmd *cmd, size_t used, struct outcome *out);

/* args.c */
const struct pto_run_args *args_fetch(struct context *ctx, const struct pto_dev_cmd_run *cmd,
				      struct outcome *out);

#endif /* PTO_SIM_DEVICE_INTERNAL_H */
