# Everything a developer calls. `make` alone says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := PYTHONPATH=operator:. $(BIN)/python
TESTS ?= tests
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help up down test check bench soak crds golden image format

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

up: $(VENV)/ready ## Start or find a cluster, install the operator, apply the examples, show their status
	$(RUN) -m devcluster.demo up

down: $(VENV)/ready ## End what `make up` started
	$(RUN) -m devcluster.demo down

test: check ## Run everything that must hold before a change lands
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

check: $(VENV)/ready ## Format, lint, types, import contracts, generated files: nothing is changed
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(RUN) -m wakala_api.crd --check
	$(RUN) -m charts.render --check

format: $(VENV)/ready ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

crds: $(VENV)/ready ## Write crds/ and what the charts take from it
	$(RUN) -m wakala_api.crd
	$(RUN) -m charts.render

bench: $(VENV)/ready ## Measure beside an operator on controller-runtime (figures in bench/README.md)
	$(RUN) -m bench services

soak: $(VENV)/ready ## The faults that last minutes, and 5,000 services at rest (needs the extra `bench`)
	$(BIN)/python -m pytest -m soak tests
	$(RUN) -m bench idle

image: $(VENV)/ready ## Build the images; needs no Docker daemon
	image/build

golden: $(VENV)/ready ## Write what the examples render to (tests/golden/expected)
	$(RUN) -m tests.golden.render
