# Everything that one does with Parley, by name. `make` alone lists it.
#
# A first `make run` makes .venv and installs what requirements.lock names; later ones only start.

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
.PHONY: help setup run demo test test-dialects faults rolling bench bench-full profile k8s-check docker-check lint types protos reference monitoring-check clean-data

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nARGS="..." is passed on: make run ARGS="--port 9000 --replicas chat=2", make test ARGS="tests/unit"\n'

setup: $(READY) ## make .venv and install what is needed, if it is not there

# Once for each state of the lock and of our own metadata; a set-up that was interrupted is done again.
$(READY): requirements.lock pyproject.toml clients/python/pyproject.toml deploy/local/setup.sh
	@PYTHON="$(PYTHON)" sh deploy/local/setup.sh
	@touch $@

run: $(READY) ## start everything on this machine, until Ctrl-C
	@$(BIN)/parley up $(ARGS)

demo: $(READY) ## watch two users talk through the running stack
	@$(BIN)/parley demo $(ARGS)

test: $(READY) ## run all tests
	@$(BIN)/pytest $(ARGS)

test-dialects: $(READY) ## test the other front-ends' vocabularies with their own clients (needs Node.js 20 or newer)
	@$(BIN)/python -m tests.dialects $(ARGS)

faults: $(READY) ## break things while people talk, and count: MINUTES=, SEED=, RATE=, CLIENTS=
	@$(BIN)/python -m tests.faults --minutes $(MINUTES) --seed $(SEED) --rate $(RATE) --clients $(CLIENTS) $(ARGS)

rolling: $(READY) ## restart every process in turn while people talk, and see that nobody notices
	@$(BIN)/python -m tests.faults --rolling --minutes $(MINUTES) --seed $(SEED) --rate $(RATE) --clients $(CLIENTS) $(ARGS)

bench: $(READY) ## measure how much it carries beside the usual Node stack, in under 10 minutes (needs Node.js)
	@$(BIN)/python -m bench --vs node $(ARGS)

bench-full: $(READY) ## the same at full size, three times; takes an hour
	@$(BIN)/python -m bench direct rate group storm history flood growth --size full --runs 3 --vs node $(ARGS)
	@$(BIN)/python -m bench connections --size full --runs 3 --direct $(ARGS)
	@$(BIN)/python -m bench soak --size full $(ARGS)

profile: $(READY) ## see where chat and the gateway spend their time under direct messages
	@$(BIN)/python -m bench.profile $(ARGS)

k8s-check: $(READY) ## check the Kubernetes manifests without a cluster (needs kubectl or kustomize)
	@$(BIN)/python -m tests.k8s
	@$(BIN)/pytest -n 0 tests/k8s $(ARGS)

docker-check: $(READY) ## check the image and the Compose stack without a container engine (needs root on Debian)
	@$(BIN)/python -m tests.docker
	@$(BIN)/pytest -n 0 tests/docker $(ARGS)
	@$(BIN)/python -m tests.docker.rehearsal

lint: $(READY) ## check style, formatting and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(READY) ## check types
	@$(BIN)/mypy

protos: $(READY) ## generate the stubs in gen/ from protos/
	@$(BIN)/python protos/generate.py $(ARGS)

reference: $(READY) ## write anew what is made from the programs: dashboards, docs/settings.md, docs/metrics.md, Envoy's files for TLS and traces
	@$(BIN)/python -m deploy.monitoring write
	@$(BIN)/python -m deploy.k8s.rules
	@$(BIN)/python -m deploy.tls write

monitoring-check: $(READY) ## let a real Prometheus judge the alerts and dashboards, on a running stack
	@sh deploy/monitoring/setup.sh
	@$(BIN)/pytest -m "prometheus or not prometheus" -n 0 tests/monitoring $(ARGS)

clean-data: ## remove all data of the stack (refused while it runs)
	@$(or $(wildcard $(BIN)/python),$(PYTHON)) -m deploy.local.data_directory $(DATA)
