// SPDX-License-Identifier: GPL-2.0
/*
 * PTO_RUN that waits as well. What is wrong with the argument of the wait is found before
 * anything is submitted; what goes wrong later does not hide what was submitted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "table.h"

/* Bytes that the first versions had. */
#define RUN_FIRST	offsetof(struct pto_ioc_run, wait_ptr)
#define WAIT_FIRST	offsetof(struct pto_ioc_wait, task)

/* A bit pattern that no driver writes. */
#define UNTOUCHED	0x5a5a5a5a5a5a5a5aULL

/**
 * struct both - a run, and the wait for it
 * @entry: what runs
 * @run: argument of PTO_RUN
 * @wait: what that waits with, if run.wait_ptr has not been changed
 */
struct both {
	struct pto_run_entry entry;
	struct pto_ioc_run run;
	struct pto_ioc_wait wait;
};

static void both_init(const struct env *env, struct both *both)
{
	memset(both, 0, sizeof(*both));
	both->entry.cid = env->cid;
	both->entry.user_data = 0x123456789abcdef0ULL;
	both->wait.size = sizeof(both->wait);
	both->wait.run = UNTOUCHED;
	both->wait.timeout_ns = pt_deadline();
	both->run = (struct pto_ioc_run) {
		.size = sizeof(both->run),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(both->entry),
		.entries_ptr = (uintptr_t)&both->entry,
		.wait_ptr = (uintptr_t)&both->wait,
		.wait_error = -1,
	};
}

/* A run that waits for gate_open(). */
static void both_at_gate(const struct env *env, struct both *both)
{
	both_init(env, both);
	both->entry.cid = env->gate;
	both->entry.args_bo = env->gate_args.id;
	both->entry.args_size = env->gate_args_bytes;
	gate_close(env);
}

/* RUN must succeed, and its wait end as @want says. */
static void both_row(const struct env *env, int want, struct both *both, const char *name)
{
	row_call(env, 0, PTO_RUN, &both->run, "RUN and wait %s", name);
	row(want, both->run.wait_error, "wait_error of RUN and wait %s", name);
	row_true(both->run.accepted == both->run.count && both->run.first_id,
		 "RUN and wait %s tells what was accepted", name);
}

/* RUN must fail, and nothing be submitted. */
static void refused_row(const struct env *env, int want, struct both *both, const char *name)
{
	row_call(env, want, PTO_RUN, &both->run, "RUN and wait %s", name);
	row_true(both->wait.run == UNTOUCHED && both->run.wait_error == -1,
		 "RUN and wait %s writes nothing", name);
}

/* --- results ---------------------------------------------------------------------- */

static void results(struct env *env)
{
	struct pto_run_entry three[3] = { { .cid = env->cid }, { .cid = env->cid },
					  { .cid = env->cid, .user_data = 3 } };
	struct both both;

	row_true(env->info.features & PTO_FEATURE_RUN_WAIT, "RUN that waits is announced");
	both_init(env, &both);
	memset(&both.wait.status, 0xff, offsetof(struct pto_ioc_wait, pad) -
	       offsetof(struct pto_ioc_wait, status));
	both_row(env, 0, &both, "for one");
	row_true(both.wait.run == both.run.first_id, "RUN and wait tells the run's id");
	row_true(both.wait.status == 0 && both.wait.code == 0 && both.wait.subcode == 0,
		 "RUN and wait tells success");
	row_true(both.wait.user_data == both.entry.user_data,
		 "RUN and wait hands the user data back");
	row_true(both.wait.submit_ns && both.wait.submit_ns <= both.wait.start_ns &&
		 both.wait.start_ns <= both.wait.end_ns && both.wait.end_ns <= pt_now(),
		 "RUN and wait tells the times");

	both_init(env, &both);
	both.run.entries_ptr = (uintptr_t)three;
	both.run.count = 3;
	both_row(env, 0, &both, "for three");
	row_true(both.wait.run == both.run.first_id + 2 && both.wait.user_data == 3,
		 "RUN and wait for three waits for the last");

	both_init(env, &both);
	both.run.entries_ptr = (uintptr_t)three;
	both.run.count = 3;
	three[2].cid = 63;
	row_call(env, 0, PTO_RUN, &both.run, "RUN and wait for two good and a bad one");
	row(0, both.run.wait_error, "wait_error of RUN and wait for two good and a bad one");
	row_true(both.run.accepted == 2 && both.wait.run == both.run.first_id + 1,
		 "RUN and wait for two good and a bad one waits for the second");
}

