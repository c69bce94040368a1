// SPDX-License-Identifier: MIT
/*
 * The test machine's line out. Statically linked into the initramfs, started by its init.
 *
 *   agent out FILE     copy standard input to QEMU's debug console (an I/O port), or to FILE,
 *                      a terminal that is set raw first
 *   agent exit STATUS  end QEMU through its isa-debug-exit device
 *
 * The debug console needs no driver and no interrupt, so the kernel's own messages keep the
 * serial line to themselves, and nothing that was written is lost when the kernel dies.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <termios.h>
#include <unistd.h>

#define PORT_CONSOLE 0xe9
#define PORT_EXIT 0xf4
/* QEMU's own exit status is twice this plus one, and must not look like a failed start */
#define EXIT_BASE 0x10
#define EXIT_MAX 0x6f

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int open_raw(const char *path)
{
	struct termios mode;
	int fd = open(path, O_WRONLY | O_NOCTTY);

	if (fd < 0)
		return fd;
	if (!tcgetattr(fd, &mode)) {
		cfmakeraw(&mode);
		tcsetattr(fd, TCSANOW, &mode);
	}
	return fd;
}

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n < 0)
			return -1;
		data += n;
		length -= n;
	}
	return 0;
}

static int copy_out(const char *path)
{
	char buffer[4096];
	ssize_t length;
	int fd = -1;

	if (path) {
		fd = open_raw(path);
		if (fd < 0)
			return fail(path);
	} else if (ioperm(PORT_CONSOLE, 1, 1)) {
		return fail("ioperm");
	}
	while ((length = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		if (path) {
			if (write_all(fd, buffer, length))
				return fail(path);
			continue;
		}
		for (ssize_t i = 0; i < length; i++)
			outb(buffer[i], PORT_CONSOLE);
	}
	return length ? fail("read") : 0;
}

static int end_machine(int status)
{
	if (ioperm(PORT_EXIT, 1, 1))
		return fail("ioperm");
	outb(EXIT_BASE + (status < 0 || status > EXIT_MAX ? EXIT_MAX : status), PORT_EXIT);
	return fail("isa-debug-exit");
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "out"))
		return copy_out(argc > 2 ? argv[2] : NULL);
	if (argc == 3 && !strcmp(argv[1], "exit"))
		return end_machine(atoi(argv[2]));
	fprintf(stderr, "usage: agent out [FILE] | exit STATUS\n");
	return 2;
}
