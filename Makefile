# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export ML_PIPELINE_DATA ?= $(CURDIR)/data
export DAGSTER_HOME ?= $(ML_PIPELINE_DATA)/dagster_home
# No package of the pipeline reports its use to anybody.
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_LOGGING_LEVEL := WARNING
export DAGSTER_DISABLE_TELEMETRY := 1
# Without it two OpenMP threads on a busy two-core machine spin against each other, up to a hundred times slower.
export OMP_WAIT_POLICY := passive

.PHONY: help install run test bench faults backtest replay nightly query ui mlflow-ui doctor lint types walls check format lock screenshots hooks clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(READY) ## Make .venv with the locked, hashed dependencies

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: no '$(PYTHON)' on the PATH (set PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies, about two minutes ..."
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(READY)

run: $(READY) ## Run the whole chain on the real flights of 2013; a second run changes nothing
	@$(BIN)/ml-pipeline run

test: $(READY) ## Run all tests
	$(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder

bench: $(READY) ## Measure what features and scores cost (twenty minutes the first time; BENCH="--years 1" leaves the long history out)
	@$(BIN)/python -m ml_pipeline_tests.bench $(ML_PIPELINE_DATA)/bench $(BENCH)

faults: $(READY) ## Try every fault with the full counts and print one table: make faults [FAULTS="--quick zombies names"] (an hour)
	@$(BIN)/python -W ignore -m ml_pipeline_tests.faults $(FAULTS)

backtest: $(READY) ## Replay the project's months, a model each, and print how model and simple models did
	@$(BIN)/python -m ml_pipeline.defs.backtest_run

replay: $(READY) ## Operate March to December 2013 under several policies, with incidents, and write the page that compares them
	@$(BIN)/ml-pipeline replay

nightly: $(READY) ## Run one night, whole: make nightly NIGHT=2013-10-01
	@test -n "$(NIGHT)" || { echo "name the night: make nightly NIGHT=2013-10-01"; exit 2; }
	@$(BIN)/ml-pipeline init
	$(BIN)/dagster job execute -m ml_pipeline.definitions -j nightly_scoring --tags '{"dagster/partition": "$(NIGHT)"}'

query: $(READY) ## Ask the analysts' catalog: make query SQL="from scores limit 5"
	@$(BIN)/ml-pipeline query "$(SQL)"

ui: $(READY) ## Start Dagster's UI and daemon on http://127.0.0.1:3000, for this machine's own pages only
	@echo "MLflow's own UI: make mlflow-ui"
	@$(BIN)/ml-pipeline ui

mlflow-ui: $(READY) ## Start MLflow's UI on http://127.0.0.1:5000, for this machine's own pages only
	@$(BIN)/ml-pipeline mlflow-ui

doctor: $(READY) ## Say where everything lies and whether it is in order
	@$(BIN)/ml-pipeline doctor

lint: $(READY) ## Style of Python and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfluff lint dbt_like_sql

types: $(READY) ## Types
	$(BIN)/mypy

walls: $(READY) ## The walls between the rooms
	$(BIN)/lint-imports

check: lint types walls ## Everything that needs no run: lint, types, walls

format: $(READY) ## Let ruff and sqlfluff rewrite what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix dbt_like_sql

lock: $(READY) ## Resolve the dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-strip-extras --upgrade --output-file requirements.lock

screenshots: $(READY) ## Drive the running UI in headless Chromium and take the README's pictures
	$(BIN)/python -m ml_pipeline_tests.browser.screenshots

hooks: $(READY) ## Run the same checks before each commit
	$(BIN)/pre-commit install

clean: ## Remove everything that the pipeline wrote
	find $(ML_PIPELINE_DATA) -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
