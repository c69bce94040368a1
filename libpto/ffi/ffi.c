// SPDX-License-Identifier: MIT
/*
 * libpto-ffi: what is inline in the headers for applications, as symbols, for languages that
 * call a library and cannot compile its headers.
 *
 * The headers that this includes are copies (build.mk), in which the functions are not static
 * inline. So there is one source of each function, and one that is added to a header is here,
 * too. The first copy stands for the header of its name, which the second one includes.
 */
#include <pto-ffi/tensor.h>
#include <pto-ffi/pto.h>
