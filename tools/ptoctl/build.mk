# SPDX-License-Identifier: MIT
#
# ptoctl: the command-line tool.

PTOCTL_SRC := $(wildcard tools/ptoctl/*.c)
PTOCTL_LIBS = -L$(O)/lib -lpto -Wl,-rpath,'$$ORIGIN/../lib'

$(eval $(call program,ptoctl,$(PTOCTL_SRC),$$(PTOCTL_LIBS),$(O)/lib/libpto.so))

PROGRAMS += $(O)/bin/ptoctl
INSTALL_MANS += tools/ptoctl/ptoctl.1
