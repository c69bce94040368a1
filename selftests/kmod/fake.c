// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake.h"

#define CONTROL		"/dev/pto-control"
#define DEV_PAGE	((size_t)PTO_DEV_PAGE_SIZE)

/* Everything of the window begins at a page of the host. */
static size_t host_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static size_t queue_stride(void)
{
	return host_pages(PTO_DEV_QUEUE_BYTES(FAKE_DEPTH));
}

bool fake_possible(void)
{
	if (pt_ptod_possible())
		return true;
	printf("TAP version 13\n1..0 # SKIP %s\n",
	       pt_simulator() ? "this is about the module" : CONTROL " cannot be opened");
	return false;
}

int fake_memfd(unsigned int flags, size_t size, unsigned int seals)
{
	int fd = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	int err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)size) && (!seals || !fcntl(fd, F_ADD_SEALS, seals)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int fake_ident(int memory, uint64_t window_size)
{
	struct pto_dev_ident id = {
		.magic = PTO_DEV_MAGIC,
		.abi_version = PTO_DEV_ABI_VERSION,
		.state = PTO_DEV_STATE_READY,
		.arch = PTO_ARCH_A2A3,
		.cluster_count = 1,
		.aic_count = 1,
		.aiv_count = 2,
		.aicpu_threads = 4,
		.max_contexts = 4,
		.queue_count = FAKE_QUEUES,
		.queue_depth = FAKE_DEPTH,
		.queue_stride = (uint32_t)queue_stride(),
		.queue_offset = host_pages(DEV_PAGE),
		.heap_offset = host_pages(DEV_PAGE) + FAKE_QUEUES * queue_stride(),
		.window_size = window_size,
		.memory_base = 1ULL << 32,
		.features = PTO_FEATURE_SIMULATED,
		.default_timeout_ns = PT_SECOND,
		.name = "fake",
	};

	return pwrite(memory, &id, sizeof(id), 0) == sizeof(id) ? 0 : -errno;
}

int fake_control(int control, int memory, int doorbell, int interrupt, uint32_t *index)
{
	struct pto_control_create arg = {
		.size = sizeof(arg),
		.memory_fd = memory,
		.doorbell_fd = doorbell,
		.interrupt_fd = interrupt,
	};
	int err = pt_ioctl(control, PTO_CONTROL_CREATE, &arg);

	if (!err && index)
		*index = arg.index;
	return err;
}

int fake_init(struct fake *fake, size_t size)
{
	memset(fake, 0, sizeof(*fake));
	fake->size = size;
	fake->control = open(CONTROL, O_RDWR | O_CLOEXEC);
	fake->memory = fake_memfd(0, size, F_SEAL_SHRINK);
	fake->doorbell = eventfd(0, EFD_CLOEXEC);
	fake->interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fake->control < 0 || fake->memory < 0 || fake->doorbell < 0 || fake->interrupt < 0)
		return -ENODEV;
	fake->window = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fake->memory, 0);
	if (fake->window == MAP_FAILED)
		return -errno;
	return fake_ident(fake->memory, size);
}

struct pto_dev_ident *fake_page(const struct fake *fake)
{
	return (void *)fake->window;
}

static struct pto_dev_queue *queue_at(const struct fake *fake, unsigned int i)
{
	return (void *)(fake->window + host_pages(DEV_PAGE) + i * queue_stride());
}

void fake_signal(struct fake *fake)
{
	uint64_t one = 1;

	fake->interrupts++;
	if (write(fake->interrupt, &one, sizeof(one)) < 0)
		abort();
}

static void answer(struct fake *fake, struct pto_dev_queue *q, uint32_t id)
{
	struct pto_dev_cqe *cq = (void *)((char *)q + PTO_DEV_CQ_OFFSET(FAKE_DEPTH));

	while (fake->late && !fake->stop && !__atomic_load_n(&q->cq_flags, __ATOMIC_ACQUIRE))
		pt_pause();
	cq[id % FAKE_DEPTH] = (struct pto_dev_cqe){
		.id = id,
		.start_ns = pt_now(),
		.end_ns = pt_now(),
	};
	__atomic_store_n(&q->sq_head, id + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&q->cq_tail, id + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->cq_flags, __ATOMIC_SEQ_CST))
		fake_signal(fake);
}

/* Return: true if there was something to do. */
static bool serve(struct fake *fake)
{
	bool busy = false;
	unsigned int i;

	for (i = 0; i < FAKE_QUEUES; i++) {
		struct pto_dev_queue *q = queue_at(fake, i);

		while (!fake->stop && !fake->silent &&
		       __atomic_load_n(&q->sq_tail, __ATOMIC_SEQ_CST) != q->cq_tail) {
			answer(fake, q, q->cq_tail);
			busy = true;
		}
		/* The driver clears this when it gives the pair to somebody. */
		__atomic_store_n(&q->sq_flags, PTO_DEV_NEED_WAKEUP, __ATOMIC_SEQ_CST);
	}
	return busy;
}

/* A look now and then, besides the doorbell: the driver clears queue heads that it takes. */
static void *device_thread(void *arg)
{
	struct fake *fake = arg;
	struct pollfd bell = { .fd = fake->doorbell, .events = POLLIN };
	uint64_t count;

	while (!fake->stop) {
		if (!fake->no_pulse)
			__atomic_fetch_add(&fake_page(fake)->heartbeat, 1, __ATOMIC_RELAXED);
		if (serve(fake))
			continue;
		if (poll(&bell, 1, 1) == 1 && read(fake->doorbell, &count, sizeof(count)) < 0)
			abort();
	}
	return NULL;
}

int fake_create(struct fake *fake)
{
	int err = fake_control(fake->control, fake->memory, fake->doorbell, fake->interrupt,
			       &fake->index);

	if (err)
		return err;
	err = -pthread_create(&fake->thread, NULL, device_thread, fake);
	fake->created = !err;
	return err;
}

int fake_open(const struct fake *fake, int flags)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/pto%u", fake->index);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void fake_close(struct fake *fake)
{
	if (fake->control >= 0)
		close(fake->control);
	fake->control = -1;
}

void fake_free(struct fake *fake)
{
	fake->stop = true;
	if (fake->created)
		pthread_join(fake->thread, NULL);
	fake_close(fake);
	if (fake->window && fake->window != MAP_FAILED)
		munmap(fake->window, fake->size);
	close(fake->memory);
	close(fake->doorbell);
	close(fake->interrupt);
}
