# SPDX-License-Identifier: MIT
#
# Rules and flags for user-space code. The top Makefile includes this, then the
# build.mk of each folder. Everything is built under $(O).
#
#   O=DIR          where to build (default build)
#   SAN=LIST       sanitizers, such as address,undefined or thread; has its own O
#   DEBUG=1        -O0 -g3
#   V=1            show the commands

SAN ?=
DEBUG ?= 0
V ?= 0
O ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))

# One spelling of each path, whoever calls: what a header changes is found by the names that the
# compiler wrote down when it built for the first time. Below this folder it is the short one, so
# that "make build/bin/ptoctl" builds that.
override O := $(patsubst $(CURDIR)/%,%,$(abspath $(O)))

comma := ,
ifeq ($(V),1)
quiet = $(2)
else
quiet = @printf '  %-7s %s\n' '$(1)' '$(patsubst $(O)/%,%,$@)'; $(2)
endif

# Of libpto; written down in one place
version_part = $(shell sed -n 's/^.define PTO_VERSION_$(1)[[:blank:]]*//p' $(VERSION_H))
VERSION_H := libpto/include/pto/version.h
SOVERSION := $(call version_part,MAJOR)
VERSION := $(SOVERSION).$(call version_part,MINOR).$(call version_part,PATCH)

WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow \
	-Wpointer-arith -Wundef -Wvla -Wno-unused-parameter
OPT := $(if $(filter 1,$(DEBUG)),-O0 -g3,-O2 -g)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)

# Checks of buffers and of the stack. Sanitizers have their own; the C library's need optimisation, and
# whoever says in CFLAGS what he wants of them gets that.
FORTIFY := $(if $(findstring _FORTIFY_SOURCE,$(CFLAGS))$(filter -O0,$(OPT) $(CFLAGS)),,\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN := $(if $(SAN),,-fstack-protector-strong $(FORTIFY))

PTO_CFLAGS := -std=gnu11 $(OPT) $(WARN) -D_GNU_SOURCE \
	-fPIC -fvisibility=hidden -MMD -MP -pthread -Iuapi -Ilibpto/include $(HARDEN) $(SANFLAGS)
PTO_LDFLAGS := -pthread -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id $(SANFLAGS)

# Flags of a folder: FLAG_DIRS += folder, CFLAGS-folder := ...; for everything below it.
obj_flags = $(foreach d,$(FLAG_DIRS),$(if $(filter $(d)/%,$(1)),$(CFLAGS-$(d))))

# Before the first object, so that who lacks something is told what to do about it
.PHONY: compiler
compiler:
	@$(CC) -E -include gelf.h -include nettle/sha2.h $(DRM_CFLAGS) -include xf86drm.h -x c /dev/null \
		>/dev/null 2>&1 || { \
		echo "$(CC), or the headers of libelf, nettle or libdrm, are missing;" \
			"on Debian, tools/setup/deps.sh build installs them." >&2; exit 1; }

$(O)/obj/%.o: %.c tools/make/common.mk | compiler
	@mkdir -p $(@D)
	$(call quiet,CC,$(CC) $(PTO_CFLAGS) $(call obj_flags,$<) $(CFLAGS) -c $< -o $@)

# $(call objs,FILES.c): the objects of sources
objs = $(patsubst %.c,$(O)/obj/%.o,$(1))

# $(call program,NAME,SOURCES,LIBS,EXTRA DEPENDENCIES): builds $(O)/bin/NAME
define program
all_objs += $(call objs,$(2))
$(O)/bin/$(1): $(call objs,$(2)) $(4)
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$(CC) -pie $$(PTO_LDFLAGS) $$(LDFLAGS) -o $$@ $(call objs,$(2)) $(3))
endef

# $(call shared,FILE,SOURCES,LIBS,LINK FLAGS,EXTRA DEPENDENCIES): builds $(O)/lib/FILE
define shared
all_objs += $(call objs,$(2))
$(O)/lib/$(1): $(call objs,$(2)) $(5)
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$(CC) -shared $$(PTO_LDFLAGS) $$(LDFLAGS) $(4) -o $$@ $(call objs,$(2)) $(3))
endef

# $(call device_object,FILE,SOURCE.c): builds $(O)/FILE, an orchestration or kernel object.
# It is what a user's compiler would make: no flags of ours but those of pto-callable.pc.
include libpto/callable.mk
define device_object
$(O)/$(1): $(2) libpto/callable.mk
	@mkdir -p $$(@D)
	$$(call quiet,DEVOBJ,$$(CC) -std=gnu11 -O2 -g $$(WARN) -Iuapi -Ilibpto/include $$(CALLABLE_CFLAGS) \
		-MMD -MP -MF $$@.d -o $$@ $$< $$(CALLABLE_LIBS))
device_deps += $(O)/$(1).d
endef
