/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine for the model check of the queue protocol: the driver core and the device's side of
 * the queues in one address space, in the hands of the explorer.
 */
#ifndef CORE_QUEUE_MACHINE_H
#define CORE_QUEUE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/pto.h>
#include <linux/pto_device.h>

#include "../runtime/explore.h"

#define MACHINE_DEPTH	64
#define MACHINE_QUEUES	6

/**
 * struct machine_program - what the threads of a scenario do
 * @thread: threads of the application, in the order of their numbers
 * @at_once: the device has no thread: a doorbell executes what is there. With @irq
 * @irq: interrupts are delivered by a thread of their own, as from an eventfd, and not by the
 *	device's
 * @worker: the driver's work has a thread
 * @ready: called when everything is set up, before the threads begin; or NULL
 * @ended: called when all threads have ended; or NULL
 */
struct machine_program {
	void (*thread[EXPLORE_THREADS])(void);
	bool at_once;
	bool irq;
	bool worker;
	void (*ready)(void);
	void (*ended)(void);
};

/* queue_machine.c: the driver's side */
uint32_t machine_threads(const struct machine_program *program);
void machine_reset(const struct machine_program *program);
void machine_thread(uint32_t index);
void machine_ended(void);
bool machine_explored(const void *p);
void machine_before(uint32_t thread, void *p, enum explore_op op, uint64_t value);
struct pto_dev_queue *machine_queue(uint32_t index);
void machine_interrupt(void);
uint64_t machine_now(void);

/* For the threads of a program: ioctls in short; whatever fails is a fault. */
uint64_t machine_run(uint32_t stream, uint32_t args_bo);
uint64_t machine_try_run(uint32_t args_bo);	/* 0: there is no such buffer any more */
void machine_wait(uint64_t id);
bool machine_done(uint64_t id);
void machine_run_and_wait(void);
uint32_t machine_bo(void);
void machine_bo_destroy(uint32_t id);
void machine_poll(void);	/* until there is something to be read */
void machine_poll_once(void);	/* without waiting */
uint32_t machine_stream(void);
void machine_join_stream(uint32_t id);
void machine_late_interrupt(void);	/* one that was raised some time ago */
void machine_until_freed(uint32_t pages);	/* so many have been */
void machine_until_woken(void);		/* who sleeps for the context has been, see below */
void machine_until_asleep(void);	/* another thread of the application sleeps */
void machine_gone(void);

/* For what is done before the threads begin. */
void machine_listen(void);	/* for machine_until_woken() */
void machine_hold(bool hold);	/* the device does nothing until it is false, or threads run */

/* queue_device.c: the device's side */
void device_reset(uint32_t slots);
void device_main(void);
void device_stop(void);
void device_doorbell(void);
bool device_explored(const void *p);

/* What the device does with a command. */
void machine_execute(const struct pto_dev_cmd *cmd);

#endif /* CORE_QUEUE_MACHINE_H */
