#!/bin/sh
# Creates .venv and installs the packages of requirements.lock, checked by hash; then Parley and its client, editable.
# Called by `make setup`. Needs only Python 3.11 or newer with its venv module.
set -eu

python="${PYTHON:-python3}"

if ! command -v "$python" >/dev/null 2>&1; then
    echo "No $python on the PATH. Install Python 3.11 or newer, or name one: make setup PYTHON=/path/to/python" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    version="$("$python" -c 'import platform; print(platform.python_version())')"
    echo "Parley needs Python 3.11 or newer, and $python is $version. Install a newer one and name it: make setup PYTHON=python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    echo "$python has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi

# Recreates a .venv whose interpreter is gone, as after a system upgrade.
if ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    "$python" -m venv --clear .venv
fi

echo "Installing into .venv (the first time downloads about 150 MB) ..."
.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e clients/python -e .
