# seedmap: what one can do here. `make demo` and `make test` are all that a newcomer needs.
#
#   make demo     create the environment, install, run the main job on the built-in phantom
#   make test     all tests, doctests, warnings as errors
#   make lint     format, lint, types, imports
#   make check    what every commit must pass: `make lint` and the quick tests
#   make docs     build the documentation into docs/_build/html
#   make bench    measure speed and memory beside nilearn; bench-check, bench-scaling,
#                 bench-explorer, bench-surfaces, bench-study and bench-group measure the rest
#   make verify-statistics   false-positive rates of the error bars, by simulation
#   make fuzz     two thousand damaged files: the right map, or one line
#   make golden BEFORE=OTHER/src   do two versions write the same, bit for bit?
#   make clean    remove what the above have made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
SHARED_DATA := ../shared/data
ifneq ($(wildcard $(SHARED_DATA)/README.md),)
export SEEDMAP_TEST_DATA ?= $(abspath $(SHARED_DATA))
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint check format docs clean
.PHONY: bench bench-check bench-scaling bench-explorer bench-surfaces bench-study bench-group verify-statistics golden fuzz

# Test files run side by side, each with one thread of BLAS, so that two cores do the work of two.
TEST_WORKERS ?= 2
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(VENV)/installed
	$(BIN)/seedmap demo --out demo-output

test: $(VENV)/installed-dev
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache

check: lint
	$(PYTEST) -q -m "not slow and not full"

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/installed-dev
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/check_links.py

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/bench.py

bench-check: $(VENV)/installed-dev
	$(BIN)/python benchmarks/check.py

bench-scaling: $(VENV)/installed-dev
	$(BIN)/python benchmarks/scaling.py

bench-explorer: $(VENV)/installed-dev
	$(BIN)/python benchmarks/bench_explorer.py --page docs/benchmarks-explorer.md

bench-surfaces: $(VENV)/installed-dev
	$(BIN)/python benchmarks/bench_surfaces.py --page docs/benchmarks-surfaces.md

bench-study: $(VENV)/installed-dev
	$(BIN)/python benchmarks/bench_study.py
	$(BIN)/python benchmarks/bench_store.py speed

fuzz: $(VENV)/installed-dev
	$(BIN)/python benchmarks/fuzz.py --number 2000

golden: $(VENV)/installed-dev
	$(BIN)/python tests/golden/golden.py compare $(BEFORE) src

bench-group: $(VENV)/installed-dev
	$(BIN)/python benchmarks/bench_group.py --long --page docs/benchmarks-group.md

verify-statistics: $(VENV)/installed-dev
	$(BIN)/python benchmarks/verify_statistics.py

clean:
	rm -rf $(VENV) demo-output build dist docs/_build docs/gallery docs/generated benchmarks/work
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
