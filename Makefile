# `make train` solves a problem, `make test` runs the tests. Each one makes .venv first if it is not there or out of date.
#   make train ARGS="problem=burgers seed=1"
#   make test ARGS="tests/test_domains.py"

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2> /dev/null && echo $$python && break; \
	done)
READY := .venv/.ready
# Small networks gain nothing from more threads, and the tests run in two processes.
ONE_THREAD := OMP_NUM_THREADS=1

.PHONY: train test lint mutants setup clean
.DELETE_ON_ERROR:

train: $(READY)
	.venv/bin/python scripts/train.py problem=poisson $(ARGS)

test: $(READY)
	$(ONE_THREAD) .venv/bin/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

lint: $(READY)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# Mutation testing of pinn/derivatives: 500 mutants at random, about seven minutes of one core. ARGS="--sample 0" tries all.
mutants: $(READY)
	.venv/bin/python -m pip install --quiet --editable ".[mutants]"
	$(ONE_THREAD) .venv/bin/python tests/derivatives/mutants.py --least 0.95 --sample 500 $(ARGS)

setup: $(READY)

# torch comes first and alone, so that a wheel that is already chosen (for the CPU, say) is not exchanged for another.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; name yours by PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet "torch>=2.10,<2.14"
	.venv/bin/python -m pip install --quiet --editable ".[dev]"
	@touch $(READY)

clean:
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
