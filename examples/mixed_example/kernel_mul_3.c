// SPDX-License-Identifier: MIT
/* The product of arguments 3 and 4 goes to argument 5. */
#define FIRST 3
#define OP *
#include "elementwise.h"
