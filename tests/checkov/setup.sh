#!/bin/sh
# Installs checkov into .venv/checkov, as tests/checkov/requirements.lock names it, checked by hash. Called by
# `make k8s-check` and `make docker-check`. To update the lock (needs uv):
#
#   uv pip compile tests/checkov/requirements.in --universal --python-version 3.11 --generate-hashes --no-header \
#       --no-annotate --no-emit-index-url --no-emit-find-links --upgrade --output-file tests/checkov/requirements.lock
set -eu

lock=tests/checkov/requirements.lock
venv=.venv/checkov

if cmp -s "$lock" "$venv/installed.lock"; then
    exit 0
fi
echo "Installing checkov into $venv (the first time downloads about 60 MB) ..."
.venv/bin/python -m venv --clear "$venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: --require-hashes -r "$lock"
cp "$lock" "$venv/installed.lock"
