# Every command of the project. Each does its own set-up, in the project folder only, and can be repeated.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve quick slow test check bench simulate soak fuzz mutants package docs lock clean

VENV := .venv
RUN := $(VENV)/bin/python
PYTEST := $(RUN) -m pytest -n 2 --no-loadscope-reorder
PAGE := exporter/console/index.html
INSTALLED := $(VENV)/.installed node_modules/.installed $(PAGE)
NPM := scripts/npm $(VENV)

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Install what is needed (.venv, node_modules), and build the console

demo: $(INSTALLED) ## Run one export from start to finish on this machine, and show its tally
	@$(RUN) -m sandbox demo

serve: $(INSTALLED) ## Keep the same world running, with URLs and a function key for curl
	@$(RUN) -m sandbox up

quick: $(INSTALLED) ## Run the quick tests, in three minutes or so
	$(PYTEST) -m "not e2e and not slow"

slow: $(INSTALLED) ## Run the other tests: end to end, kills, simulation
	$(PYTEST) -m "e2e or slow"

test: quick slow ## Run all tests

check: $(INSTALLED) ## Check style, types, architecture and that the docs are true
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m pytest tests/docs -m "not e2e"
	cd console && ../scripts/npm ../$(VENV) run --silent check
	cd console && ../scripts/npm ../$(VENV) run --silent test

bench: $(INSTALLED) ## Measure speed and memory against named peers
	$(RUN) -m bench

package: $(INSTALLED) ## Build the deployment package, build/package.zip
	@$(RUN) -m infra.package

simulate: $(INSTALLED) ## Look for lost and doubled contacts: make simulate SEEDS=25000 WITHIN_MIN=15
	@$(RUN) -m tests.simulation --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),0) --within-min $(or $(WITHIN_MIN),inf)

soak: $(INSTALLED) ## Kill the real host a thousand times: make soak KILLS=1000 SEED=0
	@$(RUN) -m tests.e2e.kills --kills $(or $(KILLS),1000) --seed $(or $(SEED),0)

fuzz: $(INSTALLED) ## Read damaged files and values of every kind: make fuzz MINUTES=10
	@$(RUN) -m tests.fuzz --minutes $(or $(MINUTES),1) --jobs 2
	@$(RUN) -m tests.fuzz.values --values 200000

mutants: $(INSTALLED) ## Plant small mistakes in the rules, and see the tests notice: make mutants MODULE=tally/count
	@$(RUN) -m tests.mutants $(MODULE)

docs: $(INSTALLED) ## Write the reference pages whose truth is in the code, and build the site into site/
	$(RUN) -m docs.generate
	$(VENV)/bin/mkdocs build --quiet --strict

lock: $(VENV)/.installed ## Pin the newest dependencies, with hashes
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --upgrade requirements.in -o requirements.txt
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --upgrade -c requirements.txt requirements-dev.in -o requirements-dev.txt

clean: ## Remove everything that was installed or built
	rm -rf $(VENV) node_modules console/node_modules console/build exporter/console build site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.installed: requirements-dev.txt
	@python=$$(scripts/find-python) && echo "Installing Python packages into $(VENV) (once; about half a minute) ..." && "$$python" -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@

node_modules/.installed: package-lock.json $(VENV)/.installed
	@echo "Installing Azurite and a query parser into node_modules (once) ..."
	@$(NPM) ci --no-progress --loglevel=error
	@touch $@

console/node_modules/.installed: console/package-lock.json $(VENV)/.installed
	@echo "Installing what builds the console into console/node_modules (once) ..."
	@cd console && ../scripts/npm ../$(VENV) ci --no-progress --loglevel=error
	@touch $@

$(PAGE): console/node_modules/.installed $(shell find console/src console/public console/*.ts console/*.json console/index.html exporter/api -type f ! -name '*.pyc' ! -name schema.d.ts)
	@echo "Building the console into exporter/console ..."
	@scripts/build-console $(VENV)
	@touch $@
