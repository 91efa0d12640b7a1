# The commands for newcomers and CI. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev documents-server demo up down status logs clean test test-mongo test-clients \
	test-cluster test-compose cluster docs check audit sbom browser full-short chaos lock renderings notebook screenshots web web-check

# Python keeps what it has compiled, even where the environment says otherwise: Airflow starts a process for each task,
# and without the files of bytecode each of them compiles thousands of modules anew.
unexport PYTHONDONTWRITEBYTECODE

UV = $$(command -v uv || echo .uv/bin/uv)
EXPORT = $(UV) export --quiet --frozen --no-dev --extra containers --extra s3 --no-emit-project --no-annotate --no-header
# Of the image `mlflow`. uv.lock has a part of mlflow only, so this file is a lock of its own.
MLFLOW_SERVER = docker/mlflow-requirements.txt

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Create the Python environment and fetch the JVM jars
	@scripts/bootstrap.sh --no-dev

setup-dev:
	@scripts/bootstrap.sh

documents-server: ## Build SecantusDB's faster Rust server for `segue up` (some 10 minutes of CPU)
	@for tool in cargo cmake cc; do command -v $$tool >/dev/null || { echo "Building secantusd-rs needs $$tool. \
	Install Rust with https://rustup.rs, the others with: sudo apt-get install build-essential cmake" >&2; exit 1; }; done
	cargo install secantus-mdb --version 0.5.3-beta.196 --locked --ignore-rust-version --root .secantusdb

demo: setup ## Run the whole pipeline on real music, or on your own: MUSIC=/folder (remembered) SIMULATE=1 (listeners)
	@.venv/bin/segue demo $${MUSIC:+--music "$$MUSIC"} $${SIMULATE:+--simulate}

up: setup ## Start Kafka, the document server and Airflow
	@.venv/bin/segue up

down: ## Stop all services and keep the data
	@.venv/bin/segue down

status: ## Show the state of each service
	@.venv/bin/segue status

logs: ## Print the services' logs, or only one with SERVICE=scheduler
	@.venv/bin/segue logs $${SERVICE:-}

clean: ## Stop the stack and remove its data (YES=1 does not ask)
	@.venv/bin/segue clean $${YES:+--yes}

test: setup-dev ## Run unit and integration tests against their own real stack
	.venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 2 --maxfail 25 --durations 25 -m "not clients" tests/unit tests/integration

test-mongo: export TEST_MONGO_URI = $(URI)
test-mongo: setup-dev ## Run the tests of the document store against a MongoDB of your own: URI=mongodb://…
	@test -n "$$TEST_MONGO_URI" || { echo "Name the server: make test-mongo URI=mongodb://host" >&2; exit 1; }
	.venv/bin/pytest -m "not clients" tests/integration

test-clients: setup-dev ## Install real players (needs root, cargo, pip) and run them against the API
	scripts/install-clients.sh
	.venv/bin/pytest -m clients tests/integration/api/clients

test-compose: setup-dev ## Run each service of docker-compose.yml on a node of its own (root, Linux, PostgreSQL)
	.venv/bin/pytest -o faulthandler_timeout=0 tests/cluster/test_compose_services.py

docs: setup-dev ## Build the documentation as a site, into site/, and check its links
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict

check: docs ## Run the static checks
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@$(EXPORT) | diff - requirements.txt || { echo "requirements.txt differs from uv.lock: run \`make lock\`." >&2; exit 1; }
	@scripts/audit.sh || true # what was published today is no fault of this change

audit: setup-dev ## Look for known vulnerabilities of the Python packages (needs Internet)
	@scripts/audit.sh

sbom: setup-dev ## Write sbom.json, which lists all Python packages and jars with their hashes (CycloneDX)
	@$(UV) export --quiet --preview-features sbom-export --frozen --no-dev --extra embedded --extra s3 --format cyclonedx1.5 \
		| .venv/bin/python scripts/sbom.py > sbom.json

browser: setup-dev ## Drive the Airflow UI and the listener page in headless Chromium
	.venv/bin/pytest tests/browser

cluster: setup-dev ## Run the demo on a cluster of nodes on this machine, and remove it (root, Linux, PostgreSQL, Redis): MUSIC=/folder
	.venv/bin/python -m tests.cluster.demo

test-cluster: setup-dev ## Run jobs with an object store, on a Spark cluster, and on nodes with faults (fetches 690 MB)
	.venv/bin/pytest -o faulthandler_timeout=0 -m cluster tests/cluster

chaos: setup-dev ## Inject faults into a stack of its own and compare what is stored: MINUTES=60 SEED=1
	.venv/bin/python benchmarks/chaos.py --minutes $${MINUTES:-2.5} --seed $${SEED:-1}

# The jobs of a small corpus live for seconds: the optimizing compiler costs them more than it saves.
full-short: export SEGUE_SPARK_PROPERTIES = spark.driver.defaultJavaOptions=-XX:TieredStopAtLevel=1
full-short: setup-dev ## Run the whole chain on a small corpus and check its counts and memory
	.venv/bin/python benchmarks/full.py --tracks 600 --clip-seconds 3 --pieces 64 --trials 2 --every 2 \
		--only corpus listens lake genre_model recommender retraining live again

notebook: setup-dev ## Run notebooks/analysis.ipynb and keep its outputs: on the sample corpus, or MUSIC=/folder
	env $${MUSIC:+SEGUE_MUSIC="$$MUSIC"} .venv/bin/python scripts/notebook.py

web: ## Build the listener page from web/ into include/segue/api/static (needs Node 20.19 or newer)
	cd web && npm ci --no-audit --no-fund && npm run build

web-check: ## Fail if the built listener page is not what web/ builds; without npm, say so
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory web && test -z "$$(git status --porcelain include/segue/api/static)" \
		|| { git status --short include/segue/api/static; echo "The built page differs from web/: run \`make web\` and commit." >&2; exit 1; }; \
	else echo "npm is missing, so the built listener page is not checked."; fi

screenshots: setup-dev ## Take the pictures of overview, report and listener page again, with the figures of the tests
	.venv/bin/pytest tests/browser/test_pages.py tests/browser/test_listener_page.py --screenshots docs/images

lock: setup-dev ## Update uv.lock and the requirements of the images from pyproject.toml
	@$(UV) lock
	@$(EXPORT) > requirements.txt
	@sed -n 's/.*"mlflow-skinny\(==[^"]*\)".*/mlflow\1/p' pyproject.toml | $(UV) pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file $(MLFLOW_SERVER) -

# A Helm that `go install` built knows no version of Kubernetes and takes 1.20.
RENDER = $${HELM:-helm} template segue deploy/segue --namespace segue --kube-version 1.30.0

renderings: ## Render the Helm chart again into deploy/renderings (needs Helm 3, or HELM=/path/to/it)
	$(RENDER) > deploy/renderings/default.yaml
	$(RENDER) --values deploy/values/segue.yaml > deploy/renderings/full.yaml
