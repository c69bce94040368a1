/* SPDX-License-Identifier: MIT */
/*
 * The version of libpto. The Makefile, libpto.pc, the name of libpto.so and the tools take it
 * from here.
 *
 * PATCH is incremented if the interface has only additions. While MAJOR is 0, MINOR is
 * incremented for any other change of the interface. See Documentation/library.rst.
 */
#ifndef PTO_VERSION_H
#define PTO_VERSION_H

#define PTO_VERSION_MAJOR	0
#define PTO_VERSION_MINOR	2
#define PTO_VERSION_PATCH	0

#define PTO_VERSION_STRING_(major, minor, patch) #major "." #minor "." #patch
#define PTO_VERSION_EXPAND_(major, minor, patch) PTO_VERSION_STRING_(major, minor, patch)

/** PTO_VERSION: the version that a program is compiled against, such as "0.2.0". */
#define PTO_VERSION \
	PTO_VERSION_EXPAND_(PTO_VERSION_MAJOR, PTO_VERSION_MINOR, PTO_VERSION_PATCH)

/** PTO_VERSION_MAKE() - a version as one number; also for the preprocessor */
#define PTO_VERSION_MAKE(major, minor, patch) (((major) << 16) | ((minor) << 8) | (patch))

/** PTO_VERSION_NUM: PTO_VERSION as one number. */
#define PTO_VERSION_NUM \
	PTO_VERSION_MAKE(PTO_VERSION_MAJOR, PTO_VERSION_MINOR, PTO_VERSION_PATCH)

#endif /* PTO_VERSION_H */
