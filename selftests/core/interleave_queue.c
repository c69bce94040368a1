// SPDX-License-Identifier: GPL-2.0
/*
 * Model check of the queue protocol: driver and device put commands and completions into shared
 * memory, and each tells the other one only if that sleeps. All of kmod/core, and the queues,
 * the bell and the loop of the device's contexts, compiled against the explorer; see
 * queue_machine.h. Nobody ever wakes because time has passed: a doorbell, an interrupt or a
 * wake-up that is lost is a thread that waits for ever.
 *
 * Checked in every order: who waits for a run is told when it has ended, whoever takes the
 * completion; who polls wakes when there is something to be read; no entry of a queue is
 * read before it is written, nor written before it was read; what is given up is freed without
 * anybody asking, after the runs that use it have ended and the device has forgotten it. Then
 * the same without each of the barriers, without locks, and with operations that misbehave.
 *
 *	interleave_queue [LIMIT]
 */
#include <stdio.h>

#include "../runtime/explore_suite.h"
#include "queue_machine.h"

static uint64_t run_id[4];

/* --- programs ----------------------------------------------------------------------- */

static void run_and_wait(void)
{
	machine_run_and_wait();
}

static void run_and_wait_twice(void)
{
	machine_run_and_wait();
	machine_run_and_wait();
}

static void run(void)
{
	machine_run(PTO_STREAM_DEFAULT, 0);
}

/* Before the threads begin, so that the device has something to do at once. */
static void run_first(void)
{
	run_id[0] = machine_run(PTO_STREAM_DEFAULT, 0);
}

static void wait_first(void)
{
	machine_wait(run_id[0]);
}

/* Takes completions, and sleeps never. */
static void look(void)
{
	machine_done(run_id[0]);
	machine_done(run_id[0]);
}

static void poll(void)
{
	machine_poll();
}

/* Who polls may wake and find that the result has been read; and has to wake again. */
static void run_and_wait_then_run(void)
{
	machine_run_and_wait();
	machine_run(PTO_STREAM_DEFAULT, 0);
}

/* The queue is armed, somebody has polled, and all that there was has been read. */
static void leave_armed(void)
{
	machine_hold(true);
	run_first();
	machine_poll_once();
	machine_hold(false);
	machine_wait(run_id[0]);
}

/* The interrupt comes late, while somebody begins to poll once more. */
static void late_interrupt_and_run(void)
{
	machine_late_interrupt();
	machine_until_asleep();
	run();
}

static void join_stream(void)
{
	machine_join_stream(PTO_STREAM_DEFAULT);
}

/* Nobody asks for it: it is the work's to free what was given up. */

static uint32_t bo;

static void give_up_buffer(void)
{
	machine_bo_destroy(bo);
	machine_until_freed(1);
}

static void make_buffer(void)
{
	bo = machine_bo();
}

static void run_in_buffer(void)
{
	uint64_t id = machine_try_run(bo);

	if (id)
		machine_wait(id);
}

/* A second one, while the work is about to look for what has been given up. */

static uint32_t second;

static void make_two_buffers(void)
{
	make_buffer();
	second = machine_bo();
	machine_listen();
}

static void give_up_two(void)
{
	machine_bo_destroy(bo);
	machine_until_woken();
	machine_bo_destroy(second);
	machine_until_freed(2);
}

static void run_in_second(void)
{
	machine_until_woken();
	machine_try_run(second);
}

/* Its run has been submitted, and may be executing. */
static void buffer_in_flight(void)
{
	make_buffer();
	machine_hold(true);
	machine_run(PTO_STREAM_DEFAULT, bo);
}

static void buffer_of_two_streams(void)
{
	uint32_t stream = machine_stream();

	make_buffer();
	machine_hold(true);
	machine_run(PTO_STREAM_DEFAULT, bo);
	machine_run(stream, bo);
}

