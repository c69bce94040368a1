// SPDX-License-Identifier: GPL-2.0
/*
 * Who may create devices, and who may open them. This program is root; those who may not are
 * children of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "pttest.h"

#define CONTROL	"/dev/pto-control"
#define NOBODY	65534	/* a user and a group without any rights */
#define UNABLE	255	/* exit status: this machine has no such users */

/**
 * enum whom - a process that is not privileged
 * @INCAPABLE: root without CAP_SYS_ADMIN
 * @NAMESPACED: root, with all capabilities in a user namespace of its own
 * @STRANGER: another user
 */
enum whom { INCAPABLE, NAMESPACED, STRANGER };

FIXTURE(permissions) {
	struct fake fake;
	mode_t mode;
};

FIXTURE_VARIANT(permissions) {
	enum whom whom;
};

FIXTURE_VARIANT_ADD(permissions, without_the_capability) { INCAPABLE };
FIXTURE_VARIANT_ADD(permissions, in_a_user_namespace) { NAMESPACED };
FIXTURE_VARIANT_ADD(permissions, of_another_user) { STRANGER };

/* The mode of a node, and of nothing else; 0 if it is none */
static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) || !S_ISCHR(st.st_mode) ? 0 : st.st_mode & 07777;
}

/* Whoever is refused is not refused because of the node's mode. */
FIXTURE_SETUP(permissions)
{
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
	self->mode = mode_of(CONTROL);
	ASSERT_EQ(0, chmod(CONTROL, 0666));
}

FIXTURE_TEARDOWN(permissions)
{
	EXPECT_EQ(0, chmod(CONTROL, self->mode));
	fake_free(&self->fake);
}

static int become(enum whom whom)
{
	switch (whom) {
	case INCAPABLE:
		return pt_drop_capability(CAP_SYS_ADMIN);
	case NAMESPACED:
		return unshare(CLONE_NEWUSER) ? -errno : 0;
	default:
		return setgid(NOBODY) || setuid(NOBODY) ? -errno : 0;
	}
}

/*
 * What another process gets. @before: what it does while it is root, NULL for nothing. Return: as
 * @func does, at least -254; -UNABLE if there is no such process
 */
static int as(enum whom whom, int (*before)(struct fake *fake), int (*func)(struct fake *fake),
	      struct fake *fake)
{
	pid_t child = fork();
	int status, err;

