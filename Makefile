# Run it in the project's own folder. Each target sets up what it needs first. The virtual environment is
# .venv; change it with VENV=, the Python that makes it with PYTHON=. Arguments for a command go into ARGS=.
# All names are relative: make splits absolute ones at blanks, wherever the project lies.

ifneq ($(lastword $(MAKEFILE_LIST)),Makefile)
$(error This Makefile works in its own folder alone: cd there, or use make -C FOLDER)
endif

VENV ?= .venv
ifneq ($(words $(VENV)),1)
$(error VENV: must be a name without blanks, got "$(VENV)")
endif
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA ?= embedded
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
MADE := .venv .venv-lowest mutants results report site .cache mlartifacts mlflow.db

.PHONY: help setup grid search freezing smoke pretrain report submission doctor reproduce ui bench results faults mutants audit schema lowest programs test tests lint types docs fast clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); the first time takes minutes"
	$(PIP) install --no-compile --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true # on all cores; pip takes one; not all is Python 3
	touch $(READY)

programs: ## install what some tests run against, where apt-get and root allow it
	tests/programs/install_debian_packages.sh

setup: $(READY) ## make the virtual environment and install everything

grid: $(READY) ## run the assigned grid: 12 trials
	$(BIN)/python tuning/run_grid.py $(ARGS)

search: $(READY) ## search with Optuna, confirm the best, score it once
	$(BIN)/python tuning/run_search.py $(ARGS)

freezing: $(READY) ## compare all, some and no layers frozen over three seeds
	$(BIN)/python tuning/run_grid.py experiments/freezing.yaml $(ARGS)

smoke: $(READY) ## run two trials in about a minute
	$(BIN)/python tuning/run_grid.py experiments/smoke.yaml $(ARGS)

pretrain: $(READY) ## train an encoder on text; ARGS="--corpus FILES --output FOLDER"
	$(BIN)/python tuning/pretrain.py $(ARGS)

report: $(READY) ## turn the log into report/Report.pdf and report/index.html
	$(BIN)/python analysis/make_report.py $(ARGS)

submission: $(READY) ## pack report, code and saved models; MEMBERS="Name1 Name2"
	$(BIN)/python analysis/make_submission.py $(MEMBERS) $(ARGS)

doctor: $(READY) ## look at this machine: versions, speed, GPUs, disk, what auto finds; for bug reports
	$(BIN)/python -m tuning.doctor $(ARGS)

reproduce: $(READY) ## recompute saved models' scores; SAVED=run id or folder
	$(BIN)/python tuning/reproduce.py $(SAVED) $(ARGS)

ui: $(READY) ## serve MLflow's pages here, and print the address of the newest launch
	$(BIN)/python -m tuning.tracking ui $(ARGS)

bench: $(READY) ## measure start-up, floor, growth, against Trainer, then show the goals; 80 minutes; DATA=FOLDER
	$(BIN)/python benchmarks/bench.py --data $(DATA)

results: $(READY) ## measure all on PARADE, write the pages; DATA=FOLDER; hours, repeat it to go on
	$(BIN)/python benchmarks/results.py --data $(DATA) $(ARGS)

lint: $(READY) ## check style and format
	$(BIN)/python -m ruff check . && $(BIN)/python -m ruff format --check .

types: $(READY) ## check types
	$(BIN)/python -m basedpyright --pythonpath $(BIN)/python

docs: $(READY) ## build the guides as a site; a broken link fails
	$(BIN)/python -m zensical build --strict --clean

fast: $(READY) ## run the tests that need no Ray
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow' $(ARGS)

test: lint types docs tests ## check style, types and guides, run every test

tests: $(READY) programs ## run every test, three files at a time: some wait
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

faults: $(READY) ## the long form of the fault tests: half an hour, and any bytes 2,000 times
	$(BIN)/python -m tests.faults.long_form $(ARGS)
	FAULT_EXAMPLES=2000 $(BIN)/python -m pytest -n 2 --timeout 3600 tests/faults/test_any_bytes.py

mutants: $(READY) ## change the statistics in 840 places, one at a time: do tests notice? Five minutes
	$(PIP) install --constraint constraints.txt --editable '.[mutants]'
	$(BIN)/python -m mutmut run $(ARGS)
	$(BIN)/python -m mutmut results

audit: $(READY) ## ask whether a pinned dependency has a known vulnerability; needs the network
	$(BIN)/python -m pip_audit --requirement constraints.txt --requirement deploy/constraints.txt --disable-pip --no-deps

schema: $(READY) ## write experiments/*schema.json from what the models allow, for editors
	$(BIN)/python -m tuning.config.schema experiments/schema.json
	$(BIN)/python -m tuning.pretraining.schema experiments/recipe.schema.json

lowest: ## check the lower bounds in pyproject.toml: install them, run the fast tests and ONNX's
	test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip --quiet --disable-pip-version-check install uv
	.venv-lowest/bin/python -m uv pip compile --quiet --upgrade --resolution lowest-direct --extra onnx --extra servers --output-file .venv-lowest/lowest.txt pyproject.toml
	.venv-lowest/bin/python -m pip --quiet --disable-pip-version-check install --constraint .venv-lowest/lowest.txt --editable '.[dev]'
	.venv-lowest/bin/python -m pytest -n 2 --dist loadfile -m 'not slow' $(ARGS)
	.venv-lowest/bin/python -m pytest tests/models/test_export_onnx.py

clean: ## remove results, log, report and virtual environments; asks first, YES=1 does not
	@found=$$(ls -d $(MADE) 2>/dev/null); test -z "$$found" || test -n "$(YES)" || { \
	  printf 'make clean removes\n%s\nType yes to go on: ' "$$found"; read -r answer; \
	  test "$$answer" = yes || { echo "nothing was removed; make clean YES=1 does not ask"; exit 1; }; }
	rm -rf $(MADE)
