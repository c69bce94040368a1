# SPDX-License-Identifier: MIT
#
# What makes a shared object for a device of an orchestration or of a kernel, in C and in C++. The
# examples and the selftests are built with it, and pto-callable.pc hands it to everybody else.

CALLABLE_CFLAGS := -fPIC
CALLABLE_LIBS := -shared -Wl,--build-id -lm
