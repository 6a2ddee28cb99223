#!/bin/sh
# Provides Chromium for `make test-pages`: the one on the PATH, or Debian's package, which only root can install.
set -eu

if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
    echo "No chromium on the PATH. On Debian: apt-get install chromium" >&2
    exit 1
fi

echo "Installing Debian's chromium (about 100 MB) ..."
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends chromium fonts-liberation fonts-noto-color-emoji >/dev/null
