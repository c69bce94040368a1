// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that export, import, map and destroy the same memory at once, in two contexts. Whatever
 * comes of a call, it is one of the errors that it may have, what is imported is that memory, and
 * at the end everything is given back.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peers.h"
#include "pttest.h"

#define THREADS 4
#define ROUNDS 150
#define BYTES (2 * PEER_PAGE)

/**
 * struct hand - one thread
 * @fds: the contexts, which all threads share
 * @dmabuf: a dma-buf of the memory
 * @addr: where all contexts of the device have it
 * @latest: the latest id in each context, of all threads
 * @seed: of its random numbers
 * @imports: what it has imported
 * @unexpected: the first result that may not be, 0 if there was none
 */
struct hand {
	int fds[2];
	int dmabuf;
	uint64_t addr;
	uint32_t *latest;
	unsigned int seed;
	unsigned int imports;
	int unexpected;
};

FIXTURE(races)
{
	int fd;
	int other;
	uint64_t base;
	uint32_t latest[2];
	struct pt_buf buf;
	uint64_t addr;
	int dmabuf;
	struct hand hands[THREADS];
};

static uint64_t used(int fd)
{
	struct pto_device_usage usage;

	return pt_usage(fd, &usage) ? 0 : usage.memory_used - usage.arena_image_bytes;
}

FIXTURE_SETUP(races)
{
	struct pto_ioc_bo_export out = { .size = sizeof(out) };
	struct pto_device_info info;

	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &info));
	self->other = pt_open(info.arch);
	ASSERT_GE(self->other, 0);
	self->base = used(self->fd);
	ASSERT_EQ(0, pt_buf_new(self->fd, BYTES, &self->buf));
	self->addr = self->buf.addr;
	out.id = self->buf.id;
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_EXPORT, &out));
	self->dmabuf = out.fd;
	self->latest[0] = self->buf.id;
}

FIXTURE_TEARDOWN(races)
{
	struct pto_context_stats stats;
	uint64_t deadline = pt_deadline();
	uint32_t id;
	int i;

	if (self->fd < 0)
		return;
	if (self->buf.map)
		munmap(self->buf.map, BYTES);
	close(self->dmabuf);
	for (i = 0; i < 2; i++) {
		for (id = 1; id <= self->latest[i]; id++)
			pt_bo_destroy(i ? self->other : self->fd, id);
		EXPECT_EQ(0, pt_stats(i ? self->other : self->fd, &stats));
		EXPECT_EQ(0, stats.bo_live);
	}
	while (used(self->fd) != self->base && pt_now() < deadline)
		pt_pause();
	EXPECT_EQ(self->base, used(self->fd));
	close(self->fd);
	close(self->other);
}

static void note(uint32_t *latest, uint32_t id)
{
	uint32_t seen = __atomic_load_n(latest, __ATOMIC_RELAXED);

	while (seen < id && !__atomic_compare_exchange_n(latest, &seen, id, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* An id that was just made, is being made, or is gone */
static uint32_t guess(struct hand *hand, int which)
{
	uint32_t next = __atomic_load_n(&hand->latest[which], __ATOMIC_RELAXED) + 2;
	uint32_t back = rand_r(&hand->seed) % 6;

	return next > back ? next - back : 1;
}

static int import(struct hand *hand, int which)
{
	struct pto_ioc_bo_import in = { .size = sizeof(in), .fd = hand->dmabuf };
	int err = pt_ioctl(hand->fds[which], PTO_BO_IMPORT, &in);
	void *at;

	if (err)
		return err;
	hand->imports++;
	note(&hand->latest[which], in.id);
	if (in.device_addr != hand->addr || in.length != BYTES)
		return -EBADMSG;
	/* By now, others may have destroyed it. */
	at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, hand->fds[which],
		  (off_t)in.mmap_offset);
	if (at == MAP_FAILED)
		return errno == EINVAL ? 0 : -errno;
	__atomic_fetch_add((uint32_t *)at, 1, __ATOMIC_RELAXED);
	munmap(at, BYTES);
	return 0;
}

static int export(struct hand *hand, int which)
{
	struct pto_ioc_bo_export out = { .size = sizeof(out), .id = guess(hand, which) };
	int err = pt_ioctl(hand->fds[which], PTO_BO_EXPORT, &out);

	if (err)
		return err;
	return close(out.fd) ? -errno : 0;
}

static void *work(void *arg)
{
	struct hand *hand = arg;
	int i, which, result;

	for (i = 0; i < ROUNDS; i++) {
		which = rand_r(&hand->seed) % 2;
		switch (rand_r(&hand->seed) % 5) {
		case 0:
		case 1:
			result = import(hand, which);
			break;
		case 2:
			result = export(hand, which);
			break;
		default:
			result = pt_bo_destroy(hand->fds[which], guess(hand, which));
			break;
		}
		/* EBUSY: the last id has just gone, and somebody still has it mapped. */
		if (result && result != -ENOENT && result != -EBUSY && !hand->unexpected)
			hand->unexpected = result;
	}
	return NULL;
}

static void together(struct __test_metadata *_metadata, FIXTURE_DATA(races) *self)
{
	pthread_t threads[THREADS];
	unsigned int imports = 0;
	int i;

	for (i = 0; i < THREADS; i++) {
		self->hands[i] = (struct hand) {
			.fds = { self->fd, self->other },
			.dmabuf = self->dmabuf,
			.addr = self->addr,
			.latest = self->latest,
			.seed = 17 * i + 1,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work, &self->hands[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, self->hands[i].unexpected);
		imports += self->hands[i].imports;
	}
	EXPECT_GT(imports, 0);
}

/* Each time the last id of a context goes, the next import gives it the memory anew. */
PT_TEST_F(races, nothing_kept)
{
	pt_buf_free(self->fd, &self->buf);
	together(_metadata, self);
}

/* The mapping keeps the buffer, but the buffer's ids come and go, until there is none. */
PT_TEST_F(races, mapped)
{
	together(_metadata, self);
	EXPECT_NE(0, *(uint32_t *)self->buf.map);
}

TEST_HARNESS_MAIN
