#!/bin/sh
# Writes deploy/docker/requirements.lock: requirements.lock without the embedded servers and developer tools.
# Takes its versions from requirements.lock, so update that first. Needs uv.
set -eu
cd "$(dirname "$0")/../.."

uv pip compile pyproject.toml deploy/docker/build.in --constraint requirements.lock --quiet \
    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
    --no-annotate --no-emit-package parley-client --output-file deploy/docker/requirements.lock >/dev/null
