# What the layers' Makefiles share. `sam build` runs them in a copy of the layer's folder and sets
# ARTIFACTS_DIR; whatever lies outside of that folder is found from this file's own place.
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
HERE := $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST)))))
# `sam build` hands no parameters on to Makefiles: where Architecture and Runtime are not the template's defaults,
# the environment says so. `coldpress deploy` sees to that; with SAM alone it is, for example,
# RUNTIME=python3.12 MACHINE=aarch64 sam build.
MACHINE ?= x86_64
RUNTIME ?= $(shell sed -n '/^  Runtime:/,/^  [A-Z]/s/^    Default: //p' $(ROOT)/template.yaml)
PYTHON_VERSION := $(RUNTIME:python%=%)

ifneq ($(RUNTIME),$(filter python3.%,$(RUNTIME)))
$(error RUNTIME is $(RUNTIME), and not like python3.13)
endif
ifeq ($(PYTHON_VERSION),)
$(error template.yaml names no parameter Runtime with a Default such as python3.13, and RUNTIME none either)
endif

# Bytecode fits one Python only: the one that the functions run on. Any other Python builds a layer without.
PIPS = $(shell $(1) -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("pip"))' 2>/dev/null && echo $(1))
RUNS = $(shell $(1) -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(PYTHON_VERSION)")' \
	2>/dev/null && echo $(call PIPS,$(1)))
# COLDPRESS_PYTHON: the one that runs `coldpress deploy`; a system's own often has no pip.
PYTHON ?= $(or $(call RUNS,python$(PYTHON_VERSION)),$(call RUNS,python3),$(call PIPS,python3),\
$(call PIPS,$(COLDPRESS_PYTHON)))
ifeq ($(PYTHON),)
$(error no Python with pip is on the PATH: install python$(PYTHON_VERSION) and its pip, or pass PYTHON=/path/to/it)
endif
EXACT := $(call RUNS,$(PYTHON))
ifeq ($(EXACT),)
$(warning python$(PYTHON_VERSION) does not run here: $(notdir $(HERE)) is built without bytecode, which makes \
each cold start 0.1 to 0.2 s longer, and is not tried out. Install python$(PYTHON_VERSION) or pass PYTHON=/path/to/it)
endif

# Lambda's glibc: 2.26 (Amazon Linux 2) up to Python 3.11, 2.34 (Amazon Linux 2023) from 3.12 on. pip takes no
# "at most": each version from 2.17, the oldest one that wheels are built for, is named.
OLD := $(filter 3.8 3.9 3.10 3.11,$(PYTHON_VERSION))
GLIBC := $(shell seq $(if $(OLD),26,34) -1 17)
PLATFORMS ?= $(GLIBC:%=manylinux_2_%_$(MACHINE)) manylinux2014_$(MACHINE)

BUILD := $(ARTIFACTS_DIR)/.build
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check --no-input
# Exactly the wheels whose hashes layers/*/requirements.txt lists: `make -C layers lock` writes them.
LOCKED = --root-user-action=ignore --no-compile --no-deps --only-binary=:all: --require-hashes
WHEELS := --implementation cp --python-version $(PYTHON_VERSION) $(PLATFORMS:%=--platform %)

# $(call INSTALL,FOLDER): what this layer's requirements.txt lists, and pip's report, which the SBOM is made from.
define INSTALL
	@mkdir -p $(BUILD)
	@$(PIP) install $(LOCKED) $(WHEELS) --requirement $(HERE)/requirements.txt --target $(1) \
		--report $(BUILD)/report.json || { echo "$(notdir $(HERE)): pip found no wheel that has a hash in \
	layers/$(notdir $(HERE))/requirements.txt and fits Python $(PYTHON_VERSION) on $(MACHINE) with one of: \
	$(PLATFORMS)" >&2; exit 1; }
endef

# $(call COMPILE,LEVEL): bytecode that is used whatever time stamps packing and unpacking leave, with the paths it
# has on Lambda. A set's order in it follows from the hash seed. LEVEL 2 leaves docstrings and asserts out, a
# quarter of the bytes that a cold start fetches and reads; 0 keeps them. Both get the name that Python looks for.
COMPILE = $(if $(EXACT),PYTHONHASHSEED=0 $(PYTHON) -m compileall -q -f --invalidation-mode unchecked-hash \
	-o $(1) -s $(ARTIFACTS_DIR) -p /opt $(ARTIFACTS_DIR)/python && find $(ARTIFACTS_DIR)/python \
	-name '*.opt-2.pyc' -exec sh -c 'mv "$$1" "$${1%.opt-2.pyc}.pyc"' - {} \;)

# $(call FINISH,FOLDER), the last step: symbols off, libraries checked, SBOM written, the same bytes wherever it
# was built. FOLDER is what INSTALL was given, if not python/.
define FINISH
	@$(PIP) install $(LOCKED) --requirement $(ROOT)/layers/finish/requirements.txt --target $(BUILD)/tools
	@PYTHONPATH=$(BUILD)/tools $(PYTHON) -B $(ROOT)/layers/finish --layer $(notdir $(HERE)) \
		--folder $(ARTIFACTS_DIR) --installed $(or $(1),$(ARTIFACTS_DIR)/python) --report $(BUILD)/report.json \
		--machine $(MACHINE) --runtime python$(PYTHON_VERSION) --platforms "$(PLATFORMS)"
	@rm -rf $(BUILD)
endef

# What a function's Makefile does: its modules, with bytecode, and readable by whoever Lambda runs them as.
define CODE
	@cp -R $(HERE)/. $(ARTIFACTS_DIR)/
	@cd $(ARTIFACTS_DIR) && rm -rf Makefile && find . -name __pycache__ -prune -exec rm -rf {} +
	@$(if $(EXACT),PYTHONHASHSEED=0 $(PYTHON) -m compileall -q -f --invalidation-mode unchecked-hash \
		-s $(ARTIFACTS_DIR) -p /var/task $(ARTIFACTS_DIR))
	@chmod -R u=rwX,go=rX $(ARTIFACTS_DIR)
endef

comma := ,
# Sees the standard library alone; on a machine of another kind there is nothing to try.
RUN = $(if $(and $(EXACT),$(filter $(MACHINE),$(shell uname -m))),ORT_DISABLE_TELEMETRY=1 $(PYTHON) -I -S -B $(1))
# $(call TRY,STATEMENTS): with the layer's own packages.
TRY = $(call RUN,-c 'import sys; sys.path.insert(0$(comma) "$(ARTIFACTS_DIR)/python"); $(1)')
