/* SPDX-License-Identifier: MIT */
/*
 * The private copy of an object's file for the dynamic loader. The device uses it, and libpto for
 * host graphs.
 */
#ifndef PTO_IMAGE_H
#define PTO_IMAGE_H

#include <stdint.h>

void pto_image_own(void *image, uint64_t size);

#endif /* PTO_IMAGE_H */
