// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation of the driver fails once, and every step that fails for it must leave all
 * as it was and succeed when it is tried again.
 *
 * On a kernel with fault injection /proc/self/task/TID/fail-nth chooses the allocation, step
 * by step; on the simulator PTO_SIM_FAIL=alloc:N does, and the program starts itself again for
 * each N. Elsewhere there is nothing to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "ptotest.h"

#define MAX_POINTS 1000
/* So many allocations in a row may fail unnoticed before we take it that there are no more. */
#define UNNOTICED 20
#define ACTION "PTO_SELFTEST_FAIL_ONCE"

/**
 * struct job - the context that the steps work on
 * @observer: another context, which looks at the device's usage
 * @path: the device
 * @fd: the context, -1 if it is not open
 * @orch: an orchestration object
 * @kernel: a kernel object
 * @images: their images
 * @create: a buffer
 * @map: its mapping
 * @dmabuf: its dma-buf
 * @imported: another id of it
 * @stream: a stream
 * @run: id of a run
 */
struct job {
	int observer;
	char path[32];
	int fd;
	struct pt_file orch;
	struct pt_file kernel;
	uint32_t images[2];
	struct pto_ioc_bo_create create;
	void *map;
	int dmabuf;
	uint32_t imported;
	uint32_t stream;
	uint64_t run;
};

/* --- steps: each makes one call that may fail ---------------------------------------- */

static int do_open(struct job *job)
{
	job->fd = pt_open_path(job->path);
	return job->fd < 0 ? job->fd : 0;
}

static void undo_open(struct job *job)
{
	close(job->fd);
	job->fd = -1;
}

static int do_bo_create(struct job *job)
{
	job->create = (struct pto_ioc_bo_create) { .size = sizeof(job->create), .length = 100000 };
	return pt_ioctl(job->fd, PTO_BO_CREATE, &job->create);
}

static void undo_bo_create(struct job *job)
{
	pt_bo_destroy(job->fd, job->create.id);
}

static int do_map(struct job *job)
{
	job->map = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_SHARED, job->fd,
			job->create.mmap_offset);
	return job->map == MAP_FAILED ? -errno : 0;
}

static void undo_map(struct job *job)
{
	munmap(job->map, 100000);
}

static int do_export(struct job *job)
{
	struct pto_ioc_bo_export export = { .size = sizeof(export), .id = job->create.id };
	int err = pt_ioctl(job->fd, PTO_BO_EXPORT, &export);

	job->dmabuf = export.fd;
	return err;
}

static void undo_export(struct job *job)
{
	close(job->dmabuf);
}

static int do_import(struct job *job)
{
	struct pto_ioc_bo_import import = { .size = sizeof(import), .fd = job->dmabuf };
	int err = pt_ioctl(job->fd, PTO_BO_IMPORT, &import);

	job->imported = import.id;
	return err;
}

static void undo_import(struct job *job)
{
	pt_bo_destroy(job->fd, job->imported);
}

static int do_copy(struct job *job)
{
	static char bytes[5000];
	struct pto_ioc_bo_copy copy = {
		.size = sizeof(copy),
		.direction = PTO_COPY_TO_DEVICE,
		.dst_id = job->create.id,
		.user_ptr = (uintptr_t)bytes,
		.length = sizeof(bytes),
	};

	return pt_ioctl(job->fd, PTO_BO_COPY, &copy);
}

static int create_image(struct job *job, const struct pt_file *file, uint32_t *id)
{
	struct pto_ioc_image_create image = {
		.size = sizeof(image),
		.data_ptr = (uintptr_t)file->data,
		.length = file->bytes,
		.build_id_len = file->build_id_len,
	};
	int err;

	memcpy(image.build_id, file->build_id, sizeof(image.build_id));
	err = pt_ioctl(job->fd, PTO_IMAGE_CREATE, &image);
	if (!err)
		*id = image.id;
	return err;
}

static int do_orch_image(struct job *job)
{
	return create_image(job, &job->orch, &job->images[0]);
}

static void undo_orch_image(struct job *job)
{
	pt_image_destroy(job->fd, job->images[0]);
}

static int do_kernel_image(struct job *job)
{
	return create_image(job, &job->kernel, &job->images[1]);
}

static void undo_kernel_image(struct job *job)
{
	pt_image_destroy(job->fd, job->images[1]);
}

