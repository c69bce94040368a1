# SPDX-License-Identifier: GPL-2.0
#
# Included last by the Makefile of each folder, in place of kselftest's lib.mk, which it
# includes. A folder sets TEST_GEN_PROGS (programs, each of one .c file of that name) and
# whatever else lib.mk knows, and USES_LIBPTO to link with $(O)/lib/libpto.so.

TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
O ?= $(TOP)/../build
OUTPUT ?= $(abspath $(O))/selftests/$(notdir $(CURDIR))

include $(TOP)/harness.mk

WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wshadow -Wpointer-arith -Wundef \
	-Wno-unused-parameter -Wno-override-init
CFLAGS += -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE= -pthread -I$(TOP)/lib -I$(TOP)/../uapi \
	-I$(TOP)/../libpto/include -isystem $(KSELFTEST_DIR)

ifneq ($(USES_LIBPTO),)
LIBPTO := $(abspath $(O))/lib/libpto.so
LDFLAGS += -Wl,-rpath,'$$ORIGIN/../../lib'
endif

# Headers are prerequisites, not inputs of the link.
LOCAL_HDRS += $(wildcard $(TOP)/lib/*.h) $(wildcard $(TOP)/../uapi/linux/*.h) \
	$(wildcard $(TOP)/../libpto/include/pto/*.h)

include $(KSELFTEST_DIR)/lib.mk

LIB_OBJECTS := $(patsubst %.c,$(OUTPUT)/.lib/%.o,$(notdir $(wildcard $(TOP)/lib/*.c)))

$(OUTPUT)/.lib/%.o: $(TOP)/lib/%.c $(LOCAL_HDRS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED): $(LIB_OBJECTS) $(LIBPTO)

ifneq ($(LIBPTO),)
$(LIBPTO):
	$(error $@ is missing: run make in the top folder first)
endif

# The runner sets up the simulator, and serves where there is no make.
define RUN_TESTS
	$(TOP)/run.sh $(1)
endef
