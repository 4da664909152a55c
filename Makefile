# Two commands on a machine that has Python and make and nothing else:
#   make demo    draw a folder of pictures with edited copies, find them, print the groups
#   make test    everything that is checked: tests, lint, types, the direction of imports
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check lint types imports unit clean

demo: $(VENV)/installed
	rm -rf demo
	$(BIN)/twinpix demo demo
	$(BIN)/twinpix find demo --transforms --no-store
	@echo
	@echo "next: $(BIN)/twinpix find demo --transforms -o report.json && $(BIN)/twinpix resolve report.json --move moved"

test: check unit

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