static void no_wait(struct env *env)
{
	struct both both;

	both_init(env, &both);
	both.run.wait_ptr = 0;
	both_row(env, 0, &both, "without a wait");
	row_true(both.wait.run == UNTOUCHED, "RUN without a wait writes to none");
	pt_finish(env->fd, both.run.first_id);

	both_init(env, &both);
	both.run.size = RUN_FIRST;
	both.run.wait_ptr = KERNEL_POINTER;
	row_call(env, 0, PTO_RUN, &both.run, "RUN of the first size, garbage behind");
	row_true(both.run.wait_error == -1, "RUN of the first size writes no more than that");
	pt_finish(env->fd, both.run.first_id);

	both_init(env, &both);
	both.entry.cid = 63;
	refused_row(env, -ENOENT, &both, "for an empty cid");
	both_init(env, &both);
	both.run.stream = NO_SUCH_ID;
	refused_row(env, -ENOENT, &both, "on no stream");
	both_init(env, &both);
	both.run.size = offsetof(struct pto_ioc_run, wait_error);
	refused_row(env, -EINVAL, &both, "without room for wait_error");
}

/* The device says why a run failed; the driver cannot always hand that on. */
static void failures(struct env *env)
{
	static const struct pt_callable fatal = { .orch = "orch_fatal" };
	int cid = pt_prepare(env->fd, -1, &fatal, NULL);
	char log[256] = "";
	struct both both;

	both_init(env, &both);
	both.entry.cid = cid;
	both.wait.log_ptr = (uintptr_t)log;
	both.wait.log_size = sizeof(log);
	both_row(env, 0, &both, "for what fails");
	row(-EREMOTEIO, both.wait.status, "status of RUN and wait for what fails");
	row_true(*log, "RUN and wait for what fails tells why");

	both_init(env, &both);
	both.entry.cid = cid;
	both.wait.log_ptr = KERNEL_POINTER;
	both.wait.log_size = sizeof(log);
	both_row(env, -EFAULT, &both, "with a log in kernel memory");
	row(-EREMOTEIO, pt_finish(env->fd, both.wait.run), "WAIT for it, without a log");
	pt_unprepare(env->fd, cid);
}

/* --- the argument of the wait --------------------------------------------------------- */

/* A wait at @at, said to have @size bytes; all behind it is zero but for one at @dirty, if any. */
static void wait_at(const struct env *env, struct both *both, void *at, uint32_t size,
		    size_t dirty)
{
	size_t bytes = size < sizeof(both->wait) ? size : sizeof(both->wait);

	both_init(env, both);
	both->wait.size = size;
	memcpy(at, &both->wait, bytes);
	if (dirty)
		((char *)at)[dirty] = 1;
	both->run.wait_ptr = (uintptr_t)at;
}

static void sized(const struct env *env, int want, struct edge *edge, uint32_t size, size_t dirty,
		  const char *name)
{
	struct both both;

	memset(edge->start, 0, EDGE_BYTES);
	wait_at(env, &both, edge->start, size, dirty);
	if (want)
		refused_row(env, want, &both, name);
	else
		both_row(env, 0, &both, name);
}

