// SPDX-License-Identifier: MIT
/* The sum of arguments 0 and 1 goes to argument 2. */
#define FIRST 0
#define OP +
#include "elementwise.h"