static int do_prepare(struct job *job)
{
	struct pto_kernel kernel = { .core_type = PTO_CORE_AIV, .image = job->images[1] };
	struct pto_ioc_prepare prepare = {
		.size = sizeof(prepare),
		.cid = 0,
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = job->images[0],
		.kernel_count = 1,
		.kernel_stride = sizeof(kernel),
		.kernels_ptr = (uintptr_t)&kernel,
	};

	return pt_ioctl(job->fd, PTO_PREPARE, &prepare);
}

static void undo_prepare(struct job *job)
{
	pt_unprepare(job->fd, 0);
}

static int do_stream(struct job *job)
{
	return pt_stream_create(job->fd, &job->stream);
}

static void undo_stream(struct job *job)
{
	pt_stream_destroy(job->fd, job->stream);
}

static int do_prewarm(struct job *job)
{
	struct pto_ioc_prewarm prewarm = { .size = sizeof(prewarm), .task_window = { 64 } };

	return pt_ioctl(job->fd, PTO_PREWARM, &prewarm);
}

static int do_submit(struct job *job)
{
	return pt_submit(job->fd, job->stream, 0, NULL, 0, &job->run);
}

static void undo_submit(struct job *job)
{
	pt_stream_wait(job->fd, job->stream, pt_deadline());
}

static int do_wait(struct job *job)
{
	return pt_wait(job->fd, job->run, NULL);
}

/* The answer of a wait that cannot be written is as good as a fault of the call. */
static int do_submit_and_wait(struct job *job)
{
	struct pto_run_entry entry = { .cid = 0 };
	struct pto_ioc_wait wait = { .size = sizeof(wait), .timeout_ns = pt_deadline() };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = job->stream,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
		.wait_ptr = (uintptr_t)&wait,
	};
	int err = pt_ioctl(job->fd, PTO_RUN, &run);

	if (!err)
		err = run.wait_error;
	return err == -EINPROGRESS ? -EFAULT : err;
}

static int do_info(struct job *job)
{
	struct pto_device_info info;

	return pt_info(job->fd, &info);
}

static int do_reset(struct job *job)
{
	return pt_reset(job->fd);
}

/**
 * struct step - a call
 * @name: what it is
 * @run: make it
 * @undo: take it back, or NULL if there is nothing to take back
 * @loose: caches may have grown, and a run may be on its way, which cannot be taken back when
 *	the fault hits the last thing that RUN does: write the answer
 */
struct step {
	const char *name;
	int (*run)(struct job *job);
	void (*undo)(struct job *job);
	bool loose;
};

