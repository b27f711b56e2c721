# Two commands matter: `make run` and `make test`. Each installs what it needs, once.

PYTHON ?= python3
VENV ?= .venv
UV ?= uv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m devsite.servers exec -- $(BIN)/python -m pytest
# Test files at a time. More than cores: most tests wait for servers.
JOBS ?= 4
SPREAD := -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Without the many cases of a kind of which one runs: those are marked `long`.
QUICK := -m "not long"
# SQL's functions, Lua's scripts, locks and the broker: what may differ between servers. Calls and pages do not; `make
# test-long` runs them there, too.
SERVICES := $(patsubst %,tests/scoreboard/test_%.py,ledger changes first_score lock_order) \
	$(patsubst %,tests/leaderboard/test_%.py,ranking boards ties lost rebuild sweep reconcile reconcile_alone reconcile_live \
		restored_backup consistency) \
	$(patsubst %,tests/actions/test_%.py,redemption redeeming_once allowances award_groups queue_promise queue_worker queue_broker) \
	tests/integrity/test_patrol.py tests/system/test_path.py tests/events/test_broker.py tests/events/test_deliveries.py
# What starts servers of its own in any case, or none.
OWN_SERVERS := devsite config types sdk mutations system/browser system/deploy system/fuzz system/crashes api/test_denial.py \
	api/test_caches.py api/test_cross_site.py accounts/test_page_attacks.py actions/test_without_redis.py \
	system/live/test_many.py system/live/test_redis.py system/live/test_shutdown.py system/live/test_stalls.py \
	system/live/test_database.py actions/test_without_postgres.py leaderboard/test_reconcile_memory.py \
	api/test_bad_input.py api/test_bad_queries.py
# Checks read the settings, and settings without a secret are refused; this one signs nothing.
CHECK := DEBUG=true PYTHONWARNINGS='ignore:Got an error checking a consistent:RuntimeWarning' $(BIN)/python manage.py
# Without its news of other programs. Never with --quiet: warnings are then not counted, and --strict finds nothing.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs
PRODUCTION = SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))') HTTPS=true $(BIN)/python manage.py

# Hundreds of processes start here. Compiling the site anew would take each of them a third of a second.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run manage test test-services test-long faults fuzz mutations check check-types check-all-else check-deploy sbom docs docs-site lock bench bench-live bench-reconcile bench-boards bench-past pictures admin-pictures clean install install-dev python

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 23

run: install ## the whole site on http://127.0.0.1:8000 until Ctrl-C (PORT=… SCOREBOARD_HOME=… DEMO=0)
	@$(BIN)/python -m devsite.run

manage: install ## a Django command beside `make run`: make manage COMMAND="reconcile_leaderboard --check"
	@$(BIN)/python -m devsite.manage $(COMMAND)

test: install-dev ## the suite on servers of its own, one case of each kind (ARGS="-k ties" for others)
	@$(PYTEST) $(or $(ARGS),$(QUICK) $(SPREAD) --ignore=tests/system/crashes)
	@$(if $(ARGS),,$(PYTEST) $(QUICK) -n 2 --dist loadfile tests/system/crashes)

test-services: install-dev ## what reads and writes them, on the machine's own PostgreSQL, Redis and RabbitMQ, if it has them
	@.ci/services $(PYTEST) $(QUICK) $(SPREAD) $(SERVICES)

test-long: install-dev ## every case of every test, on servers of its own and on the machine's
	@$(PYTEST) $(SPREAD) --ignore=tests/system/crashes
	@$(PYTEST) tests/system/crashes
	@.ci/services $(PYTEST) $(SPREAD) $(patsubst %,--ignore=tests/%,$(OWN_SERVERS))

faults: install-dev ## everything that may break, at length: web killed FAULT_KILLS (200) times; figures in FAULT_REPORT
	@FAULT_KILLS=$${FAULT_KILLS:-200} FAULT_SECONDS=$${FAULT_SECONDS:-10} $(PYTEST) tests/system/crashes $(ARGS)

fuzz: install-dev ## ten minutes of nonsense for the API and the live board (FUZZ_SECONDS=600)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(PYTEST) -s tests/system/fuzz $(ARGS)