	if (!child) {
		err = before ? before(fake) : 0;
		if (!err && become(whom))
			err = -UNABLE;
		_exit(err ? -err : -func(fake));
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -EPROTO;
	return -WEXITSTATUS(status);
}

static int open_control(struct fake *unused)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static int create(struct fake *fake)
{
	return fake_control(fake->control, fake->memory, fake->doorbell, fake->interrupt, NULL);
}

static int unknown_call(struct fake *fake)
{
	return pt_ioctl(fake->control, PTO_CONTROL_IMPORTS + 1, NULL);
}

static int imports(struct fake *fake)
{
	int fd = pt_ioctl(fake->control, PTO_CONTROL_IMPORTS, NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

TEST_F(permissions, control_node)
{
	int ret = as(variant->whom, NULL, open_control, &self->fake);

	if (ret == -UNABLE)
		SKIP(return, "this kernel has no user namespaces");
	EXPECT_EQ(-EPERM, ret);
	EXPECT_EQ(0, open_control(&self->fake));
}

/* A file that somebody else has opened is of no use, and is as good as before for him. */
TEST_F(permissions, control_file)
{
	int ret = as(variant->whom, NULL, create, &self->fake);

	if (ret == -UNABLE)
		SKIP(return, "this kernel has no user namespaces");
	EXPECT_EQ(-EPERM, ret);
	EXPECT_EQ(-EPERM, as(variant->whom, NULL, imports, &self->fake));
	EXPECT_EQ(0, imports(&self->fake));
	EXPECT_EQ(-ENOTTY, as(variant->whom, NULL, unknown_call, &self->fake));
	EXPECT_EQ(0, fake_create(&self->fake));
}

/* --- nodes ---------------------------------------------------------------------------- */

static int node_of_nobody(struct fake *fake)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/pto%u", fake->index);
	return chown(path, 0, NOBODY) ? -errno : 0;
}

static int create_for_nobody(struct fake *fake)
{
	int err = fake_create(fake);

	return err ? err : node_of_nobody(fake);
}

/* All that an application does */
static int use(struct fake *fake)
{
	struct pto_device_info info;
	struct pt_buf buf;
	int fd = fake_open(fake, O_RDWR);
	int err;

	if (fd < 0)
		return fd;
	err = pt_info(fd, &info);
	if (!err)
		err = pt_buf_new(fd, 1 << 16, &buf);
	if (!err) {
		memset(buf.map, 'x', buf.bytes);
		pt_buf_free(fd, &buf);
	}
	close(fd);
	return err;
}

/* Once there is a device, its process needs no privilege. */
TEST_F(permissions, given_up)
{
	if (variant->whom == NAMESPACED)
		SKIP(return, "a process with threads cannot enter a user namespace");
	EXPECT_EQ(0, as(variant->whom, create_for_nobody, use, &self->fake));
}

FIXTURE(nodes) {
	struct fake fake;
	char path[32];
};

FIXTURE_SETUP(nodes)
{
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
	ASSERT_EQ(0, fake_create(&self->fake));
	snprintf(self->path, sizeof(self->path), "/dev/pto%u", self->fake.index);
}

FIXTURE_TEARDOWN(nodes)
{
	fake_free(&self->fake);
}

TEST_F(nodes, modes)
{
	EXPECT_EQ(0600, mode_of(CONTROL));
	EXPECT_EQ(0660, mode_of(self->path));
}

/* The group may use the device, and nobody else. */
TEST_F(nodes, of_a_group)
{
	EXPECT_EQ(-EACCES, as(STRANGER, NULL, use, &self->fake));
	ASSERT_EQ(0, node_of_nobody(&self->fake));
	EXPECT_EQ(0, as(STRANGER, NULL, use, &self->fake));
}

/* --- what one user sees of another ---------------------------------------------------------- */

/* A context of root, which the child can use although it is not root any more. */
static int others = -1;

static int open_others(struct fake *fake)
{
	int err = node_of_nobody(fake);

	if (err)
		return err;
	others = fake_open(fake, O_RDWR);
	return others < 0 ? others : 0;
}

static size_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t bytes = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[bytes < 0 ? 0 : bytes] = '\0';
	return bytes < 0 ? 0 : (size_t)bytes;
}

/**
 * struct shown - what files of the kernel say
 * @fdinfo: of a context's file
 * @uevent: of the device
 * @number: of the device
 */
struct shown {
	char fdinfo[1024];
	char uevent[256];
	char number[32];
};

static int look(const struct fake *fake, int fd, struct shown *shown)
{
	char path[64];

	memset(shown, 0, sizeof(*shown));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (!read_file(path, shown->fdinfo, sizeof(shown->fdinfo)))
		return -ENOENT;
	snprintf(path, sizeof(path), "/sys/class/pto/pto%u/uevent", fake->index);
	if (!read_file(path, shown->uevent, sizeof(shown->uevent)))
		return -ENOENT;
	snprintf(path, sizeof(path), "/sys/class/pto/pto%u/dev", fake->index);
	return read_file(path, shown->number, sizeof(shown->number)) ? 0 : -ENOENT;
}

/* What another context does changes nothing of it, and no address is in it. */
static int look_twice(struct fake *fake)
{
	struct pto_ioc_image_create image;
	struct shown before, after;
	struct pt_buf buf;
	int fd = fake_open(fake, O_RDWR);
	int err = fd < 0 ? fd : look(fake, fd, &before);

	if (!err)
		err = pt_buf_new(others, 1 << 16, &buf);
	if (!err)
		err = pt_image(others, "orch_empty", &image);
	if (!err)
		err = look(fake, fd, &after);
	if (!err && memcmp(&before, &after, sizeof(before)))
		err = -EBADMSG;
	if (!err && (!strstr(after.fdinfo, "pto-memory-bo:\t0 KiB") || strstr(after.fdinfo, "0x")))
		err = -EPROTO;
	return err;
}

TEST_F(nodes, files_show_nothing_of_others)
{
	EXPECT_EQ(0, as(STRANGER, open_others, look_twice, &self->fake));
}

/* Everything of the device is asked of a context that may know less than the others. */
static int ask_for_usage(struct fake *fake)
{
	struct pto_device_usage usage;
	struct pto_context_stats stats;
	int fd = fake_open(fake, O_RDWR);
	int err = fd < 0 ? fd : pt_stats(fd, &stats);

	return err ? err : pt_usage(fd, &usage);
}

TEST_F(nodes, usage_needs_a_capability)
{
	EXPECT_EQ(-EPERM, as(STRANGER, open_others, ask_for_usage, &self->fake));
	EXPECT_EQ(0, ask_for_usage(&self->fake));
}

/* Capabilities in another namespace are of no use, but a device can be used there. */
TEST_F(nodes, in_a_user_namespace)
{
	int ret = as(NAMESPACED, NULL, use, &self->fake);

	if (ret == -UNABLE)
		SKIP(return, "this kernel has no user namespaces");
	EXPECT_EQ(0, ret);
	EXPECT_EQ(-EPERM, as(NAMESPACED, NULL, ask_for_usage, &self->fake));
}

/* The same object on the device of another user's context, and of one's own */
static int share(struct fake *fake)
{
	struct pto_ioc_image_create image;
	int first = fake_open(fake, O_RDWR);
	int second = fake_open(fake, O_RDWR);
	int err = pt_image(others, "orch_empty", &image);

	if (!err)
		err = pt_image(first, "orch_empty", &image);
	if (!err && image.shared)
		err = -EBADMSG;
	if (!err)
		err = pt_image(second, "orch_empty", &image);
	return err ? err : image.shared ? 0 : -EPROTO;
}

TEST_F(nodes, images_are_shared_by_one_user)
{
	EXPECT_EQ(0, as(STRANGER, open_others, share, &self->fake));
}

/* ptoctl shows what it can. */
static int ptoctl(struct fake *fake)
{
	char command[256], line[256];
	bool own = false, all = false;
	FILE *out;

	snprintf(command, sizeof(command), "%s stats -d /dev/pto%u", pt_path("../../bin/ptoctl"),
		 fake->index);
	out = popen(command, "r");
	while (out && fgets(line, sizeof(line), out)) {
		own |= !!strstr(line, "runs_submitted");
		all |= !!strstr(line, "contexts_opened");
	}
	return !out || pclose(out) || !own ? -EPROTO : all ? -EBADMSG : 0;
}

TEST_F(nodes, ptoctl_shows_what_one_may_see)
{
	EXPECT_EQ(0, as(STRANGER, open_others, ptoctl, &self->fake));
	EXPECT_EQ(-EBADMSG, ptoctl(&self->fake));
}

FAKE_HARNESS_MAIN
