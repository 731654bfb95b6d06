# Everything that is run by hand or by CI. Needs Python 3.11 or later with pip; the rest is installed into .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
PEERS := .venv-peers

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

MANIFEST ?= examples/quickstart.yaml
MODEL ?= examples/models/demo
AUDIO ?= examples/audio/unseen_0.wav
ARGS ?=

.PHONY: help
help: ## list the verbs (the default)
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/inference.stamp ## run the quickstart's pods here and transcribe a clip (AUDIO=FILE, MANIFEST=FILE)
	@$(BIN)/whisper-operator play -f $(MANIFEST) --transcribe $(AUDIO) $(ARGS)

.PHONY: serve
serve: .venv/inference.stamp ## serve the demo model on this machine (MODEL=PATH_OR_NAME, ARGS="--port 8001")
	@$(BIN)/whisper-inference serve --model $(MODEL) $(ARGS)

.PHONY: test
test: .venv/dev.stamp ## run every test, in random order, two files at a time, with branch coverage (some: ARGS="-k queue --no-cov")
	@$(BIN)/pytest --numprocesses=2 --no-loadscope-reorder --cov --cov-report=term $(ARGS)

.PHONY: e2e
e2e: .venv/dev.stamp ## build the images, and prove them and the chart on a real node (ARGS="--cluster=existing": on yours)
	@$(BIN)/pytest --no-cov --e2e -p no:randomly -q -s tests/e2e $(ARGS)

.PHONY: fuzz
fuzz: .venv/dev.stamp ## ask a server what a program makes up from its description, for ten minutes (FUZZ_SECONDS=100 as each)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-100} FUZZ_SEED=$${FUZZ_SEED:-$$RANDOM} $(BIN)/pytest --no-cov -q -s tests/api/test_fuzz.py $(ARGS)

.PHONY: chaos
chaos: .venv/dev.stamp ## kill operator and API server at random for five minutes while resources change (CHAOS_SECONDS, CHAOS_SEED)
	@CHAOS_SECONDS=$${CHAOS_SECONDS:-300} CHAOS_SEED=$${CHAOS_SEED:-$$RANDOM} $(BIN)/pytest --no-cov -q -s tests/cluster/test_chaos.py $(ARGS)

.PHONY: check
check: .venv/dev.stamp ## lint, types, import layers, generated files, budgets, and scans for weaknesses
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy inference operator tests scripts
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m scripts.generate --check
	$(BIN)/python -m scripts.check_budgets
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml inference operator
	$(BIN)/python -m scripts.check_secrets
	$(BIN)/python -m scripts.check_dependencies

.PHONY: bench
bench: .venv/dev.stamp $(PEERS)/stamp ## measure the server against its peers and write docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: bench-stream
bench-stream: .venv/dev.stamp $(PEERS)/whisperlivekit ## measure live speech and write docs/benchmarks-streaming.md
	@$(BIN)/python -m tests.benchmarks.streams --whisperlivekit $(PEERS)/whisperlivekit $(ARGS)

.PHONY: load
load: .venv/dev.stamp ## measure four replicas under a thousand users, then too many files, and write docs/benchmarks-load.md
	@$(BIN)/python -m tests.benchmarks.load $(ARGS)

.PHONY: soak
soak: .venv/dev.stamp ## use two replicas for half an hour and see whether their memory grows (ARGS="--minutes 5")
	@$(BIN)/python -m tests.benchmarks.load --soak $(ARGS)

.PHONY: generate
generate: .venv/dev.stamp ## write the files that are made from others
	@$(BIN)/python -m scripts.generate

.PHONY: constraints
constraints: .venv/dev.stamp ## pin anew, in constraints.txt, every package that the project needs
	@$(BIN)/python -m scripts.pin_packages

.PHONY: clean
clean: ## remove what the other verbs made, the virtual environments included
	rm -rf .venv $(PEERS) .cache build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments. pip is the caller's, told which interpreter to install for: Debian's python3 can make a virtual
# environment only without pip unless python3-venv is installed.

PIP_INSTALL = $(PYTHON) -m pip --quiet --python $(1)/bin/python install

.venv/bin/python $(PEERS)/bin/python:
	$(PYTHON) -m venv --without-pip $(@:/bin/python=)

.venv/inference.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(call PIP_INSTALL,.venv) --constraint constraints.txt --editable '.[inference,operator]'
	@touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(call PIP_INSTALL,.venv) --constraint constraints.txt --editable '.[dev]' pip
	@touch .venv/inference.stamp $@

# One class of it is measured, on our engine: what it would bring with it is not needed.
$(PEERS)/whisperlivekit: | $(PEERS)/bin/python
	$(call PIP_INSTALL,$(PEERS)) --no-deps --target $@ whisperlivekit==0.2.26

$(PEERS)/stamp: tests/benchmarks/peers/requirements.txt | $(PEERS)/bin/python
	$(call PIP_INSTALL,$(PEERS)) --requirement $<
	@touch $@
