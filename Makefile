# Commands for working on Parley; `make` lists them.
#
# The first command creates .venv and installs the packages of requirements.lock. Later ones use it as it is.

PYTHON ?= python3
DATA ?= .parley
ARGS ?=
MINUTES ?= 2
SEED ?= 1
RATE ?= 500
CLIENTS ?= 24

BIN := .venv/bin
READY := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-dialects test-pages test-web faults rolling bench bench-full profile web screenshots k8s-check docker-check lint types protos reference monitoring-check clean-data

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nARGS="..." passes arguments on: make run ARGS="--port 9000 --replicas chat=2", make test ARGS="tests/unit"\n'

setup: $(READY) ## create .venv and install the dependencies, if needed

# Runs once for each state of these files; an interrupted run is repeated.
$(READY): requirements.lock pyproject.toml clients/python/pyproject.toml deploy/local/setup.sh
	@PYTHON="$(PYTHON)" sh deploy/local/setup.sh
	@touch $@

run: $(READY) ## start the whole stack; Ctrl-C stops it
	@$(BIN)/parley up $(ARGS)

demo: $(READY) ## let two users talk through the running stack
	@$(BIN)/parley demo $(ARGS)

test: $(READY) ## run all tests
	@$(BIN)/pytest $(ARGS)

test-dialects: $(READY) ## test the dialects with the front-ends' own clients (needs Node.js 20 or newer)
	@$(BIN)/python -m tests.dialects $(ARGS)

test-pages: $(READY) ## test the pages at / and /docs in Chromium (installs it as root on Debian)
	@sh tests/pages/setup.sh
	@$(BIN)/pytest -m chromium -n 0 tests/pages $(ARGS)

test-web: $(READY) ## test the web app and its client in Chromium and Node.js (installs Chromium as root on Debian)
	@sh tests/web/setup.sh
	@$(BIN)/pytest -m chromium -n 0 tests/web $(ARGS)

web: ## build the web app of web/ into gateway/web (needs Node.js)
	@cd web && npm ci --no-progress && npm run --silent types && npm run --silent build

screenshots: $(READY) ## take the README's pictures of the messenger
	@sh tests/web/setup.sh
	@PARLEY_SCREENSHOTS=docs/screenshots $(BIN)/pytest -m chromium -n 0 tests/web/test_screenshots.py $(ARGS)

faults: $(READY) ## inject faults under load and check every guarantee: MINUTES=, SEED=, RATE=, CLIENTS=
	@$(BIN)/python -m tests.faults --minutes $(MINUTES) --seed $(SEED) --rate $(RATE) --clients $(CLIENTS) $(ARGS)

rolling: $(READY) ## restart every process in turn under load; fail if a user notices
	@$(BIN)/python -m tests.faults --rolling --minutes $(MINUTES) --seed $(SEED) --rate $(RATE) --clients $(CLIENTS) $(ARGS)

bench: $(READY) ## measure throughput and latency beside the usual Node stack, in about 4 minutes (needs Node.js)
	@$(BIN)/python -m bench --vs node $(ARGS)

bench-full: $(READY) ## the same at full size, three times, in more than an hour
	@$(BIN)/python -m bench direct rate group storm history flood growth --size full --runs 3 --vs node $(ARGS)
	@$(BIN)/python -m bench connections --size full --runs 3 --direct $(ARGS)
	@$(BIN)/python -m bench soak --size full $(ARGS)

profile: $(READY) ## profile chat and the gateway under direct messages
	@$(BIN)/python -m bench.profile $(ARGS)

k8s-check: $(READY) ## check the Kubernetes manifests without a cluster (needs kubectl or kustomize)
	@sh tests/checkov/setup.sh
	@$(BIN)/python -m tests.k8s
	@$(BIN)/pytest -m "checkov or not checkov" -n 0 --durations 3 tests/k8s $(ARGS)

docker-check: $(READY) ## check the image and the Compose stack without a container engine (needs root on Debian)
	@sh tests/checkov/setup.sh
	@$(BIN)/python -m tests.docker
	@$(BIN)/pytest -m "checkov or not checkov" -n 0 --durations 3 tests/docker $(ARGS)
	@$(BIN)/python -m tests.docker.rehearsal

lint: $(READY) ## check style, formatting, imports and the contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/buf lint

types: $(READY) ## check types
	@$(BIN)/mypy

protos: $(READY) ## generate the stubs in gen/ from protos/
	@$(BIN)/python protos/generate.py $(ARGS)

reference: $(READY) ## regenerate dashboards, docs/settings.md, docs/metrics.md, the clients' contract.py and contract.ts, the PrometheusRule, Envoy's files for TLS and traces
	@$(BIN)/python -m deploy.generate write

monitoring-check: $(READY) ## check alerts and dashboards with a real Prometheus, on a stack of its own
	@sh deploy/monitoring/setup.sh
	@$(BIN)/pytest -m "prometheus or not prometheus" -n 0 tests/monitoring $(ARGS)

clean-data: ## delete all data of the stack (refused while it runs)
	@$(or $(wildcard $(BIN)/python),$(PYTHON)) -m deploy.local.data_directory $(DATA)
