# Everything happens in $(VENV), which is made when it is missing, when PYTHON names another
# interpreter, and when the requirements change.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Python compiles what is imported; compiling all of it would take a quarter of the time.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c requirements.lock
STARTED := $(shell date +%s)

# What `make test` leaves to `make test-all`. The markers are explained in pyproject.toml.
REST := mongo or deploy or crash or browser or slow or long
PYTEST := $(BIN)/pytest -n $(or $(WORKERS),auto) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help

# pyvenv.cfg is made by venv: it is older than the stamps unless the environment was made anew.
IDENTITY := -c 'import sys; print(sys.version, sys.base_prefix)'
$(VENV)/pyvenv.cfg: FORCE
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "tmf683 needs Python 3.11 or newer; say which with make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python && test "$$($(BIN)/python $(IDENTITY))" = "$$($(PYTHON) $(IDENTITY))" || { \
		rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }

$(VENV)/run: $(VENV)/pyvenv.cfg pyproject.toml requirements.lock
	$(PIP) -e .
	@touch $@

$(VENV)/dev: $(VENV)/pyvenv.cfg pyproject.toml requirements.lock
	$(PIP) -e '.[dev]'
	@touch $(VENV)/run $@

run: $(VENV)/run ## Set up and serve TMF683 on http://127.0.0.1:8080, documents in ./data
	@TMF_CALLBACK_ALLOW="$${TMF_CALLBACK_ALLOW-localhost,127.0.0.0/8,::1}" exec $(BIN)/tmf683 serve

demo: $(VENV)/run ## Set up and serve a temporary store with a year of invented history
	@exec $(BIN)/tmf683 demo

test: $(VENV)/dev ## Set up and run the quick tests, which need nothing but Python
	@$(PYTEST) -m "not ($(REST))"; status=$$?; \
		echo "make test took $$(( $$(date +%s) - $(STARTED) )) s, set-up included"; exit $$status

test-all: $(VENV)/dev ## Run every test and print the coverage; COVERAGE=no takes half as long
ifeq ($(COVERAGE),no)
	@$(PYTEST) -m "not long"
else
	@$(PYTEST) -m "not long" --cov --cov-report=; status=$$?; \
		$(BIN)/coverage report --skip-covered --sort=cover; exit $$status
endif

test-long: $(VENV)/dev ## Run the tests that take many minutes each
	@$(BIN)/pytest -m long

matrix: ## Run `make test` on every supported Python that is installed
	@.ci/matrix

lint: $(VENV)/dev ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

conformance: $(VENV)/dev ## Run the conformance certificate's 18 requests against a server of its own
	@$(BIN)/python -m tests.conformance_run

generators: $(VENV)/dev ## Make clients of v4 and v5 with six code generators and run them
	@$(BIN)/pytest -rs tests/generators

fuzz: $(VENV)/dev ## Fuzz documents on both stores, for long: DOCUMENTS="TMF681 my.json", EXAMPLES=1000, SEED=683, STORE=sqlite
	@$(BIN)/python -m tests.fuzz_run $(DOCUMENTS) --examples $(or $(EXAMPLES),1000) $(if $(SEED),--seed $(SEED)) \
		$(if $(STORE),--store $(STORE)) $(if $(PHASES),--phases $(PHASES))

bench: $(VENV)/dev ## Print requests per second beside stock connexion, in one run
	@$(BIN)/python -m tests.bench.http

bench-store: $(VENV)/dev ## Print query latencies at 10,000 to a million interactions; STORE=mongodb://…, DOCUMENTS="1000 10000"
	@$(BIN)/python -m tests.bench.store $(if $(STORE),--store '$(STORE)') $(if $(DOCUMENTS),--documents $(DOCUMENTS))

bench-store-check: $(VENV)/dev ## Fail when a query that indexes serve costs more in a larger collection
	@$(BIN)/python -m tests.bench.store_check

bench-timeline: $(VENV)/dev ## Print what the timeline costs over a million interactions; DOCUMENTS=100000
	@$(BIN)/python -W ignore -m tests.bench.timeline $(if $(DOCUMENTS),--documents $(DOCUMENTS))

bench-events: $(VENV)/dev ## Print what a listener costs a POST, and deliveries per second
	@$(BIN)/python -m tests.bench.events

bench-moving: $(VENV)/dev ## Print whether one mover of events keeps up with the writes on MongoDB; STORE=mongodb://…
	@$(BIN)/python -m tests.bench.moving --store '$(STORE)'

bench-validation: $(VENV)/dev ## Print the time to validate a v5 creation, beside stock jsonschema
	@$(BIN)/python -m tests.bench.validation

bench-latency: $(VENV)/dev ## Print how long requests take at 70 % of the capacity; SECONDS=300, WORKERS=1
	@$(BIN)/python -m tests.bench.latency --seconds $(or $(SECONDS),300) --workers $(or $(WORKERS),1)

bench-start: $(VENV)/dev ## Print how long the server takes to start, and the memory of its processes
	@$(BIN)/python -m tests.bench.start

soak: $(VENV)/dev ## Full load for minutes, MINUTES=10: fails when anything does, or memory grows
	@$(BIN)/python -m tests.bench.soak --minutes $(or $(MINUTES),10)

chaos: $(VENV)/dev ## Mixed load while things go wrong, MINUTES=60: fails when anything is lost; SEED=683
	@$(BIN)/python -m tests.chaos.run --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

screenshots: $(VENV)/dev ## Take pictures of the pages into build/screenshots and docs/images; needs Chromium
	@$(BIN)/python -m tests.screenshots

wheel: $(VENV)/dev ## Build the wheel into dist/, the same bytes for the same commit
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600)} \
		$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .

sbom: $(VENV)/dev ## Write the wheel's bill of materials (CycloneDX) into dist/
	@$(BIN)/python -m tests.package.release sbom

audit: $(VENV)/dev ## List known vulnerabilities of what the wheel brings; OSV_URL=https://… asks another server
	@$(BIN)/python -m tests.package.release audit $(OSV_URL)

component: $(VENV)/dev ## Write deploy/oda/component.yaml from the chart
	@$(BIN)/python -m tests.deploy.component

docs: $(VENV)/run ## Write the documentation as a site of plain files, site/index.html
	@$(BIN)/python -m app.pages.documentation site

reference: $(VENV)/dev ## Write docs/reference from the code
	@$(BIN)/python -m tests.reference

lock: $(VENV)/dev ## Pin the newest versions of everything in requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --all-extras --no-annotate \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

clean: ## Remove the environment and everything built; ./data stays
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: FORCE run demo test test-all test-long matrix lint conformance generators fuzz bench bench-store \
	bench-store-check bench-timeline bench-events bench-moving bench-validation bench-latency bench-start soak chaos screenshots wheel sbom audit component docs reference lock \
	clean help
