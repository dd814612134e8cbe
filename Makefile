# `make book` reproduces the paper and builds its pages; `make test` checks the code. `make help`.

PYTHON  ?= python3.11
PROFILE ?= demo
PY      := .venv/bin/python
PIP     := $(PY) -m pip install -qq --disable-pip-version-check --no-deps

SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
unexport PYTHONPATH PYTHONHOME

.PHONY: help book test test-all bench lint clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'
	@echo '  PYTHON=/path/to/python3.11 makes .venv with another Python; WSSS_RUNS=DIR keeps results elsewhere.'

book: .venv/.stamp ## reproduce the paper (PROFILE=demo, ALL=1: every random seed) and build the book in _build/html
	@$(PY) -m wsss.book --profile $(PROFILE) $(if $(ALL),--all) --html
	@echo 'the book is ready: file://$(CURDIR)/_build/html/index.html'

test: .venv/.stamp ## tests, doctests, layers and notebooks, on two cores
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal
	@rm -rf runs/smoke  # the notebooks must compute, not read what an earlier test computed
	@$(NBVAL)

test-all: .venv/.stamp ## the same with the slow tests
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal -m ''
	@$(NBVAL)

bench: .venv/.stamp ## compare this code with the usual way; writes benchmarks/results
	@for script in $(filter-out %/ratio.py %/photos.py,$(wildcard benchmarks/*.py)); do $(PY) "$$script"; done

lint: .venv/.stamp ## style, types and layers; changes nothing
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m pyright
	@.venv/bin/lint-imports --no-logo --no-cache

clean: ## remove pages and caches; RUNS=1 removes the results in runs/ too (hours of work)
	@rm -rf _build book/notebooks build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	@find . -name .venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
	@if [ '$(RUNS)' = 1 ]; then rm -rf runs; fi

NBVAL = OMP_NUM_THREADS=1 WSSS_PROFILE=smoke WSSS_RUNS=$(CURDIR)/runs/smoke $(PY) -m pytest --nbval-lax --nbval-current-env \
	--nbval-sanitize-with tests/sanitize.cfg notebooks

# What .venv takes, measured; almost half of it are CUDA's libraries, which torch needs on Linux
# even without a GPU. What pip downloads comes on top, in its temporary folder and its cache.
DISK := 7100

# An installation that was killed may look complete to pip, so the mark it leaves makes the next
# one start afresh; the stamp is written last.
.venv/.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(not (3, 11, 5) <= sys.version_info < (3, 13))' 2>/dev/null \
		|| { echo '$(PYTHON) is not a Python 3.11 with venv, 3.11.5 or newer: install one, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@if [ -e .venv/.unfinished ]; then rm -rf .venv; fi
	@if [ -e $(PY) ]; then echo 'updating .venv'; else \
		free=$$(df -Pm . 2>/dev/null | awk 'NR == 2 { print $$4 }') || free=; \
		if [ "$$(uname)" = Linux ] && [ "$${free:-$(DISK)}" -lt $(DISK) ]; then \
			echo "$(CURDIR) has $$free MB free and .venv takes $(DISK): make room, or clone to another disk" >&2; exit 1; fi; \
		echo 'creating .venv (about 2 minutes and 7 GB the first time)'; fi
	@mkdir -p .venv && touch .venv/.unfinished
	@$(PYTHON) -m venv .venv
	@if command -v "$${CXX:-c++}" >/dev/null; then cat requirements.lock; \
		else echo 'no C++ compiler: leaving out pydensecrf, which only checks our own dense CRF' >&2; \
			grep -v '^pydensecrf2==' requirements.lock; fi > .venv/wanted.txt
	@$(PIP) -r .venv/wanted.txt
	@$(PIP) --no-build-isolation -e .
	@rm .venv/.unfinished && touch $@
