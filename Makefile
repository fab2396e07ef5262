# Everything on a fresh machine: `make demo` and `make test`. PYTHON is 3.11 or 3.12.
PYTHON ?= python3
VENV ?= .venv
VENV_MMCONTEXT ?= .venv-mmcontext
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Tests start Python some hundred times: each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo ui test test-slow check check-tests check-types check-definitions install format
.DEFAULT_GOAL := demo

install: $(VENV)/.installed

PIP = bin/python -m pip install -q --disable-pip-version-check

# torch goes first: asked for by another package, pip would take a build with several GB of CUDA.
$(VENV)/.installed: constraints.txt setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/$(PIP) -c constraints.txt torch
	$(VENV)/$(PIP) -c constraints.txt -e '.[test,check]'
	touch $@

$(VENV_MMCONTEXT)/.installed: constraints-mmcontext.txt
	$(PYTHON) -m venv $(VENV_MMCONTEXT)
	$(VENV_MMCONTEXT)/$(PIP) -c $< torch
	$(VENV_MMCONTEXT)/$(PIP) -c $< mmcontext requests
	touch $@

demo: install
	adata-assets materialize pbmc68k

ui: install
	DAGSTER_HOME=$$(adata-assets home) dagster dev -w workspace.yaml

test: install $(VENV_MMCONTEXT)/.installed
	ADATA_ASSETS_MMCONTEXT_PYTHON=$(CURDIR)/$(VENV_MMCONTEXT)/bin/python \
		python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations 15

# Kills at random moments: half an hour or more.
test-slow: install
	python -m pytest -q -m slow adata_assets_tests

check: install
	$(MAKE) -j 2 --no-print-directory check-tests check-types check-definitions

# Fast tests only: those that build a dataset, start a server or load all definitions are in make test.
check-tests:
	python -m pytest -q -n 2 --dist loadfile -k "not blocks_marked_to_run and not bucket_policy and not test_definitions" \
		adata_assets_tests/repository adata_assets

check-types:
	ruff format --check .
	ruff check .
	mypy

check-definitions:
	dagster definitions validate -w workspace.yaml
	dg check defs

format: install
	ruff format .
	ruff check --fix .