static void sizes(struct env *env, struct edge *edge)
{
	size_t known = sizeof(struct pto_ioc_wait);
	size_t page = sysconf(_SC_PAGESIZE);

	sized(env, -EINVAL, edge, 0, 0, "of size 0");
	sized(env, -EINVAL, edge, 4, 0, "of the size of the field itself");
	sized(env, -EINVAL, edge, WAIT_FIRST - 1, 0, "of a size 1 too short");
	sized(env, -EINVAL, edge, WAIT_FIRST - 4, 0, "of a size 4 too short");
	sized(env, 0, edge, WAIT_FIRST, WAIT_FIRST, "of the size of the first version");
	row_true(edge->start[WAIT_FIRST] == 1, "RUN and wait writes no more than the size says");
	sized(env, 0, edge, known, known, "of the exact size, garbage behind");
	sized(env, 0, edge, known + 8, 0, "of a size 8 longer, zero");
	sized(env, 0, edge, page, 0, "of a size of a page, zero");
	sized(env, -E2BIG, edge, known + 1, known, "of a size 1 longer, garbage");
	sized(env, -E2BIG, edge, page, page - 1, "of a size of a page, garbage");
	sized(env, -E2BIG, edge, page + 1, 0, "of a size 1 more than a page, zero");
	sized(env, -E2BIG, edge, UINT32_MAX, 0, "of a size of 4 GiB");
}

static void fields(struct env *env)
{
	struct both both;

	both_init(env, &both);
	both.wait.flags = 1;
	refused_row(env, -EOPNOTSUPP, &both, "with flag 0");
	both_init(env, &both);
	both.wait.flags = 1U << 31;
	refused_row(env, -EOPNOTSUPP, &both, "with flag 31");
	both_init(env, &both);
	both.wait.pad = 1U << 31;
	refused_row(env, -EINVAL, &both, "with padding");
	both_init(env, &both);
	both.wait.pad2 = 1;
	refused_row(env, -EINVAL, &both, "with more padding");
}

static void pointer_row(const struct env *env, uint64_t ptr, const char *name)
{
	struct both both;

	both_init(env, &both);
	both.run.wait_ptr = ptr;
	refused_row(env, -EFAULT, &both, name);
}

static void pointers(struct env *env, struct edge *edge)
{
	char *at = edge->end - sizeof(struct pto_ioc_wait);
	struct both both;

	pointer_row(env, 1, "at 1");
	pointer_row(env, KERNEL_POINTER, "at a kernel address");
	pointer_row(env, NONCANONICAL_POINTER, "at a non-canonical address");
	pointer_row(env, (uintptr_t)edge->end, "in an unmapped page");
	pointer_row(env, (uintptr_t)edge->end - 2, "with half a size field");
	wait_at(env, &both, at, sizeof(both.wait), 0);
	both_row(env, 0, &both, "up to the end of a page");
	memset(edge->start, 0, EDGE_BYTES);
	wait_at(env, &both, at, sizeof(both.wait), 0);
	memmove(at + 1, at, sizeof(both.wait) - 1);
	both.run.wait_ptr++;
	refused_row(env, -EFAULT, &both, "over the end of a page");
	memset(edge->start, 0, EDGE_BYTES);
	wait_at(env, &both, at, sizeof(both.wait) + 8, 0);
	refused_row(env, -EFAULT, &both, "with its tail over the end of a page");
	wait_at(env, &both, edge->start, sizeof(both.wait), 0);
	mprotect(edge->start, EDGE_BYTES, PROT_READ);
	refused_row(env, -EFAULT, &both, "in read-only memory");
	mprotect(edge->start, EDGE_BYTES, PROT_READ | PROT_WRITE);
}

/* --- a wait that ends before the run ---------------------------------------------------- */

static void timeout_row(struct env *env, uint64_t timeout_ns, const char *name)
{
	struct both both;

	both_at_gate(env, &both);
	both.wait.timeout_ns = timeout_ns;
	both_row(env, -ETIMEDOUT, &both, name);
	row_true(both.wait.run == both.run.first_id, "RUN and wait %s tells what to wait for",
		 name);
	row(-ETIMEDOUT, pt_ioctl(env->fd, PTO_WAIT, &both.wait), "WAIT for it as long");
	gate_open(env, both.run.first_id);
	row(0, pt_ioctl(env->fd, PTO_WAIT, &both.wait), "WAIT for it when it has ended");
}

