/* SPDX-License-Identifier: MIT */
/*
 * Opening an object in a memfd with the dynamic loader. The device uses it, and libpto for host
 * graphs.
 */
#ifndef PTO_LOAD_H
#define PTO_LOAD_H

#include <stddef.h>

void *pto_load_open(int fd, const char *label, char *why, size_t size);
void pto_load_close(void *handle);

#endif /* PTO_LOAD_H */
