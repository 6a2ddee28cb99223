#!/bin/sh
# Provides prometheus and promtool for `make monitoring-check`: those on the PATH, or Debian's package, downloaded by
# apt-get and unpacked under .venv/prometheus. Installs nothing and starts no daemon.
set -eu

unpacked=.venv/prometheus

if command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; then
    exit 0
fi
if [ -x "$unpacked/usr/bin/prometheus" ] && [ -x "$unpacked/usr/bin/promtool" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
    echo "No prometheus and promtool on the PATH. Install Prometheus 2.42 or newer: https://prometheus.io/download/" >&2
    exit 1
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

fetch() {
    (cd "$work" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download prometheus)
}

echo "Downloading Debian's prometheus into $unpacked (about 20 MB) ..."
if ! fetch 2>/dev/null; then
    # The package lists may be missing or old; only root may update them.
    [ "$(id -u)" -ne 0 ] || apt-get -qq update
    if ! fetch; then
        echo "apt-get cannot download the package prometheus. Install it: apt-get install prometheus" >&2
        exit 1
    fi
fi
rm -rf "$unpacked"
dpkg-deb -x "$work"/prometheus_*.deb "$unpacked"
