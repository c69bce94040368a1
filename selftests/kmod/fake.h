/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device of the test's own: this process is behind /dev/pto-control, and answers every
 * command with success. What it hands over can be spoiled before.
 */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/pto_device.h>

#include "ptotest.h"

#define FAKE_QUEUES	16
#define FAKE_DEPTH	64
#define FAKE_SIZE	(4UL << 20)

/**
 * struct fake - such a device
 * @control: an open file of /dev/pto-control
 * @memory: the memfd
 * @doorbell: signalled by the driver
 * @interrupt: signalled for the driver
 * @index: N of its /dev/ptoN
 * @window: @memory, mapped
 * @size: bytes of it
 * @late: a command is not answered before the driver waits for an interrupt
 * @silent: no command is answered
 * @no_pulse: the heartbeat stands still
 * @interrupts: how many were sent
 * @created: it exists, and @thread answers
 * @stop: @thread is to end
 */
struct fake {
	int control;
	int memory;
	int doorbell;
	int interrupt;
	uint32_t index;
	char *window;
	size_t size;
	_Atomic bool late;
	_Atomic bool silent;
	_Atomic bool no_pulse;
	_Atomic unsigned long interrupts;
	bool created;
	_Atomic bool stop;
	pthread_t thread;
};

/** fake_init() - everything that a device needs, but no device yet. Return: 0 or -errno */
int fake_init(struct fake *fake, size_t size);

/** fake_memfd() - a memfd of @size bytes with @seals. Return: fd or -errno */
int fake_memfd(unsigned int flags, size_t size, unsigned int seals);

/** fake_ident() - write an identification page; @window_size may differ from the memfd's */
int fake_ident(int memory, uint64_t window_size);

/** fake_control() - PTO_CONTROL_CREATE with these. Return: 0 or -errno */
int fake_control(int control, int memory, int doorbell, int interrupt, uint32_t *index);

/** fake_create() - make the device. Return: 0 or -errno */
int fake_create(struct fake *fake);

/** fake_open() - open its node with open()'s flags. Return: fd or -errno */
int fake_open(const struct fake *fake, int flags);

/** fake_signal() - raise an interrupt */
void fake_signal(struct fake *fake);

/** fake_page() - the identification page in the window */
struct pto_dev_ident *fake_page(const struct fake *fake);

/** fake_close() - close the control file: the device goes */
void fake_close(struct fake *fake);

/** fake_free() - everything goes */
void fake_free(struct fake *fake);

#define FAKE_HARNESS_MAIN \
	int main(int argc, char **argv) \
	{ \
		return fake_possible() ? test_harness_run(argc, argv) : KSFT_SKIP; \
	}

/** fake_possible() - can there be such devices? Says so in TAP if not */
bool fake_possible(void);

#endif /* FAKE_H */
