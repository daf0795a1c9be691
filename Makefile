# `make demo` and `make test` do all the set-up they need; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-all format train-hair-net clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
	@echo "bench-NAME      run benchmarks/NAME.py and print its table (hair, hair_plain, hair_match, hair_diameter, vesicles, exports, stats, pooling, ...)"

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev --editable '.[cluster]'
	@touch $@

demo: $(VENV)/ready ## write the example study, run it, print where the report is
	$(BIN)/anagen demo --out demo

test: $(VENV)/ready ## format, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(JOBS) -m "not slow"

test-all: $(VENV)/ready ## everything in test, and the long suites
	$(BIN)/pytest -n $(JOBS)

format: $(VENV)/ready ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bench: $(VENV)/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --group bench
	@touch $@

bench-%: $(VENV)/bench
	$(BIN)/python -m benchmarks.$*

train-hair-net: $(VENV)/ready ## train the network that finds hairs, on synthetic scenes, and write its weights
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --group train
	$(BIN)/python -m training.hair_net --out out/hair_net.onnx
	$(BIN)/python -m training.hair_net --start out/hair_net.onnx --minutes 45 --seed 31 --rate 1e-3 --out out/hair_net.onnx
	$(BIN)/python -m training.hair_net --start out/hair_net.onnx --minutes 42 --seed 41 --rate 7e-4 --out src/anagen/hair/hair_net.onnx

clean: ## remove what was built
	rm -rf $(VENV) demo out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
