// SPDX-License-Identifier: GPL-2.0
/*
 * Runs and their results against a model: random runs on several streams, which end when the
 * test says so, in their order and each in its own way, and are waited for in any order. Nobody
 * gets the result, the explanation or the outputs of another, no result is lost, and no run
 * ends twice. Then what a run asks of the driver, and how long it lets it take.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pto/pto.h>

#include "pttest.h"
#include "fence.h"
#include "rehearsal.h"

#define STREAMS	3
#define FLYING	60
#define STEPS	4000
#define BEFORE	0x11111111u	/* what an output is before its run */
#define MSEC	1000000ull
#define SECOND	1000000000ull

/**
 * struct flying - the model of a run that has not been waited for
 * @run: its handle
 * @stream: its stream
 * @number: which run of that it is, from 1
 * @end: how it ends
 * @log: its explanation
 * @user_data: what it was given
 * @output: where its output goes
 * @word: what that is if it succeeds
 */
struct flying {
	struct pto_run_handle *run;
	int stream;
	uint64_t number;
	struct rehearsed_end end;
	char log[32];
	uint64_t user_data;
	uint32_t output;
	uint32_t word;
};

/**
 * struct model - all of it
 * @flying: runs with a handle
 * @count: how many
 * @submitted: runs of each stream
 * @ended: of these
 * @word: what the device writes to the output of the run that is being submitted
 * @waits: the latest run was to be waited for by the call that submitted it
 */
struct model {
	struct flying *flying[FLYING];
	int count;
	uint64_t submitted[STREAMS];
	uint64_t ended[STREAMS];
	uint32_t word;
	bool waits;
};

static struct model model;
static unsigned int seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

FIXTURE(results) {
	struct pto_context *ctx;
	struct pto_stream *streams[STREAMS];
	struct pto_args *args;
	int cid;
	unsigned int first;
};

/* The device writes as soon as it has the run, and the library must keep it. */
static void execute(const struct pto_run_entry *entry)
{
	const struct pto_run_args *args = rehearsal_memory(entry->args_bo, entry->args_offset,
							   entry->args_size);
	const struct pto_tensor *t = (const void *)(args + 1);

	if (args)
		memcpy(rehearsal_at(t->addr, sizeof(model.word)), &model.word,
		       sizeof(model.word));
}

static int look(unsigned long nr, void *arg)
{
	if (nr == PTO_RUN)
		model.waits = ((struct pto_ioc_run *)arg)->wait_ptr;
	return 0;
}

static int prepare_empty(struct pto_context *ctx)
{
	struct pto_callable *callable;
	int cid = pto_callable_load(pt_object("orch_empty"), &callable);

	if (cid)
		return cid;
	cid = pto_register(ctx, callable);
	pto_callable_free(callable);
	return cid;
}

FIXTURE_SETUP(results)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	int i;

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	self->first = seed;
	memset(&model, 0, sizeof(model));
	rehearsal_begin();
	rehearsal.on_run = execute;
	rehearsal.refuse = look;
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	self->cid = prepare_empty(self->ctx);
	ASSERT_LE(0, self->cid);
	self->args = pto_args_new();
	self->streams[0] = pto_default_stream(self->ctx);
	fence_begin();
	for (i = 1; i < STREAMS; i++)
		ASSERT_EQ(0, pto_stream_create(self->ctx, &self->streams[i]));
	fence_end();
}

FIXTURE_TEARDOWN(results)
{
	pto_args_free(self->args);
	pto_close(self->ctx);
}

/* --- the model --------------------------------------------------------------------- */

static struct rehearsed_end random_end(char *log, size_t size)
{
	static const int errors[] = { -EREMOTEIO, -EIO, -ETIMEDOUT, -EINVAL, -ECANCELED };
	struct rehearsed_end end = { .task = ~0ull, .func_id = ~0u, .core = ~0u };

	log[0] = '\0';
	if (below(3))
		return end;
	end.status = errors[below(ARRAY_SIZE(errors))];
	if (end.status == -EREMOTEIO) {
		end.code = below(2) ? PTO_FATAL_EXPLICIT : PTO_FATAL_SCHEDULER_TIMEOUT;
		end.subcode = below(4);
		end.task = 1000 + below(1000);
		end.func_id = 2000 + below(1000);
		end.core = 3000 + below(1000);
	}
	if (below(2)) {
		snprintf(log, size, "reason %u.", rand_r(&seed));
		end.log = log;
	}
	return end;
}

