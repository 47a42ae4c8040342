# List the targets: make help
PYTHON ?= python3
BIN := .venv/bin
OLDEST ?= python3.10

# Use the project's environment even if another one is active.
unexport VIRTUAL_ENV
# Compiling imports adds a second to the start of a process, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
export NO_MKDOCS_2_WARNING := 1
export MELTANO_SEND_ANONYMOUS_USAGE_STATS := false
export MELTANO_CLI_DISABLE_VERSION_CHECK := 1

# The newest release of the version that the theme supports.
MERMAID := 11.17.2
MERMAID_FILE := output/mermaid/package/dist/mermaid.min.js

# Dependency groups that only some targets need; those that were installed stay.
GROUPS := lint test report docs frames explore deploy lake
SYNC = $(BIN)/uv sync --locked --quiet --no-default-groups --group dev \
  $(foreach group,$(GROUPS),$(if $(wildcard .venv/.$(group)),--group $(group)))

# More processes than small machines have cores, because tests wait for responses. A file stays with one: some share a server, or
# depend on the order of their tests. Files keep their order, so that those with few but slow tests are not the last.
IN_PARALLEL := --numprocesses=3 --dist=loadfile --no-loadscope-reorder

# What runs on a server.
SHIPPED := singer-rest tap-personio tap-factorial tap-cornerstone hrtaps-target-duckdb hr-webhooks
CONTAINERS ?= docker
BASE ?= docker.io/library/python:$(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null)-slim-bookworm

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-live report explore test test-deep test-oldest lint format build wheels image test-deploy test-elsewhere test-airflow test-lake publish bench scaling faults test-faults hub docs site screenshots clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready .meltano/.ready ## Create .venv from uv.lock, and install Meltano's plugins

