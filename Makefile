# What can be done here: make help
PYTHON ?= python3
BIN := .venv/bin

# The project's own environment, whatever another one is active.
unexport VIRTUAL_ENV
# A process that has to compile all that it imports takes a second more to start, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
export MELTANO_SEND_ANONYMOUS_USAGE_STATS := false
export MELTANO_CLI_DISABLE_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench faults test-faults hub docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready .meltano/.ready ## Make .venv with everything in it, as uv.lock says, and Meltano's plugins

.venv/.ready: uv.lock pyproject.toml $(wildcard */pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/uv || { $(PYTHON) -m venv --clear .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'; }
	$(BIN)/uv sync --locked --quiet --compile-bytecode
	@touch $@

# Meltano would not notice that a plugin needs more than it did.
.meltano/.ready: .venv/.ready meltano.yml
	@$(BIN)/meltano --log-level=warning install --clean
	@touch $@

demo: setup ## An invented company through Meltano into DuckDB, and what arrived
	@$(BIN)/python demo.py

test: setup ## Every test
	$(BIN)/pytest --numprocesses=2 --dist=loadfile

lint: setup ## ruff, its formatter's check, mypy, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup ## Format and mend what ruff can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: setup ## Requests at a time; a first and a second run; the loader beside the published one
	$(BIN)/python benchmarks/concurrency.py
	$(BIN)/python benchmarks/runs.py
	$(BIN)/python benchmarks/loader.py

faults: setup ## An hour of kills, bad answers and odd values (PART=proxy: one part; SEED=8: other choices)
	$(BIN)/python -m faults $(or $(PART),all) --seed $(or $(SEED),7)

test-faults: setup ## A small part of each part of `make faults`, as tests
	FAULTS=1 $(BIN)/pytest tests/test_faults.py

hub: setup ## Write the Meltano Hub definitions anew
	$(BIN)/python hub/write.py

docs: setup ## Write the tables and counts in the pages from the code
	$(BIN)/python docs/pages.py

clean: ## Remove what was made here: environments, outputs, caches
	rm -rf .venv .meltano output .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
