# campaign-success: `make demo` plays the loop, `make test` proves it; both install what they need.
.DEFAULT_GOAL := help
# The first that runs and is of the right age: a name on the path may be a shim with nothing behind it.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11 python3.14; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done || true)
BIN := .venv/bin
UV := $(BIN)/uv
ENV_FILE ?= .env
export COMPOSE_ENV_FILES := $(ENV_FILE)

.PHONY: help demo test test-quick mutate check ui web grafana-preview bench bench-real bench-serving bench-smoke champion up down clean-stack redeploy stack-demo backup restore images e2e lock docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: .venv/installed ## play the whole loop: train, score, drift, decay, retrain, do better
	@$(BIN)/campaign demo $(ARGS)

# pytest keeps what it compiled of the tests, whatever the machine says of Python's own.
test test-quick: export PYTHONDONTWRITEBYTECODE :=

test: .venv/installed-dev ## run the tests
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-quick: .venv/installed-dev ## run those of campaign/ and tasks/ that need neither servers nor processes of their own
	@$(BIN)/pytest -n 2 --dist loadfile -m "not outer" $(ARGS) tests/campaign tests/tasks

mutate: .venv/installed-dev ## see how many one-line faults the tests notice (at most 150 minutes; goes on where it was)
	@$(BIN)/python -m tests.mutation $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

check: .venv/installed-dev ## lint and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

ui: .venv/installed ## open MLflow (port 5000) and Prefect (port 4200) on what was logged; Ctrl-C ends both
	@$(BIN)/campaign ui

web: .venv/installed ## serve predictions and the page on port 8000, with the demo's champion; Ctrl-C ends it
	@MLFLOW_TRACKING_URI=$${MLFLOW_TRACKING_URI:-$$($(BIN)/python -c 'from campaign.settings import Settings; print(Settings().mlflow_tracking_uri)')} $(BIN)/python -m deployments.web_service $(ARGS)

bench: .venv/installed-dev ## measure everything beside its rivals, and write docs/performance.md (15 to 40 minutes)
	@$(BIN)/python -m benchmarks

bench-%: .venv/installed-dev
	@$(BIN)/python -m benchmarks.$(subst -,_,$*) $(ARGS)

bench-real: .venv/installed-bench ## measure it beside other models on the campaigns of DATA=file SCHEMA=toml, or on made-up ones
	@$(BIN)/python -m benchmarks.real $(if $(DATA),--data "$(DATA)") $(if $(SCHEMA),--schema "$(SCHEMA)") $(ARGS)

bench-serving: .venv/installed ## time the web service beside what it replaces
	@$(BIN)/python -m benchmarks.serving $(ARGS)

bench-smoke: .venv/installed-dev ## run every benchmark at a tiny size
	@$(BIN)/pytest -n 2 --dist load $(ARGS) tests/benchmarks/every_benchmark.py

champion: .venv/installed ## list the versions, and who was champion when and why
	@$(BIN)/campaign champion

up: .venv/installed ## build and start the stack in Docker, wait until it is healthy, say where everything is
	@$(BIN)/python -m infra.write_env $(ENV_FILE)
	@infra/stop_old_workers.sh
	@docker compose up -d --build --wait
	@$(BIN)/python -m infra.where $(ENV_FILE)

down: ## stop the stack; its data stays
	@docker compose --profile '*' down

clean-stack: ## stop the stack and remove its data
	@docker compose --profile '*' down --volumes

redeploy: .venv/installed ## bring the deployments to what prefect.yaml says (RESET_SCHEDULES=1: its schedules too)
	@$(BIN)/python -m infra.write_env $(ENV_FILE)
	@docker compose run --rm --build --no-deps -e RESET_SCHEDULES=$(RESET_SCHEDULES) deploy

stack-demo: ## play the demo's days through the stack's deployments
	@docker compose exec $(if $(shell test -t 1 && echo yes),,-T) worker python -m flows.stack_demo $(ARGS)

grafana-preview: .venv/installed-dev ## draw Grafana's panels from this home's figures, into FILE (a PNG), where no Grafana can be run
	@$(BIN)/python -m infra.grafana.preview $(or $(FILE),.campaign/grafana-preview.png)

backup: ## save the stack's databases and objects into DIR
	@infra/backup.sh $(DIR)

restore: ## put back what `make backup` saved in DIR
	@infra/restore.sh $(DIR)

images: .venv/installed ## export the champion and build all images
	@$(BIN)/campaign champion export .campaign/bundle
	@$(BIN)/python -m infra.write_env $(ENV_FILE)
	@docker compose build
	@docker build -f deployments/batch/Dockerfile -t campaign-batch .
	@docker build -f deployments/web_service/Dockerfile -t campaign-web .

e2e: .venv/installed-dev ## run the stack for real and drive it as a user would (OFFLINE=1: on images made here)
	@$(BIN)/python -m tests.e2e $(if $(OFFLINE),--offline)

lock: .venv/uv ## resolve the dependencies anew, with hashes and without addresses
	@echo uv | $(UV) pip compile - --universal --python-version 3.11 --only-binary uv --emit-build-options --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade --quiet -o requirements-uv.lock
	@$(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --quiet -o requirements.lock
	@$(UV) pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --quiet -c requirements.lock -o requirements-dev.lock
	@for image in batch web_service; do $(UV) pip compile deployments/$$image/requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -c requirements.lock -o deployments/$$image/requirements.lock; done
	@$(UV) pip compile benchmarks/requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -c requirements-dev.lock -o benchmarks/requirements.lock

docs: .venv/installed-dev ## write the tables of docs/ anew
	@$(BIN)/python -m flows.doc_tables docs/*.md

clean: ## remove what the demo made (.campaign)
	@rm -rf .campaign

.venv/uv: requirements-uv.lock
	@$(or $(PYTHON),false) -c '$(FITS)' 2>/dev/null || { \
	  found=$$($(or $(PYTHON),python3) --version 2>/dev/null) || found=none; \
	  echo "campaign-success needs Python 3.11 to 3.14; found: $$found. Say which: make PYTHON=/path/to/python3.12 …"; exit 1; }
	@echo "Installing into .venv, once: an environment and uv …"
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

# Compiled at once, or every import of every first process would compile for itself.
.venv/installed: requirements.lock pyproject.toml | .venv/uv
	@echo "Installing into .venv, once: $$(grep -c == requirements.lock) packages, 1.9 GB with their bytecode; a minute or two …"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@$(BIN)/python -m compileall -q campaign tasks flows deployments
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo "Installing into .venv, once: what tests need …"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

# What `make bench-real` needs beside that; versions of all that is there already stay.
.venv/installed-bench: benchmarks/requirements.lock .venv/installed-dev
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r benchmarks/requirements.lock
	@touch $@
