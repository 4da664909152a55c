# These need only Python and make:
#   make demo        draw a folder of example images with edited copies, find them, print the groups, write a report
#   make test        lint, types, the direction of imports, and every test on a part of its cases
#   make test-all    the same with every case of every test, as CI runs it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all check lint types imports unit unit-all clean

demo: $(VENV)/installed
	rm -rf demo demo.json demo.journal.jsonl
	$(BIN)/twinpix demo demo
	$(BIN)/twinpix find demo
	$(BIN)/twinpix find demo -o demo.json

test: check unit

test-all: check unit-all

check: lint types imports

lint: $(VENV)/dev
	$(BIN)/ruff check src tests bench training
	$(BIN)/ruff format --check src tests bench training

types: $(VENV)/dev
	$(BIN)/mypy

imports: $(VENV)/dev
	$(BIN)/lint-imports

unit: $(VENV)/dev
	$(BIN)/pytest -n auto

unit-all: $(VENV)/dev
	$(BIN)/pytest -n auto --full

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	touch $@

clean:
	rm -rf $(VENV) demo build dist