static int submit(FIXTURE_DATA(results) *self)
{
	static uint32_t detached_output;
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct flying *fly = calloc(1, sizeof(*fly));
	uint32_t shape[1] = { 1 };
	bool detached = !below(4);
	int rc;

	fly->stream = below(STREAMS);
	fly->output = BEFORE;
	fly->user_data = rand_r(&seed);
	fly->end = random_end(fly->log, sizeof(fly->log));
	if (detached)
		fly->end.log = NULL;
	model.word = rand_r(&seed);
	rehearsal.end = fly->end;
	options.user_data = fly->user_data;
	pto_args_clear(self->args);
	pto_args_add_host(self->args, PTO_OUT, detached ? &detached_output : &fly->output,
			  PTO_DTYPE_UINT32, 1, shape);
	/* The library waits for the oldest one, which has to end by itself. */
	if (rehearsal_flying(fly->stream + 1) == REHEARSED_DEPTH) {
		rehearsal_end(fly->stream + 1, 1);
		model.ended[fly->stream]++;
	}
	fence_begin();
	rc = pto_submit(self->streams[fly->stream], self->cid, self->args, &options,
			detached ? NULL : &fly->run);
	fence_end();
	fly->number = ++model.submitted[fly->stream];
	if (rc || detached) {
		free(fly);
		return rc;
	}
	fly->word = model.word;
	model.flying[model.count++] = fly;
	return 0;
}

static bool result_is(const struct flying *fly, const struct pto_result *r)
{
	const struct rehearsed_end *end = &fly->end;

	return r->status == end->status && r->code == end->code && r->subcode == end->subcode &&
	       r->task == end->task && r->func_id == end->func_id && r->core == end->core &&
	       r->user_data == fly->user_data &&
	       r->id == ((uint64_t)(fly->stream + 1) << 48 | fly->number) &&
	       r->submit_ns + 1 == r->start_ns && r->start_ns + 1 == r->end_ns;
}

static bool text_is(FIXTURE_DATA(results) *self, const struct flying *fly)
{
	const char *text = pto_context_error(self->ctx);
	char place[80];

	if (!fly->end.status)
		return true;
	if (!strstr(text, pto_fatal_hint(fly->end.code, fly->end.subcode)))
		return false;
	if (fly->end.code) {
		snprintf(place, sizeof(place), "task 0x%llx, func_id %u, core %u",
			 (unsigned long long)fly->end.task, fly->end.func_id, fly->end.core);
		if (!strstr(text, place))
			return false;
	}
	return !!strstr(text, fly->end.log ? fly->end.log : "reason") == !!fly->end.log;
}

/* Waits for one of them. Return: 0 if all was as it should be. */
static int wait_for(FIXTURE_DATA(results) *self, int which, uint64_t timeout)
{
	struct flying *fly = model.flying[which];
	struct pto_result result = { .id = 77 };
	bool ended = fly->number <= model.ended[fly->stream];
	int rc;

	fence_begin();
	rc = pto_wait(fly->run, timeout, &result);
	fence_end();
	if (!ended && timeout != PTO_FOREVER)
		return rc == -ETIME && !result.id && fly->output == BEFORE ? 0 : -EBADMSG;
	if (!ended)
		model.ended[fly->stream] = fly->number;
	if (rc != fly->end.status || !result_is(fly, &result) || !text_is(self, fly) ||
	    fly->output != (rc ? BEFORE : fly->word))
		return -EBADMSG;
	model.flying[which] = model.flying[--model.count];
	free(fly);
	return 0;
}

static void end_some(void)
{
	int stream = below(STREAMS);
	unsigned int flying = rehearsal_flying(stream + 1), count = below(flying + 1);

	rehearsal_end(stream + 1, count);
	model.ended[stream] += count;
}

static int wait_for_stream(FIXTURE_DATA(results) *self)
{
	int stream = below(STREAMS);
	bool ended = model.ended[stream] == model.submitted[stream];
	int rc = pto_stream_wait(self->streams[stream], 0);

	return rc == (ended ? 0 : -ETIME) ? 0 : -EBADMSG;
}