/* The arena that prewarm leaves is a cache of the context; the image of it, of the device. */
static const struct step steps[] = {
	{ "open", do_open, undo_open, false },
	{ "BO_CREATE", do_bo_create, undo_bo_create, false },
	{ "mmap", do_map, undo_map, false },
	{ "BO_COPY", do_copy, NULL, false },
	{ "BO_EXPORT", do_export, undo_export, false },
	{ "BO_IMPORT", do_import, undo_import, false },
	{ "IMAGE_CREATE of an orchestration", do_orch_image, undo_orch_image, false },
	{ "IMAGE_CREATE of a kernel", do_kernel_image, undo_kernel_image, false },
	{ "PREPARE", do_prepare, undo_prepare, true },
	{ "STREAM_CREATE", do_stream, undo_stream, false },
	{ "PREWARM", do_prewarm, NULL, true },
	{ "RUN", do_submit, undo_submit, true },
	{ "WAIT", do_wait, NULL, false },
	{ "RUN that waits", do_submit_and_wait, undo_submit, true },
	{ "QUERY", do_info, NULL, false },
	{ "CTX_RESET", do_reset, NULL, true },
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

/* --- what must not change -------------------------------------------------------------- */

struct snapshot {
	struct pto_device_usage usage;
	uint64_t live[5];
	uint64_t counted[2];	/* only ever more */
};

/* The queries may be hit themselves: then they are repeated. */
static void take(const struct job *job, const struct step *step, struct snapshot *snap)
{
	struct pto_context_stats stats = { 0 };

	memset(snap, 0, sizeof(*snap));
	if (pt_usage(job->observer, &snap->usage) && pt_usage(job->observer, &snap->usage))
		ksft_exit_fail_msg("QUERY of the usage fails\n");
	if (job->fd >= 0 && pt_stats(job->fd, &stats) && pt_stats(job->fd, &stats))
		ksft_exit_fail_msg("QUERY of the statistics fails\n");
	snap->usage.contexts_opened = 0;
	if (step->loose) {
		/* Arenas and their images are caches. */
		snap->usage.memory_used = 0;
		snap->usage.arena_images = 0;
		snap->usage.arena_image_bytes = 0;
	}
	snap->live[0] = stats.streams_live;
	snap->live[1] = stats.callables_live;
	snap->live[2] = stats.bo_live;
	snap->live[3] = stats.bo_bytes;
	snap->live[4] = stats.images_live;
	snap->counted[0] = stats.prepares;
	snap->counted[1] = step->loose ? 0 : stats.runs_submitted;
}

/* What the device has to be told to forget is given back soon, but not at once. */
static bool as_before(const struct job *job, const struct step *step,
		      const struct snapshot *before)
{
	uint64_t deadline = pt_deadline();
	struct snapshot now;

	for (;;) {
		take(job, step, &now);
		if (!memcmp(before, &now, sizeof(now)))
			return true;
		if (pt_now() > deadline)
			return false;
		pt_pause();
	}
}

/* After a step that was done and undone, when all of it is gone: what counts up has changed. */
static void take_again(const struct job *job, const struct step *step, struct snapshot *before)
{
	uint64_t deadline = pt_deadline();
	struct snapshot now;

	for (;;) {
		take(job, step, &now);
		if (!memcmp(&before->usage, &now.usage, sizeof(now.usage)) &&
		    !memcmp(before->live, now.live, sizeof(now.live)))
			break;
		if (pt_now() > deadline)
			break;
		pt_pause();
	}
	*before = now;
}

static bool is_injected(int err)
{
	return err == -ENOMEM || err == -EFAULT;
}

/* --- simulator: one allocation of a whole life fails ------------------------------------ */

#define EXIT_UNNOTICED 0
#define EXIT_NOTICED 1
#define EXIT_WRONG 2

static int one_step(struct job *job, const struct step *step)
{
	struct snapshot before;
	int err;

	take(job, step, &before);
	err = step->run(job);
	if (!err)
		return EXIT_UNNOTICED;
	if (!is_injected(err)) {
		printf("# %s fails with %s\n", step->name, strerrorname_np(-err));
		return EXIT_WRONG;
	}
	if (!as_before(job, step, &before)) {
		printf("# %s fails and leaves something behind\n", step->name);
		return EXIT_WRONG;
	}
	err = step->run(job);
	if (err) {
		printf("# %s fails again with %s\n", step->name, strerrorname_np(-err));
		return EXIT_WRONG;
	}
	return EXIT_NOTICED;
}

static void job_files(struct job *job)
{
	memset(job, 0, sizeof(*job));
	job->fd = -1;
	if (pt_file_read("orch_empty", &job->orch) || pt_file_read("kernel_add", &job->kernel))
		ksft_exit_fail_msg("cannot read the device objects\n");
}

static int whole_life(void)
{
	struct pto_device_usage base, now;
	static struct job job;	/* its files are not a leak when the program ends */
	int worst = EXIT_UNNOTICED, ret;
	size_t i;

	job_files(&job);
	strcpy(job.path, "/dev/pto0");
	job.observer = pt_open_path(job.path);
	if (job.observer < 0) {
		worst = is_injected(job.observer) ? EXIT_NOTICED : EXIT_WRONG;
		job.observer = pt_open_path(job.path);
	}
	if (job.observer < 0 || (pt_usage(job.observer, &base) && pt_usage(job.observer, &base)))
		return EXIT_WRONG;
	for (i = 0; i < STEPS; i++) {
		ret = one_step(&job, &steps[i]);
		if (ret > worst)
			worst = ret;
		if (worst == EXIT_WRONG)
			return worst;
	}
	for (i = STEPS; i-- > 0;) {
		if (steps[i].undo)
			steps[i].undo(&job);
	}
	if (pt_usage(job.observer, &now) || now.images != base.images ||
	    now.contexts != base.contexts || now.streams != base.streams) {
		printf("# not everything is given back\n");
		return EXIT_WRONG;
	}
	close(job.observer);
	return worst;
}

static int start_again(int n)
{
	char value[32];
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		snprintf(value, sizeof(value), "alloc:%d", n);
		setenv("PTO_SIM_FAIL", value, 1);
		setenv("PTO_SIM_CHECK", "1", 1);
		setenv(ACTION, "1", 1);
		execl("/proc/self/exe", "fail_nth", NULL);
		_exit(EXIT_WRONG);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return EXIT_WRONG;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_WRONG;
}

static void on_simulator(void)
{
	int n, noticed = 0, unnoticed = 0, wrong = 0, ret;

	ksft_set_plan(2);
	for (n = 1; n < MAX_POINTS && unnoticed < UNNOTICED; n++) {
		ret = start_again(n);
		unnoticed = ret == EXIT_UNNOTICED ? unnoticed + 1 : 0;
		noticed += ret == EXIT_NOTICED;
		wrong += ret > EXIT_NOTICED;
		if (ret > EXIT_NOTICED)
			printf("# wrong at allocation %d (status %d)\n", n, ret);
	}
	ksft_test_result(!wrong, "every failing allocation leaves all as it was\n");
	ksft_test_result(noticed >= (int)STEPS, "%d failing allocations were noticed\n", noticed);
}

/* --- kernel: each allocation of each step fails --------------------------------------------- */

static int fail_nth_fd = -1;

static bool set_attribute(const char *kind, const char *name, const char *value)
{
	char path[128];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return good;
}

/* Whatever may fail shall do so in silence: a test machine takes a call trace for a fault. */
static bool injection_is_there(void)
{
	static const char * const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy", "fail_futex", "fail_function",
	};
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", (long)syscall(SYS_gettid));
	fail_nth_fd = open(path, O_RDWR | O_CLOEXEC);
	if (fail_nth_fd < 0)
		return false;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		set_attribute(kinds[i], "verbose", "0");
	return set_attribute("failslab", "task-filter", "Y") &&
	       set_attribute("failslab", "ignore-gfp-wait", "N");
}

