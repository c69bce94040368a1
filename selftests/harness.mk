# SPDX-License-Identifier: GPL-2.0
#
# Where kselftest's own files are. They belong to a kernel source and are not copied
# into this tree.

ifeq ($(KSELFTEST_DIR),)
KSELFTEST_DIR := $(firstword $(patsubst %/lib.mk,%,$(wildcard \
	/usr/src/linux-source-*/tools/testing/selftests/lib.mk)))
endif
ifeq ($(filter clean,$(MAKECMDGOALS)),)
ifeq ($(KSELFTEST_DIR),)
# Beside the rest of the tree: from the package of Debian's kernel source
KERNEL_SH := $(wildcard $(dir $(lastword $(MAKEFILE_LIST)))../tools/setup/kernel.sh)
KSELFTEST_DIR := $(addsuffix /tools/testing/selftests,$(if $(KERNEL_SH),$(shell $(KERNEL_SH) src-6.12)))
endif
ifeq ($(wildcard $(KSELFTEST_DIR)/lib.mk),)
$(error KSELFTEST_DIR must name tools/testing/selftests of a kernel source, such as the \
	unpacked linux-source-6.1 package of Debian; it is "$(KSELFTEST_DIR)")
endif
endif