static void signal_rows(struct env *env)
{
	struct both both;
	struct rain rain;

	both_at_gate(env, &both);
	both.wait.timeout_ns = PTO_WAIT_FOREVER;
	rain_begin(&rain, 0);
	both_row(env, -EINTR, &both, "with a signal");
	rain_end(&rain);
	gate_open(env, both.run.first_id);
	row(0, pt_ioctl(env->fd, PTO_WAIT, &both.wait), "WAIT for it after the signal");
}

/* The wait may end or go on, but the call must not begin again: it has submitted. */
static void restart_rows(struct env *env)
{
	struct pto_context_stats before, after;
	struct both both;
	struct rain rain;

	both_at_gate(env, &both);
	both.wait.timeout_ns = pt_now() + 20000000;
	pt_stats(env->fd, &before);
	rain_begin(&rain, SA_RESTART);
	row_call(env, 0, PTO_RUN, &both.run, "RUN and wait with signals that restart calls");
	rain_end(&rain);
	pt_stats(env->fd, &after);
	row_true(both.run.wait_error == -EINTR || both.run.wait_error == -ETIMEDOUT,
		 "RUN and wait with signals that restart calls is interrupted or goes on");
	row_true(after.runs_submitted == before.runs_submitted + 1,
		 "RUN and wait with signals that restart calls submits once");
	gate_open(env, both.run.first_id);
	row(0, pt_ioctl(env->fd, PTO_WAIT, &both.wait), "WAIT for it after the signals");
}

/* --- memory that goes away during the wait ------------------------------------------------ */

struct caller {
	const struct env *env;
	struct pto_ioc_run *run;
	int ret;
};

static void *call(void *arg)
{
	struct caller *caller = arg;

	caller->ret = pt_ioctl(caller->env->fd, PTO_RUN, caller->run);
	return NULL;
}

/*
 * A thread that waits for a run at the gate, with both arguments at the edge; @read_only bytes
 * of that lose their writability meanwhile.
 */
static void loses(struct env *env, struct edge *edge, size_t read_only, int want,
		  const char *name)
{
	struct pto_ioc_run *run = (struct pto_ioc_run *)(edge->start + EDGE_BYTES / 2);
	struct pto_ioc_wait *wait = (struct pto_ioc_wait *)edge->start;
	struct caller caller = { .env = env, .run = run, .ret = 1 };
	pthread_t thread;
	struct both both;

	both_at_gate(env, &both);
	*wait = both.wait;
	*run = both.run;
	run->wait_ptr = (uintptr_t)wait;
	if (pthread_create(&thread, NULL, call, &caller))
		return;
	while (__atomic_load_n(&wait->run, __ATOMIC_ACQUIRE) == UNTOUCHED)
		pt_pause();
	row_true(run->accepted == 1 && run->first_id == wait->run &&
		 run->wait_error == -EINPROGRESS, "RUN and wait tells before it waits: %s", name);
	mprotect(edge->start, read_only, PROT_READ);
	__atomic_store_n((uint32_t *)env->gate_data.map, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	mprotect(edge->start, read_only, PROT_READ | PROT_WRITE);
	row(0, caller.ret, "RUN and wait, then %s", name);
	row(want, run->wait_error, "wait_error of RUN and wait, then %s", name);
	row(0, pt_finish(env->fd, run->first_id), "WAIT for it after %s", name);
}

void rows_of_run_waits(struct env *env)
{
	struct edge edge;

	edge_new(&edge);
	results(env);
	no_wait(env);
	failures(env);
	sizes(env, &edge);
	fields(env);
	pointers(env, &edge);
	timeout_row(env, 0, "without time");
	timeout_row(env, pt_now() - 1, "until the past");
	timeout_row(env, pt_now() + 1000000, "for a millisecond");
	signal_rows(env);
	restart_rows(env);
	loses(env, &edge, EDGE_BYTES / 2, -EFAULT, "the wait becomes read-only");
	loses(env, &edge, EDGE_BYTES, -EINPROGRESS, "all becomes read-only");
	edge_free(&edge);
}
