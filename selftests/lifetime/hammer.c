// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that create, use and destroy objects by ids that they guess, so that every object
 * is used while it is made and destroyed while it is used. Whatever comes of a call, it is
 * one of the errors that it may have, and at the end everything is given back.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "pttest.h"

#define THREADS 4
#define ROUNDS 250
#define IDS 6

static const struct pt_callable empty = { .orch = "orch_empty" };

FIXTURE(hammer) {
	int fd;
	struct pto_device_info info;
	struct pto_device_usage base;
};

FIXTURE_SETUP(hammer)
{
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &self->info));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &empty, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(hammer)
{
	if (self->fd >= 0)
		close(self->fd);
}

/**
 * struct latest - the latest id of each kind that a context has handed out
 * @buffer: of a buffer
 * @image: of an image
 * @stream: of a stream
 */
struct latest {
	uint32_t buffer;
	uint32_t image;
	uint32_t stream;
};

/**
 * struct hand - one thread
 * @fd: the context that all of them share
 * @latest: its latest ids, of all threads
 * @seed: of its random numbers
 * @unexpected: the first result that may not be, 0 if there was none
 * @operation: of which operation
 */
struct hand {
	int fd;
	struct latest *latest;
	unsigned int seed;
	int unexpected;
	int operation;
};

static uint32_t guess(struct hand *hand)
{
	return 1 + rand_r(&hand->seed) % IDS;
}

/* One of the latest ids, or the next one: ids are not used again at once. */
static uint32_t guess_near(struct hand *hand, const uint32_t *latest)
{
	uint32_t next = __atomic_load_n(latest, __ATOMIC_RELAXED) + 1;
	uint32_t back = rand_r(&hand->seed) % IDS;

	return next > back ? next - back : 1;
}

