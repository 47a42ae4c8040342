# What can be done here: make help
PYTHON ?= python3
BIN := .venv/bin
OLDEST ?= python3.10

# The project's own environment, whatever another one is active.
unexport VIRTUAL_ENV
# A process that has to compile all that it imports takes a second more to start, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
export MELTANO_SEND_ANONYMOUS_USAGE_STATS := false
export MELTANO_CLI_DISABLE_VERSION_CHECK := 1

# Each test goes to the process that is free; those of a group (xdist_group) share a server or tell a story in order.
TWO_AT_A_TIME := --numprocesses=2 --dist=loadgroup

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-oldest lint format build publish bench faults test-faults hub docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	$(BIN)/pytest $(TWO_AT_A_TIME)

test-fast: setup ## Tests of the parts alone, in a minute: without Meltano, `make faults`, whole runs of taps, signals
	$(BIN)/pytest $(TWO_AT_A_TIME) -m 'not slow'

# The sandbox, which the taps' own tests need, does not run on it.
test-oldest: ## Tests of singer-rest, and discovery by each tap, on their oldest Python (OLDEST=python3.10)
	$(OLDEST) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check 'pytest>=9.1,<10' 'singer-sdk[testing]' \
	  ./singer-rest ./tap-personio ./tap-factorial ./tap-cornerstone
	.venv-oldest/bin/python -m pytest singer-rest/tests
	@for tap in tap-personio tap-factorial tap-cornerstone; do \
	  .venv-oldest/bin/$$tap --discover > /dev/null || exit 1; done

lint: setup ## ruff, its formatter's check, mypy, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup ## Format and mend what ruff can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

build: setup ## Build the packages into dist/, and run each from an environment of its own
	rm -rf dist
	$(BIN)/uv build --all-packages --no-build-isolation --quiet --out-dir dist
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python dist/.venv
	$(BIN)/uv pip install --quiet --python dist/.venv dist/*.whl
	@for name in tap-personio tap-factorial tap-cornerstone target-duckdb hr-sandbox; do \
	  dist/.venv/bin/$$name --help > /dev/null || exit 1; done
	rm -rf dist/.venv

publish: ## Upload dist/ to the package index, as the release workflow does (TAG=v1.2.3)
	@for file in dist/*.whl; do case $$file in *-$(TAG:v%=%)-*) ;; *) echo "$$file is not of $(TAG)"; exit 1;; esac; done
	$(BIN)/uv publish --trusted-publishing always dist/*

bench: setup ## Requests at a time; a first and a second run; the loader beside the published one
	$(BIN)/python benchmarks/concurrency.py
	$(BIN)/python benchmarks/runs.py
	$(BIN)/python benchmarks/loader.py

faults: setup ## An hour of kills, bad answers and odd values (PART=proxy: one part; SEED=8: other choices)
	$(BIN)/python -m faults $(or $(PART),all) --seed $(or $(SEED),7)

test-faults: setup ## A small part of each part of `make faults`, as tests
	FAULTS=1 $(BIN)/pytest tests/test_faults.py

hub: setup ## Write the Meltano Hub definitions, and the settings in meltano.yml
	$(BIN)/python hub/write.py

docs: setup ## Write the tables and counts in the pages from the code
	$(BIN)/python docs/pages.py

clean: ## Remove what was made here: environments, outputs, caches
	rm -rf .venv .venv-oldest .meltano output dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