.venv/.ready: uv.lock pyproject.toml $(wildcard */pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is required, for example: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo 'Installing the packages into .venv ...'
	@test -x $(BIN)/uv || { $(PYTHON) -m venv --clear .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'; }
	@$(SYNC)
	@touch $@

# Meltano does not notice when a plugin's dependencies change. Starting each program once compiles what it imports; compiling
# all that is installed would take three times the space.
.meltano/.ready: .venv/.ready meltano.yml
	@echo "Installing Meltano's plugins into .meltano ..."
	@$(BIN)/meltano --log-level=warning install --clean
	@{ for tap in tap-personio tap-factorial tap-cornerstone tap-hr-webhooks; do \
	    .meltano/extractors/$$tap/venv/bin/$$tap --discover & done; \
	  .meltano/loaders/target-duckdb/venv/bin/target-duckdb --about & \
	  .meltano/transformers/dbt-duckdb/venv/bin/dbt --help & \
	  $(BIN)/hr-sandbox --help & $(BIN)/python demo.py --help & wait; } > /dev/null 2>&1
	@touch $@

$(GROUPS:%=.venv/.%): .venv/.%: .venv/.ready
	@echo 'Installing the dependency group $* ...'
	@$(SYNC) --inexact $(if $(filter explore,$*),--compile-bytecode) --group $*
	@touch $@

demo: setup .venv/.report ## Load a fictitious company through Meltano into DuckDB, build the models, and write the report (PRIVACY=minimal: under a privacy profile)
	@$(BIN)/python demo.py $(if $(PRIVACY),--privacy '$(PRIVACY)')

demo-live: setup ## Show that changes in a fictitious company reach DuckDB within seconds, through webhooks and Meltano
	@$(BIN)/python demo_live.py

report: setup .venv/.report ## Write a page about the models in output/warehouse.duckdb (DATABASE=file.duckdb OUT=page.html)
	@$(BIN)/hr-report $(if $(DATABASE),--database $(DATABASE)) $(if $(OUT),--out $(OUT))

explore: setup .venv/.explore ## Open a notebook about the HR models, with filters and SQL (DATABASE=output/demo/demo.duckdb)
	@HR_DATABASE=$(or $(DATABASE),output/warehouse.duckdb) $(BIN)/marimo run --token explore.py

test: setup .venv/.test .venv/.report ## Run all tests but those of the models, the site and recordings (make test-deep)
	$(BIN)/pytest $(IN_PARALLEL) -m 'not deep and not deploy and not elsewhere and not airflow'

test-deep: setup .venv/.test .venv/.docs .venv/.report .venv/.explore .venv/.frames ## Run the tests that take minutes: dbt models, site, recordings, faults of all vendors, every stream by id
	$(BIN)/pytest $(IN_PARALLEL) -m deep tests tap-*/tests webhooks/tests

test-fast: setup .venv/.test ## Run tests for a minute: without the loader's, the sandbox's, and those marked slow (see CONTRIBUTING.md)
	$(BIN)/pytest $(IN_PARALLEL) -m 'not slow and not deep and not deploy and not elsewhere and not airflow' singer-rest/tests tap-*/tests tests

# The taps' tests need the sandbox, which requires a newer Python.
test-oldest: ## Test singer-rest, and the taps' discovery, on their oldest Python (OLDEST=python3.10)
	$(OLDEST) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check 'proxy-py>=2.4.10,<3' 'pytest>=9.1,<10' \
	  'singer-sdk[testing]' 'trustme>=1.2.1,<2' \
	  './singer-rest[keyring,otel]' ./tap-personio ./tap-factorial ./tap-cornerstone
	.venv-oldest/bin/python -m pytest singer-rest/tests
	@for tap in tap-personio tap-factorial tap-cornerstone; do \
	  .venv-oldest/bin/$$tap --discover > /dev/null || exit 1; done

# mypy reads the types of what helps tests.
lint: setup .venv/.test .venv/.lint ## Check with ruff, mypy and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup .venv/.lint ## Format, and fix what ruff can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

build: setup ## Build the packages into dist/, and check that each one starts
	rm -rf dist
	$(BIN)/uv build --all-packages --no-build-isolation --quiet --out-dir dist
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python dist/.venv
	$(BIN)/uv pip install --quiet --python dist/.venv dist/*.whl
	@for name in tap-personio tap-factorial tap-cornerstone target-duckdb hr-sandbox hr-report hr-webhooks tap-hr-webhooks hr-export; do \
	  dist/.venv/bin/$$name --help > /dev/null || exit 1; done
	rm -rf dist/.venv

# For this machine's Python and platform.
wheels: .venv/.ready ## Collect the taps, the loader, the receiver of webhooks and all they need in dist/wheels, for machines without a package index (EXTRAS="otel keyring")
	rm -rf dist/wheels
	@for name in $(SHIPPED); do \
	  $(BIN)/uv build --package $$name --wheel --no-build-isolation --quiet --out-dir dist/wheels/own || exit 1; done
	@$(BIN)/uv export --locked --quiet --no-default-groups --no-emit-workspace --no-annotate --no-header \
	  $(foreach name,$(SHIPPED),--package $(name)) $(foreach extra,$(EXTRAS),--extra $(extra)) --output-file dist/wheels/requirements.txt
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --dest dist/wheels --only-binary=:all: --no-deps \
	  --require-hashes --requirement dist/wheels/requirements.txt
	@echo "dist/wheels holds $$(find dist/wheels -name '*.whl' | wc -l) wheels, $$(du -sh dist/wheels | cut -f1)"

image: wheels ## Build the container image hrtaps (CONTAINERS="podman" instead of docker; BASE=another image with the same Python)
	$(CONTAINERS) build --file deploy/Dockerfile --build-arg BASE=$(BASE) --tag hrtaps:latest .

test-deploy: .venv/.test .venv/.deploy ## Build the image and run it, install without an index, and check the files for Kubernetes (as root: buildah)
	$(BIN)/pytest -m deploy tests/test_deploy.py -rs

# Each loader has an environment of its own, as with Meltano.
.venv/loaders/%/.ready: tests/loaders/%.txt .venv/.ready
	@echo 'Installing $* ...'
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/loaders/$*
	@$(BIN)/uv pip sync --quiet --python .venv/loaders/$* $<
	@touch $@

test-elsewhere: .venv/.test .venv/loaders/target-postgres/.ready .venv/loaders/target-jsonl/.ready ## Load what the taps write with loaders of others (needs PostgreSQL) and as Parquet
	$(BIN)/pytest -m elsewhere tests/test_elsewhere.py -rsP

.venv/airflow/.ready: orchestrate/requirements.txt .venv/.ready
	@echo 'Installing Airflow into .venv/airflow ...'
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/airflow
	@$(BIN)/uv pip sync --quiet --python .venv/airflow $<
	@touch $@

test-airflow: setup .venv/.test .venv/airflow/.ready .venv/loaders/target-postgres/.ready ## Load three tenants with Airflow and kill it meanwhile (needs PostgreSQL; PEOPLE=10000)
	$(BIN)/pytest -m airflow tests/test_airflow.py -rsP

test-lake: .venv/.test .venv/.lake .venv/loaders/moto/.ready .venv/loaders/duckdb-iceberg/.ready ## Export everything as Parquet and Iceberg, to a folder and to a local S3 server, and read it with polars, pyarrow and DuckDB
	$(BIN)/pytest -m elsewhere tests/test_lake.py hr-export/tests/test_iceberg.py -rsP

publish: ## Upload dist/ to the package index, as the release workflow does (TAG=v1.2.3)
	@for file in dist/*.whl; do case $$file in *-$(TAG:v%=%)-*) ;; *) echo "$$file is not of $(TAG)"; exit 1;; esac; done
	$(BIN)/uv publish --trusted-publishing always dist/*

bench: setup ## Run the benchmarks, about an hour, and write docs/performance.md (QUICK=1: minutes, for a look; ROWS=100000; REPEAT="2 table=5 rows=1")
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(ROWS),--rows $(ROWS)) $(foreach number,$(REPEAT),--repeat $(number))

scaling: setup ## Measure runs of companies of several sizes, half an hour, and write docs/scaling.md (PEOPLE="1000 10000")
	$(BIN)/python -m benchmarks.scaling $(if $(PEOPLE),--people $(PEOPLE))

faults: setup ## Run the fault-injection tests, about an hour (PART=proxy: one part; SEED=8: other random choices)
	$(BIN)/python -m faults $(or $(PART),all) --seed $(or $(SEED),7)

test-faults: setup .venv/.test ## Run a small selection of `make faults` as tests
	$(BIN)/pytest tests/test_faults.py

hub: setup ## Generate the Meltano Hub definitions, and the settings in meltano.yml
	$(BIN)/python hub/write.py

docs: setup ## Generate the tables and counts in the Markdown pages
	$(BIN)/python -m docsite.pages

$(MERMAID_FILE):
	@mkdir -p output/mermaid
	@{ cd output/mermaid && npm pack --silent mermaid@$(MERMAID) > /dev/null && \
	  tar -xzf mermaid-*.tgz package/dist/mermaid.min.js && rm mermaid-*.tgz; } 2> /dev/null || \
	  echo 'The site will show diagrams as text: npm is not installed, or could not download mermaid.'

site: setup .venv/.docs $(MERMAID_FILE) ## Build the documentation into output/site (SERVE=1: serve it at http://127.0.0.1:8000)
	@$(BIN)/python -m mkdocs $(if $(SERVE),serve,build --strict --quiet)
	$(if $(SERVE),,@echo 'The documentation is in output/site/index.html. Its search needs a server: make site SERVE=1')

screenshots: site .venv/.report ## Draw the README's pictures of the demo, the doctor and the site (needs Chromium)
	$(BIN)/python -m docsite.screenshots

clean: ## Remove environments and caches; loaded data and Meltano's state only after a question
	@if ls output/*.duckdb .meltano/meltano.db 2> /dev/null | grep -q .; then \
	  printf 'Remove the loaded data in output/ and the state in .meltano/, too? [y/N] '; \
	  read -r answer && test "$$answer" = y \
	    && rm -rf output .meltano || echo 'Kept output/ and .meltano/.'; \
	else rm -rf output .meltano; fi
	rm -rf .venv .venv-oldest dist output/demo output/demo-* .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
