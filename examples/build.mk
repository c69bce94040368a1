# SPDX-License-Identifier: MIT
#
# Each folder with a main.c is an example: $(O)/examples/NAME/NAME is the host program, and
# orch*.so and kernel_*.so next to it are what it runs.

# Without fused multiply-add, so that host and kernels round alike.
FLAG_DIRS += examples
CFLAGS-examples := -ffp-contract=off

EXAMPLE_NAMES := $(patsubst examples/%/main.c,%,$(wildcard examples/*/main.c))
EXAMPLE_OBJECTS := $(patsubst %.c,%.so,$(wildcard examples/*/orch*.c examples/*/kernel_*.c))
EXAMPLE_COMMON := $(call objs,examples/common/example.c)
EXAMPLE_LIBS = -L$(O)/lib -lpto -lm -Wl,-rpath,'$$ORIGIN/../../lib'

# minimal shows all there is to it; the others share what is not their subject.
define example
all_objs += $(call objs,examples/$(1)/main.c)
$(O)/examples/$(1)/$(1): $(call objs,examples/$(1)/main.c) \
		$(if $(filter minimal,$(1)),,$(EXAMPLE_COMMON)) $(O)/lib/libpto.so
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$(CC) -pie $$(PTO_LDFLAGS) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(EXAMPLE_LIBS))
EXAMPLES += $(O)/examples/$(1)/$(1)
endef

all_objs += $(EXAMPLE_COMMON)
$(foreach name,$(EXAMPLE_NAMES),$(eval $(call example,$(name))))
$(foreach object,$(EXAMPLE_OBJECTS),$(eval $(call device_object,$(object),$(object:.so=.c))))
EXAMPLES += $(addprefix $(O)/,$(EXAMPLE_OBJECTS))