static int step(FIXTURE_DATA(results) *self)
{
	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		return model.count < FLYING ? submit(self) : 0;
	case 3:
	case 4:
		end_some();
		return 0;
	case 5:
	case 6:
		return model.count ? wait_for(self, below(model.count), 0) : 0;
	default:
		return below(20) ? wait_for_stream(self) :
		       model.count ? wait_for(self, below(model.count), PTO_FOREVER) : 0;
	}
}

TEST_F(results, random_runs_on_several_streams)
{
	int i;

	rehearsal.held = true;
	for (i = 0; i < STEPS; i++) {
		ASSERT_EQ(0, step(self)) {
			TH_LOG("seed %u, step %d: %s", self->first, i,
			       pto_context_error(self->ctx));
		}
	}
	rehearsal.held = false;
	while (model.count)
		ASSERT_EQ(0, wait_for(self, 0, PTO_FOREVER));
	EXPECT_EQ(0, rehearsal.lost_results);
}

/* --- what a run asks for ------------------------------------------------------------ */

/* More than are kept, all ended, none read: each result is read before it is lost. */
TEST_F(results, no_result_is_lost)
{
	struct pto_run_handle *runs[3 * REHEARSED_DEPTH];
	struct pto_result result;
	uint64_t i;

	for (i = 0; i < ARRAY_SIZE(runs); i++)
		ASSERT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &runs[i]));
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		EXPECT_EQ(0, pto_wait(runs[i], 0, &result));
		EXPECT_EQ(1ull << 48 | (i + 1), result.id);
	}
	EXPECT_EQ(0, rehearsal.lost_results);
}

/* The call that submits waits if there is nothing else to wait for; pto_submit() never does. */
TEST_F(results, who_waits_at_once)
{
	struct pto_run_handle *run;

	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_TRUE(model.waits);
	EXPECT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
	EXPECT_FALSE(model.waits);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_FALSE(model.waits);
	EXPECT_EQ(0, pto_wait(run, 0, NULL));
	EXPECT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, NULL));
	EXPECT_FALSE(model.waits);
	EXPECT_EQ(0, pto_stream_wait(self->streams[0], 0));
	/* A handle that nobody waited for is used again, and waited for. */
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_TRUE(model.waits);
	EXPECT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_EQ(0, pto_wait(run, 0, NULL));
}

static int refuse_once(unsigned long nr, void *arg)
{
	static int times;

	return nr == PTO_RUN && ++times % 2 ? -EAGAIN : 0;
}

/* The stream is full of runs that came past the library. */
TEST_F(results, full_stream)
{
	struct pto_run_handle *run;

	EXPECT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
	rehearsal.refuse = refuse_once;
	EXPECT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, NULL));
	EXPECT_EQ(0, pto_wait(run, 0, NULL));
	EXPECT_EQ(0, pto_stream_wait(self->streams[0], 0));
	/* With nothing of its own to wait for, the library says so. */
	EXPECT_EQ(-EAGAIN, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
}

static int lose(unsigned long nr, void *arg)
{
	return nr == PTO_WAIT ? -EIO : 0;
}

/* A result that the driver has lost is a failure, without the explanation of an earlier one. */
TEST_F(results, lost_by_the_driver)
{
	struct pto_run_handle *run;
	struct pto_result result;

	rehearsal.end.status = -EREMOTEIO;
	rehearsal.end.code = PTO_FATAL_EXPLICIT;
	rehearsal.end.log = "an explanation";
	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "an explanation"));
	rehearsal.refuse = lose;
	EXPECT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
	EXPECT_EQ(-EIO, pto_wait(run, 0, &result));
	EXPECT_EQ(-EIO, result.status);
	EXPECT_EQ(0, result.code);
	EXPECT_FALSE(!!strstr(pto_context_error(self->ctx), "an explanation"));
}

static int refuse_runs(unsigned long nr, void *arg)
{
	return nr == PTO_RUN ? -EPERM : 0;
}

