/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of results: one row for each thing that an application may try, with what
 * must come of it. The simulator's table and the kernel's must be the same, byte for byte.
 */
#ifndef TABLE_H
#define TABLE_H

#include <pthread.h>
#include <signal.h>

#include "ptotest.h"

/**
 * struct env - a context with one object of each kind in it
 * @fd: the context
 * @info: its device
 * @bo: a buffer object of two pages
 * @image: an orchestration's image (orch_empty)
 * @kernel: a kernel's image (kernel_add)
 * @cid: a prepared orch_empty
 * @generation: its generation
 * @run: id of a run of it that has ended
 * @gate: a prepared orch_gate, whose runs wait for gate_data[0]
 * @gate_data: two words: the gate, and how many runs went through
 * @gate_args: arguments of a run of @gate
 * @gate_args_bytes: bytes of them
 */
struct env {
	int fd;
	struct pto_device_info info;
	struct pt_buf bo;
	int dmabuf;
	uint32_t image;
	uint32_t kernel;
	int cid;
	uint32_t generation;
	uint64_t run;
	int gate;
	struct pt_buf gate_data;
	struct pt_buf gate_args;
	uint32_t gate_args_bytes;
};

/* An id that no test reaches. */
#define NO_SUCH_ID 0x7ffffff0U

/* --- rows (rows.c) -------------------------------------------------------------- */

/** table_begin() - @dump: file that gets the table, or NULL */
void table_begin(const char *dump);

/** table_end() - print the totals. Return: exit status */
int table_end(void);

/**
 * row() - a row: what an ioctl must return
 * @want: 0 or -errno
 * @got: what it returned
 */
void row(int want, int got, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** row_true() - a row: something that must be so after a success */
void row_true(bool is, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** row_produced() - a row: some row before wanted this errno, and got it */
void row_produced(int error);

/**
 * row_call() - a row: carry an ioctl out, and see that a failure changes nothing, and that no
 *	counter ever goes down
 *
 * Live objects, usage of the device and counts of successes are compared.
 * Return: what the ioctl returned.
 */
int row_call(const struct env *env, int want, unsigned long nr, void *arg,
	     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* --- memory with an edge (rows.c) ------------------------------------------------- */

#define EDGE_BYTES 131072

/**
 * struct edge - EDGE_BYTES of memory with an inaccessible page before and after
 * @start: first byte
 * @end: first byte that is not accessible
 */
struct edge {
	char *start;
	char *end;
};

void edge_new(struct edge *edge);
void edge_free(struct edge *edge);

/** Addresses that are never a user's. */
#define KERNEL_POINTER		0xffff888000000000ULL
#define NONCANONICAL_POINTER	0x8000000000000000ULL

/* --- signals (rows.c) ---------------------------------------------------------------- */

/**
 * struct rain - signals that come again and again
 * @victim: the thread that gets them
 * @thread: the one that sends them
 * @stop: it shall end
 * @old: what was to be done with them before
 */
struct rain {
	pthread_t victim;
	pthread_t thread;
	bool stop;
	struct sigaction old;
};

/** rain_begin() - let signals come to the calling thread; @flags: SA_RESTART or 0 */
void rain_begin(struct rain *rain, int flags);
void rain_end(struct rain *rain);

/* --- environment (table.c) --------------------------------------------------------- */

void env_new(struct env *env);
void env_free(struct env *env);

/** gate_submit() - submit a run that waits for gate_open() */
int gate_submit(const struct env *env, uint32_t stream, uint64_t *id);
void gate_close(const struct env *env);

/** gate_open() - let the runs through and wait for the last one */
void gate_open(const struct env *env, uint64_t last);

/* --- the rows -------------------------------------------------------------------- */

void rows_of_shapes(struct env *env);	/* shapes.c: sizes, padding, pointers of every ioctl */
void rows_of_memory(struct env *env);	/* memory.c */
void rows_of_callables(struct env *env);	/* callables.c */
void rows_of_runs(struct env *env);	/* runs.c */
void rows_of_run_waits(struct env *env);	/* run_waits.c: runs that are waited for at once */
void rows_of_ends(struct env *env);	/* ends.c: a lost context, a device that is gone */

/* The ioctls: how many, and what each is called, its number and the size of its argument. */
size_t shape_count(void);
const char *shape_name(size_t i);
unsigned long shape_nr(size_t i);
size_t shape_size(size_t i);

#endif /* TABLE_H */
