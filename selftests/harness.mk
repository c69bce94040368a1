# SPDX-License-Identifier: GPL-2.0
#
# Where kselftest's own files are. They belong to a kernel source and are not copied
# into this tree.

ifeq ($(KSELFTEST_DIR),)
KSELFTEST_DIR := $(firstword $(patsubst %/lib.mk,%,$(wildcard \
	/usr/src/linux-source-*/tools/testing/selftests/lib.mk)))
endif
ifeq ($(wildcard $(KSELFTEST_DIR)/lib.mk),)
ifeq ($(filter clean,$(MAKECMDGOALS)),)
$(error KSELFTEST_DIR must name tools/testing/selftests of a kernel source, such as the \
	unpacked linux-source-6.1 package of Debian)
endif
endif