mutations: install-dev ## break one promise at a time; do its tests notice? (ARGS="--jobs 4 epoch", ARGS=--check)
	@$(BIN)/python -m tests.mutations $(ARGS)

check: install-dev ## format, lint, types, layers, migrations, OpenAPI, settings, the documents' site
	@$(MAKE) --no-print-directory --jobs=2 check-types check-all-else

check-types:
	$(BIN)/mypy --strict .

check-all-else:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tests.types
	$(BIN)/lint-imports
	$(CHECK) makemigrations --check --dry-run
	$(CHECK) check --fail-level WARNING
	$(PRODUCTION) check --deploy --fail-level WARNING
	$(CHECK) spectacular --validate --fail-on-warn | diff -u docs/openapi.yaml -
	$(BIN)/python -m devsite.api_page | diff -u docs/api.md -
	$(MKDOCS) build --strict

docs: install-dev ## the documentation as a site on http://127.0.0.1:8100, anew at each change of docs/
	@$(MKDOCS) serve --strict --dev-addr 127.0.0.1:8100

docs-site: install-dev ## the same as files in .local/docs-site, for any web server (without one, all but the search works)
	@$(MKDOCS) build --strict && echo .local/docs-site/index.html

check-deploy: python ## Dockerfile, compose.yaml and the manifests of Kubernetes, by their own linters and schemas
	@$(PYTHON) devsite/install.py $(VENV)-deploy requirements-deploy.txt
	$(VENV)-deploy/bin/hadolint Dockerfile
	SECRET_KEY=x POSTGRES_PASSWORD=x $(VENV)-deploy/bin/docker-compose config --quiet
	$(VENV)-deploy/bin/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))

sbom: python ## the bill of materials of what requirements.txt locks, in CycloneDX (SBOM=sbom.cdx.json)
	@$(PYTHON) devsite/install.py $(VENV)-deploy requirements-deploy.txt
	@$(VENV)-deploy/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --validate \
		-o $(or $(SBOM),sbom.cdx.json) requirements.txt

lock: ## write the requirement files anew from pyproject.toml (needs uv)
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml \
		-o requirements.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml \
		--extra traces -c requirements.txt -o requirements-traces.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml \
		--extra traces --group dev -c requirements-traces.txt -o requirements-dev.txt
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --group deploy \
		-o requirements-deploy.txt

bench: install-dev ## the figures of docs/performance.md
	@$(BIN)/python -m benchmarks

bench-reconcile: install-dev ## time and memory of reconciling a million players beside writes (ARGS="--users 100000")
	@$(BIN)/python -m benchmarks.reconcile $(ARGS)

bench-live: install-dev ## what pushing costs, against a raw writer; then 1,000 viewers of scores through the API
	@$(BIN)/python -m benchmarks.live $(ARGS)
	@$(BIN)/python -m devsite.servers exec -- $(BIN)/python -m benchmarks.live_scores

bench-boards: install-dev ## what boards cost: those a score belongs to, those that only exist, those that are watched
	@$(BIN)/python -m devsite.servers exec -- $(BIN)/python -m benchmarks.boards $(ARGS)

bench-past: install-dev ## boards at past instants, over ten million entries of a million players (ARGS="--players 10000 --entries 100000")
	@$(BIN)/python -m devsite.servers exec -- $(BIN)/python -m benchmarks.past $(ARGS)

admin-pictures: install-dev ## the pictures of admin in docs/, of a site with made-up play
	@$(BIN)/python -m devsite.servers exec -- $(BIN)/python -m devsite.admin_pictures

pictures: install-dev ## the moving pictures of README.md, taken beside `make run` (URL=http://127.0.0.1:8000)
	@$(BIN)/python -m devsite.pictures $(URL)

clean: ## remove the virtual environment and caches; data in .local stay
	rm -rf $(VENV) $(VENV).lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: python
	@$(PYTHON) devsite/install.py $(VENV) requirements.txt

install-dev: python
	@$(PYTHON) devsite/install.py $(VENV) requirements-dev.txt

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name another: make PYTHON=python3.12 …" >&2; exit 1; }
