# SPDX-License-Identifier: MIT
#
# Flags that compile an orchestration or a kernel, in C or C++, to a shared object for a device. The
# examples and the selftests use them; pto-callable.pc provides them to others.

CALLABLE_CFLAGS := -fPIC
CALLABLE_LIBS := -shared -Wl,--build-id -lm