#define PROGRAM(id, ...) \
	{ .name = #id, .data = &(const struct machine_program){ __VA_ARGS__ } }
#define LONG_PROGRAM(id, ...) \
	{ .name = #id, .times = 3, .data = &(const struct machine_program){ __VA_ARGS__ } }

static const struct explore_scenario scenarios[] = {
	PROGRAM(run_and_wait, .thread = { run_and_wait }),
	PROGRAM(run_and_wait_twice, .thread = { run_and_wait_twice }),
	PROGRAM(irq_thread, .thread = { run_and_wait }, .irq = true),
	PROGRAM(two_submit, .thread = { run_and_wait, run_and_wait }),
	PROGRAM(another_takes_it, .thread = { wait_first, look }, .ready = run_first),
	PROGRAM(two_wait, .thread = { wait_first, wait_first }, .ready = run_first),
	PROGRAM(poll, .thread = { poll, run }),
	PROGRAM(poll_again, .thread = { poll, run_and_wait_then_run }),
	PROGRAM(poll_irq, .thread = { poll, run }, .irq = true),
	PROGRAM(poll_later, .thread = { poll }, .ready = run_first),
	PROGRAM(late_interrupt, .thread = { late_interrupt_and_run, poll }, .ready = leave_armed,
		.at_once = true, .irq = true),
	PROGRAM(free_idle, .thread = { give_up_buffer }, .worker = true, .ready = make_buffer),
	PROGRAM(free_in_flight, .thread = { give_up_buffer }, .worker = true,
		.ready = buffer_in_flight),
	PROGRAM(free_two_streams, .thread = { give_up_buffer }, .worker = true,
		.ready = buffer_of_two_streams),
	PROGRAM(free_while_submitting, .thread = { run_in_buffer, give_up_buffer },
		.worker = true, .ready = make_buffer),
	LONG_PROGRAM(free_second, .thread = { run_in_second, give_up_two }, .worker = true,
		     .ready = make_two_buffers),
	PROGRAM(join, .thread = { join_stream, run }, .ready = run_first),
};

static const struct explore_mutant mutants[] = {
	{ "pto_queue_publish", EXPLORE_STORE, EXPLORE_RELAX },
	{ "pto_queue_kick", EXPLORE_FENCE, EXPLORE_DROP },
	{ "pto_queue_kick", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "pto_queue_reap", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "pto_queue_arm", EXPLORE_FENCE, EXPLORE_DROP },
	{ "pto_queue_arm", EXPLORE_STORE, EXPLORE_DROP },
	{ "wq_has_sleeper", EXPLORE_FENCE, EXPLORE_DROP },
	{ "pto_ctx_poll", EXPLORE_FENCE, EXPLORE_DROP },
	{ "pto_ctx_poll", EXPLORE_STORE, EXPLORE_DROP },
	{ "pto_run_some", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "pto_run_some", EXPLORE_LOCK, EXPLORE_DROP },
	{ "pto_queue_look", EXPLORE_LOCK, EXPLORE_DROP },
	{ "pto_queue_arm", EXPLORE_LOCK, EXPLORE_DROP },
	{ "pto_stream_poll", EXPLORE_LOCK, EXPLORE_DROP },
	{ "pto_reclaim_sort", EXPLORE_LOCK, EXPLORE_DROP },
	{ "atomic_read", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "queue_arm", EXPLORE_STORE, EXPLORE_RELAX },
	{ "queue_pending", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "queue_complete", EXPLORE_STORE, EXPLORE_RELAX },
	{ "queue_complete", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "queue_complete", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "bell_prepare", EXPLORE_STORE, EXPLORE_DROP },
	{ "bell_ring", EXPLORE_ADD, EXPLORE_DROP },
	{ "bell_ring", EXPLORE_LOAD, EXPLORE_BLIND },
};

static void reset(const struct explore_scenario *scenario)
{
	machine_reset(scenario->data);
}

static uint32_t threads(const struct explore_scenario *scenario)
{
	return machine_threads(scenario->data);
}

static const struct explore_suite suite = {
	.scenarios = scenarios,
	.scenario_count = sizeof(scenarios) / sizeof(scenarios[0]),
	.mutants = mutants,
	.mutant_count = sizeof(mutants) / sizeof(mutants[0]),
	.limit = 2000,
	.threads = threads,
	.reset = reset,
	.test = {
		.thread = machine_thread,
		.explored = machine_explored,
		.before = machine_before,
		.ended = machine_ended,
	},
};

int main(int argc, char **argv)
{
	if (explore_skipped("interleave_queue"))
		return 4;
	return explore_suite(&suite, argc > 1 ? argv[1] : NULL);
}