/* The room of arguments is used again when their run has ended, or could not be submitted. */
TEST_F(results, arguments_make_room)
{
	static char bytes[10000];
	uint32_t shape[1] = { sizeof(bytes) };
	uint64_t before = 0;
	int i;

	rehearsal.on_run = NULL;
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_INOUT, bytes, PTO_DTYPE_UINT8, 1, shape));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
		if (i == 10)
			before = rehearsal.buffer_bytes;
	}
	EXPECT_EQ(before, rehearsal.buffer_bytes);
	rehearsal.refuse = refuse_runs;
	for (i = 0; i < 100; i++)
		ASSERT_EQ(-EPERM, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
	rehearsal.refuse = NULL;
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
	EXPECT_EQ(before, rehearsal.buffer_bytes);
}

/* Signals end a wait for a run, which can be waited for again; all else goes on. */
static unsigned int signals;

static int interrupt(unsigned long nr, void *arg)
{
	return nr == PTO_WAIT && signals && signals-- ? -EINTR : 0;
}

TEST_F(results, signals)
{
	struct pto_run_handle *run;
	struct pto_result result;

	rehearsal.end.status = -EREMOTEIO;
	rehearsal.end.code = PTO_FATAL_EXPLICIT;
	ASSERT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
	rehearsal.refuse = interrupt;
	signals = 3;
	while (signals) {
		EXPECT_EQ(-EINTR, pto_wait(run, PTO_FOREVER, &result));
		EXPECT_EQ(0, result.id);
	}
	EXPECT_EQ(-EREMOTEIO, pto_wait(run, PTO_FOREVER, &result));
	EXPECT_EQ(PTO_FATAL_EXPLICIT, result.code);
	ASSERT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
	signals = 3;
	EXPECT_EQ(0, pto_stream_wait(self->streams[0], PTO_FOREVER));
	EXPECT_EQ(0, signals);
	EXPECT_EQ(-EREMOTEIO, pto_wait(run, 0, &result));
	/* And a call that waits at once waits on by itself. */
	ASSERT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, NULL));
	signals = 3;
	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, self->cid, NULL, NULL, &result));
	EXPECT_EQ(PTO_FATAL_EXPLICIT, result.code);
}

TEST_F(results, old_driver)
{
	struct pto_result result;

	rehearsal.info.features = 0;
	pto_close(self->ctx);
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	ASSERT_EQ(0, prepare_empty(self->ctx));
	EXPECT_EQ(0, pto_run(self->ctx, 0, NULL, NULL, &result));
	EXPECT_FALSE(model.waits);
	EXPECT_NE(0, result.id);
	EXPECT_EQ(1, rehearsal_calls(PTO_WAIT));
}

static struct pto_run_entry seen;

static void see(const struct pto_run_entry *entry)
{
	seen = *entry;
}

TEST_F(results, entry_has_what_was_asked_for)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	rehearsal.on_run = see;
	options.timeout_ns = 30 * SECOND;
	options.op_timeout_ns = 20 * SECOND;
	options.sched_timeout_ns = 10 * SECOND;
	options.user_data = 99;
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &options, NULL));
	EXPECT_EQ(30 * SECOND, seen.timeout_ns);
	EXPECT_EQ(20 * SECOND, seen.op_timeout_ns);
	EXPECT_EQ(10 * SECOND, seen.sched_timeout_ns);
	EXPECT_EQ(99, seen.user_data);
	EXPECT_EQ(self->cid, seen.cid);
	/* What nobody asks for is the device's to choose. */
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_EQ(0, seen.timeout_ns);
	EXPECT_EQ(0, seen.op_timeout_ns);
	EXPECT_EQ(0, seen.sched_timeout_ns);
}

/* What a device that says so lets a run take is what bounds are held against. */
TEST_F(results, bounds_of_the_device)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	rehearsal.info.default_timeout_ns = 20 * SECOND;
	pto_close(self->ctx);
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	ASSERT_EQ(0, prepare_empty(self->ctx));
	options.sched_timeout_ns = 19 * SECOND;
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, 0, NULL, &options, NULL));
	options.sched_timeout_ns = 18 * SECOND;
	EXPECT_EQ(0, pto_run(self->ctx, 0, NULL, &options, NULL));
}

