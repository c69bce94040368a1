/* SPDX-License-Identifier: GPL-2.0 */
/* What phases.so does before, between and after its runs. */
#ifndef PHASES_H
#define PHASES_H

#include <stdint.h>

#define PHASES_MAGIC "what the phases do"

#define PHASE_SOUND	0	/* returns */
#define PHASE_HANG	1	/* for ever */
#define PHASE_DEAF	2	/* for ever, and no signal reaches it */
#define PHASE_CRASH	3	/* writes to address 0x18 */
#define PHASE_LATE	4	/* deaf until a word is not 0, and hangs then */
#define PHASE_WAIT	5	/* returns when a word is not 0 */
#define PHASE_OVERFLOW	6	/* until the stack is used up */

/**
 * struct phases - part of the image, which a test changes before it is loaded
 * @magic: PHASES_MAGIC
 * @init: PHASE_* of a constructor
 * @config: of the configuration function
 * @fini: of a destructor
 * @pad: unused
 * @trace: address of a word; destructors write there in what order they were called
 * @begun: address of a 32-bit word: is 1 when one that does not return has begun
 * @until: address of the 32-bit word that PHASE_LATE and PHASE_WAIT wait for
 */
struct phases {
	char magic[24];
	uint32_t init;
	uint32_t config;
	uint32_t fini;
	uint32_t pad;
	uint64_t trace;
	uint64_t begun;
	uint64_t until;
};

/* The order of constructors, and of constructors and destructors, as decimal digits. */
#define PHASES_BEGUN	123ULL
#define PHASES_ENDED	123456ULL

#endif /* PHASES_H */
