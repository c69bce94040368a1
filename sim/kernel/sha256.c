// SPDX-License-Identifier: MIT
#include <string.h>

#include <nettle/sha2.h>

#undef sha256_init
#undef sha256_update

#include <crypto/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct sha256_state), "room for nettle");

static struct sha256_ctx *nettle(struct sha256_state *state)
{
	return (struct sha256_ctx *)(void *)state->opaque;
}

void sim_sha256_init(struct sha256_state *state)
{
	nettle_sha256_init(nettle(state));
}

void sim_sha256_update(struct sha256_state *state, const u8 *data, unsigned int length)
{
	nettle_sha256_update(nettle(state), length, data);
}

void sim_sha256_final(struct sha256_state *state, u8 *digest)
{
	nettle_sha256_digest(nettle(state), SHA256_DIGEST_SIZE, digest);
}
