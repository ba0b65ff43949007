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

.PHONY: help setup demo serve check lint types imports test test-all bench bench-full crash crash-page browser-test pictures pins

help:
	@echo 'make demo          sell something over real HTTP on SQLite and show it'
	@echo 'make test          the tests that need no server'
	@echo 'make serve         hub, sandbox, console and shop on 127.0.0.1:8080'
	@echo 'make check         lint, types, import rules, tests'
	@echo 'make test-all      the tests on MariaDB too (WCH_TEST_MYSQL_URL, or a local server)'
	@echo 'make crash         kill real processes and count what is lost; make crash-races and others: one part of it'
	@echo 'make bench         the benchmarks, in short; make bench-full the whole, for docs/benchmarks.md; make bench-ingress one'
	@echo 'make browser-test  the pages in a real browser'
	@echo 'make pictures      play a week in the sandbox, and take the pictures of README and docs'
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

# On as many processes as there are processors; ARGS="-n 0" runs them in one, for a debugger.
test: setup
	$(PYTEST) -n auto --dist loadscope -m 'not mariadb and not crash and not browser' $(MEASURED) $(ARGS)

test-all: setup
	$(PYTEST) -n auto --dist loadscope -m 'not crash and not browser' $(ARGS)

# A part leaves its figures in .crash, and the page is made of all that lie there, with the moment and commit of each.
# What was left out of a part (by ARGS="-k ...") is for .crash/left_out.txt, a line each: nothing else knows of it.
KILLED := campaigns kills directed_kills saga_kills work_kills migration_kills stops poison breaker storm contention \
  store_away hostile clocks broadcast_kills health
PARTS := $(KILLED) races control process simulation nth_call doors
crash-races crash-control crash-process: crash-%: setup
	@$(call part,$*,tests/$(if $(filter process,$*),entrypoints/process,$*) -m crash)
crash-simulation crash-nth_call: crash-%: setup
	@$(call part,$*,tests/$*)
crash-doors: export HYPOTHESIS_PROFILE := $(or $(HYPOTHESIS_PROFILE),thorough)
crash-doors: setup
	@$(call part,doors,tests/doors tests/entrypoints/http/api/test_contract.py)
$(KILLED:%=crash-%): crash-%: setup
	@$(call part,$*,tests/crash/test_$*.py -m crash)

define part
mkdir -p .crash; git describe --always --dirty=+ --exclude="*" > .crash/$(1).commit 2>/dev/null || true; \
  WCH_TEST_CAMPAIGN=whole WCH_TEST_ROUNDS=$${WCH_TEST_ROUNDS:-200} WCH_TEST_NTH=$${WCH_TEST_NTH:-every} \
  WCH_TEST_SEEDS=$${WCH_TEST_SEEDS:-20000} \
  $(PYTEST) $(2) -o junit_family=xunit1 --junitxml=.crash/$(1).xml $(ARGS)
endef

crash: setup
	@held=0; for part in $(PARTS); do $(MAKE) --no-print-directory crash-$$part || held=1; done; \
	$(MAKE) --no-print-directory crash-page; exit $$held

crash-page: setup
	@$(BIN)/python -m tests.crash.page .crash $(if $(NOTE),"$(NOTE)") > docs/reliability.md

# The short form prints; the whole keeps what docs/benchmarks.md shows.
bench: setup
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script" --quick; done

bench-full: setup
	@held=0; for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script" || held=1; done; \
	$(BIN)/python benchmarks/page.py; exit $$held

bench-%: setup
	@$(BIN)/python benchmarks/bench_$*.py $(ARGS)
	@$(BIN)/python benchmarks/page.py

pictures: setup
	@$(BIN)/python -m tests.browser.pictures docs/pictures

browser-test: setup
	$(PYTEST) tests/browser -m browser $(ARGS)

pins: setup
	@.ci/pins
