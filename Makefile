# Every target installs what it needs into .venv first.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest

# Python only, no Go tool.
NO_TOOLS := -m "not apiserver and not environments and not tools and not fuzz"
UNIT := tests/unit tests/golden tests/cli tests/examples
QUICK := $(UNIT) tests/property tests/contract tests/security tests/fuzz $(NO_TOOLS)

.DEFAULT_GOAL := help
.PHONY: help install demo unit test test-node test-native-node test-virtual-node soak lint docs site coverage bench \
	bench-create bench-node cluster cluster-down audit sbom release-dry-run lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## install dind-webhook, kubectl-dind and dind-certs into .venv/bin

.venv/installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"Python 3.11 or newer is required; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

demo: install ## inject a CI pod: the pod before and after, the decision, the patch, the time
	@$(BIN)/dind-webhook demo

unit: install ## run the unit tests, which need no Go tool
	$(PYTEST) --numprocesses=8 --dist=worksteal $(UNIT) $(NO_TOOLS)

test: plan lint ## run lint and all test levels except those of test-node
	$(PYTEST) -m "not node and not vm and not soak"

.PHONY: plan
plan:
	@echo "This runs lint and all test levels that need no node: half an hour on two cores."
	@echo "The first time, it also builds etcd, the Kubernetes control plane, kubectl and Helm: 7 minutes more."

test-node: install ## run pods on a real node and on a cgroup v2 node in a virtual machine (root, Debian)
	$(MAKE) --no-print-directory --jobs=2 test-native-node test-virtual-node

test-native-node:
	$(PYTEST) tests/node

test-virtual-node:
	$(PYTEST) tests/vm

soak: install ## run the longest tests, such as a million admissions
	$(PYTEST) -m soak -s

lint: install ## check style, types, import contracts, shell scripts, generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck webhook/injection/*.sh webhook/cli/inside/*.sh tests/node/images/*.sh tests/vm/guest/*.sh .ci/run tools/lock
	$(BIN)/python tools/docs.py --check
	$(BIN)/python tools/chart.py --check

docs: install ## write the generated pages and the generated files of the chart
	$(BIN)/python tools/docs.py
	$(BIN)/python tools/chart.py

site: install ## build README and docs as a site in build/site
	$(BIN)/python -m tools.site

coverage: install ## show which lines the tests that need no Go tool do not reach
	$(BIN)/coverage run -m pytest $(QUICK)
	$(BIN)/coverage report

bench: install ## CPU, latency, start and memory next to a bare uvicorn echo and a Go handler
	@$(BIN)/python -m benchmarks compare

bench-create: install ## CREATE requests through a real API server, alone and beside huge pods
	@PYTHONPATH=tests $(BIN)/python -m benchmarks create

bench-node: install ## time from CREATE to docker, and of builds on image stores (root, Debian)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks node
	@PYTHONPATH=tests $(BIN)/python -m benchmarks builds --rounds=3

cluster: install ## start a one-node cluster with the webhook and print how to use it (root, Debian)
	@PYTHONPATH=tests $(BIN)/python -m node up

cluster-down: install ## stop that cluster and remove it
	@PYTHONPATH=tests $(BIN)/python -m node down

audit: install ## check the pinned packages for known vulnerabilities (exit status 75: no data)
	$(BIN)/python -m tools.audit

sbom: install ## write the bill of materials of the image to dist/sbom.cdx.json
	$(BIN)/python -m tools.sbom

release-dry-run: install ## build the files of a release, and check the version
	@$(BIN)/python -m tools.release

lock: ## write the hashed requirements from pyproject.toml (needs uv)
	tools/lock

clean: ## remove everything that these targets made in the checkout
	rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
