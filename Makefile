# Everything runs from .venv, which `make setup` makes and every other target asks for.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
READY := .venv/.ready
export PYTHON

# COVERAGE=1 keeps coverage data of the test run for the gate in .ci/run.
ifeq ($(COVERAGE),1)
MEASURED := --cov --cov-report=
endif

.PHONY: help setup demo serve check lint types imports test test-all bench crash browser-test pins

help:
	@echo 'make demo          sell something over real HTTP on SQLite and show it'
	@echo 'make test          the tests that need no server'
	@echo 'make serve         hub, sandbox, console and shop on 127.0.0.1:8080'
	@echo 'make check         lint, types, import rules, tests'
	@echo 'make test-all      the tests on MariaDB too (WCH_TEST_MYSQL_URL, or a local server)'
	@echo 'make crash         kill real processes and count what is lost'
	@echo 'make bench         the benchmarks'
	@echo 'make browser-test  the pages in a real browser'
	@echo 'make setup         .venv alone; make pins writes requirements.txt from it'

setup: $(READY)

$(READY): requirements.txt pyproject.toml .ci/setup
	@.ci/setup
	@touch $@

demo: setup
	@$(BIN)/wch demo

serve: setup
	@$(BIN)/wch serve --sandbox --host 127.0.0.1 --port 8080

check: lint types imports test

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

test: setup
	$(PYTEST) -m 'not mariadb and not crash and not browser' $(MEASURED) $(ARGS)

test-all: setup
	$(PYTEST) -m 'not crash and not browser' $(ARGS)

crash: setup
	@mkdir -p .crash; held=0; \
	WCH_TEST_CAMPAIGN=whole WCH_TEST_ROUNDS=$${WCH_TEST_ROUNDS:-200} \
	  $(PYTEST) tests -m crash -o junit_family=xunit1 --junitxml=.crash/kills.xml $(ARGS) || held=1; \
	WCH_TEST_NTH=$${WCH_TEST_NTH:-every} WCH_TEST_SEEDS=$${WCH_TEST_SEEDS:-2000} \
	  $(PYTEST) tests/simulation tests/nth_call -o junit_family=xunit1 --junitxml=.crash/faults.xml || held=1; \
	$(BIN)/python -m tests.crash.page .crash/kills.xml .crash/faults.xml | tee docs/reliability.md; exit $$held

bench: setup
	@shopt -s nullglob; found=(benchmarks/bench_*.py); \
	if [ $${#found[@]} = 0 ]; then echo 'There are no benchmarks yet.'; fi; \
	for script in "$${found[@]}"; do echo "== $$script"; $(BIN)/python "$$script"; done

browser-test: setup
	$(PYTEST) tests/browser -m browser $(ARGS)

pins: setup
	@.ci/pins
