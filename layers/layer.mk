# What the layers' Makefiles share. `sam build` runs them in a copy of the layer's folder and sets
# ARTIFACTS_DIR; whatever lies outside of that folder is found from this file's own place.
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
MACHINE ?= x86_64
# Bytecode fits one Python only: the one that the functions run on.
PYTHON_VERSION ?= $(shell sed -n 's/^ *Runtime: python//p' $(ROOT)/template.yaml | head -n 1)
PYTHON ?= python$(PYTHON_VERSION)

# Lambda's glibc: 2.26 (Amazon Linux 2) up to Python 3.11, 2.34 (Amazon Linux 2023) from 3.12 on.
OLD := $(filter 3.8 3.9 3.10 3.11,$(PYTHON_VERSION))
GLIBC := $(if $(OLD),2_26 2_17,2_34 2_31 2_28 2_27 2_26 2_17)
PLATFORMS ?= $(GLIBC:%=manylinux_%_$(MACHINE)) manylinux2014_$(MACHINE)

PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check
WHEELS := --only-binary=:all: --implementation cp --python-version $(PYTHON_VERSION) \
	$(PLATFORMS:%=--platform %) --constraint $(ROOT)/constraints.txt
INSTALL := $(PIP) install $(WHEELS) --no-compile --target $(ARTIFACTS_DIR)/python

# Bytecode that is used whatever time stamps packing and unpacking leave, with the paths it has on Lambda.
# Without any, a cold start takes 128 ms longer.
COMPILE = $(PYTHON) -m compileall -q -f --invalidation-mode unchecked-hash \
	-s $(ARTIFACTS_DIR) -p /opt $(ARTIFACTS_DIR)/python

comma := ,
# Imports from the layer and the standard library alone; on a machine of another kind there is nothing to try.
TRY = $(if $(filter $(MACHINE),$(shell uname -m)),ORT_DISABLE_TELEMETRY=1 $(PYTHON) -I -S -B -c \
	'import sys; sys.path.insert(0, "$(ARTIFACTS_DIR)/python"); $(1)')
