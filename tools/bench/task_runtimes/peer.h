/* SPDX-License-Identifier: MIT */
/*
 * The processes in which the runtimes live. One that is not asked anything is stopped
 * (SIGSTOP), so that its idle threads, which may spin, cost the others nothing.
 */
#ifndef PTO_BENCH_PEER_H
#define PTO_BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define MAX_PEERS	8
#define PEER_TEXT	160

/**
 * struct peer - a runtime's process
 * @name: the runtime
 * @version: of what, which version
 * @own: it is one of ours
 * @alive: it answers
 * @pid: the process
 * @to: its standard input
 * @from: its standard output
 */
struct peer {
	char name[32];
	char version[64];
	bool own;
	bool alive;
	pid_t pid;
	FILE *to;
	FILE *from;
};

/** peer_known() - name of the @i-th runtime that there can be, NULL behind the last */
const char *peer_known(int i);

/** peer_built() - is that runtime's program there? */
bool peer_built(const char *name);

/**
 * peer_start() - start a runtime's process and stop it
 * @name: the runtime
 * @threads: threads that execute tasks
 *
 * Return: 0, or -1 after a line on standard error.
 */
int peer_start(struct peer *p, const char *name, unsigned int threads);

/**
 * peer_ask() - have it do something
 * @p: the process; no longer alive if it does not answer
 * @reply: its answer without the end of line, PEER_TEXT bytes
 * @fmt: a command of backend_main.c, with its end of line
 *
 * Return: 0, or -1 after a line on standard error.
 */
__attribute__((format(printf, 3, 4)))
int peer_ask(struct peer *p, char *reply, const char *fmt, ...);

/** peer_stop() - end it */
void peer_stop(struct peer *p);

#endif /* PTO_BENCH_PEER_H */
