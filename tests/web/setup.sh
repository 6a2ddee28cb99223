#!/bin/sh
# Provides Chromium and the packages of web/package-lock.json for `make test-web`; needs Node.js 20.19 or newer.
set -eu

sh tests/pages/setup.sh
cd web
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-progress
fi
