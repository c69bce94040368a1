/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it. libnettle
 * does the computation. Its header is not included here, because its names conflict.
 */
#ifndef SIM_CRYPTO_SHA2_H
#define SIM_CRYPTO_SHA2_H

#include <linux/types.h>

#define SHA256_DIGEST_SIZE 32

struct sha256_state {
	u64 opaque[20];
};

void sim_sha256_init(struct sha256_state *state);
void sim_sha256_update(struct sha256_state *state, const u8 *data, unsigned int length);
void sim_sha256_final(struct sha256_state *state, u8 *digest);

#define sha256_init sim_sha256_init
#define sha256_update sim_sha256_update
#define sha256_final sim_sha256_final

#endif /* SIM_CRYPTO_SHA2_H */