/* The fault that is set may hit the call that takes it back: then there is none any more. */
static void inject(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(fail_nth_fd, text, length, 0) != length &&
	    pwrite(fail_nth_fd, text, length, 0) != length)
		ksft_exit_fail_msg("cannot write fail-nth: %s\n", strerror(errno));
}

/* Return: the fault has not been injected: there are fewer points than that */
static bool left_over(void)
{
	char text[16] = "";
	bool hit = pread(fail_nth_fd, text, sizeof(text) - 1, 0) < 0;

	if (hit && errno != EFAULT)
		ksft_exit_fail_msg("cannot read fail-nth: %s\n", strerror(errno));
	inject(0);
	return hit || atoi(text) > 0;
}

/* Fail each point of a step; at the end it has been done. Return: points, -1 if one is wrong */
static int every_point(struct job *job, const struct step *step)
{
	struct snapshot before;
	int n, err;
	bool none;

	take(job, step, &before);
	for (n = 1; n < MAX_POINTS; n++) {
		inject(n);
		err = step->run(job);
		none = left_over();
		if (!err && none)
			return n - 1;
		if (!err) {
			/* It has helped itself, and counts as a success. */
			if (step->undo)
				step->undo(job);
			take_again(job, step, &before);
			continue;
		}
		if (is_injected(err) && as_before(job, step, &before))
			continue;
		printf("# point %d of %s: %s%s\n", n, step->name, strerrorname_np(-err),
		       is_injected(err) ? ", and something is left behind" : "");
		return -1;
	}
	return -1;
}

static void on_kernel(void)
{
	struct pto_device_usage base, now;
	struct job job;
	size_t i;
	int points;

	job_files(&job);
	if (pt_device_path(0, job.path, sizeof(job.path)))
		ksft_exit_fail_msg("no device\n");
	job.observer = pt_open_path(job.path);
	if (job.observer < 0 || pt_usage(job.observer, &base))
		ksft_exit_fail_msg("cannot open %s\n", job.path);
	ksft_set_plan(STEPS + 1);
	for (i = 0; i < STEPS; i++) {
		points = every_point(&job, &steps[i]);
		ksft_test_result(points >= 0, "%s: %d points\n", steps[i].name, points);
		if (points < 0 && steps[i].run(&job))
			ksft_exit_fail_msg("%s fails without a fault\n", steps[i].name);
	}
	for (i = STEPS; i-- > 0;) {
		if (steps[i].undo)
			steps[i].undo(&job);
	}
	pt_usage(job.observer, &now);
	ksft_test_result(now.images == base.images && now.contexts == base.contexts &&
			 now.streams == base.streams, "everything is given back\n");
}

int main(void)
{
	if (getenv(ACTION))
		return whole_life();
	ksft_print_header();
	if (pt_simulator())
		on_simulator();
	else if (injection_is_there())
		on_kernel();
	else
		ksft_exit_skip("this kernel has no fault injection (failslab, fail-nth)\n");
	ksft_finished();
}
