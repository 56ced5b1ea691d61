# One command per chore. `make demo` and `make test` need nothing but Python 3.11+ and make.
# make PYTHON=/path/to/python chooses the interpreter, make VENV=dir another folder for the environment.

VENV ?= .venv
BIN = $(VENV)/bin
RANGES_SECONDS ?= 900
export PYTHON

.PHONY: help venv demo test test-matrix lint format types wheel-check ranges lock benchmark mutants attack reference clean

help:
	@echo "make demo         see it work: embedded PostgreSQL, 100,000 rows, a bulk update with failures"
	@echo "make test         all tests"
	@echo "make test-matrix  all tests on PostgreSQL 15, 16, 17 and 18"
	@echo "make lint         what CI lints; make format mends most of it"
	@echo "make types        mypy --strict"
	@echo "make wheel-check  the wheel, used elsewhere, generates the same bytes"
	@echo "make ranges       the newest and the lowest versions that users may have: do they work, or which breaks"
	@echo "make lock         the newest versions that pyproject.toml allows, for development and CI"
	@echo "make benchmark    how long generating takes; operations against hand-written statements"
	@echo "make mutants      break the generated SQL in many ways; the generated tests must notice"
	@echo "make attack       random attacks on a real server, each judged row by row by an oracle of its own"
	@echo "make reference    docs/language.md, docs/findings.md and schemas/ anew"

venv:
	@tools/venv $(VENV)

demo: venv
	@$(BIN)/specgen demo --output generated

test: venv
	$(BIN)/python -m pytest -n auto

test-matrix: venv
	$(BIN)/python tests/matrix/fetch_postgres.py 15 16 17
	SPECGEN_TEST_POSTGRES=15,16,17,18 $(BIN)/python -m pytest -n auto

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: venv
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: venv
	$(BIN)/mypy

wheel-check: venv
	$(BIN)/python -m tools.wheel_check

ranges: venv
	@$(BIN)/python -m tools.ranges --seconds $(RANGES_SECONDS)

lock:
	@tools/lock --upgrade

benchmark: venv
	$(BIN)/python benchmarks/generate.py
	$(BIN)/python benchmarks/operations.py --write
	$(BIN)/python benchmarks/failing.py --write

reference: venv
	$(BIN)/python -m tools.reference

mutants: venv
	$(BIN)/python -m tests.mutation

ROUNDS ?= 240
SEED ?= 1
attack: venv
	$(BIN)/python -m tests.attack --rounds $(ROUNDS) --seed $(SEED)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