static void note(uint32_t *latest, uint32_t id)
{
	uint32_t seen = __atomic_load_n(latest, __ATOMIC_RELAXED);

	while (seen < id && !__atomic_compare_exchange_n(latest, &seen, id, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static int run_something(struct hand *hand)
{
	uint32_t stream = rand_r(&hand->seed) % 2 ? PTO_STREAM_DEFAULT :
			  guess_near(hand, &hand->latest->stream);
	uint64_t id;
	int err = pt_submit(hand->fd, stream, guess(hand), NULL, 0, &id);

	if (err || rand_r(&hand->seed) % 2)
		return err;
	err = pt_finish(hand->fd, id);
	return err == -EINVAL ? 0 : err;
}

static int copy_something(struct hand *hand)
{
	char bytes[64] = "";
	struct pto_ioc_bo_copy copy = {
		.size = sizeof(copy),
		.direction = PTO_COPY_TO_DEVICE,
		.dst_id = guess_near(hand, &hand->latest->buffer),
		.user_ptr = (uintptr_t)bytes,
		.length = sizeof(bytes),
	};

	return pt_ioctl(hand->fd, PTO_BO_COPY, &copy);
}

static int make_buffer(struct hand *hand)
{
	struct pt_buf buf;
	int err = pt_buf_new(hand->fd, 4096 * guess(hand), &buf);

	if (err)
		return err;
	note(&hand->latest->buffer, buf.id);
	memset(buf.map, 1, buf.bytes);
	munmap(buf.map, buf.bytes);
	return 0;
}

static int make_stream(struct hand *hand)
{
	uint32_t stream;
	int err = pt_stream_create(hand->fd, &stream);

	if (!err)
		note(&hand->latest->stream, stream);
	return err;
}

static int make_image(struct hand *hand)
{
	struct pto_ioc_image_create image;
	int err = pt_image(hand->fd, "kernel_add", &image);

	if (!err)
		note(&hand->latest->image, image.id);
	return err;
}

static int operate(struct hand *hand, int operation)
{
	int ret;

	switch (operation) {
	case 0:
		return make_buffer(hand);
	case 1:
		return pt_bo_destroy(hand->fd, guess_near(hand, &hand->latest->buffer));
	case 2:
		return copy_something(hand);
	case 3:
		ret = pt_prepare(hand->fd, guess(hand), &pt_add, NULL);
		return ret < 0 ? ret : 0;
	case 4:
		ret = pt_prepare(hand->fd, guess(hand), &empty, NULL);
		return ret < 0 ? ret : 0;
	case 5:
		return pt_unprepare(hand->fd, guess(hand));
	case 6:
		return make_stream(hand);
	case 7:
		return pt_stream_destroy(hand->fd, guess_near(hand, &hand->latest->stream));
	case 8:
		return make_image(hand);
	case 9:
		return pt_image_destroy(hand->fd, guess_near(hand, &hand->latest->image));
	default:
		return run_something(hand);
	}
}

/* An image that goes and another that comes under its id make a callable that is none. */
static bool allowed(int result)
{
	switch (result) {
	case 0:
	case -ENOEXEC:
	case -ENOENT:
	case -EEXIST:
	case -EBUSY:
	case -ENOSPC:
	case -EAGAIN:
		return true;
	default:
		return false;
	}
}

static void *hammer(void *arg)
{
	struct hand *hand = arg;
	int i, operation, result;

	for (i = 0; i < ROUNDS; i++) {
		operation = rand_r(&hand->seed) % 16;
		result = operate(hand, operation);
		/* The default stream cannot be destroyed; a buffer may go before it is mapped. */
		if (result == -EINVAL && (operation == 7 || operation == 0))
			result = 0;
		if (!allowed(result) && !hand->unexpected) {
			hand->unexpected = result;
			hand->operation = operation;
		}
	}
	return NULL;
}

/* Whatever is still there has an id that is no later than the latest, and goes by that. */
static void expect_nothing_lost(struct __test_metadata *_metadata, int fd,
				const struct latest *latest)
{
	struct pto_context_stats stats;
	uint32_t id;

	for (id = 1; id <= latest->buffer; id++)
		pt_bo_destroy(fd, id);
	for (id = 1; id <= latest->image; id++)
		pt_image_destroy(fd, id);
	for (id = PTO_STREAM_DEFAULT + 1; id <= latest->stream; id++) {
		pt_stream_wait(fd, id, pt_deadline());
		pt_stream_destroy(fd, id);
	}
	EXPECT_EQ(0, pt_stream_wait(fd, PTO_STREAM_DEFAULT, pt_deadline()));
	ASSERT_EQ(0, pt_stats(fd, &stats));
	EXPECT_EQ(0, stats.bo_live);
	EXPECT_EQ(0, stats.images_live);
	/* The default one, and that for the driver's commands. */
	EXPECT_EQ(2, stats.streams_live);
}

static void hammer_context(struct __test_metadata *_metadata, int fd, unsigned int seed)
{
	struct latest latest = { .stream = PTO_STREAM_DEFAULT };
	struct hand hands[THREADS];
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		hands[i] = (struct hand) {
			.fd = fd,
			.latest = &latest,
			.seed = seed * THREADS + i + 1,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, hammer, &hands[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, hands[i].unexpected) {
			TH_LOG("operation %d, seed %u", hands[i].operation, seed);
		}
	}
	expect_nothing_lost(_metadata, fd, &latest);
}

PT_TEST_F(hammer, one_context_from_many_threads)
{
	struct pt_vec vec;
	unsigned int seed;
	int fd;

	for (seed = 0; seed < 3; seed++) {
		PT_OPEN(fd, self->info.arch);
		hammer_context(_metadata, fd, seed);
		ASSERT_GE(pt_prepare(fd, 60, &pt_add, NULL), 0);
		ASSERT_EQ(0, pt_vec_new(fd, 100, &vec));
		pt_vec_fill(&vec, 1, 2);
		EXPECT_EQ(0, pt_run(fd, 60, &vec.args, vec.args_bytes));
		EXPECT_EQ(0, pt_vec_wrong(&vec, '+', 1, 2));
		pt_vec_free(fd, &vec);
		close(fd);
		EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
	}
}

/**
 * struct maker - a thread that makes buffers and images which others try to destroy
 * @fd: the context
 * @latest: its latest ids
 * @stop: the others may stop
 * @made: objects made
 * @destroyed: objects destroyed by whoever
 * @unexpected: the first result that may not be, 0 if there was none
 */
struct maker {
	int fd;
	struct latest *latest;
	bool *stop;
	unsigned int made;
	unsigned int *destroyed;
	int unexpected;
};

/* The id of an object is its own: what is told of it is true, unless it is there no more. */
static int make_and_look(struct maker *maker)
{
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = 4096 };
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	struct pto_ioc_image_create image;
	int err;

	err = pt_ioctl(maker->fd, PTO_BO_CREATE, &create);
	if (err)
		return err;
	note(&maker->latest->buffer, create.id);
	info.id = create.id;
	err = pt_ioctl(maker->fd, PTO_BO_INFO, &info);
	if (err && err != -ENOENT)
		return err;
	if (!err && info.device_addr != create.device_addr)
		return -EBADMSG;
	err = pt_image(maker->fd, "kernel_add", &image);
	if (err)
		return err;
	note(&maker->latest->image, image.id);
	maker->made += 2;
	return 0;
}

static void *make_many(void *arg)
{
	struct maker *maker = arg;
	int i;

	for (i = 0; i < ROUNDS && !maker->unexpected; i++)
		maker->unexpected = make_and_look(maker);
	return NULL;
}

static void destroy_and_count(struct maker *maker, int result)
{
	if (!result)
		__atomic_fetch_add(maker->destroyed, 1, __ATOMIC_RELAXED);
	else if (result != -ENOENT)
		maker->unexpected = result;
}

/* Destroys what has been made, and what comes next: ids of objects that are being made. */
static void *destroy_next(void *arg)
{
	struct maker *maker = arg;
	uint32_t ahead = 0;

	while (!__atomic_load_n(maker->stop, __ATOMIC_RELAXED)) {
		uint32_t buffer = __atomic_load_n(&maker->latest->buffer, __ATOMIC_RELAXED);
		uint32_t image = __atomic_load_n(&maker->latest->image, __ATOMIC_RELAXED);

		ahead = (ahead + 1) % (THREADS + 1);
		destroy_and_count(maker, pt_bo_destroy(maker->fd, buffer + ahead));
		destroy_and_count(maker, pt_image_destroy(maker->fd, image + ahead));
		sched_yield();
	}
	return NULL;
}

#define MAKERS 2

PT_TEST_F(hammer, ids_of_what_is_being_made)
{
	struct latest latest = {};
	bool stop = false;
	unsigned int i, made = 0, destroyed = 0;
	struct maker makers[THREADS];
	pthread_t threads[THREADS];
	struct pto_context_stats stats;
	int fd;

	PT_OPEN(fd, self->info.arch);
	for (i = 0; i < THREADS; i++) {
		makers[i] = (struct maker) {
			.fd = fd,
			.latest = &latest,
			.stop = &stop,
			.destroyed = &destroyed,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    i < MAKERS ? make_many : destroy_next, &makers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		if (i == MAKERS)
			__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, makers[i].unexpected);
		made += makers[i].made;
	}
	EXPECT_EQ(MAKERS * ROUNDS * 2, made);
	ASSERT_EQ(0, pt_stats(fd, &stats));
	EXPECT_EQ(made - destroyed, stats.bo_live + stats.images_live);
	expect_nothing_lost(_metadata, fd, &latest);
	close(fd);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* Asks a stream for runs that it refuses, for as long as there is one. */
static void *ask_until_gone(void *arg)
{
	struct hand *hand = arg;
	uint64_t id;

	do {
		hand->unexpected = pt_submit(hand->fd, hand->operation, 64, NULL, 0, &id);
		__atomic_store_n(&hand->seed, 1, __ATOMIC_RELAXED);
	} while (hand->unexpected == -EINVAL);
	return NULL;
}

/* Who comes too late for a stream finds none; nothing else is wrong. */
PT_TEST_F(hammer, stream_goes_while_used)
{
	struct hand hand = { .fd = self->fd };
	pthread_t thread;
	uint32_t stream;
	int i;

	for (i = 0; i < 150; i++) {
		ASSERT_EQ(0, pt_stream_create(self->fd, &stream));
		hand.operation = stream;
		hand.seed = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, ask_until_gone, &hand));
		while (!__atomic_load_n(&hand.seed, __ATOMIC_RELAXED))
			sched_yield();
		ASSERT_EQ(0, pt_stream_destroy(self->fd, stream));
		pthread_join(thread, NULL);
		ASSERT_EQ(-ENOENT, hand.unexpected);
	}
}

/* Contexts that come and go beside each other, and close in the middle of it. */
static void *come_and_go(void *arg)
{
	struct hand *hand = arg, inner;
	struct latest latest;
	int i, k;

	for (i = 0; i < 10; i++) {
		latest = (struct latest) { .stream = PTO_STREAM_DEFAULT };
		inner = (struct hand) {
			.fd = pt_open(0),
			.latest = &latest,
			.seed = hand->seed + i,
		};
		if (inner.fd < 0) {
			hand->unexpected = inner.fd;
			return NULL;
		}
		for (k = 0; k < 20; k++)
			operate(&inner, rand_r(&inner.seed) % 16);
		close(inner.fd);
	}
	return NULL;
}

PT_TEST_F(hammer, contexts_come_and_go)
{
	struct hand hands[THREADS];
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		hands[i] = (struct hand) { .seed = 1000 * (i + 1) };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, come_and_go, &hands[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, hands[i].unexpected);
	}
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

TEST_HARNESS_MAIN