TEST_F(results, options_of_every_size)
{
	struct {
		struct pto_run_options options;
		uint64_t more;
	} longer = { .options = PTO_RUN_OPTIONS_INIT };
	const uint32_t least = offsetof(struct pto_run_options, user_data) + sizeof(uint64_t);
	struct pto_run_options *options;
	uint32_t size;

	rehearsal.on_run = see;
	longer.options.size = sizeof(longer);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &longer.options, NULL));
	longer.more = 1ull << 63;
	EXPECT_EQ(-E2BIG, pto_run(self->ctx, self->cid, NULL, &longer.options, NULL));
	for (size = 0; size <= sizeof(*options); size += 4) {
		/* Nothing behind the end may be looked at, nor taken for a part of it. */
		fence_begin();
		options = malloc(size < 8 ? 8 : size);
		fence_end();
		memset(options, 0, size < 8 ? 8 : size);
		options->size = size;
		if (size >= least)
			options->user_data = size;
		EXPECT_EQ(size < least ? -EINVAL : 0,
			  pto_run(self->ctx, self->cid, NULL, options, NULL)) {
			TH_LOG("size %u", size);
		}
		if (size >= least)
			EXPECT_EQ(size, seen.user_data);
		free(options);
	}
}

/* --- how long --------------------------------------------------------------------------- */

/* How long a run is waited for that does not come. */
static uint64_t time_of_mute_run(FIXTURE_DATA(results) *self, uint64_t stream_ns,
				 uint64_t sched_ns)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	uint64_t before = rehearsal.now;

	options.timeout_ns = stream_ns;
	options.sched_timeout_ns = sched_ns;
	if (stream_ns)
		options.op_timeout_ns = (stream_ns + sched_ns) / 2;
	rehearsal.held = true;
	if (pto_run(self->ctx, self->cid, NULL, &options, NULL) != -ETIME)
		return 0;
	before = rehearsal.now - before;
	/* It comes in the end, and the next one is none the worse for it. */
	rehearsal.held = false;
	rehearsal_end(PTO_STREAM_DEFAULT, 1);
	return pto_run(self->ctx, self->cid, NULL, NULL, NULL) ? 0 : before;
}

/* A few nanoseconds are the ioctls'. */
#define EXPECT_ABOUT(seconds, ns) do { \
	EXPECT_LE((seconds) * SECOND, (ns)); \
	EXPECT_GT((seconds) * SECOND + SECOND, (ns)); \
} while (0)

/*
 * As long as it may take, and five seconds, and the same once more, as the first look at the
 * context cannot tell whether anything moves.
 */
TEST_F(results, patience)
{
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_ABOUT(2 * 55, time_of_mute_run(self, 0, 0));
	EXPECT_ABOUT(2 * 105, time_of_mute_run(self, 100 * SECOND, 0));
	EXPECT_ABOUT(2 * 35, time_of_mute_run(self, 30 * SECOND, 2 * SECOND));
	/* Other runs may keep the device from this one for as long as the longest of them may. */
	EXPECT_ABOUT(2 * 405, time_of_mute_run(self, 400 * SECOND, 300 * SECOND));
	EXPECT_ABOUT(2 * 305, time_of_mute_run(self, 30 * SECOND, 2 * SECOND));
	EXPECT_ABOUT(2 * 305, time_of_mute_run(self, 0, 0));
}

/* A run that was given up writes to nobody's memory any more. */
TEST_F(results, given_up)
{
	uint32_t shape[1] = { 1 }, output = BEFORE;

	model.word = 1234;
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_OUT, &output, PTO_DTYPE_UINT32, 1, shape));
	rehearsal.held = true;
	EXPECT_EQ(-ETIME, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
	rehearsal.held = false;
	rehearsal_end(PTO_STREAM_DEFAULT, 1);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	EXPECT_EQ(BEFORE, output);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
	EXPECT_EQ(1234, output);
}

static unsigned int moves;

static int move(unsigned long nr, void *arg)
{
	if (nr == PTO_QUERY && moves) {
		moves--;
		rehearsal.progress++;
	}
	return 0;
}

TEST_F(results, patience_while_something_moves)
{
	unsigned int n;

	rehearsal.progress = 3;
	for (n = 0; n < 5; n++) {
		EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
		/* The first look finds out where it is, and each that sees it move begins anew. */
		moves = n;
		rehearsal.refuse = move;
		EXPECT_ABOUT(55 * (1 + (n ? n : 1)), time_of_mute_run(self, 0, 0));
		rehearsal.refuse = NULL;
	}
}

