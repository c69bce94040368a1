// SPDX-License-Identifier: MIT
/*
 * ptod: a device in software, behind the kernel driver.
 *
 * It creates the device (sim/device, contexts as processes), passes its window and two eventfds to
 * the driver through /dev/pto-control, and then only forwards doorbells. The device exists while
 * the control file is open, so the driver notices the end of ptod, whatever its cause. No other
 * process may have that file: it is opened after the processes of the device have been forked.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <linux/pto_device.h>
#include "options.h"

/**
 * struct daemon - ptod
 * @options: command line
 * @dev: the device
 * @doorbell: eventfd that the driver signals
 * @interrupt: eventfd that the device signals
 * @signals: signalfd
 * @control: the driver's control file; the device exists while it is open
 * @imports: file through which the device maps memory that applications import; 0: none
 * @index: N of /dev/ptoN
 */
struct daemon {
	struct options options;
	struct ptodev *dev;
	int doorbell;
	int interrupt;
	int signals;
	int control;
	int imports;
	unsigned int index;
};

/* Called from context processes, too. */
static void daemon_interrupt(void *arg)
{
	const struct daemon *d = arg;
	const uint64_t one = 1;

	/* It can only fail if the counter is at its maximum, and then the eventfd is signalled. */
	if (write(d->interrupt, &one, sizeof(one)) < 0)
		return;
}

static int complain(const char *object, int error, const char *advice)
{
	fprintf(stderr, "ptod: %s: %s%s%s\n", object, strerror(error), *advice ? ": " : "", advice);
	return 1;
}

static const char *control_advice(int error)
{
	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return "load the module first: modprobe pto (or insmod pto.ko)";
	case EACCES:
		return "run ptod as root";
	case EPERM:
		return "ptod needs CAP_SYS_ADMIN in the initial user namespace";
	default:
		return "";
	}
}

static const char *create_advice(int error)
{
	switch (error) {
	case EFBIG:
		return "the module's window_limit_gib allows no more memory: see --memory";
	case ENODEV:
		return "the module refuses this device: are ptod and pto.ko of one version?";
	case ENOSPC:
		return "there are too many devices: end another ptod";
	case ENOTTY:
		return "this is not the control node of the pto module";
	default:
		return "";
	}
}

static int daemon_descriptors(struct daemon *d)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	d->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	d->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->signals < 0 || d->doorbell < 0 || d->interrupt < 0)
		return complain("eventfd", errno, "");
	return 0;
}

/*
 * The processes of the device need this file, so it is made before they are; and it is not the
 * control file, which no other process may have. An older module has no such file.
 */
static int daemon_imports(struct daemon *d)
{
	int control = open(d->options.control, O_RDWR | O_CLOEXEC);
	int fd;

	if (control < 0)
		return complain(d->options.control, errno, control_advice(errno));
	fd = ioctl(control, PTO_CONTROL_IMPORTS);
	if (fd < 0 && errno != ENOTTY) {
		close(control);
		return complain(d->options.control, errno, "");
	}
	close(control);
	d->imports = fd < 0 ? 0 : fd;
	return 0;
}

static int daemon_device(struct daemon *d)
{
	int ret;

	d->options.device.imports_fd = d->imports;
	d->options.device.interrupt = daemon_interrupt;
	d->options.device.interrupt_arg = d;
	ret = ptodev_create(&d->options.device, &d->dev);
	if (ret == -EINVAL)
		return complain("device", EINVAL,
				"the memory does not suffice for the queues of so many contexts");
	if (ret)
		return complain("device", -ret, "");
	if (!d->options.device.memory_size && ptodev_window_size(d->dev) < PTODEV_MEMORY)
		fprintf(stderr, "ptod: the limits of this process allow %llu MiB of memory, not %llu\n",
			(unsigned long long)ptodev_window_size(d->dev) >> 20, PTODEV_MEMORY >> 20);
	return 0;
}

/* Create the driver's device. */
static int daemon_attach(struct daemon *d)
{
	struct pto_control_create create = {
		.size = sizeof(create),
		.memory_fd = ptodev_memory_fd(d->dev),
		.doorbell_fd = d->doorbell,
		.interrupt_fd = d->interrupt,
		.imports_fd = d->imports,
	};

	d->control = open(d->options.control, O_RDWR | O_CLOEXEC);
	if (d->control < 0)
		return complain(d->options.control, errno, control_advice(errno));
	if (ioctl(d->control, PTO_CONTROL_CREATE, &create))
		return complain(d->options.control, errno, create_advice(errno));
	d->index = create.index;
	return 0;
}

static int daemon_announce(const struct daemon *d)
{
	if (d->options.print && (printf("/dev/pto%u\n", d->index) < 0 || fflush(stdout)))
		return complain("standard output", errno, "");
	if (d->options.ready_fd < 0)
		return 0;
	if (dprintf(d->options.ready_fd, "/dev/pto%u\n", d->index) < 0)
		return complain("--ready-fd", errno, "");
	close(d->options.ready_fd);
	return 0;
}

/* Forward doorbells until a signal arrives, or the device ends by itself. */
static int daemon_serve(struct daemon *d)
{
	struct pollfd fds[] = {
		{ .fd = d->doorbell, .events = POLLIN },
		{ .fd = d->signals, .events = POLLIN },
		{ .fd = ptodev_end_fd(d->dev), .events = POLLIN },
	};
	uint64_t rings;

	for (;;) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return complain("poll", errno, "");
		if (fds[1].revents)
			return 0;
		if (fds[2].revents) {
			fprintf(stderr, "ptod: the device's supervisor process has ended\n");
			return 1;
		}
		if (read(d->doorbell, &rings, sizeof(rings)) == sizeof(rings))
			ptodev_kick(d->dev, PTODEV_ALL_QUEUES);
	}
}

int main(int argc, char **argv)
{
	struct daemon d = { .control = -1 };
	int status = options_parse(argc, argv, &d.options);

	if (status >= 0)
		return status;
	if (access(d.options.control, R_OK | W_OK))
		return complain(d.options.control, errno, control_advice(errno));
	status = daemon_descriptors(&d);
	if (!status)
		status = daemon_imports(&d);
	if (!status)
		status = daemon_device(&d);
	if (!status)
		status = daemon_attach(&d);
	if (!status)
		status = daemon_announce(&d);
	if (!status)
		status = daemon_serve(&d);
	/* The driver first: then it does not see runs that fail because the device ends. */
	if (d.control >= 0)
		close(d.control);
	ptodev_destroy(d.dev);
	return status;
}
