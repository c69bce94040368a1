// SPDX-License-Identifier: MIT
/* Random numbers and keyed hashes. */
#include <sys/auxv.h>

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/string.h>

static u64 rotate(u64 x, unsigned int by)
{
	return x << by | x >> (64 - by);
}

static void mix(u64 v[4], unsigned int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void absorb(u64 v[4], u64 word)
{
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
}

/* SipHash-2-4. Words have the host's byte order, because hashes stay in this process. */
u64 siphash(const void *data, size_t length, const siphash_key_t *key)
{
	u64 v[4] = {
		key->key[0] ^ 0x736f6d6570736575ULL, key->key[1] ^ 0x646f72616e646f6dULL,
		key->key[0] ^ 0x6c7967656e657261ULL, key->key[1] ^ 0x7465646279746573ULL,
	};
	const u8 *bytes = data;
	u64 word, last = 0;
	size_t left = length;

	for (; left >= sizeof(word); left -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		absorb(v, word);
	}
	memcpy(&last, bytes, left);
	absorb(v, last | (u64)length << 56);
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/*
 * As in the kernel, this neither waits nor fails. getrandom() waits after a boot without a source
 * of entropy, and fails in a container that forbids it. So the 16 random bytes that the kernel
 * gives each program at its start (AT_RANDOM) are the key of a generator.
 */
void get_random_bytes(void *buffer, size_t length)
{
	const void *given = (const void *)getauxval(AT_RANDOM);
	static atomic64_t used;
	siphash_key_t key;

	memcpy(&key, given, sizeof(key));
	while (length) {
		u64 number = (u64)atomic64_inc_return(&used);
		u64 word = siphash(&number, sizeof(number), &key);
		size_t n = min_t(size_t, length, sizeof(word));

		memcpy(buffer, &word, n);
		buffer = (char *)buffer + n;
		length -= n;
	}
}
