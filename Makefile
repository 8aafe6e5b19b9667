# Two commands for everybody: `make demo` and `make test`. Each prepares .venv by itself.
# For a contributor also `make test-fast`, `make lint`, `make docs`: CONTRIBUTING.md
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-fast lint docs pages bench bench-peers faults fuzz clean
demo: $(READY)
	$(BIN)/emotion-rppg demo --out demo

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4

# without the tests marked slow
test-fast: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the documentation site in site/; a warning is an error
docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

bench: $(READY)
	$(BIN)/python -m benchmarks

# beside other packages, each installed into an environment of its own under .peers/
bench-peers: $(READY)
	$(BIN)/python -m benchmarks.peers .peers

# a hundred kills of each long verb at random moments, where `make test` has one
faults: $(READY)
	EMOTION_RPPG_KILLS=100 $(BIN)/python -m pytest tests/test_faults.py tests/test_kills.py tests/test_killed_recorders.py

# ten thousand damaged files for each parser, where `make test` has a few
fuzz: $(READY)
	EMOTION_RPPG_FUZZ=10000 $(BIN)/python -m pytest tests/datasets/test_fuzz.py tests/test_fuzz_models.py

# the table of data sets in the README, and their page
pages: $(READY)
	$(BIN)/python -m emotion_rppg.report.dataset_pages

clean:
	rm -rf $(VENV) .peers demo site .mypy_cache .ruff_cache .pytest_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

$(VENV)/.docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@
