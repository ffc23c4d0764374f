# Two commands for a fresh machine: `make demo` and `make test`. The rest is for development.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint prove floors bench comparison cards clean

demo: .venv/installed
	$(BIN)/ganzoo demo --out runs/demo

test: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not prove" -n 2 --dist worksteal

lint: .venv/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

prove: .venv/test
	$(BIN)/python -m pytest -m prove

# the tests on the lowest versions that pyproject.toml allows; those of most optional packages are skipped
floors:
	$(PYTHON) -m venv --clear .floors
	.floors/bin/python -m pip install --quiet uv
	.floors/bin/uv pip install --quiet --python .floors/bin/python --resolution lowest-direct --editable .
	.floors/bin/uv pip install --quiet --python .floors/bin/python --editable '.[effnet]' \
		--editable plugins/ganzoo_collections pytest pytest-xdist hypothesis hatchling torchmetrics scikit-image ruff mypy
	OMP_NUM_THREADS=1 .floors/bin/python -m pytest -m "not prove" -n 2 --dist worksteal

# everything anew; `python -m tests.benchmarks` alone measures what has no result yet
bench: .venv/test
	$(BIN)/python -m tests.benchmarks.peers
	$(BIN)/python -m tests.benchmarks --all
	$(BIN)/python -m tests.benchmarks.scaling
	$(BIN)/python -m tests.benchmarks.superres

# every adversarial loss and regulariser under one budget; goes on where it stopped
comparison: .venv/test
	$(BIN)/python -m tests.benchmarks.comparison

# measures every shipped model and writes its numbers into its card
cards: .venv/installed
	$(BIN)/python -m ganzoo.evaluation.cards

.venv/installed: pyproject.toml plugins/ganzoo_collections/pyproject.toml constraints-cpu.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints-cpu.txt --editable . --editable plugins/ganzoo_collections
	touch $@

.venv/test: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints-cpu.txt --editable '.[test]' --editable plugins/ganzoo_collections
	touch $@

.venv/lint: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints-cpu.txt --editable '.[test,lint]' --editable plugins/ganzoo_collections
	touch $@

clean:
	rm -rf .venv .floors runs dist
