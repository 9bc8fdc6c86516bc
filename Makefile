# Every target works as the very first command in a fresh clone: it needs Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-standin test-sam lint lint-tools lint-infra bench clean

help: ## what there is to do
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything in it (console script .venv/bin/coldpress)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "Coldpress needs Python >= 3.11, but $(PYTHON) is %d.%d. Try: make PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[api,build,deploy,dev]'
	@touch $@

demo: $(STAMP) ## train, export, press, upload, ingest, serve and predict, with figures
	$(BIN)/coldpress demo

up: $(STAMP) ## the local server in the foreground
	$(BIN)/coldpress up

test: $(STAMP) lint ## every test but the container tier
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-standin: $(STAMP) ## the end-to-end suite on an AWS stand-in that runs the functions, with IAM enforced
	$(BIN)/python -m pytest --target standin tests/e2e

test-sam: $(STAMP) ## the end-to-end suite on sam local, in containers (root, or a container engine)
	$(BIN)/python -m pytest --target sam tests/e2e tests/sam_local

bench: $(STAMP) ## the benchmark: ours and the peers side by side; figures in .coldpress/bench.json
	$(BIN)/python -m tests.bench

lint: $(STAMP) ## ruff, mypy --strict, cfn-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cfn-lint template.yaml infra/*.yaml

# Checkov pins what Coldpress uses in other versions: it gets an environment of its own, below the user's cache.
CHECKOV_VERSION := 3.3.30
CHECKOV := $(or $(COLDPRESS_CACHE),$(HOME)/.cache/coldpress)/tools/checkov-$(CHECKOV_VERSION)

# SAM's command line is such a tool too; it asks for a region, and for no account.
SAM = $$($(BIN)/python -m tests.support.toolbox tests/sam_local/samcli.txt)/sam

lint-tools: $(STAMP) $(CHECKOV)/complete # what lint-infra needs
	@$(BIN)/python -m tests.support.toolbox tests/sam_local/samcli.txt > /dev/null

lint-infra: lint-tools ## cfn-lint, sam validate, checkov: the templates against the rules of security
	$(BIN)/cfn-lint template.yaml infra/*.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(SAM) validate --lint --template template.yaml
	$(CHECKOV)/bin/checkov --skip-download --framework cloudformation --file template.yaml infra/*.yaml --quiet --compact

$(CHECKOV)/complete:
	$(PYTHON) -m venv --clear $(CHECKOV)
	$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check checkov==$(CHECKOV_VERSION)
	@touch $@

clean: ## remove the virtual environment, caches and local state
	rm -rf $(VENV) .coldpress .mypy_cache .ruff_cache .pytest_cache
