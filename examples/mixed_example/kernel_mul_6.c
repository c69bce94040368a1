// SPDX-License-Identifier: MIT
/* The product of arguments 6 and 7 goes to argument 8. */
#define FIRST 6
#define OP *
#include "elementwise.h"
