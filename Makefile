# SPDX-License-Identifier: MIT
#
# pto: driver stack for PTO accelerators. "make help" lists the targets.

.DEFAULT_GOAL := all
include tools/make/common.mk

# What each folder builds is said in its build.mk, which adds to LIBS, PROGRAMS, EXAMPLES
# and INSTALLS.
LIBS :=
PROGRAMS :=
EXAMPLES :=
include libpto/build.mk sim/build.mk tools/build.mk examples/build.mk

.PHONY: all libs tools examples
all: libs tools examples modules
libs: $(LIBS)
tools: $(PROGRAMS)
examples: $(EXAMPLES)

-include $(all_objs:.o=.d) $(device_deps)
