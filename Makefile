# Everything happens in .venv, which is made when it is missing and renewed when the pins change.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help

.venv/run: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	@touch $@

.venv/dev: .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@

run: .venv/run ## Set up and serve TMF683 on http://127.0.0.1:8080, documents in ./data
	@TMF_CALLBACK_ALLOW="$${TMF_CALLBACK_ALLOW-localhost,127.0.0.0/8,::1}" $(BIN)/tmf683 serve

test: .venv/dev ## Set up and run the tests
	@$(BIN)/pytest

lint: .venv/dev ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

conformance: .venv/dev ## Run the conformance certificate's 18 requests against a server of its own
	@$(BIN)/python -m tests.conformance_run

fuzz: .venv/dev ## Fuzz every document on both stores for long; EXAMPLES=1000 says how long
	@$(BIN)/python -m tests.fuzz_run --examples $(or $(EXAMPLES),1000)

bench: .venv/dev ## Print requests per second beside stock connexion, in one run
	@$(BIN)/python -m tests.bench.http

bench-store: .venv/dev ## Print query latencies at 10,000 and a million interactions; STORE=mongodb://…, DOCUMENTS="1000 10000"
	@$(BIN)/python -m tests.bench.store $(if $(STORE),--store '$(STORE)') $(if $(DOCUMENTS),--documents $(DOCUMENTS))

bench-events: .venv/dev ## Print what a listener costs a POST, and deliveries per second
	@$(BIN)/python -m tests.bench.events

bench-validation: .venv/dev ## Print the time to validate a v5 creation, beside stock jsonschema
	@$(BIN)/python -m tests.bench.validation

bench-start: .venv/dev ## Print how long the server takes to start
	@$(BIN)/python -m tests.bench.start

soak: .venv/dev ## Full load for minutes, MINUTES=10: fails when anything does, or memory grows
	@$(BIN)/python -m tests.bench.soak --minutes $(or $(MINUTES),10)

wheel: .venv/dev ## Build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .

component: .venv/dev ## Write deploy/oda/component.yaml from the chart
	@$(BIN)/python -m tests.deploy.component

lock: .venv/dev ## Pin the newest versions of everything in requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --all-extras --no-annotate \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

clean: ## Remove the environment and everything built; ./data stays
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run test lint conformance fuzz bench bench-store bench-events bench-validation bench-start soak wheel component lock clean help