static uint64_t hold_deadline;	/* of the wait that comes with the run */
static uint64_t run_deadline;	/* of the first one afterwards */

static int note_deadline(unsigned long nr, void *arg)
{
	const struct pto_ioc_run *run = arg;

	if (nr == PTO_RUN && run->wait_ptr)
		hold_deadline = ((struct pto_ioc_wait *)(uintptr_t)run->wait_ptr)->timeout_ns;
	if (nr == PTO_WAIT && !run_deadline)
		run_deadline = ((struct pto_ioc_wait *)arg)->timeout_ns;
	return 0;
}

/* After a long pause the present is what the latest result says, not what it was before. */
TEST_F(results, deadlines_follow_the_present)
{
	uint64_t before;

	rehearsal.refuse = note_deadline;
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	rehearsal.now += 10000 * SECOND;
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	before = rehearsal.now;
	rehearsal.held = true;
	run_deadline = 0;
	EXPECT_EQ(-ETIME, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	/* With the stream's lock a call waits for 10 ms, without it for as long as it has to. */
	EXPECT_LE(before + 10 * MSEC, hold_deadline);
	EXPECT_GT(before + 11 * MSEC, hold_deadline);
	EXPECT_LT(before + 50 * SECOND, run_deadline);
	EXPECT_GT(before + 60 * SECOND, run_deadline);
}

TEST_F(results, deadlines_do_not_wrap)
{
	static const uint64_t far[] = { PTO_FOREVER, PTO_FOREVER - 1, PTO_FOREVER - 1000,
					1ull << 63, PTO_FOREVER - 5000 * SECOND };
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_run_handle *run;
	uint64_t before;
	size_t i;

	rehearsal.refuse = note_deadline;
	rehearsal.held = true;
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		EXPECT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
		before = rehearsal.now;
		run_deadline = 0;
		if (pto_wait(run, far[i], NULL)) {
			EXPECT_LT(before, run_deadline);
			EXPECT_EQ(before + far[i], run_deadline);
			rehearsal_end(1, 1);
			EXPECT_EQ(0, pto_wait(run, 0, NULL));
			rehearsal.now = before;
		} else {
			EXPECT_EQ(PTO_WAIT_FOREVER, run_deadline);
		}
		/* Nor if the bound of a run is one. */
		options.timeout_ns = far[i] == PTO_FOREVER ? far[i] - 1 : far[i];
		rehearsal.held = false;
		EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &options, NULL));
		EXPECT_LT(rehearsal.now - SECOND, hold_deadline);
		EXPECT_GT(rehearsal.now + SECOND, hold_deadline);
		rehearsal.held = true;
	}
}

/* --- threads ------------------------------------------------------------------------- */

static pthread_barrier_t barrier;

static void meet_twice(const struct pto_run_entry *entry)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
}

static void *run_on_default(void *ctx)
{
	return (void *)(intptr_t)pto_run(ctx, 0, NULL, NULL, NULL);
}

/* Who waits for a run waits no longer for another thread, and not shorter either. */
TEST_F(results, lock_is_waited_for_with_a_bound)
{
	const uint64_t bound = 30 * MSEC;
	struct pto_run_handle *run;
	uint64_t before;
	pthread_t thread;
	void *ret;

	pthread_barrier_init(&barrier, NULL, 2);
	rehearsal.on_run = NULL;
	rehearsal.real_time = true;
	ASSERT_EQ(0, pto_submit(self->streams[0], self->cid, NULL, NULL, &run));
	rehearsal.on_run = meet_twice;
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_on_default, self->ctx));
	pthread_barrier_wait(&barrier);
	before = pt_now();
	EXPECT_EQ(-ETIME, pto_wait(run, bound, NULL));
	EXPECT_LE(before + bound, pt_now());
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "another thread"));
	pthread_barrier_wait(&barrier);
	pthread_join(thread, &ret);
	EXPECT_EQ(0, (intptr_t)ret);
	EXPECT_EQ(0, pto_wait(run, PTO_FOREVER, NULL));
	pthread_barrier_destroy(&barrier);
}

TEST_HARNESS_MAIN
