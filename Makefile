# Every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install demo test test-node lint unit soak fuzz bench bench-node bench-create \
	cluster cluster-down docs coverage audit sbom lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## the commands dind-webhook, kubectl-dind and dind-certs in .venv/bin

.venv/installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version); try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

demo: install ## a CI pod before and after, the decision, the patch and its time
	@$(BIN)/dind-webhook demo

test: lint ## lint, types, import contracts, and every level of the tests
	$(BIN)/python -m pytest -m "not node and not soak"

test-node: install ## pods on a real node, and on one with cgroup v2 in a virtual machine (root, Debian)
	$(BIN)/python -m pytest -m node

unit: install ## the quick levels only: no API server is built or started
	$(BIN)/python -m pytest -m "not apiserver and not node and not resilience and not fuzz and not soak"

cluster: install ## that cluster to try things on: leaves it running, prints how to use it
	@PYTHONPATH=tests $(BIN)/python -m node up

cluster-down: install ## end it, without a trace
	@PYTHONPATH=tests $(BIN)/python -m node down

lint: install ## style, types, import contracts, shell scripts, generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck webhook/injection/*.sh tests/node/images/*.sh tests/vm/guest/*.sh .ci/run tools/lock
	$(BIN)/python tools/docs.py --check
	$(BIN)/python tools/chart.py --check

bench: install ## CPU, latency, start and memory next to a bare uvicorn echo and a Go handler
	@$(BIN)/python -m benchmarks compare

bench-create: install ## CREATE requests through a real API server, alone and beside huge pods
	@PYTHONPATH=tests $(BIN)/python -m benchmarks create

bench-node: install ## time from CREATE to docker, next to other shapes of pods (root, Debian)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks node

soak: install ## the longest runs: a million admissions
	$(BIN)/python -m pytest -m soak -s

docs: install ## the generated pages, and the chart's generated files
	$(BIN)/python tools/docs.py
	$(BIN)/python tools/chart.py

coverage: install ## which lines the quick levels reach
	$(BIN)/coverage run -m pytest \
		-m "not apiserver and not node and not resilience and not fuzz and not soak"
	$(BIN)/coverage report

audit: install ## known vulnerabilities of what is pinned; 75 where nothing can be known
	$(BIN)/python -m tools.audit

sbom: install ## bills of materials of the two images, in dist/
	$(BIN)/python -m tools.sbom

lock: ## the hashed requirements anew from pyproject.toml (needs uv)
	tools/lock

clean: ## remove what these targets made in the checkout
	rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
