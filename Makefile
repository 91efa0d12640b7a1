# Everything a newcomer and CI type. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up down status logs clean test test-clients check browser lock

UV = $$(command -v uv || echo .uv/bin/uv)
EXPORT = $(UV) export --quiet --frozen --no-dev --no-emit-project --no-hashes --no-annotate --no-header

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make the Python environment and fetch the JVM jars
	@scripts/bootstrap.sh --no-dev

setup-dev:
	@scripts/bootstrap.sh

demo: setup ## Run the whole pipeline on real music; MUSIC=/path/to/folder takes your own
	@.venv/bin/segue demo $${MUSIC:+--music "$$MUSIC"}

up: setup ## Start Kafka, the document server and Airflow
	@.venv/bin/segue up

down: ## Stop them; the data stay
	@.venv/bin/segue down

status: ## Show what runs
	@.venv/bin/segue status

logs: ## Print the services' logs; SERVICE=scheduler only one
	@.venv/bin/segue logs $${SERVICE:-}

clean: ## Stop the stack and remove what it has made; YES=1 does not ask
	@.venv/bin/segue clean $${YES:+--yes}

test: setup-dev ## Run unit and integration tests against a real stack of their own
	.venv/bin/pytest -n 2 --dist loadfile -m "not clients" tests/unit tests/integration

test-clients: setup-dev ## Install real players (apt-get as root, cargo, pip) and run them against the API
	scripts/install-clients.sh
	.venv/bin/pytest -m clients tests/integration/serving/clients

check: setup-dev ## Run the static checks
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@$(EXPORT) | diff - requirements.txt || { echo "requirements.txt is not in step with uv.lock: run \`make lock\`." >&2; exit 1; }

browser: setup-dev ## Drive the Airflow UI and the listener page in headless Chromium
	.venv/bin/pytest tests/browser

lock: setup-dev ## Bring uv.lock and requirements.txt in step with pyproject.toml
	@$(UV) lock
	@$(EXPORT) > requirements.txt
